"""Worker threads that share out the pieces of one job, such as the blocks of a matrix product.

How a job is cut depends on its size alone, never on the number of threads.  So each number is computed by the same
instructions whoever computes it, and results are the same to the last bit.  It must not know what the pieces compute.
"""
from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from queue import SimpleQueue
from typing import Any

from threadpoolctl import ThreadpoolController

from tinynet.arguments import whole_number

__all__ = ["for_each", "set_threads", "split", "threads", "workers"]

_inboxes: list[SimpleQueue] = []        # one for each thread that waits for work; they end with the process
_entered: list[object] = []             # one entry for each `workers()` that is open, in whichever thread
_lock = threading.Lock()


def threads() -> int:
    """How many threads work at most: TINYNET_THREADS, or the cores that this process may use.

    >>> threads() >= 1
    True
    """
    return _threads


def set_threads(number: int) -> None:
    """Work on this many threads from now on, one or more.  Raises ValueError otherwise."""
    global _threads
    _threads = whole_number("The number of threads", number, least=1)


@contextmanager
def workers() -> Iterator[None]:
    """Inside it `for_each` has its pieces done by all threads, and a matrix product uses only the one it is called on.

    BLAS has threads of its own, but they meet at the end of every product and wait by spinning: on a busy machine an
    epoch takes several times as long with them.
    """
    global _blas_limit
    with _lock:
        if not _entered:
            _blas_limit = _blas().limit(limits=1, user_api="blas")
        _entered.append(None)
    try:
        yield
    finally:
        with _lock:
            _entered.pop()
            if not _entered:
                _blas_limit.restore_original_limits()


def for_each(function: Callable[[slice], object], pieces: list[slice]) -> None:
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
    job.work()
    for _ in range(helpers + 1):
        job.left.get()
    if job.error:
        raise job.error


def split(length: int, work: float, grain: float) -> list[slice]:
    """0 to length in even slices, one for each whole grain of the work, at least one.

    >>> split(100, work=5, grain=2)
    [slice(0, 50, None), slice(50, 100, None)]
    """
    count = min(length, max(int(work / grain), 1))
    return [slice(length * i // count, length * (i + 1) // count) for i in range(count)]


class _Job:
    """The pieces that nobody has taken yet, and word from each thread that has left."""

    def __init__(self, function, pieces):
        self.function = function
        self.pieces = deque(pieces)
        self.left: SimpleQueue[None] = SimpleQueue()
        self.error: BaseException | None = None

    def work(self):
        """Take pieces until none is left."""
        try:
            while self.pieces:
                try:
                    piece = self.pieces.popleft()
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
    while True:
        inbox.get().work()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _threads_at_start() -> int:
    if os.environ.get("TINYNET_THREADS"):
        text = os.environ["TINYNET_THREADS"]
        return whole_number("TINYNET_THREADS", int(text) if text.isdecimal() else text, least=1)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_threads = _threads_at_start()
_blas_limit: Any = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_inboxes.clear)      # threads do not survive a fork
