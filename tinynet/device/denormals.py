"""Flush denormal numbers, below 1.2e-38 in float32, to zero: many processors are far slower with them.

The running mean square of a gradient that has become zero, as of a pixel that is always dark, decays to a denormal
number and stays there.
"""
from __future__ import annotations

import ctypes
import platform
import sys
from typing import Any

# The index of the float unit's control word in the C library's fenv_t, and its bits that flush results and operands.
# Source: bits/fenv.h of glibc 2.36; Intel SDM volume 1, 10.2.3 (MXCSR: FTZ, DAZ); Arm ARM, FPCR (FZ).
_CONTROL_WORDS = {"x86_64": (7, 1 << 15 | 1 << 6), "aarch64": (0, 1 << 24)}


def flush_denormals(on: bool | None = None) -> bool:
    """Flush denormal numbers to zero in this thread, or stop doing so; returns whether it did so before.

    None changes nothing.

    Only Linux on x86-64 and Arm is supported; elsewhere nothing happens.

    >>> before = flush_denormals(True)
    >>> flush_denormals(before) == known
    True
    """
    if not known:
        return False
    index, bits = _CONTROL_WORDS[platform.machine()]
    environment = (ctypes.c_uint32 * 16)()
    _libm.fegetenv(environment)
    before = environment[index] & bits == bits
    if on is not None:
        environment[index] = environment[index] | bits if on else environment[index] & ~bits
        _libm.fesetenv(environment)
    return before


_libm: Any = ctypes.CDLL(None) if sys.platform == "linux" else None
known = platform.machine() in _CONTROL_WORDS and hasattr(_libm, "fesetenv")
