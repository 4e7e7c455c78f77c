"""CUDA graphs: the work of one batch, captured once for each batch size and then replayed by a single launch.

A graph holds addresses and constants. So the arrays and numbers that the work uses are watched, and temporary arrays
come from a memory pool of the graph's own.
"""
from __future__ import annotations

import sys

import numpy as np

from tinynet.device import arrays
from tinynet.device.arrays import xp
from tinynet.types import Any

STEPS_PER_CAPTURE, FREE_CAPTURES = 4, 20    # a capture costs about so many steps; so many may be in vain


class CapturedWork:
    """`work(size)`: the first call with a size runs it, the second captures it as a CUDA graph, later calls replay it.

    It is captured anew when an array or a constant has changed. Work that cannot be captured (a layer or metric reads a
    number from the GPU, or the GPU has no graphs), or that changes too often, runs as it is, and a line on stderr
    says why. Numbers that a layer computes on the host in forward, such as a draw from NumPy, cannot be watched: they
    stay what they were when the step was captured.
    """

    def __init__(self, work: Any, owners: Any):
        self.work, self.owners = work, owners
        self.seen: set[int] = set()
        # by size: (graph, what the work returned, its memory pool, arrays that it may use)
        self.graphs: dict[int, Any] = {}
        self.arrays: list[Any] = []
        self.constants: list[Any] = []
        self.captures = self.replays = 0
        self.disabled = False
        self.changed: dict[Any, Any] = {}

    def __call__(self, size: int) -> Any:
        if self.disabled or size not in self.seen:
            self.seen.add(size)
            return self.work(size)
        kept, constants = watched(*self.owners())
        if constants != self.constants or [id(a) for a in kept] != [id(a) for a in self.arrays]:
            self.changed = dict(new for old, new in zip(self.constants, constants) if old != new)
            self.graphs, self.arrays, self.constants = {}, kept, constants
        if size not in self.graphs and not self._capture(size):
            return self.work(size)
        graph, result, *_ = self.graphs[size]
        graph.launch(arrays.stream)
        self.replays += 1
        return result

    def _capture(self, size) -> bool:
        """Capture the work of this size, without doing it; returns whether that succeeded."""
        self.captures += 1
        if self.captures > FREE_CAPTURES + self.replays / STEPS_PER_CAPTURE:
            what = self.changed or f"arrays, or the size of the batch (sizes: {len(self.seen)})"
            return self._disable(f"it would be captured too often. It has changed again: {what}.")
        pool, result, error = xp.cuda.MemoryPool(), None, None
        try:
            arrays.stream.begin_capture()
            try:
                with xp.cuda.using_allocator(pool.malloc):
                    result = self.work(size)
            except BaseException as reason:
                error = reason
            graph = arrays.stream.end_capture()
        except Exception as reason:     # no graphs here, or a capture that failed and cannot be ended
            error = error or reason
        if error:
            if not isinstance(error, Exception):
                raise error             # Ctrl-C, now that the stream no longer captures
            return self._disable(f"it cannot be captured. {error}. Does a layer, loss, metric or optimizer of your own "
                                 "ask for a number (float, if, learning_rate), or multiply by @, not backend.matmul?")
        self.graphs[size] = graph, result, pool, arrays_of(self.owners())
        return True

    def _disable(self, reason) -> bool:
        self.disabled, self.graphs = True, {}
        print(f"tinynet runs this model without a CUDA graph: {reason}", file=sys.stderr)
        return False


def watched(layers: Any, state: Any) -> Any:
    """(arrays, constants) of these objects: what a graph depends on. Private constants, `_name`, are left out."""
    kept: list[Any] = []
    constants: list[Any] = []
    for owner in (*layers, *state):
        for name, value in getattr(owner, "__dict__", {}).items():
            if isinstance(value, (int, float, str, np.number)) and not name.startswith("_"):
                constants.append((name, value))
            elif isinstance(value, (list, dict)):
                kept += [a for a in (value.values() if isinstance(value, dict) else value) if isinstance(a, xp.ndarray)]
    kept += [value for owner in state for value in vars(owner).values() if isinstance(value, xp.ndarray)]
    return kept, constants


def arrays_of(owners: Any) -> list[Any]:
    """All arrays that these objects hold, and those of layers inside layers: a graph writes to them, although they may
    be replaced."""
    found: dict[Any, Any] = {}
    left = list(owners)
    while left:
        thing = left.pop()
        if id(thing) in found:
            continue
        found[id(thing)] = thing
        if isinstance(thing, (list, tuple, dict)):
            left += thing.values() if isinstance(thing, dict) else thing
        elif hasattr(thing, "forward") or hasattr(thing, "__dict__") and type(thing).__module__.startswith("tinynet."):
            left += vars(thing).values()
    return [thing for thing in found.values() if isinstance(thing, xp.ndarray)]
