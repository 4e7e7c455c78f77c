"""Pickles and deep copies: what a layer or a model is, and nothing of the data that it has seen.

A layer keeps arrays of its last batch for backward, and buffers of many times the size of its weights.
"""
from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tinynet.backend import xp

ARRAYS = object()       # in place of them
OF_THE_LAST_BATCH = ("_recorded_forward", "_model_lock", "_fit_lock", "data_loss", "regularization")


def remember(layer) -> None:
    """Remember the attributes of a layer that has just been built: arrays that it assigns later come from data."""
    vars(layer)["_when_built"] = {
        name: ARRAYS if _holds_arrays(value) else _copied(value) for name, value in vars(layer).items()}


def state_of_layer(layer) -> dict[str, Any]:
    """The attributes of a layer; in place of arrays that it has assigned since it was built, what was there then."""
    state = dict(vars(layer))
    first = state.pop("_when_built", None)
    state.pop("_tensor", None)      # which knows the layers before it
    if first is None:
        return state
    from_data = {name for name, value in state.items() if _holds_arrays(value) and first.get(name) is not ARRAYS}
    return {name: _copied(first[name]) if name in from_data else value
            for name, value in state.items() if name not in from_data or name in first}


def restore_layer(layer, state) -> None:
    """Set the attributes of an empty layer."""
    vars(layer).update(state)
    remember(layer)


def state_of_model(model) -> dict[str, Any]:
    """The attributes of a model."""
    return {name: value for name, value in vars(model).items() if name not in OF_THE_LAST_BATCH}


def state_of_parameter(parameter) -> dict[str, Any]:
    """The attributes of a parameter, without its gradient."""
    return {name: value for name, value in vars(parameter).items() if name != "_grad"}


def restore_parameter(parameter, state) -> None:
    """Set the attributes of an empty parameter."""
    vars(parameter).update(state)
    value = writable(parameter.value)
    parameter.move_to(value, xp.zeros(value.shape, value.dtype))


def writable(array):
    """The array, or a copy of one that is read-only: joblib maps pickled arrays from a file."""
    return array if getattr(array.flags, "writeable", True) else np.array(array)


def restored_vector(vector_class, parameters, slots):
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
