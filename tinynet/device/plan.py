"""A step as prepared calls, divided among threads: which call runs when, and where the threads wait for each other.

Calls are kept in order where one needs what another one writes, and nowhere else. So the rows of a batch go forward and
back without a barrier; then, after one, come blocks of the weights, with the update while they are in the cache.
"""
from __future__ import annotations

import ctypes
import itertools
import math
import os
import struct
import threading
from typing import NamedTuple

import numpy as np

from tinynet.device import threads
from tinynet.device.blas import limit_this_thread
from tinynet.device.compile import library
from tinynet.device.denormals import flush_denormals
from tinynet.types import Any, Array, Function

MOST_PIECES = 16
WORTH_THREADS = 12e6        # the cost of a step, below which a barrier takes more time than a second thread saves


class Access(NamedTuple):
    """That a call reads or writes the memory from `start` up to `end`; by_rows: its piece i only part i of it."""

    start: int
    end: int
    write: bool
    by_rows: bool


class Call(NamedTuple):
    """A function of 64-bit words, to be called once for each piece (words, begin, end), on any thread.

    Calls with the same `cut` have the same number of pieces, and the same parts of their arrays belong to piece i.
    None: there is one piece, and all such calls run on one thread, one after another.
    """

    function: int       # its address
    pieces: list[Any]
    cut: object
    accesses: list[Any]
    work: float = 0


