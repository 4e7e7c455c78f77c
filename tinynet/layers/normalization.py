"""BatchNormalization: each output with mean 0 and variance 1 over the batch, and then whatever the network prefers.

It must not know what the outputs mean.
"""
from __future__ import annotations

import math

from tinynet import constraints, initializers, regularizers
from tinynet.arguments import number
from tinynet.backend import xp
from tinynet.layers.base import Layer

__all__ = ["BatchNormalization"]


class BatchNormalization(Layer):
    """y = gamma z + beta, z = (x - m) / s, s = sqrt(v + epsilon), with mean m and variance v of x over the batch

    Outside training m and v are running means of those of the batches, each of which goes in with weight 1 - momentum
    (v times n / (n - 1 - epsilon), with n numbers behind each mean).

    Parameters
        axis: the axis whose entries each have a mean of their own; the last, of the outputs, by default.
        momentum: from 0 to 1.
        epsilon: above zero and below 1.
        center, scale: whether there is a beta and a gamma.
        beta_initializer, gamma_initializer, beta_regularizer ...: as for a kernel of Dense.
        moving_mean_initializer, moving_variance_initializer: what the running means start from.

    Shapes: (N, ...); y like x.  Weights: gamma, beta, moving_mean, moving_variance.

    A frozen layer goes on to use the batch's m and v in training, and keeps its running means, as in Keras 2.3.1.
    Source: Ioffe and Szegedy, ICML 2015; keras/layers/normalization.py of Keras 2.3.1.

    >>> layer = BatchNormalization(epsilon=1e-12); layer.build_once((None, 1))
    >>> layer.forward(xp.array([[1.0], [3.0]]), training=True).round(6)
    array([[-1.],
           [ 1.]])
    """

    def __init__(self, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros",
                 gamma_initializer="ones", moving_mean_initializer="zeros", moving_variance_initializer="ones",
                 beta_regularizer=None, gamma_regularizer=None, beta_constraint=None, gamma_constraint=None, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis
        self.momentum = number(f"{self.name}: momentum", momentum, below=1 + 1e-12)
        self.epsilon = number(f"{self.name}: epsilon", epsilon, below=1, positive=True)
        self.center, self.scale = center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)

    def build(self, input_shape):
        axes = (*range(1, len(input_shape)), *range(1 - len(input_shape), 0))
        if self.axis not in axes:
            raise ValueError(f"{self.name}: axis must be one of {axes} for inputs of shape {input_shape}, got "
                             f"{self.axis!r}. Axis 0 holds the samples.")
        shape = (input_shape[self.axis],)
        # The batch and all axes but one are averaged over; weights are reshaped to line up with that one.
        self.others = tuple(i for i in range(len(input_shape)) if i != self.axis % len(input_shape))
        self.lined_up = tuple(1 if i in self.others else shape[0] for i in range(len(input_shape)))
        if self.scale:
            self.gamma = self.add_weight("gamma", shape, self.gamma_initializer, self.gamma_regularizer,
                                         self.gamma_constraint)
        if self.center:
            self.beta = self.add_weight("beta", shape, self.beta_initializer, self.beta_regularizer,
                                        self.beta_constraint)
        self.moving_mean = self.add_weight("moving_mean", shape, self.moving_mean_initializer, trainable=False)
        self.moving_variance = self.add_weight("moving_variance", shape, self.moving_variance_initializer,
                                               trainable=False)

    def forward(self, x, training=False):
        self.training = training
        if training:
            m = x.mean(axis=self.others, keepdims=True)
            v = ((x - m) ** 2).mean(axis=self.others, keepdims=True)
            if self.learns:
                self._move(m, v, n=math.prod(x.shape[i] for i in self.others))
        else:
            m = self.moving_mean.value.reshape(self.lined_up)
            v = self.moving_variance.value.reshape(self.lined_up)
        self.s = xp.sqrt(v + self.epsilon)
        self.z = (x - m) / self.s
        y = self.z
        if self.scale:
            y = y * self.gamma.value.reshape(self.lined_up)
        if self.center:
            y = y + self.beta.value.reshape(self.lined_up)
        return y

    def backward(self, dy):
        """dgamma = sum of dy z;  dbeta = sum of dy;  dz = dy gamma;  dx = (dz - mean(dz) - z mean(dz z)) / s"""
        if self.scale:
            self.gamma.grad = (dy * self.z).sum(axis=self.others)
        if self.center:
            self.beta.grad = dy.sum(axis=self.others)
        dz = dy * self.gamma.value.reshape(self.lined_up) if self.scale else dy
        if self.training:   # m and v depend on every x: moving all alike changes no z, nor does stretching them
            dz = (dz - dz.mean(axis=self.others, keepdims=True)
                  - self.z * (dz * self.z).mean(axis=self.others, keepdims=True))
        return dz / self.s

    def _move(self, m, v, n):
        """The running means take in those of a batch, of n numbers each."""
        v = v * (n / (n - (1 + self.epsilon)))
        for moving, new in ((self.moving_mean.value, m), (self.moving_variance.value, v)):
            moving -= (1 - self.momentum) * (moving - new.real.ravel())
