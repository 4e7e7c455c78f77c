"""Grading: every result of every function is compared with the truth, and the kind of mistake is told."""
from __future__ import annotations

import importlib.util
import itertools
import sys
import zlib
from pathlib import Path as FilePath

import numpy as np

from tinynet.exercises.answers import Answers, Failure, names_of, shapes_of
from tinynet.exercises.chinese import in_chinese
from tinynet.exercises.exercise import Case, Exercise, Part, Text
from tinynet.exercises.marks import Mark, Marks
from tinynet.exercises.tasks import COURSE
from tinynet.gradient_check.hints import kind_of_mistake
from tinynet.types import Any, Array, Path

TOLERANCE = 1e-5            # of the largest number: single precision passes
_counter = itertools.count()


def grade(*work: Any, lang: str = "en") -> Marks:
    """The marks of all exercises of which a function or a class is there.

    Parameters
        work: a module, `globals()`, functions such as relu_forward and relu_backward, or a class such as Relu, with
            the methods forward and backward.
        lang: "en" or "zh", of the hints.

    Raises ValueError if there is none.

    >>> print(grade(lambda x: x))                   # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: No function or class of an exercise is there, such as line_loss or Line. ...
    """
    Text("", "").said(lang)
    names = names_of(*work)
    answers = {name: Answers(exercise, names) for name, exercise in COURSE.items()}
    marks = [mark for name, found in answers.items() if found for mark in _marks(COURSE[name], found)]
    if not marks:
        came = ", ".join(name for name in names if not name.startswith("_")) or "nothing"
        raise ValueError("No function or class of an exercise is there, such as line_loss or Line. `python -m "
                         f"tinynet.exercises` lists all. Got: {came}.")
    return Marks(marks, lang)


def grade_file(path: Path, lang: str = "en") -> Marks:
    """The marks of a file of Python.

    Raises ValueError if it has no exercise in it, ImportError if it does not run, FileNotFoundError if it is not there.
    """
    path = FilePath(path)
    name = f"tinynet_answers_{next(_counter)}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.exists():
        raise FileNotFoundError(f"There is no file {path} with the ending .py.")
    module = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True      # no __pycache__ beside a student's file
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ImportError(f"{path} does not run: {type(error).__name__}: {error}{line}.") from error
    finally:
        sys.dont_write_bytecode = written
    return grade(module, lang=lang)


def _marks(exercise: Exercise, answers: Answers) -> list[Mark]:
    """A mark for every result of every part."""
    cases = exercise.cases(np.random.default_rng(zlib.crc32(exercise.name.encode())))
    outcomes = [answers.of(case) for case in cases]
    return [_mark(exercise, part, i, cases, [found[part.name] for found in outcomes])
            for part in exercise.parts for i in range(len(part.results))]


def _mark(exercise, part, i, cases, outcomes) -> Mark:
    """The mark of one result; what is shown is the first case in which it is wrong, the task's example last."""
    right, failed = [], []
    for case, outcome in zip(cases, outcomes):
        if isinstance(outcome, Failure):
            return Mark(exercise, part, part.results[i], "not yet" if outcome.not_yet else "WRONG", outcome.text)
        truth = np.asarray(part.right(case)[i], float)
        right.append(truth)
        failed.append(not _close(outcome[i], truth))
    if not any(failed):
        return Mark(exercise, part, part.results[i], "right", Text("", ""))
    worst = next((k for k in range(1, len(cases)) if failed[k]), 0)
    found = [outcome[i] for outcome in outcomes]
    texts = [_memorized(failed), _where(part, i, cases[worst], found[worst], right[worst]),
             _kind(exercise, part, i, cases, found, right, worst)]
    return Mark(exercise, part, part.results[i], "WRONG", Text(
        " ".join(text.en for text in texts if text.en), "".join(text.zh for text in texts)))


def _close(found: Array, truth: Array) -> bool:
    if found.shape != truth.shape and not found.size == truth.size == 1:
        return False
    return bool(np.abs(found - truth).max(initial=0) <= TOLERANCE * max(1e-3, np.abs(truth).max(initial=0)))


def _memorized(failed) -> Text:
    if failed[0]:
        return Text("", "")
    return Text("Right for the example of the task, wrong for other numbers.", "题目中的例子是对的，换成别的数就错了。")


def _where(part: Part, i: int, case: Case, found: Array, truth: Array) -> Text:
    """The worst number, or the shape."""
    shapes = shapes_of(part, case)
    if found.shape != truth.shape and found.size * truth.size != 1:
        return Text(f"For {shapes} its shape must be {truth.shape}, got {found.shape}.",
                    f"对于 {shapes}，形状应为 {truth.shape}，得到 {found.shape}。")
    a, n = np.atleast_1d(found.reshape(truth.shape)), np.atleast_1d(truth)
    at = np.unravel_index(int(np.argmax(np.where(np.isfinite(a), np.abs(a - n), np.inf))), n.shape)
    index = f" at {tuple(map(int, at))}" if truth.ndim else ""
    return Text(f"For {shapes} yours is {a[at]:.6g}{index}, should be {n[at]:.6g}.",
                f"对于 {shapes}，你的结果{index and '在 ' + index[4:] + ' 处'}是 {a[at]:.6g}，应为 {n[at]:.6g}。")


def _kind(exercise, part, i, cases, found, right, worst) -> Text:
    """The kind of mistake: one that is typical of the exercise, or one that the numbers show."""
    for mistake in exercise.mistakes:
        if (mistake.part, mistake.result) == (part.name, part.results[i]) and all(
                _same(mistake.wrong, part, case, a) for case, a in zip(cases, found)):
            return mistake.hint
    a, n, case = found[worst], right[worst], cases[worst]
    if a.shape != n.shape and a.size * n.size != 1:
        return _shapes(a, n)
    if not np.isfinite(a).all():
        return Text("NaN or infinity: does something overflow, or is divided by zero?", "出现 NaN 或无穷大：是否溢出，或除以了零？")
    first = next((case[name] for name in part.arguments if np.ndim(case[name])), np.zeros(1))
    hint = kind_of_mistake(a.reshape(n.shape), n, len(first))
    return Text(hint, in_chinese(hint))


def _same(wrong, part, case, found) -> bool:
    """Whether a mistake gives what was found."""
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(wrong(**part.of(case)), float)
    except (ValueError, IndexError):        # shapes for which this mistake is not possible
        return False
    if result.shape != found.shape:
        return False
    finite = np.isfinite(result)        # the mistake may overflow where the student takes care that nothing does
    return bool(np.isfinite(found[finite]).all()) and _close(np.where(finite, found, 0), np.where(finite, result, 0))


def _shapes(a, n) -> Text:
    if a.shape == n.shape[::-1]:
        return Text("Transposed?", "是不是转置了？")
    if a.ndim > n.ndim and a.shape[a.ndim - n.ndim:] == n.shape:
        return Text("Is a sum over the batch missing? A gradient has the shape of its array.",
                    "是否缺少对批次的求和？梯度的形状与对应的数组相同。")
    return Text("A result has the shape that the task says; a gradient has that of its array.",
                "结果的形状见题目；梯度的形状与对应的数组相同。")
