"""Adam, Adamax, Nadam: momentum, divided by the size of recent gradients, with both means corrected for their bias."""
from __future__ import annotations

import math

from tinynet.backend import xp
from tinynet.optimizers.base import Optimizer, positive_epsilon
from tinynet.types import Any, Array
from tinynet.validation import number


class Adam(Optimizer):
    """m = beta_1 m + (1 - beta_1) g;  v = beta_2 v + (1 - beta_2) g^2
    p -= lr_t m / (sqrt(v) + epsilon),  lr_t = lr sqrt(1 - beta_2^t) / (1 - beta_1^t),  t = 1, 2, 3 ...

    Parameters: learning_rate 0.001; beta_1 and beta_2 from 0 up to 1; epsilon above zero, `backend.epsilon()` by
    default; amsgrad divides by the maximum of all v so far instead of the last v.

    Source: Kingma and Ba, ICLR 2015 (the form before section 2.1); Reddi et al., ICLR 2018; keras/optimizers.py of
    Keras 2.3.1.

    >>> p, g, m, v = xp.array([1.0, 2.0]), xp.array([1.0, -1.0]), xp.zeros(2), xp.zeros(2)
    >>> Adam().step(p, g, 0.1, m, v); p.round(6)
    array([0.9, 2.1])
    """

    def __init__(self, learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, amsgrad: bool = False,
                 epsilon: float | None = None, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.beta_1: float = number("beta_1", beta_1, below=1)
        self.beta_2: float = number("beta_2", beta_2, below=1)
        self.amsgrad: bool = bool(amsgrad)
        self.slot_names: tuple[str, ...] = ("mean", "mean_square", "max_mean_square")[:3 if amsgrad else 2]
        self.epsilon: float = positive_epsilon(epsilon)

    def step(self, p: Array, g: Array, lr: float, m: Array, v: Array, v_max: Array | None = None) -> None:
        t = self.iterations + 1
        m *= self.beta_1
        m += (1 - self.beta_1) * g
        v *= self.beta_2
        v += (1 - self.beta_2) * g * g
        if v_max is not None:
            v = xp.maximum(v_max, v, out=v_max)
        lr_t = lr * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        p -= lr_t * m / (xp.sqrt(v) + self.epsilon)


class Adamax(Optimizer):
    """m = beta_1 m + (1 - beta_1) g;  u = max(beta_2 u, |g|)
    p -= lr / (1 - beta_1^t) m / (u + epsilon),  t = 1, 2, 3 ...

    Parameters: learning_rate 0.002; beta_1, beta_2 and epsilon as in Adam.

    Source: Kingma and Ba, ICLR 2015, section 7.1; keras/optimizers.py of Keras 2.3.1.

    >>> p, g, m, u = xp.array([1.0, 2.0]), xp.array([1.0, -1.0]), xp.zeros(2), xp.zeros(2)
    >>> Adamax().step(p, g, 0.1, m, u); p.round(6)
    array([0.9, 2.1])
    """

    slot_names: tuple[str, ...] = ("mean", "largest")

    def __init__(self, learning_rate: float = 0.002, beta_1: float = 0.9, beta_2: float = 0.999,
                 epsilon: float | None = None, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.beta_1: float = number("beta_1", beta_1, below=1)
        self.beta_2: float = number("beta_2", beta_2, below=1)
        self.epsilon: float = positive_epsilon(epsilon)

    def step(self, p: Array, g: Array, lr: float, m: Array, u: Array) -> None:
        m *= self.beta_1
        m += (1 - self.beta_1) * g
        u *= self.beta_2
        xp.maximum(u, xp.abs(g), out=u)
        p -= lr / (1 - self.beta_1**(self.iterations + 1)) * m / (u + self.epsilon)


class Nadam(Optimizer):
    """m and v as in Adam;  mu_t = beta_1 (1 - 0.96^(t schedule_decay) / 2),  s_t = mu_1 mu_2 ... mu_t,  t = 1, 2, 3 ...
    p -= lr ((1 - mu_t) g / (1 - s_t) + mu_(t+1) m / (1 - s_(t+1))) / (sqrt(v / (1 - beta_2^t)) + epsilon)

    Parameters: learning_rate 0.002; beta_1, beta_2 and epsilon as in Adam; schedule_decay of the momentum, zero or
    above.

    Source: Dozat, ICLR 2016 workshop; keras/optimizers.py of Keras 2.3.1.

    >>> from tinynet.parameters import Parameter, ParameterVector
    >>> w = Parameter("w", xp.array([1.0, 2.0])); w.grad = [1.0, -1.0]
    >>> Nadam(0.1).update(ParameterVector([w])); w.value.round(4)
    array([0.8944, 2.1056])
    """

    slot_names: tuple[str, ...] = ("mean", "mean_square")

    def __init__(self, learning_rate: float = 0.002, beta_1: float = 0.9, beta_2: float = 0.999,
                 epsilon: float | None = None, schedule_decay: float = 0.004, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)
        self.beta_1: float = number("beta_1", beta_1, below=1)
        self.beta_2: float = number("beta_2", beta_2, below=1)
        self.epsilon: float = positive_epsilon(epsilon)
        self.schedule_decay: float = number("schedule_decay", schedule_decay)
        self.step_state: Array = xp.concatenate([self.step_state, xp.ones(1)])       # s_0 = 1

    def update(self, parameters: Any) -> None:
        s = self.step_state[2:]
        s *= self._momentum(self.step_state[1:2] + 1)
        super().update(parameters)

    def _momentum(self, t):
        return self.beta_1 * (1 - 0.5 * 0.96**(t * self.schedule_decay))

    def step(self, p: Array, g: Array, lr: float, m: Array, v: Array) -> None:
        t, s = self.iterations + 1, float(self.step_state[2])
        mu, next_mu = self._momentum(t), self._momentum(t + 1)
        m *= self.beta_1
        m += (1 - self.beta_1) * g
        v *= self.beta_2
        v += (1 - self.beta_2) * g * g
        ahead = (1 - mu) / (1 - s) * g + next_mu / (1 - s * next_mu) * m
        p -= lr * ahead / (xp.sqrt(v / (1 - self.beta_2**t)) + self.epsilon)
