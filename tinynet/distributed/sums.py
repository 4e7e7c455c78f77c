"""The sum of a vector over all ranks: in an order that the number of shards decides, and not the number of ranks.

It must not know what the vector holds.
"""
from __future__ import annotations

import time
from collections import Counter

import numpy as np

from tinynet.device import host_array, on_gpu, synchronize, xp
from tinynet.distributed.meeting import wait
from tinynet.distributed.ranks import settings

__all__ = ["RankSum", "own_shards", "spent", "subtrees"]

spent: Counter[str] = Counter()     # seconds "waiting" for the last rank and "moving" bytes, "bytes" sent, "sums"


def subtrees(shards, ranks) -> list[tuple[int, int]]:
    """(first shard, number of shards) of each rank: the leaves of one subtree each of the binary tree over all shards.

    Three ranks are so no faster than two; but their sums are those of a single one.

    >>> subtrees(4, 1), subtrees(4, 2), subtrees(4, 3)
    ([(0, 4)], [(0, 2), (2, 2)], [(0, 1), (1, 1), (2, 2)])
    """
    parts = [(0, shards)]
    while len(parts) < ranks:
        largest = max(parts, key=lambda part: part[1])
        first, half = largest[0], largest[1] // 2
        at = parts.index(largest)
        parts[at:at + 1] = [(first, half), (first + half, half)]
    return parts


def own_shards() -> tuple[int, int]:
    """(first shard, number of shards) of this rank."""
    if not settings().deterministic:
        return settings().rank, 1
    return subtrees(settings().shards, settings().size)[settings().rank]


class RankSum:
    """`vector`, 1-D, becomes the sum of the vectors of all ranks when called; each brings the sum of its own shards.

    The additions are those of ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)), whichever ranks hold the shards 0 to 7, as a
    + b = b + a also in floating point.  Every rank adds up one piece of the vector, of which it gets the others' parts,
    and sends the sum to all: 2 (P - 1) / P vectors go out of each of P ranks, as in the best Allreduce.
    Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in MPICH", 2005.
    """

    def __init__(self, length, dtype):
        self.ranks = settings().size
        self.piece = -(-length // self.ranks)
        self.vector = xp.zeros(self.piece * self.ranks, dtype)
        # What MPI sees: the vector itself, or a copy where it cannot reach it.
        self.through_host = on_gpu and not settings().cuda_aware
        self.sent = host_array(self.vector.size, dtype) if self.through_host else self.vector
        empty = np.empty if self.through_host else xp.empty
        self.received = empty((self.ranks, self.piece), dtype)
        self.parts = subtrees(settings().shards, self.ranks) if settings().deterministic else []

    def __call__(self, meeting):
        """Add up, once all ranks have come: `meeting()` waits for them, and raises an error where they cannot go on."""
        if self.ranks == 1:
            return
        place, begun = "adding up gradients", time.perf_counter()
        meeting()
        met = time.perf_counter()
        if self.through_host:
            self.vector.get(out=self.sent)      # waits for all work on it
        else:
            synchronize()
        if self.parts:
            wait(settings().comm.Ialltoall(self.sent, self.received), place)
            piece = self._sum(0, settings().shards)
            if not self.through_host:
                synchronize()
            wait(settings().comm.Iallgather(piece, self.sent), place)
        else:
            from mpi4py import MPI
            wait(settings().comm.Iallreduce(MPI.IN_PLACE, self.sent), place)
        if self.through_host:
            self.vector.set(self.sent)
        spent.update({"waiting": met - begun, "moving": time.perf_counter() - met, "sums": 1,
                      "bytes": 2 * (self.ranks - 1) * self.piece * self.vector.itemsize})

    def _sum(self, first, count):
        """The sum over these shards of what has been received: that of a rank, or of the two halves."""
        if (first, count) in self.parts:
            return self.received[self.parts.index((first, count))]
        total = self._sum(first, count // 2)
        total += self._sum(first + count // 2, count // 2)
        return total
