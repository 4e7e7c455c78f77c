"""Worker threads that share out the pieces of one job, such as the blocks of a matrix product.

How a job is cut depends on its size alone, never on the number of threads.  So each number is computed by the same
instructions whoever computes it, and results are the same to the last bit.  It must not know what the pieces compute.
"""
from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from threadpoolctl import ThreadpoolController

from tinynet.arguments import whole_number
from tinynet.denormals import flush_denormals

__all__ = ["for_each", "set_threads", "share", "split", "threads", "workers"]

_inboxes: list[SimpleQueue] = []        # one for each thread that waits for work; they end with the process
_entered: list[object] = []             # one entry for each `workers()` that is open, in whichever thread
_lock = threading.Lock()


def threads() -> int:
    """How many threads work at most: TINYNET_THREADS, or the cores that this process and its container may use.

    >>> threads() >= 1
    True
    """
    return _threads


def set_threads(number: int) -> None:
    """Work on this many threads from now on, one or more.  Raises ValueError otherwise."""
    global _threads
    _threads = whole_number("The number of threads", number, least=1)


def share(cores: int, processes: int) -> None:
    """Work on an even share of the cores, of which so many processes have as many together, if TINYNET_THREADS is not
    set."""
    if not os.environ.get("TINYNET_THREADS"):
        set_threads(max(1, math.floor(min(cores, _container_limit()) / processes)))


@contextmanager
def workers() -> Iterator[None]:
    """Inside it `for_each` has its pieces done by all threads, and a matrix product uses only the one it is called on.

    BLAS has threads of its own, but they meet at the end of every product and wait by spinning: on a busy machine an
    epoch takes several times as long with them.  Denormal numbers count as zero, in all threads alike.
    """
    global _blas_limit
    with _lock:
        if not _entered:
            _blas_limit = _blas().limit(limits=1, user_api="blas")
        _entered.append(None)
    before = flush_denormals(True)
    try:
        yield
    finally:
        flush_denormals(before)
        with _lock:
            _entered.pop()
            if not _entered:
                _blas_limit.restore_original_limits()


def for_each(function: Callable[[Any], object], pieces: Sequence) -> None:
    """Call the function on every piece, in any order, and return when all are done.

    The pieces must not write to the same memory.  The first error of a piece is raised here.
    """
    helpers = min(_threads, len(pieces)) - 1 if _entered else 0
    if not helpers:
        for piece in pieces:
            function(piece)
        return
    job = _Job(function, pieces)
    for inbox in _hire(helpers):
        inbox.put(job)
    job.work(job.pieces.popleft)
    for _ in range(helpers + 1):
        job.left.get()
    if job.error:
        raise job.error


def split(length: int, work: float, grain: float, most: int = 1 << 30) -> list[slice]:
    """0 to length in 1, 2, 4, 8 ... even slices, as many as there are grains of the work, the last begun one too.

    >>> split(100, work=5, grain=2)
    [slice(0, 50, None), slice(50, 100, None)]
    """
    wanted = min(max(math.ceil(work / grain), 1), most)
    count = min(length, 1 << wanted.bit_length() - 1)
    return [slice(length * i // count, length * (i + 1) // count) for i in range(count)]


class _Job:
    """The pieces that nobody has taken yet, and word from each thread that has left."""

    def __init__(self, function, pieces):
        self.function = function
        self.pieces = deque(pieces)
        self.left: SimpleQueue[None] = SimpleQueue()
        self.error: BaseException | None = None

    def work(self, take):
        """Take pieces until none is left."""
        try:
            while self.pieces:
                try:
                    piece = take()
                except IndexError:      # another thread took the last one
                    break
                self.function(piece)
        except BaseException as error:  # Ctrl-C too: wait for the others first, then raise it
            self.error = error
            self.pieces.clear()
        finally:
            self.left.put(None)


def _hire(number):
    """The inboxes of this many threads, new ones if need be."""
    while len(_inboxes) < number:
        inbox: SimpleQueue[_Job] = SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name="tinynet worker", daemon=True).start()
        _inboxes.append(inbox)
    return _inboxes[:number]


def _serve(inbox):
    flush_denormals(True)
    while True:
        job = inbox.get()
        # From the end where the caller does not begin.  In jobs that follow each other each core then works on the same
        # rows of the same weights, and finds them in its own cache.
        job.work(job.pieces.pop)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _threads_at_start() -> int:
    if os.environ.get("TINYNET_THREADS"):
        text = os.environ["TINYNET_THREADS"]
        return whole_number("TINYNET_THREADS", int(text) if text.isdecimal() else text, least=1)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.floor(min(cores, _container_limit())))


def _container_limit(root=Path("/sys/fs/cgroup")) -> float:
    """How many cores a container may use at a time, which affinity does not tell; infinity where nothing limits it.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max) and scheduler/sched-bwc.rst (cpu.cfs_quota_us).
    """
    try:
        if (root / "cpu.max").exists():
            quota, period = (root / "cpu.max").read_text().split()
        else:
            quota, period = ((root / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return float(quota) / float(period) if float(quota) > 0 else math.inf
    except (OSError, ValueError):       # no cgroups; or the quota is the word "max"
        return math.inf


_threads = _threads_at_start()
_blas_limit: Any = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_inboxes.clear)      # threads do not survive a fork
