"""Metric: accumulators that are summed over the batches of an epoch, and the result computed from the sums.

A mean of the means of batches would give a short last batch too much weight. So a metric sums over samples, and divides
at the end.
"""
from __future__ import annotations

import math
from typing import Any

from tinynet.backend import floatx, unique_name, xp
from tinynet.losses.base import as_pair
from tinynet.registry import Configurable, lookup, serialize
from tinynet.validation import number, whole_number


class Metric(Configurable):
    """The base class. Your own defines `update(y_true, y_pred, sample_weight)`, which returns what a batch adds to each
    of its `num_accumulators` sums, and `compute(*sums)`, the result. The default name is "my_metric_1" and so on.

    A model sums over batches by itself. By hand: `update_state(y_true, y_pred)` for each batch, then `result()`;
    `reset_states()` starts again; calling the metric does the first two.

    Source: keras/metrics.py of Keras 2.3.1.
    """

    num_accumulators = 2
    inputs = 2              # arrays of a batch
    takes_classes = False   # whether y_true may be integer classes, one for each row of y_pred

    def __init__(self, name=None, dtype=None):
        self.name = name or unique_name(type(self).__name__)
        self.dtype = dtype
        self.reset_states()

    def update(self, *arrays: Any, **weights: Any) -> tuple:
        raise NotImplementedError(f"{type(self).__name__} must define update(y_true, y_pred, sample_weight).")

    def compute(self, *sums: Any) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define compute(*sums).")

    def reset_states(self):
        self.totals = [0.0] * self.num_accumulators

    def update_state(self, *arrays, sample_weight=None):
        if len(arrays) == self.inputs + 1 and sample_weight is None:
            *arrays, sample_weight = arrays         # type: ignore[assignment]
        if len(arrays) != self.inputs:
            raise TypeError(f"{self.name} takes {self.inputs} arrays for a batch and sample_weight, got {len(arrays)}.")
        given = [xp.asarray(a, dtype=floatx()) for a in arrays]
        if self.inputs == 2:
            given = as_pair(given[0], given[1], self.takes_classes, self.name)
        weights = None if sample_weight is None else xp.asarray(sample_weight, dtype=floatx())
        self.totals = [total + float(amount) for total, amount in zip(self.totals, self.update(*given, weights))]

    def result(self) -> float:
        return self.compute(*self.totals)

    def __call__(self, *arrays, sample_weight=None) -> float:
        self.update_state(*arrays, sample_weight=sample_weight)
        return self.result()


def _weighted(values, weights):
    """Values times weights, one for each sample or for each value."""
    return values * weights.reshape(*weights.shape, *[1] * (values.ndim - weights.ndim))


class Sum(Metric):
    """sum w v, of values v.

    >>> total = Sum(); total([1, 3, 5, 7]), total([1.0])
    (16.0, 17.0)
    """

    num_accumulators = inputs = 1

    def __init__(self, name="sum", dtype=None):
        super().__init__(name, dtype)

    def update(self, values, sample_weight=None):
        return (_total(values if sample_weight is None else _weighted(values, sample_weight)),)

    def compute(self, total):
        return total


class Ratio(Metric):
    """total / count, of two sums; 0 if the count is 0."""

    def compute(self, total, count):
        return total / count if count else 0.0


class Mean(Ratio):
    """sum w v / sum w, of values v; 0 without any.

    >>> mean = Mean(); mean([1, 3, 5, 7]), mean([9.0], sample_weight=[4.0])
    (4.0, 6.5)
    """

    inputs = 1

    def __init__(self, name="mean", dtype=None):
        super().__init__(name, dtype)

    def update(self, values, sample_weight=None):
        return _of_mean(values, sample_weight)


def _of_mean(values, weights):
    """sum w v and sum w."""
    if weights is None:
        return _total(values), values.size
    each = _weighted(xp.ones_like(values, dtype=weights.dtype), weights)
    return _total(values * each), _total(each)


def _total(values):
    return values.sum(dtype=float)


