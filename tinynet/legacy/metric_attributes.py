"""What Keras's metrics show of their sums: metric.weights, metric.total, metric.true_positives."""
from __future__ import annotations

import numpy as np

from tinynet.metrics import Metric
from tinynet.types import Any


def sums_of(metric: Any, name: str) -> Any:
    """An attribute that a metric does not have: its sums of this name, or all in a list as `weights`.

    Raises AttributeError for any other.
    """
    names = getattr(type(metric), "cells", ("total", "count")[:metric.num_accumulators])
    if name == "weights":
        return [sums_of(metric, each) for each in names]
    if name not in names:
        raise AttributeError(f"{type(metric).__name__} has no attribute {name!r}.")
    return np.reshape(metric.totals, (len(names), -1))[names.index(name)]


setattr(Metric, "__getattr__", sums_of)
setattr(Metric, "stateful", True)
