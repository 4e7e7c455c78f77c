"""Checks of arguments: names are looked up, numbers have ranges, unknown arguments are errors.

Each kind of object (layers, losses ...) keeps its own table of names and passes it in.
"""
from __future__ import annotations

import difflib
import inspect
import math
import numbers
from collections.abc import Mapping
from typing import Any


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


def reject_unknown(message: str, function: Any, unknown: Mapping[str, Any]) -> None:
    """Raise TypeError for the first unknown argument that is not None: no argument is silently ignored."""
    for name, value in unknown.items():
        if value is not None:
            known = ", ".join(argument_names(function))
            raise TypeError(f"{message}: {name!r}. {function.__name__} takes: {known}.")


def shortened(name: str, width: int) -> str:
    """A name of at most `width` characters: its beginning and its end.

    >>> shortened("batch_normalization_1/gamma:0", 20)
    'batch_nor...gamma:0'
    """
    half = (width - 3) // 2
    return name if len(name) <= width else f"{name[:half + 1]}...{name[-half + 1:]}"


class Pasteable:
    """A base class whose `repr` is the call that made the object, so that it can be pasted back.

    >>> class Pair(Pasteable):
    ...     def __init__(self, a, b=2): pass
    >>> Pair(1, b="x")
    Pair(1, b='x')
    """

    _built_with: tuple[tuple, dict]

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self._built_with = args, kwargs
        return self

    def __repr__(self) -> str:
        args, kwargs = self._built_with
        shown = [_written(a) for a in args] + [f"{name}={_written(a)}" for name, a in kwargs.items()]
        return f"{type(self).__name__}({', '.join(shown)})"


def _written(argument) -> str:
    """`repr`, but a function is written as its name, which tinynet accepts too."""
    return repr(argument.__name__ if inspect.isfunction(argument) else argument)


def check_rules(parameters) -> None:
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


def reject_used(layer, stack, used, model_name) -> None:
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


def reject_renamed(thing, **renamed):
    """Raise TypeError for a class that defines what tinynet 0.1 called by these names: it would be ignored."""
    for old, new in renamed.items():
        found = getattr(thing, old, backward)
        if getattr(found, "__func__", found) is not backward:
            raise TypeError(f"{type(thing).__name__} defines {old}, which is called {new} now: rename it.")


def backward(model, dy):
    """Raise TypeError: in tinynet 0.1 a training step of one's own called it."""
    raise TypeError("A training step of your own calls model.compute_gradients(x, y, weights), apply_gradients() and "
                    "update_state(), in this order; model.backward is gone.")


def check_weight_list(kind, name, weights, expected):
    """Raise ValueError unless weights are a list of as many as a layer or model has."""
    if not isinstance(weights, (list, tuple)) or len(weights) != expected:
        came = len(weights) if isinstance(weights, (list, tuple)) else type(weights).__name__
        raise ValueError(f'You called `set_weights(weights)` on {kind} "{name}" with a weight list of length {came}, '
                         f"but the {kind} was expecting {expected} weights.")


def declared_shape(name, input_shape, input_dim, batch_input_shape):
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


def shape_text(shape):
    """A batch shape in mathematical notation.

    >>> shape_text((None, 784))
    '(N, 784)'
    """
    return f"({', '.join('N' if d is None else str(d) for d in shape)}{',' if len(shape) == 1 else ''})"


def as_pair(y_true, y_pred, takes_classes, name):
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
