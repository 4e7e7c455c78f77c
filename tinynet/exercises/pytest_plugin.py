"""A plugin of pytest that makes a test of every mark: `python -m pytest -p tinynet.exercises.pytest_plugin FILES`.

A file is graded if it defines a function or class of an exercise. In a conftest.py the one line is
`pytest_plugins = ["tinynet.exercises.pytest_plugin"]`.
"""
from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinynet.exercises.files import grade_file
from tinynet.exercises.marks import WORDS
from tinynet.exercises.tasks import COURSE
from tinynet.language import LANGUAGES
from tinynet.types import Any


def pytest_addoption(parser: Any) -> None:
    """--exercises-lang"""
    parser.addoption("--exercises-lang", choices=LANGUAGES, default="en", help="of the hints of tinynet's exercises")


def pytest_collect_file(file_path: Path, parent: Any) -> Any:
    """The tests of a file that has exercises in it."""
    if file_path.suffix == ".py" and _exercises_in(file_path):
        return AnswersFile.from_parent(parent, path=file_path)
    return None


def _exercises_in(path: Path) -> bool:
    """Whether a file has the name of an exercise, or defines a function or class of one."""
    functions = {part.name for exercise in COURSE.values() for part in exercise.parts}
    methods = {exercise.class_name: {exercise.method(part) for part in exercise.parts} for exercise in COURSE.values()}
    try:
        with tokenize.open(path) as file:
            body = ast.parse(file.read()).body
    except (SyntaxError, ValueError, OSError):
        return path.stem in COURSE or any(f"def {name}(".encode() in path.read_bytes() for name in functions)
    if path.stem in COURSE:
        return True         # a file of this name in which nothing is found fails
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name in methods:
            if any(isinstance(inner, ast.FunctionDef) and inner.name in methods[node.name] for inner in node.body):
                return True
        names = [node.name] if isinstance(node, ast.FunctionDef) else [
            target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
        if functions & set(names):
            return True
    return False


class AnswersFile(pytest.File):
    """A student's file."""

    def collect(self) -> Iterator[Any]:
        """A test for each mark; the file is run once. One that does not run is one test, which fails."""
        lang = self.config.getoption("--exercises-lang")
        try:
            marks = grade_file(self.path, lang).marks
        except (ImportError, ValueError) as error:
            yield MarkItem.from_parent(self, name=self.path.stem, failure=str(error))
            return
        for mark in marks:
            word, hint = WORDS[mark.verdict].said(lang), mark.hint.said(lang)
            yield MarkItem.from_parent(self, name=f"{mark.part.name}[{mark.result}]", failure="" if (
                mark.verdict == "right") else f"{word}: {hint}" if hint else word)


class MarkItem(pytest.Item):
    """A mark as a test, which fails with its hint."""

    def __init__(self, *, failure: str, **options: Any):
        super().__init__(**options)
        self.failure = failure

    def runtest(self) -> None:
        """Fail unless it is right."""
        if self.failure:
            pytest.fail(self.failure, pytrace=False)

    def repr_failure(self, excinfo: Any, style: Any = None) -> str:
        """The hint alone."""
        return str(excinfo.value)

    def reportinfo(self) -> Any:
        """The file and the name of the test."""
        return self.path, None, self.name
