"""A plugin of pytest that makes a test of every mark: `python -m pytest -p tinynet.exercises.pytest_plugin FILES`.

A file is graded if it defines a function or class of an exercise. In a conftest.py the one line is
`pytest_plugins = ["tinynet.exercises.pytest_plugin"]`.
"""
from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinynet.exercises.grading import grade_file
from tinynet.exercises.marks import Mark
from tinynet.exercises.tasks import COURSE
from tinynet.types import Any


def pytest_addoption(parser: Any) -> None:
    """--exercises-lang"""
    parser.addoption("--exercises-lang", choices=("en", "zh"), default="en", help="of the hints of tinynet's exercises")


def pytest_collect_file(file_path: Path, parent: Any) -> Any:
    """The tests of a file that has exercises in it."""
    if file_path.suffix == ".py" and _exercises_in(file_path):
        return AnswersFile.from_parent(parent, path=file_path)
    return None


def _exercises_in(path: Path) -> bool:
    """Whether a file defines a function or class of an exercise; of one that is no Python the name tells."""
    known = {name for exercise in COURSE.values() for name in (
        exercise.class_name, *(part.name for part in exercise.parts))}
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, OSError):
        return path.stem in COURSE
    return any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in known for node in tree.body)


class AnswersFile(pytest.File):
    """A student's file."""

    def collect(self) -> Iterator[Any]:
        """A test for each mark; the file is run once."""
        lang = self.config.getoption("--exercises-lang")
        try:
            marks = grade_file(self.path, lang).marks
        except (ImportError, ValueError) as error:
            raise self.CollectError(str(error)) from None
        for mark in marks:
            yield MarkItem.from_parent(self, name=f"{mark.part.name}[{mark.result}]", mark=mark, lang=lang)


class MarkItem(pytest.Item):
    """A mark as a test, which fails with its hint."""

    def __init__(self, *, mark: Mark, lang: str, **options: Any):
        super().__init__(**options)
        self.mark = mark
        self.lang = lang

    def runtest(self) -> None:
        """Fail unless it is right."""
        if self.mark.verdict != "right":
            pytest.fail(f"{self.mark.verdict}: {self.mark.hint.said(self.lang)}", pytrace=False)

    def repr_failure(self, excinfo: Any, style: Any = None) -> str:
        """The hint alone."""
        return str(excinfo.value)

    def reportinfo(self) -> Any:
        """The file and the name of the test."""
        return self.path, None, f"{self.mark.part.name}: {self.mark.result}"
