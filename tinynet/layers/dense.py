"""Dense: each output is a weighted sum of all inputs. The layer to read first."""
from __future__ import annotations

from tinynet import activations, constraints, initializers, regularizers
from tinynet.backend import matmul
from tinynet.layers.activation import Activation
from tinynet.layers.activity_regularization import ActivityRegularization
from tinynet.layers.base import Layer
from tinynet.parameters import Parameter
from tinynet.types import Any, Array, Function, Identifier, Shape
from tinynet.validation import whole_number


class Dense(Layer):
    """y = x W + b

    In a model the activation, y = activation(x W + b), and the activity_regularizer run as layers of their own after
    this one, by `stack()`: each does one thing, and each derivative can be checked alone. `forward` is x W + b only.

    Parameters
        units: U, a whole number above zero.
        activation: a name or function of `tinynet.activations`, a layer such as LeakyReLU(), or None.
        use_bias: whether there is a b.
        kernel_initializer, bias_initializer: the initial values of W (D, U) and b (U,).
        kernel_regularizer, bias_regularizer: penalties for W and b, names or objects of `tinynet.regularizers`.
        activity_regularizer: a penalty for all outputs of the batch together, not divided by their number.
        kernel_constraint, bias_constraint: applied to W and b after each step, names or objects of
            `tinynet.constraints`.

    Shapes: (N, D) to (N, U); with more axes between, the product is over the last one.

    Raises ValueError when units is not a whole number above zero (Keras 2.3.1 accepts Dense(-1) and Dense(2.5)).

    Source: keras/layers/core.py of Keras 2.3.1.

    >>> from tinynet.backend import xp
    >>> layer = Dense(2, kernel_initializer="ones")
    >>> layer.build_once((None, 3))
    >>> layer.forward(xp.array([[1.0, 2.0, 3.0]], dtype="float32"))
    array([[6., 6.]], dtype=float32)
    """

    def __init__(self, units: int, activation: Identifier = None, use_bias: bool = True,
                 kernel_initializer: Identifier = "glorot_uniform", bias_initializer: Identifier = "zeros",
                 kernel_regularizer: Identifier = None, bias_regularizer: Identifier = None,
                 activity_regularizer: Identifier = None, kernel_constraint: Identifier = None,
                 bias_constraint: Identifier = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.units: int = whole_number(f"{self.name}: units", units, least=1)
        self.activation: Any = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer: Function = initializers.get(kernel_initializer)
        self.bias_initializer: Function = initializers.get(bias_initializer)
        self.kernel_regularizer: Any = regularizers.get(kernel_regularizer)
        self.bias_regularizer: Any = regularizers.get(bias_regularizer)
        self.activity_regularizer: Any = regularizers.get(activity_regularizer)
        self.kernel_constraint: Function | None = constraints.get(kernel_constraint)
        self.bias_constraint: Function | None = constraints.get(bias_constraint)

    def build(self, input_shape: Shape) -> None:
        self.kernel: Parameter = self.add_weight("kernel", (input_shape[-1], self.units), self.kernel_initializer,
                                                 self.kernel_regularizer, self.kernel_constraint)
        if self.use_bias:
            self.bias: Parameter = self.add_weight("bias", (self.units,), self.bias_initializer, self.bias_regularizer,
                                                   self.bias_constraint)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def stack(self) -> list[Any]:
        layers: list[Layer] = [self]
        if isinstance(self.activation, Layer):
            layers.append(type(self.activation).from_config(self.activation.get_config()))     # each runs once
        elif self.activation is not activations.linear:
            layers.append(Activation(self.activation, name=f"{self.name}/{self.activation.__name__}"))
        if self.activity_regularizer is not None:
            layers.append(ActivityRegularization(regularizer=self.activity_regularizer,
                                                 name=f"{self.name}/activity_regularizer"))
        return layers

    def forward(self, x: Array, training: bool = False) -> Array:   # x: (N, D)
        self.x = x
        y = self.buffer("y", (*x.shape[:-1], self.units), like=x)
        matmul(x, self.kernel.value, out=y)                         # y = x W
        if self.use_bias:
            y += self.bias.value                                    # + b
        return y                                                    # y: (N, U)

    def backward(self, dy: Array) -> Array | None:                  # dy: (N, U)
        """dW = x^T dy;  db = sum of dy over the batch;  dx = dy W^T"""
        matmul(rows(self.x).T, rows(dy), out=self.kernel.grad)      # dW = x^T dy
        if self.use_bias:
            rows(dy).sum(axis=0, out=self.bias.grad)                # db = sum of dy
        if not self.needs_dx:
            return None
        dx = self.buffer("dx", self.x.shape, like=dy)
        return matmul(dy, self.kernel.value.T, out=dx)              # dx = dy W^T


def rows(x: Array) -> Array:
    """x as a matrix: (N, D) as it is, (N, T, D) as (N T, D)."""
    return x.reshape(-1, x.shape[-1])
