"""One gradient against the numeric one: which numbers to compare, and what a difference between them means.

It must not know what the numbers are of.
"""
from __future__ import annotations

import math

import numpy as np

from tinynet.arguments import find, whole_number
from tinynet.backend import on_gpu
from tinynet.gradient_check.numeric import METHODS, TOLERANCE, central, richardson, sides
from tinynet.gradient_check.report import WHOLE, Entry

__all__ = ["Comparison", "comparison_of", "relative_error"]

DIFFERENCES = 1e-6          # what a Richardson difference can be relied on for


def relative_error(analytic, numeric, scale):
    """|b - n| / max(|b|, |n|); a thousandth of the scale, the largest of such numbers, is the least denominator."""
    return np.abs(analytic - numeric) / np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)),
                                                   max(1e-3 * scale, 1e-12))


class Comparison:
    """How gradients are compared.

    Parameters
        method: "complex", "central" or "richardson", see `tinynet.gradient_check.numeric`.
        max_entries: numbers of an array that are compared one by one; of a larger array that many, drawn from all parts
            of it, and the slope in a random direction, which takes in all of them.
        seed: of what is drawn.
    """

    def __init__(self, method, max_entries, seed):
        self.method = method
        self.derivative = METHODS[method]
        self.max_entries = max_entries
        self.rng = np.random.default_rng(seed)

    def prepared(self, array):
        """The array as its numbers are to be moved."""
        return array.astype(complex if self.method == "complex" else float)

    def entry(self, name, gradient, array, f, scale=0.0) -> Entry:
        """The comparison of a gradient with the slopes of f(), which reads the array, a prepared one.

        `scale` is how large such gradients are elsewhere: one that is zero because its parts cancel is not quite zero.
        """
        indices = self._sample(array.shape)
        slopes = [self._slope(array, i, f) for i in indices]
        numeric = np.array([self.derivative(slope) for slope in slopes])
        analytic = np.array([gradient[i] for i in indices])
        finite = np.abs(gradient[np.isfinite(gradient)])
        scale = max(scale, finite.max(initial=0.0), np.abs(numeric).max(initial=0.0))
        error = relative_error(analytic, numeric, scale)
        entry = Entry(name, array.shape, len(indices), 0.0, TOLERANCE[self.method])
        for k in np.flatnonzero(~(error <= entry.tolerance)):
            numeric[k], error[k] = self._second_look(entry, slopes[k], analytic[k], numeric[k], scale)
        if len(indices):
            worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
            self._worst(entry, error[worst], tuple(map(int, indices[worst])), analytic[worst], numeric[worst])
        if entry.passed and array.size > len(indices):
            self.direction(entry, [(array, gradient)], f, scale)
        return entry

    def direction(self, entry, pairs, f, scale=0.0):
        """Compare the slope in a random direction over all arrays of (array, gradient) at once."""
        steps = [self.rng.standard_normal(array.shape) for array, _ in pairs]
        held = [array.copy() for array, _ in pairs]

        def moved(t):
            for (array, _), value, step in zip(pairs, held, steps):
                array[...] = value + t * step
            result = f()
            for (array, _), value in zip(pairs, held):
                array[...] = value
            return result
        parts = np.concatenate([(gradient * step).ravel() for (_, gradient), step in zip(pairs, steps)])
        analytic, scale = float(parts.sum()), max(scale, float(np.linalg.norm(parts)))
        numeric = self.derivative(moved)
        error = float(relative_error(analytic, numeric, scale))
        if not error <= entry.tolerance:
            left, right = sides(moved)
            if abs(left - right) > 1e-4 * scale:
                entry.note = "The direction crosses kinks, and says nothing."
                return
            numeric, error = self._second_look(entry, moved, analytic, numeric, scale)
        if not error <= entry.error:
            self._worst(entry, error, None, analytic, numeric)

    def _second_look(self, entry, slope, analytic, numeric, scale):
        """(numeric, error) of a number that does not agree: is it at a kink, or has the method failed?"""
        left, right = sides(slope)
        margin = DIFFERENCES * max(abs(left), abs(right), scale)
        # Zero is a sum of slopes of parts that all lie still at the kink: so PReLU's, as in TensorFlow.
        # Of a whole model several kinks may meet, one inside the other: then the slope may lie beside both.
        slack = abs(left - right) if entry.name.startswith(WHOLE) else margin
        low, high = min(left, right, 0) - slack, max(left, right, 0) + slack
        if abs(left - right) > 1e3 * margin and low <= analytic <= high:
            entry.kinks += 1
            return analytic, 0.0
        difference = richardson(slope)
        if self.method != "complex":        # a bend within a step's reach needs a shorter step
            numeric = min((central(slope, h) for h in (1e-4, 1e-5, 1e-6, 1e-7)), key=lambda n: abs(n - analytic))
        if self.method == "complex" and relative_error(numeric, difference, scale) > DIFFERENCES:
            numeric = difference
            if relative_error(analytic, difference, scale) <= DIFFERENCES:
                entry.tolerance = DIFFERENCES
                entry.note = ("By differences: this forward does not take complex numbers as it takes real ones. Does "
                              "it use abs, or compare them?")
        return numeric, float(relative_error(analytic, numeric, scale))

    @staticmethod
    def _worst(entry, error, where, analytic, numeric):
        """Let this be the largest error of the entry."""
        entry.error, entry.where = float(error), where
        entry.analytic, entry.numeric = float(analytic), float(numeric)
        if np.isnan(analytic):
            entry.error = math.inf
            entry.note = "NaN: backward does not assign it, or adds to what was there."

    def _sample(self, shape):
        """All indices of a small array; of a large one as many as may be, one from each of as many equal parts."""
        size = math.prod(shape)
        flat = np.arange(size)
        if size > self.max_entries:
            bounds = np.linspace(0, size, self.max_entries + 1).astype(int)
            flat = self.rng.integers(bounds[:-1], bounds[1:])
        return [tuple(i) for i in zip(*np.unravel_index(flat, shape))] if shape else [()]

    @staticmethod
    def _slope(array, i, f):
        """f as a function of how far the number at i has been moved."""
        def moved(t):
            value = array[i]
            array[i] = value + t
            try:
                return f()
            finally:
                array[i] = value
        return moved


def comparison_of(method, max_entries, seed) -> Comparison:
    """A `Comparison`, if it can be had.  Raises ValueError for an unknown method, RuntimeError on a GPU."""
    if on_gpu:
        raise RuntimeError("Gradient checks read and move single numbers, so they run on NumPy: TINYNET_BACKEND=numpy.")
    find("method", method, METHODS)
    return Comparison(method, whole_number("max_entries", max_entries, least=1), seed)
