"""Gives tinynet.backend Keras's functions of arrays, which are loaded when one is first used."""
from __future__ import annotations

import functools
import importlib

from tinynet import backend
from tinynet.types import Any, ArrayLike


def function_of_keras(name: str) -> Any:
    """The function of this name, for `backend.name`.  Raises AttributeError if there is none."""
    if not name.startswith("_"):
        functions = importlib.import_module("tinynet.legacy.backend_functions")
        if name in vars(functions):
            return getattr(functions, name)
    raise AttributeError(f"tinynet.backend has no {name!r}. Keras's functions of arrays that it has are listed in "
                         "tinynet/legacy/backend_functions.py.")


plain_set_value = backend.set_value


@functools.wraps(plain_set_value)
def set_value(x: ArrayLike, value: Any) -> None:
    """`backend.set_value`, also of the number of an optimizer, such as optimizer.decay."""
    if isinstance(x, float) and not hasattr(x, "assign"):
        importlib.import_module("tinynet.legacy.optimizer_numbers").assign(x, value)
    else:
        plain_set_value(x, value)


vars(backend).update(__getattr__=function_of_keras, set_value=set_value)
