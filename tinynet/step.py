"""One step of gradient descent: predict, measure, differentiate, move; and what must be joined before it can be taken.

It must not know what a layer computes, nor about epochs, batches or where data comes from.
"""
from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from tinynet import losses, optimizers
from tinynet.backend import floatx
from tinynet.layers import Layer
from tinynet.losses import fusion
from tinynet.metrics.of_model import as_list, of_output, reported
from tinynet.metrics.running import Reported, RunningMeans
from tinynet.parameters import Parameter, ParameterVector
from tinynet.arguments import refuse

__all__ = ["Trainable"]


class Trainable:
    """A chain of layers with a loss at its end and an optimizer that moves its weights."""

    name: str
    chain: list[Layer]              # what runs: the layers, and the activations that came as their arguments
    parameters: ParameterVector     # every trainable weight, end to end
    optimizer: Any = None
    metrics: list[Reported] = []
    regularization: Any = 0         # what it has added to the loss of the last batch
    trainable = True                # False keeps all weights as they are; looked at when the model is compiled

    # One step

    def train_step(self, x, y, weights=None):
        """One step of gradient descent: predict, measure, differentiate, move."""
        y_pred = self.forward(x, training=True)
        loss = self.loss.forward(y, y_pred, weights) + self.penalty()
        self.backward(self.loss.backward(y, y_pred, weights))
        self.optimizer.update(self.parameters.value, self.parameters.grad)
        self.parameters.constrain()
        return loss, y_pred

    def test_step(self, x, y, weights=None):
        """Predict and measure, and leave everything as it is."""
        y_pred = self.forward(x)
        return self.loss.forward(y, y_pred, weights) + self.penalty(), y_pred

    def forward(self, x, training=False):
        """The prediction for x: each layer's output is the next one's input."""
        for layer in self.chain:
            x = layer.forward(x, training)
        return x

    def backward(self, dy):
        """The gradient of every trainable parameter, of the loss with all penalties."""
        self.propagate(dy)
        self.parameters.regularize()

    def propagate(self, dy):
        """Backprop: each layer's dx is the dy of the one before."""
        self._gather()
        for layer in reversed(self.backward_chain):
            layer.needs_dx = layer is not self.backward_chain[0]
            dy = layer.backward(dy)

    def _gather(self):
        """Bring the parameters back into one vector, which copying a model or sharing a layer takes apart."""
        if not self.parameters.intact():
            self.parameters = ParameterVector(self.parameters.parameters)

    def penalty(self):
        """What regularization adds to the loss: for large weights, frozen ones too, and for large activities."""
        weights = sum(penalty for layer in self.layers for penalty in layer.losses)
        self.regularization = weights + sum(link.penalty for link in self.chain)
        return self.regularization

    # Compiling

    def compile(self, optimizer, loss=None, metrics=None, loss_weights=None, sample_weight_mode=None,
                weighted_metrics=None, target_tensors=None, **unknown):
        """Say how to train: by which optimizer, against which loss, reporting which metrics.

        Each is a name, such as "rmsprop", or an object.  Earlier training of the weights stays; the optimizer starts
        anew.  A layer's `trainable` is looked at here.  Sample and class weights count in weighted_metrics only.
        Besides the metrics of `tinynet.metrics` there are "data_loss" and "regularization", whose sum is the loss.

        Raises ValueError for an unknown name, TypeError for a missing loss or an argument that tinynet does not have.
        """
        refuse("tinynet does not have the argument", Trainable.compile, unknown | {
            "loss_weights": loss_weights, "sample_weight_mode": sample_weight_mode, "target_tensors": target_tensors})
        loss, metrics, weighted_metrics = (of_output(given, self) for given in (loss, metrics, weighted_metrics))
        if loss is None:
            raise TypeError("compile expects a loss, such as loss='categorical_crossentropy'.")
        optimizer, loss = optimizers.get(optimizer), losses.get(loss)
        names = as_list(metrics), as_list(weighted_metrics)
        resolved = reported(names, loss, self)
        for p in self.trainable_weights:
            p.check_rules()
        owner = _model_of.get(optimizer, lambda: None)()
        if owner not in (None, self):
            raise ValueError(f"{optimizer!r} belongs to {owner.name}, whose running means it holds. Give each model an "
                             "optimizer of its own.")
        _model_of[optimizer] = weakref.ref(self)
        self.optimizer, self._loss, self._metric_names, self.metrics = optimizer, loss, names, resolved
        self.optimizer.reset()
        self._compiled_chain: list[Layer] | None = None
        if self.built:
            self._connect()

    def _connect(self):
        """Join loss, layers and optimizer, now that the shapes are known, on which "accuracy" depends too."""
        for p in self.trainable_weights:
            p.check_rules()
        self.metrics = [m._replace(metric=fusion.after(m.metric, self.chain))
                        for m in reported(self._metric_names, self._loss, self)]
        fused = fusion.fuse(self._loss, self.chain)
        self.loss = fused or self._loss
        learning = self.trainable_weights
        self.parameters = ParameterVector(learning)
        self._learning = [layer for layer in self.layers if self.trainable and layer.trainable]
        # The way back ends at the first link that learns; a fused loss has already gone through the last one.
        first = next((i for i, link in enumerate(self.chain) if set(link.parameters) & set(learning)), len(self.chain))
        self.backward_chain = self.chain[first:len(self.chain) - (fused.links if fused else 0)]
        self._compiled_chain = list(self.chain)
        self.means = RunningMeans(self.metrics)             # of single batches that are not to be reset

    def _mark_learning(self):
        """Let the layers know which of them learn in this model; another may share them."""
        for layer in self.layers:
            layer.learns = layer in self._learning

    @property
    def trainable_weights(self) -> list[Parameter]:
        """The parameters that training moves."""
        return [p for layer in self.layers for p in layer.trainable_weights if self.trainable]

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        """The others: those of frozen layers, and what layers keep without learning it."""
        moved = {id(p) for p in self.trainable_weights}
        return [p for layer in self.layers for p in layer.parameters if id(p) not in moved]

    @property
    def losses(self) -> list:
        """The penalties that the weights' regularizers charge now."""
        return [penalty for layer in self.layers for penalty in layer.losses]

    def memory(self) -> list:
        """The arrays that a step keeps until the next one."""
        return [self.parameters.value, self.parameters.grad, self.optimizer.clock, *self.optimizer.slots]

    def constants(self) -> list:
        """The numbers and words that a step is set to: such attributes of layers, optimizer and loss, but no _names."""
        owners = [*self.layers, *self.chain, self.optimizer, self.loss]
        return [(name, value) for owner in owners for name, value in vars(owner).items()
                if isinstance(value, (int, float, str)) and not name.startswith("_") and name != "needs_dx"]

    @property
    def dtype(self):
        """The float type of the weights."""
        weights: list[Parameter] = [p for layer in self.chain for p in layer.parameters]
        return weights[0].value.dtype if weights else np.dtype(floatx())

    # What a kind of model defines

    @property
    def layers(self) -> list[Layer]:
        """The layers as they were added."""
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

    def compute_output_shape(self, input_shape):
        """The shape of the outputs for a batch of inputs of this shape."""
        raise NotImplementedError


# Which model an optimizer was compiled into.  Not an attribute of either, so that both can be copied.
_model_of: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
