"""Compile and launch CUDA kernels through CuPy."""
from __future__ import annotations

from functools import cache

import numpy as np

from tinynet.device.arrays import xp
from tinynet.device.compile import REAL
from tinynet.types import Any

OTHER = tuple(map(np.dtype, (np.int64, np.uint64, np.float64, bool)))       # orders, random bits, step states, masks


def options(dtype: Any) -> tuple[str, ...]:
    """The compiler's options for this float type, T in the text: no fused multiply-add, which rounds once where NumPy
    rounds twice."""
    return (f"-DREAL={REAL[np.dtype(dtype).name]}", "--fmad=false")


@cache
def compiled(text: str, dtype: Any) -> Any:
    """The compiled module of a text, for T of this type."""
    code = text.replace("\nKERNEL ", '\nextern "C" __global__ void ')      # for tools that look for these words
    return xp.RawModule(code=code, options=options(dtype))


def launch(text: str, dtype: Any, name: str, threads: Any, *arguments: Any) -> None:
    """Run kernel `name` of a text in at least this many threads, or as many as fill the device.

    A Python int is passed as a 64-bit integer, None as a null pointer.

    Raises TypeError for arrays that the kernel would misread: CuPy passes their addresses alone.
    """
    block = 256
    for a in arguments:
        if isinstance(a, xp.ndarray) and not (a.flags.c_contiguous and a.dtype in (np.dtype(dtype), *OTHER)):
            raise TypeError(f"{name} needs arrays in C order of {np.dtype(dtype)}, got {a.dtype}, strides {a.strides}.")
    passed = tuple(np.int64(a or 0) if a is None or isinstance(a, int) else a for a in arguments)
    compiled(text, np.dtype(dtype)).get_function(name)((min(-(-threads // block), 2048),), (block,), passed)
