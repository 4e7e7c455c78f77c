"""From a name or a config to an object, and back: "relu", {"class_name": "Dense", "config": {...}}.

Only names in a fixed table, or passed in by the caller as custom objects, are looked up: a file cannot run other code.
"""
from __future__ import annotations

import inspect
from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar

from tinynet.types import Any, Config, Objects
from tinynet.validation import Pasteable, argument_names, find

# By name. In a scope, of which only its own thread knows, those of the scope come first.
_custom_objects: ContextVar[MutableMapping[str, Any]] = ContextVar("custom objects", default={})


def get_custom_objects() -> MutableMapping[str, Any]:
    """The custom objects that are known everywhere, by name: a dict that a script may change.

    In a `CustomObjectScope` changes are undone at its end.

    >>> get_custom_objects()
    {}
    """
    return _custom_objects.get()


class CustomObjectScope:
    """Custom objects that are known inside a `with` block, in this thread: CustomObjectScope({"name": object}).

    Source: keras/utils/generic_utils.py of Keras 2.3.1.

    >>> with custom_object_scope({"answer": 42}): lookup("number", "answer", {})
    42
    """

    def __init__(self, *custom_objects: Any):
        if not all(isinstance(objects, (Mapping, type(None))) for objects in custom_objects):
            raise TypeError(f"Custom objects are a dict {{name: object}}, got {custom_objects!r}.")
        self.added: dict[str, Any] = {}
        for objects in custom_objects:
            self.added |= objects or {}

    def __enter__(self) -> Any:
        self.before: Any = _custom_objects.set(ChainMap(dict(self.added), _custom_objects.get()))
        return self

    def __exit__(self, *error: Any) -> None:
        _custom_objects.reset(self.before)


custom_object_scope = CustomObjectScope


def lookup(kind: str, name: str, table: Mapping[str, Any]) -> Any:
    """The custom object of this name, or else the entry of the table.  Raises ValueError for an unknown name."""
    custom_objects = _custom_objects.get()
    return custom_objects[name] if name in custom_objects else find(kind, name, table)


def deserialize(kind: str, config: Any, table: Mapping[str, Any], custom_objects: Objects = None) -> Any:
    """The object of a name, or of a config {"class_name": name, "config": arguments}.

    A class is instantiated, a function is returned as it is.

    Raises ValueError for an unknown name, and for a dict that is not a config.
    """
    with CustomObjectScope(custom_objects):
        if isinstance(config, Mapping):
            if not isinstance(config.get("class_name"), str) or not isinstance(config.get("config"), Mapping):
                raise ValueError(f"Improper config format: {dict(config)}. The config of a {kind} has a 'class_name' "
                                 "and a 'config', which holds its arguments by name.")
            made = lookup(kind, config["class_name"], table)
            return getattr(made, "from_config", lambda config: made(**config))(dict(config["config"]))
        made = lookup(kind, config, table)
        return made() if inspect.isclass(made) else made


def serialize(thing: Any) -> Any:
    """The name, config or plain data from which `deserialize` makes an equal object.

    >>> class Pair(Configurable):
    ...     def __init__(self, a, b=2): self.a, self.b = a, b
    >>> serialize(Pair(1))
    {'class_name': 'Pair', 'config': {'a': 1, 'b': 2}}
    """
    if isinstance(thing, Configurable):
        return {"class_name": class_name(thing), "config": thing.get_config()}
    if callable(thing):
        return getattr(thing, "__name__", type(thing).__name__)
    if isinstance(thing, (tuple, list)):
        return [serialize(item) for item in thing]
    return thing.tolist() if hasattr(thing, "tolist") else thing


def class_name(thing: Any) -> str:
    """The name of its class in a config."""
    return getattr(thing, "keras_class", type(thing).__name__)


class Configurable(Pasteable):
    """Adds `get_config` and `from_config`: each constructor argument is kept as an attribute of the same name."""

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments as plain data that json can write."""
        return self.config_of(argument_names(type(self)))

    def config_of(self, names: list[Any]) -> dict[str, Any]:
        """The arguments of these names.  Raises NotImplementedError if one is not kept as an attribute."""
        for name in names:
            if not hasattr(self, name):
                raise NotImplementedError(f"{type(self).__name__} keeps no attribute {name!r}: keep each argument "
                                          "under its own name, or define get_config.")
        return {name: serialize(getattr(self, name)) for name in names}

    @classmethod
    def from_config(cls, config: Config) -> Any:
        """An object made from what `get_config` returned."""
        return cls(**config)
