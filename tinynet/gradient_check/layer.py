"""The check of a layer by itself: L = sum(c y) with a random array c, the cotangent, stands in for the loss.

Then dL/dy = c, and no error can hide in a symmetry.  It must not know any derivative.
"""
from __future__ import annotations

import copy
import numbers

import numpy as np

from tinynet.gradient_check.compare import comparison_of
from tinynet.gradient_check.report import GradientReport
from tinynet.layers import Layer
from tinynet.random import MaskStream

__all__ = ["check_layer", "link_entries", "make_float64", "restore", "state_of"]


def check_layer(layer, x_or_shape, *, method="complex", max_entries=100, seed=0) -> GradientReport:
    """Check one layer, and the links that come as its arguments, in training and, where that is another thing, outside.

    Parameters
        layer: built or not; a copy is checked.
        x_or_shape: inputs (N, ...), or their shape as a tuple, N included: then they are drawn.
        method: "complex", exact to fifteen digits; "central", the textbook's, to six; "richardson", to seven.
        max_entries, seed: see `tinynet.gradient_check.compare.Comparison`.

    Raises ValueError where the layer breaks its contract: forward changes its input, or is not the same each time.

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
    for link in layer.chain():
        link.build_once((None, *x.shape[1:]))
        make_float64([link])
        entries += link_entries(link, x, comparison)
        x = np.array(link.forward(x), dtype=np.float64)
    np.random.set_state(before)
    return GradientReport(entries, method)


def _inputs(x_or_shape, rng):
    """Inputs as they were given, or drawn for a shape."""
    if isinstance(x_or_shape, tuple) and all(isinstance(n, numbers.Integral) for n in x_or_shape):
        x = rng.standard_normal(x_or_shape)
    else:
        try:
            x = np.array(x_or_shape, dtype=np.float64)
        except (TypeError, ValueError):
            x = np.array(0.0)
    if x.ndim < 2 or not x.size:
        raise ValueError("check_layer expects inputs (N, ...) with at least two axes, or their shape as a tuple, such "
                         f"as (4, 3), got {x_or_shape!r}.")
    return x


def link_entries(link, x, comparison):
    """The entries of one link, in training and, if it is another thing, outside."""
    state, learns = state_of([link]), (link.trainable, link.learns)
    link.trainable = link.learns = True     # a frozen layer may leave its gradients out
    outputs = []
    for training in (True, False):
        batch = _another_batch(x)
        given = batch.copy()
        outputs.append(np.array(link.forward(batch, training)))
        _check_contract(link, batch, given, outputs[-1])
        restore(state)
    same = np.array_equal(outputs[0], outputs[1], equal_nan=True)
    modes = {"": True} if same else {"": True, " (not training)": False}
    entries = []
    for title, training in modes.items():
        entries += comparison.run(lambda how, training=training, title=title: _mode_entries(
            link, x.copy(), training, title, how))
        restore(state)
    link.trainable, link.learns = learns
    return entries


def _mode_entries(link, x, training, title, comparison):
    """The entries of one link: its input and each of its parameters."""
    state, learned, given = state_of([link]), [p for p in link.parameters if p.trainable], x.copy()

    def forward(x):
        restore(state)
        return link.forward(x, training)

    forward(_another_batch(x))      # of which backward must remember nothing
    y = np.array(forward(x))
    _check_contract(link, x, given, y)
    if not np.array_equal(forward(x), y):
        raise ValueError(f"{link.name}: forward is not the same each time. It must depend on x, the weights and "
                         "self.masks alone, a tinynet.random.MaskStream, which can be rewound.")
    cotangent = comparison.rng.standard_normal(y.shape)
    dx, gradients = _backward(link, cotangent, learned, x.shape)
    if not np.array_equal(x, given):
        raise ValueError(f"{link.name}: backward changed the input that forward was given. Write to dy, or to an array "
                         "of the layer's own.")
    entries, held = [], [p.value for p in learned]
    moved = comparison.prepared(x)

    def loss():
        return (cotangent * forward(moved)).sum() + link.penalty
    scale = np.abs(cotangent).max()
    entries.append(comparison.entry(f"{link.name}: input{title}", dx, moved, loss, scale))
    for p, gradient, value in zip(learned, gradients, held):
        p.move_to(comparison.prepared(value), p.grad)
        try:
            entries.append(comparison.entry(f"{p.name}{title}", gradient, p.value, loss, scale))
        finally:
            p.move_to(value, p.grad)
    return entries


def _another_batch(x):
    """A batch like x that is not x; labels stay labels."""
    return x[::-1].copy() if (x == np.rint(x)).all() else 0.9 * x[::-1]


def _check_contract(link, x, given, y):
    """Raise ValueError for an output that a layer must not give, or an input that it has changed."""
    if y.dtype.kind == "c":
        raise ValueError(f"{link.name}: forward made complex numbers of real ones. Does it keep sums of earlier "
                         "batches in an attribute? add_weight(..., trainable=False) is their place, and is put back.")
    if y.ndim < 1 or y.dtype.kind not in "fiub":
        raise ValueError(f"{link.name}: forward must return an array of numbers, got {y!r:.60}.")
    if y.dtype.kind == "f" and y.dtype != np.float64:
        raise ValueError(f"{link.name}: forward made {y.dtype} of float64, which costs the check its digits. A layer "
                         "keeps the type that it is given.")
    declared = tuple(link.compute_output_shape((None, *x.shape[1:])))
    if y.shape[1:] != declared[1:]:
        raise ValueError(f"{link.name}: forward returned {y.shape} for {x.shape}, but compute_output_shape says "
                         f"{declared}. Define compute_output_shape.")
    if not np.array_equal(x, given, equal_nan=True):
        raise ValueError(f"{link.name}: forward changed its input. Work on a copy: x = x.copy().")
    if not np.isfinite(y).all():
        raise ValueError(f"{link.name}: forward gives NaN or infinity for these inputs, whose slopes mean nothing. Use "
                         "other inputs.")


def _backward(link, cotangent, learned, shape):
    """(dx, the gradients of the parameters) for L = sum(cotangent y), after a forward."""
    for p in learned:
        p.grad = np.nan     # what backward does not assign, or adds to, stays NaN
    needed, link.needs_dx = link.needs_dx, True
    dx = link.backward(cotangent.copy())
    link.needs_dx = needed
    if getattr(dx, "shape", None) != shape:
        came = "None" if dx is None else getattr(dx, "shape", f"a {type(dx).__name__}")
        raise ValueError(f"{link.name}: backward must return dx of shape {shape}, like x, got {came}. Does it end with "
                         "`return dx`?")
    return dx.copy(), [p.grad.copy() for p in learned]


def make_float64(chain):
    """Let all parameters of the links be float64."""
    for p in (p for link in chain for p in link.parameters):
        p.move_to(p.value.astype(np.float64), np.zeros(p.value.shape))


def state_of(chain):
    """What a forward in training changes: where each stream of random numbers stands, and the running means."""
    inside = [layer for link in chain for layer in _with_inner_layers(link)]
    return ([(stream, stream.step) for layer in inside for stream in vars(layer).values()
             if isinstance(stream, MaskStream)],
            [(p, p.value.copy()) for layer in inside for p in layer.parameters if not p.trainable])


def _with_inner_layers(layer):
    """A layer, and those that it keeps as attributes or in lists."""
    yield layer
    for value in vars(layer).values():
        for inner in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(inner, Layer):
                yield from _with_inner_layers(inner)


def restore(state):
    """Go back there, so that each forward draws the same numbers."""
    streams, kept = state
    for stream, step in streams:
        stream.step = step
    for p, value in kept:
        p.value = value
