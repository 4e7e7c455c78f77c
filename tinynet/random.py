"""Every random number of a run, each a function of one seed: `np.random.seed(n)` fixes them all.

Weights and the order of the samples come from NumPy's global generator, as in Keras; the masks of dropout come
from counted streams, which a training run can rejoin at any step.  It must not know what the numbers are used for.
"""
from __future__ import annotations

import math

import numpy as np

from tinynet import kernels
from tinynet.backend import xp

__all__ = ["MaskStream", "draw_seed", "global_state", "set_random_seed"]


def set_random_seed(seed: int) -> None:
    """Fix weights, order of the samples and dropout masks of all that is built from here on; 0 <= seed < 2**32.

    >>> set_random_seed(7); first = draw_seed()
    >>> set_random_seed(7); draw_seed() == first
    True
    """
    np.random.seed(seed)


def global_state():
    """Where NumPy's global generator stands, for np.random.set_state: (kind, words, position, has_gauss, gauss).

    Raises ValueError for another generator than NumPy's own there, MT19937.
    """
    kind = np.random.get_state(legacy=False)["bit_generator"]
    if kind != "MT19937":
        raise ValueError(f"NumPy's global generator must be its own MT19937, to be saved or shared, got {kind}.")
    return np.random.get_state()


def draw_seed() -> int:
    """A fresh seed out of NumPy's global generator, so that one `np.random.seed` fixes whatever uses it."""
    return int(np.random.randint(2**31 - 1))


class MaskStream:
    """Random masks that are a pure function of (seed, step, position): stream number `step` of generator `seed`.

    A counter-based generator needs no state but the step, so a mask does not depend on how a batch was divided
    among threads, and training goes on bit for bit from a saved step.

    >>> bool((MaskStream(1).keep((2, 8), 0.5) == MaskStream(1).keep((2, 8), 0.5)).all())
    True
    """

    def __init__(self, seed: int):
        self.seed = seed
        self.counter = xp.zeros(1, np.int64)    # the step, where a recorded step of training can count it up
        self.first_row = 0      # of the rows that a mask is for, in the batch; above zero where ranks share it

    @property
    def step(self) -> int:
        """How many masks have been drawn; it may be set."""
        return int(self.counter[0])

    @step.setter
    def step(self, step):
        self.counter[...] = step

    def position(self, shape) -> int:
        """Where in the stream the first element of a mask of this shape stands: before it come those of other rows."""
        return self.first_row * math.prod(shape[1:])

    def keep(self, shape: tuple[int, ...], rate: float, same_for_all=False):
        """True with probability 1 - rate, for each element; then one step on.  See `tinynet.kernels.keep`.

        same_for_all: the mask has one row, for all samples.
        """
        first = 0 if same_for_all else self.position(shape)
        mask = kernels.keep(self.seed, self.counter, shape, rate, first)
        self.advance()
        return mask

    def normal(self, shape: tuple[int, ...], dtype):
        """Numbers u ~ N(0, 1), for each element one; then one step on.

        u = sqrt(-2 log a) cos(2 pi b), with a in (0, 1] and b in [0, 1) from the halves of a 64-bit number.
        Source: Box and Muller, Annals of Mathematical Statistics 29 (1958).
        """
        numbers = kernels.words(self.seed, self.counter, math.prod(shape), self.position(shape))
        halves = numbers.view(np.uint32).reshape(-1, 2)
        a, b = (halves[:, 0] + 1.0) / 2**32, halves[:, 1] / 2.0**32
        self.advance()
        return (xp.sqrt(-2 * xp.log(a)) * xp.cos(2 * np.pi * b)).reshape(shape).astype(dtype)

    def advance(self):
        """One step on."""
        self.counter += 1
