"""Metric: accumulators that are summed over the batches of an epoch, and the result computed from the sums.

A mean of the means of batches would give a short last batch too much weight. So a metric sums over samples, and divides
at the end.
"""
from __future__ import annotations

import math

import numpy as np

from tinynet.backend import floatx, to_numpy, unique_name, xp
from tinynet.registry import Configurable, lookup, serialize
from tinynet.types import Any, Array, ArrayLike, Config, Function
from tinynet.validation import aligned_weights, as_pair


class Metric(Configurable):
    """The base class. Your own defines `update(y_true, y_pred, sample_weight)`, which returns what a batch adds to each
    of its `num_accumulators` sums, and `compute(*sums)`, the result. The default name is "my_metric_1" and so on.

    A model sums over batches by itself. By hand: `update_state(y_true, y_pred)` for each batch, then `result()`;
    `reset_states()` starts again; calling the metric does the first two. A sample_weight of one number counts for every
    value (with it Keras 2.3.1 divides by the number alone: an accuracy of 4).

    Source: keras/metrics.py of Keras 2.3.1.
    """

    num_accumulators = 2
    inputs = 2              # arrays of a batch
    takes_classes = False   # whether y_true may be integer classes, one for each row of y_pred
    higher_is_better: bool | None = None    # None: it cannot know

    def __init__(self, name: str | None = None, dtype: Any = None):
        self.name: str = name or unique_name(type(self).__name__)
        self.dtype: str = dtype or floatx()
        self.reset_states()

    def update(self, *arrays: Any, **weights: Any) -> tuple[Any, ...]:
        raise NotImplementedError(f"{type(self).__name__} must define update(y_true, y_pred, sample_weight).")

    def compute(self, *sums: Any) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define compute(*sums).")

    def reset_states(self) -> None:
        self.totals: Any = [0.0] * self.num_accumulators

    def update_state(self, *arrays: Any, sample_weight: ArrayLike = None) -> None:
        if len(arrays) == self.inputs + 1 and sample_weight is None:
            *arrays, sample_weight = arrays         # type: ignore[assignment]
        if len(arrays) != self.inputs:
            raise TypeError(f"{self.name} takes {self.inputs} arrays for a batch and sample_weight, got {len(arrays)}.")
        given = [xp.asarray(a, dtype=floatx()) for a in arrays]
        if self.inputs == 2:
            given = as_pair(given[0], given[1], self.takes_classes, self.name)
        weights = None if sample_weight is None else xp.asarray(sample_weight, dtype=floatx())
        amounts = np.concatenate([np.ravel(to_numpy(term)) for term in self.update(*given, weights)]).tolist()
        self.totals = [total + amount for total, amount in zip(self.totals, amounts)]

    def result(self) -> Any:
        return self.compute(*self.totals)

    def __call__(self, *arrays: Any, sample_weight: ArrayLike = None) -> Any:
        self.update_state(*arrays, sample_weight=sample_weight)
        return self.result()

    def weighted(self, values: Array, weights: Any) -> Array:
        """Values times weights.  Raises ValueError for weights of another shape, like `aligned_weights`."""
        return values * aligned_weights(weights, values, self.name)


class Sum(Metric):
    """sum w v, of values v.

    >>> total = Sum(); total([1, 3, 5, 7]), total([1.0])
    (16.0, 17.0)
    """

    num_accumulators = inputs = 1

    def __init__(self, name: str | None = "sum", dtype: Any = None):
        super().__init__(name, dtype)

    def update(self, values: Array, sample_weight: ArrayLike = None) -> tuple[Any, ...]:
        return (_total(values if sample_weight is None else self.weighted(values, sample_weight)),)

    def compute(self, total: float) -> float:
        return total


class Ratio(Metric):
    """total / count, of two sums; 0 if the count is 0."""

    def compute(self, total: float, count: float) -> float:
        return total / count if count else 0.0

    def mean_of(self, values: Array, weights: Any) -> tuple[Any, ...]:
        """sum w v and sum w."""
        if weights is None:
            return _total(values), values.size
        each = self.weighted(xp.ones_like(values, dtype=weights.dtype), weights)
        return _total(values * each), _total(each)


class Mean(Ratio):
    """sum w v / sum w, of values v; 0 without any.

    >>> mean = Mean(); mean([1, 3, 5, 7]), mean([9.0], sample_weight=[4.0])
    (4.0, 6.5)
    """

    inputs = 1

    def __init__(self, name: str | None = "mean", dtype: Any = None):
        super().__init__(name, dtype)

    def update(self, values: Array, sample_weight: ArrayLike = None) -> tuple[Any, ...]:
        return self.mean_of(values, sample_weight)


def _total(values):
    return values.sum(dtype=float)


class MeanMetricWrapper(Ratio):
    """The mean over samples of a function f(y_true, y_pred).

    >>> from tinynet.metrics import categorical_accuracy
    >>> MeanMetricWrapper(categorical_accuracy)([[0, 1], [0, 1]], [[0.2, 0.8], [0.9, 0.1]])
    0.5
    """

    functions: dict[str, Any] = {}      # by name: those of `tinynet.metrics`

    def __init__(self, fn: Function, name: str | None = None, dtype: Any = None, **arguments: Any):
        super().__init__(name or getattr(fn, "__name__", type(fn).__name__), dtype)
        self.fn = fn
        self.function = fn
        self.takes_classes: Any = getattr(fn, "takes_classes", False)
        self.higher_is_better: Any = getattr(fn, "higher_is_better", None)
        self.arguments = arguments
        for argument, value in arguments.items():
            setattr(self, argument, value)

    def get_config(self) -> Config:
        fn = {"fn": serialize(self.fn)} if type(self) is MeanMetricWrapper else {}
        return fn | {"name": self.name, "dtype": self.dtype} | self.arguments

    @classmethod
    def from_config(cls, config: Config) -> Any:
        """The metric of what `get_config` returned."""
        fn = {"fn": lookup("metric function", config["fn"], cls.functions)} if "fn" in config else {}
        return cls(**config | fn)

    def update(self, y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> tuple[Any, ...]:
        return self.mean_of(xp.asanyarray(self.function(y_true, y_pred, **self.arguments)), sample_weight)


class RootMeanSquaredError(Ratio):
    """sqrt(sum w (p - t)^2 / sum w)

    >>> RootMeanSquaredError()([[0.0, 0.0]], [[0.0, 2.0]]).__round__(4)
    1.4142
    """

    higher_is_better: bool = False

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype)

    def update(self, y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> tuple[Any, ...]:
        return self.mean_of((y_pred - y_true) ** 2, sample_weight)

    def compute(self, total: float, count: float) -> float:
        return math.sqrt(super().compute(total, count))
