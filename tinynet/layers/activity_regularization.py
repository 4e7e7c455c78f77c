"""ActivityRegularization: a penalty for the outputs of the layer before it."""
from __future__ import annotations

from tinynet import regularizers
from tinynet.layers.base import Layer
from tinynet.types import Any, Array, Identifier


class ActivityRegularization(Layer):
    """y = x; the penalty R(x) is added to the loss, as a sum over the batch, not divided by the number of samples.

    Parameters
        l1, l2: of R = l1 sum |x| + l2 sum x^2, zero or above.
        regularizer: another R, as for a kernel of Dense, in place of l1 and l2.

    Shapes: any; y is x.
    Source: keras/layers/core.py and the activity_regularizer in keras/engine/base_layer.py of Keras 2.3.1.

    >>> from tinynet.backend import xp
    >>> layer = ActivityRegularization(l2=0.5); y = layer.forward(xp.ones((2, 3))); float(layer.penalty)
    3.0
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, regularizer: Identifier = None, **kwargs: Any):
        super().__init__(**kwargs)
        if regularizer is not None and (l1 or l2):
            raise ValueError(f"{self.name}: give l1 and l2, or a regularizer.")
        self.l1, self.l2 = l1, l2
        self.regularizer: Any = regularizers.get(regularizer)
        self.R = self.regularizer or regularizers.L1L2(l1, l2)
        self.penalty: float = 0.0

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        self.penalty = self.R(x) / self.batch_share
        return x

    def backward(self, dy: Array) -> Array:
        """dx = dy + dR/dx"""
        dy += self.R.gradient(self.x) / self.batch_share
        return dy
