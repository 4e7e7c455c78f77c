"""The array library `xp`, chosen once per process: NumPy on the CPU, or CuPy on an NVIDIA GPU.

Code that works on the arrays of a network calls `xp`; code that works on the user's own arrays calls np.
"""
from __future__ import annotations

import functools
import importlib.util
import os
import sys
import threading
from contextlib import AbstractContextManager, contextmanager

import numpy as np

from tinynet.device import launcher, threads
from tinynet.types import Any, Array
from tinynet.validation import find


def _choose() -> tuple[Any, Any, str]:
    """(array library, the stream of all GPU work or None, the GPU or why none is used), as TINYNET_BACKEND says.

    "numpy"; "cupy"; or "auto", the default: CuPy if it is installed and a GPU answers, else NumPy.

    Raises ImportError for "cupy" if it cannot be used, with the step that failed and what to install.
    """
    choice = os.environ.get("TINYNET_BACKEND") or "auto"
    find("TINYNET_BACKEND", choice, dict.fromkeys(("auto", "cupy", "numpy")))
    if choice == "numpy" or choice == "auto" and importlib.util.find_spec("cupy") is None:
        return np, None, ""
    step, cure = "package", 'Install it with: python -m pip install "tinynet-backprop[cuda12]", or [cuda13].'
    try:
        import cupy
        step, cure = "driver", "Is the NVIDIA driver installed, and new enough for CuPy's CUDA? Ask `nvidia-smi`."
        if not cupy.cuda.runtime.driverGetVersion():
            raise RuntimeError("no NVIDIA driver answers")
        step, cure = "device", "Does `nvidia-smi` list a GPU, and does CUDA_VISIBLE_DEVICES allow it?"
        if launcher.launched():     # the processes of one machine share its GPUs
            cupy.cuda.Device(launcher.local_rank() % cupy.cuda.runtime.getDeviceCount()).use()
        device = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.runtime.getDevice())["name"].decode()
        step, cure = "compiler or cuBLAS", 'Install them: python -m pip install "tinynet-backprop[cuda12]", or [cuda13]'
        float((cupy.matmul(cupy.ones((1, 1)), cupy.ones((1, 1))) + 1)[0, 0])
        # Work on the default stream cannot be captured into a CUDA graph.
        return cupy, cupy.cuda.Stream(non_blocking=True), device
    except Exception as error:      # CuPy reports a missing driver by an exception class of its own
        if choice == "auto":
            return np, None, f", because CuPy's {step} failed: {error}"
        raise ImportError(f"TINYNET_BACKEND=cupy cannot be used, the {step} failed: {error}. {cure}") from error


xp, stream, _found = _choose()
on_gpu: bool = xp is not np


def device_name() -> str:
    """What models compute with: "numpy on 2 CPU threads", or "cupy on NVIDIA H100".

    If CuPy is installed and no GPU answers, it says which step failed.
    """
    count = threads.threads()
    return f"{xp.__name__} on {_found if on_gpu else f'{count} CPU thread' + 's' * (count > 1) + _found}"


@functools.cache        # once
def announce() -> None:
    """Say on stderr what models compute with."""
    if not launcher.rank():
        print(f"tinynet computes with {device_name()}.", file=sys.stderr)


def working() -> AbstractContextManager[Any]:
    """The context in which a model computes: all threads of the CPU, or the one stream of the GPU."""
    return _on_stream() if on_gpu else threads.workers()


_stream_lock = threading.RLock()


@contextmanager
def _on_stream():
    """Work goes to `stream`, after the work of the default and the current stream, and is complete at the end.

    One thread at a time: work launched by another thread would be captured into the graph of this one.
    """
    with _stream_lock:
        xp.cuda.get_current_stream().synchronize()
        xp.cuda.Stream.null.synchronize()
        try:
            with stream:
                yield
        finally:
            stream.synchronize()


def to_numpy(array: Any) -> np.ndarray:
    """A copy of the array in the CPU's memory, after all work on it is complete.

    >>> to_numpy(xp.ones(2))
    array([1., 1.])
    """
    return xp.asnumpy(array) if on_gpu else np.array(array)


def host_array(size: int, dtype: Any) -> np.ndarray:
    """An array in pinned memory of the CPU, to and from which the GPU copies at full speed."""
    memory = xp.cuda.alloc_pinned_memory(size * np.dtype(dtype).itemsize)
    return np.frombuffer(memory, dtype, size)


def synchronize() -> None:
    """Wait until the GPU has completed all its work; a CPU always has."""
    if on_gpu:
        stream.synchronize()


def known_nonfinite(number: Array) -> bool:
    """Whether a number is NaN or infinite; False for one on a GPU, which is not waited for."""
    return not (on_gpu and isinstance(number, xp.ndarray)) and not np.isfinite(number)
