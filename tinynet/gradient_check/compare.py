"""Comparison of a gradient with a numeric one: which numbers are compared, and what a difference means."""
from __future__ import annotations

import functools
import math
import warnings
from typing import TypeVar, cast

import numpy as np

from tinynet.backend import to_numpy, working, xp
from tinynet.gradient_check.hints import kind_of_mistake
from tinynet.gradient_check.numeric import METHODS, TOLERANCE, central, converged, is_kink, of_number, rounding, sides
from tinynet.gradient_check.report import WHOLE, Entry
from tinynet.types import Any, Array, Function
from tinynet.validation import find, whole_number

Check = TypeVar("Check", bound=Function)

BY_DIFFERENCES = 1e-5       # the tolerance of finite differences if nothing is known of f
NOT_ANALYTIC = "By finite differences, to five digits: this forward is not analytic (abs, std, float() or the like)."
ROUNDING = 4e-5             # of the scale: times 1e-10, rounding errors of gradients that are tiny everywhere
SHARES = (1.0, 0.5, 0.2, 0.05)      # of the numbers that a random direction changes, until it crosses no kink


def relative_error(analytic: Any, numeric: Any, scale: float, least: float = 1e-3) -> Array:
    """|b - n| / max(|b|, |n|, least * scale, 1e-6), where the scale is the largest of such numbers.

    The 1e-6 is for a softmax of nearly 1, whose rounding error of 1e-16 would otherwise be more than 1e-10.
    """
    return np.abs(analytic - numeric) / np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)),
                                                   max(least * scale, 1e-6))