class MeanMetricWrapper(Ratio):
    """The mean over samples of a function f(y_true, y_pred).

    >>> from tinynet.metrics import categorical_accuracy
    >>> MeanMetricWrapper(categorical_accuracy)([[0, 1], [0, 1]], [[0.2, 0.8], [0.9, 0.1]])
    0.5
    """

    functions: dict[str, Any] = {}      # by name: those of `tinynet.metrics`

    def __init__(self, fn, name=None, dtype=None, **arguments):
        super().__init__(name or getattr(fn, "__name__", type(fn).__name__), dtype)
        self.fn = self.function = fn
        self.takes_classes = getattr(fn, "takes_classes", False)
        self.arguments = arguments
        for argument, value in arguments.items():
            setattr(self, argument, value)

    def get_config(self):
        fn = {"fn": serialize(self.fn)} if type(self) is MeanMetricWrapper else {}
        return fn | {"name": self.name, "dtype": self.dtype} | self.arguments

    @classmethod
    def from_config(cls, config):
        """The metric of what `get_config` returned."""
        fn = {"fn": lookup("metric function", config["fn"], cls.functions)} if "fn" in config else {}
        return cls(**config | fn)

    def update(self, y_true, y_pred, sample_weight=None):
        return _of_mean(xp.asanyarray(self.function(y_true, y_pred, **self.arguments)), sample_weight)


class RootMeanSquaredError(Ratio):
    """sqrt(sum w (p - t)^2 / sum w)

    >>> RootMeanSquaredError()([[0.0, 0.0]], [[0.0, 2.0]]).__round__(4)
    1.4142
    """

    def __init__(self, name="root_mean_squared_error", dtype=None):
        super().__init__(name, dtype)

    def update(self, y_true, y_pred, sample_weight=None):
        return _of_mean((y_pred - y_true) ** 2, sample_weight)

    def compute(self, total, count):
        return math.sqrt(super().compute(total, count))


class _Share(Metric):
    """True positives / (true positives + others), for a threshold, the k most probable outputs, or one class."""

    others: Any     # (true, positive): the false positives, or the false negatives

    def __init__(self, thresholds=None, top_k=None, class_id=None, name=None, dtype=None):
        super().__init__(name, dtype)
        self.thresholds = None if thresholds is None else number("thresholds", thresholds, below=1 + 1e-12)
        self.top_k = None if top_k is None else whole_number("top_k", top_k, least=1)
        self.class_id = None if class_id is None else whole_number("class_id", class_id, least=0)

    def update(self, y_true, y_pred, sample_weight=None):
        positive = y_pred > (0.5 if self.thresholds is None else self.thresholds)
        if self.top_k:
            order = xp.argsort(xp.argsort(-y_pred, axis=-1, kind="stable"), axis=-1)
            positive = (order < self.top_k) & (positive if self.thresholds is not None else True)
        true = y_true.astype(bool)
        if self.class_id is not None:
            true, positive = true[..., self.class_id], positive[..., self.class_id]
        pair = (true & positive).astype(float), self.others(true, positive).astype(float)
        return tuple(_total(each if sample_weight is None else _weighted(each, sample_weight)) for each in pair)

    def compute(self, right, wrong):
        return right / (right + wrong) if right + wrong else 0.0


class Precision(_Share):
    """true positives / (true positives + false positives); 0 without predicted positives.

    Parameters
        thresholds: outputs above it are positive; one number from 0 to 1, 0.5 by default.
        top_k: only the k largest outputs of a sample are positive.
        class_id: only this output counts.

    >>> Precision()([0, 1, 1, 1], [1, 0, 1, 1]).__round__(4)
    0.6667
    """

    @staticmethod
    def others(true, positive):
        return ~true & positive


class Recall(_Share):
    """true positives / (true positives + false negatives); 0 without true classes.

    Parameters as for `Precision`.

    >>> Recall()([0, 1, 1, 1], [1, 0, 1, 0]).__round__(4)
    0.3333
    """

    @staticmethod
    def others(true, positive):
        return true & ~positive
