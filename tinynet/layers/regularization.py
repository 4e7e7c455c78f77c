"""A price for what a layer puts out.

It must not know which layer that is.
"""
from __future__ import annotations

from tinynet import regularizers
from tinynet.layers.base import Layer

__all__ = ["ActivityRegularization"]


class ActivityRegularization(Layer):
    """y = x, and R(x) is added to the loss: summed over the whole batch, not divided by the number of samples.

    Parameters
        l1, l2: of R = l1 sum |x| + l2 sum x^2, zero or above; or a `Regularizer` in place of l1.

    Shapes: any; y is x.
    Source: keras/layers/core.py and the activity_regularizer in keras/engine/base_layer.py of Keras 2.3.1.

    >>> import numpy as np
    >>> layer = ActivityRegularization(l2=0.5); y = layer.forward(np.ones((2, 3))); float(layer.penalty)
    3.0
    """

    def __init__(self, l1=0.0, l2=0.0, **kwargs):
        super().__init__(**kwargs)
        self.l1, self.l2 = l1, l2
        self.regularizer = regularizers.get(l1) if callable(l1) else regularizers.L1L2(l1, l2)

    def forward(self, x, training=False):
        self.x = x
        self.penalty = self.regularizer(x)
        return x

    def backward(self, dy):
        dy += self.regularizer.gradient(self.x)
        return dy
