"""Texts in the columns of a terminal, where a Chinese character takes two."""
from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable


def width(text: str) -> int:
    """How many columns a text takes.

    >>> width("relu"), width("隐藏层")
    (4, 6)
    """
    return sum(map(_width, text))


def counted(number: int, thing: str) -> str:
    """How many there are.

    >>> counted(1, "epoch"), counted(2, "epoch")
    ('1 epoch', '2 epochs')
    """
    return f"{number} {thing}{'s' * (number != 1)}"


def padded(text: str, columns: int) -> str:
    """The beginning of a text, and blanks, so that it takes this many columns.

    >>> padded("dense", 7), padded("隐藏层", 5)
    ('dense  ', '隐藏 ')
    """
    text = text[:_fitting(text, columns)]
    return text + " " * (columns - width(text))


def shortened(name: str, columns: int) -> str:
    """A name of at most so many columns: its beginning and its end.

    >>> shortened("batch_normalization_1/gamma:0", 20), shortened("第一个隐藏层/kernel:0", 14)
    ('batch_nor...gamma:0', '第一个...el:0')
    """
    half = (columns - 3) // 2
    if width(name) <= columns:
        return name
    return f"{name[:_fitting(name, half + 1)]}...{name[-_fitting(reversed(name), half - 1):]}"


def wrapped(text: str, columns: int, indent: str) -> list[str]:
    """The lines of a text of at most so many columns; between Chinese characters no blank is needed.

    >>> wrapped("层归一化 x", 6, "  ")
    ['  层归', '  一化', '  x']
    """
    lines, line = [], indent
    for word in re.findall(r"（*(?:[^\s\u3000-\uffef]+|[\u3000-\uffef])[，。；：、！？）]*|\s", text):
        if width(line) + width(word) > columns and line.strip():
            lines.append(line.rstrip())
            line = indent
        line += word if line.strip() or not word.isspace() else ""
    return [*lines, line.rstrip()]


def _width(character) -> int:
    return 0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")


def _fitting(characters: Iterable[str], columns: int) -> int:
    """How many of the characters fit."""
    return sum(1 for taken in itertools.accumulate(map(_width, characters)) if taken <= columns)
