"""A batch that all ranks share: each computes the gradient of its shards, and all take one step by the sum.

With N samples, n_s of them in shard s, and a loss that is a mean over samples, L = sum_s n_s / N L_s, and so
dL/dw = sum_s n_s / N dL_s/dw.  It must not know how ranks talk to each other, nor what a layer computes.
"""
from __future__ import annotations

from contextlib import closing

import numpy as np

from tinynet.agreement import check, same_batch
from tinynet.backend import to_numpy, xp
from tinynet.cuda_graph import recorded
from tinynet.distributed.meeting import add_up
from tinynet.distributed.ranks import settings
from tinynet.distributed.sums import RankSum, own_shards
from tinynet.metrics import RunningMeans
from tinynet.saving import mask_streams

__all__ = ["SharedMeans", "TrainingBatch", "testing"]

STEPS_BETWEEN_CHECKS = 100      # of the weights; a check takes about as long as one step of a small network


def own_parts(model, data, means, size, train):
    """For each shard of this rank its share of the batch and its samples, (x, y, weights), or None if it is empty.

    While a shard is worked on, layers, loss, masks and means know which part of the batch it is.
    """
    shards, (first, count) = settings().shards, own_shards()
    starts = [size * i // shards for i in range(shards + 1)]
    parts, masks = [model.loss, *model.layers, *model.chain], mask_streams(model)
    counters = [stream.counter.copy() for stream in masks]
    begun = False
    data.skip(starts[first])
    try:
        for means.shard in range(first, first + count):
            start, rows = starts[means.shard], starts[means.shard + 1] - starts[means.shard]
            if begun and rows:      # the masks of all shards are one mask
                for stream, counter in zip(masks, counters):
                    stream.counter[...] = counter
            for part in parts:
                part.batch_share = rows / size
            for stream in masks:
                stream.first_row = start
            yield rows / size, data.next(rows) if rows else None
            begun = begun or rows > 0
        if train and not begun:
            for stream in masks:
                stream.advance()
    finally:
        for part in parts:
            part.batch_share = 1.0
        for stream in masks:
            stream.first_row = 0
    data.skip(size - starts[first + count])


class TrainingBatch:
    """The step of gradient descent of `tinynet.step`, on a batch that all ranks share; called with the batch's size."""

    def __init__(self, model, data, means):
        self.model, self.data, self.means = model, data, means
        self.weights = model.parameters.value.size
        # What layers keep without learning it, such as running means: each shard moves it, and the moves are averaged.
        self.kept = [p for layer in model.layers for p in layer.parameters if not p.trainable]
        length = self.weights + sum(p.value.size for p in self.kept) + 1     # and the loss
        self.loss_place = slice(length - 1, length)
        self.sum = RankSum(length, model.dtype)
        self.halves: dict = {}      # for each number of shards the sum over the second half of so many
        self.own = recorded(self._own, model.memory, model.constants)
        self.steps = 0

    def __call__(self, size):
        model = self.model
        self.own(size)
        self.sum(lambda: same_batch("a step", self.data, size))
        total = self.sum.vector
        model.parameters.grad[...] = total[:self.weights]
        for p, move in zip(self.kept, self._moves(total)):
            p.value = p.value + move
        model.parameters.regularize()
        model.optimizer.update(model.parameters.value, model.parameters.grad)
        model.parameters.constrain()
        self.steps += 1
        if self.steps % STEPS_BETWEEN_CHECKS == 0:
            check(model, self.data)
        return total[self.loss_place][0]

    def _own(self, size):
        """The sum over the shards of this rank."""
        with closing(own_parts(self.model, self.data, self.means, size, train=True)) as shards:
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
        """out = n_s / N (dL_s/dw, moves of what layers keep, L_s)"""
        share, batch = shard
        if batch is None:
            out[...] = 0
            return
        model, (x, y, weights) = self.model, batch
        before = [p.value.copy() for p in self.kept]
        position = np.random.get_state()
        y_pred = model.forward(x, training=True)
        if not all(map(np.array_equal, position, np.random.get_state())):
            raise RuntimeError("A layer draws from np.random in forward, where ranks would draw for other rows. Let "
                               "it draw from a tinynet.random.MaskStream that it keeps in self.masks, as Dropout does.")
        loss = model.loss.forward(y, y_pred, weights) + model.penalty()
        model.propagate(model.loss.backward(y, y_pred, weights))
        self.means.add(loss, y, y_pred, weights)
        xp.multiply(model.parameters.grad, share, out=out[:self.weights])
        for p, old, move in zip(self.kept, before, self._moves(out)):
            move[...] = share * (p.value - old)
            p.value = old
        out[self.loss_place] = share * loss

    def _moves(self, vector):
        """The pieces of the vector in which what layers keep moves."""
        start = self.weights
        for p in self.kept:
            yield vector[start:start + p.value.size].reshape(p.shape)
            start += p.value.size


def testing(model, data, means):
    """The function batch(size) for an `Epoch` that tests; returns the loss of this rank's shards."""
    def batch(size):
        same_batch("a batch to test", data, size)
        total, rows = 0.0, 0.0
        for share, samples in own_parts(model, data, means, size, train=False):
            if samples is not None:
                x, y, weights = samples
                loss, y_pred = model.test_step(x, y, weights)
                means.add(loss, y, y_pred, weights)
                total, rows = total + share * loss, rows + share
        return total / rows if rows else total

    return batch


class SharedMeans(RunningMeans):
    """The sums of each shard by itself, in a row of `sums`, the last number of which counts samples.

    So they do not depend on which rank has which shards.  In a pass `result` is about the shards of this rank.
    """

    def __init__(self, metrics):
        super().__init__(metrics)
        self.sums = xp.zeros((settings().shards, len(self.sums) + 1))
        self.shard = 0

    def add(self, loss, y_true, y_pred, weights=None):
        super().add(loss, y_true, y_pred, weights)
        self.sums[self.shard, -1:] += len(y_true)

    def sums_to_add_to(self):
        return self.sums[self.shard]

    def all_sums(self):
        first, count = own_shards()
        rows = np.zeros(self.sums.shape)
        rows[first:first + count] = to_numpy(self.sums[first:first + count])
        return add_up(rows)     # exact: a row is zero on all ranks but one

    def result(self):
        first, count = own_shards()
        sums = to_numpy(self.sums[first:first + count]).sum(axis=0).tolist()
        return self._means(sums[:-1], sums[-1])

    def total(self):
        return self._means(self.all_sums().sum(axis=0)[:-1].tolist(), self.samples)
