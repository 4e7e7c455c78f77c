"""Regularizers: penalties for large weights or activations, added to the loss, each with its derivative."""
from __future__ import annotations

from tinynet import registry
from tinynet.backend import xp
from tinynet.registry import Configurable, serialize
from tinynet.types import Any, Array, Identifier, Objects
from tinynet.validation import number

__all__ = ["L1L2", "Regularizer", "deserialize", "get", "l1", "l1_l2", "l2", "serialize"]


class Regularizer(Configurable):
    """The base class: your own defines the penalty `__call__(w)` and its derivative `gradient(w)`, shaped like w."""

    def __call__(self, w: Array) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __call__(w), the penalty.")

    def gradient(self, w: Array) -> Any:
        """dR/dw"""
        raise NotImplementedError(f"{type(self).__name__} must define gradient(w), the derivative of its penalty.")


class L1L2(Regularizer):
    """R = l1 sum |w| + l2 sum w^2, without a factor of one half;  dR/dw = l1 sign(w) + 2 l2 w, with sign(0) = 0

    Parameters: l1 and l2, zero or above.  Raises ValueError otherwise.

    The gradient of l2 is proportional to w, so it shrinks large weights most. That of l1 is constant, so l1 drives
    small weights to exactly zero.
    Source: keras/regularizers.py of Keras 2.3.1.

    >>> R = L1L2(l1=1, l2=10); w = xp.array([1.0, -2.0])
    >>> float(R(w)), R.gradient(w)
    (53.0, array([ 21., -41.]))
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1: float = number("l1", l1)
        self.l2: float = number("l2", l2)

    def __call__(self, w: Array) -> Any:
        return self.l1 * (xp.sign(w.real) * w).sum() + self.l2 * (w * w).sum()

    def gradient(self, w: Array) -> Array:
        return self.l1 * xp.sign(w.real) + 2 * self.l2 * w


def l1(l: float = 0.01) -> L1L2:  # noqa: E741: Keras's name for it
    """R = l sum |w|"""
    return L1L2(l1=l)


def l2(l: float = 0.01) -> L1L2:  # noqa: E741
    """R = l sum w^2"""
    return L1L2(l2=l)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """R = l1 sum |w| + l2 sum w^2"""
    return L1L2(l1, l2)


REGULARIZERS = {made.__name__: made for made in (L1L2, l1, l2, l1_l2)}


def deserialize(config: Identifier, custom_objects: Objects = None) -> Any:
    """The regularizer of a name or a config."""
    return registry.deserialize("regularizer", config, REGULARIZERS, custom_objects)


def get(identifier: Identifier) -> Any:
    """The regularizer of a name ("l1", "l2", "l1_l2"), a config, a `Regularizer` or None.

    Raises ValueError for an unknown name, TypeError for anything else, such as a function without its derivative.

    >>> get("l2")
    L1L2(l2=0.01)
    """
    if isinstance(identifier, (str, dict)):
        identifier = deserialize(identifier)
    if isinstance(identifier, type) or identifier in (l1, l2, l1_l2):       # L1L2 or l2 without the brackets
        identifier = identifier()
    if identifier is None or callable(identifier) and hasattr(identifier, "gradient"):
        return identifier
    raise TypeError(f"A regularizer is a name such as 'l2' or a Regularizer, got {identifier!r}. A penalty of your own "
                    "needs its derivative: define __call__(w) and gradient(w) in a class made from "
                    "tinynet.regularizers.Regularizer.")
