"""Keras's functions of arrays, such as K.mean and K.argmax, for metrics and constraints of one's own.

Names, defaults and dtypes are those of Keras 2.3.1, which differ from NumPy's: K.argmax looks along the last axis,
K.sqrt of a negative number is 0, K.zeros has the type `floatx`. They compute at once: K.variable is an array.

Source: keras/backend/tensorflow_backend.py of Keras 2.3.1.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tinynet import activations, chain, losses, metrics
from tinynet.backend import clear_session, constant, floatx, get_value, set_value, to_numpy, xp
from tinynet.initializers import within_two_deviations
from tinynet.layers import Input
from tinynet.training.step import forward_layers
from tinynet.types import Any, Array, ArrayLike, Shape
from tinynet.validation import find

# Those that NumPy and CuPy have too, with the same defaults
for _name in ("abs square exp log sign sin cos round maximum minimum equal not_equal greater greater_equal less "
              "less_equal stack").split():
    globals()[_name] = getattr(xp, _name)
identity: Callable[..., Array] = xp.asarray
stop_gradient: Callable[..., Array] = xp.asarray
to_dense: Callable[..., Array] = xp.asarray
reset_uids: Callable[[], None] = clear_session
elu: Callable[..., Array] = activations.elu
softplus: Callable[..., Array] = activations.softplus
softsign: Callable[..., Array] = activations.softsign
sigmoid: Callable[..., Array] = activations.sigmoid
hard_sigmoid: Callable[..., Array] = activations.hard_sigmoid
relu: Callable[..., Array] = activations.relu
softmax: Callable[..., Array] = activations.softmax
tanh: Callable[..., Array] = activations.tanh


# New arrays


def zeros(shape: Shape, dtype: Any = None, name: str | None = None) -> Array:
    """Zeros, of floatx."""
    return xp.zeros(shape, dtype or floatx())


def ones(shape: Shape, dtype: Any = None, name: str | None = None) -> Array:
    """Ones, of floatx."""
    return xp.ones(shape, dtype or floatx())


def zeros_like(x: ArrayLike, dtype: Any = None, name: str | None = None) -> Array:
    """Zeros in the shape of x, of floatx."""
    return xp.zeros(int_shape(x), dtype or floatx())


def ones_like(x: ArrayLike, dtype: Any = None, name: str | None = None) -> Array:
    """Ones in the shape of x, of floatx."""
    return xp.ones(int_shape(x), dtype or floatx())


def eye(size: Any, dtype: Any = None, name: str | None = None) -> Array:
    """The identity matrix, of floatx; size is a number, or (rows, columns)."""
    rows, columns = size if isinstance(size, (tuple, list)) else (size, size)
    return xp.eye(int(rows), int(columns), dtype=dtype or floatx())


def arange(start: float, stop: float | None = None, step: float = 1, dtype: Any = "int32") -> Array:
    """start, start + step ... below stop; from 0 to start without stop."""
    return xp.arange(start, stop, step).astype(dtype)


def one_hot(indices: ArrayLike, num_classes: int) -> Array:
    """1 at each index, else 0: (...) to (..., num_classes)."""
    return (xp.asarray(indices)[..., None] == xp.arange(num_classes)).astype(floatx())


def random_normal(shape: Shape, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None,
                  seed: int | None = None) -> Array:
    """Normal random numbers, of NumPy's global generator unless a seed is given."""
    return constant(_generator(seed).normal(mean, stddev, shape), dtype)


def random_uniform(shape: Shape, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None,
                   seed: int | None = None) -> Any:
    """Uniform random numbers from minval up to maxval."""
    return constant(_generator(seed).uniform(minval, maxval, shape), dtype)


def random_binomial(shape: Shape, p: float = 0.0, dtype: Any = None, seed: int | None = None) -> Array:
    """1 with probability p, else 0."""
    return constant(_generator(seed).uniform(size=shape) <= p, dtype)


def truncated_normal(shape: Shape, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None,
                     seed: int | None = None) -> Array:
    """Normal random numbers within two standard deviations."""
    return constant(mean + stddev * within_two_deviations(_generator(seed), shape), dtype)


def random_normal_variable(shape: Shape, mean: float, scale: float, dtype: Any = None, name: str | None = None,
                           seed: int | None = None) -> Any:
    """`random_normal`"""
    return random_normal(shape, mean, scale, dtype, seed)


def random_uniform_variable(shape: Shape, low: Any, high: Any, dtype: Any = None, name: str | None = None,
                            seed: int | None = None) -> Any:
    """`random_uniform`"""
    return random_uniform(shape, low, high, dtype, seed)


