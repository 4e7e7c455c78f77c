"""Losses for regression: squared errors, absolute errors and others.

In the formulas e = p - t. The derivative of |e| at its kink, 0, is 0.
"""
from __future__ import annotations

import math

from tinynet import activations
from tinynet.backend import epsilon, xp
from tinynet.types import Any, Array


def mean_squared_error(y_true: Array, y_pred: Array) -> Array:
    """l = 1/C sum_c e_c^2

    >>> mean_squared_error(xp.array([[0.0, 1.0]]), xp.array([[0.0, 3.0]]))
    array([2.])
    """
    return ((y_pred - y_true) ** 2).mean(axis=-1)


def mean_squared_error_backward(y_true: Array, y_pred: Array) -> Array:
    """dl/dp = 2 e / C"""
    return 2 * (y_pred - y_true) / y_pred.shape[-1]


def mean_absolute_error(y_true: Array, y_pred: Array) -> Array:
    """l = 1/C sum_c |e_c|

    >>> mean_absolute_error(xp.array([[0.0, 1.0]]), xp.array([[0.0, 3.0]]))
    array([1.])
    """
    return absolute(y_pred - y_true).mean(axis=-1)


def mean_absolute_error_backward(y_true: Array, y_pred: Array) -> Array:
    """dl/dp = sign(e) / C"""
    return xp.sign((y_pred - y_true).real) / y_pred.shape[-1]


def mean_absolute_percentage_error(y_true: Array, y_pred: Array) -> Array:
    """l = 100/C sum_c |e_c| / max(|t_c|, epsilon)

    >>> mean_absolute_percentage_error(xp.array([[2.0]]), xp.array([[3.0]]))
    array([50.])
    """
    return 100 * (absolute(y_pred - y_true) / xp.maximum(xp.abs(y_true), epsilon())).mean(axis=-1)


def mean_absolute_percentage_error_backward(y_true: Array, y_pred: Array) -> Array:
    """dl/dp = 100 sign(e) / max(|t|, epsilon) / C"""
    return 100 * xp.sign((y_pred - y_true).real) / xp.maximum(xp.abs(y_true), epsilon()) / y_pred.shape[-1]


def mean_squared_logarithmic_error(y_true: Array, y_pred: Array) -> Array:
    """l = 1/C sum_c (log(1 + q_c) - log(1 + r_c))^2, with q = max(p, epsilon) and r = max(t, epsilon)

    >>> mean_squared_logarithmic_error(xp.array([[0.0]]), xp.array([[1.0]])).round(4)
    array([0.4805])
    """
    return (_log_difference(y_true, y_pred) ** 2).mean(axis=-1)


def mean_squared_logarithmic_error_backward(y_true: Array, y_pred: Array) -> Array:
    """dl/dp = 2 (log(1 + q) - log(1 + r)) / (1 + q) / C, and zero where p < epsilon"""
    slope = (y_pred.real >= epsilon()) / (1 + _at_least_epsilon(y_pred))
    return 2 * _log_difference(y_true, y_pred) * slope / y_pred.shape[-1]


def logcosh(y_true: Array, y_pred: Array) -> Array:
    """l = 1/C sum_c log(cosh(e_c)), which is e^2 / 2 where e is small and |e| - log(2) where it is large

    >>> logcosh(xp.array([[0.0]]), xp.array([[1000.0]])).round(4)
    array([999.3069])
    """
    e = y_pred - y_true
    return (e + activations.softplus(-2 * e) - math.log(2)).mean(axis=-1)


def logcosh_backward(y_true: Array, y_pred: Array) -> Array:
    """dl/dp = tanh(e) / C"""
    return xp.tanh(y_pred - y_true) / y_pred.shape[-1]


def huber_loss(y_true: Array, y_pred: Array, delta: float = 1.0) -> Array:
    """l = e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2): one for each output, no mean, as in Keras 2.3.1

    >>> huber_loss(xp.array([[0.0, 0.0]]), xp.array([[0.5, 3.0]]))
    array([[0.125, 2.5  ]])
    """
    e = y_pred - y_true
    return xp.where(xp.abs(e.real) <= delta, e * e / 2, delta * (absolute(e) - delta / 2))


huber_loss.elementwise = True       # type: ignore[attr-defined]


def huber_loss_backward(y_true: Array, y_pred: Array, delta: float = 1.0) -> Array:
    """dl/dp = e clipped to [-delta, delta]"""
    return xp.clip(y_pred - y_true, -delta, delta)


def poisson(y_true: Array, y_pred: Array) -> Array:
    """l = 1/C sum_c (p_c - t_c log(p_c + epsilon)): the Poisson negative log-likelihood, without its constant

    >>> poisson(xp.array([[2.0]]), xp.array([[1.0]])).round(4)
    array([1.])
    """
    return (y_pred - y_true * xp.log(y_pred + epsilon())).mean(axis=-1)


def poisson_backward(y_true: Array, y_pred: Array) -> Array:
    """dl/dp = (1 - t / (p + epsilon)) / C"""
    return (1 - y_true / (y_pred + epsilon())) / y_pred.shape[-1]


def cosine_proximity(y_true: Array, y_pred: Array) -> Array:
    """l = -cos of the angle between t and p, -sum_c t_c p_c / (|t| |p|)

    >>> cosine_proximity(xp.array([[2.0, 0.0]]), xp.array([[3.0, 0.0]]))
    array([-1.])
    """
    return -(y_true / length(y_true) * y_pred / length(y_pred)).sum(axis=-1)


def cosine_proximity_backward(y_true: Array, y_pred: Array) -> Array:
    """dl/dp = (-t/|t| - l p/|p|) / |p|: the part of -t/|t| orthogonal to p (all of it where |p| is at its minimum)"""
    unit_t, unit_p = y_true / length(y_true), y_pred / length(y_pred)
    inward = (unit_t * unit_p).sum(axis=-1, keepdims=True) * unit_p
    return (-unit_t + inward * (length(y_pred).real > 1e-6)) / length(y_pred)


def absolute(e: Array) -> Array:
    """|e| by the sign of its real part, so that e may be complex."""
    return xp.sign(e.real) * e


def length(p: Array) -> Array:
    """|p| = sqrt(sum_c p_c^2), at least 1e-6.  Source: l2_normalize of TensorFlow 2.1."""
    square = (p * p).sum(axis=-1, keepdims=True)
    return xp.sqrt(xp.where(square.real < 1e-12, 1e-12, square))


def _at_least_epsilon(p):
    return xp.where(p.real < epsilon(), epsilon(), p)


def _log_difference(y_true, y_pred):
    return xp.log(1 + _at_least_epsilon(y_pred)) - xp.log(1 + _at_least_epsilon(y_true))


BACKWARD: dict[Any, Any] = {
    mean_squared_error: mean_squared_error_backward, mean_absolute_error: mean_absolute_error_backward,
    mean_absolute_percentage_error: mean_absolute_percentage_error_backward,
    mean_squared_logarithmic_error: mean_squared_logarithmic_error_backward, logcosh: logcosh_backward,
    huber_loss: huber_loss_backward, poisson: poisson_backward, cosine_proximity: cosine_proximity_backward,
}
