"""RMSprop, Adagrad, Adadelta: steps are divided by the root of a mean (Adagrad: a sum) of squared gradients."""
from __future__ import annotations

from tinynet.backend import xp
from tinynet.optimizers.base import Optimizer, positive_epsilon
from tinynet.types import Any, Array
from tinynet.validation import number


class RMSprop(Optimizer):
    """a = rho a + (1 - rho) g^2;  p -= lr g / (sqrt(a) + epsilon)

    Parameters: learning_rate 0.001; rho from 0 up to 1; epsilon above zero, `backend.epsilon()` by default.

    Source: Hinton, "Neural networks for machine learning", lecture 6e, 2012; keras/optimizers.py of Keras 2.3.1.
    Later versions of Keras have epsilon inside the root, which moves weights of tiny gradients far less.

    >>> p, g, a = xp.array([1.0, 2.0]), xp.array([1.0, -1.0]), xp.zeros(2)
    >>> RMSprop(rho=0.75).step(p, g, 0.1, a); p.round(6)
    array([0.8, 2.2])
    """

    slot_names: tuple[str, ...] = ("mean_square",)

    def __init__(self, learning_rate: float = 0.001, rho: float = 0.9, epsilon: float | None = None, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.rho: float = number("rho", rho, below=1)
        self.epsilon: float = positive_epsilon(epsilon)

    def step(self, p: Array, g: Array, lr: float, a: Array) -> None:
        a *= self.rho
        a += (1 - self.rho) * g * g
        p -= lr * g / (xp.sqrt(a) + self.epsilon)


class Adagrad(Optimizer):
    """a += g^2;  p -= lr g / (sqrt(a) + epsilon)

    Parameters: learning_rate 0.01; epsilon above zero, `backend.epsilon()` by default.

    Source: Duchi et al., JMLR 12 (2011); keras/optimizers.py of Keras 2.3.1 (a starts at 0; in tf.keras at 0.1).

    >>> p, g, a = xp.array([1.0, 2.0]), xp.array([4.0, -4.0]), xp.zeros(2)
    >>> Adagrad().step(p, g, 0.1, a); p.round(6)
    array([0.9, 2.1])
    """

    slot_names: tuple[str, ...] = ("sum_of_squares",)

    def __init__(self, learning_rate: float = 0.01, epsilon: float | None = None, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.epsilon: float = positive_epsilon(epsilon)

    def step(self, p: Array, g: Array, lr: float, a: Array) -> None:
        a += g * g
        p -= lr * g / (xp.sqrt(a) + self.epsilon)


class Adadelta(Optimizer):
    """a = rho a + (1 - rho) g^2;  u = g sqrt(d + epsilon) / sqrt(a + epsilon);  p -= lr u;  d = rho d + (1 - rho) u^2

    Parameters: learning_rate 1, the paper's (tf.keras has 0.001); rho from 0 up to 1; epsilon above zero,
    `backend.epsilon()` by default.

    Source: Zeiler, arXiv:1212.5701; keras/optimizers.py of Keras 2.3.1.

    >>> p, g, a, d = xp.array([1.0, 2.0]), xp.array([1.0, -1.0]), xp.zeros(2), xp.zeros(2)
    >>> Adadelta().step(p, g, 1.0, a, d); p.round(6)
    array([0.998586, 2.001414])
    """

    slot_names: tuple[str, ...] = ("mean_square", "mean_square_step")

    def __init__(self, learning_rate: float = 1.0, rho: float = 0.95, epsilon: float | None = None, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.rho: float = number("rho", rho, below=1)
        self.epsilon: float = positive_epsilon(epsilon)

    def step(self, p: Array, g: Array, lr: float, a: Array, d: Array) -> None:
        a *= self.rho
        a += (1 - self.rho) * g * g
        u = g * xp.sqrt(d + self.epsilon) / xp.sqrt(a + self.epsilon)
        p -= lr * u
        d *= self.rho
        d += (1 - self.rho) * u * u
