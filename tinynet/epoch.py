"""One pass over a data set, batch by batch, as often as it is asked for.

It must not know what a step does; it takes the step that it was given.
"""
from __future__ import annotations

from typing import Any

from tinynet.cuda_graph import recorded
from tinynet.metrics import RunningMeans

__all__ = ["Epoch"]


class Epoch:
    """The loop over batches, around `step(x, y, weights)`, which returns the loss and the prediction.

    Parameters
        step: a training step or a test step.
        data: a `Dataset`.
        batch_size: samples in a batch; the last may be shorter.
        metrics: what to average over the samples, besides the loss.
        memory: a function that lists the arrays which the step keeps from batch to batch.
    """

    def __init__(self, step, data, batch_size, metrics, memory):
        self.step = step
        self.data = data
        self.batch_size = batch_size
        self.means = RunningMeans(metrics)
        self._on_device = recorded(self._batch, memory)

    def run(self, stage, callbacks, stopped=lambda: False) -> dict[str, float]:
        """One pass; returns the means of loss and metrics over all samples seen.

        `stage` is "train" or "test" in the callbacks' hooks.  The pass ends early when `stopped()` after a batch.
        """
        self.means.reset()
        self.data.rewind()
        for batch, start in enumerate(range(0, len(self.data), self.batch_size)):
            size = min(self.batch_size, len(self.data) - start)
            logs: dict[str, Any] = {"batch": batch, "size": size}
            callbacks(f"on_{stage}_batch_begin", batch, logs)
            loss = self._on_device(size)
            self.means.samples += size
            if callbacks.listen_to(f"on_{stage}_batch_end"):
                callbacks(f"on_{stage}_batch_end", batch, logs | self.means.result() | {"loss": float(loss)})
            callbacks("progress", self.means)
            if stopped():
                break
        return self.means.result()

    def _batch(self, size):
        """All work on the arrays of one batch; it asks for no number, so a GPU can run ahead, or replay it."""
        x, y, weights = self.data.next(size)
        loss, y_pred = self.step(x, y, weights)
        self.means.add(loss, y, y_pred)
        return loss
