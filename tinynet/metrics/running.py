"""What a model reports of a pass over data, batch by batch; it must not know where the batches come from."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinynet.backend import to_numpy, xp
from tinynet.metrics.sums import Metric

__all__ = ["Reported", "RunningMeans"]


class Reported(NamedTuple):
    """A metric as a model reports it."""

    name: str               # in the logs
    metric: Metric
    weighted: bool          # whether sample weights count


class RunningMeans:
    """The mean of the loss and the values of metrics, over all samples since `reset`.

    The sums stay where the arrays are; `result` fetches them.
    Source: BaseLogger in keras/callbacks/callbacks.py of Keras 2.3.1.

    >>> from tinynet.metrics import CategoricalAccuracy
    >>> means = RunningMeans([Reported("accuracy", CategoricalAccuracy(), weighted=False)])
    >>> means.add(0.25, xp.array([[0, 1], [0, 1]]), xp.array([[0.2, 0.8], [0.9, 0.1]]))
    >>> means.samples += 2
    >>> means.result()
    {'loss': 0.25, 'accuracy': 0.5}
    """

    def __init__(self, metrics):
        self.metrics = metrics
        self.sums = xp.zeros(1 + sum(reported.metric.sums for reported in metrics))
        self.samples = self.batches = 0

    def reset(self):
        self.sums[...] = 0
        self.samples = self.batches = 0

    def add(self, loss, y_true, y_pred, weights=None):
        """One more batch; it is still to be counted in `samples` and `batches`."""
        amounts = [xp.multiply(loss, len(y_true), dtype=float)]
        for _, metric, weighted in self.metrics:
            amounts += metric.amounts(y_true, y_pred, weights if weighted else None)
        sums = self.sums_to_add_to()
        for i, amount in enumerate(amounts):
            total = sums[i:i + 1]
            total += amount

    def sums_to_add_to(self):
        """The array, 1-D, that `add` adds to."""
        return self.sums

    def result(self) -> dict[str, float]:
        """The means so far."""
        return self._means(to_numpy(self.sums).tolist(), self.samples)

    def total(self) -> dict[str, float]:
        """The means at the end of a pass."""
        return self.result()

    def all_sums(self) -> np.ndarray:
        """The sums as a copy in the CPU's memory, from which `sums` can be set again."""
        return to_numpy(self.sums)

    def _means(self, sums, samples):
        values, start = {"loss": sums[0] / max(samples, 1)}, 1
        for name, metric, _ in self.metrics:
            metric.totals = sums[start:start + metric.sums]
            values[name] = float(np.float64(metric.result()))
            start += metric.sums
        return values
