"""Random numbers, all of them fixed by one seed: `np.random.seed(n)`.

Initial weights and the order of the samples come from NumPy's global generator, as in Keras. Dropout masks come from
counter-based streams, which can be continued at any step.
"""
from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from tinynet.backend import kernels, xp
from tinynet.pickling import writable
from tinynet.types import Any, Array, Shape


def set_random_seed(seed: int) -> None:
    """Fix initial weights, the order of the samples and dropout masks from here on; 0 <= seed < 2**32.

    >>> set_random_seed(7); first = draw_seed()
    >>> set_random_seed(7); draw_seed() == first
    True
    """
    global _last_seed
    np.random.seed(seed)
    _last_seed = int(seed)


_last_seed: int | None = None


def last_seed() -> int | None:
    """The seed of the last call of `set_random_seed`."""
    return _last_seed


def global_state() -> Any:
    """The state of NumPy's global generator, for np.random.set_state: (kind, keys, position, has_gauss, gauss).

    Raises ValueError if the generator is not NumPy's own, MT19937.
    """
    kind = np.random.get_state(legacy=False)["bit_generator"]
    if kind != "MT19937":
        raise ValueError(f"NumPy's global generator must be its own MT19937, to be saved or shared, got {kind}.")
    return np.random.get_state()


_generator: ContextVar[Any] = ContextVar("generator", default=None)     # np.random, whose import takes long


def draw_seed() -> int:
    """A new seed from NumPy's global generator, so that `np.random.seed` fixes whatever uses it."""
    return int((_generator.get() or np.random).randint(2**31 - 1))


@contextmanager
def seeds_of_a_copy() -> Iterator[None]:
    """Inside it `draw_seed` draws from a copy of NumPy's global generator, in this thread: the generator stays."""
    before = _generator.set(np.random.RandomState(copy.deepcopy(
        np.random.get_bit_generator())))     # type: ignore[attr-defined]
    try:
        yield
    finally:
        _generator.reset(before)


class MaskStream:
    """A stream of random masks, each a pure function of (seed, step, position in the batch).

    The only state of a counter-based generator is the step. So a mask does not depend on how the batch was divided
    among threads, and a training run can continue from a saved step with the same bits.

    >>> bool((MaskStream(1).dropout_mask((2, 8), 0.5) == MaskStream(1).dropout_mask((2, 8), 0.5)).all())
    True
    """

    def __init__(self, seed: int):
        self.seed = seed
        self.counter: Array = xp.zeros(1, np.int64)     # the step: an array that a captured training step can increase
        self.first_row = 0                      # in the batch, of the rows that are drawn for: not 0 in a shard

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, counter=writable(state["counter"]))

    @property
    def step(self) -> int:
        """How many masks have been drawn; it may be set."""
        return int(self.counter[0])

    @step.setter
    def step(self, step: int) -> None:
        self.counter[...] = step

    def position(self, shape: Shape) -> int:
        """The position in the stream of the first element of a mask of this shape."""
        return self.first_row * math.prod(shape[1:])

    def dropout_mask(self, shape: tuple[int, ...], rate: float, same_for_all: bool = False) -> Array:
        """True with probability 1 - rate, for each element; then one step on.

        same_for_all: the mask has one row, for all samples.
        """
        first = 0 if same_for_all else self.position(shape)
        mask = kernels.dropout_mask(self.seed, self.counter, shape, rate, first)
        self.advance()
        return mask

    def normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Numbers u ~ N(0, 1), one for each element; then one step on.

        u = sqrt(-2 log a) cos(2 pi b), with a in (0, 1] and b in [0, 1) from the halves of a 64-bit number.
        Source: Box and Muller, Annals of Mathematical Statistics 29 (1958).
        """
        numbers = kernels.random_bits(self.seed, self.counter, math.prod(shape), self.position(shape))
        halves = numbers.view(np.uint32).reshape(-1, 2)
        a, b = (halves[:, 0] + 1.0) / 2**32, halves[:, 1] / 2.0**32
        self.advance()
        return (xp.sqrt(-2 * xp.log(a)) * xp.cos(2 * np.pi * b)).reshape(shape).astype(dtype)

    def advance(self) -> None:
        """One step on."""
        self.counter += 1
