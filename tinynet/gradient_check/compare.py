"""One gradient against the numeric one: which numbers to compare, and what a difference between them means.

It must not know what the numbers are of.
"""
from __future__ import annotations

import math
import warnings

import numpy as np

from tinynet.arguments import find, whole_number
from tinynet.backend import on_gpu
from tinynet.gradient_check.numeric import METHODS, TOLERANCE, central, is_kink, rounding, settled, sides
from tinynet.gradient_check.report import WHOLE, Entry

__all__ = ["Comparison", "comparison_of", "relative_error"]

BY_DIFFERENCES = 1e-5       # what differences can be relied on for, where nothing is known of f
BLIND = ("By differences, to five digits: this forward does not take complex numbers as it takes real ones. It uses "
         "abs, std, float() or the like.")
SHARES = (1.0, 0.5, 0.2, 0.05)      # of the numbers that a random direction moves, until it crosses no kink


def relative_error(analytic, numeric, scale):
    """|b - n| / max(|b|, |n|); a thousandth of the scale, the largest of such numbers, is the least denominator.

    And so is 1e-6: a softmax of nearly 1 is rounded by 1e-16, which is all that is left of 1e-10 there.
    """
    return np.abs(analytic - numeric) / np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)),
                                                   max(1e-3 * scale, 1e-6))


