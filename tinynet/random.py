"""Every random number of a run, each a function of one seed: `np.random.seed(n)` fixes them all.

Weights and the order of the samples come from NumPy's global generator, as in Keras; the masks of dropout come
from counted streams, which a training run can rejoin at any step.  It must not know what the numbers are used for.
"""
from __future__ import annotations

import numpy as np

__all__ = ["MaskStream", "draw_seed", "set_random_seed"]


def set_random_seed(seed: int) -> None:
    """Fix weights, order of the samples and dropout masks of all that is built from here on; 0 <= seed < 2**32.

    >>> set_random_seed(7); first = draw_seed()
    >>> set_random_seed(7); draw_seed() == first
    True
    """
    np.random.seed(seed)


def draw_seed() -> int:
    """A fresh seed out of NumPy's global generator, so that one `np.random.seed` fixes whatever uses it."""
    return int(np.random.randint(2**31 - 1))


class MaskStream:
    """Random bits that are a pure function of (seed, step, position): stream number `step` of generator `seed`.

    A counter-based generator needs no state but the step, so a mask does not depend on how a batch was divided
    among threads, and training goes on bit for bit from a saved step.  Source: Salmon et al., "Parallel random
    numbers: as easy as 1, 2, 3", SC 2011; Philox 4x64-10 in NumPy.

    >>> bool((MaskStream(1).keep((2, 8), 0.5) == MaskStream(1).keep((2, 8), 0.5)).all())
    True
    """

    def __init__(self, seed: int):
        self.seed = seed
        self.step = 0

    def keep(self, shape: tuple[int, ...], rate: float) -> np.ndarray:
        """True with probability 1 - rate (rounded to a multiple of 2**-16), for each element; then one step on."""
        size = int(np.prod(shape))
        bits = np.random.Philox(key=self.seed, counter=[0, 0, self.step, 0]).random_raw(-(-size // 4))
        self.step += 1
        # Sixteen bits decide as well as thirty-two and cost half: a 64-bit draw serves four elements.
        return (bits.view(np.uint16)[:size] >= round(rate * 2**16)).reshape(shape)
