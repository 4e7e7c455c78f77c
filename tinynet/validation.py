"""Checks of arguments: names are looked up, numbers have ranges, unknown arguments are errors.

Each kind of object (layers, losses ...) keeps its own table of names and passes it in.
"""
from __future__ import annotations

import difflib
import inspect
import math
import numbers
from collections.abc import Mapping, Sequence

import numpy as np

from tinynet.types import Any, Array, Shape, T


def find(kind: str, name: str, table: Mapping[str, Any]) -> Any:
    """The entry `name` of `table`.

    Raises ValueError for an unknown name. The message suggests the nearest known name and lists all of them.

    >>> find("colour", "red", {"red": 1})
    1
    """
    if isinstance(name, str) and name in table:
        return table[name]
    nearest = [known for known in table if known.lower() == str(name).lower()]
    nearest = nearest or difflib.get_close_matches(str(name), table, n=1)
    guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"Unknown {kind}: {name}.{guess} Known: {', '.join(sorted(table))}.")


def whole_number(name: str, value: Any, least: int, below: float = math.inf) -> int:
    """The value as an int.  Raises ValueError unless it is whole and least <= value < below.

    >>> whole_number("epochs", 3, least=1)
    3
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and least <= int(value) < below:
        return int(value)
    limit = f" and below {below:g}" if below < math.inf else ""
    raise ValueError(f"{name} must be a whole number of at least {least}{limit}, got {value!r}.")


LARGEST, SMALLEST = 3.4e38, 1e-37       # float32 overflows beyond the one, and 1 / x overflows below the other


def number(name: str, value: Any, least: float = 0.0, below: float = LARGEST, positive: bool = False,
           most: float = LARGEST) -> float:
    """The value as a float.

    Raises ValueError unless it is a real number with least <= value < below and value <= most, greater than 0 if
    `positive`, and within the range of float32.

    >>> number("rate", 0.5, below=1)
    0.5
    """
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        real = float(value)
        if least <= real < below and real <= most and abs(real) < LARGEST and (real >= SMALLEST or not positive):
            return real + 0.0       # a float of its own, by which K.set_value finds its optimizer
    limit = below < LARGEST or isinstance(value, (int, float)) and abs(value) >= LARGEST
    end = f" and at most {most:g}" if most < LARGEST else f" and below {below:g}" * limit
    range_ = ("above" if positive else "of at least") + f" {least:g}{end}"
    raise ValueError(f"{name} must be a number {range_}, got {value!r}.")


def argument_names(function: Any) -> list[str]:
    """The names of the arguments of a function, or of a class's constructor.

    A constructor with **kwargs takes the arguments of its base class as well.
    """
    if not inspect.isclass(function):
        return _named_parameters(function)
    names: dict[str, None] = {}
    for base in function.__mro__[:-1]:
        if "__init__" in vars(base):
            init = vars(base)["__init__"]
            names |= dict.fromkeys(_named_parameters(init))
            if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(init).parameters.values()):
                break
    return list(names)


def _named_parameters(function) -> list[str]:
    return [p.name for p in inspect.signature(function).parameters.values()
            if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]


QUEUES = "max_queue_size", "workers", "use_multiprocessing"      # of fit in Keras: batches are made one by one here


def reject_unknown(message: str, function: Any, unknown: Mapping[str, Any], ignored: Sequence[str] = ()) -> None:
    """Raise TypeError for the first unknown argument that is not None: no argument but those is silently ignored."""
    for name, value in unknown.items():
        if value is not None and name not in ignored:
            known = ", ".join(argument_names(function))
            raise TypeError(f"{message}: {name!r}. {function.__name__} takes: {known}.")


class Pasteable:
    """A base class whose `repr` is the call that made the object, so that it can be pasted back.

    >>> class Pair(Pasteable):
    ...     def __init__(self, a, b=2): pass
    >>> Pair(1, b="x")
    Pair(1, b='x')
    """

    _built_with: tuple[tuple, dict]

    def __new__(cls: type[T], *args: Any, **kwargs: Any) -> T:
        self = object.__new__(cls)
        setattr(self, "_built_with", (args, kwargs))
        return self

    def __repr__(self) -> str:
        args, kwargs = self._built_with
        shown = [_written(a) for a in args] + [f"{name}={_written(a)}" for name, a in kwargs.items()]
        return f"{type(self).__name__}({', '.join(shown)})"


def _written(argument) -> str:
    """`repr`, but a function is written as its name, which tinynet accepts too."""
    return repr(argument.__name__ if inspect.isfunction(argument) else argument)


def check_rules(parameters: list[Any]) -> None:
    """Call constraint and regularizer of each `Parameter` once.  Raises ValueError if one returns a wrong shape."""
    for p in parameters:
        if p.constraint is not None:
            p.constrained()
        if p.regularizer is not None:
            shapes = [getattr(result, "shape", ()) for result in
                      (p.regularizer(p.value), p.regularizer.gradient(p.value))]
            if shapes != [(), p.value.shape]:
                raise ValueError(f"The regularizer of {p.name} must return a number, and a gradient of shape "
                                 f"{p.value.shape}, got shapes {shapes[0]} and {shapes[1]}.")


def reject_used(layer: Any, stack: list[Any], used: Any, model_name: str) -> None:
    """Raise ValueError if a layer, one that it runs, or its name is among those used already; else add ids and name."""
    if not stack:
        raise ValueError(f"{layer.name} has no layers yet. Add some before it becomes a part of {model_name}.")
    ids = {id(each) for each in (layer, *stack)}
    if ids & used:
        raise ValueError(f"{layer.name} is in {model_name} already. A layer keeps what its backward needs, so it can "
                         "be used only once in a model: add a new layer.")
    if layer.name in used:
        raise ValueError(f'The name "{layer.name}" is used 2 times in the model. All layer names should be unique.')
    used |= ids | {layer.name}


def reject_renamed(thing: Any, **renamed: Any) -> None:
    """Raise TypeError for a class that defines what tinynet 0.1 called by these names: it would be ignored."""
    for old, new in renamed.items():
        found = getattr(thing, old, backward_is_gone)
        if getattr(found, "__func__", found) is not backward_is_gone:
            raise TypeError(f"{type(thing).__name__} defines {old}, which is called {new} now: rename it.")


def backward_is_gone(model: Any, dy: Array) -> Any:
    """Raise TypeError: in tinynet 0.1 a training step of one's own called it."""
    raise TypeError("A training step of your own calls model.compute_gradients(x, y, weights), apply_gradients() and "
                    "update_state(), in this order; model.backward is gone.")


