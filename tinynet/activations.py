"""Activation functions, each followed by its derivative; they must not know about layers.

`f(x, out=None)` returns y = f(x).  `f_backward(y, dy)` returns dx = dy f'(x), written over dy, and finds f'(x) from
the output y alone.
"""
from __future__ import annotations

from tinynet.backend import xp
from tinynet.arguments import find

__all__ = ["linear", "relu", "sigmoid", "softmax", "tanh", "get"]


def linear(x, out=None):
    """y = x

    >>> linear(xp.array([-1.0, 2.0]))
    array([-1.,  2.])
    """
    return xp.positive(x, out=out)


def linear_backward(y, dy):
    """dx = dy"""
    return dy


def relu(x, out=None):
    """y = max(x, 0)

    >>> relu(xp.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return xp.maximum(x, 0, out=out)


def relu_backward(y, dy):
    """dx = dy where y > 0, else 0; at the kink 0, as in TensorFlow."""
    dy *= y.real > 0
    return dy


def sigmoid(x, out=None):
    """y = 1 / (1 + exp(-x))

    >>> sigmoid(xp.array([0.0, -1000.0]))
    array([0.5, 0. ])
    """
    # exp only ever sees numbers <= 0: it cannot overflow, and small results keep all their digits.
    positive = x.real >= 0
    z = xp.exp(xp.where(positive, -x, x))
    return xp.divide(xp.where(positive, 1, z), 1 + z, out=out)


def sigmoid_backward(y, dy):
    """dx = dy y (1 - y)"""
    dy *= y * (1 - y)
    return dy


def tanh(x, out=None):
    """y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))

    >>> tanh(xp.array([0.0, 1000.0]))
    array([0., 1.])
    """
    return xp.tanh(x, out=out)


def tanh_backward(y, dy):
    """dx = dy (1 - y^2)"""
    dy *= 1 - y * y
    return dy


def softmax(x, axis=-1, out=None):
    """y_i = exp(x_i) / sum_j exp(x_j), along `axis`

    Raises ValueError for a one-dimensional x, in which nothing tells samples from classes.

    >>> softmax(xp.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    if x.ndim < 2:
        raise ValueError(f"Cannot apply softmax to a tensor that is 1D. Expected (N, C), got {x.shape}.")
    # Subtracting the maximum changes nothing in exact arithmetic, and no exp can overflow.
    y = xp.subtract(x, x.max(axis=axis, keepdims=True), out=out)
    xp.exp(y, out=y)
    y /= y.sum(axis=axis, keepdims=True)
    return y


def softmax_backward(y, dy, axis=-1):
    """dx_i = y_i (dy_i - sum_j dy_j y_j), which is the Jacobian diag(y) - y y^T applied to dy"""
    dy -= (dy * y).sum(axis=axis, keepdims=True)
    dy *= y
    return dy


BACKWARD = {
    linear: linear_backward,
    relu: relu_backward,
    sigmoid: sigmoid_backward,
    tanh: tanh_backward,
    softmax: softmax_backward,
}
ACTIVATIONS = {function.__name__: function for function in BACKWARD}


def get(identifier):
    """The activation function that a name, a function of this module, or None (linear) stands for.

    Raises ValueError for an unknown name, and for a function whose derivative tinynet does not know.

    >>> get("relu") is relu and get(None) is linear
    True
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str):
        return find("activation function", identifier, ACTIVATIONS)
    if callable(identifier) and identifier in ACTIVATIONS.values():
        return identifier
    raise ValueError(
        f"Unknown activation function: {identifier!r}. Expected a name or a function of tinynet.activations. A layer "
        "such as ReLU() is added after this one; so is a function of your own, which needs its derivative: write it "
        "as a Layer with forward and backward."
    )
