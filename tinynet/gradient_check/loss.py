"""Gradient checks of a loss and of a regularizer."""
from __future__ import annotations

import numpy as np

from tinynet import losses, regularizers
from tinynet.backend import to_numpy, xp
from tinynet.gradient_check.compare import as_in_training, comparison_of
from tinynet.gradient_check.report import GradientReport
from tinynet.types import Any, Array, ArrayLike, Identifier


@as_in_training
def check_loss(loss: Identifier, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike = None, *,
               method: str = "complex", max_entries: int = 100, seed: int = 0) -> GradientReport:
    """Check dL/dy_pred of a loss: a name, a function of `tinynet.losses` or a Loss; without weights, and with them.

    >>> check_loss("mse", np.array([[0.0, 1.0]]), np.array([[0.3, 0.8]])).passed
    True
    """
    comparison, loss = comparison_of(method, max_entries, seed), losses.get(loss)
    y_true, y_pred = xp.asarray(y_true), xp.array(y_pred, dtype=np.float64)
    y_true = y_true.astype(np.float64) if y_true.dtype.kind == "f" else y_true
    if loss.function and np.ndim(loss.function(y_true, y_pred, **loss.arguments)) == 0:
        raise ValueError(f"{loss.name} must return a loss for each sample, (N,), got a single number. Leave the mean "
                         "over the batch out: tinynet takes it, with the sample weights.")
    entries = []
    for title, weights in weightings(sample_weight, len(y_pred), comparison):
        given = y_pred.copy()
        loss.forward(y_true, given, weights)        # in the order of a training step
        gradient = loss.backward(y_true, given, weights)
        check_unchanged(loss.name, y_pred, given)

        def entry(how, weights=weights, gradient=gradient, title=title):
            moved = how.prepared(y_pred)
            return how.entry(f"{loss.name}{title}: y_pred", gradient, moved,
                             lambda: loss.forward(y_true, moved, weights))
        entries.append(comparison.run(entry))
    return GradientReport(entries, method)


@as_in_training
def check_regularizer(regularizer: Identifier, w: ArrayLike, *, method: str = "complex", max_entries: int = 100,
                      seed: int = 0, name: str = "") -> GradientReport:
    """Check dR/dw of a regularizer, or the name of one, on an array w; if w is constant, on other weights as well.

    Raises TypeError for a function without its derivative.

    >>> from tinynet.regularizers import L1L2
    >>> check_regularizer(L1L2(0.1, 0.2), np.array([1.0, -2.0])).passed
    True
    """
    comparison, w = comparison_of(method, max_entries, seed), xp.array(w, dtype=np.float64)
    regularizer = regularizers.get(regularizer)
    name, entries, points = name or f"{regularizer!r}", [], {"": w}
    if w.size and (w == w.ravel()[0]).all():       # zeros and ones hide wrong factors
        points[" (other weights)"] = w + xp.asarray(comparison.rng.uniform(-0.5, 0.5, w.shape))
    for title, point in points.items():
        given = point.copy()
        gradient = to_numpy(regularizer.gradient(given))
        check_unchanged(name, point, given)

        def entry(how, title=title, point=point, gradient=gradient):
            moved = how.prepared(point)
            return how.entry(name + title, gradient, moved, lambda: regularizer(moved))
        entries.append(comparison.run(entry))
    return GradientReport([entries[0], *(entry for entry in entries[1:] if not entry.passed)], method)


def check_unchanged(name: str, before: Array, after: Array) -> None:
    """Raise ValueError if a loss, a regularizer or a derivative of one has written to its argument."""
    if not np.array_equal(before, after, equal_nan=True):
        raise ValueError(f"{name}: it, or its derivative, changed its argument. Work on a copy.")


def weightings(weights: Any, n: int, comparison: Any) -> list[Any]:
    """(title, sample weights) with which a loss is checked: none, and those given or drawn ones."""
    weights = xp.asarray(comparison.rng.uniform(0.5, 2, n) if weights is None else weights, np.float64)
    return [("", None), (" with sample_weight", weights)]
