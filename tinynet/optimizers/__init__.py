"""Optimizers: each is a formula for two vectors, all weights and all gradients."""
from __future__ import annotations

from tinynet.optimizers.rmsprop import Adadelta, Adagrad, RMSprop
from tinynet.optimizers.base import Optimizer
from tinynet.optimizers.sgd import SGD
from tinynet.optimizers.adam import Adam, Adamax, Nadam
from tinynet import registry
from tinynet.registry import serialize
from tinynet.types import Any, Identifier, Objects

__all__ = ["Adadelta", "Adagrad", "Adam", "Adamax", "Nadam", "Optimizer", "RMSprop", "SGD", "deserialize", "get",
           "serialize"]

sgd, rmsprop, adagrad, adadelta, adam, adamax, nadam = SGD, RMSprop, Adagrad, Adadelta, Adam, Adamax, Nadam

OPTIMIZERS = {name: cls for cls in (SGD, RMSprop, Adagrad, Adadelta, Adam, Adamax, Nadam)
              for name in (cls.__name__, cls.__name__.lower())}


def deserialize(config: Identifier, custom_objects: Objects = None) -> Any:
    """The optimizer of a name or a config."""
    return registry.deserialize("optimizer", config, OPTIMIZERS, custom_objects)


def get(identifier: Identifier) -> Optimizer:
    """The optimizer of a name or a config, or the Optimizer given.

    Raises ValueError for an unknown name, TypeError for anything else.

    >>> get("rmsprop")
    RMSprop()
    """
    if isinstance(identifier, (str, dict)):
        lower = identifier.lower() if isinstance(identifier, str) else None
        return deserialize(lower if lower in OPTIMIZERS else identifier)
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):      # Adam without the brackets
        return identifier()     # type: ignore[call-arg]
    if isinstance(identifier, Optimizer):
        return identifier
    raise TypeError(f"An optimizer is a name such as 'rmsprop' or an Optimizer, got {identifier!r}.")