class Comparison:
    """How gradients are compared.

    Parameters
        method: "complex", "central" or "richardson", see `tinynet.gradient_check.numeric`.
        max_entries: numbers of an array that are compared one by one; of a larger array that many are drawn, and the
            slope in a random direction checks all of them.
        seed: of the random numbers.
    """

    def __init__(self, method: str, max_entries: int, seed: int, not_analytic: bool = False):
        self.method = method
        self.seed = seed
        self.not_analytic = not_analytic
        self.derivative: Any = METHODS[method]
        self.max_entries = max_entries
        self.rng = np.random.default_rng((seed, 1))     # another stream than default_rng(seed), of which x may be

    def run(self, check: Function) -> Any:
        """The result of check(comparison); again by finite differences if they drop the imaginary part."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                return check(self)
        except (TypeError, np.exceptions.ComplexWarning):
            if self.method != "complex":
                raise
            return check(Comparison("richardson", self.max_entries, self.seed, not_analytic=True))

    def of_one_number(self) -> Comparison:
        """A comparison of one number of each array, and the slope in a random direction: quick, and says less."""
        return Comparison(self.method, 1, self.seed, self.not_analytic)

    def prepared(self, array: Array) -> Array:
        """The array in the dtype of the method."""
        return xp.asarray(array).astype(complex if self.method == "complex" else float)

    def entry(self, name: str, gradient: Array, array: Array, f: Function, scale: float = 0.0,
              samples: int = 1, usual: float = math.inf) -> Entry:
        """The comparison of a gradient with the slopes of f(), which reads the array, a prepared one.

        `scale` is the size of such gradients elsewhere: one whose terms cancel is not exactly zero. `usual` is the size
        of this one for another cotangent: if that is tiny, too, no terms cancel, and f itself is nearly constant.
        """
        gradient = to_numpy(gradient).real
        if gradient.shape != array.shape:
            raise ValueError(f"{name}: the gradient must have the shape {array.shape}, got {gradient.shape}.")
        indices = self._sample(array.shape)
        unit = units(to_numpy(array))
        slopes = [of_number(array, i, f, unit[i]) for i in indices]
        entry = Entry(name, array.shape, len(indices), 0.0, TOLERANCE[self.method])
        not_analytic = self.not_analytic or (self.method == "complex" and not name.startswith(WHOLE)
                                             and self._is_not_analytic(array, f, gradient))
        numeric = np.array([0.0 if not_analytic else self.derivative(slope) for slope in slopes])
        analytic = np.array([gradient[i] for i in indices])
        finite = np.abs(gradient[np.isfinite(gradient)])
        own = max(finite.max(initial=0.0), np.abs(numeric).max(initial=0.0))
        least = ROUNDING if max(own, usual) < 1e-6 * scale else 1e-3
        scale = max(scale, own, usual if math.isfinite(usual) else 0.0)
        if not_analytic:
            entry.tolerance, entry.note = BY_DIFFERENCES, NOT_ANALYTIC
        error = relative_error(analytic, numeric, scale, least)
        for k in range(len(indices)):
            if not_analytic or not error[k] <= entry.tolerance:
                numeric[k], error[k] = self._recheck(entry, slopes[k], analytic[k], numeric[k], scale, not_analytic,
                                                     least, array)
        if len(indices):
            worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
            self._worst(entry, error[worst], tuple(map(int, indices[worst])), analytic[worst], numeric[worst])
            if not entry.passed:
                shape = array.shape if len(indices) == array.size else (len(indices),)
                entry.hint = kind_of_mistake(analytic.reshape(shape), numeric.reshape(shape), samples,
                                             whole=len(indices) == array.size)
        if entry.passed and array.size > len(indices):
            self.direction(entry, [(array, gradient)], f, scale, not_analytic)
        if entry.kinks == entry.checked > 0:
            entry.note = "Almost all checked numbers are at kinks, where there is no derivative: use other inputs."
        return entry

    def direction(self, entry: Any, pairs: list[Any], f: Function, scale: float = 0.0,
                  not_analytic: bool = False) -> None:
        """Compare the slope in a random direction of all arrays of (array, gradient) together.

        If the direction crosses kinks another one is tried, of a part of the numbers.
        """
        not_analytic = not_analytic or self.not_analytic
        if not_analytic:
            entry.tolerance, entry.note = BY_DIFFERENCES, NOT_ANALYTIC
        for share in SHARES:
            steps = [self._step(to_numpy(array), share) for array, _ in pairs]
            if not any(step.any() for step in steps):
                break
            moved = along([array for array, _ in pairs], steps, f)
            parts = np.concatenate([(to_numpy(gradient) * step).ravel() for (_, gradient), step in zip(pairs, steps)])
            analytic, size = float(parts.sum()), max(scale, float(np.linalg.norm(parts)))
            if not_analytic:
                numeric, uncertainty = converged(moved)
                error = float(relative_error(analytic, numeric, size))
                conclusive = error <= entry.tolerance or uncertainty <= 1e-2 * BY_DIFFERENCES * max(abs(numeric), size)
            else:
                numeric = self.derivative(moved)
                error = float(relative_error(analytic, numeric, size))
                conclusive = error <= entry.tolerance or not is_kink(moved, 1e-6 * size)
                if conclusive and not error <= entry.tolerance:
                    numeric, error = self._recheck(entry, moved, analytic, numeric, size)
            if conclusive:
                if not error <= entry.error:
                    self._worst(entry, error, None, analytic, numeric)
                return
        entry.note = "Every direction crosses kinks: the rest was not checked."

    def _is_not_analytic(self, array, f, gradient) -> bool:
        """Whether the complex step misses a part of f: real differences converge to another value.

        Operations such as abs and std drop the imaginary part, and a backward that omits them would seem right.
        """
        scale = np.abs(gradient[np.isfinite(gradient)]).max(initial=1e-9)
        for share in SHARES:
            moved = along([array], [self._step(to_numpy(array), share)], f)
            slope = self.derivative(moved)
            if not is_kink(moved, 1e-6 * max(abs(slope), scale)):
                difference, uncertainty = converged(moved)
                size = max(abs(slope), abs(difference), 1e-3 * scale)
                return uncertainty <= 1e-6 * size and abs(slope - difference) > max(30 * uncertainty, 2e-6 * size)
        return False

    def _step(self, array, share):
        """A random direction of a share of the numbers; zeros, which are often kinks, change with all numbers only."""
        step = self.rng.standard_normal(array.shape) * units(array)
        return step if share == 1 else step * (array != 0) * (self.rng.random(array.shape) < share)

    def _recheck(self, entry, slope, analytic, numeric, scale, not_analytic=False, least=1e-3,
                 array=None):
        """(numeric, error) of a number that does not agree: is it at a kink, or has the method failed?"""
        left, right = sides(slope)
        margin = 1e-6 * max(abs(left), abs(right), scale)
        # Zero is allowed too: PReLU has it at the kink, as in TensorFlow.
        # In a whole model several kinks may coincide: then the slope may lie outside both.
        slack = abs(left - right) if entry.name.startswith(WHOLE) else margin
        low, high = min(left, right, 0) - slack, max(left, right, 0) + slack
        if np.isfinite(analytic) and is_kink(slope, margin):
            if not low <= analytic <= high and array is not None:
                low, high = self._beside(slope, array, margin)
            if low <= analytic <= high:
                entry.kinks += 1
                return analytic, 0.0
        if not_analytic:
            numeric = converged(slope)[0]
        elif self.method != "complex":      # a bend within a step's reach needs a shorter step
            numeric = min((central(slope, h) for h in (1e-4, 1e-5, 1e-6, 1e-7)), key=lambda n: abs(n - analytic))
            if abs(numeric - analytic) <= 10 * rounding(slope, 1e-4):
                entry.note = "The rounding error of so large a loss dominates the differences: use method='complex'."
        elif np.isfinite(analytic):
            difference, uncertainty = converged(slope)
            reliable = uncertainty <= min(1e-6 * max(abs(difference), scale), 0.1 * abs(numeric - difference))
            if reliable and relative_error(numeric, difference, scale, least) > BY_DIFFERENCES:
                numeric, entry.tolerance, entry.note = difference, BY_DIFFERENCES, NOT_ANALYTIC
        least = 1e-3 if entry.tolerance == BY_DIFFERENCES else least
        return numeric, float(relative_error(analytic, numeric, scale, least))

    def _beside(self, slope, array, margin):
        """The least and the largest slope nearby: where several kinks meet, as in sort, any of them is right."""
        held, slopes = array.copy(), []
        for _ in range(24):
            array[...] = held + xp.asarray(1e-5 * units(to_numpy(held)) * self.rng.standard_normal(held.shape))
            slopes.append(central(slope, 1e-7))
        array[...] = held
        return min(slopes) - margin, max(slopes) + margin

    @staticmethod
    def _worst(entry, error, where, analytic, numeric):
        """Set the largest error of the entry."""
        entry.error, entry.where = float(error), where
        entry.analytic, entry.numeric = float(analytic), float(numeric)
        if np.isnan(analytic):
            entry.error = math.inf
            entry.note = "NaN: backward does not assign it, or adds to its old value (0 times NaN is NaN)."

    def _sample(self, shape):
        """All indices of a small array; of a large one max_entries, one from each of as many equal parts."""
        size = math.prod(shape)
        flat = np.arange(size)
        if size > self.max_entries:
            bounds = np.linspace(0, size, self.max_entries + 1).astype(int)
            flat = self.rng.integers(bounds[:-1], bounds[1:])
        return [tuple(i) for i in zip(*np.unravel_index(flat, shape))] if shape else [()]


def units(array: Array) -> Array:
    """The unit of each number's steps: its own size, at least 1, or at least the largest size if all are below 1."""
    size = np.abs(array)
    largest = size.max(initial=0.0)
    return np.maximum(size, min(1.0, max(largest, 1e-200)) if largest else 1.0)     # 1e-30 units must not underflow


def along(arrays: Any, steps: Any, f: Function) -> Function:
    """f as a function of the change of all arrays along their steps."""
    def moved(t):
        held = [array.copy() for array in arrays]
        for array, value, step in zip(arrays, held, steps):
            array[...] = value + xp.asarray(t * step)
        try:
            return f()
        finally:
            for array, value in zip(arrays, held):
                array[...] = value
    return moved


def as_in_training(check: Check) -> Check:
    """The check, on the threads that train: those of BLAS itself take fifty times as long when a core is busy."""
    @functools.wraps(check)
    def checked(*arguments, **options):
        with working():
            return check(*arguments, **options)
    return cast(Check, checked)


def comparison_of(method: str, max_entries: int, seed: int) -> Comparison:
    """A `Comparison`.  Raises ValueError for an unknown method."""
    find("method", method, METHODS)
    return Comparison(method, whole_number("max_entries", max_entries, least=1), whole_number("seed", seed, least=0))
