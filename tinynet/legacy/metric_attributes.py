"""What Keras's metrics show of their sums: metric.weights, metric.true_positives."""
from __future__ import annotations

import functools

import numpy as np

from tinynet.metrics import Metric

CELLS = "true_positives", "false_positives", "true_negatives", "false_negatives"


def names(metric):
    """The names of its sums."""
    return getattr(metric, "cells", ("total", "count")[:metric.num_accumulators])


def sums(metric, name):
    """The sums of this name, an array.  Raises AttributeError if it has none."""
    if name not in names(metric):
        raise AttributeError(f"{type(metric).__name__} has no {name!r}.")
    return np.reshape(metric.totals, (len(names(metric)), -1))[names(metric).index(name)]


def all_sums(metric):
    """The sums, an array for each name."""
    return [sums(metric, name) for name in names(metric)]


for name in ("total", "count", *CELLS):
    setattr(Metric, name, property(functools.partial(sums, name=name)))
setattr(Metric, "weights", property(all_sums))
setattr(Metric, "stateful", True)
