"""Grading of a student's file, in a process of its own: what it prints, breaks, changes or never ends stays there."""
from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path as FilePath

import numpy as np

from tinynet.exercises.answers import SECONDS, TooLong, limited
from tinynet.exercises.exercise import Text
from tinynet.exercises.grading import grade
from tinynet.exercises.marks import Mark, Marks
from tinynet.exercises.tasks import COURSE
from tinynet.language import check_language
from tinynet.types import Any, Path

PROGRAM = "from tinynet.exercises import files; files.answer_in_own_process()"
LIMIT = 120         # seconds for a file


def grade_file(path: Path, lang: str = "en", quiet: bool = True) -> Marks:
    """The marks of a file of Python, which runs in a process of its own.

    Parameters
        quiet: False to show what the file prints.

    Raises ValueError if it has no exercise in it, ImportError if it does not run, FileNotFoundError if it is not there.
    """
    check_language(lang)
    path = FilePath(path)
    if not path.is_file() or path.suffix != ".py":
        raise FileNotFoundError(f"There is no file {path} with the ending .py.")
    with tempfile.TemporaryDirectory() as folder:
        answer, printed = FilePath(folder) / "marks.json", FilePath(folder) / "printed"
        paths = [str(FilePath(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONIOENCODING": "utf-8",
                       "PYTHONDONTWRITEBYTECODE": "1"}
        with open(printed, "wb") as output:     # and no pipe, which a process that the file starts would keep open
            try:
                status = subprocess.run([sys.executable, "-c", PROGRAM, str(path.resolve()), str(answer)],
                                        stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                        env=os.environ | environment, timeout=LIMIT).returncode
            except subprocess.TimeoutExpired:
                raise ImportError(f"{path} does not end: it was stopped after {LIMIT} seconds.") from None
        said = printed.read_bytes().decode("utf-8", "replace")
        if not quiet:
            print(said, end="")
        if not answer.exists():
            raise ImportError(f"{path} ended Python itself, with the status {status}. {said[-300:]}".rstrip())
        found = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in found:
        raise (ValueError if found["error"] == "ValueError" else ImportError)(f"{path} {found['text']}")
    return Marks([_mark(*mark) for mark in found["marks"]], lang)


def _mark(name: str, part: str, result: str, verdict: str, hint: Any, case: Any) -> Mark:
    """A mark, from JSON."""
    parts = {p.name: p for p in COURSE[name].parts}
    arguments = {key: np.array(value) if isinstance(value, list) else value for key, value in case.items()}
    return Mark(COURSE[name], parts[part], result, verdict, Text(*hint), arguments)


def _answer(path: str) -> dict[str, Any]:
    """The marks of a file, for JSON, in the process that is there for it."""
    spec = importlib.util.spec_from_file_location("answers", path)
    assert spec is not None and spec.loader is not None
    module = sys.modules["answers"] = importlib.util.module_from_spec(spec)
    sys.path[0] = str(FilePath(path).parent)       # as if the file itself were run
    stopped = ""        # why the file did not run to its end; what it defines before that counts
    try:
        with limited(SECONDS):
            spec.loader.exec_module(module)
    except SystemExit:
        pass
    except TooLong:
        stopped = f"does not end: it took more than {SECONDS} seconds."
    except BaseException as error:
        stopped = f"does not run: {type(error).__name__}: {error}."
    try:
        marks = grade(module).marks
    except ValueError as error:
        return {"error": "ImportError" if stopped else "ValueError", "text": stopped or f"has none. {error}"}
    return {"marks": [(m.exercise.name, m.part.name, m.result, m.verdict, m.hint, _lists(m.case)) for m in marks]}


def _lists(case: Any) -> dict[str, Any]:
    """Arguments, for JSON."""
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in case.items()}


def answer_in_own_process() -> None:
    """Grade the file sys.argv[1], and write its marks to sys.argv[2]."""
    found = json.dumps(_answer(sys.argv[1]))
    sys.stdout.flush()
    FilePath(sys.argv[2]).write_text(found, encoding="utf-8")
    os._exit(0)             # a thread of the file may go on for ever
