"""tinynet's numbers are those of Keras 2.3.1 on TensorFlow 2.1, in float64.

The expected numbers were printed by the real thing.  Those in this file have nine digits and came from the same set-up
with keras in tinynet's place; keras_reference.json was written by keras_reference.py.  Both ran on Python 3.7 after

    pip install tensorflow-cpu==2.1.0 keras==2.3.1 "protobuf<3.21" "h5py<3"

Adam and `decay` are left out on purpose: in the real Keras 2.3.1 they read a step counter that another operation is
writing, so two identical models differ.  tests/test_optimizers.py checks them against their formulas.
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
from tinynet.optimizers import SGD, RMSprop

pytestmark = pytest.mark.usefixtures("float64")

X = np.sin(np.arange(1, 41)).reshape(10, 4)
Y = np.eye(3)[np.arange(10) % 3]


def network(activation="relu"):
    model = Sequential([Dense(5, activation=activation, input_shape=(4,)), Dense(3, activation="softmax")])
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
    (RMSprop(), {"class_weight": {0: 1, 1: 2, 2: 0.5}},
     [1.26359774, 1.24721072, 1.23661526], [1.08589359, 1.0772971, 1.0700688]),
    (RMSprop(), {"sample_weight": np.linspace(0, 1, 10)},
     [0.549859585, 0.541364367, 0.536170915], [1.08155, 1.07418354, 1.06813499]),
], ids=["rmsprop", "rmsprop with arguments", "nesterov", "momentum", "clipnorm", "class_weight", "sample_weight"])
def test_losses_of_three_epochs(optimizer, options, loss, val_loss):
    history = trained(network(), optimizer, **options)
    assert nine_digits(history["loss"]) == loss
    assert nine_digits(history["val_loss"]) == val_loss


@pytest.mark.parametrize("activation, loss", [
    ("tanh", 1.03210364), ("sigmoid", 1.09472819), ("linear", 0.994070898)])
def test_hidden_activations(activation, loss):
    assert nine_digits(trained(network(activation), RMSprop())["loss"])[-1] == loss


@pytest.mark.parametrize("name, loss", [("mse", 0.217014371), ("binary_crossentropy", 0.62457059)])
def test_other_losses(name, loss):
    assert nine_digits(trained(network(), RMSprop(), name)["loss"])[-1] == loss


REFERENCE = json.loads((Path(__file__).parent / "keras_reference.json").read_text())


def test_every_number_of_the_reference_runs():
    """Histories, evaluate, predict and final weights of two dozen networks, and the order of the history's keys."""
    ours = keras_reference.reference("tinynet")
    assert list(ours) == list(REFERENCE)
    for case, expected in REFERENCE.items():
        assert list(ours[case]) == list(expected), case
        for what, values in expected.items():
            assert ours[case][what] == pytest.approx(values, rel=1e-11, abs=1e-13), f"{case}: {what}"


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
