"""What a model reports: from the names that compile was given to metrics with names of their own in the logs.

It knows of a model its layers' names, the shape of its output, its loss and its regularization.
"""
from __future__ import annotations

from typing import Any

from tinynet import metrics
from tinynet.metrics.running import Reported
from tinynet.metrics.sums import Ratio

__all__ = ["as_list", "of_output", "reported"]


class DataLoss(Ratio):
    """The loss without regularization."""

    def __init__(self, model, name="data_loss"):
        super().__init__(name)
        self.model = model

    def amounts(self, y_true, y_pred, sample_weight=None):
        return self.model.loss.forward(y_true, y_pred, sample_weight) * len(y_true), len(y_true)


class Regularization(DataLoss):
    """The rest of it."""

    def __init__(self, model):
        super().__init__(model, "regularization")

    def amounts(self, y_true, y_pred, sample_weight=None):
        return self.model.regularization * len(y_true), len(y_true)


PARTS = {"data_loss": DataLoss, "regularization": Regularization}


def reported(names, loss, model) -> list[Reported]:
    """The metrics of (names, names of weighted metrics); one given twice counts once, in each of the two.

    Raises ValueError for two metrics of one name.
    """
    found: dict[str, Reported] = {}
    for weighted, group in enumerate(names):
        seen: dict[str, Any] = {}
        for name in group:
            part = PARTS.get(name) if isinstance(name, str) else None
            metric = part(model) if part else metrics.metric_for(name, loss, model.output_shape or (None, None))
            twin = seen.setdefault(metric.name, metric)
            if metric.name == "loss" or not part and getattr(twin, "function", twin) != getattr(
                    metric, "function", metric):
                raise ValueError(f"The name {metric.name!r} would stand for two things in the logs. Give each metric a "
                                 "name of its own.")
        for base, metric in seen.items():
            unused = (f"{base}_{i}" if i else base for i in range(len(found) + 1))
            name = next(name for name in unused if name not in found)
            found[name] = Reported(name, metric, bool(weighted) or isinstance(metric, DataLoss))
    return list(found.values())


def of_output(given, model):
    """What is meant for the one output there is, where it came in a list or dict of outputs, as Keras allows."""
    if isinstance(given, dict) and list(given) == [layer.name for layer in model.layers[-1:]] or (
            isinstance(given, list) and len(given) == 1 and not isinstance(given[0], type)):
        return list(given.values())[0] if isinstance(given, dict) else given[0]
    return given


def as_list(given):
    """The metrics given, as a list, in which a class or a config has become an object."""
    given = list(given) if isinstance(given, (list, tuple)) else [given] if given else []
    return [metrics.metric_for(m, None, (None,)) if isinstance(m, (type, dict)) else m for m in given]
