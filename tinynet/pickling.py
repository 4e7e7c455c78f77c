"""Pickles and deep copies: what a layer or a model is, and nothing of the data that it has seen.

A layer keeps arrays of its last batch for backward, and buffers of many times the size of its weights.
"""
from __future__ import annotations

import copy

import numpy as np

from tinynet.backend import xp
from tinynet.types import Any, Array

ARRAYS = object()       # in place of them
OF_THE_LAST_BATCH = ("_recorded_forward", "_model_lock", "_fit_lock", "data_loss", "regularization")


def remember(layer: Any) -> None:
    """Remember the attributes of a layer that has just been built: arrays that it assigns later come from data."""
    vars(layer)["_when_built"] = {
        name: ARRAYS if _holds_arrays(value) else _copied(value) for name, value in vars(layer).items()}


class PickledLayer:
    """Pickles the attributes of a layer; in place of arrays assigned since it was built, what was there then."""

    def __getstate__(self) -> dict[str, Any]:
        state = dict(vars(self))
        first = state.pop("_when_built", None)
        state.pop("_tensor", None)      # which knows the layers before it
        if first is None:
            return state
        from_data = {name for name, value in state.items() if _holds_arrays(value) and first.get(name) is not ARRAYS}
        return {name: _copied(first[name]) if name in from_data else value
                for name, value in state.items() if name not in from_data or name in first}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        remember(self)


class PickledModel:
    """Pickles the attributes of a model, without what it remembers of a batch."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in OF_THE_LAST_BATCH}


class PickledOptimizer:
    """Pickles the attributes of an optimizer."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, step_state=writable(state["step_state"]))


class PickledParameter:
    """Pickles the attributes of a parameter, without its gradient."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_grad"}

    def __setstate__(self: Any, state: dict[str, Any]) -> None:
        vars(self).update(state)
        value = writable(self.value)
        self.move_to(value, xp.zeros(value.shape, value.dtype))


def writable(array: Array) -> Array:
    """The array, or a copy of one that is read-only: joblib maps pickled arrays from a file."""
    return array if getattr(array.flags, "writeable", True) else np.array(array)


def restored_vector(vector_class: Any, parameters: list[Any], slots: dict[Any, Any]) -> Any:
    """A `ParameterVector` of a pickle."""
    return vector_class(parameters, {key: writable(slot) for key, slot in slots.items()})


def _holds_arrays(value) -> bool:
    """Whether it is an array, or a list, tuple or dict with one inside."""
    if isinstance(value, (list, tuple, dict)):
        return any(map(_holds_arrays, value.values() if isinstance(value, dict) else value))
    return isinstance(value, (np.ndarray, xp.ndarray))


def _copied(value):
    """A copy of a list or dict, to which a layer may add arrays later; anything else itself."""
    return copy.copy(value) if isinstance(value, (list, dict)) else value
