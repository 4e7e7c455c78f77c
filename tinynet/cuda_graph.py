"""The work of one batch on a GPU, recorded once for each batch size and replayed: one launch instead of dozens.

A recording holds addresses, so all it reads and writes must stay where it is: what the step keeps is watched, and what
it makes on the way comes from a memory pool of the recording's own.  It must not know what the work is.
"""
from __future__ import annotations

import sys

from tinynet import backend
from tinynet.backend import on_gpu, xp

__all__ = ["Recorded", "recorded"]


def recorded(work, memory):
    """The function `work(size)`, which returns an array; on a GPU a `Recorded` of it.

    `memory()` lists the arrays that the work keeps from call to call.
    """
    return Recorded(work, memory) if on_gpu else work


class Recorded:
    """`work(size)`: the first call of a size runs it, the second records it as a CUDA graph, the rest replay that.

    Where the work cannot be recorded (a layer or metric asks the device for a number, or the GPU has no graphs) it runs
    as it is, and a line on stderr says why.
    """

    def __init__(self, work, memory):
        self.work = work
        self.memory = memory
        self.pool = xp.cuda.MemoryPool()
        self.seen: set[int] = set()
        self.graphs: dict = {}      # size: (graph, what the work returned)
        self.held: list = []
        self.refused = False

    def __call__(self, size):
        if self.refused or size not in self.seen:
            self.seen.add(size)
            return self.work(size)
        memory = self.memory()
        if [id(a) for a in memory] != [id(a) for a in self.held]:
            self.graphs, self.held = {}, memory
        if size not in self.graphs and not self._record(size):
            return self.work(size)
        graph, result = self.graphs[size]
        graph.launch(backend.stream)
        return result

    def _record(self, size) -> bool:
        """Record the work of this size, without doing it; returns whether that succeeded."""
        error: Exception | None = None
        try:
            backend.stream.begin_capture()
            try:
                with xp.cuda.using_allocator(self.pool.malloc):
                    result = self.work(size)
            except Exception as reason:
                error = reason
            graph = backend.stream.end_capture()
        except Exception as reason:     # no graphs here, or a capture that failed and cannot be ended well
            error = error or reason
        if error:
            self.refused = True
            print(f"tinynet launches every step anew: it cannot be recorded as a CUDA graph. {error}", file=sys.stderr)
            return False
        self.graphs[size] = graph, result
        return True
