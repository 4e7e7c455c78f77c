"""The two loops of training: over epochs, and over the batches of each epoch."""
from __future__ import annotations

import math

from tinynet.backend import known_nonfinite
from tinynet.types import Any


def fit_epochs(model: Any, epochs: Any, train: Any, validate: Any, validation_epochs: Any, shuffle: bool | str,
               callbacks: Any) -> None:
    """Train a model for these epochs. `train` and `validate`, which may be None, are each an `Epoch`."""
    for epoch in epochs:
        callbacks.begin_epoch(epoch)
        train.data.shuffle(shuffle)
        model.strategy.begin_epoch(model, train, callbacks)
        logs = train.run(callbacks)                                         # a step for each batch
        if validate and train.finished and epoch + 1 in validation_epochs:
            logs = {f"val_{name}": value for name, value in validate.run(callbacks).items()} | logs
        callbacks.end_epoch(epoch, logs)
        if model.stop_training:
            break


class Epoch:
    """One pass over the data, batch by batch.

    Parameters
        stage: "train" or "test".
        run_batch: a function of the size of the next batch that works on it, by a training step or a test step, and
            returns its loss.
        data: a `Dataset` or a `Stream`.
        means: the `RunningMeans` of loss and metrics.
        stop: a function that is called after each batch, or None; True ends the pass.
    """

    def __init__(self, stage: str, run_batch: Any, data: Any, means: Any, stop: Any = None):
        self.stage, self.run_batch, self.data, self.means = stage, run_batch, data, means
        self.stop: Any = stop or (lambda: False)
        self.on_nonfinite_loss: Any = None      # called with batch and loss if the loss is NaN or infinite
        self.finished: bool = False             # whether the last pass took all batches

    def run(self, callbacks: Any) -> dict[str, Any]:
        """One pass; returns the means of loss and metrics over its samples."""
        first, steps = self.data.start, self.data.steps     # a Sequence may have another length after its pass
        if not first:
            self.means.reset()
        if self.stage == "test":
            callbacks("on_test_begin", {})
        for batch, size in enumerate(() if first and self.stop() else self.data.batches(), first):
            logs = {"batch": batch, "size": size}
            callbacks(f"on_{self.stage}_batch_begin", batch, logs)
            loss = self.run_batch(size)
            if self.on_nonfinite_loss and known_nonfinite(loss):
                self.on_nonfinite_loss(batch, loss)
            self.means.samples += size
            self.means.batches += 1
            if callbacks.listen_to(f"on_{self.stage}_batch_end"):
                callbacks(f"on_{self.stage}_batch_end", batch, logs | self.means.result() | {"loss": float(loss)})
            callbacks("progress", self.means)
            if self.stop():
                break
        self.finished = self.means.batches == steps
        result = self.means.total()
        if self.on_nonfinite_loss and not math.isfinite(result["loss"]):     # a loss that was not known earlier
            self.on_nonfinite_loss(first + self.means.finite_batches(), result["loss"])
        if self.stage == "test":
            callbacks("on_test_end", {})
        return result
