"""Is every hand-written derivative right?  backward is compared with differences that come from forward alone.

It must not know any formula of a derivative.  For a layer, L = sum(c y) with a random array c, the cotangent, stands
in for the loss: then dL/dy = c, and no error can hide in a symmetry.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinynet.backend import on_gpu

__all__ = ["Entry", "GradientReport", "assert_gradients", "check_layer", "check_loss", "check_model",
           "numeric_gradient", "relative_error"]

STEP = 1e-5             # near the cube root of float64's precision, where the two errors of a difference balance
WHOLE = "whole model: "
TOLERANCE = 1e-6        # honest float64 derivatives stay well below; a factor wrong by 1 % is at 1e-2


@dataclass
class Entry:
    """One comparison: the gradient with respect to `name`, its largest relative error and where that is."""

    name: str
    error: float
    where: tuple[int, ...]
    backward: float
    numeric: float

    @property
    def passed(self) -> bool:
        return self.error <= TOLERANCE      # False for NaN


@dataclass
class GradientReport:
    """All comparisons of one check; `str()` is a table."""

    entries: list[Entry]

    @property
    def passed(self) -> bool:
        return all(entry.passed for entry in self.entries)

    @property
    def blamed(self) -> list[str]:
        """What is wrong by itself: a wrong layer makes the whole model's gradients before it wrong, not the reverse."""
        wrong = [entry.name for entry in self.entries if not entry.passed]
        return [name for name in wrong if not name.startswith(WHOLE)] or wrong

    @property
    def max_error(self) -> float:
        return max(entry.error for entry in self.entries)

    def __str__(self) -> str:
        width = max(len(entry.name) for entry in self.entries)
        lines = [f"{'gradient of':<{width}}  largest relative error"]
        for e in self.entries:
            line = f"{e.name:<{width}}  {e.error:.1e}"
            if not e.passed:
                line += f"  WRONG at {list(e.where)}: backward says {e.backward:.9g}, differences say {e.numeric:.9g}"
            lines.append(line)
        return "\n".join(lines)


def assert_gradients(report: GradientReport) -> None:
    """Raise AssertionError, with the report, unless every gradient is right."""
    if not report.passed:
        raise AssertionError(f"wrong gradient of {', '.join(report.blamed)}\n{report}")


def numeric_gradient(f, array, step=STEP):
    """The gradient of f() with respect to every number of an array that f reads, by central differences:

        df/da_i = (f(a_i + h) - f(a_i - h)) / 2h,  its error of the order of h^2

    The array is changed in place, number by number, and restored.

    >>> a = np.array([3.0]); numeric_gradient(lambda: float(a[0] ** 2), a).round(6)
    array([6.])
    """
    gradient = np.zeros_like(array)
    for i in np.ndindex(array.shape):
        value = array[i]
        array[i] = value + step
        above = f()
        array[i] = value - step
        below = f()
        array[i] = value
        gradient[i] = (above - below) / (2 * step)
    return gradient


def relative_error(backward, numeric):
    """|b - n| / max(|b|, |n|) for each number; a thousandth of the largest number counts as the least denominator."""
    size = np.maximum(np.abs(backward), np.abs(numeric))
    return np.abs(backward - numeric) / np.maximum(size, max(1e-3 * size.max(), 1e-12))


def check_layer(layer, x, training=True, seed=0) -> GradientReport:
    """Check one layer, with the activation given as its argument, on inputs x (N, ...).

    Dropout's masks are frozen: each forward draws the same.

    Raises ValueError for weights of float32, in which differences drown in rounding.

    >>> from tinynet.layers import Softmax
    >>> check_layer(Softmax(), np.array([[1.0, 2.0, 3.0]])).passed
    True
    """
    entries, x = [], np.array(x, dtype=np.float64)
    for link in layer.chain():
        link.build_once((None, *x.shape[1:]))
        _check_float64(layer.name, *link.get_weights())
        entries += _check_link(link, x, training, np.random.default_rng(seed))
        x = link.forward(x).copy()
    return GradientReport(entries)


