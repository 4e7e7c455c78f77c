"""Dense, relu and Dropout as one layer: the same numbers, bit for bit, by fewer operations."""
from __future__ import annotations

from tinynet import activations, pickling
from tinynet.backend import kernels, matmul
from tinynet.layers.activation import Activation
from tinynet.layers.base import Layer
from tinynet.layers.dense import Dense
from tinynet.layers.dropout import Dropout
from tinynet.types import Any, Array, Shape


class DenseReluDropout(Layer):
    """y = m max(x W + b, 0) / (1 - rate), of a Dense, its relu and a Dropout (or none) after it.

    The parameters, masks and buffers are those of the layers given.

    >>> from tinynet.backend import xp
    >>> dense = Dense(2, activation="relu", kernel_initializer="ones")
    >>> dense.build_once((None, 3))
    >>> DenseReluDropout(dense).forward(xp.array([[1.0, -1.0, 3.0]]))
    array([[3., 3.]])
    """

    def __init__(self, dense: Any, dropout: Any = None):
        super().__init__(name=dense.name)
        self.dense, self.dropout = dense, dropout
        self.separate = [dense, Activation("relu", name=f"{dense.name}/relu"), *([dropout] if dropout else [])]
        self.parameters = dense.parameters
        pickling.remember(self)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.dense.compute_output_shape(input_shape)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.dense.x = x
        y = self.dense.buffer("y", (*x.shape[:-1], self.dense.units), like=x)
        matmul(x, self.dense.kernel.value, out=y)
        if training and self.dropout:
            self._rate, masks = self.dropout.rate, self.dropout.masks
            kernels.bias_relu_dropout(y, self.dense.bias.value, masks.seed, masks.counter, self._rate,
                                      masks.position(y.shape))
            masks.advance()
        else:
            self._rate = 0.0
            kernels.bias_relu_dropout(y, self.dense.bias.value, 0, None, self._rate)
        self.y = y
        return y

    def backward(self, dy: Array) -> Array | None:
        """dz = dy / (1 - rate) where y > 0, else 0; then backward of the Dense"""
        self.dense.needs_dx = self.needs_dx
        return self.dense.backward(kernels.relu_dropout_backward(dy, self.y, self._rate))


def fuse(stack: list[Any]) -> list[Any]:
    """The stack with each Dense that a relu follows, and the Dropout after that, as one layer."""
    layers: list[Layer] = []
    for layer in stack:
        last = layers[-1] if layers else None
        relu = type(layer) is Activation and layer.activation is activations.relu
        if relu and type(last) is Dense and last.use_bias:
            layers[-1] = DenseReluDropout(last)
        elif (type(layer) is Dropout and layer.noise_shape is None and
              type(last) is DenseReluDropout and last.dropout is None):
            layers[-1] = DenseReluDropout(last.dense, layer)
        else:
            layers.append(layer)
    return layers


def unfuse(model: Any) -> None:
    """Let the layers of a model run separately again, as a student reads them: the same bits by more operations."""
    for name in ("stack", "stack_to_z", "backward_stack", "connected_stack"):
        setattr(model, name, [layer for each in getattr(model, name) for layer in getattr(each, "separate", [each])])
