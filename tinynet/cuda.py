"""CUDA text compiled and launched through CuPy; it must not know what a kernel computes."""
from __future__ import annotations

from functools import cache

import numpy as np

from tinynet.device import xp

__all__ = ["HEAD", "compiled", "launch"]

# Every kernel is a loop in which each thread takes its share of elements or rows.
HEAD = r"""
typedef REAL T;
typedef unsigned long long u64;
#define EACH(i, n) (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < (n); \
                    i += (long long)gridDim.x * blockDim.x)
"""

OTHER = tuple(map(np.dtype, (np.int64, np.uint64, np.float64, bool)))       # of orders, random bits, clocks, masks
REAL = {"float32": "float", "float64": "double"}


def options(dtype) -> tuple[str, ...]:
    """How a text is compiled for this float type, called T in it: no fused multiply-add, which rounds once where NumPy
    rounds twice."""
    return (f"-DREAL={REAL[np.dtype(dtype).name]}", "--fmad=false")


@cache
def compiled(text, dtype):
    """The module that a text compiles to, for T of this type."""
    return xp.RawModule(code=text, options=options(dtype))


def launch(text, dtype, name, threads, *arguments):
    """Run kernel `name` of a text in at least this many threads, or as many as fill the device.

    A Python int is passed as a 64-bit one, None as a null pointer.  CuPy passes an array's address alone, so what the
    kernel would misread is refused here: TypeError.
    """
    block = 256
    for a in arguments:
        if isinstance(a, xp.ndarray) and not (a.flags.c_contiguous and a.dtype in (np.dtype(dtype), *OTHER)):
            raise TypeError(f"{name} needs arrays in C order of {np.dtype(dtype)}, got {a.dtype}, strides {a.strides}.")
    passed = tuple(np.int64(a or 0) if a is None or isinstance(a, int) else a for a in arguments)
    compiled(text, np.dtype(dtype)).get_function(name)((min(-(-threads // block), 2048),), (block,), passed)
