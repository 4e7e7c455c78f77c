"""The kind of mistake that a wrong gradient shows, in words; none where no pattern fits."""
from __future__ import annotations

import numpy as np

from tinynet.types import Array, ArrayLike

NEAR = 1e-5     # of the largest number: so far apart may be numbers that are taken for equal


def kind_of_mistake(a: ArrayLike, n: Array, samples: int, whole: bool = True) -> str:
    """What is wrong with a gradient a that should be n, for a batch of that many samples; "" if nothing is seen.

    whole: all numbers of the array are here, and not some of them in a row.

    >>> kind_of_mistake(np.array([2.0, -6.0]), np.array([1.0, -3.0]), samples=5)
    'Everywhere twice as large as it should be: is a factor 2 too many?'
    """
    size = np.abs(n).max(initial=0.0)
    if not np.isfinite(a).all() or not size:
        return ""
    if np.abs(a).max() <= 1e-9 * size:
        return "Everywhere zero: is this gradient forgotten?"
    if factor := _one_factor(a, n, size, samples):
        return factor
    if (np.abs(a - n) <= 1e-6 * size).all():
        return "Right to six digits: is a part of it float32, or a small constant, such as an epsilon, left out?"
    if _near(a, n, size).all():
        return ""
    return _places(a, n, size) or _part(a, n, size) or _along(a, n, size) if whole else _part(a, n, size)


def _one_factor(a, n, size, samples) -> str:
    """All numbers are wrong by one factor."""
    factor = float((a * n).sum() / (n * n).sum())
    near = min(NEAR * abs(factor), 0.01 * abs(factor - 1)) * size
    if not factor or not (np.abs(a - factor * n) <= near).all():
        return ""
    if samples > 2 and np.isclose(factor, samples, NEAR):
        return f"Everywhere N = {samples} times as large as it should be: is a division by N forgotten?"
    if samples > 2 and np.isclose(factor, 1 / samples, NEAR):
        return f"Everywhere divided by N = {samples}: is there a mean in place of a sum?"
    for value, words in ((-1, "The sign is wrong everywhere."),
                         (2, "Everywhere twice as large as it should be: is a factor 2 too many?"),
                         (0.5, "Everywhere half as large as it should be: is a factor 2 missing?")):
        if np.isclose(factor, value, NEAR):
            return words
    if (n != 0).sum() < 2:
        return ""       # of one number every mistake is a factor
    return f"Everywhere {factor:.6g} times what it should be: is a factor missing, or one too many?"


def _places(a, n, size) -> str:
    """The numbers are right, and elsewhere."""
    if n.ndim == 2 and n.shape[0] == n.shape[1] > 1 and _near(a.T, n, size).all():
        return "Transposed."
    for axis in range(n.ndim):
        if n.shape[axis] > 1 and _near(np.flip(a, axis), n, size).all():
            return f"In reverse order along axis {axis}."
    if n.size > 2 and _near(np.sort(a, None), np.sort(n, None), size).all():
        return "The right numbers at the wrong places."
    return ""


def _part(a, n, size) -> str:
    """A part of the numbers is right."""
    right = _near(a, n, size)
    wrong, count = ~right, f"{(~right).sum()} of {n.size} numbers"
    if not right.any() or right.sum() < 0.2 * n.size:
        return _only_row(right)
    if (np.abs(a[wrong]) <= 1e-9 * size).all():
        return _only_row(right) or f"Zero at {count}, the others are right: is something forgotten there?"
    if (np.abs(n[wrong]) <= 1e-9 * size).all():
        return f"Not zero at {count} that should be, the others are right: is a mask forgotten?"
    if _near(-a[wrong], n[wrong], size).all() and wrong.sum() > 1:
        return f"The sign is wrong at {count}, the others are right."
    return ""


def _only_row(right) -> str:
    """The first or the last index of an axis alone is right: a loop that keeps what it wrote first, or last."""
    for axis in range(right.ndim):
        share = right.mean(axis=tuple(other for other in range(right.ndim) if other != axis))
        rows = share == 1
        if len(rows) > 1 and rows.sum() == 1 and (rows[0] or rows[-1]) and (share[~rows] < 0.5).all():
            return f"Right for the {'first' if rows[0] else 'last'} index of axis {axis} only."
    return ""


def _along(a, n, size) -> str:
    """The error does not change along an axis."""
    difference = a - n
    if n.size > 2 and _near(difference, difference.mean(), size).all():
        return f"Everywhere {difference.mean():.6g} too large."
    for axis in range(n.ndim):
        if n.shape[axis] > 1 and n.size > n.shape[axis]:
            if _near(difference, difference.mean(axis, keepdims=True), size).all():
                return f"Off by the same number along axis {axis}: is a sum or a mean along it missing?"
            enough = np.abs(n) > 1e-3 * size
            factor = (a * n).sum(axis, keepdims=True) / np.maximum((n * n).sum(axis, keepdims=True), 1e-300)
            if enough.sum(axis).min() > 1 and (np.abs(a - factor * n) <= NEAR * np.abs(factor) * size).all():
                return f"Wrong by a factor that is the same along axis {axis}."
    return ""


def _near(a, b, size):
    return np.abs(a - b) <= NEAR * size
