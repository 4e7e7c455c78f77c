"""Scripts for tinynet 0.1: layers, models and steps of one's own go on working, or an error says what to rename."""
import copy
import importlib
import importlib.util
import subprocess
import sys

import numpy as np
import pytest

import tinynet
from tinynet.backend import to_numpy, xp
from tinynet.callbacks import Callback
from tinynet.layers import Activation, BatchNormalization, Dense, Dropout, Layer
from tinynet.legacy.module_names import MODULES
from tinynet.models import Sequential
from tinynet.optimizers import SGD, Adagrad, Adam, Optimizer, RMSprop

X, Y = np.random.RandomState(1).standard_normal((12, 4)), np.eye(3)[np.arange(12) % 3]


def equal(model, other):
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights()))


# Modules


@pytest.mark.parametrize("name", MODULES)
def test_old_module_paths_work(name):
    """Each gives the names of the module that it stands for."""
    assert importlib.util.find_spec(f"tinynet.{name}")
    old, today = importlib.import_module(f"tinynet.{name}"), importlib.import_module(f"tinynet.{MODULES[name]}")
    public = [name for name in vars(today) if not name.startswith("_")]
    assert public and all(getattr(old, name) is getattr(today, name) for name in public)
    with pytest.raises(AttributeError):
        old.no_such_name
    assert importlib.reload(old) is old


def test_old_modules_can_be_imported_in_every_way():
    code = """
from tinynet.layers.core import Dense
import tinynet.utils.np_utils as np_utils
from tinynet.utils import np_utils as again
from tinynet.engine.training import Model
from tinynet.training import Model as today
from tinynet.serialization.layout import ModelFileError
import tinynet.gradient_check.formula
from tinynet.objectives import *
from tinynet.optimizers.moments import *
from tinynet.losses.margin import *
from tinynet.arguments import refuse, number
import tinynet
assert tinynet.layers.core.Dense is Dense is tinynet.layers.Dense and np_utils is again and Model is today
assert np_utils.to_categorical is tinynet.utils.to_categorical and Model is tinynet.Model
assert mean_squared_error is tinynet.losses.mean_squared_error and issubclass(ModelFileError, ValueError)
assert tinynet.gradient_check.formula.check_loss is tinynet.gradient_check.check_loss
assert Adamax is tinynet.optimizers.Adamax and hinge is tinynet.losses.hinge
try:
    import engine           # a module of another package of this name
except ModuleNotFoundError as error:
    assert error.name == "engine"
"""
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_names_are_where_scripts_for_keras_look_for_them():
    for path, names in {
            "layers.core": "Dense Dropout Activation Flatten Reshape", "layers.noise": "GaussianNoise GaussianDropout",
            "layers.normalization": "BatchNormalization", "engine": "Model",
            "layers.advanced_activations": "LeakyReLU PReLU ELU ThresholdedReLU Softmax ReLU",
            "utils.np_utils": "to_categorical normalize", "utils.generic_utils": "Progbar custom_object_scope",
            "utils.data_utils": "Sequence get_file", "callbacks": "EarlyStopping History", "objectives": "mse",
            "losses": "mean_squared_error mse MSE mae MAE kld cosine Huber", "metrics": "mse mae categorical_accuracy",
            "optimizers": "SGD sgd rmsprop RMSprop adam nadam", "initializers": "VarianceScaling glorot_uniform",
            "regularizers": "l1 l2 l1_l2 L1L2", "constraints": "max_norm maxnorm MaxNorm non_neg unit_norm"}.items():
        module = importlib.import_module(f"tinynet.{path}")
        for name in names.split():
            assert hasattr(module, name), f"{path}.{name}"
    assert tinynet.Input(shape=(3,)).batch_input_shape == (None, 3)


# Models


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "mse"])
def test_a_forward_of_ones_own_is_used_by_all_methods_of_a_model(loss):
    class Doubled(Sequential):
        def forward(self, x, training=False):
            return super().forward(2 * x, training)

    own, plain = (cls([Dense(5, "relu", input_shape=(4,)), Dropout(0.2, seed=1), Dense(3, "softmax")])
                  for cls in (Doubled, Sequential))
    plain.set_weights(own.get_weights())
    for model in (own, plain):
        model.compile("rmsprop", loss, metrics=["accuracy", "categorical_crossentropy"])
    assert own.evaluate(X, Y, verbose=0) == plain.evaluate(2 * X, Y, verbose=0)
    assert own.fit(X, Y, shuffle=False, verbose=0).history == plain.fit(2 * X, Y, shuffle=False, verbose=0).history
    assert own.train_on_batch(X, Y) == plain.train_on_batch(2 * X, Y)
    assert equal(own, plain) and np.array_equal(own.predict(X), plain.predict(2 * X))
    assert own.explain_step(X, Y).loss == plain.explain_step(2 * X, Y).loss


