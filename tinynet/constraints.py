"""Constraints: functions that are applied to a weight after every step of the optimizer."""
from __future__ import annotations

from tinynet import registry
from tinynet.backend import epsilon, xp
from tinynet.registry import Configurable, serialize
from tinynet.types import Any, Array, Identifier, Objects
from tinynet.validation import number

__all__ = ["Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "max_norm",
           "min_max_norm", "non_neg", "serialize", "unit_norm"]


class Constraint(Configurable):
    """The base class: your own, or any function, takes a weight w and returns the new weight, of the same shape."""

    def __call__(self, w: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} must define __call__(w).")


class MaxNorm(Constraint):
    """w <- w min(n, max_value) / (epsilon + n), with n = sqrt(sum w^2) along `axis`

    Parameters
        max_value: the largest norm of a vector of weights, zero or above.
        axis: along which the norm is taken; 0 for the weights into each unit of a kernel (D, U).

    Source: Srivastava et al., JMLR 15 (2014); keras/constraints.py of Keras 2.3.1.

    >>> MaxNorm(2)(xp.array([[3.0, 0.3], [4.0, 0.4]])).round(6)
    array([[1.2, 0.3],
           [1.6, 0.4]])
    """

    def __init__(self, max_value: float = 2, axis: Any = 0):
        self.max_value: float = number("max_value", max_value)
        self.axis = axis

    def __call__(self, w: Array) -> Array:
        n = norms(w, self.axis)
        return w * (xp.minimum(n, self.max_value) / (epsilon() + n))


class MinMaxNorm(Constraint):
    """w <- w (rate clip(n, min_value, max_value) + (1 - rate) n) / (epsilon + n), n as in `MaxNorm`

    Parameters: min_value and max_value, zero or above; rate from 0 (no effect) to 1 (at once); axis.
    Source: keras/constraints.py of Keras 2.3.1.

    >>> MinMaxNorm(1, 2)(xp.array([[3.0, 0.3], [4.0, 0.4]])).round(5)
    array([[1.2, 0.6],
           [1.6, 0.8]])
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0):
        self.min_value: float = number("min_value", min_value)
        self.max_value: float = number("max_value", max_value, least=self.min_value)
        self.rate: float = number("rate", rate)
        self.axis = axis

    def __call__(self, w: Array) -> Array:
        n = norms(w, self.axis)
        desired = self.rate * xp.clip(n, self.min_value, self.max_value) + (1 - self.rate) * n
        return w * (desired / (epsilon() + n))


class UnitNorm(Constraint):
    """w <- w / (epsilon + n), n as in `MaxNorm`.  Source: keras/constraints.py of Keras 2.3.1.

    >>> UnitNorm()(xp.array([[3.0], [4.0]])).round(6)
    array([[0.6],
           [0.8]])
    """

    def __init__(self, axis: Any = 0):
        self.axis = axis

    def __call__(self, w: Array) -> Array:
        return w / (epsilon() + norms(w, self.axis))


class NonNeg(Constraint):
    """w <- max(w, 0).  Source: keras/constraints.py of Keras 2.3.1.

    >>> NonNeg()(xp.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __call__(self, w: Array) -> Array:
        return xp.maximum(w, 0)


def norms(w: Array, axis: Any) -> Array:
    """sqrt(sum w^2) along the axis (or a list of axes), which is kept with length 1."""
    return xp.sqrt((w * w).sum(axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=True))


max_norm = maxnorm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = nonneg = NonNeg
unit_norm = unitnorm = UnitNorm

CONSTRAINTS: dict[str, Any] = {
    "MaxNorm": MaxNorm, "MinMaxNorm": MinMaxNorm, "NonNeg": NonNeg, "UnitNorm": UnitNorm, "max_norm": MaxNorm,
    "min_max_norm": MinMaxNorm, "non_neg": NonNeg, "unit_norm": UnitNorm, "maxnorm": MaxNorm, "nonneg": NonNeg,
    "unitnorm": UnitNorm}


def deserialize(config: Identifier, custom_objects: Objects = None) -> Any:
    """The constraint of a name or a config."""
    return registry.deserialize("constraint", config, CONSTRAINTS, custom_objects)


def get(identifier: Identifier) -> Any:
    """The constraint of a name such as "max_norm", a config, a function of w or None.

    Raises ValueError for an unknown name, TypeError for anything else.

    >>> get("max_norm")
    MaxNorm()
    """
    if isinstance(identifier, (str, dict)):
        return deserialize(identifier)
    if isinstance(identifier, type):        # MaxNorm without the brackets
        identifier = identifier()
    if identifier is None or callable(identifier):
        return identifier
    raise TypeError(f"A constraint is a name such as 'max_norm' or a function of the weight, got {identifier!r}.")
