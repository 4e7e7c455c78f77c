"""The sum of a vector over all ranks, in an order that depends on the number of shards, not on the number of ranks."""
from __future__ import annotations

import numpy as np

from tinynet.device import host_array, on_gpu, synchronize, xp
from tinynet.distributed.collectives import wait
from tinynet.distributed.ranks import settings
from tinynet.types import Any, Function


def subtrees(shards: int, ranks: int) -> list[tuple[int, int]]:
    """(first shard, number of shards) of each rank: the leaves of a subtree of the binary tree over all shards.

    So three ranks are no faster than two, but have the sums of a single one.

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


class AllReduce:
    """When called, `vector`, 1-D, becomes the sum of the vectors of all ranks, each the sum over the rank's own shards.

    The order is ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)), whichever ranks hold the shards 0 to 7. Every rank sums one
    piece of the vector, of which it receives the parts of the others, and sends the sum to all. Each of P ranks sends
    2 (P - 1) / P vectors, as in the best Allreduce.
    Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in MPICH", 2005.
    """

    def __init__(self, length: int, dtype: Any):
        self.ranks: int = settings().size
        self.piece: int = -(-length // self.ranks)
        self.vector: Any = xp.zeros(self.piece * self.ranks, dtype)
        # MPI sends the vector itself, or a copy on the CPU if it cannot read the vector.
        self.through_host: bool = on_gpu and not settings().cuda_aware
        self.buffer: Any = host_array(self.vector.size, dtype) if self.through_host else self.vector
        self.received: Any = (np if self.through_host else xp).empty((self.ranks, self.piece), dtype)
        self.parts: list[Any] = subtrees(settings().shards, self.ranks) if settings().deterministic else []

    def __call__(self, barrier: Function) -> None:
        """Sum, after `barrier()`, which waits for all ranks, or raises an error if they cannot continue."""
        if self.ranks == 1:
            return
        tag = "summing gradients"
        barrier()
        if self.through_host:
            self.vector.get(out=self.buffer)      # synchronizes
        else:
            synchronize()
        if self.parts:
            wait(settings().comm.Ialltoall(self.buffer, self.received), tag)
            piece = self._sum(0, settings().shards)
            if not self.through_host:
                synchronize()
            wait(settings().comm.Iallgather(piece, self.buffer), tag)
        else:
            from mpi4py import MPI
            wait(settings().comm.Iallreduce(MPI.IN_PLACE, self.buffer), tag)
        if self.through_host:
            self.vector.set(self.buffer)

    def _sum(self, first, count):
        """The sum over these shards: received from a rank, or of the two halves."""
        if (first, count) in self.parts:
            return self.received[self.parts.index((first, count))]
        total = self._sum(first, count // 2)
        total += self._sum(first + count // 2, count // 2)
        return total
