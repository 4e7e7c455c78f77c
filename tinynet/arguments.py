"""What a caller hands over: names looked up, numbers checked, nothing ignored, and all of it shown again by repr.

It must not know which names exist: each family of objects keeps its own table.
"""
from __future__ import annotations

import difflib
import inspect
import math
import numbers
from collections.abc import Mapping
from typing import Any

__all__ = ["Pasteable", "arguments", "find", "number", "refuse", "shortened", "whole_number"]


def find(kind: str, name: str, table: Mapping[str, Any]) -> Any:
    """The entry `name` of `table`.

    Raises ValueError when there is none, with the nearest known name and the list of them all.

    >>> find("colour", "red", {"red": 1})
    1
    """
    if isinstance(name, str) and name in table:
        return table[name]
    nearest = [known for known in table if known.lower() == str(name).lower()]
    nearest = nearest or difflib.get_close_matches(str(name), table, n=1)
    guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"Unknown {kind}: {name}.{guess} Known: {', '.join(sorted(table))}.")


def whole_number(name: str, value: Any, least: int, below: float = math.inf) -> int:
    """The value as an int.  Raises ValueError unless it is whole and least <= value < below.

    >>> whole_number("epochs", 3, least=1)
    3
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and least <= int(value) < below:
        return int(value)
    limit = f" and below {below:g}" if below < math.inf else ""
    raise ValueError(f"{name} must be a whole number of at least {least}{limit}, got {value!r}.")


LARGEST, SMALLEST = 3.4e38, 1e-37       # of the numbers that float32 can hold, and divide by


def number(name: str, value: Any, least: float = 0.0, below: float = LARGEST, positive: bool = False) -> float:
    """The value as a float.  Raises ValueError unless it is a number, least <= value < below, and above 0 if positive;
    float32 must be able to hold it.

    >>> number("rate", 0.5, below=1)
    0.5
    """
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        real = float(value)
        if least <= real < below and abs(real) < LARGEST and (real >= SMALLEST or not positive):
            return real
    limit = below < LARGEST or isinstance(value, (int, float)) and abs(value) >= LARGEST
    range_ = ("above" if positive else "of at least") + f" {least:g}" + f" and below {below:g}" * limit
    raise ValueError(f"{name} must be a number {range_}, got {value!r}.")


def arguments(function: Any) -> list[str]:
    """The names of the arguments that a function takes, or that building a class takes.

    A class that hands **kwargs on takes those of its base as well.
    """
    if not inspect.isclass(function):
        return _named_parameters(function)
    names: dict[str, None] = {}
    for base in function.__mro__[:-1]:
        if "__init__" in vars(base):
            init = vars(base)["__init__"]
            names |= dict.fromkeys(_named_parameters(init))
            if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(init).parameters.values()):
                break
    return list(names)


def _named_parameters(function) -> list[str]:
    return [p.name for p in inspect.signature(function).parameters.values()
            if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]


def refuse(message: str, function: Any, unknown: Mapping[str, Any]) -> None:
    """Raise TypeError for the first unknown argument that is not None: none is accepted and then ignored."""
    for name, value in unknown.items():
        if value is not None:
            owner = function.__name__
            raise TypeError(f"{message}: {name!r}. {owner} takes: {', '.join(arguments(function))}.")


def shortened(name: str, width: int) -> str:
    """A name of at most this many characters, whose end says as much as its beginning.

    >>> shortened("batch_normalization_1/gamma:0", 20)
    'batch_nor...gamma:0'
    """
    half = (width - 3) // 2
    return name if len(name) <= width else f"{name[:half + 1]}...{name[-half + 1:]}"


class Pasteable:
    """Gives an object the `repr` that builds it again: the call that built it.

    >>> class Pair(Pasteable):
    ...     def __init__(self, a, b=2): pass
    >>> Pair(1, b="x")
    Pair(1, b='x')
    """

    _built_with: tuple[tuple, dict]

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self._built_with = args, kwargs
        return self

    def __repr__(self) -> str:
        args, kwargs = self._built_with
        shown = [_written(a) for a in args] + [f"{name}={_written(a)}" for name, a in kwargs.items()]
        return f"{type(self).__name__}({', '.join(shown)})"


def _written(argument) -> str:
    """`repr`, but a function goes by its name, under which tinynet finds its own."""
    return repr(argument.__name__ if inspect.isfunction(argument) else argument)
