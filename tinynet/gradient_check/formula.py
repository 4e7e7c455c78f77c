"""The check of a formula by itself: a loss, or a regularizer."""
from __future__ import annotations

import numpy as np

from tinynet import losses
from tinynet.gradient_check.compare import comparison_of
from tinynet.gradient_check.report import GradientReport

__all__ = ["check_loss", "check_regularizer", "weightings"]


def check_loss(loss, y_true, y_pred, sample_weight=None, *, method="complex", max_entries=100,
               seed=0) -> GradientReport:
    """Check dL/dy_pred of a loss: a name, a function of `tinynet.losses` or a Loss; without weights, and with them.

    >>> check_loss("mse", np.array([[0.0, 1.0]]), np.array([[0.3, 0.8]])).passed
    True
    """
    comparison, loss = comparison_of(method, max_entries, seed), losses.get(loss)
    y_true, y_pred = np.asarray(y_true), np.array(y_pred, dtype=np.float64)
    y_true = y_true.astype(np.float64) if y_true.dtype.kind == "f" else y_true
    entries = []
    for title, weights in weightings(sample_weight):
        moved = comparison.prepared(y_pred)
        entries.append(comparison.entry(
            f"{loss.name}{title}: y_pred", loss.backward(y_true, y_pred.copy(), weights), moved,
            lambda moved=moved, weights=weights: loss.forward(y_true, moved, weights)))
    return GradientReport(entries, method)


def check_regularizer(regularizer, w, *, method="complex", max_entries=100, seed=0, name="") -> GradientReport:
    """Check dR/dw of a regularizer on an array w.

    >>> from tinynet.regularizers import L1L2
    >>> check_regularizer(L1L2(0.1, 0.2), np.array([1.0, -2.0])).passed
    True
    """
    comparison, w = comparison_of(method, max_entries, seed), np.array(w, dtype=np.float64)
    moved = comparison.prepared(w)
    return GradientReport([comparison.entry(name or f"{regularizer!r}", np.asarray(regularizer.gradient(w)), moved,
                                            lambda: regularizer(moved))], method)


def weightings(weights):
    """(title, weights) of what a loss is checked with."""
    return [("", None)] + ([(" with sample_weight", np.asarray(weights, np.float64))] if weights is not None else [])
