"""How wrong a prediction is: one number for each sample, each followed by its derivative.

In the formulas l is the loss of one sample, t its target y_true, p its prediction y_pred, and c counts its C
outputs.  `f(y_true, y_pred)` returns the l of every sample, (N,);
`f_backward(y_true, y_pred)` returns dl/dp, shaped like y_pred.  A `Loss` takes the mean over the batch.  None of them
may know how the prediction was made.
"""
from __future__ import annotations

from typing import Any

from tinynet.backend import epsilon, xp
from tinynet.arguments import find

__all__ = ["Loss", "binary_crossentropy", "categorical_crossentropy", "mean_squared_error",
           "sparse_categorical_crossentropy", "get"]


def mean_squared_error(y_true, y_pred):
    """l = 1/C sum_c (p_c - t_c)^2

    >>> mean_squared_error(xp.array([[0.0, 1.0]]), xp.array([[0.0, 3.0]]))
    array([2.])
    """
    return ((y_pred - y_true) ** 2).mean(axis=-1)


def mean_squared_error_backward(y_true, y_pred):
    """dl/dp = 2 (p - t) / C"""
    return 2 * (y_pred - y_true) / y_pred.shape[-1]


def categorical_crossentropy(y_true, y_pred):
    """l = -sum_c t_c log q_c, with q = p / sum(p) clipped to [epsilon, 1 - epsilon]; each row of t is a distribution.

    Right after a softmax a model uses `tinynet.fusion.softmax_crossentropy` instead, which needs no clipping.
    Source: categorical_crossentropy in tensorflow/python/keras/backend.py of TensorFlow 2.1.

    >>> categorical_crossentropy(xp.array([[0.0, 1.0]]), xp.array([[0.5, 0.5]])).round(4)
    array([0.6931])
    """
    q = y_pred / y_pred.sum(axis=-1, keepdims=True)
    return -(y_true * xp.log(_clip(q))).sum(axis=-1)


def categorical_crossentropy_backward(y_true, y_pred):
    """dl/dq = -t / q, zero where q was clipped; dl/dp = (dq - sum_c dq_c q_c) / sum(p)"""
    total = y_pred.sum(axis=-1, keepdims=True)
    q = y_pred / total
    dq = -y_true / _clip(q) * _unclipped(q)
    return (dq - (dq * q).sum(axis=-1, keepdims=True)) / total


def sparse_categorical_crossentropy(y_true, y_pred):
    """l = -log(q_t / sum(q)), with q = p clipped to [epsilon, 1 - epsilon]; t is a class number, 0 <= t < C.

    Source: sparse_categorical_crossentropy in tensorflow/python/keras/backend.py of TensorFlow 2.1.

    >>> sparse_categorical_crossentropy(xp.array([1]), xp.array([[0.5, 0.5]])).round(4)
    array([0.6931])
    """
    q = _clip(y_pred)
    return xp.log(q.sum(axis=-1)) - xp.log(at_class(q, y_true))


def sparse_categorical_crossentropy_backward(y_true, y_pred):
    """dl/dq = 1 / sum(q) - [c = t] / q_t, and zero where p was clipped"""
    q = _clip(y_pred)
    return (1 / q.sum(axis=-1, keepdims=True) - one_hot(y_true, q) / q) * _unclipped(y_pred)


def binary_crossentropy(y_true, y_pred):
    """l = -1/C sum_c (t log(q + epsilon) + (1 - t) log(1 - q + epsilon)), q = p clipped to [epsilon, 1 - epsilon]

    Right after a sigmoid a model uses `tinynet.fusion.sigmoid_crossentropy` instead, which needs no clipping.
    Source: binary_crossentropy in tensorflow/python/keras/backend.py of TensorFlow 2.1.

    >>> binary_crossentropy(xp.array([[1.0]]), xp.array([[0.5]])).round(4)
    array([0.6931])
    """
    q, eps = _clip(y_pred), epsilon()
    return -(y_true * xp.log(q + eps) + (1 - y_true) * xp.log(1 - q + eps)).mean(axis=-1)


