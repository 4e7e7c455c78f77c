"""Activation: an activation function as a layer."""
from __future__ import annotations

from tinynet import activations
from tinynet.layers.base import Layer
from tinynet.types import Any, Array, Function, Identifier


class Activation(Layer):
    """y = f(x), element by element (softmax: row by row).

    Parameters
        activation: a name or function of `tinynet.activations`.

    Shapes: any; y like x.  Raises ValueError for an unknown activation.

    Source: keras/layers/core.py of Keras 2.3.1.

    >>> from tinynet.backend import xp
    >>> Activation("relu").forward(xp.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    """

    def __init__(self, activation: Identifier, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation: Function = activations.get(activation)
        if isinstance(self.activation, Layer):
            raise TypeError(f"{self.activation!r} is a layer already: add it to the model in place of an Activation.")

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        self.y: Array = self.activation(x, out=self.buffer("y", x.shape, like=x))
        return self.y

    def backward(self, dy: Array) -> Array:
        """dx = dy f'(x), computed from the output y"""
        return activations.BACKWARD[self.activation](self.y, dy)
