"""What an exercise is: a task in two languages, functions to be written, and the truth about their results."""
from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinynet.gradient_check import numeric_gradient
from tinynet.language import Text
from tinynet.types import Any, Function

__all__ = ["Exercise", "Gradients", "Mistake", "Part", "Text"]

Case = dict[str, Any]       # the arguments of all functions of an exercise, by name


def copied(value: Any) -> Any:
    """A copy of an array, or a number itself."""
    return np.array(value) if isinstance(value, np.ndarray) else value


class Gradients:
    """The truth about a backward: the derivatives of forward by the complex step, exact to fifteen digits.

    Parameters
        forward: of operations that are analytic.
        of: the arguments whose gradients are wanted, "x, W, b".
        dy: the name of the gradient with respect to the output, "dy"; None if forward returns the loss itself.
    """

    def __init__(self, forward: Function, of: str, dy: str | None = "dy"):
        self.forward = forward
        self.of: list[str] = of.split(", ")
        self.dy = dy

    def __call__(self, **case: Any) -> tuple[Any, ...]:
        dy = case[self.dy] if self.dy else 1.0
        known = {name: case[name] for name in inspect.signature(self.forward).parameters}
        gradients = []
        for name in self.of:
            moved = np.array(known[name], complex)
            gradients.append(numeric_gradient(
                lambda name=name, moved=moved: (dy * self.forward(**known | {name: moved})).sum(), moved, "complex"))
        return tuple(gradients)


@dataclass(frozen=True)
class Part:
    """A function that the student writes.

    Parameters
        name: "relu_backward".
        takes, returns: the names of its arguments and results, "dy, x" and "dx".
        truth: a function of the arguments, by name, that returns the results.
        doc: what its docstring says; of gradients it is known.
    """

    name: str
    takes: str
    returns: str
    truth: Function
    doc: str | Text = ""

    @property
    def arguments(self) -> list[str]:
        return self.takes.split(", ")

    @property
    def results(self) -> list[str]:
        return self.returns.split(", ")

    @property
    def follows_forward(self) -> bool:
        """Whether it is a backward that is given dy, and may be given the cache of forward."""
        return self.name.endswith("backward") and self.arguments[0].startswith("d")

    def docstring(self, lang: str) -> str:
        """What its docstring says."""
        if not isinstance(self.truth, Gradients):
            return self.doc.said(lang) if isinstance(self.doc, Text) else self.doc
        of, dy = ", ".join(self.truth.of), self.truth.dy
        given = Text(f", from {dy} = dL/{dy}", f"，由 {dy} = dL/{dy} 求出") if dy else Text("", "")
        return Text(f"{self.returns}: the gradient{'s' * (',' in of)} of L with respect to {of}{given.en}",
                    f"{self.returns}：L 对 {of} 的梯度{given.zh}").said(lang)

    def of(self, case: Case) -> Case:
        """The arguments of a case, copied: a student's function may change them."""
        return {name: copied(case[name]) for name in self.arguments}

    def right(self, case: Case) -> tuple[Any, ...]:
        """The right results."""
        results = self.truth(**self.of(case))
        return results if isinstance(results, tuple) else (results,)


@dataclass(frozen=True)
class Mistake:
    """A typical mistake: what is computed instead of a result, and what to say about it."""

    part: str
    result: str
    wrong: Function
    hint: Text


@dataclass(frozen=True)
class Exercise:
    """An exercise.

    Parameters
        name: "relu", as in the command; the class that may be written in place of functions is `class_name`.
        task: the formula, the shapes, and a number worked out.
        parts: what is to be written.
        cases: a function of a random generator that returns arguments by name, the first of them the example of the
            task.
        mistakes: typical ones, that are recognized.
        hints: in the order in which to read them.
        after: where to go on reading.
        overflow: what to say of NaN and infinity.
    """

    name: str
    class_name: str
    title: Text
    task: Text
    parts: list[Part]
    cases: Callable[[np.random.Generator], list[Case]]
    mistakes: list[Mistake]
    hints: list[Text]
    after: Text
    overflow: Text = Text("NaN or infinity: does something overflow, or is divided by zero?",
                          "出现 NaN 或无穷大：是否溢出，或除以了零？")

    def method(self, part: Part) -> str:
        """What a part is called as a method of a class: "backward" for "relu_backward"."""
        return part.name.removeprefix(f"{self.name}_")

    @property
    def example(self) -> Case:
        """The numbers that the task shows."""
        return self.cases(np.random.default_rng(0))[0]
