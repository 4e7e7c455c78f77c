"""tinynet's numbers are those of Keras 2.3.1 on TensorFlow 2.1, in float64.

The expected numbers were printed by the real thing.  Those in this file have nine digits and came from the same set-up
with keras in tinynet's place; keras_reference.json was written by keras_reference.py.  Both ran on Python 3.7 after

    pip install tensorflow-cpu==2.1.0 keras==2.3.1 "protobuf<3.21" "h5py<3"

Adam, Adamax, Nadam and `decay` are not in that file: in the real Keras 2.3.1 they read a step counter that another
operation is writing, so two identical models differ. tests/test_optimizers.py checks them against their formulas.
"""
import json
from pathlib import Path

import keras_reference
import numpy as np
import pytest

from tinynet import losses
from tinynet.backend import to_numpy, xp
from tinynet.layers import Activation, Dense, Softmax
from tinynet.models import Sequential
from tinynet.constraints import max_norm
from tinynet.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, RMSprop
from tinynet.regularizers import l1, l1_l2, l2

pytestmark = pytest.mark.usefixtures("float64")

X = np.sin(np.arange(1, 41)).reshape(10, 4)
Y = np.eye(3)[np.arange(10) % 3]


def network(activation="relu", **options):
    model = Sequential([Dense(5, activation=activation, input_shape=(4,), **options), Dense(3, activation="softmax")])
    model.set_weights([0.5 * np.cos(np.arange(20)).reshape(4, 5), 0.1 * np.sin(np.arange(5)),
                       0.5 * np.sin(np.arange(15)).reshape(5, 3), np.zeros(3)])
    return model


def trained(model, optimizer, loss="categorical_crossentropy", **options):
    model.compile(optimizer, loss)
    return model.fit(X, Y, batch_size=4, epochs=3, shuffle=False, validation_data=(X, Y), verbose=0, **options).history


def nine_digits(values):
    return [float(f"{value:.9g}") for value in values]


@pytest.mark.parametrize("optimizer, options, loss, val_loss", [
    (RMSprop(), {}, [1.0968193, 1.0829745, 1.07429342], [1.08393704, 1.07505228, 1.06765277]),
    (RMSprop(lr=0.01, rho=0.8, epsilon=1e-3), {},
     [1.08715025, 0.991425886, 0.930627126], [0.998970614, 0.936033362, 0.884202563]),
    (SGD(0.1, momentum=0.9, nesterov=True), {},
     [1.08601478, 0.852675461, 0.59551555], [0.902894974, 0.6579856, 0.424770362]),
    (SGD(0.1, momentum=0.9), {}, [1.0926101, 0.897182099, 0.654569057], [0.954206526, 0.725660934, 0.496445277]),
    (SGD(0.1, clipnorm=0.1), {}, [1.09722732, 1.08693673, 1.07681882], [1.08801391, 1.07784269, 1.06783813]),
    (Adagrad(), {}, [1.09365735, 1.0515329, 1.02809282], [1.05398357, 1.02977222, 1.01094528]),
    (Adadelta(), {}, [1.09752869, 1.08896752, 1.08086535], [1.08984195, 1.08169508, 1.07370704]),
    (RMSprop(), {"class_weight": {0: 1, 1: 2, 2: 0.5}},
     [1.26359774, 1.24721072, 1.23661526], [1.08589359, 1.0772971, 1.0700688]),
    (RMSprop(), {"sample_weight": np.linspace(0, 1, 10)},
     [0.549859585, 0.541364367, 0.536170915], [1.08155, 1.07418354, 1.06813499]),
], ids=["rmsprop", "rmsprop with arguments", "nesterov", "momentum", "clipnorm", "adagrad", "adadelta", "class_weight",
        "sample_weight"])
def test_losses_of_three_epochs(optimizer, options, loss, val_loss):
    history = trained(network(), optimizer, **options)
    assert nine_digits(history["loss"]) == loss
    assert nine_digits(history["val_loss"]) == val_loss