def check_loss(loss, y_true, y_pred, weights=None) -> GradientReport:
    """Check dL/dy_pred of a `tinynet.losses.Loss`, in float64.

    >>> from tinynet import losses
    >>> check_loss(losses.get("mse"), np.array([[0.0, 1.0]]), np.array([[0.3, 0.8]])).passed
    True
    """
    _check_float64(repr(loss))
    y_pred = np.array(y_pred, dtype=np.float64)
    backward = loss.backward(y_true, y_pred, weights)
    numeric = numeric_gradient(lambda: loss.forward(y_true, y_pred, weights), y_pred)
    return GradientReport([_entry(f"{loss!r}: y_pred", backward, numeric)])


def check_model(model, x, y, weights=None) -> GradientReport:
    """Check a compiled model on a few samples: each layer alone, which names the wrong one, then all together.

    The entries named "whole model: ..." compare the gradient that `backward` leaves in every parameter with
    differences of the loss.
    """
    x, y, weights = model._checked(x, y, weights)
    _check_float64(model.name, x)
    entries, state = [], _state(model.chain)

    def loss():
        _restore(state)
        return model.loss.forward(y, model.forward(x, training=True), weights) + model.penalty()

    h = x
    for link in model.chain:
        h = h.copy()
        entries += _check_link(link, h, True, np.random.default_rng(0))
        h = link.forward(h, training=True)
    _restore(state)
    y_pred = model.forward(x, training=True)
    model.backward(model.loss.backward(y, y_pred, weights))
    backward = [p.grad.copy() for p in model.parameters.parameters]
    for p, gradient in zip(model.parameters.parameters, backward):
        entries.append(_entry(WHOLE + p.name, gradient, numeric_gradient(loss, p.value)))
    _restore(state)
    return GradientReport(entries)


def _check_link(link, x, training, rng):
    """The entries of one layer that runs: its input and each of its parameters."""
    state, learned = _state([link]), [p for p in link.parameters if p.trainable]

    def forward():
        _restore(state)
        return link.forward(x, training)

    cotangent = rng.standard_normal(forward().shape)

    def loss():
        return float((cotangent * forward()).sum() + link.penalty)

    forward()
    for p in learned:
        p.grad = np.nan     # what backward does not assign, or adds to, stays NaN
    needed, link.needs_dx = link.needs_dx, True
    dx = link.backward(cotangent.copy())
    link.needs_dx = needed
    if getattr(dx, "shape", None) != x.shape:
        raise ValueError(f"{link.name}: backward must return dx of shape {x.shape}, like x, got "
                         f"{'None' if dx is None else getattr(dx, 'shape', dx)}. Does it end with `return dx`?")
    dx, gradients = dx.copy(), [p.grad.copy() for p in learned]
    entries = [_entry(f"{link.name}: input", dx, numeric_gradient(loss, x))]
    for p, gradient in zip(learned, gradients):
        entries.append(_entry(p.name, gradient, numeric_gradient(loss, p.value)))
    _restore(state)
    return entries


def _entry(name, backward, numeric):
    error = relative_error(backward, numeric)
    i = np.unravel_index(np.argmax(error), error.shape)     # NaN counts as the largest
    return Entry(name, float(error[i]), tuple(map(int, i)), float(backward[i]), float(numeric[i]))


def _state(chain):
    """What a forward in training changes: where each stream of random numbers stands, and the running means."""
    return ([(layer.masks, layer.masks.step) for layer in chain if hasattr(layer, "masks")],
            [(p, p.value.copy()) for layer in chain for p in layer.parameters if not p.trainable])


def _restore(state):
    """Go back there, so that each forward draws the same numbers."""
    streams, kept = state
    for stream, step in streams:
        stream.step = step
    for p, value in kept:
        p.value = value


def _check_float64(name, *arrays):
    if on_gpu:
        raise RuntimeError("Gradient checks read and move single numbers, so they run on NumPy: TINYNET_BACKEND=numpy.")
    for array in arrays:
        if array.dtype != np.float64:
            raise ValueError(f"{name}: a gradient check needs float64, got {array.dtype}. Call "
                             "tinynet.backend.set_floatx('float64') before the model is built.")
