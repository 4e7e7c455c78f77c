"""One training step: forward, loss, backward, update. Several processes take the same parts of it for their shards."""
from __future__ import annotations

import numpy as np

from tinynet import losses, optimizers
from tinynet.backend import floatx, in_order, xp
from tinynet.layers import Layer
from tinynet.losses.fused import from_logits, metric_of_logits
from tinynet.metrics.running import RunningMeans
from tinynet.nested import learning_layers
from tinynet.parameters import Parameter, ParameterVector
from tinynet.training.compiled_metrics import as_list, of_output, reported
from tinynet.types import Any, Array
from tinynet.validation import check_rules, reject_renamed, reject_unknown


def forward_layers(layers: Any, x: Array, training: bool) -> Array:
    """Each layer's output is the input of the next one, in C order, and floats of one type."""
    dtype = x.dtype
    for layer in layers:
        x = layer.forward(x, training)
        x = in_order(x, dtype if x.dtype.kind == "f" else None)
    return x


def backward_layers(layers: Any, dy: Array) -> Array:
    """Backprop: each layer's dx is the dy of the layer before it, in C order and of one type."""
    dtype = dy.dtype
    for layer in reversed(layers):
        dy = layer.backward(in_order(dy, dtype))
    return dy


class Trainable:
    """A stack of layers with a loss and an optimizer; `Sequential` defines its `layers` and their shapes."""

    name: str
    stack: list[Layer]              # the layers that run, activations that are arguments of layers among them
    parameters: ParameterVector     # all trainable weights
    loss: Any                       # as given to compile
    loss_of_z: Any                  # the same, as a function of z
    stack_after_z: list[Any]        # the activation that comes after the logits z, and penalties for its output; or []
    stack_to_z: list[Layer]         # the layers before it
    optimizer: Any = None
    metrics: list[Any] = []         # of `Reported`
    data_loss: Any = 0              # the two parts of the loss of the last batch
    regularization: Any = 0
    trainable = True                # False freezes all weights; read when the model is compiled

    # One step

    def train_step(self, x: Array, y: Array, weights: Array | None = None) -> tuple[Array, Array]:
        """One step of gradient descent, in three parts."""
        loss, y_pred = self.compute_gradients(x, y, weights)    # forward, loss, backward
        self.apply_gradients()                                  # optimizer, constraints
        self.update_state()                                     # running means of BatchNormalization
        return loss, y_pred

    def compute_gradients(self, x: Array, y: Array, weights: Array | None = None, training: bool = True,
                          regularize: bool = True) -> tuple[Array, Array]:
        """(loss, y_pred); leaves dL/dw in the grad of every trainable w, without dR/dw if x is a shard of a batch."""
        loss, z, y_pred = self.compute_loss(x, y, weights, training)    # forward
        dz = self.loss_backward(y, z, y_pred, weights)                  # dL/dz
        self.backpropagate(dz)                                          # backward: dL/dw
        if regularize:
            self.parameters.regularize()                                # dw += dR/dw
        return loss, y_pred

    def compute_loss(self, x: Array, y: Array, weights: Any = None, training: bool = False) -> tuple[Array, ...]:
        """(loss, z, y_pred), where the loss is a function of z: the logits, if y_pred is their softmax, else y_pred."""
        y_pred = self.forward(x, training)
        z = self.stack_after_z[0].x if self.stack_after_z else y_pred       # what the last activation was given
        self.data_loss = self.loss_of_z.forward(y, z, weights)
        self.regularization = self.penalty()
        return self.data_loss + self.regularization, z, y_pred

    def forward(self, x: Array, training: bool = False) -> Array:
        """The prediction for x."""
        return forward_layers(self.stack, in_order(x), training)

    def penalty(self) -> Any:
        """The penalties for weights, frozen ones too, and for the activities of the last forward."""
        return sum(self.losses)

    def loss_backward(self, y: Array, z: Array, y_pred: Array, weights: Array | None = None) -> Array:
        """dz = dL/dz: of the data loss, and of the penalties for y_pred, which go back through the last activation"""
        dz = self.loss_of_z.backward(y, z, weights)
        return dz + backward_layers(self.stack_after_z, xp.zeros_like(y_pred)) if len(self.stack_after_z) > 1 else dz

    def backpropagate(self, dz: Array) -> None:
        """The backward pass from z down to the first layer with trainable weights; those before it are skipped."""
        self.parameters = self.parameters.contiguous()
        for layer in self.backward_stack:
            layer.needs_dx = layer is not self.backward_stack[0]
        backward_layers(self.backward_stack, dz)

    def apply_gradients(self) -> None:
        """Update the parameters by the optimizer, and apply their constraints."""
        self.optimizer.update(self.parameters)
        self.parameters.constrain()

    def update_state(self) -> None:
        """Update the running statistics of the layers that are not frozen, and of layers inside them."""
        for layer in self.updating:
            layer.update_state()

    def test_step(self, x: Array, y: Array, weights: Array | None = None) -> tuple[Array, Array]:
        """(loss, y_pred), in inference."""
        loss, _, y_pred = self.compute_loss(x, y, weights)
        return loss, y_pred

    # Compiling

    def compile(self: Any, optimizer: Any, loss: Any = None, metrics: Any = None, loss_weights: Any = None,
                sample_weight_mode: Any = None, weighted_metrics: Any = None, target_tensors: Any = None,
                **unknown: Any) -> None:
        """Configure the model for training: its optimizer, its loss and the metrics that it reports.

        Each is a name, such as "rmsprop", or an object. Weights stay as they are; the optimizer's slots start at zero.
        A layer's `trainable` is read here. Sample and class weights count in weighted_metrics only. Besides the metrics
        of `tinynet.metrics` there are "data_loss" and "regularization", whose sum is the loss.

        Raises ValueError for an unknown name, TypeError for a missing loss or an argument that tinynet does not have.
        """
        reject_renamed(self, backward="compute_gradients", propagate="compute_gradients")
        reject_unknown("tinynet does not have the argument", Trainable.compile, unknown | {
            "loss_weights": loss_weights, "sample_weight_mode": sample_weight_mode, "target_tensors": target_tensors})
        loss, metrics, weighted_metrics = (of_output(given, self) for given in (loss, metrics, weighted_metrics))
        if loss is None:
            raise TypeError("compile expects a loss, such as loss='categorical_crossentropy'.")
        optimizer, loss = optimizers.get(optimizer), losses.get(loss)
        reject_renamed(optimizer, reset="bind")
        names = as_list(metrics), as_list(weighted_metrics)
        resolved = reported(names, loss, self)
        check_rules(self.trainable_weights)
        self.optimizer, self.loss, self._metric_names, self.metrics = optimizer, loss, names, resolved
        self.connected_stack: list[Layer] | None = None
        if self.built:
            self.connect()

    def connect(self) -> None:
        """Connect layers, loss and optimizer, now that the shapes are known."""
        weights = self.trainable_weights
        check_rules(weights)
        self.metrics: list[Any] = [m._replace(metric=metric_of_logits(m.metric, self.stack))
                                   for m in reported(self._metric_names, self.loss, self)]
        self.loss_of_z, self.stack_after_z = from_logits(self.loss, self.stack)
        self.stack_to_z = self.stack[:len(self.stack) - len(self.stack_after_z)]
        self.parameters = ParameterVector(weights)
        self.optimizer.bind(self.parameters)
        learning = list(learning_layers(self))
        inside = (p.layer for layer in learning for p in layer.parameters if p.layer and p.layer.trainable)
        self.updating: list[Any] = list(dict.fromkeys([*learning, *inside]))
        # The backward pass ends at the first layer that has a trainable weight.
        stack = self.stack_to_z
        first = next((i for i, layer in enumerate(stack) if set(layer.parameters) & set(weights)), len(stack))
        self.backward_stack: Any = stack[first:]
        self.connected_stack = list(self.stack)
        self.means: RunningMeans = RunningMeans(self.metrics)   # of single batches, train_on_batch(reset_metrics=False)

    # Weights

    @property
    def trainable_weights(self: Any) -> list[Parameter]:
        """The trainable parameters."""
        return [p for layer in self.layers for p in layer.trainable_weights if self.trainable]

    @property
    def non_trainable_weights(self: Any) -> list[Parameter]:
        """The others: those of frozen layers, and running statistics."""
        trainable = {id(p) for p in self.trainable_weights}
        return [p for layer in self.layers for p in layer.parameters if id(p) not in trainable]

    @property
    def losses(self: Any) -> list[Any]:
        """The penalty of each weight regularizer, then those for activities in the last forward."""
        activities = [layer.penalty for layer in self.stack if not isinstance(layer.penalty, int)]
        return [penalty for layer in self.layers for penalty in layer.losses] + activities

    @property
    def dtype(self) -> Any:
        """The float type of the weights."""
        return next((p.dtype for layer in self.stack for p in layer.parameters), np.dtype(floatx()))