def _generator(seed):
    return np.random if seed is None else np.random.RandomState(seed)


# Shapes and types


def shape(x: ArrayLike) -> Array:
    """The shape, as an array."""
    return xp.asarray(int_shape(x), dtype="int32")


def int_shape(x: ArrayLike) -> tuple[Any, ...]:
    """The shape, as a tuple; None for the number of samples of a tensor."""
    return tuple(x.shape) if hasattr(x, "shape") else xp.asarray(x).shape


def ndim(x: ArrayLike) -> int:
    """The number of axes."""
    return len(int_shape(x))


def size(x: ArrayLike) -> int:
    """The number of elements."""
    return math.prod(int_shape(x))


def dtype(x: ArrayLike) -> str:
    """The name of the type."""
    return floatx() if isinstance(x, chain.Tensor) else xp.asarray(getattr(x, "value", x)).dtype.name


def is_keras_tensor(x: ArrayLike) -> bool:
    """Whether a layer or Input() returned it.  Raises ValueError for what no tensor is."""
    if not isinstance(x, (chain.Tensor, xp.ndarray)):
        raise ValueError(f"Unexpectedly found an instance of type `{type(x)}`. Expected a symbolic tensor instance.")
    return isinstance(x, chain.Tensor)


def is_sparse(x: ArrayLike) -> bool:
    """False: tinynet has no sparse arrays."""
    return False


def is_tensor(x: ArrayLike) -> bool:
    """Whether it is an array, or what a layer returned."""
    return isinstance(x, (chain.Tensor, xp.ndarray))


is_variable: Callable[..., bool] = is_tensor
get_variable_shape: Callable[..., Shape] = int_shape


def reshape(x: ArrayLike, shape: Shape) -> Array:
    """x in another shape."""
    return xp.reshape(xp.asarray(x), tuple(int(n) for n in shape))


def flatten(x: ArrayLike) -> Array:
    """x as one row."""
    return xp.ravel(xp.asarray(x))


def batch_flatten(x: ArrayLike) -> Array:
    """x with each sample as one row."""
    return xp.reshape(xp.asarray(x), (len(x), -1))


def expand_dims(x: ArrayLike, axis: Any = -1) -> Array:
    """x with one more axis, of length 1."""
    return xp.expand_dims(xp.asarray(x), axis)


def squeeze(x: ArrayLike, axis: Any) -> Array:
    """x without this axis, of length 1."""
    return xp.squeeze(xp.asarray(x), axis)


def concatenate(tensors: list[Array], axis: Any = -1) -> Array:
    """Arrays one after the other, along the last axis."""
    return xp.concatenate([xp.asarray(x) for x in tensors], axis)


def transpose(x: ArrayLike) -> Array:
    """x with its axes in reverse order."""
    return xp.transpose(xp.asarray(x))


def permute_dimensions(x: ArrayLike, pattern: Sequence[int]) -> Array:
    """x with its axes in this order."""
    return xp.transpose(xp.asarray(x), pattern)


def tile(x: ArrayLike, n: int | Sequence[int]) -> Array:
    """x repeated n times, a number for each axis."""
    return xp.tile(xp.asarray(x), n)


def repeat(x: ArrayLike, n: int) -> Array:
    """(N, D) to (N, n, D)."""
    return xp.repeat(xp.asarray(x)[:, None], n, axis=1)


def repeat_elements(x: ArrayLike, rep: int, axis: Any) -> Array:
    """x with each entry along an axis repeated."""
    return xp.repeat(xp.asarray(x), rep, axis)


def reverse(x: ArrayLike, axes: int | Sequence[int]) -> Array:
    """x in reverse order along one axis or several."""
    return xp.flip(xp.asarray(x), axes if isinstance(axes, int) else tuple(axes))


def slice(x: ArrayLike, start: Sequence[int], size: Sequence[int]) -> Array:
    """The part of x that begins at start and has this size, given for each axis; -1 is the rest of an axis."""
    if not len(start) == len(size) == ndim(x):
        raise ValueError(f"slice expects a start and a size for each axis of {int_shape(x)}, got {start} and {size}.")
    return x[tuple(np.s_[first:None if count == -1 else first + count] for first, count in zip(start, size))]


def gather(reference: Array, indices: ArrayLike) -> Array:
    """The rows of these indices."""
    return reference[xp.asarray(indices).astype(int)]


# Formulas


