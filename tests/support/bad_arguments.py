"""Calls of every public function with arguments that make no sense: each may work, or say what is wrong with them."""
import contextlib
import inspect
import io
import math
import os
import warnings

import numpy as np

from tinynet import (activations, backend, callbacks, constraints, initializers, layers, losses, metrics, models,
                     optimizers, regularizers, utils)

__all__ = ["bad_call"]

MODULES = (activations, backend, callbacks, constraints, initializers, layers, losses, metrics, models, optimizers,
           regularizers, utils)
NOT_CALLED = {"set_floatx", "set_epsilon", "set_threads", "clear_session", "working", "synchronize", "xp", "Sequence",
              "get_file", "CallbackList", "RunningMeans", "save_model"}
ENDLESS = {"epochs", "steps_per_epoch", "steps", "validation_steps", "nb_epoch"}     # nobody waits for 2**70 epochs
METHODS = ["fit", "evaluate", "predict", "predict_classes", "train_on_batch", "test_on_batch", "predict_on_batch",
           "set_weights", "load_weights", "save", "save_weights", "compile", "add", "get_layer", "fit_generator",
           "summary", "build", "explain_step", "compute_output_shape"]
FORMULAS = (activations, backend, losses, metrics)      # whose functions of arrays raise what NumPy raises
FUNCTIONS = [(f"{module.__name__}.{name}", getattr(module, name)) for module in MODULES for name in module.__all__
             if callable(getattr(module, name)) and name not in NOT_CALLED and
             (module not in FORMULAS or inspect.isclass(getattr(module, name)) or name in ("get", "deserialize"))]


def junk(chance):
    """Something that hardly ever makes sense."""
    return chance.choice([
        None, True, -1, 0, 1, 2, 3, 7, 2**70, -2**70, 0.5, -0.5, 1.5, math.nan, math.inf, 1j, "", "relu", "mse", "sgd",
        "nonsense", b"bytes", [], [1], [None], ["relu"], {}, {"a": 1}, {"class_name": "Dense"},
        {"class_name": "Dense", "config": {}}, (), (2,), (None, 3), (3, -1), object(), lambda *a: 1, int, np.array(3.0),
        np.zeros(0), np.zeros((0, 4)), np.ones((3, 4)), np.ones((3, 3)), np.full((3, 4), np.nan), np.array(["a"]),
        np.array([None]), np.ones((2, 2, 2)), np.float32(2), np.int64(3), np.arange(3), iter([1]), {1, 2}, range(3),
        layers.Dense(2)])


def small():
    """A compiled model of 4 inputs and 3 classes."""
    model = models.Sequential([layers.Dense(5, activation="relu", input_shape=(4,)), layers.Dropout(0.25),
                               layers.Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    return model


def bad_call(chance, folder):
    """Call something at random with nonsense.  Raises AssertionError for an error of another type than TypeError,
    ValueError or, for files, OSError, and for weights that a refused call has changed."""
    model = small() if chance.random() < 0.6 else None
    if model:
        name = chance.choice(METHODS)
        function = getattr(model, name)
    else:
        name, function = chance.choice(FUNCTIONS)
    takes = [p for p in inspect.signature(function).parameters.values()
             if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in ("self", "print_fn")]
    good = {"x": np.ones((3, 4)), "y": np.eye(3), "filepath": os.path.join(folder, "file"), "loss": "mse",
            "optimizer": "sgd", "verbose": 0, "generator": iter([(np.ones((3, 4)), np.eye(3))] * 3),
            "steps_per_epoch": 1}
    given = {}
    for parameter in takes:
        if parameter.name in good and chance.random() < 0.7:
            given[parameter.name] = good[parameter.name]
        elif parameter.default is parameter.empty or chance.random() < 0.3:
            given[parameter.name] = junk(chance)
    given = {name: 7 if name in ENDLESS and isinstance(value, int) and value > 1000 else value
             for name, value in given.items()}
    if isinstance(given.get("filepath"), str) or isinstance(given.get("filepath"), bytes):
        given["filepath"] = good["filepath"]
    before = [w.copy() for w in model.get_weights()] if model else []
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(**given)
        return "worked"
    except (TypeError, ValueError) as error:
        if "The generator has ended" in str(error):
            return "ended"          # after steps that were asked for
    except OSError:
        assert "filepath" in given or "filename" in given, (name, given)
    except FloatingPointError as error:
        assert "The loss is" in str(error)      # trained to nonsense, as asked
        return "lost"
    except Exception as error:
        raise AssertionError(f"{name}({given}) raised {type(error).__name__}: {error}") from error
    if model:
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before)), (name, given)
    return "refused"
