"""Activation functions, each followed by its derivative.

`f(x, out=None)` returns y = f(x). `f_backward(y, dy)` returns dx = dy f'(x), written over dy, where f'(x) is computed
from the output y alone.
"""
from __future__ import annotations

import numpy as np

from tinynet import registry
from tinynet.backend import xp
from tinynet.registry import serialize
from tinynet.types import Any, Array, Identifier, Objects
from tinynet.validation import unknown_function

__all__ = ["deserialize", "elu", "exponential", "get", "hard_sigmoid", "linear", "relu", "selu", "serialize", "sigmoid",
           "softmax", "softplus", "softsign", "tanh"]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def linear(x: Array, out: Array | None = None) -> Array:
    """y = x

    >>> linear(xp.array([-1.0, 2.0]))
    array([-1.,  2.])
    """
    return xp.positive(x, out=out)


def linear_backward(y: Array, dy: Array) -> Array:
    """dx = dy"""
    return dy


def relu(x: Array, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0,
         out: Array | None = None) -> Array:
    """y = max(x, 0)

    With arguments: y = x where x > threshold, clipped to [0, max_value], else alpha (x - threshold). Without max_value
    and threshold alpha is rounded to float32, as in TensorFlow's leaky_relu.

    >>> relu(xp.array([-1.0, 2.0])), relu(xp.array([-1.0, 9.0]), alpha=0.5, max_value=6)
    (array([0., 2.]), array([-0.5,  6. ]))
    """
    if (alpha, max_value, threshold) == (0, None, 0):
        return xp.maximum(x, 0, out=out)
    alpha = leak(alpha, max_value, threshold)
    above = x if max_value is None else xp.where(x.real > max_value, max_value, xp.where(x.real < 0, 0, x))
    return xp.positive(xp.where(x.real > threshold, above, alpha * (x - threshold)), out=out)


def leak(alpha: float, max_value: float | None = None, threshold: float = 0.0) -> float:
    """alpha as TensorFlow uses it."""
    return float(np.float32(alpha)) if max_value is None and threshold == 0 else alpha


def relu_backward(y: Array, dy: Array) -> Array:
    """dx = dy where y > 0, else 0"""
    dy *= y.real > 0
    return dy


def sigmoid(x: Array, out: Array | None = None) -> Array:
    """y = 1 / (1 + exp(-x))

    >>> sigmoid(xp.array([0.0, -1000.0]))
    array([0.5, 0. ])
    """
    # exp is taken of numbers <= 0 only: it cannot overflow, and small results keep all their digits.
    positive = x.real >= 0
    z = xp.exp(xp.where(positive, -x, x))
    return xp.divide(xp.where(positive, 1, z), 1 + z, out=out)


def sigmoid_backward(y: Array, dy: Array) -> Array:
    """dx = dy y (1 - y)"""
    dy *= y * (1 - y)
    return dy


def tanh(x: Array, out: Array | None = None) -> Array:
    """y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))

    >>> tanh(xp.array([0.0, 1000.0]))
    array([0., 1.])
    """
    return xp.tanh(x, out=out)


def tanh_backward(y: Array, dy: Array) -> Array:
    """dx = dy (1 - y^2)"""
    dy *= 1 - y * y
    return dy