class Comparison:
    """How gradients are compared.

    Parameters
        method: "complex", "central" or "richardson", see `tinynet.gradient_check.numeric`.
        max_entries: numbers of an array that are compared one by one; of a larger array that many, drawn from all parts
            of it, and the slope in a random direction, which takes in all of them.
        seed: of what is drawn.
    """

    def __init__(self, method, max_entries, seed, blind=False):
        self.method = method
        self.seed = seed
        self.blind = blind
        self.derivative = METHODS[method]
        self.max_entries = max_entries
        self.rng = np.random.default_rng(seed)

    def run(self, check):
        """What check(comparison) returns; again by differences of real numbers if complex ones are refused or cut."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                return check(self)
        except (TypeError, np.exceptions.ComplexWarning):
            if self.method != "complex":
                raise
            return check(Comparison("richardson", self.max_entries, self.seed, blind=True))

    def prepared(self, array):
        """The array as its numbers are to be moved."""
        return array.astype(complex if self.method == "complex" else float)

    def entry(self, name, gradient, array, f, scale=0.0) -> Entry:
        """The comparison of a gradient with the slopes of f(), which reads the array, a prepared one.

        `scale` is how large such gradients are elsewhere: one that is zero because its parts cancel is not quite zero.
        """
        gradient = np.asarray(gradient)
        if gradient.shape != array.shape:
            raise ValueError(f"{name}: the gradient must have the shape {array.shape}, got {gradient.shape}.")
        indices = self._sample(array.shape)
        unit = units(array)
        slopes = [self._slope(array, i, f, unit[i]) for i in indices]
        entry = Entry(name, array.shape, len(indices), 0.0, TOLERANCE[self.method])
        blind = self.blind or (self.method == "complex" and not name.startswith(WHOLE) and
                               self._is_blind(array, f, gradient))
        numeric = np.array([0.0 if blind else self.derivative(slope) for slope in slopes])
        analytic = np.array([gradient[i] for i in indices])
        finite = np.abs(gradient[np.isfinite(gradient)])
        scale = max(scale, finite.max(initial=0.0), np.abs(numeric).max(initial=0.0))
        if blind:
            entry.tolerance, entry.note = BY_DIFFERENCES, BLIND
        error = relative_error(analytic, numeric, scale)
        for k in range(len(indices)):
            if blind or not error[k] <= entry.tolerance:
                numeric[k], error[k] = self._second_look(entry, slopes[k], analytic[k], numeric[k], scale, blind)
        if len(indices):
            worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
            self._worst(entry, error[worst], tuple(map(int, indices[worst])), analytic[worst], numeric[worst])
        if entry.passed and array.size > len(indices):
            self.direction(entry, [(array, gradient)], f, scale, blind)
        if entry.kinks == entry.checked > 0:
            entry.note = "All of it lies on kinks, so next to nothing was checked: use other numbers."
        return entry

    def direction(self, entry, pairs, f, scale=0.0, blind=False):
        """Compare the slope in a random direction over all arrays of (array, gradient) at once.

        Where the direction crosses kinks another one is tried, over a part of the numbers.
        """
        blind = blind or self.blind
        if blind:
            entry.tolerance, entry.note = BY_DIFFERENCES, BLIND
        for share in SHARES:
            steps = [self._step(array, share) for array, _ in pairs]
            if not any(step.any() for step in steps):
                break
            moved = along([array for array, _ in pairs], steps, f)
            parts = np.concatenate([(gradient * step).ravel() for (_, gradient), step in zip(pairs, steps)])
            analytic, size = float(parts.sum()), max(scale, float(np.linalg.norm(parts)))
            if blind:
                numeric, doubt = settled(moved)
                error = float(relative_error(analytic, numeric, size))
                sure = error <= entry.tolerance or doubt <= 1e-2 * BY_DIFFERENCES * max(abs(numeric), size)
            else:
                numeric = self.derivative(moved)
                error = float(relative_error(analytic, numeric, size))
                sure = error <= entry.tolerance or not is_kink(moved, 1e-6 * size)
                if sure and not error <= entry.tolerance:
                    numeric, error = self._second_look(entry, moved, analytic, numeric, size)
            if sure:
                if not error <= entry.error:
                    self._worst(entry, error, None, analytic, numeric)
                return
        entry.note = "Every direction crosses kinks: of the rest nothing is known."

    def _is_blind(self, array, f, gradient) -> bool:
        """Whether the complex step does not see all of this f, because real differences settle somewhere else.

        Operations such as abs and std drop the imaginary part, and a backward that forgets them too would seem right.
        """
        scale = np.abs(gradient[np.isfinite(gradient)]).max(initial=1e-9)
        for share in SHARES:
            moved = along([array], [self._step(array, share)], f)
            slope = self.derivative(moved)
            if not is_kink(moved, 1e-6 * max(abs(slope), scale)):
                difference, doubt = settled(moved)
                size = max(abs(slope), abs(difference), 1e-3 * scale)
                return doubt <= 1e-6 * size and abs(slope - difference) > 1e-4 * size
        return False

    def _step(self, array, share):
        """A random direction for a share of the numbers; what is exactly zero moves with all of them only.

        There most kinks lie: behind a relu or a dropout.
        """
        step = self.rng.standard_normal(array.shape) * units(array)
        return step if share == 1 else step * (array != 0) * (self.rng.random(array.shape) < share)

    def _second_look(self, entry, slope, analytic, numeric, scale, blind=False):
        """(numeric, error) of a number that does not agree: does it lie at a kink, or has the method failed?"""
        left, right = sides(slope)
        margin = 1e-6 * max(abs(left), abs(right), scale)
        # Zero is a sum of slopes of parts that all lie still at the kink: so PReLU's, as in TensorFlow.
        # Of a whole model several kinks may meet, one inside the other: then the slope may lie beside both.
        slack = abs(left - right) if entry.name.startswith(WHOLE) else margin
        low, high = min(left, right, 0) - slack, max(left, right, 0) + slack
        if low <= analytic <= high and is_kink(slope, margin):
            entry.kinks += 1
            return analytic, 0.0
        if blind:
            numeric = settled(slope)[0]
        elif self.method != "complex":      # a bend within a step's reach needs a shorter step
            numeric = min((central(slope, h) for h in (1e-4, 1e-5, 1e-6, 1e-7)), key=lambda n: abs(n - analytic))
            if abs(numeric - analytic) <= 10 * rounding(slope, 1e-4):
                entry.note = "Differences drown in the rounding of so large a loss: use method='complex'."
        elif np.isfinite(analytic):
            difference, doubt = settled(slope)
            settles = doubt <= 1e-6 * max(abs(difference), scale)
            if settles and relative_error(numeric, difference, scale) > BY_DIFFERENCES:
                numeric, entry.tolerance, entry.note = difference, BY_DIFFERENCES, BLIND
        return numeric, float(relative_error(analytic, numeric, scale))

    @staticmethod
    def _worst(entry, error, where, analytic, numeric):
        """Let this be the largest error of the entry."""
        entry.error, entry.where = float(error), where
        entry.analytic, entry.numeric = float(analytic), float(numeric)
        if np.isnan(analytic):
            entry.error = math.inf
            entry.note = "NaN: backward does not assign it, or adds to what was there (0 times NaN is NaN)."

    def _sample(self, shape):
        """All indices of a small array; of a large one as many as may be, one from each of as many equal parts."""
        size = math.prod(shape)
        flat = np.arange(size)
        if size > self.max_entries:
            bounds = np.linspace(0, size, self.max_entries + 1).astype(int)
            flat = self.rng.integers(bounds[:-1], bounds[1:])
        return [tuple(i) for i in zip(*np.unravel_index(flat, shape))] if shape else [()]

    @staticmethod
    def _slope(array, i, f, unit):
        """A function with the slope that f has as the number at i moves, which it does in steps of a unit."""
        def moved(t):
            value = array[i]
            array[i] = value + t * unit
            try:
                return f() / unit
            finally:
                array[i] = value
        return moved


def units(array):
    """What a step is measured in: a number's own size, if it is large, or one, or the largest if all are smaller."""
    size = np.abs(array)
    return np.maximum(size, min(1.0, size.max(initial=0.0)) or 1.0)


def along(arrays, steps, f):
    """f as a function of how far all arrays have been moved along their steps."""
    def moved(t):
        held = [array.copy() for array in arrays]
        for array, value, step in zip(arrays, held, steps):
            array[...] = value + t * step
        try:
            return f()
        finally:
            for array, value in zip(arrays, held):
                array[...] = value
    return moved


def comparison_of(method, max_entries, seed) -> Comparison:
    """A `Comparison`, if it can be had.  Raises ValueError for an unknown method, RuntimeError on a GPU."""
    if on_gpu:
        raise RuntimeError("Gradient checks read and move single numbers, so they run on NumPy: TINYNET_BACKEND=numpy.")
    find("method", method, METHODS)
    return Comparison(method, whole_number("max_entries", max_entries, least=1), seed)
