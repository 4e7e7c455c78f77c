"""Activation functions as layers of their own: Activation, ReLU and Softmax.

They must not know which layer they follow.
"""
from __future__ import annotations

import math

from tinynet import activations
from tinynet.arguments import number
from tinynet.backend import xp
from tinynet.layers.base import Layer

__all__ = ["Activation", "ReLU", "Softmax"]


class Activation(Layer):
    """y = f(x), element by element (softmax: row by row).

    Parameters
        activation: a name or function of `tinynet.activations`.

    Shapes: any; y like x.  Raises ValueError for an unknown activation.

    Source: keras/layers/core.py of Keras 2.3.1.

    >>> Activation("relu").forward(xp.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def forward(self, x, training=False):
        self.x = x
        self.y = self.activation(x, out=self.buffer("y", x.shape, like=x))
        return self.y

    def backward(self, dy):
        return activations.BACKWARD[self.activation](self.y, dy)


class Softmax(Activation):
    """y_i = exp(x_i) / sum_j exp(x_j), along `axis` (not the batch's axis 0).

    Shapes: (N, ..., C); y like x.

    Source: keras/layers/advanced_activations.py of Keras 2.3.1.

    >>> Softmax().forward(xp.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__("softmax", **kwargs)
        self.axis = axis

    def build(self, input_shape):
        axes = (*range(1, len(input_shape)), *range(1 - len(input_shape), 0))
        if self.axis not in axes:
            raise ValueError(f"{self.name}: axis must be one of {axes} for inputs of shape {input_shape}, got "
                             f"{self.axis!r}. Axis 0 holds the samples.")

    def forward(self, x, training=False):
        self.x = x
        self.y = activations.softmax(x, axis=self.axis, out=self.buffer("y", x.shape, like=x))
        return self.y

    def backward(self, dy):
        return activations.softmax_backward(self.y, dy, axis=self.axis)


class ReLU(Layer):
    """y = x where x > threshold, else negative_slope (x - threshold); a max_value also limits the former to
    [0, max_value].

    Parameters
        max_value: zero or above, or None for no limit.
        negative_slope: zero or above.
        threshold: any number.

    Shapes: any; y like x.  Raises ValueError for a negative max_value or negative_slope, as Keras does.

    Source: keras/layers/advanced_activations.py of Keras 2.3.1.

    >>> ReLU(max_value=6, negative_slope=0.5).forward(xp.array([[-1.0, 2.0, 9.0]]))
    array([[-0.5,  2. ,  6. ]])
    """

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else number(f"{self.name}: max_value", max_value)
        self.negative_slope = number(f"{self.name}: negative_slope", negative_slope)
        self.threshold = number(f"{self.name}: threshold", threshold, least=-math.inf)

    def forward(self, x, training=False):
        self.x = x
        above = x
        if self.max_value is not None:
            above = xp.where(x.real > self.max_value, self.max_value, xp.where(x.real < 0, 0, x))
        below = self.negative_slope * (x - self.threshold)
        return xp.where(x.real > self.threshold, above, below)

    def backward(self, dy):
        x = self.x.real
        above = 1 if self.max_value is None else (x >= 0) & (x <= self.max_value)
        dy *= xp.where(x > self.threshold, above, self.negative_slope)
        return dy
