"""Optimizer: what every update rule has around it: learning rate, decay, step counter, clipping, slots."""
from __future__ import annotations

from tinynet import pickling
from tinynet.backend import epsilon as default_epsilon, kernels, xp
from tinynet.registry import Configurable
from tinynet.types import Any, Array, Config
from tinynet.validation import number, reject_unknown


class LearningRate(float):
    """The learning rate of an optimizer: a number that `backend.set_value` can set, as scripts for Keras do.

    >>> optimizer = Optimizer(0.5); optimizer.lr.assign(0.25); optimizer.lr
    0.25
    """

    optimizer: Optimizer

    def assign(self, value: Any) -> None:
        """Set the learning rate of the optimizer."""
        self.optimizer.learning_rate = value


class Optimizer(pickling.PickledOptimizer, Configurable):
    """The base class: `update(parameters)` clips the gradient and takes one step, which moves the parameters in place.

    Your own optimizer lists the vectors that it keeps from step to step in `slot_names` and defines
    `step(p, g, lr, *slots)`. All are 1-D and of one length, zero at first; g may be overwritten. A long vector comes
    in blocks, one call each, so that temporary arrays are short and stay in the cache.

    Parameters of every optimizer
        learning_rate (or lr): zero or above.
        decay: zero or above; step t = 0, 1, 2 ... uses learning_rate / (1 + decay t).
        clipnorm: the maximum norm of the gradient of all weights together; a longer gradient is scaled down to it.
        clipvalue: each number of the gradient is clipped to [-clipvalue, clipvalue].

    One optimizer may be compiled into several models, one after another. As in Keras each model has slots of its own,
    while learning rate and step counter go on.

    Raises TypeError for an argument that the optimizer does not have, ValueError for a number out of range.

    Source: keras/optimizers.py of Keras 2.3.1, where clipnorm is global too (in later versions it is one norm for
    each variable).
    """

    slot_names: tuple[str, ...] = ()

    def __init__(self, learning_rate: float, decay: float = 0.0, clipnorm: float | None = None,
                 clipvalue: float | None = None, **unknown: Any):
        self.step_state: Array = xp.zeros(2)    # learning rate, number of steps: an array that a captured step can read
        self.learning_rate = unknown.pop("lr", learning_rate)
        reject_unknown("Unexpected keyword argument passed to optimizer", type(self), unknown)
        self.decay: float = number("decay", decay)
        self.clipnorm: float | None = None if clipnorm is None else number("clipnorm", clipnorm)
        self.clipvalue: float | None = None if clipvalue is None else number("clipvalue", clipvalue)

    @property
    def learning_rate(self) -> LearningRate:
        """The rate before decay; it may be set between steps, also by Keras's short name `lr`."""
        rate = LearningRate(self.step_state[0])
        rate.optimizer = self
        return rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.step_state[:1] = number("learning_rate", value)

    lr = learning_rate

    @property
    def iterations(self) -> int:
        """The number of steps taken."""
        return int(self.step_state[1])

    def bind(self, parameters: Any) -> list[Any]:
        """The slots that this optimizer keeps for a `ParameterVector`, zero at first."""
        for name in self.slot_names:
            if (self, name) not in parameters.slots:
                parameters.slots[self, name] = xp.zeros_like(parameters.value)
        return [parameters.slots[self, name] for name in self.slot_names]

    def update(self, parameters: Any) -> None:
        """One step of a `ParameterVector`."""
        slots = self.bind(parameters)
        self._clip(parameters.grad)
        kernels.optimizer_update(self, parameters.value, parameters.grad, slots)    # self.step, block by block
        iterations = self.step_state[1:2]
        iterations += 1

    def _clip(self, g):
        if self.clipnorm:
            norm = xp.sqrt(xp.square(g).sum())
            g *= self.clipnorm / xp.maximum(norm, self.clipnorm)
        if self.clipvalue:
            xp.clip(g, -self.clipvalue, self.clipvalue, out=g)

    def step(self, p: Array, g: Array, lr: float, *slots: Any) -> None:
        """Update p by its gradient g at learning rate lr."""
        raise NotImplementedError(f"{type(self).__name__} must define step(p, g, lr, *slots).")

    def get_config(self) -> Config:
        """The arguments of this optimizer, without the steps it has taken."""
        return {name: value for name, value in super().get_config().items() if value is not None}


def positive_epsilon(epsilon: float | None) -> float:
    """An optimizer's epsilon: above zero, `backend.epsilon()` for None."""
    return number("epsilon", default_epsilon() if epsilon is None else epsilon, positive=True)
