"""tinynet: neural networks with backprop written by hand, under the interface of Keras 2.3.1.

Read `tinynet/layers/dense.py` first, then `tinynet/training/step.py`; `tinynet/README.md` has the whole order.
"""
import importlib
import os
from typing import TYPE_CHECKING

from tinynet import (activations, backend, callbacks, constraints, initializers, layers, losses, metrics, models,
                     optimizers, regularizers, utils)
from tinynet.layers import Input
from tinynet.functional import Functional       # noqa: F401: Model(inputs, outputs)
from tinynet.legacy import backend_names, functions, keras_1, metric_attributes, module_names     # noqa: F401: add them
from tinynet.models import Model, Sequential

__version__ = "0.2.0"

__all__ = ["Input", "Model", "Sequential", "activations", "backend", "callbacks", "constraints", "datasets",
           "distributed", "gradient_check", "initializers", "layers", "losses", "metrics", "models", "optimizers",
           "plotting", "regularizers", "utils", "wrappers"]


if TYPE_CHECKING:
    from tinynet import datasets, distributed, gradient_check, plotting, wrappers
else:
    def __getattr__(name):
        if name in ("datasets", "distributed", "gradient_check", "plotting", "wrappers"):   # most training needs none
            return importlib.import_module(f"tinynet.{name}")
        raise AttributeError(f"tinynet has no {name!r}. It has: {', '.join(__all__)}.")


if os.environ.get("TINYNET_DISTRIBUTED") == "1":
    importlib.import_module("tinynet.distributed")
