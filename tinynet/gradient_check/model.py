"""Gradient check of a model: its layers, its loss and its regularizers, each alone, and then all together."""
from __future__ import annotations

import copy

import numpy as np

from tinynet.backend import xp
from tinynet.gradient_check.compare import as_in_training, comparison_of
from tinynet.gradient_check.loss import check_regularizer, check_unchanged, weightings
from tinynet.gradient_check.layer import layer_entries, make_float64
from tinynet.gradient_check.report import WHOLE, Entry, GradientReport
from tinynet.gradient_check.state import State
from tinynet.fused_layers import unfuse
from tinynet.parameters import ParameterVector
from tinynet.training.step import Trainable, backward_layers, forward_layers
from tinynet.types import Any, ArrayLike


@as_in_training
def check_model(model: Any, x: ArrayLike, y: ArrayLike, *, method: str = "complex", sample_weight: ArrayLike = None,
                max_entries: int = 30, seed: int = 0) -> GradientReport:
    """Check a compiled model on a few samples: each layer alone, the loss, each regularizer, and then all together.

    The entries named "whole model: ..." compare the gradients of a training step, and the gradient of the data, with
    slopes of the loss; the last one is the slope of all parameters together in a random direction.

    Parameters as for `check_layer`; sample_weight (N,).  Raises RuntimeError before compile.
    """
    comparison = comparison_of(method, max_entries, seed)
    if not isinstance(model, Trainable):
        raise TypeError(f"check_model expects a compiled model, got {model!r}. A layer goes to check_layer.")
    before = np.random.get_state()
    model = copy.deepcopy(model, {id(getattr(model, "history", None)): None})
    model.checked_batch(x, y, sample_weight)        # builds it if necessary
    np.random.set_state(before)
    unfuse(model)
    make_float64(model.stack)
    model.parameters = ParameterVector(model.parameters.parameters)
    x, y, weights = (None if a is None else xp.array(a) for a in model.checked_batch(x, y, sample_weight))
    x = x.astype(np.float64)
    entries, h = [], x
    for layer in model.stack:
        h = h.copy()
        entries += layer_entries(layer, h, comparison)
        h = xp.array(layer.forward(h, training=True), dtype=np.float64)
    entries += _loss_entries(model, x, y, weights, comparison)
    for p in model.parameters.parameters:
        if p.regularizer is not None:
            entries += check_regularizer(p.regularizer, p.value, method=method, max_entries=max_entries, seed=seed,
                                         name=f"regularizer of {p.name}").entries
    together = comparison.run(lambda how: _whole_entries(model, x, y, weights, how))
    if all(entry.passed for entry in entries) and not all(entry.passed for entry in together):
        together = _beside_a_kink(together, model, x, y, weights, comparison)
    return GradientReport(entries + together, method)


def _beside_a_kink(entries, model, x, y, weights, comparison):
    """The entries of the whole model at a nearby point, if they are right there, because all parts are right here.

    One kink inside another, selu(w selu(0)), may have the same slope on both sides and another one at the point.
    """
    for array in (x, *(p.value for p in model.parameters.parameters)):
        array += 1e-4 * xp.asarray(comparison.rng.standard_normal(array.shape))
    beside = comparison.run(lambda how: _whole_entries(model, x, y, weights, how))
    if not all(entry.passed for entry in beside):
        for entry in entries:
            entry.note = entry.note if entry.passed else (
                "Each part is right alone. Do two layers share an array, or does one do less when needs_dx is False?")
        return entries
    for entry, near in zip(entries, beside):
        if not entry.passed:
            near.kinks += 1
            near.note = "The model is on kinks: checked at a distance of 0.0001."
    return beside


def _loss_entries(model, x, y, weights, comparison):
    """The entries of the loss alone, with respect to the prediction or the logits."""
    entries, loss, at = [], model.loss_of_z, _forward(model.stack_to_z, x, float).copy()

    def value(z, w):
        y_pred = _forward(model.stack_after_z, z, z.dtype)
        return loss.forward(y, z, w) + sum(layer.penalty for layer in model.stack_after_z), y_pred
    for title, w in weightings(weights, len(x), comparison):
        given = at.copy()
        _, y_pred = value(given, w)
        gradient = model.loss_backward(y, given, y_pred, w)
        check_unchanged(loss.name, at, given)

        def entry(how, w=w, gradient=gradient, title=title):
            moved = how.prepared(at)
            name = f"{loss.name}{title}: {'logits' if model.stack_after_z else 'y_pred'}"
            return how.entry(name, gradient, moved, lambda: value(moved, w)[0])
        entries.append(comparison.run(entry))
    return entries


def _forward(layers, x, dtype):
    """The output of layers in training, in one dtype, although a layer may drop imaginary parts."""
    for layer in layers:
        x = xp.asarray(layer.forward(x, training=True)).astype(dtype, copy=False)
    return x


def _whole_entries(model, x, y, weights, comparison):
    """The entries of the model as it trains: loss, regularizers, weights and all layers at once."""
    state, parameters = State(model.stack), model.parameters.parameters
    model.compute_gradients(x, y, weights)
    state.observe()
    gradients = [p.grad.copy() for p in parameters]
    state.restore()
    z = forward_layers(model.stack_to_z, x, training=True)
    dy = model.loss_backward(y, z, forward_layers(model.stack_after_z, z, training=True), weights)
    at_the_end = float(abs(dy).max())
    for layer in model.stack_to_z:
        layer.needs_dx = True
    dy = backward_layers(model.stack_to_z, dy)
    moved = comparison.prepared(x)

    def loss():
        state.restore()
        z = _forward(model.stack_to_z, moved, moved.dtype)
        _forward(model.stack_after_z, z, z.dtype)
        return model.loss_of_z.forward(y, z, weights) + model.penalty()
    # At least 0.1: the gradient of a softmax of nearly 1 is only rounding error, which the layers before it amplify.
    scale = max(0.1, at_the_end, *(float(abs(gradient).max()) for gradient in (dy, *gradients)))
    entries, held = [comparison.entry(f"{WHOLE}input", dy, moved, loss, scale)], [p.value for p in parameters]
    for p in parameters:
        p.move_to(comparison.prepared(p.value), p.grad)
    try:
        return entries + _of_parameters(parameters, gradients, loss, scale, comparison)
    finally:
        for p, value in zip(parameters, held):
            p.move_to(value, p.grad)


def _of_parameters(parameters, gradients, loss, scale, comparison):
    """The entries of each parameter, and of all of them in a random direction."""
    entries = [comparison.entry(WHOLE + p.name, gradient, p.value, loss, scale)
               for p, gradient in zip(parameters, gradients)]
    if parameters:
        everything = Entry(f"{WHOLE}all parameters", (sum(g.size for g in gradients),), 0, 0.0, entries[0].tolerance)
        comparison.direction(everything, [(p.value, g) for p, g in zip(parameters, gradients)], loss, scale)
        entries.append(everything)
    return entries
