"""Grading: every result of every function is compared with the truth, and the kind of mistake is told."""
from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from tinynet.exercises.answers import Answers, Failure, names_of, shapes_of
from tinynet.exercises.chinese import in_chinese
from tinynet.exercises.exercise import Case, Exercise, Gradients, Part, Text
from tinynet.exercises.marks import Mark, Marks
from tinynet.exercises.tasks import COURSE
from tinynet.gradient_check.hints import kind_of_mistake
from tinynet.language import check_language
from tinynet.types import Any, Array

TOLERANCE = 1e-5            # of the largest number: single precision passes


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
    check_language(lang)
    names = names_of(*work)
    answers = {name: Answers(exercise, names) for name, exercise in COURSE.items()}
    marks = [mark for name, found in answers.items() if found for mark in _marks(COURSE[name], found)]
    if not marks:
        came = ", ".join(name for name in names if not name.startswith("_")) or "nothing"
        raise ValueError("No function or class of an exercise is there, such as line_loss or Line. `python -m "
                         f"tinynet.exercises` lists all. Got: {came}.")
    return Marks(marks, lang)


def _marks(exercise: Exercise, answers: Answers) -> list[Mark]:
    """A mark for every result of every part."""
    cases = exercise.cases(np.random.default_rng(zlib.crc32(exercise.name.encode())))
    outcomes = [answers.of(case) for case in cases]
    marks: list[Mark] = []
    for part in exercise.parts:
        for i in range(len(part.results)):
            mark = _mark(exercise, part, i, cases, [found[part.name] for found in outcomes])
            wrong = next((m.part.name for m in marks if m.verdict == "WRONG" and answers.calls(part, m.part.name)),
                         None)
            if wrong and mark.verdict == "WRONG":
                mark = replace(mark, hint=Text(f"It calls {wrong}, which is wrong: correct that first.",
                                               f"它调用了 {wrong}，而后者是错的：请先改正。"))
            marks.append(mark)
    return marks


def _mark(exercise, part, i, cases, outcomes) -> Mark:
    """The mark of one result, by the first case in which it is wrong: the task's example, if it is."""
    for case, outcome in zip(cases, outcomes):
        failure = outcome if isinstance(outcome, Failure) else outcome[i]
        if isinstance(failure, Failure):
            return Mark(exercise, part, part.results[i], "not yet" if failure.not_yet else "WRONG", failure.text, case)
    right = [[np.asarray(truth, float) for truth in part.right(case)] for case in cases]
    failed = [k for k in range(len(cases)) if not _close(outcomes[k][i], right[k][i])]
    if not failed:
        return Mark(exercise, part, part.results[i], "right", Text("", ""))
    found = [outcome[i] for outcome in outcomes]
    k = next((k for k in failed if _misshapen(found[k], right[k][i])), failed[0])
    texts = [_where(part, cases[k], found[k], right[k][i], k == 0, 0 in failed),
             _kind(exercise, part, i, cases, outcomes, right, failed)]
    return Mark(exercise, part, part.results[i], "WRONG", Text(
        " ".join(text.en for text in texts if text.en), "".join(text.zh for text in texts)), cases[k])


def _close(found: Any, truth: Array) -> bool:
    if isinstance(found, Failure) or _misshapen(found, truth):
        return False
    with np.errstate(invalid="ignore"):
        return bool(np.abs(found - truth).max(initial=0) <= TOLERANCE * max(1e-3, np.abs(truth).max(initial=0)))


def _misshapen(found: Array, truth: Array) -> bool:
    """Whether the shape is wrong; a single number may have any."""
    return found.shape != truth.shape and not found.size == truth.size == 1


