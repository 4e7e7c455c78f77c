"""Gradient descent, with momentum or without."""
from __future__ import annotations

from tinynet.arguments import number
from tinynet.optimizers.base import Optimizer

__all__ = ["SGD"]


class SGD(Optimizer):
    """v = momentum v - lr g;  p += v, or with nesterov p += momentum v - lr g

    Parameters: learning_rate 0.01; momentum from 0 up to 1; nesterov looks one step ahead.

    Source: Sutskever et al., ICML 2013; keras/optimizers.py of Keras 2.3.1.

    >>> from tinynet.backend import xp
    >>> p = xp.array([1.0, 2.0]); SGD(0.1).update(p, xp.array([1.0, -1.0])); p
    array([0.9, 2.1])
    """

    constants = ("momentum",)

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.momentum = number("momentum", momentum, below=1)
        self.nesterov = nesterov
        self.slot_names = ("velocity",) if self.momentum else ()
        self.cuda = ("velocity = T(momentum) * velocity - lr * g;" if self.momentum else "p -= lr * g;") + (
            "" if not self.momentum else " p += T(momentum) * velocity - lr * g;" if nesterov else " p += velocity;")

    def step(self, p, g, lr, v=None):
        if v is None:
            p -= lr * g
            return
        v *= self.momentum
        v -= lr * g
        p += self.momentum * v - lr * g if self.nesterov else v
