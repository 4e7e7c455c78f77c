"""What every layer shares, under the names of `keras.backend`: float type, epsilon, names, and arrays to compute with.

It must not know about layers, models or training.
"""
from __future__ import annotations

import re
from collections import Counter

from tinynet.arguments import number
from tinynet.device import matmul, on_gpu, synchronize, to_numpy, working, xp
from tinynet.parallel import set_threads, threads

__all__ = ["xp", "on_gpu", "working", "matmul", "to_numpy", "synchronize", "floatx", "set_floatx", "epsilon",
           "set_epsilon", "set_threads", "threads", "get_uid", "unique_name"]


# Constants


_floatx = "float32"
_epsilon = 1e-7


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


# Names


_uids: Counter[str] = Counter()


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
