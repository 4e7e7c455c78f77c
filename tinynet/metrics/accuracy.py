"""Accuracies: for each sample whether its prediction is correct."""
from __future__ import annotations

from tinynet.backend import xp
from tinynet.losses.regression import cosine_proximity as negative_cosine
from tinynet.types import Any, Array


def accuracy(y_true: Array, y_pred: Array) -> Array:
    """1 where y_pred equals y_true.

    >>> accuracy(xp.array([[1, 2]]), xp.array([[1, 3]]))
    array([[ True, False]])
    """
    return y_true == y_pred


def categorical_accuracy(y_true: Array, y_pred: Array) -> Array:
    """1 where the most probable class is the true one, for one-hot y_true; ties go to the first class.

    >>> categorical_accuracy(xp.array([[0, 1], [0, 1]]), xp.array([[0.2, 0.8], [0.9, 0.1]]))
    array([ True, False])
    """
    return y_true.argmax(axis=-1) == y_pred.argmax(axis=-1)


def sparse_categorical_accuracy(y_true: Array, y_pred: Array) -> Array:
    """1 where the most probable class is the true one, for integer classes.

    >>> sparse_categorical_accuracy(xp.array([1, 1]), xp.array([[0.2, 0.8], [0.9, 0.1]]))
    array([ True, False])
    """
    return y_true.reshape(y_pred.shape[:-1]) == y_pred.argmax(axis=-1)


sparse_categorical_accuracy.takes_classes = True        # type: ignore[attr-defined]


def binary_accuracy(y_true: Array, y_pred: Array, threshold: float = 0.5) -> Array:
    """The fraction of outputs on the correct side of the threshold; the threshold itself counts as 0.

    >>> binary_accuracy(xp.array([[1.0], [1.0]]), xp.array([[0.8], [0.5]]))
    array([1., 0.])
    """
    # Keras rounds for the threshold 0.5: 1.6 becomes 2 and -0.7 becomes -1, which equal no label.
    predicted = y_pred.round() if threshold == 0.5 else y_pred > threshold
    return (y_true == predicted).mean(axis=-1)


def top_k_categorical_accuracy(y_true: Array, y_pred: Array, k: int = 5) -> Array:
    """1 where fewer than k classes are more probable than the true one, for one-hot y_true.

    >>> top_k_categorical_accuracy(xp.array([[0, 0, 1]]), xp.array([[0.5, 0.2, 0.3]]), k=2)
    array([ True])
    """
    return sparse_top_k_categorical_accuracy(y_true.argmax(axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: Array, y_pred: Array, k: int = 5) -> Array:
    """1 where fewer than k classes are more probable than the true one, for integer classes.

    Source: in_top_k of TensorFlow 2.1, in which all classes of a tie are in the top k.

    >>> sparse_top_k_categorical_accuracy(xp.array([2]), xp.array([[0.5, 0.2, 0.3]]), k=1)
    array([False])
    """
    classes = y_true.reshape(*y_pred.shape[:-1], 1).astype(int)
    return (y_pred > xp.take_along_axis(y_pred, classes, axis=-1)).sum(axis=-1) < k


sparse_top_k_categorical_accuracy.takes_classes = True  # type: ignore[attr-defined]


def cosine_proximity(y_true: Array, y_pred: Array, axis: Any = -1) -> Array:
    """The cosine of the angle between t and p along an axis; the loss of this name has a minus sign.

    >>> cosine_proximity(xp.array([[2.0, 0.0]]), xp.array([[3.0, 0.0]]))
    array([1.])
    """
    return -negative_cosine(xp.moveaxis(y_true, axis, -1), xp.moveaxis(y_pred, axis, -1))


for metric in (accuracy, categorical_accuracy, sparse_categorical_accuracy, binary_accuracy, top_k_categorical_accuracy,
               sparse_top_k_categorical_accuracy, cosine_proximity):
    metric.higher_is_better = True      # type: ignore[attr-defined]