class StepByHand(Sequential):
    """The training step as it was in 0.1, and as it is now."""

    old = False

    def train_step(self, x, y, weights=None):
        if self.old:
            y_pred = self.forward(x, training=True)
            loss = self.loss.forward(y, y_pred, weights) + self.penalty()
            self.backward(self.loss.backward(y, y_pred, weights))
            return loss, y_pred
        loss, y_pred = self.compute_gradients(x, y, weights)
        self.apply_gradients()
        self.update_state()
        return loss, y_pred


def test_a_step_of_ones_own_is_told_how_it_is_written_now():
    layers = [Dense(5, "relu", input_shape=(4,), kernel_regularizer="l2"), BatchNormalization(), Dense(3, "softmax")]
    own, plain = StepByHand(copy.deepcopy(layers)), Sequential(copy.deepcopy(layers))
    plain.set_weights(own.get_weights())
    for model in (own, plain):
        model.compile("adam", "categorical_crossentropy", metrics=["data_loss", "regularization"])
    own.old = True
    before = own.get_weights()
    with pytest.raises(TypeError, match=r"A training step of your own calls model.compute_gradients\(x, y, weights\), "
                                        r"apply_gradients\(\) and update_state"):
        own.fit(X, Y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, own.get_weights()))
    own.old = False
    for model in (own, plain):
        np.random.seed(0)
        model.fit(X, Y, epochs=2, batch_size=5, verbose=0)
    assert equal(own, plain) and own.history.history == plain.history.history


@pytest.mark.parametrize("name", ["backward", "propagate"])
def test_a_model_that_overrides_a_part_of_the_old_step_is_refused(name):
    own = type("Own", (Sequential,), {name: lambda self, dy: None})([Dense(3, input_shape=(4,))])
    with pytest.raises(TypeError, match=f"Own defines {name}, which is called compute_gradients now"):
        own.compile("sgd", "mse")


def test_an_optimizer_that_overrides_reset_is_refused():
    own = type("Own", (SGD,), {"reset": lambda self: None})
    with pytest.raises(TypeError, match="Own defines reset, which is called bind now"):
        Sequential([Dense(3, input_shape=(4,))]).compile(own(0.1), "mse")


