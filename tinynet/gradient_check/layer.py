"""Gradient check of a layer: the loss is L = sum(c y) with a random array c, the cotangent, so that dL/dy = c."""
from __future__ import annotations

import copy
import numbers
from contextlib import suppress

import numpy as np

from tinynet.backend import to_numpy, xp
from tinynet.gradient_check import contract
from tinynet.gradient_check.compare import as_in_training, comparison_of
from tinynet.gradient_check.report import Breach, GradientReport
from tinynet.gradient_check.state import State
from tinynet.layers import Layer
from tinynet.types import Any, ArrayLike


@as_in_training
def check_layer(layer: Any, x_or_shape: Any, *, method: str = "complex", max_entries: int = 100,
                seed: int = 0) -> GradientReport:
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
    if not hasattr(layer, "parameters"):
        raise TypeError(f"{type(layer).__name__} lacks what every layer has: its __init__ must begin with "
                        "super().__init__(**options).")
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


def layer_entries(layer: Any, x: ArrayLike, comparison: Any) -> list[Any]:
    """The entries of a layer, in training and, if it differs, in inference."""
    trainable, layer.trainable = layer.trainable, True      # a frozen layer may skip its gradients
    state, outputs = State([layer]), []
    for training in (True, False):
        outputs.append(contract.output(layer, _another_batch(x), training))
        state.observe()
        state.restore()
    same = np.array_equal(outputs[0], outputs[1], equal_nan=True)
    entries = []
    for title, training in ({"": True} if same else {"": True, " (not training)": False}).items():
        found = comparison.run(lambda how, training=training, title=title: _mode_entries(
            layer, state, x.copy(), training, title, how))
        state.restore()
        if all(entry.passed for entry in found):        # else the first thing that is wrong is told
            found += _elsewhere(layer, x, training, title, comparison)
            found += _breaches(layer, state, x.copy(), training, title, comparison)
            found[0].note = found[0].note or _untrained(layer, state, x, training)
        entries += found
    layer.trainable = trainable
    return entries


def _mode_entries(layer, state, x, training, title, comparison):
    """The entries of a layer: its input and each of its parameters."""
    forward, trained = _forward(layer, state, training), [p for p in layer.parameters if p.trainable]
    with suppress(Exception):       # of backward: it is told below
        contract.backward(layer, xp.ones(forward(_another_batch(x)).shape), trained, x.shape)
    state.restore()
    y = contract.output(layer, x, training)
    if not np.array_equal(to_numpy(forward(x)), y):
        state.forgets = True
        y = to_numpy(forward(x))
    if not np.array_equal(to_numpy(forward(x)), y):
        raise ValueError(f"{layer.name}: forward is not the same each time. It must depend on x, the weights and "
                         "random numbers that can be drawn again: of self.masks, a tinynet.random.MaskStream, of a "
                         "Generator in an attribute, or of np.random.")
    cotangent = xp.asarray(comparison.rng.standard_normal(y.shape))
    held, given = [p.value.copy() for p in trained], x.copy()
    dx, *gradients = contract.backward(layer, cotangent, trained, x.shape)
    dx = dx.copy()
    forward(given.copy())
    another = xp.asarray(comparison.rng.standard_normal(y.shape))
    usual = contract.largest(contract.backward(layer, another, trained, x.shape))
    x[...] = given      # what backward has changed it must not
    for p, value in zip(trained, held):
        p.value = value
    moved, held = comparison.prepared(x), [p.value for p in trained]

    def loss():
        return (cotangent * forward(moved)).sum() + layer.penalty
    scale, samples = float(abs(cotangent).max()), len(x)
    entries = [comparison.entry(f"{layer.name}: input{title}", dx, moved, loss, scale, samples, usual[0])]
    for p, gradient, value, size in zip(trained, gradients, held, usual[1:]):
        p.move_to(comparison.prepared(value), p.grad)
        try:
            entries.append(comparison.entry(f"{p.name}{title}", gradient, p.value, loss, scale, samples, size))
        finally:
            p.move_to(value, p.grad)
        if np.isnan(to_numpy(gradient)).all():
            name = next((f"self.{name}" for name, value in vars(layer).items() if value is p), p.name)
            entries[-1].note = f"NaN: backward must assign {name}.grad, and not add to it (0 times NaN is NaN)."
    return entries


