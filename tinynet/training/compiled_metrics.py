"""The metrics of a compiled model: from the arguments of compile to metrics with unique names in the logs."""
from __future__ import annotations

from tinynet import losses, metrics
from tinynet.metrics.running import Reported
from tinynet.metrics.base import Ratio
from tinynet.types import Any, Array, ArrayLike, Identifier, Shape


class PartOfLoss(Ratio):
    """"data_loss", the loss without penalties, or "regularization", the penalties, of a model."""

    def __init__(self, name: str, model: Any):
        super().__init__(name)
        self.model = model

    def update(self, y_true: Array, y_pred: Array, sample_weight: ArrayLike = None) -> tuple[Any, ...]:
        return getattr(self.model, self.name) * len(y_true), len(y_true)


def reported(names: tuple[Any, ...], loss: Any, model: Any) -> list[Reported]:
    """The metrics of (names, names of weighted metrics), without repetitions within each of the two.

    Raises ValueError for two different metrics of the same name.
    """
    found: dict[str, Reported] = {}
    for weighted, group in enumerate(names):
        seen: dict[str, Any] = {}
        for name in group:
            part = name in ("data_loss", "regularization") if isinstance(name, str) else False
            metric = PartOfLoss(name, model) if part else checked_metric(
                name, loss, model.output_shape or (None, None))
            first = seen.setdefault(metric.name, metric)
            if metric.name == "loss" or not part and getattr(first, "function", first) != getattr(
                    metric, "function", metric):
                raise ValueError(f"Two different metrics have the name {metric.name!r}. Give each metric a "
                                 "name of its own.")
        for base, metric in seen.items():
            unused = (f"{base}_{i}" if i else base for i in range(len(found) + 1))
            name = next(name for name in unused if name not in found)
            found[name] = Reported(name, metric, bool(weighted) or isinstance(metric, PartOfLoss))
    return list(found.values())


def checked_metric(identifier: Identifier, loss: Any, output_shape: Shape) -> Any:
    """`metric_for`, which must fit the targets of the loss, and the output.  Raises ValueError otherwise."""
    metric = metrics.metric_for(identifier, loss, output_shape)
    if identifier not in ("accuracy", "acc"):
        _check_targets(metric, getattr(loss, "function", None))
    _check_output(metric, output_shape)
    return metric


def _check_targets(metric, loss_function):
    """Raise ValueError for a metric that cannot read the targets of the loss."""
    known = isinstance(metric, (metrics.confusion.ConfusionMetric, metrics.RootMeanSquaredError)) or any(
        getattr(metric, "fn", None) is function for function in metrics.FUNCTIONS.values())
    sparse_loss = loss_function is losses.sparse_categorical_crossentropy
    of_rows = loss_function is losses.categorical_crossentropy
    if known and (sparse_loss and not metric.takes_classes or of_rows and metric.takes_classes):
        raise ValueError(f"The metric {metric.name} does not read the targets of {loss_function.__name__}, which are "
                         f"{'integer classes' if sparse_loss else 'one-hot rows'}. Use 'accuracy', which does.")


def _check_output(metric, output_shape):
    """Raise ValueError for a metric that does not fit this output."""
    if metric.inputs != 2:
        raise ValueError(f"{metric!r} averages values, and cannot compare y_true with y_pred. "
                         "Wrap a function of the two: MeanMetricWrapper(function).")
    class_id, outputs = getattr(metric, "class_id", None), output_shape[-1]
    if class_id is not None and outputs is not None and class_id >= outputs:
        raise ValueError(f"{metric!r}: class_id must be below the number of outputs, {outputs}.")


def of_output(given: Any, model: Any) -> Any:
    """The argument for the only output, out of a list or dict by output, as Keras allows."""
    if isinstance(given, dict) and list(given) == [layer.name for layer in model.layers[-1:]] or (
            isinstance(given, list) and len(given) == 1 and not isinstance(given[0], type)):
        return list(given.values())[0] if isinstance(given, dict) else given[0]
    return given


def as_list(given: Any) -> list[Any]:
    """The metrics as a list, with an object for each class or config."""
    given = list(given) if isinstance(given, (list, tuple)) else [given] if given else []
    return [metrics.metric_for(m, None, (None,)) if isinstance(m, (type, dict)) else m for m in given]
