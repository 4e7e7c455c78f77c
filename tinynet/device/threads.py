"""Worker threads that share the pieces of one job, such as the blocks of a matrix product.

How a job is cut depends on its size alone, never on the number of threads. So every number is computed by the same
instructions in any thread, and results are the same to the last bit.
"""
from __future__ import annotations

import math
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

from tinynet.device import blas
from tinynet.device.denormals import flush_denormals
from tinynet.types import Any, Function
from tinynet.validation import whole_number

_inboxes: list[SimpleQueue] = []        # one for each thread that waits for work; they end with the process


def threads() -> int:
    """The number of threads: TINYNET_THREADS, or the cores that this process and its container may use.

    >>> threads() >= 1
    True
    """
    return _threads


def set_threads(number: int) -> None:
    """Use this many threads, one or more, from now on.  Raises ValueError otherwise."""
    global _threads
    _threads = whole_number("The number of threads", number, least=1)


def share_cores(cores: int, processes: int) -> None:
    """Use an even share of the cores of this machine, on which so many processes run, unless TINYNET_THREADS is set."""
    if not os.environ.get("TINYNET_THREADS"):
        set_threads(max(1, math.floor(min(cores, _container_limit()) / processes)))


@contextmanager
def workers() -> Iterator[None]:
    """Inside it `for_each` uses all threads, and BLAS only the thread that calls it.

    Denormal numbers are flushed to zero, in all threads alike.
    """
    one_thread, flushed, left = blas.OneThread(), flush_denormals(), False

    def leave():
        nonlocal left
        one_thread.end()
        flush_denormals(flushed)
        left = True

    try:
        try:
            one_thread.begin()
            flush_denormals(True)
            yield
        finally:
            leave()
    finally:
        if not left:        # Ctrl-C came in between
            leave()


def for_each(function: Callable[[Any], object], pieces: list[Any]) -> None:
    """Call the function on every piece, in any order, and return when all are done.

    The pieces must not write to the same memory. The first error of a piece is raised here.
    """
    helpers = min(_threads, len(pieces)) - 1 if blas.open_limits else 0
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
    """0 to length in 1, 2, 4, 8 ... even slices: about one for each `grain` of the work, at most `most`.

    >>> split(100, work=5, grain=2)
    [slice(0, 50, None), slice(50, 100, None)]
    """
    wanted = min(max(math.ceil(work / grain), 1), most)
    count = min(length, 1 << wanted.bit_length() - 1)
    return [slice(length * i // count, length * (i + 1) // count) for i in range(count)]


class _Job:
    """The pieces that no thread has taken yet, and a queue with one entry for each thread that is done."""

    def __init__(self, function: Function, pieces: list[Any]):
        self.function = function
        self.pieces = deque(pieces)
        self.left: SimpleQueue[None] = SimpleQueue()
        self.error: BaseException | None = None

    def work(self, take: Function) -> None:
        """Take pieces until none is left."""
        try:
            while self.pieces:
                try:
                    piece = take()
                except IndexError:      # another thread took the last one
                    break
                self.function(piece)
        except BaseException as error:  # Ctrl-C too: wait for the other threads first, then raise it
            self.error = error
            self.pieces.clear()
        finally:
            self.left.put(None)


def _hire(number):
    """The inboxes of this many worker threads, which are started if necessary."""
    while len(_inboxes) < number:
        inbox: SimpleQueue[_Job] = SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name="tinynet worker", daemon=True).start()
        _inboxes.append(inbox)
    return _inboxes[:number]


def _serve(inbox):
    flush_denormals(True)
    blas.limit_this_thread()
    while True:
        job = inbox.get()
        # From the other end than the caller: in one job after another each core then works on the same rows of the
        # same weights, which are still in its cache.
        job.work(job.pieces.pop)


def _threads_at_start() -> int:
    if os.environ.get("TINYNET_THREADS"):
        text = os.environ["TINYNET_THREADS"]
        return whole_number("TINYNET_THREADS", int(text) if text.isdecimal() else text, least=1)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.floor(min(cores, _container_limit())))


def _container_limit(root=Path("/sys/fs/cgroup")) -> float:
    """The CPU limit of the container in cores, which the affinity does not tell; infinity without a limit.

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


class Lock:
    """A lock, which the thread that holds it may take again; a copy of the object has a new one.

    A model's lock is that of its layers, in LOCKS; `shared` says that other models have some of them too.
    """

    waiting: dict[int, Lock] = {}       # for which lock each thread waits

    def __init__(self) -> None:
        self.lock: Any = threading.RLock()
        self.owner: int = 0
        self.shared = False

    def __reduce__(self) -> Any:
        return Lock, ()

    @contextmanager
    def held(self) -> Iterator[Any]:
        """Inside it no other thread holds the lock.

        Raises RuntimeError if that would be a deadlock: the thread that holds it waits for one that this thread holds.
        """
        blas.check_fork()
        me = threading.get_ident()
        again = self.owner == me
        try:
            if not again:
                self.waiting[me] = self
                self._refuse_deadlock(me)
            with self.lock:
                self.waiting.pop(me, None)
                self.owner = me
                try:
                    yield
                finally:
                    self.owner = me if again else 0
        finally:
            self.waiting.pop(me, None)

    def call(self, function: Function, *arguments: Any) -> Any:
        """function(*arguments), while the lock is held: takes a fifth of the time of `held` if the lock is free."""
        if self.owner not in (0, threading.get_ident()):
            with self.held():
                return function(*arguments)
        with self.lock:
            before, self.owner = self.owner, threading.get_ident()
            try:
                return function(*arguments)
            finally:
                self.owner = before

    def _refuse_deadlock(self, me):
        lock: Any = self
        seen: set = set()
        while lock is not None and lock.owner not in seen:
            if lock.owner == me:
                raise RuntimeError("Two threads wait for each other: each of them uses a model, and in it, as in a "
                                   "callback, the model of the other one. Do that after fit, evaluate or predict.")
            seen.add(lock.owner)
            lock = self.waiting.get(lock.owner)


LOCKS: weakref.WeakKeyDictionary[Any, Lock] = weakref.WeakKeyDictionary()       # {layer: its lock}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_inboxes.clear)      # threads do not survive a fork
