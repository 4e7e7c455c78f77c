"""Data parallelism: each rank computes the gradient of its shards of a batch, and all take one step by the sum.

With N samples, n_s of them in shard s, and a loss that is a mean over samples, L = sum_s n_s / N L_s, and therefore
dL/dw = sum_s n_s / N dL_s/dw.
"""
from __future__ import annotations

from contextlib import closing
from functools import partial

import numpy as np

from tinynet.backend import to_numpy, xp
from tinynet.device.capture import captured
from tinynet.distributed.allreduce import AllReduce, own_shards
from tinynet.distributed.collectives import all_reduce
from tinynet.distributed.consistency import check, check_batch
from tinynet.distributed.ranks import settings
from tinynet.metrics import RunningMeans
from tinynet.saving.model_file import mask_streams
from tinynet.training.strategy import owners
from tinynet.types import Any, Array

STEPS_BETWEEN_CHECKS = 100      # of the weights; a check takes about as long as one step of a small network


def shards_of_batch(model: Any, data: Any, means: Any, size: int, train: bool) -> Any:
    """For each shard of this rank (its fraction of the batch, its samples (x, y, weights) or None if it is empty).

    Meanwhile the loss, activity regularization, random streams and means are set to that part of the batch.
    """
    shards, (first, count) = settings().shards, own_shards()
    starts = [size * i // shards for i in range(shards + 1)]
    parts = [model.loss_of_z, *model.layers, *model.stack]
    streams = mask_streams(model)
    counters = [stream.counter.copy() for stream in streams]
    begun = False
    data.rewind()
    data.skip(starts[first])
    try:
        for means.shard in range(first, first + count):
            start, rows = starts[means.shard], starts[means.shard + 1] - starts[means.shard]
            if begun and rows:      # all shards have parts of the same mask
                for stream, counter in zip(streams, counters):
                    stream.counter[...] = counter
            for part in parts:
                part.batch_share = rows / size
            for stream in streams:
                stream.first_row = start
            yield rows / size, data.next(rows) if rows else None
            begun = begun or rows > 0
        if train and not begun:
            for stream in streams:
                stream.advance()
    finally:
        for part in parts:
            part.batch_share = 1.0
        for stream in streams:
            stream.first_row = 0
    data.skip(size - starts[first + count])


class TrainingBatch:
    """The training step of `tinynet.training.step`, on a batch that all ranks share; called with the batch's size."""

    def __init__(self, model: Any, data: Any, means: Any):
        self.model, self.data, self.means = model, data, means
        self.weights: int = model.parameters.value.size
        # Running statistics: each shard updates them, and the updates are averaged.
        self.statistics: list[Any] = [p for layer in model.layers for p in layer.parameters if not p.trainable]
        length = self.weights + sum(p.value.size for p in self.statistics) + 1     # and the loss
        self.loss_index: slice = slice(length - 1, length)
        self.sum: AllReduce = AllReduce(length, model.dtype)
        self.halves: dict[Any, Any] = {}    # for each number of shards the sum over the second half of them
        self.own: Any = captured(self._own, partial(owners, model))
        self.steps: int = 0

    def __call__(self, size: int) -> Array:
        self.own(size)
        self.sum(lambda: check_batch("a step", self.data, size))
        total = self.sum.vector
        self.model.parameters.grad[...] = total[:self.weights]
        self.model.parameters.regularize()
        self.model.apply_gradients()
        for p, update in zip(self.statistics, self._updates(total)):
            p.value = p.value + update
        self.steps += 1
        if self.steps % STEPS_BETWEEN_CHECKS == 0:
            check(self.model, self.data)
        # From the copy on the CPU, if there is one: whether it is NaN can be told without waiting for a GPU.
        return (self.sum.buffer if self.sum.ranks > 1 else total)[self.loss_index][0]

    def _own(self, size):
        """The sum over the shards of this rank."""
        with closing(shards_of_batch(self.model, self.data, self.means, size, train=True)) as shards:
            self._total(shards, own_shards()[1], out=self.sum.vector)
            next(shards, None)

    def _total(self, shards, count, out):
        """out = the sum over the next `count` shards: that of the first half and that of the second."""
        if count == 1:
            self._gradient(next(shards), out)
            return
        self._total(shards, count // 2, out)
        if count not in self.halves:
            self.halves[count] = xp.zeros_like(out)
        self._total(shards, count // 2, self.halves[count])
        out += self.halves[count]

    def _gradient(self, shard, out):
        """out = n_s / N (dL_s/dw, updates of the running statistics, L_s)"""
        share, batch = shard
        if batch is None:
            out[...] = 0
            return
        before = [p.value.copy() for p in self.statistics]
        random_state = list(map(np.asarray, np.random.get_state()))
        x, y, weights = batch
        loss, y_pred = self.model.compute_gradients(x, y, weights, regularize=False)
        if not all(map(np.array_equal, random_state, map(np.asarray, np.random.get_state()))):
            raise RuntimeError("A layer draws from np.random in forward: ranks get other numbers than one process. "
                               "Let it draw from a tinynet.random.MaskStream in self.masks, as Dropout does.")
        self.means.add(loss, y, y_pred, weights)
        xp.multiply(self.model.parameters.grad, share, out=out[:self.weights])
        self.model.update_state()
        for p, old, update in zip(self.statistics, before, self._updates(out)):
            update[...] = share * (p.value - old)
            p.value = old
        out[self.loss_index] = share * loss

    def _updates(self, vector):
        """The pieces of the vector that hold the updates of the running statistics."""
        start = self.weights
        for p in self.statistics:
            yield vector[start:start + p.value.size].reshape(p.shape)
            start += p.value.size


def evaluate_batch(model: Any, data: Any, means: Any, size: int) -> Any:
    """Test a batch that all ranks share; returns the loss of the shards of this rank."""
    check_batch("a batch to test", data, size)
    total, rows = 0.0, 0.0
    for share, samples in shards_of_batch(model, data, means, size, train=False):
        if samples is not None:
            x, y, weights = samples
            loss, y_pred = model.test_step(x, y, weights)
            means.add(loss, y, y_pred, weights)
            total, rows = total + share * loss, rows + share
    return total / rows if rows else total


class ShardedMeans(RunningMeans):
    """RunningMeans with the sums of each shard in a row of `sums`, whose last number counts the samples.

    So they do not depend on which rank has which shards. During an epoch `result` is that of the shards of this rank.
    """

    def __init__(self, metrics: Any):
        super().__init__(metrics)
        self.sums, self.finite = xp.zeros((settings().shards, len(self.sums) + 1)), xp.zeros((settings().shards, 1))
        self.shard = 0

    def add(self, loss: Any, y_true: Array, y_pred: Array, weights: Any = None) -> None:
        super().add(loss, y_true, y_pred, weights)
        self.sums[self.shard, -1:] += len(y_true)

    def accumulators(self) -> tuple[Any, ...]:
        return self.sums[self.shard], self.finite[self.shard]

    def state(self) -> Array:
        first, count = own_shards()
        rows = np.zeros(self.sums.shape)
        rows[first:first + count] = to_numpy(self.sums[first:first + count])
        return all_reduce(rows)     # exact: a row is zero on all ranks but one

    def result(self) -> dict[str, Any]:
        first, count = own_shards()
        sums = to_numpy(self.sums[first:first + count]).sum(axis=0).tolist()
        return self._means(sums[:-1], sums[-1])

    def total(self) -> dict[str, Any]:
        return self._means(self.state().sum(axis=0)[:-1].tolist(), self.samples)
