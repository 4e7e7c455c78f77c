"""Texts in two languages, English and Chinese, side by side, so that neither is forgotten when the other changes."""
from __future__ import annotations

import argparse
import io
import sys
from typing import NamedTuple

from tinynet.types import Any, Function
from tinynet.validation import find

LANGUAGES = ("en", "zh")


def check_language(lang: str) -> None:
    """Raise ValueError unless it is one of the languages."""
    find("language", lang, dict.fromkeys(LANGUAGES))


class Text(NamedTuple):
    """A text in both languages."""

    en: str
    zh: str

    def said(self, lang: str, **values: Any) -> str:
        """The text in one of the languages, with the values in its braces, if there are any.

        Raises ValueError for another language.

        >>> Text("{n} layers", "{n} 层").said("zh", n=3)
        '3 层'
        """
        check_language(lang)
        text = getattr(self, lang)
        return text.format(**values) if values else text


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """A parser of arguments that knows --lang, described by the first paragraph of a docstring.

    What is printed from then on has ? for characters that the terminal does not have, and is no error.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    parser = argparse.ArgumentParser(description=(doc or "").split("\n\n")[0])
    parser.add_argument("--lang", choices=LANGUAGES, default="en", help="of the texts: English or Chinese")
    return parser


def speaker(lang: str) -> Function:
    """A function of an English and a Chinese text that returns the one of this language.

    >>> speaker("zh")("loss", "损失")
    '损失'
    """
    return lambda en, zh: Text(en, zh).said(lang)
