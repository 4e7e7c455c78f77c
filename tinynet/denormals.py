"""Denormal numbers, below 1.2e-38 in float32, taken for zero while a network works; many processors crawl on them.

The mean square of a gradient that has become zero, as behind a pixel that is always dark, decays into them and stays.
It must not know what is computed.
"""
from __future__ import annotations

import ctypes
import platform
import sys
from typing import Any

__all__ = ["flush_denormals"]

# Where the float unit's control word lies in the C library's fenv_t, and its bits that make results and operands zero.
# Source: bits/fenv.h of glibc 2.36; Intel SDM volume 1, 10.2.3 (MXCSR: FTZ, DAZ); Arm ARM, FPCR (FZ).
_CONTROL_WORDS = {"x86_64": (7, 1 << 15 | 1 << 6), "aarch64": (0, 1 << 24)}


def flush_denormals(on: bool) -> bool:
    """Let this thread take denormal numbers for zero, or not; returns whether it did so before.

    Where tinynet does not know how to say so to the processor (anything but Linux on x86-64 and Arm), nothing happens.

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
    environment[index] = environment[index] | bits if on else environment[index] & ~bits
    _libm.fesetenv(environment)
    return before


_libm: Any = ctypes.CDLL(None) if sys.platform == "linux" else None
known = platform.machine() in _CONTROL_WORDS and hasattr(_libm, "fesetenv")
