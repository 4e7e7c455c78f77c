"""Gradient check of two plain functions, forward and backward, without a layer."""
from __future__ import annotations

import inspect

import numpy as np

from tinynet.backend import to_numpy, xp
from tinynet.gradient_check import contract
from tinynet.gradient_check.compare import as_in_training, comparison_of
from tinynet.gradient_check.report import Breach, GradientReport
from tinynet.types import Any, Function


@as_in_training
def check_function(forward: Function, backward: Function, *arrays: Any, method: str = "complex",
                   max_entries: int = 100, seed: int = 0) -> GradientReport:
    """Check the gradients of out = forward(*arrays) with respect to each array.

    Two styles:
        out = forward(x, w, b);         dx, dw, db = backward(dout, x, w, b)
        out, cache = forward(x, w, b);  dx, dw, db = backward(dout, cache)

    A single gradient may be returned by itself. Arrays of whole numbers, such as labels, have none, and nothing or None
    stands for them. out is an array or, for a loss, a number.

    Parameters
        arrays: the arguments of forward, arrays or lists.
        method, max_entries, seed: see `check_layer`.

    Raises ValueError for another number of gradients, another shape, and a forward that changes its arguments or is not
    the same each time.

    >>> x, w = np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])
    >>> check_function(lambda x, w: x @ w, lambda dout, x, w: (dout @ w.T, x.T @ dout), x, w).passed
    True
    """
    comparison = comparison_of(method, max_entries, seed)
    names = _names(forward, len(arrays))
    given = [xp.array(to_numpy(a)) for a in arrays]
    given = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in given]
    entries = comparison.run(lambda how: _entries(forward, backward, given, names, how))
    return GradientReport(entries, method)


def _entries(forward, backward, given, names, comparison):
    """The entries of all arrays of floats, and of what backward must not do."""
    name = getattr(forward, "__name__", "forward").replace("<lambda>", "forward")
    trained = [i for i, a in enumerate(given) if a.dtype.kind == "f"]
    if not trained:
        raise ValueError(f"check_function expects at least one array of floats for {name}, got none.")
    before = [a.copy() for a in given]
    out, _ = _call(forward, given)
    for what, a, b in zip(names, given, before):
        if not np.array_equal(a, b, equal_nan=True):
            raise ValueError(f"{name} changed {what}. Work on a copy: {what} = {what}.copy().")
    if np.asarray(to_numpy(out)).dtype.kind not in "fiu":
        raise ValueError(f"{name} must return real numbers, got {out!r:.60}.")
    if not np.array_equal(to_numpy(_call(forward, given)[0]), to_numpy(out)):
        raise ValueError(f"{name} is not the same each time: seed its random numbers inside it, or pass them to it.")
    cotangent, another = (xp.asarray(comparison.rng.standard_normal(np.shape(out))) for _ in range(2))

    def run(dout):
        _, rest = _call(forward, given)
        return _in_order(backward(dout.copy() if dout.ndim else float(dout), *rest), given, trained, names)

    def gradients(dout):
        """Those of run, which may have changed its arguments: breaches tells."""
        found = [gradient.copy() for gradient in run(dout)]
        for a, b in zip(given, before):
            a[...] = b
        return found
    entries = []
    for i, gradient, size in zip(trained, gradients(cotangent), contract.largest(gradients(another))):
        moved = [comparison.prepared(a) if k == i else a for k, a in enumerate(given)]
        entries.append(comparison.entry(
            f"{name}: {names[i]}", gradient, moved[i], lambda moved=moved: (cotangent * _call(forward, moved)[0]).sum(),
            float(abs(cotangent).max()), len(given[0]) if given[0].ndim else 1, size))
    if all(entry.passed for entry in entries):
        found = contract.breaches(run, cotangent, dict(zip(names, given)))
        entries += [Breach(f"{name}: backward", sentence) for sentence in found]
    return entries


def _call(forward, arrays):
    """(out, what backward is given after dout): the cache alone if forward returns one, else the arrays."""
    result = forward(*arrays)
    if not isinstance(result, tuple):
        return result, arrays
    if len(result) != 2:
        raise ValueError(f"forward must return out, or (out, cache), got a tuple of {len(result)}.")
    return result[0], [result[1]]


def _in_order(gradients, given, trained, names):
    """The gradients of the arrays of floats.  Raises ValueError if one is missing or has another shape."""
    gradients = list(gradients) if isinstance(gradients, (tuple, list)) else [gradients]
    if len(gradients) == len(given):
        gradients = [gradients[i] for i in trained]
    if len(gradients) != len(trained):
        wanted = ", ".join(names[i] for i in trained)
        raise ValueError(f"backward must return {len(trained)} gradients, of {wanted}, in this order, got "
                         f"{len(gradients)}.")
    for i, gradient in zip(trained, gradients):
        if np.shape(gradient) != given[i].shape:
            came = "None" if gradient is None else np.shape(gradient)
            raise ValueError(f"backward must return a gradient of {names[i]} of its shape {given[i].shape}, got "
                             f"{came}.")
    return [xp.asarray(gradient) for gradient in gradients]


def _names(forward, number):
    """What forward calls its arguments."""
    try:
        names = [p.name for p in inspect.signature(forward).parameters.values() if p.kind is not p.VAR_POSITIONAL]
    except (TypeError, ValueError):
        names = []
    return (names + [f"argument {i}" for i in range(len(names), number)])[:number]
