"""BatchNormalization: normalize each input to mean 0 and variance 1 over the batch, then scale and shift it."""
from __future__ import annotations

import math

from tinynet import constraints, initializers, regularizers
from tinynet.backend import xp
from tinynet.layers.base import Layer
from tinynet.parameters import Parameter
from tinynet.types import Any, Array, Function, Identifier, Shape
from tinynet.validation import check_axis, number


class BatchNormalization(Layer):
    """y = gamma z + beta, z = (x - m) / s, s = sqrt(v + epsilon), with mean m and variance v of x over the batch

    In inference m and v are the running means: moving -= (1 - momentum) (moving - new), after each step, with the m of
    the batch and its v n / (n - 1 - epsilon), where n numbers are behind each mean.

    Parameters
        axis: the axis that is normalized entry by entry; by default the last, that of the features.
        momentum: from 0 to 1.
        epsilon: above zero and below 1.
        center, scale: whether there is a beta and a gamma.
        beta_initializer, gamma_initializer, beta_regularizer ...: as for a kernel of Dense.
        moving_mean_initializer, moving_variance_initializer: the initial running means.

    Shapes: (N, ...); y like x.  Weights: gamma, beta, moving_mean, moving_variance.

    A frozen layer still uses the batch's m and v in training, but does not update its running means, as in Keras 2.3.1.
    Source: Ioffe and Szegedy, ICML 2015; keras/layers/normalization.py of Keras 2.3.1.

    >>> layer = BatchNormalization(epsilon=1e-12); layer.build_once((None, 1))
    >>> layer.forward(xp.array([[1.0], [3.0]]), training=True).round(6)
    array([[-1.],
           [ 1.]])
    """

    new_statistics: tuple[Any, ...] = ()    # of the last forward, if it was in training

    def __init__(self, axis: int = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True,
                 scale: bool = True, beta_initializer: Identifier = "zeros", gamma_initializer: Identifier = "ones",
                 moving_mean_initializer: Identifier = "zeros", moving_variance_initializer: Identifier = "ones",
                 beta_regularizer: Identifier = None, gamma_regularizer: Identifier = None,
                 beta_constraint: Identifier = None, gamma_constraint: Identifier = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis
        self.momentum: float = number(f"{self.name}: momentum", momentum, most=1)
        self.epsilon: float = number(f"{self.name}: epsilon", epsilon, below=1, positive=True)
        self.center = center
        self.scale = scale
        self.beta_initializer: Function = initializers.get(beta_initializer)
        self.gamma_initializer: Function = initializers.get(gamma_initializer)
        self.moving_mean_initializer: Function = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer: Function = initializers.get(moving_variance_initializer)
        self.beta_regularizer: Any = regularizers.get(beta_regularizer)
        self.gamma_regularizer: Any = regularizers.get(gamma_regularizer)
        self.beta_constraint: Function | None = constraints.get(beta_constraint)
        self.gamma_constraint: Function | None = constraints.get(gamma_constraint)

    def build(self, input_shape: Shape) -> None:
        check_axis(self.name, self.axis, input_shape)
        shape = (input_shape[self.axis],)
        # All axes but one are averaged over; weights are reshaped to broadcast along that one.
        self.others: Shape = tuple(i for i in range(len(input_shape)) if i != self.axis % len(input_shape))
        self.lined_up: Shape = tuple(1 if i in self.others else shape[0] for i in range(len(input_shape)))
        if self.scale:
            self.gamma: Parameter = self.add_weight("gamma", shape, self.gamma_initializer, self.gamma_regularizer,
                                                    self.gamma_constraint)
        if self.center:
            self.beta: Parameter = self.add_weight("beta", shape, self.beta_initializer, self.beta_regularizer,
                                                   self.beta_constraint)
        self.moving_mean: Parameter = self.add_weight("moving_mean", shape, self.moving_mean_initializer,
                                                      trainable=False)
        self.moving_variance: Parameter = self.add_weight("moving_variance", shape, self.moving_variance_initializer,
                                                          trainable=False)

    def forward(self, x: Array, training: bool = False) -> Array:
        self._training, self.new_statistics = training, ()
        if training:
            m = x.mean(axis=self.others, keepdims=True)
            v = ((x - m) ** 2).mean(axis=self.others, keepdims=True)
            n = math.prod(x.shape[i] for i in self.others)
            self.new_statistics = m, v * (n / (n - (1 + self.epsilon)))
        else:
            m = self.moving_mean.value.reshape(self.lined_up)
            v = self.moving_variance.value.reshape(self.lined_up)
        self.s: Array = xp.sqrt(v + self.epsilon)
        self.z: Array = (x - m) / self.s
        y = self.z * self.gamma.value.reshape(self.lined_up) if self.scale else self.z
        return y + self.beta.value.reshape(self.lined_up) if self.center else y

    def backward(self, dy: Array) -> Array:
        """dgamma = sum of dy z;  dbeta = sum of dy;  dz = dy gamma;  dx = (dz - mean(dz) - z mean(dz z)) / s"""
        if self.scale:
            self.gamma.grad = (dy * self.z).sum(axis=self.others)
        if self.center:
            self.beta.grad = dy.sum(axis=self.others)
        dz = dy * self.gamma.value.reshape(self.lined_up) if self.scale else dy
        if self._training:      # m and v depend on every x of the batch: subtract what reaches L through m and v
            dz = (dz - dz.mean(axis=self.others, keepdims=True)
                  - self.z * (dz * self.z).mean(axis=self.others, keepdims=True))
        return dz / self.s

    def update_state(self) -> None:
        """moving -= (1 - momentum) (moving - new)"""
        for p, new in zip((self.moving_mean, self.moving_variance), self.new_statistics):
            moving = p.value
            moving -= (1 - self.momentum) * (moving - new.real.ravel())
        self.new_statistics = ()        # each batch counts once
