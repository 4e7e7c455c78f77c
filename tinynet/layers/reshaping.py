"""Layers that change only the shape of a sample, and the layer that declares it."""
from __future__ import annotations

import math

from tinynet.backend import unique_name
from tinynet.chain import Tensor
from tinynet.layers.base import Layer
from tinynet.types import Any, Array, Config, Shape
from tinynet.validation import check_target_shape


class Flatten(Layer):
    """y = x with each sample as one row.

    Shapes: (N, A, B, ...) to (N, A B ...).  data_format is Keras's: None or "channels_last", as x is.
    Source: keras/layers/core.py of Keras 2.3.1.

    >>> import numpy as np
    >>> Flatten().forward(np.zeros((2, 28, 28))).shape
    (2, 784)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if data_format not in (None, "channels_last"):
            raise ValueError(f"{self.name}: data_format must be 'channels_last', got {data_format!r}. Move the axes: "
                             "np.moveaxis(x, 1, -1).")
        self.data_format = "channels_last"

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], math.prod(input_shape[1:]))

    def forward(self, x: Array, training: bool = False) -> Array:
        self.shape: Shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: Array) -> Array:
        """dx = dy in the shape of x"""
        return dy.reshape(self.shape)


class Reshape(Layer):
    """y = x with each sample in the shape `target_shape`.

    Parameters
        target_shape: of a sample; one length may be -1, which is computed from the others.

    Shapes: (N, ...) to (N, *target_shape).  Raises ValueError if the total sizes differ.
    Source: keras/layers/core.py of Keras 2.3.1.

    >>> import numpy as np
    >>> Reshape((14, -1)).forward(np.zeros((2, 28, 28))).shape
    (2, 14, 56)
    """

    def __init__(self, target_shape: Any, **kwargs: Any):
        super().__init__(**kwargs)
        check_target_shape(self.name, target_shape)
        self.target_shape: Shape = tuple(target_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        size, known = math.prod(input_shape[1:]), math.prod(n for n in self.target_shape if n != -1)
        shape = tuple(size // max(known, 1) if n == -1 else n for n in self.target_shape)
        if self.target_shape.count(-1) > 1 or math.prod(shape) != size:
            raise ValueError(f"{self.name}: total size of new array must be unchanged: {size} numbers of shape "
                             f"{tuple(input_shape[1:])} do not fit {self.target_shape}.")
        return (input_shape[0], *shape)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.shape: Shape = x.shape
        return x.reshape(len(x), *self.target_shape)

    def backward(self, dy: Array) -> Array:
        """dx = dy in the shape of x"""
        return dy.reshape(self.shape)


class InputLayer(Layer):
    """y = x; declares the shape of the samples of a `Sequential`, and is not one of its layers.

    >>> InputLayer(input_shape=(784,)).batch_input_shape
    (None, 784)
    """

    def __init__(self, name: str | None = None, sparse: bool = False, **kwargs: Any):
        super().__init__(name, **kwargs)
        if sparse:
            raise ValueError(f"{self.name}: tinynet has no sparse arrays. Make them dense: x.toarray().")

    def get_config(self) -> Config:
        return {"name": self.name, "batch_input_shape": list(self.batch_input_shape), "sparse": False}

    def forward(self, x: Array, training: bool = False) -> Array:
        return x

    def backward(self, dy: Array) -> Array:
        """dx = dy"""
        return dy


def Input(shape: Any = None, batch_shape: Shape | None = None, name: str | None = None,
          dtype: Any = None) -> Tensor:
    """The inputs of a model: layers are called on them, y = Dense(10)(Input((784,))); or the first in a `Sequential`.

    Parameters
        shape: of one sample; or batch_shape, with the number of samples, which is not used.
        name: "input_1", "input_2" ... by default.
        dtype: None or `floatx()`.

    >>> Input((784,)).shape
    (None, 784)
    """
    layer = InputLayer(name or unique_name("Input"), input_shape=shape, batch_input_shape=batch_shape, dtype=dtype)
    if layer.batch_input_shape is None:
        raise ValueError(f"{layer.name} needs the shape of one sample: Input(shape=(784,)).")
    return Tensor(layer, None, layer.batch_input_shape)