def mean(x: ArrayLike, axis: Any = None, keepdims: bool = False) -> Array:
    """The mean: of bool as floatx, of integers cut to an integer, as in TensorFlow."""
    x = xp.asarray(x)
    x = x.astype(floatx()) if x.dtype.kind == "b" else x
    return xp.mean(x, axis=_axes(axis), keepdims=keepdims).astype(x.dtype)


def sum(x: ArrayLike, axis: Any = None, keepdims: bool = False) -> Any:
    """The sum; of integers with their own type."""
    x = xp.asarray(x)
    return xp.sum(x, axis=_axes(axis), keepdims=keepdims, dtype=floatx() if x.dtype.kind == "b" else x.dtype)


def _reduction(name):
    """max, min, prod, any or all of an array, along one axis or a list of axes."""
    def function(x, axis=None, keepdims=False):
        return getattr(xp, name)(xp.asarray(x), axis=_axes(axis), keepdims=keepdims)
    function.__name__ = name
    return function


max: Callable[..., Array] = _reduction("max")
min: Callable[..., Array] = _reduction("min")
prod: Callable[..., Array] = _reduction("prod")
any: Callable[..., Array] = _reduction("any")
all: Callable[..., Array] = _reduction("all")


def cumsum(x: ArrayLike, axis: Any = 0) -> Array:
    """The sums of the first 1, 2, 3 ... entries along an axis."""
    return xp.cumsum(xp.asarray(x), axis)


def cumprod(x: ArrayLike, axis: Any = 0) -> Array:
    """The products of the first 1, 2, 3 ... entries along an axis."""
    return xp.cumprod(xp.asarray(x), axis)


def var(x: ArrayLike, axis: Any = None, keepdims: bool = False) -> Array:
    """The variance: the mean of (x - mean)^2."""
    return xp.var(_floats(x), axis=_axes(axis), keepdims=keepdims)


def std(x: ArrayLike, axis: Any = None, keepdims: bool = False) -> Array:
    """The standard deviation, the root of `var`."""
    return xp.std(_floats(x), axis=_axes(axis), keepdims=keepdims)


def logsumexp(x: ArrayLike, axis: Any = None, keepdims: bool = False) -> Array:
    """log(sum(exp(x))), of which no exp can overflow."""
    x = _floats(x)
    top = xp.max(x, axis=_axes(axis), keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0)
    result = xp.log(xp.sum(xp.exp(x - top), axis=_axes(axis), keepdims=True)) + top
    return result if keepdims else xp.squeeze(result, _axes(axis))


def argmax(x: ArrayLike, axis: Any = -1) -> Array:
    """The index of the largest entry, along the last axis."""
    return xp.argmax(xp.asarray(x), axis)


def argmin(x: ArrayLike, axis: Any = -1) -> Array:
    """The index of the smallest entry, along the last axis."""
    return xp.argmin(xp.asarray(x), axis)


def sqrt(x: ArrayLike) -> Array:
    """The square root; 0 for negative numbers."""
    return xp.sqrt(xp.maximum(_floats(x), 0))


def pow(x: ArrayLike, a: ArrayLike) -> Array:
    """x to the power a"""
    return xp.power(xp.asarray(x), a)


def clip(x: ArrayLike, min_value: float | None = None, max_value: float | None = None) -> Array:
    """x within bounds, of which either may be None."""
    x = xp.asarray(x)
    low = -xp.inf if min_value is None else min_value
    high = xp.inf if max_value is None else xp.maximum(max_value, low)
    return xp.clip(x, low, high).astype(x.dtype)


def dot(x: ArrayLike, y: ArrayLike) -> Array:
    """The matrix product, over the last axis of x and the last but one of y."""
    return xp.dot(xp.asarray(x), xp.asarray(y))


def batch_dot(x: ArrayLike, y: ArrayLike, axes: Any = None) -> Array:
    """The product of each sample of x with that of y, over one axis of each: by default as for matrices."""
    x, y = xp.asarray(x), xp.asarray(y)
    if axes is None:
        axes = x.ndim - 1, y.ndim - 1 if y.ndim == 2 else y.ndim - 2
    a, b = (axes, axes) if isinstance(axes, int) else axes
    a, b = a % x.ndim, b % y.ndim
    result = xp.stack([xp.tensordot(u, v, axes=(a - 1, b - 1)) for u, v in zip(x, y)])
    return result[:, None] if result.ndim == 1 else result


def bias_add(x: ArrayLike, bias: Any, data_format: str | None = None) -> Any:
    """x + bias, along the last axis."""
    set_image_data_format(data_format or "channels_last")
    return xp.asarray(x) + bias


