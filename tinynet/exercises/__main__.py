"""python -m tinynet.exercises: list the exercises, write their files, grade them."""
from __future__ import annotations

import argparse
import csv
import glob
import sys
from pathlib import Path

from tinynet.exercises.files import grade_file
from tinynet.exercises.marks import WORDS, Marks, class_table
from tinynet.exercises.tasks import COURSE
from tinynet.exercises.writing import new_file
from tinynet.language import LANGUAGES, Text, arguments
from tinynet.text_width import padded, width


def main(argv: list[str] | None = None) -> int:
    """Run a command, and return the exit status: 1 if anything graded is not right."""
    parser = arguments("Exercises in backprop.")
    commands = parser.add_subparsers(dest="command", metavar="new | grade")
    lang = argparse.ArgumentParser(add_help=False)
    lang.add_argument("--lang", choices=LANGUAGES, default=argparse.SUPPRESS, help="English or Chinese")
    new = commands.add_parser("new", parents=[lang], help="write the file of an exercise into this folder")
    new.add_argument("names", nargs="+", metavar="NAME", help="such as relu; all of them: all")
    graded = commands.add_parser("grade", parents=[lang], help="mark files")
    graded.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file, those of a class, or their folder")
    graded.add_argument("--csv", type=Path, metavar="TABLE", help="write a row for each file and exercise")
    args = parser.parse_args(argv)
    try:
        if args.command == "new":
            return write(args.names, args.lang)
        if args.command == "grade":
            return show_marks(args.files, args.csv, args.lang)
    except (ValueError, OSError, ImportError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    show_list(args.lang)
    return 0


def _files(given: Path) -> list[Path]:
    """The files of Python in a folder and below; those of a pattern, which some shells pass on; or the file itself."""
    if given.is_dir():
        return sorted(given.rglob("*.py"))
    return sorted(map(Path, glob.glob(str(given)))) if glob.has_magic(str(given)) and not given.exists() else [given]


def _no_formula(cell: str) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell


def show_list(lang: str) -> None:
    """The course."""
    for number, exercise in enumerate(COURSE.values(), 1):
        title = exercise.title.said(lang)
        print(f"{number:>3}  {exercise.name:<20}  {padded(title, max(38, width(title)))}"
              f"  {', '.join(part.name for part in exercise.parts)}")
    print(Text("\nBegin with: python -m tinynet.exercises new line",
               "\n从这里开始：python -m tinynet.exercises new line --lang zh").said(lang))


def write(names: list[str], lang: str) -> int:
    """Write the files."""
    for name in COURSE if names == ["all"] else names:
        if names == ["all"] and Path(f"{name}.py").exists():
            print(Text(f"{name}.py is there already, and stays as it is.", f"{name}.py 已存在，保持不变。").said(lang))
            continue
        path = new_file(name, lang=lang)
        print(Text(f"Wrote {path}. Open it in an editor; `python {path}` shows your marks.",
                   f"已写入 {path}。请用编辑器打开并填写；运行 `python {path}` 查看评分。").said(lang))
    return 0


def show_marks(files: list[Path], table: Path | None, lang: str) -> int:
    """The marks of a file in full, of several as one line for each exercise, without what the files print."""
    files = [file for given in files for file in _files(given)]
    if len(files) == 1 and not table:
        marks = grade_file(files[0], lang, quiet=False)
        print(marks)
        return 0 if marks.passed else 1
    found: dict[str, Marks | str] = {}
    for file in files:
        try:
            found[str(file)] = grade_file(file, lang)
        except (ValueError, OSError, ImportError) as error:
            found[str(file)] = str(error)
    columns, rows = class_table(found)
    if table:
        with open(table, "w", newline="", encoding="utf-8-sig", errors="backslashreplace") as opened:     # for Excel
            csv.writer(opened).writerows([columns, *([_no_formula(cell) for cell in row] for row in rows)])
    longest = max(width(row[0]) for row in rows)
    for name_of_file, name, right, count, wrong, missing in rows:
        of = f"{right:>2}/{count}" if count else " 0"
        print(f"{padded(name_of_file, longest)}  {name:<20} {of:<6} " + "; ".join(filter(None, (
            wrong and (wrong if isinstance(found[name_of_file], str) else f"{WORDS['WRONG'].said(lang)}: {wrong}"),
            missing and f"{WORDS['not yet'].said(lang)}: {missing}"))))
    return 0 if all(isinstance(marks, Marks) and marks.passed for marks in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
