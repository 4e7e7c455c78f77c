"""GradientReport: the result of a gradient check, as a table for a terminal and for a notebook."""
from __future__ import annotations

import html
import textwrap
from dataclasses import dataclass

import numpy as np

from tinynet.text_width import padded, shortened

WHOLE = "whole model: "

# A relative error above this is a wrong formula; between it and the tolerance it is too large for rounding.
WRONG = 1e-4
COLOURS = {"right": "#d3e4f5", "suspect": "#fdf3b0", "WRONG": "#f7c4a3"}


@dataclass
class Entry:
    """The comparison of one gradient with the numeric one.

    Parameters
        name: what it is the gradient with respect to.
        shape: of the array.
        checked: how many of its numbers were compared one by one; a random direction checks the rest.
        error: the largest relative error, infinite if backward gave NaN or nothing.
        tolerance: the largest error that rounding explains.
        where: the index of that error, None for the random direction.
        analytic, numeric: the value of backward there, and the correct one.
        kinks: numbers left out, at which the function has a kink and backward gave a slope between its two sides.
        note: a remark.
        hint: the kind of mistake, where the numbers show it.
    """

    name: str
    shape: tuple[int, ...]
    checked: int
    error: float
    tolerance: float
    where: tuple[int, ...] | None = None
    analytic: float = 0.0
    numeric: float = 0.0
    kinks: int = 0
    note: str = ""
    hint: str = ""

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance     # False for NaN

    @property
    def verdict(self) -> str:
        """right, suspect or WRONG."""
        return "right" if self.passed else "suspect" if self.error <= WRONG else "WRONG"

    @property
    def explanation(self) -> str:
        """The error as a sentence, or the note."""
        if self.passed:
            return self.note
        where = "in a random direction" if self.where is None else f"at {self.where}"
        return (f"{where} backward says {self.analytic:.9g}, should be {self.numeric:.9g} if forward is right. "
                f"{' '.join(filter(None, (self.hint, self.note)))}").strip()


class Breach(Entry):
    """Something that backward must not do, although its numbers are right."""

    def __init__(self, name: str, sentence: str):
        super().__init__(name, (), 0, np.inf, 0.0, note=sentence)

    @property
    def explanation(self) -> str:
        return self.note


@dataclass(repr=False)
class GradientReport:
    """All comparisons of a check; `str()` is a table of at most 100 columns, and a notebook shows it in colour."""

    entries: list[Entry]
    method: str = "complex"

    def __repr__(self) -> str:
        return f"<GradientReport of {len(self.entries)} gradients, largest error {self.max_error:.1e}>"

    @property
    def passed(self) -> bool:
        return all(entry.passed for entry in self.entries)

    @property
    def blamed(self) -> list[str]:
        """The names of what is wrong by itself: a wrong layer makes gradients of the whole model wrong, too."""
        wrong = [entry.name for entry in self.entries if not entry.passed]
        return [name for name in wrong if not name.startswith(WHOLE)] or wrong

    @property
    def max_error(self) -> float:
        """The largest relative error; NaN counts as infinite."""
        return max(np.inf if np.isnan(entry.error) else entry.error for entry in self.entries)

    def __str__(self) -> str:
        lines = [f"{'gradient of':<42} {'shape':<14} {'checked':>7} {'kinks':>5} {'error':>8}  ({self.method})"]
        for e in self.entries:
            shape, checked = str(e.shape).replace(" ", ""), f"{e.checked:,}" if e.checked else "slope"
            lines.append(f"{padded(shortened(e.name, 42), 42)} {shape:<14} {checked:>7} {e.kinks or '':>5} "
                         f"{e.error:8.1e}  {e.verdict}")
            if e.explanation:
                lines += textwrap.wrap(e.explanation, 100, initial_indent=" " * 8, subsequent_indent=" " * 8)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cells = ["gradient of", "shape", "checked", "kinks", f"error ({self.method})", "", ""]
        rows = ["<tr>" + "".join(f"<th style='text-align:left'>{html.escape(c)}</th>" for c in cells) + "</tr>"]
        for e in self.entries:
            cells = [e.name, str(e.shape), f"{e.checked:,}" if e.checked else "slope", str(e.kinks or ""),
                     f"{e.error:.1e}", e.verdict, e.explanation]
            rows.append(f"<tr style='background:{COLOURS[e.verdict]}'>" + "".join(
                f"<td style='text-align:left'>{html.escape(c)}</td>" for c in cells) + "</tr>")
        return f"<table>{''.join(rows)}</table>"


def assert_gradients(report: GradientReport) -> None:
    """Raise AssertionError, with the report, unless every gradient is right."""
    if not report.passed:
        raise AssertionError(f"wrong gradient of {', '.join(report.blamed)}\n{report}")
