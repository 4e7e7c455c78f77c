"""Optimizer: what every formula that moves weights has around it, the clock, the clipping and the vectors it keeps.

It must not know about layers.
"""
from __future__ import annotations

from tinynet import kernels
from tinynet.arguments import number, refuse
from tinynet.backend import epsilon as default_epsilon
from tinynet.backend import xp
from tinynet.registry import Configurable

__all__ = ["LearningRate", "Optimizer", "positive_epsilon"]


class LearningRate(float):
    """The learning rate of an optimizer: a number that `backend.set_value` can set, as scripts for Keras do.

    >>> optimizer = Optimizer(0.5); optimizer.lr.assign(0.25); optimizer.lr
    0.25
    """

    optimizer: Optimizer

    def assign(self, value):
        """Let the optimizer use another rate from now on."""
        self.optimizer.learning_rate = value


class Optimizer(Configurable):
    """The base class: `update(p, g)` clips the gradient g and takes one step that changes p in place.

    Your own optimizer names the vectors it keeps from step to step in `slot_names` and defines
    `step(p, g, lr, *slots)`.  All are 1-D and of one length, zero at first; g may be overwritten.  A long vector comes
    in blocks, one call each, so temporary arrays are short and stay in the cache.  On a GPU `cuda` may say the same for
    one number of each vector, as text, with the attributes named in `constants`: then the step is a single kernel.

    Parameters of every optimizer
        learning_rate (or lr): zero or above.
        decay: zero or above; step t = 0, 1, 2 ... uses learning_rate / (1 + decay t).
        clipnorm: the longest that the gradient of all weights together may be; a longer one is scaled down to it.
        clipvalue: then each number of it is brought within [-clipvalue, clipvalue].

    Raises TypeError for an argument that the optimizer does not have, ValueError for a number out of range.

    Source: keras/optimizers.py of Keras 2.3.1, where clipnorm is global too (in later versions it is one norm for
    each variable).
    """

    slot_names: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    cuda = ""

    def __init__(self, learning_rate, decay=0.0, clipnorm=None, clipvalue=None, **unknown):
        self.clock = xp.zeros(2)    # learning rate and steps taken, where a recorded step of training can read them
        self.learning_rate = unknown.pop("lr", learning_rate)
        refuse("Unexpected keyword argument passed to optimizer", type(self), unknown)
        self.decay = number("decay", decay)
        self.clipnorm = None if clipnorm is None else number("clipnorm", clipnorm)
        self.clipvalue = None if clipvalue is None else number("clipvalue", clipvalue)
        self.reset()

    @property
    def learning_rate(self):
        """The rate before decay; it may be set between steps, also by Keras's short name `lr`."""
        rate = LearningRate(self.clock[0])
        rate.optimizer = self
        return rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.clock[:1] = number("learning_rate", value)

    lr = learning_rate

    @property
    def iterations(self) -> int:
        """How many steps it has taken since it was compiled."""
        return int(self.clock[1])

    def reset(self):
        """Forget all earlier steps; compiling a model calls it."""
        self.clock[1:] = 0
        self.slots: list = []

    def update(self, p, g):
        """One step: p moves."""
        if not self.slots:
            self.slots = [xp.zeros_like(p) for _ in self.slot_names]
        if any(slot.shape != p.shape for slot in self.slots):
            raise ValueError(f"{self!r} has been moving {self.slots[0].size:,} weights and is now to move {p.size:,}. "
                             "Give each model an optimizer of its own.")
        self._clip(g)
        kernels.move(self, p, g, self.slots)
        iterations = self.clock[1:2]
        iterations += 1

    def _clip(self, g):
        if self.clipnorm:
            norm = xp.sqrt(xp.square(g).sum())
            g *= self.clipnorm / xp.maximum(norm, self.clipnorm)
        if self.clipvalue:
            xp.clip(g, -self.clipvalue, self.clipvalue, out=g)

    def step(self, p, g, lr, *slots):
        """Move p by the gradient g at learning rate lr."""
        raise NotImplementedError(f"{type(self).__name__} must define step(p, g, lr, *slots).")

    def get_config(self):
        """The arguments that build this optimizer again, without the steps it has taken."""
        return {name: value for name, value in super().get_config().items() if value is not None}


def positive_epsilon(epsilon):
    """An optimizer's epsilon: above zero, `backend.epsilon()` for None."""
    return number("epsilon", default_epsilon() if epsilon is None else epsilon, positive=True)
