"""Gradient check of a layer: the loss is L = sum(c y) with a random array c, the cotangent, so that dL/dy = c."""
from __future__ import annotations

import copy
import numbers

import numpy as np

from tinynet.backend import to_numpy, xp
from tinynet.gradient_check.compare import comparison_of
from tinynet.gradient_check.report import GradientReport
from tinynet.layers import Layer
from tinynet.random import MaskStream


def check_layer(layer, x_or_shape, *, method="complex", max_entries=100, seed=0) -> GradientReport:
    """Check a layer, and the layers that are its arguments, in training and, if it differs, in inference.

    Parameters
        layer: built or not; a copy is checked.
        x_or_shape: inputs (N, ...), or their shape as a tuple, of which they are drawn.
        method: "complex", exact to fifteen digits; "central", the textbook's, to six; "richardson", to seven.
        max_entries, seed: see `tinynet.gradient_check.compare.Comparison`.

    Raises ValueError if the layer breaks its contract: forward changes its input, or differs from call to call.

    >>> from tinynet.layers import Softmax
    >>> check_layer(Softmax(), (3, 4)).passed
    True
    """
    comparison = comparison_of(method, max_entries, seed)
    if not isinstance(layer, Layer):
        raise TypeError(f"check_layer expects a layer, such as Dense(3), got {layer!r}. Models go to check_model.")
    before = np.random.get_state()
    x = _inputs(x_or_shape, comparison.rng)
    entries, layer = [], copy.deepcopy(layer)
    for part in layer.stack():
        part.build_once((None, *x.shape[1:]))
        make_float64([part])
        entries += layer_entries(part, x, comparison)
        x = xp.array(part.forward(x), dtype=np.float64)
    np.random.set_state(before)
    return GradientReport(entries, method)


def _inputs(x_or_shape, rng):
    """The inputs, or drawn ones of a shape."""
    if isinstance(x_or_shape, tuple) and all(isinstance(n, numbers.Integral) for n in x_or_shape):
        x = rng.standard_normal(x_or_shape)
    else:
        try:
            x = to_numpy(x_or_shape).astype(np.float64)
        except (TypeError, ValueError):
            x = np.array(0.0)
    if x.ndim < 2 or not x.size:
        raise ValueError("check_layer expects inputs (N, ...) with at least two axes, or their shape as a tuple, such "
                         f"as (4, 3), got {x_or_shape!r}.")
    return xp.asarray(x)


def layer_entries(layer, x, comparison):
    """The entries of a layer, in training and, if it differs, in inference."""
    state, trainable = state_of([layer]), layer.trainable
    layer.trainable = True      # a frozen layer may skip its gradients
    outputs = []
    for training in (True, False):
        batch = _another_batch(x)
        given = batch.copy()
        outputs.append(to_numpy(layer.forward(batch, training)))
        _check_contract(layer, batch, given, outputs[-1])
        restore(state)
    same = np.array_equal(outputs[0], outputs[1], equal_nan=True)
    modes = {"": True} if same else {"": True, " (not training)": False}
    entries = []
    for title, training in modes.items():
        entries += comparison.run(lambda how, training=training, title=title: _mode_entries(
            layer, x.copy(), training, title, how))
        restore(state)
    layer.trainable = trainable
    return entries


def _mode_entries(layer, x, training, title, comparison):
    """The entries of a layer: its input and each of its parameters."""
    state, trained, given = state_of([layer]), [p for p in layer.parameters if p.trainable], x.copy()

    def forward(x):
        restore(state)
        return layer.forward(x, training)

    forward(_another_batch(x))      # of which backward must use nothing
    y = to_numpy(forward(x))
    _check_contract(layer, x, given, y)
    if not np.array_equal(to_numpy(forward(x)), y):
        raise ValueError(f"{layer.name}: forward is not the same each time. It must depend on x, the weights and "
                         "self.masks alone, a tinynet.random.MaskStream, which can be reset.")
    cotangent = xp.asarray(comparison.rng.standard_normal(y.shape))
    dx, gradients = _backward(layer, cotangent, trained, x.shape)
    if not np.array_equal(x, given):
        raise ValueError(f"{layer.name}: backward changed the input of forward. Write to dy, or to an array of the "
                         "layer's own.")
    entries, held = [], [p.value for p in trained]
    moved = comparison.prepared(x)

    def loss():
        return (cotangent * forward(moved)).sum() + layer.penalty
    scale = float(abs(cotangent).max())
    entries.append(comparison.entry(f"{layer.name}: input{title}", dx, moved, loss, scale))
    for p, gradient, value in zip(trained, gradients, held):
        p.move_to(comparison.prepared(value), p.grad)
        try:
            entries.append(comparison.entry(f"{p.name}{title}", gradient, p.value, loss, scale))
        finally:
            p.move_to(value, p.grad)
    return entries


