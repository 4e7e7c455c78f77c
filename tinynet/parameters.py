"""Parameters, and the one flat vector that holds them all end to end; neither must know about layers.

With every weight in one vector and every gradient in another, an optimizer is a formula over two 1-D arrays, and the
global norm of a gradient is one dot product.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tinynet.backend import floatx, xp

__all__ = ["Parameter", "ParameterVector", "given", "next_given"]


class Parameter:
    """A weight array, `value`, and the gradient of the loss with respect to it, `grad`.

    Both begin as arrays of their own and move into two long vectors when a model is compiled.  Assigning to either
    writes into its array and never replaces it.

    Parameters
        regularizer: adds a penalty for the value to the loss, or None.
        constraint: what the value becomes after each step, or None.
        trainable: False for what a layer keeps without learning it, such as a running mean.

    >>> bias = Parameter("bias", xp.zeros(3))
    >>> array = bias.grad
    >>> bias.grad = [1, 2, 3]
    >>> array
    array([1., 2., 3.])
    """

    def __init__(self, name, value, regularizer=None, constraint=None, trainable=True):
        self.name = name
        self.regularizer = regularizer
        self.constraint = constraint
        self.trainable = trainable
        self.move_to(value, xp.zeros_like(value))

    def __repr__(self):
        return f"Parameter(name={self.name!r}, shape={self.value.shape})"

    @property
    def shape(self):
        return self._value.shape

    @property
    def dtype(self):
        return self._value.dtype

    @property
    def value(self):
        return self._value

    @value.setter
    def value(self, numbers):
        self._value[...] = self._fitting(numbers, "value")

    def assign(self, numbers):
        """Let the parameter hold these numbers.  Raises ValueError unless they are real and of its shape."""
        array = xp.asarray(numbers)
        if array.shape != self.value.shape or array.dtype.kind not in "fiub":
            raise ValueError(f"{self.name} holds numbers of shape {self.value.shape}, got {array.dtype} of shape "
                             f"{array.shape}.")
        self.value = array

    def constrained(self):
        """What the value becomes by its constraint.  Raises ValueError for a constraint that returns anything else."""
        value = self.constraint(self.value)
        shape, kind = getattr(value, "shape", None), getattr(getattr(value, "dtype", None), "kind", None)
        if shape != self.value.shape or kind not in tuple("fiub"):
            raise ValueError(f"The constraint of {self.name} must return numbers of its shape {self.value.shape}, got "
                             f"{type(value).__name__} of shape {shape}.")
        return value

    def check_rules(self):
        """Try constraint and regularizer once.  Raises ValueError where they return what they must not."""
        if self.constraint is not None:
            self.constrained()
        if self.regularizer is not None:
            shapes = [getattr(result, "shape", ()) for result in
                      (self.regularizer(self.value), self.regularizer.gradient(self.value))]
            if shapes != [(), self.value.shape]:
                raise ValueError(f"The regularizer of {self.name} must return a number, and a gradient of shape "
                                 f"{self.value.shape}, got shapes {shapes[0]} and {shapes[1]}.")

    @property
    def grad(self):
        return self._grad

    @grad.setter
    def grad(self, numbers):
        self._grad[...] = self._fitting(numbers, "gradient")

    def _fitting(self, numbers, what):
        """The numbers as an array of this shape, or a single one.  Raises ValueError for another shape."""
        array = xp.asarray(numbers)
        if array.shape not in ((), self.shape):
            cure = " Is a sum over the batch missing, .sum(axis=0)?" if array.shape[1:] == self.shape else ""
            raise ValueError(f"The {what} of {self.name} must have the shape {self.shape}, got {array.shape}.{cure}")
        return array

    def __array__(self, *arguments, **options):
        raise TypeError(f"{self.name} is a Parameter: its numbers are in its .value.")

    def move_to(self, value, grad):
        """Live in these arrays from now on."""
        self._value, self._grad = value, grad


class ParameterVector:
    """All of some parameters end to end: `value` and `grad`, 1-D, whose pieces are the parameters' own arrays.

    >>> w, b = Parameter("w", xp.ones((2, 2))), Parameter("b", xp.zeros(1))
    >>> ParameterVector([w, b]).value += 1
    >>> b.value
    array([1.])
    """

    def __init__(self, parameters):
        self.parameters = list(parameters)
        size = sum(p.value.size for p in self.parameters)
        dtype = self.parameters[0].value.dtype if self.parameters else None
        self.value, self.grad = xp.zeros(size, dtype), xp.zeros(size, dtype)
        start = 0
        for p in self.parameters:
            piece = slice(start, start + p.value.size)
            self.value[piece] = p.value.ravel()
            p.move_to(self.value[piece].reshape(p.value.shape), self.grad[piece].reshape(p.value.shape))
            start = piece.stop

    def intact(self) -> bool:
        """Whether the parameters still live here: a layer that joins a second model moves to that model's vector."""
        return all(p.value.base is self.value for p in self.parameters)

    def regularize(self):
        """Add to each gradient that of its parameter's penalty: dw += dR/dw."""
        for p in self.parameters:
            if p.regularizer is not None:
                grad = p.grad
                grad += p.regularizer.gradient(p.value)

    def constrain(self):
        """Move each parameter to where its constraint lets it be."""
        for p in self.parameters:
            if p.constraint is not None:
                p.value = p.constrained()


# Weights from a file


_given: ContextVar[Iterator | None] = ContextVar("given", default=None)


@contextmanager
def given(arrays):
    """Inside it new weights are these arrays, in the order in which they are made, and nothing is drawn.

    Raises ValueError at the end if some are left.
    """
    iterator = iter(arrays)
    token = _given.set(iterator)
    try:
        yield
    finally:
        _given.reset(token)
    if next(iterator, None) is not None:
        raise ValueError("There are more weights than the layers have.")


def next_given(shape):
    """The array that a new weight of this shape is to be; None where weights are drawn.

    Raises ValueError if it has another shape, or there is none left.
    """
    arrays = _given.get()
    if arrays is None:
        return None
    array = next(arrays, None)
    if array is None:
        raise ValueError("There are fewer weights than the layers have.")
    if array.shape != tuple(shape) or array.dtype.kind not in "fiub":
        raise ValueError(f"A weight should be numbers of shape {tuple(shape)}, got {array.dtype} of {array.shape}.")
    return xp.array(array, dtype=floatx())
