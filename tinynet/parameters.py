"""Parameters, and the flat vector that holds all of them end to end.

With every weight in one vector and every gradient in another, an optimizer is a formula for two 1-D arrays, and the
global norm of the gradient is one dot product.
"""
from __future__ import annotations

from tinynet import pickling
from tinynet.backend import xp
from tinynet.types import Any, Array, ArrayLike, Identifier, Shape
from tinynet.validation import check_constrained


class Parameter(pickling.PickledParameter):
    """A weight array, `value`, and the gradient of the loss with respect to it, `grad`.

    Both are arrays of their own at first and become parts of two long vectors when a model is compiled. Assigning to
    either writes into its array and never replaces it.

    Parameters
        regularizer: adds a penalty for the value to the loss, or None.
        constraint: a function that is applied to the value after each step, or None.
        trainable: False for state that a layer keeps without a gradient, such as a running mean.

    >>> bias = Parameter("bias", xp.zeros(3))
    >>> array = bias.grad
    >>> bias.grad = [1, 2, 3]
    >>> array
    array([1., 2., 3.])
    """

    def __init__(self, name: str, value: Any, regularizer: Identifier = None, constraint: Identifier = None,
                 trainable: bool = True):
        self.name = name
        self.regularizer = regularizer
        self.constraint = constraint
        self.trainable = trainable
        self.layer: Any = None      # which made it
        self.move_to(value, xp.zeros(value.shape, value.dtype))

    def __repr__(self) -> str:
        return f"Parameter(name={self.name!r}, shape={self.value.shape})"

    @property
    def shape(self) -> Shape:
        return self._value.shape

    @property
    def dtype(self) -> Any:
        return self._value.dtype

    @property
    def value(self) -> Array:
        return self._value

    @value.setter
    def value(self, numbers: ArrayLike) -> None:
        self._value[...] = self._checked(numbers, "value")

    @property
    def grad(self) -> Array:
        return self._grad

    @grad.setter
    def grad(self, numbers: ArrayLike) -> None:
        self._grad[...] = self._checked(numbers, "gradient")

    def _checked(self, numbers, what):
        """The numbers as an array of this shape, or a single one.  Raises ValueError for another shape."""
        array = xp.asarray(numbers)
        if array.shape not in ((), self.shape):
            hint = " Is a sum over the batch missing, .sum(axis=0)?" if array.shape[1:] == self.shape else ""
            raise ValueError(f"The {what} of {self.name} must have the shape {self.shape}, got {array.shape}.{hint}")
        return array

    def assign(self, numbers: ArrayLike) -> None:
        """Set the value.  Raises ValueError unless these are real numbers of its shape."""
        array = xp.asarray(numbers)
        if array.shape != self.value.shape or array.dtype.kind not in "fiub":
            raise ValueError(f"{self.name} holds numbers of shape {self.value.shape}, got {array.dtype} of shape "
                             f"{array.shape}.")
        self.value = array

    def constrained(self) -> Array:
        """The value after its constraint.  Raises ValueError if the constraint returns anything else."""
        value = self.constraint(self.value)
        check_constrained(self, value)
        return value

    def __array__(self, *arguments: Any, **options: Any) -> Any:
        raise TypeError(f"{self.name} is a Parameter: its numbers are in its .value.")

    def move_to(self, value: Any, grad: Array) -> None:
        """Use these two arrays from now on."""
        self._value, self._grad = value, grad


class ParameterVector:
    """All parameters end to end: `value` and `grad`, 1-D arrays of which the parameters' own arrays are views.

    `slots[optimizer, name]` is a vector that an optimizer keeps for them, such as the velocity of SGD.

    >>> w, b = Parameter("w", xp.ones((2, 2))), Parameter("b", xp.zeros(1))
    >>> ParameterVector([w, b]).value += 1
    >>> b.value
    array([1.])
    """

    def __init__(self, parameters: list[Any], slots: Any = None):
        self.parameters: list[Any] = list(parameters)
        self.slots: dict[tuple[Any, str], Any] = {} if slots is None else slots
        size = sum(p.value.size for p in self.parameters)
        dtype = self.parameters[0].value.dtype if self.parameters else None
        self.value: Array = xp.zeros(size, dtype)
        self.grad: Array = xp.zeros(size, dtype)
        start = 0
        for p in self.parameters:
            part = slice(start, start + p.value.size)
            self.value[part] = p.value.ravel()
            if p.grad.any():        # zeros take no memory until they are written
                self.grad[part] = p.grad.ravel()
            p.move_to(self.value[part].reshape(p.value.shape), self.grad[part].reshape(p.value.shape))
            start = part.stop

    def __reduce__(self) -> tuple[Any, ...]:
        return pickling.restored_vector, (type(self), self.parameters, self.slots)

    def contiguous(self) -> ParameterVector:
        """This vector; or a new one, if a copy of the model or another model that shares a layer has taken it apart."""
        intact = all(p.value.base is self.value for p in self.parameters)
        return self if intact else ParameterVector(self.parameters, self.slots)

    def regularize(self) -> None:
        """Add to each gradient that of its parameter's penalty: dw += dR/dw."""
        for p in self.parameters:
            if p.regularizer is not None:
                xp.add(p.grad, p.regularizer.gradient(p.value), out=p.grad)

    def constrain(self) -> None:
        """Apply the constraint of each parameter."""
        for p in self.parameters:
            if p.constraint is not None:
                p.value = p.constrained()
