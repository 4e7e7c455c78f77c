"""The contract of a layer, apart from the numbers of its gradients: each breach is told with its cure."""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinynet.backend import to_numpy
from tinynet.types import Any, Array, ArrayLike, Function, Shape

LARGER = 1024.0         # a power of two, so that multiplying by it rounds nothing


def output(layer: Any, x: ArrayLike, training: bool) -> Array:
    """The output of forward, on the CPU.  Raises ValueError for one that a layer must not return."""
    given, y = x.copy(), layer.forward(x, training)
    if isinstance(y, (tuple, list)):
        raise ValueError(f"{layer.name}: forward must return the output alone, got a {type(y).__name__} of {len(y)}. "
                         "What backward needs is kept in an attribute: self.cache = cache. Functions in the style "
                         "out, cache = forward(x) go to check_function.")
    y = to_numpy(y)
    if y.dtype.kind == "c":
        raise ValueError(f"{layer.name}: forward made complex numbers of real ones. Does it keep sums of earlier "
                         "batches in an attribute? Use add_weight(..., trainable=False), which is restored.")
    if y.ndim < 1 or y.dtype.kind not in "fiub":
        raise ValueError(f"{layer.name}: forward must return an array of numbers, got {y!r:.60}. Does it end with "
                         "`return y`?")
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
    return y


def backward(layer: Any, cotangent: Array, trained: list[Any], shape: Shape) -> list[Any]:
    """dx and the gradients of the parameters for L = sum(cotangent y), after a forward."""
    for p in trained:
        p.grad = np.nan     # a gradient that backward does not assign, or adds to, stays NaN
    needs_dx, layer.needs_dx = layer.needs_dx, True
    dx = layer.backward(cotangent.copy())
    layer.needs_dx = needs_dx
    if getattr(dx, "shape", None) != shape:
        came = "None" if dx is None else getattr(dx, "shape", f"a {type(dx).__name__}")
        raise ValueError(f"{layer.name}: backward must return dx of shape {shape}, like x, got {came}. Does it end "
                         "with `return dx`?")
    return [dx, *(p.grad.copy() for p in trained)]


def largest(gradients: list[Array]) -> list[float]:
    """The largest number of each gradient, by size."""
    return [float(abs(gradient).max()) if gradient.size else 0.0 for gradient in gradients]


def breaches(run: Function, cotangent: Array, arrays: Any) -> Iterator[Any]:
    """What backward does that its numbers do not show, as sentences, each with its cure.

    run(dy) does a forward and a backward and returns the gradients; the arrays, by what they are called, must stay.
    """
    before = {name: array.copy() for name, array in arrays.items()}
    gradients = run(cotangent)
    first = [gradient.copy() for gradient in gradients]     # a layer may use its arrays again
    for name, array in arrays.items():
        if not np.array_equal(array, before[name], equal_nan=True):
            array[...] = before[name]
            yield f"backward changed {name}. Write to dy, or to an array of your own."
    for gradient in gradients:
        if gradient.dtype.kind == "c":
            yield f"backward must give real numbers, got {gradient.dtype}."
        if not getattr(gradient.flags, "writeable", True):
            yield "backward returned an array that cannot be written to, as np.broadcast_to makes: return a copy."
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, run(cotangent))):
        yield "backward is not the same each time. What does it keep from the call before?"
        return
    nothing = list(map(to_numpy, run(0 * cotangent)))
    for one, none, many in zip(map(to_numpy, first), nothing, map(to_numpy, run(LARGER * cotangent))):
        size = max(float(abs(many).max(initial=0)), LARGER * float(abs(one).max(initial=0)))
        if not (abs(many - none - LARGER * (one - none)) <= 1e-9 * size).all():
            yield "backward is not linear in dy: 1024 dy does not give 1024 dx. Is a gradient clipped?"
            return
