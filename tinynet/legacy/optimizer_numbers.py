"""K.set_value(optimizer.rho, 0.8): the numbers of an optimizer, which are plain floats here and variables in Keras."""
from __future__ import annotations

import gc

from tinynet.optimizers import Optimizer
from tinynet.types import Any


def assign(number: float, value: Any) -> None:
    """Set the attribute that holds this very float, of the optimizer that has it.

    Raises TypeError if no optimizer has it, or several do, as after a copy; ValueError for a value out of range.
    """
    optimizers = [thing for thing in gc.get_objects() if issubclass(type(thing), Optimizer)]
    found = [(optimizer, name) for optimizer in optimizers for name, own in vars(optimizer).items() if own is number]
    if len(found) != 1:
        raise TypeError(f"set_value expects a weight, an array or a number of an optimizer, such as optimizer.lr; "
                        f"{number!r} is one of {len(found)} optimizers. Assign it instead: optimizer.rho = 0.8.")
    (optimizer, name), = found
    changed = type(optimizer)(**optimizer.get_config() | {name: value})     # checks the range
    setattr(optimizer, name, getattr(changed, name))
