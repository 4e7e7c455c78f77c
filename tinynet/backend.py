"""The names of `keras.backend`: the float type, epsilon, unique names, and functions of arrays."""
from __future__ import annotations

import functools
import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from tinynet.device import kernels
from tinynet.device.arrays import device_name, known_nonfinite, on_gpu, synchronize, to_numpy, working, xp
from tinynet.device.matmul import matmul
from tinynet.device.record import Recorded
from tinynet.device.threads import set_threads, threads
from tinynet.types import Any, Array, ArrayLike, Shape
from tinynet.validation import number

if TYPE_CHECKING:
    def __getattr__(name: str) -> Any: ...      # Keras's functions of arrays, which tinynet.legacy gives

__all__ = ["xp", "on_gpu", "working", "kernels", "matmul", "to_numpy", "known_nonfinite", "synchronize", "floatx",
           "set_floatx", "in_order", "epsilon", "set_epsilon", "set_threads", "threads", "get_uid", "unique_name",
           "clear_session", "backend", "image_data_format", "variable", "constant", "cast", "cast_to_floatx",
           "count_params", "device_name", "eval", "get_value", "set_value"]


# Constants


_floatx = "float32"
_floatx_here: ContextVar[str] = ContextVar("floatx")        # in one thread, which loads a model
_epsilon = 1e-7


def floatx() -> str:
    """The float type of new weights and of the data that enters a model.

    >>> floatx()
    'float32'
    """
    return _floatx_here.get(_floatx)


@contextmanager
def local_floatx(dtype: str) -> Iterator[None]:
    """Inside it `floatx()` is this type, in this thread."""
    before = _floatx_here.set(dtype)
    try:
        yield
    finally:
        _floatx_here.reset(before)


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
    """The small number that keeps divisions and logarithms finite: 1e-7, as in Keras 2.3.1.

    >>> epsilon()
    1e-07
    """
    return _epsilon


def set_epsilon(value: float) -> None:
    """Change `epsilon()`; above zero and below 1.  Raises ValueError otherwise."""
    global _epsilon
    _epsilon = number("epsilon", value, below=1, positive=True)


# Names


# One operation of C makes a counter, and one increases it, so that threads that name layers do not meet.
_uids: defaultdict[str, Iterator[int]] = defaultdict(functools.partial(itertools.count, 1))


def get_uid(prefix: str = "") -> int:
    """How many times this process has called it with this prefix: 1, 2, 3 ...

    >>> get_uid("doctest"), get_uid("doctest")
    (1, 2)
    """
    return next(_uids[prefix])


def unique_name(class_name: str) -> str:
    """The default name of a layer or model, numbered from 1 as in Keras 2.3.1 (engine/base_layer.py).

    >>> unique_name("LeakyReLU")
    'leaky_re_lu_1'
    """
    prefix = snake_case(class_name)
    return f"{prefix}_{get_uid(prefix)}"


def snake_case(class_name: str) -> str:
    """The name of a class in lower case, as in default names."""
    words = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


def clear_session() -> None:
    """Number default names from 1 again."""
    _uids.clear()


# Arrays, under the names that Keras has for its tensors


def backend() -> str:
    """"numpy" or "cupy"."""
    return xp.__name__


def image_data_format() -> str:
    """"channels_last": the axes of an image are rows, columns, channels."""
    return "channels_last"


def variable(value: Any, dtype: Any = None, name: str | None = None) -> Array:
    """A new array that holds the value.

    >>> set_value(v := variable([1.0, 2.0]), [3.0, 4.0]); get_value(v)
    array([3., 4.], dtype=float32)
    """
    return xp.array(value, dtype=dtype or floatx())


def constant(value: Any, dtype: Any = None, shape: Shape | None = None, name: str | None = None) -> Array:
    """An array of the value: in this shape if one is given, a single number as often as it takes."""
    array = variable(value, dtype)
    return array if shape is None else xp.full(shape, array) if array.size == 1 else array.reshape(shape)


def cast(x: ArrayLike, dtype: Any) -> Array:
    """x as another type.

    >>> cast(variable(1.5), "int32")
    array(1, dtype=int32)
    """
    return xp.asarray(x).astype(dtype)


def cast_to_floatx(x: ArrayLike) -> Array:
    """x as a NumPy array of `floatx()`."""
    return to_numpy(x).astype(floatx())


def get_value(x: ArrayLike) -> Any:
    """The value of a weight, an array or the learning rate of an optimizer: a NumPy array, or a number.

    >>> get_value(variable([1.0]))
    array([1.], dtype=float32)
    """
    if isinstance(x, (int, float)):
        return float(x) if isinstance(x, float) else x
    return to_numpy(getattr(x, "value", x))


eval = get_value


def set_value(x: ArrayLike, value: Any) -> None:
    """Set a weight, an array or the learning rate of an optimizer: `set_value(optimizer.lr, 0.1)`.

    Since tinynet imports `tinynet.legacy`, also another number of an optimizer, such as decay.  Raises TypeError for a
    plain number.
    """
    if hasattr(x, "assign"):
        x.assign(value)
    elif isinstance(x, xp.ndarray):
        x[...] = xp.asarray(value)
    else:
        raise TypeError(f"set_value expects a weight, an array or an optimizer's lr, got {x!r}.")


def count_params(x: ArrayLike) -> int:
    """The number of elements of a weight or array."""
    return math.prod(x.shape)


def in_order(x: ArrayLike, dtype: Any = None) -> Array:
    """x as an array in C order and of this type: itself if it is one.

    >>> in_order(xp.ones((2, 3)).T).flags.c_contiguous
    True
    """
    x = x if type(x) in (xp.ndarray, Recorded) else xp.asarray(x)
    if x.flags.c_contiguous and dtype in (None, x.dtype):
        return x
    result = xp.empty_like(x, dtype=dtype, order="C")
    result[...] = x
    return result
