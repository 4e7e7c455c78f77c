"""What a person wants to know about predictions: numbers that are averaged over an epoch and never differentiated.

`f(y_true, y_pred)` returns one value for each sample.  They must not know how a model trains.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tinynet import losses
from tinynet.backend import xp
from tinynet.arguments import find

__all__ = ["Metric", "RunningMeans", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
           "get"]


def categorical_accuracy(y_true, y_pred):
    """1 where the likeliest class is the true one, for one-hot y_true; the first of equals counts as likeliest.

    >>> categorical_accuracy(xp.array([[0, 1], [0, 1]]), xp.array([[0.2, 0.8], [0.9, 0.1]]))
    array([ True, False])
    """
    return y_true.argmax(axis=-1) == y_pred.argmax(axis=-1)


def sparse_categorical_accuracy(y_true, y_pred):
    """1 where the likeliest class is the true one, for class numbers.

    >>> sparse_categorical_accuracy(xp.array([1, 1]), xp.array([[0.2, 0.8], [0.9, 0.1]]))
    array([ True, False])
    """
    return y_true.reshape(y_pred.shape[:-1]) == y_pred.argmax(axis=-1)


def binary_accuracy(y_true, y_pred):
    """The share of outputs on the right side of one half; one half itself rounds to 0.

    >>> binary_accuracy(xp.array([[1.0], [1.0]]), xp.array([[0.8], [0.5]]))
    array([1., 0.])
    """
    return (y_true == y_pred.round()).mean(axis=-1)


METRICS = {function.__name__: function for function in (
    categorical_accuracy, sparse_categorical_accuracy, binary_accuracy)} | losses.LOSSES


class Metric(NamedTuple):
    """A function f(y_true, y_pred) of one value a sample, and its name in the logs."""

    name: str
    function: Callable


class RunningMeans:
    """The means of the loss and of metrics over all samples since `reset`.

    The sums stay where the arrays are; `result` fetches them.
    Source: BaseLogger in keras/callbacks/callbacks.py and MeanMetricWrapper in keras/metrics.py of Keras 2.3.1.

    >>> means = RunningMeans([Metric("accuracy", categorical_accuracy)])
    >>> means.add(0.25, xp.array([[0, 1], [0, 1]]), xp.array([[0.2, 0.8], [0.9, 0.1]]))
    >>> means.samples += 2
    >>> means.result()
    {'loss': 0.25, 'accuracy': 0.5}
    """

    def __init__(self, metrics):
        self.metrics = metrics
        self.sums = xp.zeros(1 + len(metrics))
        self.samples = 0

    def reset(self):
        self.sums[...] = 0
        self.samples = 0

    def add(self, loss, y_true, y_pred):
        """One more batch; its number of samples is still to be added to `samples`."""
        means = [loss, *(xp.asarray(m.function(y_true, y_pred)).mean() for m in self.metrics)]
        for i, mean in enumerate(means):
            total = self.sums[i:i + 1]
            total += xp.multiply(mean, len(y_true), dtype=float)

    def result(self) -> dict[str, float]:
        names = ["loss", *(m.name for m in self.metrics)]
        return dict(zip(names, (self.sums / max(self.samples, 1)).tolist()))


def get(identifier, loss, output_shape) -> Metric:
    """The metric that a name or a function f(y_true, y_pred) stands for.

    "accuracy" and "acc" mean, as in Keras 2.3.1 (engine/training_utils.py), binary_accuracy for a single output or
    for binary_crossentropy, sparse_categorical_accuracy for sparse_categorical_crossentropy, else
    categorical_accuracy.  The name in the logs is the one given.

    Raises ValueError for an unknown name, TypeError for what is neither name nor function.

    >>> get("acc", losses.get("mse"), (None, 10)).function.__name__
    'categorical_accuracy'
    """
    if isinstance(identifier, str):
        if identifier in ("accuracy", "acc"):
            return Metric(identifier, _accuracy_for(getattr(loss, "function", None), output_shape))
        function = find("metric function", identifier, METRICS | {"accuracy": None, "acc": None})
        _check_targets(identifier, function, getattr(loss, "function", None))
        return Metric(identifier, function)
    if callable(identifier):
        return Metric(getattr(identifier, "__name__", type(identifier).__name__), identifier)
    raise TypeError(f"A metric is a name such as 'accuracy' or a function f(y_true, y_pred), got {identifier!r}.")


def _check_targets(name, function, loss_function):
    """Raise ValueError for an accuracy that cannot read the targets which the loss takes."""
    sparse_loss = loss_function is losses.sparse_categorical_crossentropy
    if (function is categorical_accuracy and sparse_loss or
            function is sparse_categorical_accuracy and loss_function is losses.categorical_crossentropy):
        raise ValueError(f"The metric {name} does not read the targets of {loss_function.__name__}, which are "
                         f"{'class numbers' if sparse_loss else 'one-hot rows'}. Use 'accuracy', which does.")


def _accuracy_for(loss_function, output_shape):
    if output_shape[-1] == 1 or loss_function is losses.binary_crossentropy:
        return binary_accuracy
    if loss_function is losses.sparse_categorical_crossentropy:
        return sparse_categorical_accuracy
    return categorical_accuracy
