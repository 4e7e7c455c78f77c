"""The names in the signatures of the library: arrays, shapes, and what is accepted for them."""
from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np

__all__ = ["Any", "Array", "ArrayLike", "Config", "Function", "Identifier", "Logs", "Objects", "Path", "Shape",
           "Split", "T"]

Array: TypeAlias = np.ndarray[Any, Any]             # of NumPy; on a GPU CuPy's, which has the same methods
ArrayLike: TypeAlias = Any                          # what becomes an array: lists, tables of pandas and polars ...
Config: TypeAlias = dict[str, Any]                  # the arguments of an object, by name
Function: TypeAlias = Callable[..., Any]
Identifier: TypeAlias = Any                         # a name, a config, a function, a class or an object
Logs: TypeAlias = Any                               # what a callback is given: numbers by name, or None
Objects: TypeAlias = Mapping[str, Any] | None       # custom objects, by name
Path: TypeAlias = str | os.PathLike[str]
Shape: TypeAlias = tuple[Any, ...]                  # (N, D) as (None, D)
Split: TypeAlias = tuple[tuple[Array, Array], tuple[Array, Array]]      # (x_train, y_train), (x_test, y_test)
T = TypeVar("T")