def batch_normalization(x: ArrayLike, mean: Any, var: Any, beta: Any = None, gamma: Any = None,
                        axis: Any = -1, epsilon: float = 1e-3) -> Array:
    """gamma (x - mean) / sqrt(var + epsilon) + beta, with vectors along an axis."""
    x = xp.asarray(x)
    along = [1] * x.ndim
    along[axis] = -1
    mean, var, beta, gamma = (each if each is None or ndim(each) != 1 else xp.reshape(xp.asarray(each), along)
                              for each in (mean, var, beta, gamma))
    y = (x - mean) / xp.sqrt(var + epsilon)
    return (y if gamma is None else y * gamma) + (0 if beta is None else beta)


def l2_normalize(x: ArrayLike, axis: Any = None) -> Array:
    """x / norm(x), along an axis."""
    x = _floats(x)
    return x / xp.sqrt(xp.maximum(xp.sum(x * x, axis=_axes(axis), keepdims=True), 1e-12))


def categorical_crossentropy(target: Array, output: Array, from_logits: bool = False, axis: Any = -1) -> Array:
    """The crossentropy of each row, for one-hot targets."""
    target, output = (xp.moveaxis(_floats(a), axis, -1) for a in (target, output))
    return losses.categorical_crossentropy(target, output, from_logits=from_logits)


def sparse_categorical_crossentropy(target: Array, output: Array, from_logits: bool = False, axis: Any = -1) -> Array:
    """The crossentropy of each row, for integer classes."""
    output = xp.moveaxis(_floats(output), axis, -1)
    return losses.sparse_categorical_crossentropy(xp.asarray(target), output, from_logits=from_logits)


def binary_crossentropy(target: Array, output: Array, from_logits: bool = False) -> Array:
    """The crossentropy of each number."""
    target, output = (_floats(a)[..., None] for a in (target, output))
    return losses.binary_crossentropy(target, output, from_logits=from_logits)


def in_top_k(predictions: ArrayLike, targets: ArrayLike, k: int) -> Array:
    """Whether the target class is among the k largest predictions of its row, all classes of a tie included."""
    return metrics.sparse_top_k_categorical_accuracy(xp.asarray(targets), xp.asarray(predictions), k)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Array:
    """Each entry of the one where the condition holds, of the other elsewhere; they may be functions."""
    then, other = (each() if callable(each) else each for each in (then_expression, else_expression))
    condition, then = xp.asarray(condition).astype(bool), xp.asarray(then)
    return xp.where(condition.reshape(condition.shape + (1,) * (then.ndim - condition.ndim)), then, other)


def dropout(x: ArrayLike, level: float, noise_shape: Any = None, seed: int | None = None) -> Array:
    """x with each entry zero with probability `level`, the others divided by 1 - level."""
    if not 0 <= level <= 1:
        raise ValueError(f"Level must be between 0 and 1, got {level!r}.")
    kept = _generator(seed).uniform(size=noise_shape or int_shape(x)) >= level
    return xp.asarray(x) * constant(kept) / (1 - level) if level < 1 else xp.zeros_like(x)


def _floats(x):
    x = xp.asarray(x)
    return x if x.dtype.kind in "fc" else x.astype(floatx())


def _axes(axis):
    return tuple(axis) if isinstance(axis, list) else axis


