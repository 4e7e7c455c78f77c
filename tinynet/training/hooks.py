"""The callbacks of a call of fit, evaluate or predict, the user's own between a logger and the history."""
from __future__ import annotations

import numpy as np

from tinynet.callbacks import CallbackList, ProgbarLogger, TestLogger
from tinynet.callbacks.base import check_callbacks
from tinynet.device import announce
from tinynet.types import Any


def fit_hooks(model: Any, verbose: int, callbacks: Any, history: Any, epochs: int, data: Any,
              validation: Any) -> CallbackList:
    """Those of fit."""
    if verbose:
        announce()
    names = model.metrics_names
    params = {"epochs": epochs, "verbose": verbose, "do_validation": validation is not None,
              "metrics": names + [f"val_{name}" for name in names]}
    validation_data = None
    if validation and validation.samples:
        x, y, weights = validation.given
        validation_data = [x, y, np.ones(len(x), x.dtype) if weights is None else weights]
    logger = [ProgbarLogger(verbose, validation and validation.samples)] if verbose else []
    return CallbackList([*logger, *callbacks, history], model, params_of(data) | params, validation_data)


def evaluate_hooks(model: Any, verbose: int, callbacks: Any, data: Any) -> CallbackList:
    """Those of evaluate and predict.  Raises TypeError for anything but callbacks."""
    check_callbacks(callbacks)
    return CallbackList([*([TestLogger()] if verbose else []), *(callbacks or [])], model, params_of(data))


def params_of(data: Any) -> dict[str, Any]:
    """What callbacks are told of the data."""
    return {"batch_size": getattr(data, "batch_size", None), "samples": data.samples,
            "steps": None if data.samples else data.steps}
