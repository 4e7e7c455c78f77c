"""Gradient checks of a loss and of a regularizer."""
from __future__ import annotations

import numpy as np

from tinynet import losses
from tinynet.backend import to_numpy, xp
from tinynet.gradient_check.compare import comparison_of
from tinynet.gradient_check.report import GradientReport


def check_loss(loss, y_true, y_pred, sample_weight=None, *, method="complex", max_entries=100,
               seed=0) -> GradientReport:
    """Check dL/dy_pred of a loss: a name, a function of `tinynet.losses` or a Loss; without weights, and with them.

    >>> check_loss("mse", np.array([[0.0, 1.0]]), np.array([[0.3, 0.8]])).passed
    True
    """
    comparison, loss = comparison_of(method, max_entries, seed), losses.get(loss)
    y_true, y_pred = xp.asarray(y_true), xp.array(y_pred, dtype=np.float64)
    y_true = y_true.astype(np.float64) if y_true.dtype.kind == "f" else y_true
    entries = []
    for title, weights in weightings(sample_weight, len(y_pred), comparison):
        given = y_pred.copy()
        gradient = loss.backward(y_true, given, weights)
        check_unchanged(loss.name, y_pred, given)

        def entry(how, weights=weights, gradient=gradient, title=title):
            moved = how.prepared(y_pred)
            return how.entry(f"{loss.name}{title}: y_pred", gradient, moved,
                             lambda: loss.forward(y_true, moved, weights))
        entries.append(comparison.run(entry))
    return GradientReport(entries, method)


def check_regularizer(regularizer, w, *, method="complex", max_entries=100, seed=0, name="") -> GradientReport:
    """Check dR/dw of a regularizer on an array w.

    >>> from tinynet.regularizers import L1L2
    >>> check_regularizer(L1L2(0.1, 0.2), np.array([1.0, -2.0])).passed
    True
    """
    comparison, w = comparison_of(method, max_entries, seed), xp.array(w, dtype=np.float64)
    given, name = w.copy(), name or f"{regularizer!r}"
    gradient = regularizer.gradient(given)
    check_unchanged(name, w, given)

    def entry(how):
        moved = how.prepared(w)
        return how.entry(name, to_numpy(gradient), moved, lambda: regularizer(moved))
    return GradientReport([comparison.run(entry)], method)


def check_unchanged(name, before, after):
    """Raise ValueError if a derivative has written to its argument."""
    if not np.array_equal(before, after, equal_nan=True):
        raise ValueError(f"{name}: the derivative changed its argument. Work on a copy.")


def weightings(weights, n, comparison):
    """(title, sample weights) with which a loss is checked: none, and those given or drawn ones."""
    weights = xp.asarray(comparison.rng.uniform(0.5, 2, n) if weights is None else weights, np.float64)
    return [("", None), (" with sample_weight", weights)]
