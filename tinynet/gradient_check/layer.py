"""The check of a layer by itself: L = sum(c y) with a random array c, the cotangent, stands in for the loss.

Then dL/dy = c, and no error can hide in a symmetry.  It must not know any derivative.
"""
from __future__ import annotations

import copy

import numpy as np

from tinynet.gradient_check.compare import comparison_of
from tinynet.gradient_check.report import GradientReport
from tinynet.layers import Layer

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
    x = _inputs(x_or_shape, comparison.rng)
    entries, layer = [], copy.deepcopy(layer)
    for link in layer.chain():
        link.build_once((None, *x.shape[1:]))
        make_float64([link])
        entries += link_entries(link, x, comparison)
        x = link.forward(x).copy()
    return GradientReport(entries, method)


def _inputs(x_or_shape, rng):
    """Inputs as they were given, or drawn for a shape."""
    if isinstance(x_or_shape, tuple) and all(isinstance(n, int) for n in x_or_shape):
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
    """The entries of one link, in training and, if that changes anything, outside."""
    modes = {"": True}
    if getattr(link, "masks", None) is not None or any(not p.trainable for p in link.parameters):
        modes[" (not training)"] = False
    entries = []
    for title, training in modes.items():
        entries += _mode_entries(link, x, training, title, comparison)
    return entries


def _mode_entries(link, x, training, title, comparison):
    """The entries of one link: its input and each of its parameters."""
    state, learned, given = state_of([link]), [p for p in link.parameters if p.trainable], x.copy()

    def forward(x):
        restore(state)
        return link.forward(x, training)

    forward(0.9 * x[::-1])      # another batch, of which backward must remember nothing
    y = forward(x).copy()
    if y.shape[1:] != tuple(link.compute_output_shape((None, *x.shape[1:])))[1:]:
        raise ValueError(f"{link.name}: forward returned {y.shape} for {x.shape}, but compute_output_shape says "
                         f"{tuple(link.compute_output_shape((None, *x.shape[1:])))}. Define compute_output_shape.")
    if not np.array_equal(x, given, equal_nan=True):
        raise ValueError(f"{link.name}: forward changed its input. Work on a copy: x = x.copy().")
    if not np.array_equal(forward(x), y, equal_nan=True):
        raise ValueError(f"{link.name}: forward is not the same each time. Draw random numbers from self.masks, a "
                         "tinynet.random.MaskStream, which can be rewound.")
    cotangent = comparison.rng.standard_normal(y.shape)
    dx, gradients = _backward(link, cotangent, learned, x.shape)
    entries, held = [], [p.value for p in learned]
    moved = comparison.prepared(x)

    def loss():
        return (cotangent * forward(moved)).sum() + link.penalty
    scale = np.abs(cotangent).max()
    entries.append(comparison.entry(f"{link.name}: input{title}", dx, moved, loss, scale))
    for p, gradient, value in zip(learned, gradients, held):
        p.move_to(comparison.prepared(value), p.grad)
        entries.append(comparison.entry(f"{p.name}{title}", gradient, p.value, loss, scale))
        p.move_to(value, p.grad)
    restore(state)
    return entries


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
    return ([(layer.masks, layer.masks.step) for layer in chain if hasattr(layer, "masks")],
            [(p, p.value.copy()) for layer in chain for p in layer.parameters if not p.trainable])


def restore(state):
    """Go back there, so that each forward draws the same numbers."""
    streams, kept = state
    for stream, step in streams:
        stream.step = step
    for p, value in kept:
        p.value = value
