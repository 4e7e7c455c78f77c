"""Layers that change the shape of a sample and none of its numbers."""
from __future__ import annotations

import math

from tinynet.layers.base import Layer

__all__ = ["Flatten"]


class Flatten(Layer):
    """y holds the numbers of x, each sample as one row.

    Shapes: (N, A, B, ...) to (N, A B ...).  Source: keras/layers/core.py of Keras 2.3.1.

    >>> import numpy as np
    >>> Flatten().forward(np.zeros((2, 28, 28))).shape
    (2, 784)
    """

    def compute_output_shape(self, input_shape):
        return (input_shape[0], math.prod(input_shape[1:]))

    def forward(self, x, training=False):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.shape)
