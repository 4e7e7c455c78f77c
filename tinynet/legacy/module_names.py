"""Old module names, such as `from tinynet.layers.core import Dense`: each stands for the module of today."""
from __future__ import annotations

import importlib
import sys
from types import ModuleType

# Of Keras 2.3.1, and then of tinynet 0.1
MODULES = {
    "engine": "models", "engine.training": "models", "layers.core": "layers", "objectives": "losses",
    "utils.data_utils": "utils", "utils.generic_utils": "utils", "utils.np_utils": "utils",
    "aliases": "legacy.module_names", "arguments": "validation", "cublas": "device.cublas", "cuda": "device.cuda",
    "cuda_graph": "device.cuda_graph", "data": "training.data_adapter", "dataset": "training.dataset",
    "denormals": "device.denormals", "epoch": "training.epoch", "gradient_check.formula": "gradient_check.loss",
    "kernels": "device.kernels", "layers.regularization": "layers.activity_regularization",
    "losses.fusion": "losses.fused", "losses.margin": "losses.hinge", "metrics.functions": "metrics.accuracy",
    "metrics.sums": "metrics.base", "older_names": "legacy.method_names", "optimizers.adaptive": "optimizers.rmsprop",
    "optimizers.descent": "optimizers.sgd", "optimizers.moments": "optimizers.adam", "parallel": "device.threads",
    "progress": "callbacks.progress", "serialization": "saving", "serialization.atomic": "saving.atomic_write",
    "serialization.keras_files": "saving.keras_format", "serialization.layout": "saving.file_format",
    "step": "training.step", "summary": "utils",
}


class OldModule(ModuleType):
    """A module under an old name; it loads the module of today when a name is taken from it."""

    def __getattr__(self, name):
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"{self.__name__} has no {name!r}.")
        today = importlib.import_module(f"tinynet.{MODULES[self.__name__.partition('.')[2]]}")
        return getattr(today, name)


for old in MODULES:
    package, _, last = f"tinynet.{old}".rpartition(".")
    sys.modules[f"tinynet.{old}"] = OldModule(f"tinynet.{old}", f"An old name of tinynet.{MODULES[old]}.")
    if package in sys.modules:
        setattr(sys.modules[package], last, sys.modules[f"tinynet.{old}"])
