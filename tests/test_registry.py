"""Whatever tinynet builds can be described as plain data and built again from it, and goes by Keras's names."""
import json

import numpy as np
import pytest

from tinynet import activations, constraints, initializers, layers, losses, metrics, optimizers, regularizers
from tinynet.layers import Dense, Layer
from tinynet.models import Sequential, model_from_json
from tinynet.utils import CustomObjectScope, custom_object_scope, get_custom_objects

FAMILIES = {
    initializers: initializers.INITIALIZERS, regularizers: regularizers.REGULARIZERS,
    constraints: constraints.CONSTRAINTS, optimizers: optimizers.OPTIMIZERS, losses: losses.LOSSES | losses.CLASSES,
    metrics: metrics.FUNCTIONS | metrics.CLASSES, activations: activations.ACTIVATIONS}
NAMES = [pytest.param(module, name, id=f"{module.__name__.split('.')[-1]}: {name}")
         for module, table in FAMILIES.items() for name in table if name not in (
             "MeanMetricWrapper", "SensitivityAtSpecificity", "SpecificityAtSensitivity")]   # need arguments


@pytest.mark.parametrize("module, name", NAMES)
def test_every_name_builds_something_that_its_config_builds_again(module, name):
    thing = module.get(name)
    config = json.loads(json.dumps(module.serialize(thing)))
    again = module.get(config)
    assert type(again) is type(thing)
    assert module.serialize(again) == config


@pytest.mark.parametrize("metric", [
    metrics.MeanMetricWrapper(metrics.mse, "own"), metrics.SensitivityAtSpecificity(0.5, 11),
    metrics.SpecificityAtSensitivity(0.25), metrics.AUC(5, "PR", "minoring"), metrics.AUC(thresholds=[0.3, 0.1]),
    metrics.Precision([0.2, 0.5], class_id=1), metrics.TruePositives([0.2, 0.5]), metrics.Recall(0.3, 2)])
def test_every_metric_is_built_again_by_its_config(metric):
    config = json.loads(json.dumps(metrics.serialize(metric)))
    again = metrics.deserialize(config)
    assert metrics.serialize(again) == config
    y_true, y_pred = np.eye(3)[[0, 1, 2, 1]], np.linspace(0.05, 0.95, 12).reshape(4, 3)
    assert np.array_equal(again(y_true, y_pred), metric(y_true, y_pred))


LAYERS = [
    Dense(3, "relu", False, "he_normal", "ones", "l2", regularizers.l1(0.5), "l1_l2", "max_norm",
          constraints.MinMaxNorm(0.5, 1.5), input_shape=(4,), trainable=False),
    layers.Activation("selu"), layers.ActivityRegularization(0.1, 0.2), layers.AlphaDropout(0.5, (None, 4), 3),
    layers.BatchNormalization(1, 0.5, 0.1, False, True, gamma_regularizer="l2", beta_constraint="non_neg"),
    layers.Dropout(0.5, noise_shape=(None, 1), seed=3), layers.ELU(0.5), layers.Flatten(), layers.GaussianDropout(0.5),
    layers.GaussianNoise(0.5), layers.InputLayer(input_shape=(3,)), layers.LeakyReLU(0.25),
    layers.PReLU("ones", "l1", "unit_norm", [1]), layers.ReLU(6.0, 0.5, 0.25), layers.Reshape((2, -1)),
    layers.Softmax(1), layers.ThresholdedReLU(0.5)]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_every_layer_is_built_again_by_its_config(layer):
    config = json.loads(json.dumps(layers.serialize(layer)))
    again = layers.deserialize(config)
    assert type(again) is type(layer)
    assert layers.serialize(again) == config


def test_no_layer_is_left_out():
    assert {type(layer).__name__ for layer in LAYERS} == set(layers.LAYERS)


def test_every_object_of_keras_s_config_has_keras_s_attributes():
    """What one takes an argument by is also how one asks for it."""
    layer = LAYERS[0]
    assert layer.kernel_regularizer.l2 == 0.01 and layer.bias_constraint.max_value == 1.5
    assert layer.get_config()["kernel_initializer"]["class_name"] == "VarianceScaling"


def test_a_model_is_built_again_from_json():
    model = Sequential([Dense(5, "relu", input_shape=(4,), kernel_regularizer="l2"), layers.BatchNormalization(),
                        layers.Dropout(0.2, seed=1), Dense(3, "softmax")])
    again = model_from_json(model.to_json(indent=1))
    assert again.get_config() == model.get_config()
    again.set_weights(model.get_weights())
    x = np.random.random((2, 4))
    assert (again.predict(x) == model.predict(x)).all()
    unbuilt = Sequential.from_config(Sequential([Dense(3)]).get_config())
    assert not unbuilt.built


def test_a_model_that_its_data_built_keeps_its_shape():
    model = Sequential([Dense(3)])
    model.build((None, 4))
    assert Sequential.from_config(model.get_config()).get_weights()[0].shape == (4, 3)


class Twice(Layer):
    def __init__(self, times=2, **kwargs):
        super().__init__(**kwargs)
        self.times = times

    def forward(self, x, training=False):
        return self.times * x

    def backward(self, dy):
        return self.times * dy


def test_a_layer_of_ones_own_is_handed_in_by_its_name():
    model = Sequential([Twice(3, input_shape=(4,))])
    with pytest.raises(ValueError, match="Unknown layer: Twice. .*Known: Activation"):
        model_from_json(model.to_json())
    assert model_from_json(model.to_json(), {"Twice": Twice}).layers[0].times == 3
    with custom_object_scope({"Twice": Twice}):
        assert model_from_json(model.to_json()).layers[0].times == 3
    assert get_custom_objects() == {}


def test_custom_objects_have_names_everywhere():
    class Half(regularizers.Regularizer):
        def __call__(self, w):
            return w.sum() / 2

        def gradient(self, w):
            return np.full_like(w, 0.5)

    with CustomObjectScope({"half": Half, "tiny": lambda shape: np.full(shape, 1e-3)}):
        layer = Dense(2, kernel_regularizer="half", kernel_initializer="tiny")
        layer.build_once((None, 3))
    assert float(layer.losses[0]) == pytest.approx(0.003)
    get_custom_objects()["half"] = Half
    try:
        assert isinstance(regularizers.get("half"), Half)
    finally:
        get_custom_objects().clear()


@pytest.mark.parametrize("config", [{}, {"class_name": "Dense"}, {"class_name": 3, "config": {}},
                                    {"class_name": "Dense", "config": 5}])
def test_what_is_no_config_is_refused(config):
    with pytest.raises(ValueError, match="Improper config format"):
        layers.deserialize(config)


def test_a_config_with_an_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="Keyword argument not understood: 'unit'. Dense takes: units, "):
        layers.deserialize({"class_name": "Dense", "config": {"units": 3, "unit": 3}})


def test_an_object_that_does_not_keep_its_arguments_says_so():
    class Forgetful(Layer):
        def __init__(self, size, **kwargs):
            super().__init__(**kwargs)

    with pytest.raises(NotImplementedError, match="Forgetful keeps no attribute 'size': keep each argument under"):
        Forgetful(3).get_config()