def _another_batch(x):
    """Another batch like x; integers stay integers."""
    return x[::-1].copy() if (x == np.rint(x)).all() else 0.9 * x[::-1]


def _check_contract(layer, x, given, y):
    """Raise ValueError for an output that a layer must not return, or an input that it has changed."""
    if y.dtype.kind == "c":
        raise ValueError(f"{layer.name}: forward made complex numbers of real ones. Does it keep sums of earlier "
                         "batches in an attribute? Use add_weight(..., trainable=False), which is restored.")
    if y.ndim < 1 or y.dtype.kind not in "fiub":
        raise ValueError(f"{layer.name}: forward must return an array of numbers, got {y!r:.60}.")
    if y.dtype.kind == "f" and y.dtype != np.float64:
        raise ValueError(f"{layer.name}: forward made {y.dtype} of float64, which costs the check its digits. A layer "
                         "keeps the type that it is given.")
    declared = tuple(layer.compute_output_shape((None, *x.shape[1:])))
    if y.shape[1:] != declared[1:]:
        raise ValueError(f"{layer.name}: forward returned {y.shape} for {x.shape}, but compute_output_shape says "
                         f"{declared}. Define compute_output_shape.")
    if not np.array_equal(x, given, equal_nan=True):
        raise ValueError(f"{layer.name}: forward changed its input. Work on a copy: x = x.copy().")
    if not np.isfinite(y).all():
        raise ValueError(f"{layer.name}: forward gives NaN or infinity for these inputs. Use other inputs.")


def _backward(layer, cotangent, trained, shape):
    """(dx, the gradients of the parameters) for L = sum(cotangent y), after a forward."""
    for p in trained:
        p.grad = np.nan     # a gradient that backward does not assign, or adds to, stays NaN
    needs_dx, layer.needs_dx = layer.needs_dx, True
    dx = layer.backward(cotangent.copy())
    layer.needs_dx = needs_dx
    if getattr(dx, "shape", None) != shape:
        came = "None" if dx is None else getattr(dx, "shape", f"a {type(dx).__name__}")
        raise ValueError(f"{layer.name}: backward must return dx of shape {shape}, like x, got {came}. Does it end "
                         "with `return dx`?")
    return dx.copy(), [p.grad.copy() for p in trained]


def make_float64(layers):
    """Convert all parameters of the layers to float64."""
    for p in (p for layer in layers for p in layer.parameters):
        p.move_to(p.value.astype(np.float64), xp.zeros(p.value.shape))


def state_of(layers):
    """What a training step changes besides trainable weights: the steps of random streams, and running statistics."""
    inside = [inner for layer in layers for inner in _with_inner_layers(layer)]
    return ([(stream, stream.step) for layer in inside for stream in vars(layer).values()
             if isinstance(stream, MaskStream)],
            [(p, p.value.copy()) for layer in inside for p in layer.parameters if not p.trainable])


def _with_inner_layers(layer):
    """A layer, and the layers in its attributes."""
    yield layer
    for value in vars(layer).values():
        for inner in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(inner, Layer):
                yield from _with_inner_layers(inner)


def restore(state):
    """Restore that state, so that each forward draws the same numbers."""
    streams, kept = state
    for stream, step in streams:
        stream.step = step
    for p, value in kept:
        p.value = value
