"""One pass over a data set: the loop over its batches.

It must not know what a step does; it takes the step that it was given.
"""
from __future__ import annotations

import math
from typing import Any

from tinynet.backend import on_gpu
from tinynet.cuda_graph import recorded

__all__ = ["Epoch", "whole_batches"]


def whole_batches(step, data, means, memory, constants):
    """The function batch(size), which takes a step on the next batch of the data and returns the loss.

    Parameters
        step: `step(x, y, weights)`, a training step or a test step, which returns the loss and the prediction.
        memory, constants: functions that list the arrays which the step keeps from batch to batch, and its numbers.
    """
    def batch(size):
        """All work on the arrays of one batch; it asks for no number, so a GPU can run ahead, or replay it."""
        x, y, weights = data.next(size)
        loss, y_pred = step(x, y, weights)
        means.add(loss, y, y_pred, weights)
        return loss

    return recorded(batch, memory, constants)


class Epoch:
    """The loop over batches, around `batch(size)`, which works on the next one and returns its loss.

    Parameters
        batch: such a function, of `whole_batches`, or of `data_parallel`, where processes share each batch.
        data: a `Dataset` or a `Stream`.
        means: the `RunningMeans` of what is to be averaged.
        lost: called with the batch and its loss where that is not finite; None lets it be.
    """

    def __init__(self, batch, data, means, lost=None):
        self._batch = batch
        self.data = data
        self.means = means
        self.lost = lost
        self.finished = False       # whether the last pass took in all batches

    def run(self, stage, callbacks, stopped=lambda: False, first=0) -> dict[str, float]:
        """One pass; returns the means of loss and metrics over all samples seen.

        `stage` is "train" or "test" in the callbacks' hooks.  The pass ends early when `stopped()` after a batch.  From
        batch number `first` on it is the rest of a pass, of which the means hold what was before.
        """
        if not first:
            self.means.reset()
        steps = self.data.steps     # a Sequence may have another length once its pass is over
        over = first and stopped()      # an earlier run was told to stop after these batches
        for batch, size in enumerate(() if over else self.data.batches(first), first):
            logs: dict[str, Any] = {"batch": batch, "size": size}
            callbacks(f"on_{stage}_batch_begin", batch, logs)
            loss = self._batch(size)
            if self.lost is not None and not on_gpu and not math.isfinite(loss):
                self.lost(batch, loss)
            self.means.samples += size
            self.means.batches += 1
            if callbacks.listen_to(f"on_{stage}_batch_end"):
                callbacks(f"on_{stage}_batch_end", batch, logs | self.means.result() | {"loss": float(loss)})
            callbacks("progress", self.means)
            if stopped():
                break
        self.finished = self.means.batches == steps
        result = self.means.total()
        if self.lost is not None and not math.isfinite(result["loss"]):     # a GPU was not waited for earlier
            self.lost(self.means.batches - 1, result["loss"])
        return result
