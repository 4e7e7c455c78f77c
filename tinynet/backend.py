"""What every array operation shares: the array library, the float type, the fuzz constant, and names.

It must not know about layers, models or training.
"""
from __future__ import annotations

import re
from collections import Counter

import numpy as xp

from tinynet import parallel
from tinynet.arguments import number
from tinynet.parallel import set_threads, threads

__all__ = ["xp", "matmul", "floatx", "set_floatx", "epsilon", "set_epsilon", "set_threads", "threads", "get_uid",
           "unique_name"]

_floatx = "float32"
_epsilon = 1e-7
_uids: Counter[str] = Counter()


def matmul(a, b, out):
    """out = a b, its columns (or its rows, when there are more of them) in blocks that all threads share.

    Shapes: (N, D) (D, U) = (N, U), or with more axes in front of N.

    >>> matmul(xp.ones((2, 3)), xp.ones((3, 2)), out=xp.empty((2, 2)))
    array([[3., 3.],
           [3., 3.]])
    """
    if out.ndim > 2:
        return xp.matmul(a, b, out=out)
    rows, columns = out.shape
    pieces = parallel.split(max(rows, columns), work=rows * columns * a.shape[1], grain=8e6)
    if rows >= columns:
        parallel.for_each(lambda block: xp.matmul(a[block], b, out=out[block]), pieces)
    else:
        parallel.for_each(lambda block: xp.matmul(a, b[:, block], out=out[:, block]), pieces)
    return out


def floatx() -> str:
    """The float type of new weights and of the data that enters a model.

    >>> floatx()
    'float32'
    """
    return _floatx


def set_floatx(dtype: str) -> None:
    """Choose "float32" (the default: fast) or "float64" (for gradient checks and exact comparisons).

    Models that exist already keep the type that they were built with.

    Raises ValueError for any other type: half precision would need loss scaling.
    """
    global _floatx
    if dtype not in ("float32", "float64"):
        raise ValueError(f"Unknown floatx type: {dtype}. Expected 'float32' or 'float64'.")
    _floatx = dtype


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite; 1e-7 as in Keras 2.3.1.

    >>> epsilon()
    1e-07
    """
    return _epsilon


def set_epsilon(value: float) -> None:
    """Change `epsilon()`; above zero and below 1.  Raises ValueError otherwise."""
    global _epsilon
    _epsilon = number("epsilon", value, below=1, positive=True)


def get_uid(prefix: str) -> int:
    """How often `prefix` has been asked for in this process: 1, 2, 3 ...

    >>> get_uid("doctest"), get_uid("doctest")
    (1, 2)
    """
    _uids[prefix] += 1
    return _uids[prefix]


def unique_name(class_name: str) -> str:
    """The default name of a layer or model, numbered from 1 as in Keras 2.3.1 (engine/base_layer.py).

    >>> unique_name("LeakyReLU")
    'leaky_re_lu_1'
    """
    words = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", class_name)
    prefix = re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
    return f"{prefix}_{get_uid(prefix)}"
