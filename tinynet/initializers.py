"""The numbers a weight starts from; they must not know which layer asks.

An initializer is called with a shape and returns an array.  Without a seed it draws from NumPy's global generator,
so `np.random.seed` fixes the weights; with one it draws from a generator of its own, further at each call.
"""
from __future__ import annotations

import math

import numpy as np

from tinynet.backend import floatx, xp
from tinynet.arguments import Pasteable, find, number

__all__ = ["Initializer", "Zeros", "Ones", "Constant", "VarianceScaling", "get", "glorot_normal", "glorot_uniform",
           "he_normal", "he_uniform", "lecun_normal", "lecun_uniform"]


class Initializer(Pasteable):
    """The base class; `__call__(shape, dtype=None)` returns an array of that shape, of `floatx()` by default."""

    def __call__(self, shape, dtype=None):
        return xp.asarray(self.draw(shape), dtype=dtype or floatx())

    def draw(self, shape):
        raise NotImplementedError(f"{type(self).__name__} must define draw(shape).")


class Constant(Initializer):
    """w = value

    >>> Constant(3)((2,))
    array([3., 3.], dtype=float32)
    """

    def __init__(self, value=0.0):
        self.value = value

    def draw(self, shape):
        return np.full(shape, self.value)


class Zeros(Initializer):
    """w = 0

    >>> Zeros()((2,))
    array([0., 0.], dtype=float32)
    """

    def draw(self, shape):
        return np.zeros(shape)


class Ones(Initializer):
    """w = 1

    >>> Ones()((2,))
    array([1., 1.], dtype=float32)
    """

    def draw(self, shape):
        return np.ones(shape)


class VarianceScaling(Initializer):
    """w ~ a distribution of mean 0 and variance scale / n, so that signals keep their size from layer to layer.

    Parameters
        scale: above 0.
        mode: n is "fan_in" (inputs D of a kernel (D, U)), "fan_out" (units U) or "fan_avg" ((D + U) / 2).
        distribution: "uniform" on [-l, l] with l = sqrt(3 scale / n), or "normal", redrawn beyond two standard
            deviations, its deviation widened by 1 / 0.87962566 to make up for the lost tails.
        seed: None, or a whole number from 0 to 2**32 - 1.

    Source: Glorot and Bengio, AISTATS 2010; He et al., ICCV 2015; keras/initializers.py of Keras 2.3.1.

    >>> weights = VarianceScaling(seed=1)((784, 512))
    >>> float(abs(weights).max()) <= (6 / (784 + 512)) ** 0.5
    True
    """

    def __init__(self, scale=1.0, mode="fan_avg", distribution="uniform", seed=None):
        find("mode", mode, dict.fromkeys(("fan_in", "fan_out", "fan_avg")))
        find("distribution", distribution, dict.fromkeys(("uniform", "normal")))
        self.scale = number("scale", scale, positive=True)
        self.mode, self.distribution, self.seed = mode, distribution, seed
        self.generator = None if seed is None else np.random.RandomState(seed)

    def draw(self, shape):
        generator = self.generator or np.random
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        if self.distribution == "uniform":
            limit = np.sqrt(3 * self.scale / n)
            return generator.uniform(-limit, limit, shape)
        return np.sqrt(self.scale / n) / 0.87962566103423978 * truncated_normal(generator, shape)


def fans(shape):
    """How many inputs and outputs meet in a weight: D and U of a kernel (D, U), each times the axes before.

    >>> fans((784, 512))
    (784, 512)
    """
    if len(shape) < 2:
        return 2 * (math.sqrt(math.prod(shape)),)
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def truncated_normal(generator, shape):
    """Standard normal numbers, redrawn until each lies within two deviations."""
    w = generator.normal(size=shape)
    while (outside := np.abs(w) > 2).any():
        w[outside] = generator.normal(size=np.count_nonzero(outside))
    return w


def glorot_uniform(seed=None):
    """w ~ U(-l, l), l = sqrt(6 / (D + U)); Dense's default.  Source: Glorot and Bengio, AISTATS 2010.

    >>> glorot_uniform(seed=1)
    VarianceScaling(1.0, 'fan_avg', 'uniform', 1)
    """
    return VarianceScaling(1.0, "fan_avg", "uniform", seed)


def glorot_normal(seed=None):
    """w ~ N(0, 2 / (D + U)), truncated.  Source: Glorot and Bengio, AISTATS 2010.

    >>> glorot_normal(seed=1)
    VarianceScaling(1.0, 'fan_avg', 'normal', 1)
    """
    return VarianceScaling(1.0, "fan_avg", "normal", seed)


def he_uniform(seed=None):
    """w ~ U(-l, l), l = sqrt(6 / D), made for relu.  Source: He et al., ICCV 2015.

    >>> he_uniform(seed=1)
    VarianceScaling(2.0, 'fan_in', 'uniform', 1)
    """
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


def he_normal(seed=None):
    """w ~ N(0, 2 / D), truncated, made for relu.  Source: He et al., ICCV 2015.

    >>> he_normal(seed=1)
    VarianceScaling(2.0, 'fan_in', 'normal', 1)
    """
    return VarianceScaling(2.0, "fan_in", "normal", seed)


def lecun_uniform(seed=None):
    """w ~ U(-l, l), l = sqrt(3 / D).  Source: LeCun et al., "Efficient BackProp", 1998.

    >>> lecun_uniform(seed=1)
    VarianceScaling(1.0, 'fan_in', 'uniform', 1)
    """
    return VarianceScaling(1.0, "fan_in", "uniform", seed)


def lecun_normal(seed=None):
    """w ~ N(0, 1 / D), truncated.  Source: LeCun et al., "Efficient BackProp", 1998.

    >>> lecun_normal(seed=1)
    VarianceScaling(1.0, 'fan_in', 'normal', 1)
    """
    return VarianceScaling(1.0, "fan_in", "normal", seed)


INITIALIZERS = {maker.__name__: maker for maker in (
    Zeros, Ones, Constant, VarianceScaling,
    glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal)}
INITIALIZERS |= {"zeros": Zeros, "ones": Ones, "constant": Constant}


def get(identifier):
    """The initializer that a name or a callable `f(shape)` stands for.

    Raises ValueError for an unknown name, TypeError for anything else.

    >>> get("zeros")
    Zeros()
    """
    if isinstance(identifier, str):
        return find("initializer", identifier, INITIALIZERS)()
    if identifier in INITIALIZERS.values():     # Zeros or he_normal without the brackets
        return identifier()
    if callable(identifier):
        return identifier
    raise TypeError(f"An initializer is a name such as 'zeros' or a callable f(shape), got {identifier!r}.")
