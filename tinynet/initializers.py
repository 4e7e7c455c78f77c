"""Initializers: the initial values of weights.

An initializer is called with a shape and returns an array. Without a seed it draws from NumPy's global generator, so
`np.random.seed` fixes the weights. With a seed it draws from a generator of that seed, at the next call of seed + 1.
"""
from __future__ import annotations

import math

import numpy as np

from tinynet import registry
from tinynet.backend import floatx, xp
from tinynet.registry import Configurable, serialize
from tinynet.types import Any, Array, Identifier, Objects, Shape
from tinynet.validation import find, number, whole_number

__all__ = ["Constant", "Identity", "Initializer", "Ones", "Orthogonal", "RandomNormal", "RandomUniform",
           "TruncatedNormal", "VarianceScaling", "Zeros", "deserialize", "get", "glorot_normal", "glorot_uniform",
           "he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "serialize"]


class Initializer(Configurable):
    """The base class; `__call__(shape, dtype=None)` returns an array of that shape, of `floatx()` by default."""

    seed: int | None = None

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        return xp.asarray(self.draw(shape), dtype=dtype or floatx())

    def draw(self, shape: Shape) -> Array:
        raise NotImplementedError(f"{type(self).__name__} must define draw(shape).")

    def generator(self) -> Any:
        """The generator of one call."""
        if self.seed is None:
            return np.random
        self.seed += 1
        return np.random.RandomState(self.seed - 1)


def _seed(seed):
    return None if seed is None else whole_number("seed", seed, least=0, below=2**32)


class Constant(Initializer):
    """w = value"""

    def __init__(self, value: Any = 0.0):
        self.value = value

    def draw(self, shape: Shape) -> Array:
        return np.full(shape, self.value)


class Zeros(Initializer):
    """w = 0"""

    def draw(self, shape: Shape) -> Array:
        return np.zeros(shape)


class Ones(Initializer):
    """w = 1"""

    def draw(self, shape: Shape) -> Array:
        return np.ones(shape)


class Identity(Initializer):
    """w = gain I, padded with zeros if it is not square; (D, U) only.  Raises ValueError for another shape.

    >>> Identity()((2, 3))
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0):
        self.gain: float = number("gain", gain, least=-math.inf)

    def draw(self, shape: Shape) -> Array:
        if len(shape) != 2:
            raise ValueError(f"The Identity initializer makes matrices (D, U), got the shape {tuple(shape)}.")
        return self.gain * np.eye(*shape)


class RandomNormal(Initializer):
    """w ~ N(mean, stddev^2)"""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None):
        self.mean: float = number("mean", mean, least=-math.inf)
        self.stddev: float = number("stddev", stddev)
        self.seed: Any = _seed(seed)

    def draw(self, shape: Shape) -> Array:
        return self.generator().normal(self.mean, self.stddev, shape)


class TruncatedNormal(RandomNormal):
    """w ~ N(mean, stddev^2), redrawn beyond two standard deviations"""

    def draw(self, shape: Shape) -> Array:
        return self.mean + self.stddev * within_two_deviations(self.generator(), shape)


class RandomUniform(Initializer):
    """w ~ U(minval, maxval)"""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None):
        self.minval: float = number("minval", minval, least=-math.inf)
        self.seed: Any = _seed(seed)
        self.maxval: float = number("maxval", maxval, least=self.minval)

    def draw(self, shape: Shape) -> Array:
        return self.generator().uniform(self.minval, self.maxval, shape)


class Orthogonal(Initializer):
    """w = gain Q with orthonormal columns or rows, Q^T Q = I or Q Q^T = I, from the SVD of a random matrix.

    Shapes: (D, U); more axes before U are flattened into D.
    Source: Saxe et al., ICLR 2014; keras/initializers.py of Keras 2.3.1.

    >>> w = Orthogonal(seed=1)((3, 2)).astype(float); (w.T @ w).round(6) + 0
    array([[1., 0.],
           [0., 1.]])
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None):
        self.gain: float = number("gain", gain, least=-math.inf)
        self.seed: Any = _seed(seed)

    def draw(self, shape: Shape) -> Array:
        if len(shape) < 2:
            raise ValueError(f"The Orthogonal initializer makes matrices (D, U), got the shape {tuple(shape)}.")
        flat = (math.prod(shape[:-1]), shape[-1])
        left, _, right = np.linalg.svd(self.generator().normal(size=flat), full_matrices=False)
        return self.gain * (left if left.shape == flat else right).reshape(shape)


