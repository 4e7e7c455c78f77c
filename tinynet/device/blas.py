"""The threads of BLAS: one, while tinynet's own threads share the work.

The threads of BLAS itself wait for each other by spinning at the end of every product: on a busy machine an epoch takes
several times as long with them. And the last bits of a product depend on their number.
"""
from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

open_limits: list[OneThread] = []       # of all threads of Python
_before: list[tuple[Any, ...]] = []     # (set, number of threads) of each BLAS before the first of them
_lock = threading.RLock()               # a signal's handler may predict
_forked = False


class OneThread:
    """BLAS computes with one thread from `begin` to `end`, and after the last `end` with as many as before.

    Ctrl-C may come at any point of both: `end` can be called again, and also if `begin` was not completed.
    """

    def __init__(self) -> None:
        self.thread: int = threading.get_ident()
        self.before: list[tuple[Any, ...]] = []       # of a BLAS whose number of threads is each thread's own

    def begin(self) -> None:
        """Raises RuntimeError like `check_fork`."""
        check_fork()
        with _lock:
            open_limits.append(self)
            self.before = [(blas.set, blas.get()) for blas in _loaded() if blas.by_thread]
            if not _before:
                _before[:] = [(blas.set, blas.get()) for blas in _loaded() if not blas.by_thread]
            for blas in _loaded():
                blas.set(1)

    def end(self) -> None:
        with _lock:
            if self in open_limits:
                open_limits.remove(self)
            for set_threads, number in [*self.before, *(() if open_limits else _before)]:
                set_threads(number)
            if not open_limits:
                _before.clear()


def check_fork() -> None:
    """Raise RuntimeError in a process that was forked while another thread of its parent computed."""
    if _forked:
        raise RuntimeError("This process was forked while another thread of its parent computed, of which BLAS and "
                           "locks would wait for the end. Fork before training, or start processes by "
                           "multiprocessing.get_context('spawn').")


def limit_this_thread() -> None:
    """For a thread that computes for as long as the process lives."""
    for blas in _loaded():
        if blas.by_thread:
            blas.set(1)


class _Blas(NamedTuple):
    get: Callable[[], int]
    set: Callable[[int], Any]
    by_thread: bool


@cache
def _loaded() -> list[_Blas]:
    """Every BLAS of this process.

    OpenBLAS is asked directly: threadpoolctl 3.8 lets one thread of Python set its number, and ignores all others.
    """
    from threadpoolctl import ThreadpoolController      # here, because the import takes long
    found = []
    for library in ThreadpoolController().select(user_api="blas").lib_controllers:
        by_thread = getattr(library, "threading_layer", "") == "openmp"
        get, set_threads = (_openblas(library.filepath, f"openblas_{verb}_num_threads") for verb in ("get", "set"))
        if by_thread or not (get and set_threads):
            get, set_threads = library.get_num_threads, library.set_num_threads
        found.append(_Blas(get, set_threads, by_thread))
    return found


def _openblas(path, name):
    """This function of OpenBLAS, whatever its wheel has put around the name; None for another BLAS."""
    library = ctypes.CDLL(path)
    names = (prefix + name + suffix for prefix in ("", "scipy_") for suffix in ("", "64_", "_64"))
    return next((getattr(library, name) for name in names if hasattr(library, name)), None)


def _after_fork():
    global _lock, _forked
    _lock = threading.RLock()
    _forked = any(limit.thread != threading.get_ident() for limit in open_limits)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
