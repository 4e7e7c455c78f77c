"""The array library, chosen once per process: NumPy, or CuPy on an NVIDIA GPU.

Code that works on the arrays of a network calls `xp`, code about the user's own arrays calls np.  It must not know
about layers, models or training.
"""
from __future__ import annotations

import importlib.util
import os
import sys
import threading
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np

from tinynet import cublas, launcher, parallel
from tinynet.arguments import find

__all__ = ["xp", "on_gpu", "working", "matmul", "to_numpy", "host_array", "synchronize"]


def _choose() -> tuple[Any, Any, str]:
    """(array library, stream of all work on a GPU or None, name of the device), as TINYNET_BACKEND says.

    "numpy"; "cupy"; or "auto", the default: CuPy where it is installed and a device answers, else NumPy.

    Raises ImportError for "cupy" where that cannot be, with the step that failed and what to install.
    """
    choice = os.environ.get("TINYNET_BACKEND") or "auto"
    find("TINYNET_BACKEND", choice, dict.fromkeys(("auto", "cupy", "numpy")))
    if choice == "numpy" or choice == "auto" and importlib.util.find_spec("cupy") is None:
        return np, None, f"{parallel.threads()} CPU threads"
    step, cure = "package", 'Install it with: python -m pip install "tinynet[cuda12]" or "tinynet[cuda13]".'
    try:
        import cupy
        step, cure = "driver", "Is the NVIDIA driver installed, and new enough for CuPy's CUDA? Ask `nvidia-smi`."
        if not cupy.cuda.runtime.driverGetVersion():
            raise RuntimeError("no NVIDIA driver answers")
        step, cure = "device", "Does `nvidia-smi` list a GPU, and does CUDA_VISIBLE_DEVICES allow it?"
        if launcher.launched():     # each of the processes on this machine takes a GPU of its own, if there are enough
            cupy.cuda.Device(launcher.local_rank() % cupy.cuda.runtime.getDeviceCount()).use()
        device = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.runtime.getDevice())["name"].decode()
        step, cure = "compiler", 'Its headers come with: python -m pip install "tinynet[cuda12]" or "tinynet[cuda13]".'
        float((cupy.ones(1) + 1)[0])
        # Work on the default stream cannot be recorded.
        return cupy, cupy.cuda.Stream(non_blocking=True), device
    except Exception as error:      # CuPy reports a missing driver by an exception class of its own
        if choice == "auto":
            return np, None, f"{parallel.threads()} CPU threads"
        raise ImportError(f"TINYNET_BACKEND=cupy cannot be used, the {step} failed: {error}. {cure}") from error


xp, stream, device = _choose()
on_gpu = xp is not np
if not launcher.rank():
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


def host_array(size, dtype) -> np.ndarray:
    """An array in the CPU's memory, pinned, so that the GPU copies to and from it at full speed."""
    memory = xp.cuda.alloc_pinned_memory(size * np.dtype(dtype).itemsize)
    return np.frombuffer(memory, dtype, size)


def synchronize() -> None:
    """Wait until the device has done all work given to it; a CPU always has."""
    if on_gpu:
        stream.synchronize()


# Products


def matmul(a, b, out):
    """out = a b; on a CPU in blocks that all threads share.

    A kernel W (D, U) is cut by its rows in y = x W and dx = dy W^T as well as dW = x^T dy.  So a row is always the same
    thread's, whose core has it in its cache; where rows were cut at one time and columns at another, each core would
    fetch half of the weights from the other one, three times a step.

    Shapes: (N, D) (D, U) = (N, U), or with more axes in front of N.

    >>> to_numpy(matmul(xp.ones((2, 3)), xp.ones((3, 2)), out=xp.empty((2, 2))))
    array([[3., 3.],
           [3., 3.]])
    """
    if out.ndim > 2:
        return xp.matmul(a, b, out=out)
    if on_gpu:
        return _gpu_matmul()(a, b, out=out)
    (rows, inner), columns = a.shape, b.shape[1]

    def blocks(length, most=16):    # of a tenth of a millisecond or longer
        return parallel.split(length, rows * inner * columns, grain=20e6, most=most)

    if 0 < 4 * out.size <= b.size and b.flags.c_contiguous:     # y = x W: a sum over blocks of rows of W
        rows_of_w = blocks(inner, most=min(16, b.size // (2 * out.size)))
        sums = [out, *(xp.empty(out.shape, out.dtype) for _ in rows_of_w[1:])]
        parallel.for_each(lambda i: xp.matmul(a[:, rows_of_w[i]], b[rows_of_w[i]], out=sums[i]), range(len(sums)))
        for part in sums[1:]:
            out += part
    elif rows >= columns:                                   # dW = x^T dy
        parallel.for_each(lambda block: xp.matmul(a[block], b, out=out[block]), blocks(rows))
    else:                                                   # dx = dy W^T
        parallel.for_each(lambda block: xp.matmul(a, b[:, block], out=out[:, block]), blocks(columns))
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