def check_weight_list(kind: str, name: str, weights: Any, expected: int) -> None:
    """Raise ValueError unless weights are a list of as many as a layer or model has."""
    if not isinstance(weights, (list, tuple)) or len(weights) != expected:
        came = len(weights) if isinstance(weights, (list, tuple)) else type(weights).__name__
        raise ValueError(f'You called `set_weights(weights)` on {kind} "{name}" with a weight list of length {came}, '
                         f"but the {kind} was expecting {expected} weights.")


def declared_shape(name: str, input_shape: Any, input_dim: int | None,
                   batch_input_shape: Any) -> Shape | None:
    """The shape declared in one of three ways, with None for the batch size; None if not declared."""
    if (input_shape is not None) + (input_dim is not None) + (batch_input_shape is not None) > 1:
        raise ValueError(f"{name}: give one of input_shape={input_shape!r}, input_dim={input_dim!r} and "
                         f"batch_input_shape={batch_input_shape!r}.")
    if batch_input_shape is not None:
        input_shape = batch_input_shape[1:] if isinstance(batch_input_shape, (tuple, list)) else batch_input_shape
    elif input_dim is not None:
        input_shape = (input_dim,)
    if input_shape is None:
        return None
    if not isinstance(input_shape, (tuple, list)) or not input_shape or not all(
            isinstance(d, numbers.Integral) and int(d) > 0 for d in input_shape):
        raise ValueError(f"{name}: input_shape must be a tuple of whole numbers above zero, such as (784,), "
                         f"without the number of samples; got {input_shape!r}.")
    return (None, *map(int, input_shape))


