"""Metrics of the confusion matrix: how many positive and negative labels have outputs above a threshold.

    positive   above: true positives,  below: false negatives
    negative   above: false positives, below: true negatives
"""
from __future__ import annotations

import numpy as np

from tinynet.backend import epsilon, xp
from tinynet.metrics.base import Metric
from tinynet.types import Any, Array, Config
from tinynet.validation import find, number, whole_number


class ConfusionMetric(Metric):
    """The base class: it sums the `cells` of the matrix at each threshold, and computes the result by `ratio(*cells)`.

    Parameters
        thresholds: outputs above it are positive; a number from 0 to 1, 0.5 by default, or a list. The result for a
            list is an array, a number for each.
        top_k: only the k largest outputs of a sample are positive.
        class_id: only this output counts.

    Raises ValueError for a threshold outside [0, 1], a top_k below 1 and a class_id below 0.
    Source: keras/metrics.py and keras/utils/metrics_utils.py of Keras 2.3.1.
    """

    cells: tuple[str, ...] = ()

    def __init__(self, thresholds: Any = None, top_k: Any = None, class_id: int | None = None, name: str | None = None,
                 dtype: Any = None):
        self.thresholds = thresholds
        default = [0.5 if top_k is None else -1e10]
        self.levels: Any = default if thresholds is None else levels(thresholds)
        self.top_k: int | None = None if top_k is None else whole_number("top_k", top_k, least=1)
        self.class_id: int | None = None if class_id is None else whole_number("class_id", class_id, least=0)
        self._prepare(name, dtype)

    def _prepare(self, name, dtype):
        self.num_accumulators: Any = len(self.cells) * len(self.levels)
        self._levels = xp.array(self.levels).reshape(-1, 1)
        super().__init__(name, dtype)

    def update(self, y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> tuple[Any, ...]:
        if self.top_k:
            order = xp.argsort(xp.argsort(-y_pred, axis=-1, kind="stable"), axis=-1)
            y_pred = xp.where(order < self.top_k, y_pred, -xp.inf)
        weights = None if sample_weight is None else self.weighted(xp.ones_like(y_pred), sample_weight)
        if self.class_id is not None:
            y_true, y_pred = y_true[..., self.class_id], y_pred[..., self.class_id]
            weights = None if weights is None else weights[..., self.class_id]
        true = y_true.astype(bool).reshape(1, -1)
        above = y_pred.reshape(1, -1) > self._levels.astype(y_pred.dtype)       # (levels, N)
        found = {"true_positives": (true, above), "false_positives": (~true, above), "true_negatives": (~true, ~above),
                 "false_negatives": (true, ~above)}
        counts = [(found[cell][0] & found[cell][1]).astype(float) for cell in self.cells]
        return tuple((each if weights is None else each * weights.reshape(1, -1)).sum(axis=1) for each in counts)

    def compute(self, *sums: Any) -> Any:
        result = self.ratio(*np.reshape(sums, (len(self.cells), len(self.levels))))
        return result if np.size(result) > 1 else float(np.ravel(result)[0])

    def ratio(self, *cells: Any) -> Any:
        """The result of the cells: by default the only one, or the share of the first of two."""
        return share(*cells) if len(cells) == 2 else cells[0]


def share(part: Array, rest: Array) -> Array:
    """part / (part + rest), 0 where both are 0."""
    total = part + rest
    return np.divide(part, total, out=np.zeros_like(part), where=total > 0)


def levels(thresholds: Any) -> list[float]:
    """A list of thresholds, each from 0 to 1."""
    given = thresholds if isinstance(thresholds, (list, tuple)) else [thresholds]
    if not given:
        raise ValueError("thresholds must be a number or a list of them, got an empty list.")
    return [number("thresholds", level, most=1) for level in given]


class Precision(ConfusionMetric):
    """true positives / (true positives + false positives); 0 without predicted positives.

    Parameters as for `ConfusionMetric`.

    >>> Precision()([0, 1, 1, 1], [1, 0, 1, 1]).__round__(4)
    0.6667
    """

    cells: tuple[str, ...] = "true_positives", "false_positives"
    higher_is_better: bool | None = True


class Recall(ConfusionMetric):
    """true positives / (true positives + false negatives); 0 without positive labels.

    Parameters as for `ConfusionMetric`.

    >>> Recall()([0, 1, 1, 1], [1, 0, 1, 0]).__round__(4)
    0.3333
    """

    cells: tuple[str, ...] = "true_positives", "false_negatives"
    higher_is_better: bool | None = True


class Count(ConfusionMetric):
    """The base class of those that count one cell, weighted.  thresholds: as for `ConfusionMetric`."""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(thresholds, name=name, dtype=dtype)


class TruePositives(Count):
    """The number of positive labels whose output is above the threshold, weighted."""

    cells: tuple[str, ...] = ("true_positives",)
    higher_is_better: bool | None = True


class FalsePositives(Count):
    """The number of negative labels whose output is above the threshold, weighted."""

    cells: tuple[str, ...] = ("false_positives",)
    higher_is_better: bool | None = False


class TrueNegatives(Count):
    """The number of negative labels whose output is not above the threshold, weighted."""

    cells: tuple[str, ...] = ("true_negatives",)
    higher_is_better: bool | None = True


class FalseNegatives(Count):
    """The number of positive labels whose output is not above the threshold, weighted."""

    cells: tuple[str, ...] = ("false_negatives",)
    higher_is_better: bool | None = False


class CurveMetric(ConfusionMetric):
    """The base class of metrics of all four cells at many thresholds, from 0 to 1: a curve."""

    cells: tuple[str, ...] = "true_positives", "false_positives", "true_negatives", "false_negatives"
    higher_is_better: bool | None = True

    def __init__(self, levels: list[float], name: str | None, dtype: Any):
        self.top_k: int | None = None
        self.class_id: int | None = None
        self.levels = levels
        self.thresholds = levels
        self.num_thresholds: int = len(levels)
        self._prepare(name, dtype)


def spread(num_thresholds: int) -> list[float]:
    """So many thresholds from just below 0 to just above 1; 0.5 if it is a single one."""
    count = whole_number("num_thresholds", num_thresholds, least=1)
    return [0.5] if count == 1 else with_ends([(i + 1) / (count - 1) for i in range(count - 2)])


def with_ends(between: list[float]) -> list[float]:
    """Thresholds, and those that all outputs and none are above."""
    return [-epsilon(), *between, 1 + epsilon()]


class AUC(CurveMetric):
    """The area under a curve: recall over the rate of false positives (ROC), or precision over recall (PR).

    Parameters
        num_thresholds: at which the curve is known, 200 by default; or thresholds, a list of those between 0 and 1.
        curve: "ROC" or "PR".
        summation_method: between two thresholds the curve is a line ("interpolation"; on PR as in Davis and Goadrich,
            ICML 2006), or its lower end ("minoring"), or its higher one ("majoring").

    Raises ValueError for fewer than two thresholds, one outside [0, 1], and an unknown curve or method.
    Source: keras/metrics.py of Keras 2.3.1.

    >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.75
    """

    def __init__(self, num_thresholds: int = 200, curve: str = "ROC", summation_method: str = "interpolation",
                 name: str | None = None, dtype: Any = None, thresholds: Any = None):
        find("curve", curve, dict.fromkeys(("ROC", "PR")))
        find("summation_method", summation_method, dict.fromkeys(("interpolation", "minoring", "majoring")))
        self.curve, self.summation_method = curve, summation_method
        if thresholds is None:
            whole_number("num_thresholds", num_thresholds, least=2)
        super().__init__(spread(num_thresholds) if thresholds is None else with_ends(sorted(levels(thresholds))), name,
                         dtype)

    def get_config(self) -> Config:
        return super().get_config() | {"thresholds": self.thresholds[1:-1]}

    def ratio(self, tp: Array, fp: Array, tn: Array, fn: Array) -> Array:
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._interpolated(tp, fp, fn)
        x, y = (share(fp, tn), share(tp, fn)) if self.curve == "ROC" else (share(tp, fn), share(tp, fp))
        heights = {"interpolation": (y[:-1] + y[1:]) / 2, "minoring": np.minimum(y[:-1], y[1:]),
                   "majoring": np.maximum(y[:-1], y[1:])}
        return ((x[:-1] - x[1:]) * heights[self.summation_method]).sum()

    def _interpolated(self, tp, fp, fn):
        """The integral of precision over recall, if tp and p = tp + fp move on lines between two thresholds."""
        p = tp + fp
        dtp, dp = tp[:-1] - tp[1:], p[:-1] - p[1:]
        slope = np.divide(dtp, dp, out=np.zeros_like(dtp), where=dp > 0)
        both = (p[:-1] > 0) & (p[1:] > 0)
        log_ratio = np.log(np.divide(p[:-1], p[1:], out=np.ones_like(dtp), where=both))
        area = slope * (dtp + (tp[1:] - slope * p[1:]) * log_ratio)
        total = tp[1:] + fn[1:]
        return np.divide(area, total, out=np.zeros_like(area), where=total > 0).sum()


class SensitivityAtSpecificity(CurveMetric):
    """The recall, tp / (tp + fn), at the threshold where tn / (tn + fp) is nearest to `specificity`, from 0 to 1.

    num_thresholds: of which the nearest is taken.  Raises ValueError for a number out of range.
    Source: keras/metrics.py of Keras 2.3.1.
    """

    def __init__(self, specificity: Any, num_thresholds: int = 200, name: str | None = None, dtype: Any = None):
        self.specificity: float = number("specificity", specificity, most=1)
        super().__init__(spread(num_thresholds), name, dtype)

    def ratio(self, tp: Array, fp: Array, tn: Array, fn: Array) -> Array:
        return share(tp, fn)[np.argmin(abs(share(tn, fp) - self.specificity))]


class SpecificityAtSensitivity(CurveMetric):
    """tn / (tn + fp), at the threshold where the recall, tp / (tp + fn), is nearest to `sensitivity`, from 0 to 1.

    num_thresholds: of which the nearest is taken.  Raises ValueError for a number out of range.
    Source: keras/metrics.py of Keras 2.3.1.
    """

    def __init__(self, sensitivity: Any, num_thresholds: int = 200, name: str | None = None, dtype: Any = None):
        self.sensitivity: float = number("sensitivity", sensitivity, most=1)
        super().__init__(spread(num_thresholds), name, dtype)

    def ratio(self, tp: Array, fp: Array, tn: Array, fn: Array) -> Array:
        return share(tn, fp)[np.argmin(abs(share(tp, fn) - self.sensitivity))]
