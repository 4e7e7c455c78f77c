"""Numeric derivatives: finite differences, and the complex step.

f(t) is the loss after a number has been changed by t, and f'(0) its derivative with respect to that number.
"""
from __future__ import annotations

import numpy as np

from tinynet.types import Any, Array, Function
from tinynet.validation import find


def complex_step(f: Function, h: float = 1e-30) -> float:
    """f'(0) = Im f(ih) / h, because f(ih) = f(0) + ih f'(0) - h^2 f''(0) / 2 ..., and h^2 = 1e-60 is nothing.

    No two nearly equal numbers are subtracted, so all digits are right. f must consist of operations that are analytic,
    which abs and comparisons of imaginary parts are not.
    Source: Squire and Trapp, SIAM Review 40 (1998).

    >>> complex_step(lambda t: (3 + t) ** 2)
    6.0
    """
    return float(np.imag(f(1j * h)) / h)


def central(f: Function, h: float = 1e-5) -> float:
    """f'(0) = (f(h) - f(-h)) / 2h, with a truncation error of h^2 f''' / 6 and a rounding error of 1e-16 |f| / h.

    >>> round(central(lambda t: (3 + t) ** 2), 6)
    6.0
    """
    return float((np.real(f(h)) - np.real(f(-h))) / (2 * h))


def richardson(f: Function, h: float = 1e-3) -> float:
    """f'(0) = (8 (f(h/2) - f(-h/2)) - (f(h) - f(-h))) / 6h: two central differences whose errors of h^2 cancel.

    Source: Richardson, Phil. Trans. A 210 (1911).

    >>> round(richardson(lambda t: (3 + t) ** 5), 8)
    405.0
    """
    return (4 * central(f, h / 2) - central(f, h)) / 3


def sides(f: Function, h: float = 1e-7) -> tuple[Any, ...]:
    """The slopes to the left and to the right of 0: at a kink they are not the same."""
    middle = np.real(f(0.0))
    return float((middle - np.real(f(-h))) / h), float((np.real(f(h)) - middle) / h)


def rounding(f: Function, h: float) -> float:
    """The rounding error of a finite difference of f with step h, if numbers in f are about 1."""
    return 1e-15 * (1 + float(np.abs(f(0.0)))) / h


def is_kink(f: Function, least: Any) -> bool:
    """Whether the slope of f jumps at 0 by more than `least`, or f itself does.

    At ten times the distance a jump of the slope is as large, and a jump of f makes a tenth of the slope; but the
    slopes of a curve differ ten times as much. Rounding looks like a small jump of f.
    """
    h = 1e-7
    (left, right), (far_left, far_right) = sides(f, h), sides(f, 10 * h)
    near, far = right - left, far_right - far_left
    noise = max(least, rounding(f, h))
    if abs(near) <= noise or far == 0:
        return False
    return 0.5 <= near / far <= 2 or (5 <= near / far <= 20 and abs(near) > 1e3 * noise)


def converged(f: Function) -> tuple[Any, ...]:
    """(f'(0) by finite differences, its error), from shorter and shorter steps until two in a row agree.

    A long step may cross a kink, and a short one is dominated by rounding; if two agree, neither has happened.
    """
    steps = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
    estimates = [richardson(f, h) for h in steps]
    errors = [abs(a - b) + rounding(f, h) for a, b, h in zip(estimates, estimates[1:], steps)]
    best = int(np.argmin([uncertainty if np.isfinite(uncertainty) else np.inf for uncertainty in errors]))
    return estimates[best], errors[best]


METHODS = {"complex": complex_step, "central": central, "richardson": richardson}
TOLERANCE = {"complex": 1e-10, "central": 1e-6, "richardson": 1e-7}      # correct float64 derivatives are well below


def numeric_gradient(f: Function, array: Array, method: str = "central") -> Array:
    """The gradient of f() with respect to every number of an array that f reads, by differences unless told otherwise.

    The array is changed in place, number by number, and restored.  It must be float64, or complex128 for
    method="complex".  Raises ValueError for another one, and for an unknown method.

    >>> a = np.array([3.0]); numeric_gradient(lambda: a[0] ** 2, a).round(6)
    array([6.])
    """
    find("method", method, METHODS)
    needed = np.dtype(complex if method == "complex" else float)
    if getattr(array, "dtype", None) != needed:
        raise ValueError(f"numeric_gradient by {method!r} needs an array of {needed}, which f reads, got "
                         f"{getattr(array, 'dtype', type(array).__name__)}.")
    gradient = np.zeros(array.shape)
    for i in np.ndindex(array.shape):
        gradient[i] = METHODS[method](of_number(array, i, f))
    return gradient


def of_number(array: Array, i: tuple[Any, ...], f: Function, unit: Any = 1) -> Function:
    """f as a function of the change of the number at i, in units."""
    def moved(t):
        value = array[i].copy()     # CuPy gives a view
        array[i] = value + t * unit
        try:
            return f() / unit
        finally:
            array[i] = value
    return moved