def shape_text(shape: Shape) -> str:
    """A batch shape in mathematical notation.

    >>> shape_text((None, 784))
    '(N, 784)'
    """
    return f"({', '.join('N' if d is None else str(d) for d in shape)}{',' if len(shape) == 1 else ''})"


def as_pair(y_true: Array, y_pred: Array, takes_classes: bool, name: str) -> list[Array]:
    """[y_true, y_pred], without a last axis of length 1 that only one of them has.

    Raises ValueError unless they have the same shape, or y_true holds integer classes and the loss takes classes.
    """
    if y_pred.ndim == y_true.ndim + 1 and y_pred.shape[-1] == 1:
        y_pred = y_pred[..., 0]
    elif y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    if takes_classes:
        classes = y_true.reshape(-1)
        if y_pred.ndim and classes.size == y_pred.size // y_pred.shape[-1] and classes.size and bool(
                ((classes >= 0) & (classes < y_pred.shape[-1]) & (classes == classes.astype(int))).all()):
            return [y_true, y_pred]
        raise ValueError(f"{name} expects a class number from 0 for each row of y_pred {y_pred.shape}, below its "
                         f"length, got an array of shape {y_true.shape}.")
    if y_true.shape != y_pred.shape or not y_pred.size:
        raise ValueError(f"{name} expects y_true and y_pred of one shape, and at least one sample, got {y_true.shape} "
                         f"and {y_pred.shape}.")
    return [y_true, y_pred]


# What a layer, a parameter, a loss or a model is given


def check_same_shape(layer, input_shape) -> None:
    """Raise ValueError unless a layer that is built already was built for this shape."""
    if tuple(input_shape[1:]) != layer.input_shape[1:]:
        raise ValueError(f"{layer.name} expects inputs of shape {shape_text(layer.input_shape)}, got "
                         f"{shape_text(input_shape)}. It was built for the former already: use a new layer.")


def check_drawn(what, value, shape) -> None:
    """Raise ValueError unless an initializer returned finite numbers of this shape."""
    if value.shape != shape:
        raise ValueError(f"{what} must return shape {shape}, got {value.shape}.")
    if value.dtype.kind not in "fiub" or not np.isfinite(value).all():
        raise ValueError(f"{what} must return finite numbers.")


def check_weights_fit(parameters, arrays) -> None:
    """Raise ValueError unless the arrays are numbers of the parameters' shapes."""
    for p, w in zip(parameters, arrays):
        if w.shape != p.value.shape:
            raise ValueError(f"{p.name} expects weights of shape {p.value.shape}, got {w.shape}. "
                             "Layer weight shape not compatible with provided weight shape.")
        if w.dtype.kind not in "fiub":
            raise ValueError(f"{p.name} expects weights that are numbers, got an array of dtype {w.dtype}.")


def check_constrained(parameter, value) -> None:
    """Raise ValueError unless a constraint returned numbers of the parameter's shape."""
    shape, kind = getattr(value, "shape", None), getattr(getattr(value, "dtype", None), "kind", None)
    if shape != parameter.value.shape or kind not in tuple("fiub"):
        raise ValueError(f"The constraint of {parameter.name} must return numbers of its shape "
                         f"{parameter.value.shape}, got {type(value).__name__} of shape {shape}.")


def check_axis(name, axis, input_shape) -> None:
    """Raise ValueError unless inputs of this shape have this axis, and it is not that of the samples."""
    axes = (*range(1, len(input_shape)), *range(1 - len(input_shape), 0))
    if axis not in axes:
        raise ValueError(f"{name}: axis must be one of {axes} for inputs of shape {input_shape}, got {axis!r}. Axis 0 "
                         "holds the samples.")


def check_shared_axes(name, shared_axes, axes) -> None:
    """Raise ValueError unless the shared axes of a PReLU are among these."""
    if any(axis not in axes for axis in shared_axes or ()):
        raise ValueError(f"{name}: shared_axes must be of {list(axes)}, got {shared_axes}. Axis 0 holds the samples.")


