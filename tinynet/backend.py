"""The array library, chosen once per process, and what every array operation shares: float type, epsilon, names.

`xp` is NumPy, or CuPy on an NVIDIA GPU: code that works on the arrays of a network calls xp, code about the user's own
arrays calls np.  It must not know about layers, models or training.
"""
from __future__ import annotations

import importlib.util
import os
import re
import sys
import threading
from collections import Counter
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np

from tinynet import cublas, parallel
from tinynet.arguments import find, number
from tinynet.parallel import set_threads, threads

__all__ = ["xp", "on_gpu", "working", "matmul", "to_numpy", "synchronize", "floatx", "set_floatx", "epsilon",
           "set_epsilon", "set_threads", "threads", "get_uid", "unique_name"]


# The choice


def _choose() -> tuple[Any, Any, str]:
    """(array library, stream of all work on a GPU or None, name of the device), as TINYNET_BACKEND says.

    "numpy"; "cupy"; or "auto", the default: CuPy where it is installed and a device answers, else NumPy.

    Raises ImportError for "cupy" where that cannot be, with the step that failed and what to install.
    """
    choice = os.environ.get("TINYNET_BACKEND") or "auto"
    find("TINYNET_BACKEND", choice, dict.fromkeys(("auto", "cupy", "numpy")))
    if choice == "numpy" or choice == "auto" and importlib.util.find_spec("cupy") is None:
        return np, None, f"{threads()} CPU threads"
    step, cure = "package", 'Install it with: python -m pip install "tinynet[cuda12]" or "tinynet[cuda13]".'
    try:
        import cupy
        step, cure = "driver", "Is the NVIDIA driver installed, and new enough for CuPy's CUDA? Ask `nvidia-smi`."
        if not cupy.cuda.runtime.driverGetVersion():
            raise RuntimeError("no NVIDIA driver answers")
        step, cure = "device", "Does `nvidia-smi` list a GPU, and does CUDA_VISIBLE_DEVICES allow it?"
        device = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.runtime.getDevice())["name"].decode()
        step, cure = "compiler", 'Its headers come with: python -m pip install "tinynet[cuda12]" or "tinynet[cuda13]".'
        float((cupy.ones(1) + 1)[0])
        # Work on the default stream cannot be recorded.
        return cupy, cupy.cuda.Stream(non_blocking=True), device
    except Exception as error:      # CuPy reports a missing driver by an exception class of its own
        if choice == "auto":
            return np, None, f"{threads()} CPU threads"
        raise ImportError(f"TINYNET_BACKEND=cupy cannot be used, the {step} failed: {error}. {cure}") from error


xp, stream, device = _choose()
on_gpu = xp is not np
print(f"tinynet computes with {xp.__name__} on {device}.", file=sys.stderr)


def working() -> AbstractContextManager:
    """Where the work of a model happens: all threads of the CPU, or the one stream of the GPU."""
    return _OnStream() if on_gpu else parallel.workers()


class _OnStream(AbstractContextManager):
    """Work goes to `stream`, after all that the default and the current stream were doing, and is done when it ends.

    One thread at a time: what another one launched would end up in a recording.
    """

    lock = threading.RLock()

    def __enter__(self):
        self.lock.acquire()
        try:
            xp.cuda.get_current_stream().synchronize()
            xp.cuda.Stream.null.synchronize()
            stream.__enter__()
        except BaseException:
            self.lock.release()
            raise

    def __exit__(self, *error):
        try:
            stream.__exit__(*error)
            stream.synchronize()
        finally:
            self.lock.release()


def to_numpy(array) -> np.ndarray:
    """A copy of the array in the CPU's memory, once all work on it is done.

    >>> to_numpy(xp.ones(2))
    array([1., 1.])
    """
    return xp.asnumpy(array) if on_gpu else np.array(array)


def synchronize() -> None:
    """Wait until the device has done all work given to it; a CPU always has."""
    if on_gpu:
        stream.synchronize()


# Products


def matmul(a, b, out):
    """out = a b; on a CPU its columns (or its rows, when there are more of them) in blocks that all threads share.

    Shapes: (N, D) (D, U) = (N, U), or with more axes in front of N.

    >>> to_numpy(matmul(xp.ones((2, 3)), xp.ones((3, 2)), out=xp.empty((2, 2))))
    array([[3., 3.],
           [3., 3.]])
    """
    if out.ndim > 2:
        return xp.matmul(a, b, out=out)
    if on_gpu:
        return _gpu_matmul()(a, b, out=out)
    rows, columns = out.shape
    pieces = parallel.split(max(rows, columns), work=rows * columns * a.shape[1], grain=12e6)
    if rows >= columns:
        parallel.for_each(lambda block: xp.matmul(a[block], b, out=out[block]), pieces)
    else:
        parallel.for_each(lambda block: xp.matmul(a, b[:, block], out=out[:, block]), pieces)
    return out


@cache
def _gpu_matmul():
    """Products by a cuBLAS handle of tinynet's own; by CuPy, which cannot be recorded, where the library is not found.

    TINYNET_TF32=1 lets the handle round to TF32.
    """
    try:
        library = cublas.load_library()
    except (OSError, RuntimeError):
        return xp.matmul
    workspace = xp.empty(cublas.WORKSPACE_BYTES, np.uint8)
    handle = cublas.Handle(library, workspace, tf32=os.environ.get("TINYNET_TF32") == "1")
    return lambda a, b, out: handle.matmul(a, b, out, xp.cuda.get_current_stream().ptr)


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
