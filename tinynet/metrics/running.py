"""RunningMeans: the loss and the metrics of a model, accumulated over the batches of an epoch."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinynet.backend import to_numpy, xp
from tinynet.metrics.base import Metric
from tinynet.types import Any, Array


class Reported(NamedTuple):
    """A metric as a model reports it."""

    name: str               # in the logs
    metric: Metric
    weighted: bool          # whether sample weights count


class RunningMeans:
    """The mean of the loss, and the results of metrics, over all samples since `reset`.

    The sums stay on the device of the arrays; `result` copies them to the CPU.
    Source: BaseLogger in keras/callbacks/callbacks.py of Keras 2.3.1.

    >>> from tinynet.metrics import CategoricalAccuracy
    >>> means = RunningMeans([Reported("accuracy", CategoricalAccuracy(), weighted=False)])
    >>> means.add(0.25, xp.array([[0, 1], [0, 1]]), xp.array([[0.2, 0.8], [0.9, 0.1]]))
    >>> means.samples += 2
    >>> means.result()
    {'loss': 0.25, 'accuracy': 0.5}
    """

    def __init__(self, metrics: Any):
        self.metrics = metrics
        self.sums: Array = xp.zeros(1 + sum(reported.metric.num_accumulators for reported in metrics))
        self.finite: Array = xp.zeros(1)    # how many batches came before the first whose loss is NaN or infinite
        self.samples = self.batches = 0

    def reset(self) -> None:
        self.sums[...] = self.finite[...] = 0
        self.samples = self.batches = 0

    def add(self, loss: Any, y_true: Array, y_pred: Array, weights: Any = None) -> None:
        """Add a batch to the sums; the caller counts it in `samples` and `batches`."""
        terms = [xp.multiply(loss, len(y_true), dtype=float)]
        for _, metric, weighted in self.metrics:
            terms += metric.update(y_true, y_pred, weights if weighted else None)
        sums, finite = self.accumulators()
        start = 0
        for term in terms:
            part = slice(start, start + getattr(term, "size", 1))
            xp.add(sums[part], term, out=sums[part])
            start = part.stop
        finite += xp.isfinite(sums[:1])     # stops counting at the first NaN or infinity

    def accumulators(self) -> tuple[Array, Array]:
        """The arrays, 1-D, that `add` adds to: `sums` and `finite`."""
        return self.sums, self.finite

    def finite_batches(self) -> int:
        """How many batches came before the first whose loss is NaN or infinite, once there is one."""
        return int(to_numpy(self.finite)[~np.isfinite(to_numpy(self.sums)[..., :1])].min(initial=self.batches - 1))

    def result(self) -> dict[str, Any]:
        """The means so far."""
        return self._means(to_numpy(self.sums).tolist(), self.samples)

    def total(self) -> dict[str, Any]:
        """The means at the end of an epoch."""
        return self.result()

    def state(self) -> np.ndarray:
        """A copy of the sums, from which `sums` can be set again."""
        return to_numpy(self.sums)

    def _means(self, sums, samples):
        values, start = {"loss": sums[0] / max(samples, 1)}, 1
        for name, metric, _ in self.metrics:
            metric.totals = sums[start:start + metric.num_accumulators]
            values[name] = np.asarray(metric.result(), dtype=float).tolist()     # a float, or a list
            start += metric.num_accumulators
        return values