def _where(part: Part, case: Case, found: Array, truth: Array, is_example: bool, example_failed: bool) -> Text:
    """The worst number, or the shape; of the example of the task, or of another case."""
    given = Text("In the example", "在题目的例子中") if is_example else Text(
        f"For {shapes_of(part, case) or 'other numbers'}", f"参数形状为 {shapes_of(part, case) or '标量'} 时")
    if not example_failed:
        given = Text(f"Right for the example of the task, wrong for other numbers. {given.en}",
                     f"题目中的例子是对的，换成别的数就错了。{given.zh}")
    if _misshapen(found, truth):
        return Text(f"{given.en} its shape must be {truth.shape}, got {found.shape}.",
                    f"{given.zh}，结果的形状应为 {truth.shape}，实际为 {found.shape}。")
    a, n = np.atleast_1d(found.reshape(truth.shape)), np.atleast_1d(truth)
    with np.errstate(invalid="ignore"):
        at = np.unravel_index(int(np.argmax(np.where(np.isfinite(a), np.abs(a - n), np.inf))), n.shape)
    index = str(tuple(map(int, at))) if truth.ndim else ""
    return Text(f"{given.en} yours is {a[at]:.6g}{index and ' at ' + index}, should be {n[at]:.6g}.",
                f"{given.zh}，你的结果{index and '在 ' + index + ' 处'}是 {a[at]:.6g}，应为 {n[at]:.6g}。")


def _kind(exercise, part, i, cases, outcomes, right, failed) -> Text:
    """The kind of mistake: the results in another order, one that is typical, or one that the numbers show."""
    for j in range(len(part.results)):
        if i != j and _stands_for(outcomes, right, i, j):
            return Text(f"This is {part.results[j]}: return {part.returns}, in this order.",
                        f"这里返回的是 {part.results[j]}：请按 {part.returns} 的顺序返回。")
    found = [outcome[i] for outcome in outcomes]
    overflows = [not isinstance(a, Failure) and not np.isfinite(a).all() for a in found]
    told = exercise.overflow if any(overflows) else Text("", "")
    if not (finite := [k for k in failed if not overflows[k]]):
        return told
    for mistake in exercise.mistakes:
        if (mistake.part, mistake.result) == (part.name, part.results[i]) and all(
                _same(mistake.wrong, part, case, a) for case, a, over in zip(cases, found, overflows) if not over):
            return Text(" ".join(filter(None, (mistake.hint.en, told.en))), mistake.hint.zh + told.zh)
    for k in finite:
        if _misshapen(found[k], right[k][i]):
            return _shapes(part, found[k], right[k][i])
    for k in finite:        # the example is small, and may show less than another case
        if hint := _general(part, cases[k], found[k].reshape(right[k][i].shape), right[k][i]):
            before = Text("For other numbers: ", "换一组数时：") if k != failed[0] else Text("", "")
            return Text(before.en + hint, before.zh + in_chinese(hint))
    return Text("", "")


def _general(part, case, found, truth) -> str:
    """What the numbers show by themselves."""
    batch = next((len(case[name]) for name in part.arguments if np.ndim(case[name]) > 1), 1)
    hint = kind_of_mistake(found, truth, batch)
    return hint if isinstance(part.truth, Gradients) else hint.replace(": is this gradient forgotten?", ".")


def _stands_for(outcomes, right, i, j) -> bool:
    """Whether the result i is the right j, and the right i stands in another place, in all cases."""
    def everywhere(k, m):
        return all(_close(outcome[k], truths[m]) for outcome, truths in zip(outcomes, right))
    return everywhere(i, j) and any(everywhere(k, i) for k in range(len(right[0])) if k != i)


def _same(wrong, part, case, found) -> bool:
    """Whether a mistake gives what was found."""
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(wrong(**part.of(case)), float)
    except (ValueError, IndexError):        # shapes for which this mistake is not possible
        return False
    if isinstance(found, Failure) or result.shape != found.shape:
        return False
    finite = np.isfinite(result)        # the mistake may overflow where the student takes care that nothing does
    return _close(np.where(finite, found, 0), np.where(finite, result, 0))


def _shapes(part, a, n) -> Text:
    """What a wrong shape may come from."""
    if a.shape == n.shape[::-1]:
        return Text("Transposed?", "是不是转置了？")
    if a.size == n.size:
        return Text("The number of numbers is right: is an axis of length 1 too many, or missing?",
                    "元素个数是对的：是否多了或少了长度为 1 的轴？")
    if a.ndim > n.ndim and a.shape[a.ndim - n.ndim:] == n.shape:
        return Text("Is a sum over the first axis missing?", "是否缺少沿第一个轴的求和？")
    if isinstance(part.truth, Gradients):
        return Text("A gradient has the shape of its array.", "梯度的形状应与对应的数组相同。")
    return Text("The shape of a result is told in the task.", "结果的形状见题目。")
