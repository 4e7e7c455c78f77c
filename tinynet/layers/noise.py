"""Noise in training: Gaussian noise, added or multiplied, and the dropout for selu."""
from __future__ import annotations

import math

from tinynet.activations import SELU_ALPHA, SELU_SCALE
from tinynet.layers.dropout import Dropout, RandomLayer
from tinynet.types import Any, Array
from tinynet.validation import number


class GaussianNoise(RandomLayer):
    """y = x + stddev u, with new u ~ N(0, 1) for each batch; y = x in inference.

    Parameters: stddev, zero or above.  Shapes: any; y like x.  Source: keras/layers/noise.py of Keras 2.3.1.
    """

    def __init__(self, stddev: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.stddev: float = number(f"{self.name}: stddev", stddev)

    def forward(self, x: Array, training: bool = False) -> Array:
        return x + self.stddev * self.masks.normal(x.shape, x.real.dtype) if training else x

    def backward(self, dy: Array) -> Array:
        """dx = dy"""
        return dy


class GaussianDropout(RandomLayer):
    """y = x (1 + sqrt(rate / (1 - rate)) u), with u ~ N(0, 1), of the same variance as Dropout; y = x in inference.

    Parameters: rate, 0 <= rate < 1.  Shapes: any; y like x.
    Source: Srivastava et al., JMLR 15 (2014), section 10; keras/layers/noise.py of Keras 2.3.1.
    """

    def __init__(self, rate: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate: float = number(f"{self.name}: rate", rate, below=1)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.mask: Any = None
        if training:
            stddev = math.sqrt(self.rate / (1 - self.rate))
            self.mask = 1 + stddev * self.masks.normal(x.shape, x.real.dtype)
            x = x * self.mask
        return x

    def backward(self, dy: Array) -> Array:
        """dx = dy (1 + sqrt(rate / (1 - rate)) u)"""
        if self.mask is not None:
            dy *= self.mask
        return dy


class AlphaDropout(Dropout):
    """y = a (x m + alpha' (1 - m)) + b, m as in Dropout, alpha' = -1.7581; y = x in inference.

    Dropped inputs become selu's lowest value alpha'; a = ((1 - rate) (1 + rate alpha'^2))^-1/2 and b = -a alpha' rate
    keep mean 0 and variance 1.

    Parameters: as for `Dropout`.  Shapes: any; y like x.
    Source: Klambauer et al., NIPS 2017; keras/layers/noise.py of Keras 2.3.1.
    """

    def forward(self, x: Array, training: bool = False) -> Array:
        self.mask: Any = None
        if training:
            lowest = -SELU_ALPHA * SELU_SCALE
            a = ((1 - self.rate) * (1 + self.rate * lowest**2)) ** -0.5
            kept = self.draw(x).astype(x.real.dtype)
            self.mask = a * kept
            x = x * self.mask + a * lowest * (1 - kept - self.rate)
        return x
