"""How weights move: each optimizer is a formula over two 1-D vectors, all weights and all gradients.

It must not know about layers.
"""
from __future__ import annotations

import math

from tinynet import kernels
from tinynet.backend import epsilon as default_epsilon
from tinynet.backend import xp
from tinynet.arguments import Pasteable, find, number, refuse

__all__ = ["Optimizer", "Adam", "RMSprop", "SGD", "get"]


class Optimizer(Pasteable):
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
    def learning_rate(self) -> float:
        """The rate before decay; it may be set between steps, also by Keras's short name `lr`."""
        return float(self.clock[0])

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
        iterations = self.clock[1:]
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


class SGD(Optimizer):
    """v = momentum v - lr g;  p += v, or with nesterov p += momentum v - lr g

    Parameters: learning_rate 0.01; momentum from 0 up to 1; nesterov looks one step ahead.

    Source: Sutskever et al., ICML 2013; keras/optimizers.py of Keras 2.3.1.

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


class RMSprop(Optimizer):
    """a = rho a + (1 - rho) g^2;  p -= lr g / (sqrt(a) + epsilon)

    Parameters: learning_rate 0.001; rho from 0 up to 1; epsilon above zero, `backend.epsilon()` by default.

    Source: Hinton, "Neural networks for machine learning", lecture 6e, 2012; keras/optimizers.py of Keras 2.3.1.
    Beware: later Keras puts epsilon inside the root, which moves weights of tiny gradients far less.

    >>> p = xp.array([1.0, 2.0]); RMSprop(0.1, rho=0.75).update(p, xp.array([1.0, -1.0])); p.round(6)
    array([0.8, 2.2])
    """

    slot_names = ("mean_square",)
    constants = ("rho", "epsilon")
    cuda = """mean_square = mean_square * T(rho) + T(1 - rho) * g * g;
        p -= lr * g / (sqrt(mean_square) + T(epsilon));"""

    def __init__(self, learning_rate=0.001, rho=0.9, epsilon=None, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.rho = number("rho", rho, below=1)
        self.epsilon = number("epsilon", default_epsilon() if epsilon is None else epsilon, positive=True)

    def step(self, p, g, lr, a):
        a *= self.rho
        a += (1 - self.rho) * g * g
        p -= lr * g / (xp.sqrt(a) + self.epsilon)


class Adam(Optimizer):
    """m = beta_1 m + (1 - beta_1) g;  v = beta_2 v + (1 - beta_2) g^2
    p -= lr_t m / (sqrt(v) + epsilon),  lr_t = lr sqrt(1 - beta_2^t) / (1 - beta_1^t),  t = 1, 2, 3 ...

    Parameters: learning_rate 0.001; beta_1 and beta_2 from 0 up to 1; epsilon above zero, `backend.epsilon()` by
    default; amsgrad divides by the largest v so far instead of the last one.

    Source: Kingma and Ba, ICLR 2015 (the form before section 2.1); Reddi et al., ICLR 2018; keras/optimizers.py of
    Keras 2.3.1.

    >>> p = xp.array([1.0, 2.0]); Adam(0.1).update(p, xp.array([1.0, -1.0])); p.round(6)
    array([0.9, 2.1])
    """

    constants = ("beta_1", "beta_2", "epsilon")

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, amsgrad=False, epsilon=None, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = number("beta_1", beta_1, below=1)
        self.beta_2 = number("beta_2", beta_2, below=1)
        self.slot_names = ("mean", "mean_square", "max_mean_square") if amsgrad else ("mean", "mean_square")
        self.cuda = """mean = mean * T(beta_1) + T(1 - beta_1) * g;
        mean_square = mean_square * T(beta_2) + T(1 - beta_2) * g * g;
        T v = mean_square;""" + ("v = max_mean_square = max(max_mean_square, v);" if amsgrad else "") + """
        p -= T(lr * sqrt(1 - pow(beta_2, t)) / (1 - pow(beta_1, t))) * mean / (sqrt(v) + T(epsilon));"""
        self.epsilon = number("epsilon", default_epsilon() if epsilon is None else epsilon, positive=True)

    def step(self, p, g, lr, m, v, v_max=None):
        t = self.iterations + 1
        m *= self.beta_1
        m += (1 - self.beta_1) * g
        v *= self.beta_2
        v += (1 - self.beta_2) * g * g
        if v_max is not None:
            v = xp.maximum(v_max, v, out=v_max)
        lr_t = lr * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        p -= lr_t * m / (xp.sqrt(v) + self.epsilon)


OPTIMIZERS = {name: cls for cls in (SGD, RMSprop, Adam) for name in (cls.__name__, cls.__name__.lower())}


def get(identifier) -> Optimizer:
    """The optimizer that a name stands for, with its defaults, or the Optimizer given.

    Raises ValueError for an unknown name, TypeError for anything else.

    >>> get("rmsprop")
    RMSprop()
    """
    if isinstance(identifier, str):
        return find("optimizer", identifier, OPTIMIZERS)()
    if isinstance(identifier, Optimizer):
        return identifier
    raise TypeError(f"An optimizer is a name such as 'rmsprop' or an Optimizer, got {identifier!r}.")