def cut_rows(rows: int) -> list[tuple[int, int]]:
    """The pieces of a batch of so many rows: 1, 2, 4, 8 or 16, of about equal size.

    A product reads all of W for each: so each has 64 rows or more, 128 from a batch of 512 on, and 256 from one of
    2,048 on; but 16 or more if the batch has fewer than 128.

    >>> cut_rows(130)
    [(0, 65), (65, 130)]
    """
    least = next(least for below, least in ((128, 16), (512, 64), (2048, 128), (math.inf, 256)) if rows < below)
    return _pairs(threads.split(rows, rows // least, grain=1, most=MOST_PIECES))


def cost(rows: int, inner: int, columns: int) -> int:
    """Of a matrix product, in multiplications; to read the second matrix takes as long as sixteen rows."""
    return (rows + 16) * inner * columns


def cut_blocks(rows: int, columns: int, batch: int) -> list[tuple[int, int]]:
    """The pieces of the rows of a kernel W, 128 or more in each, for its gradient from a batch of this size and for its
    update, which takes about as long as the gradient from forty samples.
    """
    most = max(1, min(MOST_PIECES, rows // 128))
    return _pairs(threads.split(rows, rows * columns * (batch + 40), grain=3e6, most=most))


def _pairs(slices):
    return [(piece.start, piece.stop) for piece in slices]


def byte_range(array: Array) -> tuple[int, int]:
    """The addresses of the first byte of an array and of the byte after its last one."""
    start = address(array)
    if array.flags.c_contiguous:
        return start, start + array.nbytes
    reach = [(n - 1) * stride for n, stride in zip(array.shape, array.strides)]
    return start + sum(r for r in reach if r < 0), start + sum(r for r in reach if r > 0) + array.itemsize


def address(array: Array) -> int:
    """The address of the first number of an array."""
    return array.__array_interface__["data"][0]     # takes half the time of array.ctypes.data


class Plan:
    """The calls of a tape as a program for each thread; `play()` does them all."""

    def __init__(self, tape: Any):
        self.tape, calls = tape, tape.calls         # the tape keeps the arrays, of which the calls have the addresses
        worth = sum(call.work for call in calls) >= WORTH_THREADS
        self.number: int = min(threads.threads(), MOST_PIECES) if worth else 1
        phases = _phases(calls) if worth else [[call] for call in calls]
        self.alone, *_ = _programs(phases, 1)
        self.programs: list[Any] = _programs(phases, self.number) if self.number > 1 else [self.alone]
        player = library("float32").functions
        table = ctypes.c_void_p * self.number
        begins, ends = zip(*(byte_range(p) for p in self.programs))
        self._one: tuple[Any, ...] = player.play, *map(ctypes.c_void_p, byte_range(self.alone))
        self._all: tuple[Any, ...] = player.play_all, table(*begins), table(*ends), ctypes.c_longlong(self.number)

    def play(self) -> None:
        """Do all calls; when it returns, they are done."""
        if self.number == 1 or _playing:        # another thread of Python plays on all threads: this one plays alone
            function, *arguments = self._one
            function(*arguments)
            return
        with _lock:
            _playing.append(self)
            try:
                _start_workers(self.number)
                function, *arguments = self._all
                function(*arguments)
            finally:
                _playing.clear()


def entry(function: Function, words: bytes, begin: int, end: int) -> bytes:
    """A call in a program."""
    return struct.pack("<QQqq", function, 4 + len(words) // 8, begin, end) + words


def run(function: Function, words: bytes, begin: int, end: int) -> None:
    """Do a single call now."""
    program = np.frombuffer(entry(function, words, begin, end), np.uint64)
    library("float32").functions.play(*map(ctypes.c_void_p, byte_range(program)))


def _programs(phases, number):
    """For each thread its calls, with a barrier after each phase if there are several threads.

    The calls of one cut follow each other for each piece, while its arrays are in the cache: the gradient of a block of
    weights, and its update.
    """
    programs: list[list[bytes]] = [[] for _ in range(number)]
    barrier = entry(library("float32").address("call_barrier"), struct.pack("<Q", number), 0, 0)
    for phase in phases:
        for _, group in itertools.groupby(phase, lambda call: call.cut):
            together = list(group)
            for i, pieces in enumerate(zip(*(call.pieces for call in together))):
                programs[i * number // len(together[0].pieces)] += [
                    entry(call.function, *piece) for call, piece in zip(together, pieces)]
        for program in programs if number > 1 else ():
            program.append(barrier)
    return [np.frombuffer(b"".join(entries), np.uint64) for entries in programs]


def _phases(calls) -> list[list[Call]]:
    """The calls between two barriers: each as early as what it needs allows."""
    phases: list[list[Call]] = []
    earlier: list[tuple[Access, int, object]] = []      # accesses so far, and phase and cut of their calls
    for call in calls:
        phase = 0
        for new in call.accesses:
            for old, its_phase, cut in earlier:
                if its_phase >= phase and old.start < new.end and new.start < old.end and (old.write or new.write):
                    same_piece = cut == call.cut and (cut is None or (
                        old.by_rows and new.by_rows and old[:2] == new[:2]))
                    phase = its_phase if same_piece else its_phase + 1
        earlier += [(access, phase, call.cut) for access in call.accesses]
        while len(phases) <= phase:
            phases.append([])
        phases[phase].append(call)
    # Calls of one cut come one after another: no other cut needs them.
    for together in phases:
        first = {call.cut: i for i, call in reversed(list(enumerate(together)))}
        together.sort(key=lambda call: first[call.cut])
    return phases


# The worker threads


_lock = threading.RLock()       # one plan at a time on all threads; a signal's handler may predict
_playing: list[Plan] = []       # the one that is being played, or none
_started: list[threading.Thread] = []


def _forget_threads():
    """In a process that was forked: its threads are gone."""
    global _lock
    _lock = threading.RLock()
    _playing.clear()
    if _started:
        _started.clear()
        library("float32").functions.forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def _start_workers(number):
    while len(_started) < number - 1:
        thread = threading.Thread(target=_serve, args=(len(_started) + 1,), name="tinynet player", daemon=True)
        _started.append(thread)
        try:
            thread.start()
        except RuntimeError:        # the system has no more
            _started.pop()
            raise


def _serve(number):
    flush_denormals(True)
    limit_this_thread()
    library("float32").functions.serve(ctypes.c_longlong(number))