def test_names_of_ones_own_in_a_model_stay():
    class Own(Sequential):
        head, body = "head", "body"

    model = Own([Dense(3, "softmax", input_shape=(4,))])
    model._lock = None
    model.compile("sgd", "categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    assert (model.head, model.body, model._lock) == ("head", "body", None)


def test_the_loss_is_the_one_given_to_compile(classifier):
    model, x, y = classifier
    assert model.loss.arguments == {} and model.loss_of_z.arguments == {"from_logits": True}
    loss = float(model.loss.forward(xp.asarray(y), model.forward(x)))
    assert loss == pytest.approx(model.evaluate(x, y, verbose=0)[0], rel=1e-5)


def test_another_optimizer_may_be_assigned_between_steps():
    """Each keeps its own slots, and finds them again."""
    class Recording(Optimizer):
        slot_names = ("seen",)

        def step(self, p, g, lr, seen):
            seen += 1

    model = Sequential([Dense(3, input_shape=(4,))])
    first, second = Recording(0.1), Recording(0.1)
    model.compile(first, "mse")
    for optimizer in (first, second, first, first):
        model.optimizer = optimizer
        model.train_on_batch(X, Y)
    assert {o: float(o.bind(model.parameters)[0][0]) for o in (first, second)} == {first: 3.0, second: 1.0}
    assert (first.iterations, second.iterations) == (3, 1)


@pytest.mark.parametrize("before, after", [(Adam, SGD), (SGD, Adam), (RMSprop, Adagrad), (Adam, lambda: Adam(0.01))])
def test_an_assigned_optimizer_starts_with_slots_of_its_own(before, after, path):
    model = Sequential([Dense(3, input_shape=(4,))])
    model.compile(before(), "mse")
    model.fit(X, Y, verbose=0)
    model.optimizer = after()
    new = Sequential([Dense(3, input_shape=(4,))])
    new.compile(after(), "mse")
    new.set_weights(model.get_weights())
    for each in (model, new):
        for _ in range(2):
            each.train_on_batch(X, Y)
    assert equal(model, new)
    model.save(path)
    loaded = tinynet.models.load_model(path)
    for each in (model, loaded):
        each.train_on_batch(X, Y)
    assert equal(model, loaded)


# Layers


class Block(Layer):
    """A Dense and a BatchNormalization as one layer."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = [Dense(units), BatchNormalization(momentum=0.5)]

    def build(self, input_shape):
        for layer in self.inner:
            layer.build_once(input_shape)
            input_shape = layer.output_shape
            self.parameters += layer.parameters

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def forward(self, x, training=False):
        for layer in self.inner:
            x = layer.forward(x, training)
        return x

    def backward(self, dy):
        for layer in reversed(self.inner):
            dy = layer.backward(dy)
        return dy


def test_batch_normalization_inside_a_layer_learns_its_running_means():
    nested = Sequential([Block(5, input_shape=(4,)), Activation("relu"), Dense(3)])
    flat = Sequential([Dense(5, input_shape=(4,)), BatchNormalization(momentum=0.5), Activation("relu"), Dense(3)])
    flat.set_weights(nested.get_weights())
    for model in (nested, flat):
        model.compile("sgd", "mse")
        model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    assert equal(nested, flat)
    mean, variance = nested.layers[0].get_weights()[4:]
    assert np.abs(mean).min() > 0 and np.abs(variance - 1).min() > 0


def test_batch_normalization_inside_a_frozen_layer_keeps_its_running_means():
    for freeze in (lambda block: setattr(block, "trainable", False),
                   lambda block: setattr(block.inner[1], "trainable", False)):
        model = Sequential([Block(5, input_shape=(4,)), Dense(3)])
        freeze(model.layers[0])
        model.compile("sgd", "mse")
        model.fit(X, Y, verbose=0)
        mean, variance = model.layers[0].get_weights()[4:]
        assert not mean.any() and (variance == 1).all()


def test_running_means_change_only_after_a_forward_in_training():
    class AlwaysInference(BatchNormalization):
        def forward(self, x, training=False):
            return super().forward(x, training=False)

    class Sometimes(BatchNormalization):
        calls = 0

        def forward(self, x, training=False):
            self.calls += training
            return super().forward(x, training) if self.calls == 1 else x

        def backward(self, dy):
            return super().backward(dy) if self.calls == 1 else dy

    means = {}
    for layer, steps in ((AlwaysInference(input_shape=(4,)), 3), (Sometimes(input_shape=(4,)), 1),
                         (Sometimes(input_shape=(4,)), 3)):
        model = Sequential([layer, Dense(3)])
        model.compile("sgd", "mse")
        for _ in range(steps):
            model.train_on_batch(X, Y)
        means[type(layer).__name__, steps] = to_numpy(layer.moving_mean.value)
    assert not means["AlwaysInference", 3].any() and means["Sometimes", 1].all()
    assert np.array_equal(means["Sometimes", 1], means["Sometimes", 3])


# What is called by another name today


@pytest.mark.parametrize("attributes, message", [
    ({"kept": ("best",)}, "Old defines kept, which is called state_attributes now: rename it"),
    ({"resume_run": lambda self, run: None}, "Old defines resume_run, which is called on_resume now"),
    ({"backup_run": lambda self, run: None}, "Old defines backup_run, which is called on_checkpoint now")])
def test_a_callback_whose_hooks_have_other_names_now_is_refused(attributes, message, classifier):
    model, x, y = classifier
    before = model.get_weights()
    with pytest.raises(TypeError, match=message):
        model.fit(x, y, verbose=0, callbacks=[type("Old", (Callback,), attributes)()])
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


def test_a_hook_that_is_an_attribute_of_the_callback_alone_is_refused_too(classifier):
    model, x, y = classifier
    callback = Callback()
    callback.backup_run = print
    with pytest.raises(TypeError, match="Callback defines backup_run, which is called on_checkpoint now"):
        model.fit(x, y, verbose=0, callbacks=[callback])


def test_a_layer_whose_hooks_have_other_names_now_is_refused():
    old = type("Old", (Dense,), {"chain": lambda self: [self]})
    model = Sequential([Dense(3, input_shape=(4,))])
    with pytest.raises(TypeError, match="Old defines chain, which is called stack now: rename it"):
        model.add(old(3))
    assert len(model.layers) == 1


def test_calling_the_three_parts_of_a_step_equals_train_on_batch(classifier):
    model, x, y = classifier
    other = Sequential.from_config(model.get_config())
    other.set_weights(model.get_weights())
    other.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch(x, y)
    other.compute_gradients(*other.checked_batch(x, y))
    other.apply_gradients()
    other.update_state()
    assert equal(model, other)
