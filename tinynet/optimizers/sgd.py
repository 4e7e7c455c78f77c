"""SGD: gradient descent, with or without momentum."""
from __future__ import annotations

from tinynet.optimizers.base import Optimizer
from tinynet.types import Any, Array
from tinynet.validation import number


class SGD(Optimizer):
    """v = momentum v - lr g;  p += v, or with nesterov p += momentum v - lr g

    Parameters: learning_rate 0.01; momentum from 0 up to 1; nesterov evaluates the gradient one step ahead.

    Source: Sutskever et al., ICML 2013; keras/optimizers.py of Keras 2.3.1.

    >>> from tinynet.backend import xp
    >>> p, g = xp.array([1.0, 2.0]), xp.array([1.0, -1.0]); SGD().step(p, g, lr=0.1); p
    array([0.9, 2.1])
    """

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.momentum: float = number("momentum", momentum, below=1)
        self.nesterov = nesterov
        self.slot_names: tuple[str, ...] = ("velocity",) if self.momentum else ()

    def step(self, p: Array, g: Array, lr: float, v: Array | None = None) -> None:
        if v is None:
            p -= lr * g
            return
        v *= self.momentum
        v -= lr * g
        p += self.momentum * v - lr * g if self.nesterov else v
