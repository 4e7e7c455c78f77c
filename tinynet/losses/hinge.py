"""Hinge losses, which are zero once the margin is at least 1.

Targets of hinge and squared_hinge are -1 and 1; if all of the batch are 0 or 1, 0 stands for -1. At the kink hinge has
the derivative of its sloping side, categorical_hinge that of its flat side, as in TensorFlow 2.1.
"""
from __future__ import annotations

from tinynet.backend import xp
from tinynet.types import Array


def hinge(y_true: Array, y_pred: Array) -> Array:
    """l = 1/C sum_c max(1 - t_c p_c, 0)

    >>> hinge(xp.array([[-1.0, 1.0]]), xp.array([[0.5, 3.0]]))
    array([0.75])
    """
    return _shortfall(y_true, y_pred).mean(axis=-1)


def hinge_backward(y_true: Array, y_pred: Array) -> Array:
    """dl/dp = -t / C where 1 - t p >= 0, else 0"""
    t = signs(y_true)
    return -t * (1 - t * y_pred.real >= 0) / y_pred.shape[-1]


def squared_hinge(y_true: Array, y_pred: Array) -> Array:
    """l = 1/C sum_c max(1 - t_c p_c, 0)^2

    >>> squared_hinge(xp.array([[-1.0, 1.0]]), xp.array([[0.5, 3.0]]))
    array([1.125])
    """
    return (_shortfall(y_true, y_pred) ** 2).mean(axis=-1)


def squared_hinge_backward(y_true: Array, y_pred: Array) -> Array:
    """dl/dp = -2 t max(1 - t p, 0) / C"""
    return -2 * signs(y_true) * _shortfall(y_true, y_pred) / y_pred.shape[-1]


def categorical_hinge(y_true: Array, y_pred: Array) -> Array:
    """l = max(0, 1 + max_c (1 - t_c) p_c - sum_c t_c p_c), for one-hot t

    >>> categorical_hinge(xp.array([[0.0, 1.0]]), xp.array([[0.5, 0.75]]))
    array([0.75])
    """
    margin = 1 + ((1 - y_true) * y_pred).max(axis=-1) - (y_true * y_pred).sum(axis=-1)
    return xp.where(margin.real > 0, margin, 0)


def categorical_hinge_backward(y_true: Array, y_pred: Array) -> Array:
    """dl/dp_c = (1 - t_c) [c is the largest] - t_c where l > 0, else 0; ties share the first term"""
    others = (1 - y_true) * y_pred.real
    largest = others == others.max(axis=-1, keepdims=True)
    share = largest / largest.sum(axis=-1, keepdims=True)
    return (categorical_hinge(y_true, y_pred).real > 0)[..., None] * ((1 - y_true) * share - y_true)


def signs(t: Array) -> Array:
    """Targets as -1 and 1: 2 t - 1 if all of the batch are 0 or 1, else t."""
    return xp.where(((t == 0) | (t == 1)).all(), 2 * t - 1, t)


def _shortfall(y_true, y_pred):
    rest = 1 - signs(y_true) * y_pred
    return xp.where(rest.real > 0, rest, 0)


BACKWARD = {hinge: hinge_backward, squared_hinge: squared_hinge_backward, categorical_hinge: categorical_hinge_backward}