def check_noise_shape(name, noise_shape, input_shape) -> None:
    """Raise ValueError unless it is None, or has for each axis of the inputs its length, 1 or None."""
    if noise_shape is not None and not (
            isinstance(noise_shape, (tuple, list)) and len(noise_shape) == len(input_shape) and
            all(n in (None, 1, length) for n, length in zip(noise_shape[1:], input_shape[1:]))):
        raise ValueError(f"{name}: noise_shape must name for each axis of {tuple(input_shape)} its length, 1 or None, "
                         f"got {noise_shape!r}.")


def check_target_shape(name, target_shape) -> None:
    """Raise ValueError unless it is a tuple of lengths; -1 is one that is not known."""
    if not isinstance(target_shape, (tuple, list)) or not all(isinstance(n, int) and (n > 0 or n == -1)
                                                              for n in target_shape):
        raise ValueError(f"{name}: target_shape must be a tuple of whole numbers above zero, one of which may be -1, "
                         f"got {target_shape!r}.")


def check_batch_shape(shape) -> None:
    """Raise ValueError unless it is the shape of a batch."""
    if not isinstance(shape, (tuple, list)) or len(shape) < 2 or not all(isinstance(n, int) and n > 0
                                                                         for n in shape[1:]):
        raise ValueError(f"build expects the shape of a batch, such as (None, 784), got {shape!r}.")


def check_declared(layer, shape) -> None:
    """Raise ValueError if a layer declares another shape than the InputLayer before it."""
    if layer.batch_input_shape not in (None, shape):
        raise ValueError(f"{layer.name} declares the shape {layer.batch_input_shape}, and the InputLayer before it "
                         f"{shape}.")


def check_built(model) -> None:
    """Raise ValueError unless the weights of the model exist."""
    if not model.built:
        raise ValueError(f"{model.name} has no weights yet. Build it first: model.build((None, D)).")


def check_first(layer, model_name, others) -> None:
    """Raise ValueError for an InputLayer that comes after others, or without a shape."""
    if others or layer.batch_input_shape is None:
        raise ValueError(f"{layer.name} must come first in {model_name}, with an input_shape: it declares the shape of "
                         "the samples and does nothing else.")


def check_layer_index(index, model) -> None:
    """Raise ValueError unless the model has a layer at this index."""
    if not -len(model.layers) <= index < len(model.layers):
        raise ValueError(f"Was asked to retrieve layer at index {index}, but {model.name} has {len(model.layers)} "
                         "layers.")


def check_compared(loss, y_true, y_pred) -> None:
    """Raise ValueError unless targets and a prediction have one shape, or the targets are class numbers."""
    if y_true.shape != y_pred.shape and not getattr(loss.function, "takes_classes", False):
        raise ValueError(f"{loss.name} compares targets {y_true.shape} with a prediction {y_pred.shape}. Does a layer "
                         "of your own lack compute_output_shape?")


def check_derivative(loss, dy, y_pred) -> None:
    """Raise ValueError unless the derivative of a loss has the shape of the prediction."""
    if getattr(dy, "shape", None) != y_pred.shape:
        raise ValueError(f"The derivative of {loss.name} must have the shape of y_pred, {y_pred.shape}, got "
                         f"{getattr(dy, 'shape', type(dy).__name__)}.")


def aligned_weights(weights, values, name) -> Any:
    """Weights in a shape that multiplies values: one for each sample, or one for each value; or a single number.

    Raises ValueError for weights of another shape.
    """
    if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if values.ndim and (weights.ndim > values.ndim or any(
            w not in (1, v) for w, v in zip(weights.shape, values.shape))):
        raise ValueError(f"{name} has values of shape {values.shape}, and weights of shape {weights.shape}. Give one "
                         "weight for each sample.")
    return weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))


CURES = {
    "activations": "A layer such as PReLU() is added after this one; so is a function of your own, which needs its "
                   "derivative: write it as a Layer with forward and backward.",
    "losses": "A function of your own needs its derivative: pass both as tinynet.losses.Loss(function, derivative)."}


def unknown_function(kind, module, identifier) -> ValueError:
    """The error for what is neither a name nor a function of a module."""
    return ValueError(f"Unknown {kind}: {identifier!r}. Expected a name or a function of tinynet.{module}. "
                      f"{CURES[module]}")