def _forward(layer, state, training):
    """forward, of the same random numbers each time."""
    def forward(x):
        state.restore()
        return layer.forward(x, training)
    return forward


def _elsewhere(layer, x, training, title, comparison):
    """The entries that are wrong for one sample more, or with other weights: ones and zeros hide wrong factors."""
    held, entries = [(p, p.value.copy()) for p in layer.parameters], []
    larger = _larger_batch(x)
    for what, batch, weights in ((f" ({len(larger)} samples)", larger, []), (" (other weights)", x, held)):
        for p, value in weights:
            p.value = _other_weights(p, value, comparison.rng)
        try:
            state = State([layer])
            contract.output(layer, _another_batch(batch), training)
            state.observe()

            def check(how, what=what, batch=batch, state=state):
                return _mode_entries(layer, state, batch.copy(), training, title + what, how)
            if not all(entry.passed for entry in comparison.of_one_number().run(check)):
                entries += [entry for entry in comparison.run(check) if not entry.passed]
        except Exception:       # of forward: _breaches tells, or these weights are not possible
            pass
        for p, value in held:
            p.value = value
    return entries


def _other_weights(p, value, rng):
    """Weights near these: none of them zero or one because it is a constant; statistics that vary stay as they are."""
    varies, size = float(value.std()), float(abs(value).max()) if value.size else 0.0
    if not p.trainable and varies:
        return value
    spread = varies or 0.5 * size or 0.5
    return value + xp.asarray(rng.uniform(-spread, spread, value.shape))


def _breaches(layer, state, x, training, title, comparison):
    """An entry for everything that backward does wrong besides the numbers."""
    forward, trained = _forward(layer, state, training), [p for p in layer.parameters if p.trainable]
    arrays = {"the input of forward": x} | {f"{p.name}, a weight, which only the optimizer does": p.value
                                            for p in trained}

    def run(dy):
        forward(x)
        return contract.backward(layer, dy, trained, x.shape)
    cotangent = xp.asarray(comparison.rng.standard_normal(forward(x).shape))
    found = list(contract.breaches(run, cotangent, arrays))
    for batch in (_larger_batch(x), x):
        try:
            contract.backward(layer, xp.ones(forward(batch).shape), trained, batch.shape)
        except Exception as error:
            found.append(f"A batch of {len(batch)} after one of another size fails: {error}")
    return [Breach(f"{layer.name}: backward{title}", sentence) for sentence in found]


def _untrained(layer, state, x, training) -> str:
    """A note on an array in an attribute that forward reads and nothing trains."""
    forward = _forward(layer, state, training)
    y = to_numpy(forward(x)).copy()
    for owner, name, value in state.attributes:
        if isinstance(value, xp.ndarray) and value.dtype.kind == "f" and (id(owner), name) not in state.changing:
            original = getattr(owner, name)
            setattr(owner, name, 1.1 * value + 0.1)
            try:
                changed = not np.array_equal(to_numpy(forward(x)), y)
            except Exception:
                changed = False
            setattr(owner, name, original)
            if changed:
                return f"forward reads self.{name}, which nothing trains. A weight is made by self.add_weight."
    return ""


def _another_batch(x):
    """Another batch like x; integers stay integers."""
    return x[::-1].copy() if (x == np.rint(x)).all() else 0.9 * x[::-1]


def _larger_batch(x):
    """Another batch, of one sample more."""
    other = _another_batch(x)
    return xp.concatenate([other, other[:1]])


def make_float64(layers: Any) -> None:
    """Convert all parameters of the layers to float64."""
    for p in (p for layer in layers for p in layer.parameters):
        p.move_to(p.value.astype(np.float64), xp.zeros(p.value.shape))