def softmax(x: Array, axis: int = -1, out: Array | None = None) -> Array:
    """y_i = exp(x_i) / sum_j exp(x_j), along `axis`

    Raises ValueError for a one-dimensional x, which has no axis of samples.

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


def softmax_backward(y: Array, dy: Array, axis: int = -1) -> Array:
    """dx_i = y_i (dy_i - sum_j dy_j y_j), which is the Jacobian diag(y) - y y^T applied to dy"""
    dy -= (dy * y).sum(axis=axis, keepdims=True)
    dy *= y
    return dy


def elu(x: Array, alpha: float = 1.0, out: Array | None = None) -> Array:
    """y = x where x > 0, else alpha (exp(x) - 1).  Source: Clevert et al., ICLR 2016.

    >>> elu(xp.array([-1000.0, 2.0]))
    array([-1.,  2.])
    """
    positive = x.real > 0
    y = xp.where(positive, x, alpha * xp.expm1(xp.where(positive, 0, x)))
    return xp.positive(y, out=out)


def elu_backward(y: Array, dy: Array, alpha: float = 1.0) -> Array:
    """dx = dy where y > 0, else dy (y + alpha), which is dy alpha exp(x)"""
    dy *= xp.where(y.real > 0, 1, y + alpha)
    return dy


def selu(x: Array, out: Array | None = None) -> Array:
    """y = scale elu(x, alpha), scale 1.0507 and alpha 1.6733, with which layers keep mean 0 and variance 1.

    Source: Klambauer et al., NIPS 2017.

    >>> selu(xp.array([-1000.0, 1.0])).round(4)
    array([-1.7581,  1.0507])
    """
    return xp.multiply(SELU_SCALE, elu(x, SELU_ALPHA), out=out)


def selu_backward(y: Array, dy: Array) -> Array:
    """dx = dy scale where y > 0, else dy (y + scale alpha)"""
    dy *= xp.where(y.real > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA)
    return dy


def softplus(x: Array, out: Array | None = None) -> Array:
    """y = log(1 + exp(x))

    >>> softplus(xp.array([-1000.0, 0.0])).round(4), float(softplus(xp.array(1000.0)))
    (array([0.    , 0.6931]), 1000.0)
    """
    positive = x.real > 0
    return xp.add(xp.where(positive, x, 0), xp.log1p(xp.exp(xp.where(positive, -x, x))), out=out)


def softplus_backward(y: Array, dy: Array) -> Array:
    """dx = dy sigmoid(x), which is dy (1 - exp(-y))"""
    dy *= -xp.expm1(-y)
    return dy


def softsign(x: Array, out: Array | None = None) -> Array:
    """y = x / (1 + |x|)

    >>> softsign(xp.array([-1.0, 3.0]))
    array([-0.5 ,  0.75])
    """
    return xp.divide(x, 1 + xp.sign(x.real) * x, out=out)


def softsign_backward(y: Array, dy: Array) -> Array:
    """dx = dy (1 - |y|)^2, which is dy / (1 + |x|)^2"""
    dy *= (1 - xp.sign(y.real) * y) ** 2
    return dy


def hard_sigmoid(x: Array, out: Array | None = None) -> Array:
    """y = 0.2 x + 0.5, clipped to [0, 1]: a sigmoid of three straight lines

    >>> hard_sigmoid(xp.array([-3.0, 0.0, 1.0]))
    array([0. , 0.5, 0.7])
    """
    y = 0.2 * x + 0.5
    y = xp.where(y.real < 0, 0, xp.where(y.real > 1, 1, y))
    return xp.positive(y, out=out)


def hard_sigmoid_backward(y: Array, dy: Array) -> Array:
    """dx = 0.2 dy where 0 < y < 1, else 0 (at x = -2.5 and 2.5 TensorFlow says 0.2, which y alone cannot tell)"""
    dy *= xp.where((y.real > 0) & (y.real < 1), 0.2, 0)
    return dy


def exponential(x: Array, out: Array | None = None) -> Array:
    """y = exp(x)

    >>> exponential(xp.array([0.0]))
    array([1.])
    """
    return xp.exp(x, out=out)


def exponential_backward(y: Array, dy: Array) -> Array:
    """dx = dy y"""
    dy *= y
    return dy


BACKWARD: dict[Any, Any] = {
    linear: linear_backward, relu: relu_backward, sigmoid: sigmoid_backward, tanh: tanh_backward,
    softmax: softmax_backward, elu: elu_backward, selu: selu_backward, softplus: softplus_backward,
    softsign: softsign_backward, hard_sigmoid: hard_sigmoid_backward, exponential: exponential_backward,
}
ACTIVATIONS: dict[Any, Any] = {function.__name__: function for function in BACKWARD}
LAYERS: dict[str, type] = {}        # by name, those of `tinynet.layers` that stand for an activation too


def deserialize(config: Identifier, custom_objects: Objects = None) -> Any:
    """The activation function of a name or a config."""
    return registry.deserialize("activation function", config, ACTIVATIONS | LAYERS, custom_objects)


def get(identifier: Identifier) -> Any:
    """The activation function of a name, of a function of this module or of None (linear); or a layer: LeakyReLU().

    Raises ValueError for an unknown name, and for a function whose derivative tinynet does not know.

    >>> get("relu") is relu and get(None) is linear
    True
    """
    if identifier is None:
        return linear
    if isinstance(identifier, (str, dict)):
        return deserialize(identifier)
    if callable(identifier) and identifier in ACTIVATIONS.values() or type(identifier) in LAYERS.values():
        return identifier
    raise unknown_function("activation function", "activations", identifier)
