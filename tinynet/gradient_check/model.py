"""The check of a model: its layers, its loss and its regularizers, each alone, and then all of them together."""
from __future__ import annotations

import copy

import numpy as np

from tinynet.door import Door
from tinynet.gradient_check.compare import comparison_of
from tinynet.gradient_check.formula import check_regularizer, check_unchanged, weightings
from tinynet.gradient_check.layer import link_entries, make_float64, restore, state_of
from tinynet.gradient_check.report import WHOLE, Entry, GradientReport
from tinynet.losses.fusion import FusedLoss
from tinynet.parameters import ParameterVector

__all__ = ["check_model"]


def check_model(model, x, y, *, method="complex", sample_weight=None, max_entries=30, seed=0) -> GradientReport:
    """Check a compiled model on a few samples: each layer alone, the loss, each regularizer, and then all together.

    The entries named "whole model: ..." compare what `backward` leaves in every parameter, and the gradient of the
    data, with slopes of the loss; the last takes all parameters at once in a random direction.

    Parameters as for `check_layer`; sample_weight (N,).  Raises RuntimeError before compile.
    """
    comparison = comparison_of(method, max_entries, seed)
    if not isinstance(model, Door):
        raise TypeError(f"check_model expects a compiled model, got {model!r}. A layer goes to check_layer.")
    before = np.random.get_state()
    model = copy.deepcopy(model, {id(getattr(model, "history", None)): None})
    model._checked(x, y, sample_weight)         # builds it if need be
    np.random.set_state(before)
    make_float64(model.chain)
    model.parameters = ParameterVector(model.parameters.parameters)
    x, y, weights = (None if a is None else np.array(a) for a in model._checked(x, y, sample_weight))
    x = x.astype(np.float64)
    model._mark_learning()
    entries, h = [], x
    for link in model.chain:
        h = h.copy()
        entries += link_entries(link, h, comparison)
        h = np.array(link.forward(h, training=True), dtype=np.float64)
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
    """The entries of the whole model at a place close by, if they are right there, although all parts are right here.

    One kink inside another, selu(w selu(0)), may have the same slope to both sides and yet another one at the place.
    """
    for array in (x, *(p.value for p in model.parameters.parameters)):
        array += 1e-4 * comparison.rng.standard_normal(array.shape)
    beside = comparison.run(lambda how: _whole_entries(model, x, y, weights, how))
    if not all(entry.passed for entry in beside):
        for entry in entries:
            entry.note = entry.note if entry.passed else (
                "Each part is right alone. Do two layers share an array, or does one do less when needs_dx is False?")
        return entries
    for entry, near in zip(entries, beside):
        if not entry.passed:
            near.kinks += 1
            near.note = "The model lies on kinks: checked at a distance of 0.0001."
    return beside


def _loss_entries(model, x, y, weights, comparison):
    """The entries of the loss alone, with respect to the prediction or, where it is fused, to the logits."""
    entries, loss = [], model.loss
    fused = isinstance(loss, FusedLoss)
    y_pred = _forward(model.chain, x, float).copy()
    at = loss.layer.x.copy() if fused else y_pred
    tail = [loss.layer, *loss.rest] if fused else []

    def value(z, w):
        p = _forward(tail, z, z.dtype)
        return loss.forward(y, p, w) + sum(link.penalty for link in tail)
    for title, w in weightings(weights, len(x), comparison):
        value(at, w)
        given = y_pred.copy()
        gradient = loss.backward(y, given, w)
        check_unchanged(loss.name, y_pred, given)

        def entry(how, w=w, gradient=gradient, title=title):
            moved = how.prepared(at)
            name = f"{loss.name}{title}: {'logits' if fused else 'y_pred'}"
            return how.entry(name, gradient, moved, lambda: value(moved, w))
        entries.append(comparison.run(entry))
    return entries


def _forward(chain, x, dtype):
    """What comes out of a chain in training; each array is of one type, although a layer may drop imaginary parts."""
    for link in chain:
        x = np.asarray(link.forward(x, training=True)).astype(dtype, copy=False)
    return x


def _whole_entries(model, x, y, weights, comparison):
    """The entries of the model as it trains: loss, regularizers, weights and all layers at once."""
    state, parameters = state_of(model.chain), model.parameters.parameters
    y_pred = model.forward(x, training=True)
    model.backward(model.loss.backward(y, y_pred, weights))
    gradients = [p.grad.copy() for p in parameters]
    restore(state)
    dy = model.loss.backward(y, model.forward(x, training=True), weights)
    at_the_end = np.abs(dy).max()
    passed_by = model.loss.links if isinstance(model.loss, FusedLoss) else 0
    for link in reversed(model.chain[:len(model.chain) - passed_by]):
        link.needs_dx = True
        dy = link.backward(dy)
    moved = comparison.prepared(x)

    def loss():
        restore(state)
        return model.loss.forward(y, _forward(model.chain, moved, moved.dtype), weights) + model.penalty()
    # At least 0.1: where a softmax is nearly 1, rounding is all its gradient, and the layers before make it larger.
    scale = max(0.1, at_the_end, *(np.abs(gradient).max() for gradient in (dy, *gradients)))
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