@pytest.mark.parametrize("optimizer, losses_of_folds", [
    (Adam(0.01), [1.177908747586, 1.108216338464, 1.147466865338, 1.099586361445, 1.075172109090, 1.036590438899]),
    (Adamax(0.01), [1.177908407968, 1.115561500550, 1.151215621893, 1.127836067970, 1.078694971469, 1.063852549757]),
    (SGD(0.1, momentum=0.9, decay=0.1),
     [1.173383825311, 1.008433132172, 1.140092534188, 1.005450087898, 1.071239273612, 0.986951157120]),
], ids=["Adam", "Adamax", "SGD with decay"])
def test_one_optimizer_for_the_models_of_three_folds(optimizer, losses_of_folds):
    """Slots start at zero in each fold, and the steps of all folds count on, as in Keras.

    In the real Keras each model reads the step counter before or after it is increased, by chance. These numbers are of
    runs that read it before; folds 1 to 3 of several runs gave these numbers or others that differ in the third digit.
    """
    found = []
    for fold in range(3):
        model = Sequential([Dense(5, activation="tanh", input_shape=(4,)), Dense(3, activation="softmax")])
        model.set_weights([0.5 * np.cos(np.arange(w.size) + i).reshape(w.shape)
                           for i, w in enumerate(model.get_weights())])
        model.compile(optimizer, "categorical_crossentropy")
        found += model.fit(X[fold:fold + 7], Y[fold:fold + 7], batch_size=4, epochs=2, shuffle=False,
                           verbose=0).history["loss"]
    assert found == pytest.approx(losses_of_folds, rel=1e-12)
    assert optimizer.iterations == 12


def test_regularizers_and_a_constraint():
    model = network(kernel_regularizer=l1_l2(0.01, 0.02), bias_regularizer=l2(0.03), activity_regularizer=l1(0.004),
                    kernel_constraint=max_norm(1))
    history = trained(model, RMSprop())
    assert nine_digits(history["loss"]) == [1.23991469, 1.22558537, 1.21669571]
    assert nine_digits(history["val_loss"]) == [1.2266451, 1.21751692, 1.20996631]


@pytest.mark.parametrize("activation, loss", [
    ("tanh", 1.03210364), ("sigmoid", 1.09472819), ("elu", 1.02513404), ("selu", 0.993062707), ("softplus", 1.07898747),
    ("softsign", 1.06136078), ("hard_sigmoid", 1.09682457), ("exponential", 1.02972468), ("linear", 0.994070898)])
def test_hidden_activations(activation, loss):
    assert nine_digits(trained(network(activation), RMSprop())["loss"])[-1] == loss


@pytest.mark.parametrize("name, loss", [
    ("mse", 0.217014371), ("mae", 0.438784408), ("mape", 219392203), ("msle", 0.107249686), ("hinge", 1.10545107),
    ("squared_hinge", 1.32246886), ("kld", 1.07429042), ("poisson", 0.691431073), ("cosine_proximity", -0.590837101),
    ("binary_crossentropy", 0.62457059), (losses.Huber(0.5), 0.104304234),
    (losses.CategoricalCrossentropy(label_smoothing=0.1), 1.07693908)])
def test_other_losses(name, loss):
    assert nine_digits(trained(network(), RMSprop(), name)["loss"])[-1] == loss


@pytest.mark.parametrize("name, loss", [("categorical_hinge", 1.00341806), ("logcosh", 0.103165179)])
def test_losses_that_keras_has_in_float32_only(name, loss):
    assert trained(network(), RMSprop(), name)["loss"][-1] == pytest.approx(loss, rel=3e-7)


REFERENCE = json.loads((Path(__file__).parent / "support" / "keras_reference.json").read_text())