def map_fn(fn: Callable[..., Any], elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """fn of each entry."""
    return xp.stack([xp.asarray(fn(x)) for x in elems])


def foldl(fn: Callable[..., Any], elems: Any, initializer: Any = None, name: str | None = None) -> Array:
    """fn(... fn(fn(first, second), third)), from the first entry to the last."""
    rest = list(elems)
    result = rest.pop(0) if initializer is None else initializer
    for x in rest:
        result = fn(result, x)
    return result


def foldr(fn: Callable[..., Any], elems: Array, initializer: Any = None, name: str | None = None) -> Array:
    """The same from the last entry to the first."""
    return foldl(fn, list(elems)[::-1], initializer)


# Values


def update(x: ArrayLike, new_x: Array) -> Array:
    """Set x to new numbers."""
    set_value(x, new_x)
    return x


def update_add(x: ArrayLike, increment: ArrayLike) -> Array:
    """x += increment"""
    return update(x, get_value(x) + to_numpy(increment))


def update_sub(x: ArrayLike, decrement: ArrayLike) -> Array:
    """x -= decrement"""
    return update(x, get_value(x) - to_numpy(decrement))


def batch_get_value(ops: list[Array]) -> list[Any]:
    """`get_value` of each."""
    return [get_value(x) for x in ops]


def batch_set_value(tuples: list[Any]) -> None:
    """`set_value` of each (x, value)."""
    for x, value in tuples:
        set_value(x, value)


def print_tensor(x: ArrayLike, message: str = "") -> Any:
    """Print x, and return it."""
    print(message, x)
    return x


# Models


class Function:
    """What K.function returns: called with a list of arrays, it returns a list of arrays.

    All outputs are of one pass through the layers, with one dropout mask for each.
    """

    def __init__(self, inputs: list[Any], outputs: list[Any]):
        tensors = [x for x in inputs if isinstance(x, chain.Tensor)]
        self.phase_at: list[Any] = [i for i, x in enumerate(inputs) if not isinstance(x, chain.Tensor)]
        self.input, self.outputs = chain.only(tensors, "K.function got"), outputs
        self.input_at: Any = inputs.index(self.input)
        self.stacks: dict[Any, Any] = {}      # {tensor: the layers from the one before it}, in order
        for output in outputs:
            for tensor in chain.path(self.input, output)[1:]:
                if tensor not in self.stacks:
                    self.stacks[tensor] = tensor.layer.stack()     # its activation is new
                    chain.build_stack(self.stacks[tensor], tensor.previous.shape)

    def __call__(self, inputs: list[Any]) -> list[Any]:
        inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if len(inputs) != 1 + len(self.phase_at):
            raise ValueError(f"This K.function takes a list of {1 + len(self.phase_at)} inputs, got {len(inputs)}.")
        training = bool(inputs[self.phase_at[0]] if self.phase_at else _learning_phase.value)
        values = {self.input: xp.asarray(inputs[self.input_at], dtype=floatx())}
        for tensor, stack in self.stacks.items():
            values[tensor] = forward_layers(stack, values[tensor.previous], training)
        return [to_numpy(values[output]) for output in self.outputs]


def function(inputs: list[Any], outputs: list[Any], updates: Any = None, **options: Any) -> Any:
    """From tensors to tensors: K.function([model.input], [model.layers[1].output])([x]) is a list of arrays.

    K.learning_phase() among the inputs stands for 1 in training, as for Dropout, and 0 in inference; without it
    `set_learning_phase` counts.
    """
    inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    if updates:
        raise ValueError("K.function takes no updates: tinynet computes at once, so use K.update.")
    return Function(inputs, outputs)


class LearningPhase:
    """Stands for 1 in training and 0 in inference, among the inputs of `function`."""

    value = 0

    def __bool__(self) -> bool:
        return bool(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __eq__(self, other: Any) -> bool:
        return self.value == other

    __hash__ = object.__hash__


_learning_phase = LearningPhase()


def learning_phase() -> Any:
    """An input of `function`, 0 or 1."""
    return _learning_phase


def set_learning_phase(value: Any) -> None:
    """0 or 1, what functions that are called without it take.  Raises ValueError for anything else."""
    if value not in (0, 1):
        raise ValueError(f"Expected learning phase to be 0 or 1, got {value!r}.")
    _learning_phase.value = value


def in_train_phase(x: Any, alt: Any, training: bool | None = None) -> Any:
    """x in training, else alt; either may be a function."""
    chosen = x if (_learning_phase if training is None else training) else alt
    return chosen() if callable(chosen) else chosen


def in_test_phase(x: Any, alt: Any, training: bool | None = None) -> Any:
    """x in inference, else alt."""
    return in_train_phase(alt, x, training)


def placeholder(shape: Shape | None = None, ndim: Any = None, dtype: Any = None, sparse: bool = False,
                name: str | None = None) -> Any:
    """`tinynet.Input`"""
    if shape is None:
        raise ValueError("tinynet computes with arrays: a placeholder, like Input, needs its shape.")
    return Input(batch_shape=shape, name=name)


def gradients(loss: Any, variables: Any) -> Any:
    """Raise NotImplementedError: backprop in tinynet is written by hand."""
    raise NotImplementedError("tinynet has no automatic differentiation. model.gradients(x, y) returns dL/dw of every "
                              "weight, model.explain_step(x, y) also that of each layer's input.")


def set_image_data_format(data_format: Any) -> None:
    """Raise ValueError unless it is "channels_last": tinynet has no convolutions."""
    find("data_format", data_format, {"channels_last": None, "tf": None})


set_image_dim_ordering = set_image_data_format


def image_dim_ordering() -> str:
    """"tf", the name that "channels_last" had."""
    return "tf"


def get_session() -> Any:
    """Raise NotImplementedError: there is no session."""
    raise NotImplementedError("tinynet has no sessions and no graph: arrays are computed at once, K.eval(x) shows one.")


set_session = get_session
