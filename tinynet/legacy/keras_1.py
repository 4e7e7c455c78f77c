"""Argument names of Keras 1, such as Dense(output_dim=10) and fit(nb_epoch=5), with the warnings of Keras 2.3.1.

Source: keras/legacy/interfaces.py of Keras 2.3.1.
"""
from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from tinynet import callbacks, layers
from tinynet.functional import Functional
from tinynet.models import Model
from tinynet.registry import class_name

GENERATOR = {"samples_per_epoch": "steps_per_epoch", "val_samples": "steps", "nb_epoch": "epochs",
             "nb_val_samples": "validation_steps", "nb_worker": "workers", "pickle_safe": "use_multiprocessing",
             "max_q_size": "max_queue_size"}

# {name in Keras 1: name in Keras 2}
ARGUMENTS: dict[Any, Any] = {
    (layers.Dense, "__init__"): {
        "output_dim": "units", "init": "kernel_initializer", "W_regularizer": "kernel_regularizer",
        "b_regularizer": "bias_regularizer", "W_constraint": "kernel_constraint", "b_constraint": "bias_constraint",
        "bias": "use_bias"},
    (layers.BatchNormalization, "__init__"): {
        "beta_init": "beta_initializer", "gamma_init": "gamma_initializer", "mode": None},
    (layers.Dropout, "__init__"): {"p": "rate"},
    (layers.GaussianDropout, "__init__"): {"p": "rate"},
    (layers.GaussianNoise, "__init__"): {"sigma": "stddev"},
    (layers.PReLU, "__init__"): {"init": "alpha_initializer"},
    (callbacks.ReduceLROnPlateau, "__init__"): {"epsilon": "min_delta"},
    (Functional, "__init__"): {"input": "inputs", "output": "outputs"},
    (Model, "fit"): {"nb_epoch": "epochs"},
    (Model, "fit_generator"): GENERATOR,
    (Model, "evaluate_generator"): GENERATOR,
    (Model, "predict_generator"): GENERATOR,
}


def accepting(names: dict[str, Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which takes its arguments by their names in Keras 1 too, with a warning."""
    @functools.wraps(function)
    def wrapper(self, *args, **kwargs):
        if names.keys().isdisjoint(kwargs):
            return function(self, *args, **kwargs)
        of_object = function.__name__ == "__init__"
        what = class_name(self) if of_object else function.__name__
        if names is GENERATOR:
            _warn_of_steps(args, kwargs)
        for old in [old for old in names if old in kwargs]:
            new, value = names[old], kwargs.pop(old)
            if new in kwargs:
                raise TypeError(f"For the `{new}` argument, the layer received both the legacy keyword argument "
                                f"`{old}` and the Keras 2 keyword argument `{new}`. Stick to the latter!")
            if new:
                kwargs[new] = value
            elif value != 0:
                raise TypeError(f"The `{old}` argument of `{what}` no longer exists. `{old}=1` and `{old}=2` are no "
                                "longer supported.")
        if what == "fit":
            warnings.warn("The `nb_epoch` argument in `fit` has been renamed `epochs`.", stacklevel=2)
        elif "epsilon" in names:
            warnings.warn("`epsilon` argument is deprecated and will be removed, use `min_delta` instead.",
                          stacklevel=2)
        else:
            call = ", ".join([_short(a) for a in args] + [f"{name}={_short(a)}" for name, a in kwargs.items()])
            warnings.warn(f"Update your `{what}` call to the Keras 2 API: `{what}({call})`", stacklevel=2)
        if of_object:
            self._built_with = args, kwargs     # for its repr
        return function(self, *args, **kwargs)
    return wrapper


def _warn_of_steps(args, kwargs):
    """A generator's samples_per_epoch is its number of batches now, unless it tells the size of a batch."""
    warnings.warn("The semantics of the Keras 2 argument `steps_per_epoch` is not the same as the Keras 1 argument "
                  "`samples_per_epoch`. `steps_per_epoch` is the number of batches to draw from the generator at each "
                  "epoch. Basically steps_per_epoch = samples_per_epoch/batch_size. Similarly "
                  "`nb_val_samples`->`validation_steps` and `val_samples`->`steps` arguments have changed. Update your "
                  "method calls accordingly.", stacklevel=3)
    generator = args[0] if args else kwargs.get("generator")
    if "samples_per_epoch" in kwargs and hasattr(generator, "batch_size"):
        kwargs["samples_per_epoch"] //= generator.batch_size


def _short(value) -> str:
    """An argument as the warnings of Keras show it."""
    text = "array" if hasattr(value, "dtype") else str(value)
    return f'"{value}"' if isinstance(value, str) else text if len(text) <= 10 else text[:10] + "..."


for (owner, method), names in ARGUMENTS.items():
    setattr(owner, method, accepting(names, getattr(owner, method)))
