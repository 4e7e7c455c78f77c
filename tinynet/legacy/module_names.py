"""Old module names, such as `from tinynet.layers.core import Dense`: each stands for a current module."""
from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import ModuleType
from typing import cast

from tinynet.legacy import refused
from tinynet.types import Any

# Of Keras 2.3.1, and then of tinynet 0.1
MODULES = {
    "backend.common": "backend", "backend.tensorflow_backend": "backend", "callbacks.callbacks": "callbacks",
    "engine": "models",
    "engine.base_layer": "layers", "engine.input_layer": "layers", "engine.network": "models",
    "engine.saving": "models", "engine.sequential": "models", "engine.topology": "models", "engine.training": "models",
    "layers.core": "layers", "objectives": "losses", "utils.data_utils": "utils", "utils.generic_utils": "utils",
    "utils.io_utils": "utils", "utils.layer_utils": "utils", "utils.losses_utils": "losses",
    "utils.np_utils": "utils", "utils.vis_utils": "plot_model",
    "agreement": "distributed.consistency", "aliases": "legacy.module_names", "arguments": "validation",
    "callbacks.logs": "callbacks", "cublas": "device.cublas", "cuda": "device.cuda", "cuda_graph": "device.cuda_graph",
    "data": "training.data_adapter", "data_parallel": "distributed.data_parallel", "dataset": "training.dataset",
    "denormals": "device.denormals", "distributed.meeting": "distributed.collectives",
    "distributed.start": "distributed.init", "distributed.sums": "distributed.allreduce",
    "door": "training.data_adapter", "epoch": "training.epoch", "gradient_check.formula": "gradient_check.loss",
    "kernels": "device.kernels", "launcher": "device.launcher",
    "layers.fused": "fused_layers", "layers.regularization": "layers.activity_regularization",
    "legacy.method_names": "legacy.methods", "losses.fusion": "losses.fused", "losses.margin": "losses.hinge",
    "metrics.compiled": "training.compiled_metrics", "metrics.functions": "metrics.accuracy",
    "metrics.of_model": "training.compiled_metrics", "metrics.sums": "metrics.base", "older_names": "legacy.methods",
    "optimizers.adaptive": "optimizers.rmsprop",
    "optimizers.descent": "optimizers.sgd", "optimizers.moments": "optimizers.adam", "parallel": "device.threads",
    "progress": "callbacks.progress", "run": "saving.checkpoint", "serialization": "saving",
    "serialization.atomic": "saving.atomic_write", "serialization.keras_files": "saving.keras_format",
    "serialization.layout": "saving.file_format", "step": "training.step", "summary": "utils",
}
# Names in those modules that have changed
NAMES = {"arguments": "argument_names", "refuse": "reject_unknown"}


class OldModule(ModuleType):
    """A module under an old name; it loads the current module when a name is taken from it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"{self.__name__} has no {name!r}.")
        current = importlib.import_module(f"tinynet.{MODULES[self.__name__.partition('.')[2]]}")
        if name == "__all__":
            return getattr(current, name, [public for public in dir(current) if not public.startswith("_")])
        return getattr(current, NAMES.get(name, name))


class RefusedModule(ModuleType):
    """A module of Keras of which tinynet has nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"{self.__name__} has no {name!r}.")
        module = self.__name__.partition(".")[2]
        return refused.refuse(module, name, refused.reason(module, name))


class OldModules:
    """The import hook that finds the modules listed in MODULES, and those that are refused."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        package, _, name = fullname.partition(".")
        known = package == "tinynet" and (name in MODULES or name in refused.MODULES)
        return ModuleSpec(fullname, cast(Any, self), is_package=True) if known else None

    def create_module(self, spec: Any) -> Any:
        if spec.name.partition(".")[2] in refused.MODULES:
            return RefusedModule(spec.name, "A module of Keras of which tinynet has nothing.")
        return OldModule(spec.name, f"An old name of tinynet.{MODULES[spec.name.partition('.')[2]]}.")

    def exec_module(self, module: Any) -> None:
        """Nothing runs."""


hook: Any = OldModules()        # no class of importlib.abc, whose import takes ten milliseconds
sys.meta_path.append(hook)
for old in [*MODULES, *refused.MODULES]:     # so that `import tinynet` is enough for tinynet.layers.core
    parent, _, name = f"tinynet.{old}".rpartition(".")
    if parent in sys.modules:
        vars(sys.modules[parent]).setdefault("__path__", [])     # utils is a module
        sys.modules[f"tinynet.{old}"] = module = module_from_spec(hook.find_spec(f"tinynet.{old}"))
        setattr(sys.modules[parent], name, module)
refused.install()