def assert_reference(ours, rel, abs_):
    """Each number of the reference runs, or float32's few digits where Keras has no more; words exactly."""
    assert list(ours) == list(REFERENCE)
    for case, expected in REFERENCE.items():
        assert list(ours[case]) == list(expected), case
        options = dict(rel=1e-5, abs=1e-6) if case.startswith("float32") else dict(rel=rel, abs=abs_)
        for what, values in expected.items():
            if isinstance(values, dict) or isinstance(values[0], str):
                assert ours[case][what] == values, f"{case}: {what}"
            else:
                assert ours[case][what] == pytest.approx(values, **options), f"{case}: {what}"


def test_every_number_of_the_reference_runs():
    """Histories, evaluate, predict and final weights of over a hundred networks, in the order of the history's keys;
    the events that a callback sees; and the configs of layers.
    """
    assert_reference(keras_reference.reference("tinynet"), rel=1e-11, abs_=1e-13)


def test_a_crossentropy_is_the_same_as_a_loss_and_as_a_metric():
    for last, loss in (("softmax", "categorical_crossentropy"), ("sigmoid", "binary_crossentropy")):
        model = Sequential([Dense(3, activation=last, input_shape=(1,), weights=[[[90.0, 0.0, -90.0]], np.zeros(3)])])
        model.compile("sgd", loss, metrics=[loss])
        values = model.evaluate(np.ones((1, 1)), np.array([[0.0, 1.0, 0.0]]), verbose=0)
        assert values[0] == values[1] > 20


def test_class_numbers_train_like_one_hot_rows():
    one_hot = trained(network(), RMSprop())
    model = network()
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    numbers = model.fit(X, np.arange(10) % 3, batch_size=4, epochs=3, shuffle=False, verbose=0).history
    assert numbers["loss"] == pytest.approx(one_hot["loss"], rel=1e-14)


@pytest.mark.parametrize("last", [
    lambda: [Dense(3, activation="softmax")], lambda: [Dense(3), Activation("softmax")], lambda: [Dense(3), Softmax()]],
    ids=["Dense(activation)", "Activation", "Softmax"])
def test_a_loss_after_softmax_is_taken_from_the_logits(last):
    """A prediction wrong by 100 logits costs exactly 100, with a gradient, in each way to write it."""
    layers = last()
    layers[0].batch_input_shape = (None, 1)
    model = Sequential(layers)
    model.set_weights([np.array([[100.0, 0.0, -100.0]]), np.zeros(3)])
    model.compile("sgd", "categorical_crossentropy")
    assert model.evaluate(np.ones((1, 1)), np.array([[0.0, 1.0, 0.0]]), verbose=0) == 100
    model.train_on_batch(np.ones((1, 1)), np.array([[0.0, 1.0, 0.0]]))
    assert model.get_weights()[1] == pytest.approx([-0.01, 0.01, 0])


def test_a_loss_after_sigmoid_is_taken_from_the_logits():
    model = Sequential([Dense(1, activation="sigmoid", input_shape=(1,), weights=[[[50.0]], [0.0]])])
    model.compile("sgd", "binary_crossentropy")
    assert model.evaluate(np.ones(1), np.zeros(1), verbose=0) == 50


def test_a_loss_after_a_softmax_over_more_axes_is_clipped():
    """Only a softmax of (N, C) is TensorFlow's own operation, which Keras looks for."""
    model = Sequential([Dense(2, activation="softmax", input_shape=(1, 1), weights=[[[100.0, 0.0]], [0.0, 0.0]])])
    model.compile("sgd", "categorical_crossentropy")
    loss = model.evaluate(np.ones((1, 1, 1)), np.array([[[0.0, 1.0]]]), verbose=0)
    assert loss == pytest.approx(16.1181, abs=5e-5)


def test_a_loss_after_anything_else_is_clipped():
    """One more layer hides the softmax from Keras, and log(0) becomes log(1e-7)."""
    y_true, y_pred = xp.asarray(np.array([[0.0, 1.0, 0.0]])), xp.asarray(np.array([[1.0, 0.0, 0.0]]))
    assert to_numpy(losses.categorical_crossentropy(y_true, y_pred))[0] == pytest.approx(16.1181, abs=5e-5)
