"""Dropout: random inputs are set to zero in training, so that no unit relies on particular other units."""
from __future__ import annotations

from tinynet.backend import xp
from tinynet.layers.base import Layer
from tinynet.random import MaskStream, draw_seed
from tinynet.types import Any, Array, Shape
from tinynet.validation import check_noise_shape, number, whole_number


class RandomLayer(Layer):
    """A layer that draws random numbers in training from its own stream `masks`, of its seed or of a random one."""

    seed: int | None = None

    def build(self, input_shape: Shape) -> None:
        self.masks: MaskStream = MaskStream(draw_seed() if self.seed is None else self.seed)


class Dropout(RandomLayer):
    """y = x m / (1 - rate), where each m is 0 with probability `rate`, else 1; y = x in inference.

    Dividing by 1 - rate keeps the expected value of y at x, so inference needs no scaling. The rate is rounded to a
    multiple of 2**-16 when masks are drawn.

    Parameters
        rate: the fraction of inputs to drop, 0 <= rate < 1.
        noise_shape: the shape of m, with 1 for axes along which m is shared: (None, 1, 8) drops whole columns of
            (N, 5, 8). None: the full length of that axis.
        seed: a whole number from 0 to 2**64 - 1; None draws one from NumPy's global generator when built.

    Shapes: any; y like x.

    Raises ValueError for a rate outside [0, 1) (Keras 2.3.1 clips it silently, and Dropout(1) is the identity).

    Source: Srivastava et al., JMLR 15 (2014); keras/layers/core.py of Keras 2.3.1.

    >>> Dropout(0.2).forward(xp.ones((2, 2)))
    array([[1., 1.],
           [1., 1.]])
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate: float = number(f"{self.name}: rate, the fraction of inputs to drop,", rate, below=1)
        self.noise_shape = noise_shape
        self.seed: int | None = None if seed is None else whole_number(f"{self.name}: seed", seed, least=0, below=2**64)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        check_noise_shape(self.name, self.noise_shape, input_shape)

    def draw(self, x: Array) -> Array:
        """m: True where x is kept."""
        shape = [length if n is None else n for n, length in zip(self.noise_shape or [None] * x.ndim, x.shape)]
        same_for_all = bool(self.noise_shape) and self.noise_shape[0] == 1
        if not same_for_all:        # noise_shape may hold the batch size, and this may be a short last batch
            shape[0] = len(x)
        return self.masks.dropout_mask(tuple(shape), self.rate, same_for_all)

    def forward(self, x: Array, training: bool = False) -> Array:
        if not training:
            self.mask: Any = None
            return x
        m = self.draw(x)
        self.mask = self.buffer("mask", m.shape, like=x.real)
        xp.multiply(m, 1 / (1 - self.rate), out=self.mask, dtype=self.mask.dtype)   # mask = m / (1 - rate)
        return xp.multiply(x, self.mask, out=self.buffer("y", x.shape, like=x))     # y = x mask

    def backward(self, dy: Array) -> Array:
        """dx = dy m / (1 - rate)"""
        if self.mask is not None:
            dy *= self.mask
        return dy
