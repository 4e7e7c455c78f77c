"""One step of gradient descent: predict, measure, differentiate, move; and what must be joined before it can be taken.

It knows layers only as forward, backward and parameters.  It must not know about epochs, batches or where data comes
from.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from tinynet import losses, metrics, optimizers
from tinynet.backend import floatx
from tinynet.layers import Layer
from tinynet.parameters import Parameter, ParameterVector
from tinynet.registry import refuse

__all__ = ["Trainable"]


class Trainable:
    """A chain of layers with a loss at its end and an optimizer that moves its weights."""

    name: str
    layers: list[Layer]
    parameters: ParameterVector     # every trainable weight, end to end
    optimizer: Any = None

    # One step

    def train_step(self, x, y, weights=None):
        """One step of gradient descent: predict, measure, differentiate, move."""
        y_pred = self.forward(x, training=True)
        loss = self.loss.forward(y, y_pred, weights)
        self.backward(self.loss.backward(y, y_pred, weights))
        self.optimizer.update(self.parameters.value, self.parameters.grad)
        return loss, y_pred

    def test_step(self, x, y, weights=None):
        """Predict and measure, and leave everything as it is."""
        y_pred = self.forward(x)
        return self.loss.forward(y, y_pred, weights), y_pred

    def forward(self, x, training=False):
        """The prediction for x: each layer's output is the next one's input."""
        for layer in self.chain:
            x = layer.forward(x, training)
        return x

    def backward(self, dy):
        """The gradient of every trainable parameter: each layer's dx is the dy of the one before."""
        for layer in reversed(self.differentiated):
            dy = layer.backward(dy)

    # Compiling

    def compile(self, optimizer, loss=None, metrics=None, **unsupported):
        """Say how to train: by which optimizer, against which loss, reporting which metrics.

        Each is a name, such as "rmsprop", or an object.  Earlier training of the weights stays; the optimizer starts
        anew.  A layer's `trainable` is looked at here.

        Raises ValueError for an unknown name, TypeError for a missing loss or an argument that tinynet has not.
        """
        refuse("compile", Trainable.compile, unsupported)
        if loss is None:
            raise TypeError("compile expects a loss, such as loss='categorical_crossentropy'.")
        optimizer, loss = optimizers.get(optimizer), losses.get(loss)
        names = metrics if isinstance(metrics, (list, tuple)) else [metrics] if metrics else []
        resolved = _resolve(names, loss, self.output_shape)
        self.optimizer, self._loss, self._metric_names, self.metrics = optimizer, loss, names, resolved
        self.optimizer.reset()
        self._compiled_chain: list[Layer] | None = None
        if self.built:
            self._connect()

    def _connect(self):
        """Join loss, layers and optimizer, now that the shapes are known."""
        self.metrics = _resolve(self._metric_names, self._loss, self.output_shape)
        fused = losses.fuse(self._loss, self.chain[-1])
        self.loss = fused or self._loss
        trainable = [i for i, layer in enumerate(self.chain) if layer.trainable and layer.parameters]
        self.parameters = ParameterVector([p for i in trainable for p in self.chain[i].parameters])
        # The way back ends at the first layer that learns, and nobody reads the gradient of what goes into it.
        first = trainable[0] if trainable else len(self.chain)
        self.differentiated = self.chain[first:-1] if fused else self.chain[first:]
        for i, layer in enumerate(self.chain):
            layer.needs_dx = i != first
        self._compiled_chain = list(self.chain)

    @property
    def dtype(self):
        """The float type of the weights."""
        weights: list[Parameter] = [p for layer in self.layers for p in layer.parameters]
        return weights[0].value.dtype if weights else np.dtype(floatx())

    # What a kind of model defines

    @property
    def chain(self) -> list[Layer]:
        """What runs: the layers, and the activations that came as their arguments."""
        raise NotImplementedError

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the weights exist."""
        raise NotImplementedError

    @property
    def input_shape(self) -> Any:
        """The shape of a batch of inputs, (None, ...); None before the model is built."""
        raise NotImplementedError

    @property
    def output_shape(self) -> Any:
        """The shape of a batch of outputs, (None, ...); None before the model is built."""
        raise NotImplementedError

    def build(self, input_shape):
        """Create the weights for batches of this shape, such as (None, 784)."""
        raise NotImplementedError


def _resolve(names, loss, output_shape):
    """The metrics of these names; a name given twice counts once."""
    found = [metrics.get(name, loss, output_shape or (None, None)) for name in names]
    return list({m.name: m for m in found}.values())
