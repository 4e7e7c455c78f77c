"""Activation functions with arguments or weights, as layers."""
from __future__ import annotations

import math

from tinynet import activations, constraints, initializers, regularizers
from tinynet.backend import xp
from tinynet.layers.base import Layer
from tinynet.parameters import Parameter
from tinynet.types import Any, Array, Function, Identifier, Shape
from tinynet.validation import check_axis, check_shared_axes, number


class Softmax(Layer):
    """y_i = exp(x_i) / sum_j exp(x_j), along `axis` (not the batch's axis 0).

    Shapes: (N, ..., C); y like x.

    Source: keras/layers/advanced_activations.py of Keras 2.3.1.

    >>> Softmax().forward(xp.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """

    def __init__(self, axis: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation: Function = activations.softmax
        self.axis = axis

    def build(self, input_shape: Shape) -> None:
        check_axis(self.name, self.axis, input_shape)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        self.y: Array = activations.softmax(x, axis=self.axis, out=self.buffer("y", x.shape, like=x))
        return self.y

    def backward(self, dy: Array) -> Array:
        """dx_i = y_i (dy_i - sum_j dy_j y_j)"""
        return activations.softmax_backward(self.y, dy, axis=self.axis)


class ReLU(Layer):
    """y = x where x > threshold, clipped to [0, max_value], else negative_slope (x - threshold).

    Parameters
        max_value: zero or above, or None for no limit.
        negative_slope: zero or above.
        threshold: any number.

    Shapes: any; y like x.  Raises ValueError for a negative max_value or negative_slope, as Keras does.

    Source: keras/layers/advanced_activations.py of Keras 2.3.1.

    >>> ReLU(max_value=6, negative_slope=0.5).forward(xp.array([[-1.0, 2.0, 9.0]]))
    array([[-0.5,  2. ,  6. ]])
    """

    def __init__(self, max_value: float | None = None, negative_slope: float = 0, threshold: float = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.max_value: float | None = None if max_value is None else number(f"{self.name}: max_value", max_value)
        self.negative_slope: float = number(f"{self.name}: negative_slope", negative_slope)
        self.threshold: float = number(f"{self.name}: threshold", threshold, least=-math.inf)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        return activations.relu(x, self.negative_slope, self.max_value, self.threshold)

    def backward(self, dy: Array) -> Array:
        """dx = dy where x > threshold (and within the limit), else negative_slope dy"""
        dy *= slope(self.x.real, self.negative_slope, self.max_value, self.threshold)
        return dy


class LeakyReLU(Layer):
    """y = x where x > 0, else alpha x.  Source: Maas et al., ICML 2013.

    >>> LeakyReLU(0.25).forward(xp.array([[-1.0, 2.0]]))
    array([[-0.25,  2.  ]])
    """

    def __init__(self, alpha: float = 0.3, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha: float = number(f"{self.name}: alpha", alpha, least=-math.inf)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        return activations.relu(x, self.alpha)

    def backward(self, dy: Array) -> Array:
        """dx = dy where x > 0, else alpha dy"""
        dy *= slope(self.x.real, self.alpha)
        return dy


class ThresholdedReLU(Layer):
    """y = x where x > theta, else 0.  Source: Konda et al., arXiv:1402.3337.

    >>> ThresholdedReLU(1.0).forward(xp.array([[-1.0, 1.0, 2.0]]))
    array([[0., 0., 2.]])
    """

    def __init__(self, theta: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.theta: float = number(f"{self.name}: theta", theta, least=-math.inf)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        return xp.where(x.real > self.theta, x, 0)

    def backward(self, dy: Array) -> Array:
        """dx = dy where x > theta, else 0"""
        dy *= self.x.real > self.theta
        return dy


class ELU(Layer):
    """y = x where x > 0, else alpha (exp(x) - 1).  Source: Clevert et al., ICLR 2016.

    >>> ELU(0.5).forward(xp.array([[-1000.0, 2.0]]))
    array([[-0.5,  2. ]])
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha: float = number(f"{self.name}: alpha", alpha)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.y: Array = activations.elu(x, self.alpha)
        return self.y

    def backward(self, dy: Array) -> Array:
        """dx = dy where y > 0, else dy (y + alpha)"""
        return activations.elu_backward(self.y, dy, self.alpha)


class PReLU(Layer):
    """y = x where x > 0, else alpha x, with a weight alpha for each input.

    Parameters
        alpha_initializer, alpha_regularizer, alpha_constraint: as for a kernel of Dense.
        shared_axes: axes of x, such as [1], along which alpha is shared.

    Shapes: (N, ...); y like x.
    Source: He et al., ICCV 2015; keras/layers/advanced_activations.py of Keras 2.3.1.

    >>> layer = PReLU("ones"); layer.build_once((None, 2)); layer.forward(xp.array([[-1.0, 2.0]]))
    array([[-1.,  2.]])
    """

    def __init__(self, alpha_initializer: Identifier = "zeros", alpha_regularizer: Identifier = None,
                 alpha_constraint: Identifier = None, shared_axes: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha_initializer: Function = initializers.get(alpha_initializer)
        self.alpha_regularizer: Any = regularizers.get(alpha_regularizer)
        self.alpha_constraint: Function | None = constraints.get(alpha_constraint)
        self.shared_axes: Any = [shared_axes] if isinstance(shared_axes, int) else shared_axes

    def build(self, input_shape: Shape) -> None:
        axes = range(1, len(input_shape))
        check_shared_axes(self.name, self.shared_axes, axes)
        shape = [1 if i in (self.shared_axes or ()) else input_shape[i] for i in axes]
        self.alpha: Parameter = self.add_weight("alpha", shape, self.alpha_initializer, self.alpha_regularizer,
                                                self.alpha_constraint)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.x = x
        return xp.where(x.real > 0, x, self.alpha.value * x)

    def backward(self, dy: Array) -> Array:
        """dalpha = sum of dy x where x < 0;  dx = dy where x > 0, else alpha dy; at the kink 0"""
        shared = (0, *(self.shared_axes or ()))
        below = self.x.real < 0
        self.alpha.grad = (dy * self.x * below).sum(axis=shared).reshape(self.alpha.grad.shape)
        dy *= xp.where(self.x.real > 0, 1, self.alpha.value * below)
        return dy


def slope(x: Array, alpha: float, max_value: float | None = None, threshold: float = 0.0) -> Array:
    """The derivative of `activations.relu`, from x: 1 above the threshold and within the limit, alpha below."""
    above = 1 if max_value is None else (x >= 0) & (x <= max_value)
    return xp.where(x > threshold, above, activations.leak(alpha, max_value, threshold))
