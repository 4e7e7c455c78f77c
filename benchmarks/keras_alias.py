"""After `import keras_alias`, `import keras` gives tinynet: what Keras's own tests are run with, by keras_suite.py.

A name that tinynet does not have gives a stand-in that fails when it is used, since the tests import at their top what
only some of them use. Helper functions of Keras are taken from its sources, in the folder that KERAS_SOURCES names.
"""
import importlib
import importlib.util
import os
import sys
import types
from typing import Any

import tinynet
from tinynet.initializers import fans

# Helper functions that tests call, by the module of Keras that has them
HELPERS = {
    f"keras.{module}.{name}": f"keras_sources.{module}" for module, names in {
        "utils.test_utils": "get_test_data layer_test tf_file_io_proxy",
        "utils.generic_utils": "has_arg to_list unpack_singleton",
        "engine.training_utils": "make_batches",
        "backend.numpy_backend": "dot",
    }.items() for name in names.split()}


class Alias(types.ModuleType):
    """A module of Keras: what tinynet has under its name, helpers of Keras, and stand-ins."""

    there: Any = None       # the module of tinynet

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        full = f"{self.__name__}.{name}"
        if full in HELPERS:
            return vars(importlib.import_module(HELPERS[full]))[name]
        if full in sys.modules or any(helper.startswith(f"{full}.") for helper in HELPERS):
            return importlib.import_module(full)
        try:
            found = getattr(self.there, name)
        except (AttributeError, ImportError):
            return stand_in(full)
        is_module = isinstance(found, types.ModuleType) and found.__name__.startswith("tinynet")
        return importlib.import_module(full) if is_module else found


def stand_in(name):
    """A class whose objects fail when they are used."""
    def missing(*arguments, **options):
        raise NotImplementedError(f"tinynet has no {name}")
    return type(name, (), {"__init__": lambda self, *arguments, **options: None, "__getattr__": missing,
                           "__call__": missing})


class Finder:
    """The import hook that finds Keras's modules."""

    def find_spec(self: Any, name, path=None, target=None):
        if name.partition(".")[0] in ("keras", "keras_sources"):
            return importlib.util.spec_from_loader(name, self, is_package=True)
        return None

    def create_module(self, spec):
        if spec.name.startswith("keras_sources"):
            return types.ModuleType(spec.name)
        module = Alias(spec.name)
        try:
            module.there = importlib.import_module(f"tinynet{spec.name.removeprefix('keras')}")
        except ImportError:
            pass
        vars(module)["__all__"] = list(getattr(module.there, "__all__", []))
        return module

    def exec_module(self, module):
        if module.__name__ in HELPERS.values():
            inside = module.__name__.removeprefix("keras_sources.")
            source = os.path.join(os.environ["KERAS_SOURCES"], *inside.split(".")) + ".py"
            module.__package__ = "keras." + inside.rpartition(".")[0]
            with open(source) as file:
                exec(compile(file.read(), source, "exec"), vars(module))


def deserialize(config, custom_objects=None):
    """Keras's optimizers.deserialize changes the config that it is given, and its tests expect that."""
    config["class_name"] = config["class_name"].lower()
    return tinynet.optimizers.deserialize(config, custom_objects)


def install():
    """Put tinynet in Keras's place."""
    hook: Any = Finder()
    sys.meta_path.insert(0, hook)
    tensorflow: Any = types.ModuleType("tensorflow")        # which some tests ask for its version
    tensorflow.__version__ = "2.1.0"
    sys.modules["tensorflow"] = tensorflow
    backend, optimizers, initializers = (
        importlib.import_module(f"keras.{name}") for name in ("backend", "optimizers", "initializers"))
    vars(backend).update(backend=lambda: "tensorflow", tensorflow_backend=backend, _get_available_gpus=list,
                         _is_tf_1=bool)     # no GPU, and not 1
    sys.modules["keras.backend.numpy_backend"] = importlib.import_module("keras_sources.backend.numpy_backend")
    vars(optimizers).update(deserialize=deserialize)
    vars(initializers).update(_compute_fans=fans)
    setattr(tinynet.layers.Layer, "call", tinynet.layers.Layer.forward)     # a helper asks whether it takes `training`


install()