def binary_crossentropy_backward(y_true, y_pred):
    """dl/dp = -(t / (q + epsilon) - (1 - t) / (1 - q + epsilon)) / C, and zero where p was clipped"""
    q, eps = _clip(y_pred), epsilon()
    return -(y_true / (q + eps) - (1 - y_true) / (1 - q + eps)) / q.shape[-1] * _unclipped(y_pred)


def _clip(p):
    """p within [epsilon, 1 - epsilon], where logarithms are finite."""
    low, high = epsilon(), 1 - epsilon()
    return xp.where(p.real < low, low, xp.where(p.real > high, high, p))


def _unclipped(p):
    """Where `_clip` let p pass, bounds included: its derivative."""
    return (p.real >= epsilon()) & (p.real <= 1 - epsilon())


def at_class(p, classes):
    """p[i, classes[i]] for every sample i."""
    return xp.take_along_axis(p, classes.reshape(*p.shape[:-1], 1).astype(int), axis=-1)[..., 0]


def one_hot(classes, like):
    """1 at each sample's class, else 0."""
    return (classes.reshape(*like.shape[:-1], 1) == xp.arange(like.shape[-1])).astype(like.real.dtype)


class Loss:
    """L = 1/N sum_i w_i l_i over a batch; w = 1 without sample weights, which do not change N.

    Your own loss either hands two functions to this class or defines `forward` and `backward` anew.
    Source: keras/losses.py of Keras 2.3.1 (the reduction is its SUM_OVER_BATCH_SIZE).

    >>> loss = Loss(mean_squared_error, mean_squared_error_backward)
    >>> float(loss.forward(xp.array([[0.0]]), xp.array([[3.0]])))
    9.0
    >>> loss.backward(xp.array([[0.0]]), xp.array([[3.0]]))
    array([[6.]])
    """

    def __init__(self, function: Any = None, derivative: Any = None):
        self.function = function
        self.derivative = derivative

    def __repr__(self):
        functions = [f.__name__ for f in (self.function, self.derivative) if f]
        return f"{type(self).__name__}({', '.join(functions)})"

    def forward(self, y_true, y_pred, weights=None):
        losses = self.function(y_true, y_pred)
        if weights is not None:
            losses = losses * weights.reshape(-1, *[1] * (losses.ndim - 1))
        return losses.mean()

    def backward(self, y_true, y_pred, weights=None):
        dy = self.derivative(y_true, y_pred).astype(y_pred.dtype, copy=False)
        if weights is not None:
            dy *= weights.reshape(-1, *[1] * (dy.ndim - 1))
        dy /= dy.size // dy.shape[-1]       # N, for (N, C)
        return dy


BACKWARD = {
    mean_squared_error: mean_squared_error_backward,
    categorical_crossentropy: categorical_crossentropy_backward,
    sparse_categorical_crossentropy: sparse_categorical_crossentropy_backward,
    binary_crossentropy: binary_crossentropy_backward,
}
LOSSES = {function.__name__: function for function in BACKWARD}
LOSSES |= {"mse": mean_squared_error, "MSE": mean_squared_error}


def get(identifier) -> Loss:
    """The `Loss` that a name, a function of this module or your own Loss stands for.

    Raises ValueError for an unknown name, and for a function whose derivative tinynet does not know.

    >>> get("mse")
    Loss(mean_squared_error, mean_squared_error_backward)
    """
    if isinstance(identifier, str):
        identifier = find("loss function", identifier, LOSSES)
    if isinstance(identifier, Loss):
        return identifier
    if callable(identifier) and identifier in LOSSES.values():
        return Loss(identifier, BACKWARD[identifier])
    raise ValueError(
        f"Unknown loss function: {identifier!r}. Expected a name, a function of tinynet.losses or a Loss. A function "
        "of your own needs its derivative: hand over both as tinynet.losses.Loss(function, derivative)."
    )
