"""From a name to the object it stands for, and from an object to the text that would build it again.

It must not know which names exist: each family of objects keeps its own table.
"""
from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any


def find(kind: str, name: str, table: Mapping[str, Any]) -> Any:
    """The entry `name` of `table`.

    Raises ValueError when there is none, with the nearest known name and the list of them all.

    >>> find("colour", "red", {"red": 1})
    1
    """
    if name in table:
        return table[name]
    nearest = difflib.get_close_matches(name, table, n=1)
    guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"Unknown {kind}: {name}.{guess} Known: {', '.join(sorted(table))}.")


def arguments(cls: type) -> dict[str, Any]:
    """Every keyword that building a `cls` takes, with its default, its own first and then its bases'."""
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        if "__init__" in vars(base) and base is not object:
            for parameter in list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]:
                if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                    found.setdefault(parameter.name, parameter.default)
    return found


def refuse(owner: str, takes: Any, given: Mapping[str, Any]) -> None:
    """Raise TypeError for the first of `given` that is not None: an argument is never accepted and ignored."""
    for name, value in given.items():
        if value is not None:
            names = [p.name for p in inspect.signature(takes).parameters.values()
                     if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]
            raise TypeError(f"Unrecognized keyword arguments: {name!r}. {owner} takes: {', '.join(names)}.")


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
    """`repr`, but a function of tinynet's goes by the name that finds it."""
    return repr(argument.__name__ if inspect.isfunction(argument) else argument)
