"""Marks: what grading has found, as a table for a terminal, for a notebook and for a spreadsheet."""
from __future__ import annotations

import html
import sys
from dataclasses import dataclass, field

from tinynet.exercises.exercise import Case, Exercise, Part, Text
from tinynet.exercises.tasks import COURSE
from tinynet.gradient_check.report import COLOURS
from tinynet.text_width import padded, width, wrapped
from tinynet.types import Any

WORDS = {"right": Text("right", "正确"), "WRONG": Text("WRONG", "错误"), "not yet": Text("not yet", "未完成")}
SIGNS = {"right": "✓", "WRONG": "✗", "not yet": "·"}
SCORE = Text("{right} of {all} right", "共 {all} 项，{right} 项正确")
COLON = Text(": ", "：")
ABOVE = Text("As above.", "同上。")
DONE = Text("All right. {after}", "全部正确。{after}")


@dataclass(frozen=True)
class Mark:
    """The mark of one result of one function.

    Parameters
        verdict: "right", "WRONG" or "not yet".
        hint: what is wrong, in two languages.
        case: the arguments, by name, for which it is wrong.
    """

    exercise: Exercise
    part: Part
    result: str
    verdict: str
    hint: Text
    case: Case = field(default_factory=dict)


@dataclass(repr=False)
class Marks:
    """The marks of exercises; `str()` is a table of at most 100 columns, and a notebook shows it in colour."""

    marks: list[Mark]
    lang: str = "en"

    @property
    def passed(self) -> bool:
        return all(mark.verdict == "right" for mark in self.marks)

    @property
    def right(self) -> int:
        """How many results are right."""
        return sum(mark.verdict == "right" for mark in self.marks)

    def assert_passed(self) -> None:
        """Raise AssertionError, with the table, unless everything is right."""
        if not self.passed:
            raise AssertionError(f"\n{self}")

    def by_exercise(self) -> dict[str, Marks]:
        """The marks of each exercise by itself, by its name."""
        names = dict.fromkeys(mark.exercise.name for mark in self.marks)
        return {name: Marks([mark for mark in self.marks if mark.exercise.name == name], self.lang) for name in names}

    def __repr__(self) -> str:
        return f"<Marks: {self.right} of {len(self.marks)} right>"

    def __str__(self) -> str:
        return "\n\n".join(marks._table() for marks in self.by_exercise().values())

    def _table(self) -> str:
        """The table of one exercise."""
        title, score = self._title()
        signs, rule = (SIGNS, "─") if _can_print("✓✗·─") else (dict(zip(SIGNS, "+x.")), "-")
        lines = [title + " " * max(2, 100 - width(title) - width(score)) + score, rule * 100]
        shown = said = ""
        for mark in self.marks:
            function = "" if mark.part.name == shown else mark.part.name
            shown = mark.part.name
            lines.append(f"  {signs[mark.verdict]} {padded(function, 32)} {padded(mark.result, 8)} "
                         f"{WORDS[mark.verdict].said(self.lang)}")
            text = mark.hint.said(self.lang)
            again = text == said and bool(text)         # an error concerns all results of a function
            lines += wrapped(ABOVE.said(self.lang) if again else text, 96, " " * 8) if text else []
            said = text
        if self.passed:
            lines += wrapped(DONE.said(self.lang, after=self.marks[0].exercise.after.said(self.lang)), 96, "  ")
        return "\n".join(lines)

    def _title(self):
        score = SCORE.said(self.lang, right=self.right, all=len(self.marks))
        return self.marks[0].exercise.title.said(self.lang), score

    def _repr_html_(self) -> str:
        return "".join(marks._html() for marks in self.by_exercise().values())

    def _html(self) -> str:
        title, score = self._title()
        rows = []
        for mark in self.marks:
            colour = COLOURS["suspect" if mark.verdict == "not yet" else mark.verdict]
            cells = (SIGNS[mark.verdict], mark.part.name, mark.result, WORDS[mark.verdict].said(self.lang),
                     mark.hint.said(self.lang))
            rows.append(f"<tr style='background:{colour};color:black'>" + "".join(
                f"<td style='text-align:left;vertical-align:top'>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
        done = DONE.said(self.lang, after=self.marks[0].exercise.after.said(self.lang)) if self.passed else ""
        return (f"<div><b>{html.escape(title)}</b>{COLON.said(self.lang)}{score}<table>{''.join(rows)}</table>"
                f"{html.escape(done)}</div>")


def _can_print(text):
    """Whether the terminal has these characters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def class_table(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """(columns, rows) of a class: a row for each file and exercise, of its Marks or of an error in place of them."""
    columns = ["file", "exercise", "right", "of", "wrong", "not yet"]
    rows = []
    for file, marks in found.items():
        if isinstance(marks, str):
            exercise = COURSE.get(file.replace("\\", "/").split("/")[-1].removesuffix(".py"))      # by its name
            count = sum(len(part.results) for part in exercise.parts) if exercise else ""
            rows.append([file, exercise.name if exercise else "", "0", str(count), marks, ""])
            continue
        for name, one in marks.by_exercise().items():
            wrong, missing = ([f"{m.exercise.method(m.part)} {m.result}" for m in one.marks if m.verdict == verdict]
                              for verdict in ("WRONG", "not yet"))
            rows.append([file, name, str(one.right), str(len(one.marks)), "; ".join(wrong), "; ".join(missing)])
    return columns, rows