class VarianceScaling(Initializer):
    """w ~ a distribution of mean 0 and variance scale / n, so that activations keep their variance from layer to layer.

    Parameters
        scale: above 0.
        mode: n is "fan_in" (inputs D of a kernel (D, U)), "fan_out" (units U) or "fan_avg" ((D + U) / 2); at least 1.
        distribution: "uniform" on [-l, l] with l = sqrt(3 scale / n), or "normal", redrawn beyond two standard
            deviations, with its deviation divided by 0.87962566 to make up for the truncated tails.
        seed: None, or a whole number from 0 to 2**32 - 1.

    Source: Glorot and Bengio, AISTATS 2010; He et al., ICCV 2015; keras/initializers.py of Keras 2.3.1.

    >>> weights = VarianceScaling(mode="fan_avg", distribution="uniform", seed=1)((784, 512))
    >>> float(abs(weights).max()) <= (6 / (784 + 512)) ** 0.5
    True
    """

    def __init__(self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "normal", seed: int | None = None):
        find("mode", mode, dict.fromkeys(("fan_in", "fan_out", "fan_avg")))
        find("distribution", distribution, dict.fromkeys(("uniform", "normal")))
        self.scale: float = number("scale", scale, positive=True)
        self.mode, self.distribution, self.seed = mode, distribution, _seed(seed)

    def draw(self, shape: Shape) -> Array:
        fan_in, fan_out = fans(shape)
        n = max(1, {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode])
        if self.distribution == "uniform":
            limit = np.sqrt(3 * self.scale / n)
            return self.generator().uniform(-limit, limit, shape)
        return np.sqrt(self.scale / n) / 0.87962566103423978 * within_two_deviations(self.generator(), shape)


def fans(shape: Shape) -> tuple[float, float]:
    """(fan_in, fan_out) of a weight: D and U of a kernel (D, U), each times the lengths of the axes before.

    >>> fans((784, 512))
    (784, 512)
    """
    if len(shape) < 2:
        return 2 * (math.sqrt(math.prod(shape)),)
    return math.prod(shape[:-1]), math.prod(shape[:-2]) * shape[-1]


def within_two_deviations(generator: Any, shape: Shape) -> Array:
    """Standard normal numbers, redrawn until each lies within two deviations."""
    w = generator.normal(size=shape)
    while (outside := np.abs(w) > 2).any():
        w[outside] = generator.normal(size=np.count_nonzero(outside))
    return w


def glorot_uniform(seed: int | None = None) -> VarianceScaling:
    """w ~ U(-l, l), l = sqrt(6 / (D + U)); Dense's default.  Source: Glorot and Bengio, AISTATS 2010.

    >>> glorot_uniform(seed=1)
    VarianceScaling(1.0, 'fan_avg', 'uniform', 1)
    """
    return VarianceScaling(1.0, "fan_avg", "uniform", seed)


def glorot_normal(seed: int | None = None) -> VarianceScaling:
    """w ~ N(0, 2 / (D + U)), truncated.  Source: Glorot and Bengio, AISTATS 2010."""
    return VarianceScaling(1.0, "fan_avg", "normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """w ~ U(-l, l), l = sqrt(6 / D), for relu.  Source: He et al., ICCV 2015."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """w ~ N(0, 2 / D), truncated, for relu.  Source: He et al., ICCV 2015."""
    return VarianceScaling(2.0, "fan_in", "normal", seed)


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """w ~ U(-l, l), l = sqrt(3 / D).  Source: LeCun et al., "Efficient BackProp", 1998."""
    return VarianceScaling(1.0, "fan_in", "uniform", seed)


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """w ~ N(0, 1 / D), truncated.  Source: LeCun et al., "Efficient BackProp", 1998."""
    return VarianceScaling(1.0, "fan_in", "normal", seed)


INITIALIZERS: dict[Any, Any] = {maker.__name__: maker for maker in (
    Zeros, Ones, Constant, Identity, RandomNormal, RandomUniform, TruncatedNormal, Orthogonal, VarianceScaling,
    glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal)}

zero = zeros = Zeros
one = ones = Ones
constant, identity, orthogonal = Constant, Identity, Orthogonal
normal = random_normal = RandomNormal
uniform = random_uniform = RandomUniform
truncated_normal = TruncatedNormal

INITIALIZERS |= {
    "zero": Zeros, "zeros": Zeros, "one": Ones, "ones": Ones, "constant": Constant, "identity": Identity,
    "normal": RandomNormal, "random_normal": RandomNormal, "uniform": RandomUniform, "random_uniform": RandomUniform,
    "truncated_normal": TruncatedNormal, "orthogonal": Orthogonal}


def deserialize(config: Identifier, custom_objects: Objects = None) -> Any:
    """The initializer of a name or a config."""
    return registry.deserialize("initializer", config, INITIALIZERS, custom_objects)


def get(identifier: Identifier) -> Any:
    """The initializer of a name, a config or a callable `f(shape)`.

    Raises ValueError for an unknown name, TypeError for anything else.

    >>> get("zeros")
    Zeros()
    """
    if isinstance(identifier, (str, dict)):
        identifier = deserialize(identifier)
    if identifier in INITIALIZERS.values():     # Zeros or he_normal without the brackets
        return identifier()
    if callable(identifier):
        return identifier
    raise TypeError(f"An initializer is a name such as 'zeros' or a callable f(shape), got {identifier!r}.")
