"""The work of one batch on a GPU, recorded once for each batch size and replayed: one launch instead of dozens.

A recording holds addresses and constants.  So what the step keeps and the numbers it is set to are watched, and what it
makes on the way comes from a memory pool of the recording's own.  It must not know what the work is.
"""
from __future__ import annotations

import sys

from tinynet import device
from tinynet.device import on_gpu, xp

__all__ = ["Recorded", "recorded"]

PATIENCE = 20       # recordings of one pass, after which they plainly do not pay


def recorded(work, memory, constants):
    """The function `work(size)`, which returns an array; on a GPU a `Recorded` of it.

    `memory()` lists the arrays that the work keeps from call to call, `constants()` the numbers it is set to.
    """
    return Recorded(work, memory, constants) if on_gpu else work


class Recorded:
    """`work(size)`: the first call of a size runs it, the second records it as a CUDA graph, replayed from then on.

    It is recorded anew when an array or a constant has changed.  Where it cannot be recorded (a layer or metric asks
    the device for a number, or the GPU has no graphs), or changes at every step, it runs as it is, and a line on stderr
    says why.  What cannot be seen from here is a number that your own layer makes up in forward, such as a draw from
    NumPy: it stays what it was when the step was recorded.
    """

    def __init__(self, work, memory, constants):
        self.work = work
        self.memory = memory
        self.constants = constants
        self.seen: set[int] = set()
        self.graphs: dict = {}      # size: (graph, what the work returned, its memory pool)
        self.held: list = []
        self.settings: object = None
        self.recordings = 0
        self.refused = False

    def __call__(self, size):
        if self.refused or size not in self.seen:
            self.seen.add(size)
            return self.work(size)
        memory, settings = self.memory(), self.constants()
        if settings != self.settings or [id(a) for a in memory] != [id(a) for a in self.held]:
            self.graphs, self.held, self.settings = {}, memory, settings
        if size not in self.graphs and not self._record(size):
            return self.work(size)
        graph, result, _ = self.graphs[size]
        graph.launch(device.stream)
        return result

    def _record(self, size) -> bool:
        """Record the work of this size, without doing it; returns whether that succeeded."""
        self.recordings += 1
        if self.recordings > PATIENCE:
            return self._refuse("what it computes with changes at every step.")
        pool, result, error = xp.cuda.MemoryPool(), None, None
        try:
            device.stream.begin_capture()
            try:
                with xp.cuda.using_allocator(pool.malloc):
                    result = self.work(size)
            except BaseException as reason:
                error = reason
            graph = device.stream.end_capture()
        except Exception as reason:     # no graphs here, or a capture that failed and cannot be ended well
            error = error or reason
        if error:
            if not isinstance(error, Exception):
                raise error             # Ctrl-C, now that the stream no longer captures
            return self._refuse(f"it cannot be recorded as a CUDA graph. {error}")
        self.graphs[size] = graph, result, pool
        return True

    def _refuse(self, reason) -> bool:
        self.refused, self.graphs = True, {}
        print(f"tinynet launches every step anew: {reason}", file=sys.stderr)
        return False
