"""Every hand-written derivative in tinynet is right, to ten digits at least.

A derivative is the limit of (L(w + h) - L(w - h)) / 2h.  So take h small, run forward twice, and compare with what
backward said: if they agree to six digits on random numbers, backward is right; a forgotten factor, a transposed
matrix or a lost mask disagrees in the first digit.  To get all digits move w by ih instead: then L(w + ih) is
L(w) + ih L'(w), and nothing is subtracted.  Read tinynet/gradient_check/numeric.py first: each method is one line.

Everything that has a backward stands in one of the tables LAYERS, LOSSES and MODELS, and a test fails when one is
missing.  tests/test_gradient_check.py shows that the check finds what is wrong.
"""
import numpy as np
import pytest

from tinynet import activations, layers, losses, regularizers
from tinynet.backend import to_numpy, xp
from tinynet.gradient_check import (assert_gradients, check_layer, check_loss, check_model, check_regularizer,
                                    numeric_gradient)
from tinynet.layers import (ELU, Activation, ActivityRegularization, AlphaDropout, BatchNormalization, Dense, Dropout,
                            Flatten, GaussianDropout, GaussianNoise, InputLayer, LeakyReLU, PReLU, ReLU, Reshape,
                            Softmax, ThresholdedReLU)
from tinynet.fused_layers import DenseReluDropout
from tinynet.models import Sequential
from tinynet.regularizers import L1L2

pytestmark = pytest.mark.usefixtures("float64")
numbers = np.random.default_rng(0)         # for the tables below; each test has its own: the fixture rng

# name of a class of tinynet.layers: makers of the layers to check, each with the shape of one sample
LAYERS = {
    "Dense": {
        "linear": (lambda: Dense(4), (3,)),
        "without bias": (lambda: Dense(4, use_bias=False), (3,)),
        "with relu": (lambda: Dense(4, activation="relu"), (3,)),
        "with softmax": (lambda: Dense(4, activation="softmax"), (3,)),
        "over the last of three axes": (lambda: Dense(4, activation="tanh"), (2, 3)),
        "with activity_regularizer": (lambda: Dense(4, activation="tanh", activity_regularizer="l1_l2"), (3,)),
    },
    "Activation": {name: (lambda name=name: Activation(name), (5,)) for name in activations.ACTIVATIONS},
    "Softmax": {
        "last axis": (lambda: Softmax(), (5,)),
        "middle axis": (lambda: Softmax(axis=1), (4, 3)),
    },
    "ReLU": {
        "plain": (lambda: ReLU(), (5,)),
        "leaky and limited": (lambda: ReLU(max_value=0.7, negative_slope=0.1, threshold=0.2), (5,)),
    },
    "Dropout": {
        "a fifth": (lambda: Dropout(0.2, seed=3), (50,)),
        "none": (lambda: Dropout(0.0), (5,)),
    },
    "LeakyReLU": {"plain": (lambda: LeakyReLU(), (5,)), "folding back": (lambda: LeakyReLU(-0.5), (5,))},
    "ThresholdedReLU": {"plain": (lambda: ThresholdedReLU(0.3), (5,))},
    "ELU": {"plain": (lambda: ELU(), (5,)), "of another height": (lambda: ELU(0.4), (5,))},
    "PReLU": {
        "plain": (lambda: PReLU("random_normal"), (5,)),
        "a shared axis": (lambda: PReLU("random_normal", shared_axes=[1]), (2, 3)),
        "all axes shared": (lambda: PReLU("random_normal", shared_axes=[1, 2]), (2, 3)),
    },
    "BatchNormalization": {
        "plain": (lambda: BatchNormalization(), (5,)),
        "with other gamma and beta": (lambda: BatchNormalization(
            beta_initializer="random_normal", gamma_initializer="random_normal"), (5,)),
        "neither gamma nor beta": (lambda: BatchNormalization(center=False, scale=False), (5,)),
        "of a middle axis": (lambda: BatchNormalization(axis=1, gamma_initializer="random_normal"), (2, 3)),
    },
    "Dropout, noise_shape": {"columns": (lambda: Dropout(0.5, noise_shape=(None, 1, None), seed=3), (4, 5))},
    "AlphaDropout": {"a fifth": (lambda: AlphaDropout(0.2, seed=3), (50,))},
    "GaussianDropout": {"a fifth": (lambda: GaussianDropout(0.2), (5,))},
    "GaussianNoise": {"a fifth": (lambda: GaussianNoise(0.2), (5,))},
    "ActivityRegularization": {"both": (lambda: ActivityRegularization(0.1, 0.2), (5,))},
    "Flatten": {"two axes": (lambda: Flatten(), (2, 3))},
    "Reshape": {"two axes": (lambda: Reshape((3, -1)), (2, 3))},
    "InputLayer": {"plain": (lambda: InputLayer(), (2, 3))},
}
CASES = [pytest.param(make, shape, id=f"{name}: {case}")
         for name, cases in LAYERS.items() for case, (make, shape) in cases.items()]


@pytest.mark.parametrize("make, shape", CASES)
def test_gradient_of_a_layer(make, shape):
    assert_gradients(check_layer(make(), (4, *shape)))


@pytest.mark.parametrize("dropout", [None, Dropout(0.5, seed=3)], ids=["", "with dropout"])
def test_gradient_of_layers_that_run_as_one(dropout):
    """`check_model` checks them one by one, so that it can name the wrong one."""
    dense = Dense(4)
    for layer in filter(None, (dense, dropout)):
        layer.build_once((None, 4))
    assert_gradients(check_layer(DenseReluDropout(dense, dropout), (5, 4)))


def test_no_layer_is_left_unchecked():
    assert {name.split(",")[0] for name in LAYERS} == set(layers.LAYERS)


@pytest.mark.parametrize("function", activations.ACTIVATIONS.values(), ids=lambda f: f.__name__)
def test_derivative_of_an_activation_is_found_from_its_output(function, rng):
    x, dy = xp.asarray(rng.standard_normal((3, 5))), xp.asarray(rng.standard_normal((3, 5)))
    dx = activations.BACKWARD[function](function(x), dy.copy())
    assert to_numpy(dx) == pytest.approx(numeric_gradient(lambda: (dy * function(x)).sum(), x), rel=1e-6, abs=1e-9)


def distributions(n, c):
    p = numbers.uniform(0.1, 1, (n, c))
    return p / p.sum(axis=1, keepdims=True)


# name of a loss: (y_true, y_pred) to check it on.  Predictions need not be distributions: the derivative with respect
# to each of them must be right by itself.
NUMBERS = numbers.standard_normal((4, 3)), numbers.standard_normal((4, 3))
POSITIVE = numbers.uniform(0.1, 2, (4, 3)), numbers.uniform(0.1, 2, (4, 3))
ONE_HOT = distributions(4, 3), numbers.uniform(0.1, 2, (4, 3))
CLASS_NUMBERS = np.array([[0], [2], [1], [2]]), numbers.uniform(0.1, 0.9, (4, 3))
YES_OR_NO = numbers.integers(0, 2, (4, 3)).astype(float), numbers.uniform(0.1, 0.9, (4, 3))
LOGITS = numbers.standard_normal((4, 3))
LOSSES = {
    "mean_squared_error": NUMBERS,
    "mean_absolute_error": NUMBERS,
    "mean_absolute_percentage_error": NUMBERS,
    "mean_squared_logarithmic_error": POSITIVE,
    "mean_squared_logarithmic_error, clipped": NUMBERS,
    "logcosh": NUMBERS,
    "huber_loss": NUMBERS,
    "huber_loss, delta 0.3": NUMBERS,
    "poisson": POSITIVE,
    "cosine_proximity": NUMBERS,
    "hinge": (np.sign(NUMBERS[0]), NUMBERS[1]),
    "hinge, of 0 and 1": (YES_OR_NO[0], NUMBERS[1]),
    "squared_hinge": (YES_OR_NO[0], NUMBERS[1]),
    "categorical_hinge": (np.eye(3)[[0, 2, 1, 2]], NUMBERS[1]),
    "kullback_leibler_divergence": (distributions(4, 3), distributions(4, 3)),
    "kullback_leibler_divergence, clipped": NUMBERS,
    "categorical_crossentropy": ONE_HOT,
    "categorical_crossentropy, from logits": (ONE_HOT[0], LOGITS),
    "categorical_crossentropy, smoothed": ONE_HOT,
    "sparse_categorical_crossentropy": CLASS_NUMBERS,
    "sparse_categorical_crossentropy, from logits": (CLASS_NUMBERS[0], LOGITS),
    "binary_crossentropy": YES_OR_NO,
    "binary_crossentropy, from logits": (YES_OR_NO[0], LOGITS),
    "binary_crossentropy, smoothed": YES_OR_NO,
}
ARGUMENTS = {"from logits": {"from_logits": True}, "smoothed": {"label_smoothing": 0.2}, "delta 0.3": {"delta": 0.3}}


def loss_named(name, reduction="sum_over_batch_size"):
    function, _, arguments = name.partition(", ")
    function = losses.LOSSES[function]
    return losses.Loss(function, losses.BACKWARD[function], reduction, **ARGUMENTS.get(arguments, {}))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
@pytest.mark.parametrize("weights", [None, np.array([0.0, 1.0, 2.0, 0.5])], ids=["unweighted", "weighted"])
def test_gradient_of_a_loss(name, weights, reduction):
    assert_gradients(check_loss(loss_named(name, reduction), *LOSSES[name], weights))


def test_no_loss_is_left_unchecked():
    assert {function.__name__ for function in losses.BACKWARD} == {name.split(",")[0] for name in LOSSES}


@pytest.mark.parametrize("make", regularizers.REGULARIZERS.values(), ids=regularizers.REGULARIZERS)
def test_gradient_of_a_regularizer(make, rng):
    assert_gradients(check_regularizer(make(0.3), rng.standard_normal((4, 3))))


def test_kinks_are_where_tensorflow_has_them():
    """Where a function has no derivative, Keras's gradient is that of one side, or zero."""
    zero, one = xp.zeros((1, 1)), xp.ones((1, 1))
    assert L1L2(l1=1).gradient(zero) == 0
    for name, y_true, y_pred, expected in (
            ("mean_absolute_error", one, one, 0), ("mean_absolute_percentage_error", one, one, 0),
            ("hinge", one, one, -1), ("categorical_hinge", one, one, 0), ("huber_loss", zero, one, 1)):
        assert losses.BACKWARD[losses.LOSSES[name]](y_true, y_pred) == expected, name
    shared = losses.BACKWARD[losses.categorical_hinge](xp.array([[1.0, 0, 0]]), xp.array([[0.0, 1, 1]]))
    assert shared.tolist() == [[-1, 0.5, 0.5]]
    for layer, expected in ((ReLU(), 0), (LeakyReLU(0.25), 0.25), (ThresholdedReLU(0.0), 0), (ELU(0.3), 0.3),
                            (PReLU("ones"), 0), (Activation("relu"), 0)):
        layer.build_once((None, 1))
        layer.forward(zero)
        assert layer.backward(one.copy()) == expected, layer


def test_clipped_probabilities_have_no_gradient():
    """Where -log(p) is cut off at p = 1e-7, moving p changes nothing."""
    y_true, y_pred = xp.array([[1.0, 0.0]]), xp.array([[1e-9, 0.5]])
    for name in ("binary_crossentropy", "sparse_categorical_crossentropy"):
        loss = loss_named(name)
        dy = loss.backward(xp.array([[0]]) if "sparse" in name else y_true, y_pred)
        assert dy[0, 0] == 0
        assert dy[0, 1] != 0


# Whole models: the chain rule across layers, losses and sample weights.
def model_of(*layers, loss="categorical_crossentropy"):
    model = Sequential(layers)
    model.compile("sgd", loss)
    return model


MODELS = {
    "the tutorial's network, small": lambda: model_of(
        Dense(5, activation="relu", input_shape=(4,)), Dropout(0.2, seed=1),
        Dense(5, activation="relu"), Dropout(0.2, seed=2), Dense(3, activation="softmax")),
    "softmax not fused with its loss": lambda: model_of(
        Dense(5, activation="tanh", input_shape=(4,)), Dense(3, activation="softmax"), loss="mse"),
    "softmax, then another layer": lambda: model_of(
        Dense(3, activation="softmax", input_shape=(4,)), Dense(3, activation="sigmoid")),
    "a frozen first layer": lambda: model_of(
        Dense(5, activation="sigmoid", input_shape=(4,), trainable=False), Dense(5, activation="tanh"), Dense(3),
        Softmax()),
    "all kinds of regularization": lambda: model_of(
        Dense(5, activation="relu", input_shape=(4,), kernel_regularizer=L1L2(0.01, 0.02), bias_regularizer=L1L2(0.03),
              activity_regularizer=L1L2(0.04, 0.05)),
        BatchNormalization(gamma_regularizer="l2", beta_regularizer="l1"), PReLU(alpha_regularizer="l2"),
        Dense(3, activation="softmax", kernel_regularizer="l2", activity_regularizer=L1L2(0.01, 0.2))),
    "noise": lambda: model_of(
        Dense(5, activation="selu", input_shape=(4,)), AlphaDropout(0.2), GaussianNoise(0.3), GaussianDropout(0.2),
        Dense(3, activation="softmax")),
    "Huber": lambda: model_of(Dense(3, input_shape=(4,), activation="softplus"), loss=losses.Huber(0.2)),
    "label smoothing, sum": lambda: model_of(
        Dense(3, input_shape=(4,), activation="softmax"), loss=losses.CategoricalCrossentropy(
            label_smoothing=0.1, reduction="sum")),
    "from logits": lambda: model_of(
        Dense(3, input_shape=(4,)), loss=losses.CategoricalCrossentropy(from_logits=True)),
    "a frozen middle layer": lambda: model_of(
        Dense(5, activation="sigmoid", input_shape=(4,)), Dense(5, activation="tanh", trainable=False), Dense(3),
        Activation("softmax")),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("weights", [None, [1, 2, 0, 0.5]], ids=["unweighted", "weighted"])
def test_gradient_of_a_model(make, weights, rng):
    assert_gradients(check_model(make(), rng.standard_normal((4, 4)), np.eye(3)[[0, 2, 1, 2]], sample_weight=weights))


def test_model_with_class_numbers_and_with_yes_or_no(rng):
    x = rng.standard_normal((4, 4))
    sparse = model_of(Dense(3, activation="softmax", input_shape=(4,)), loss="sparse_categorical_crossentropy")
    assert_gradients(check_model(sparse, x, [0, 2, 1, 2]))
    binary = model_of(Dense(1, activation="sigmoid", input_shape=(4,)), loss="binary_crossentropy")
    assert_gradients(check_model(binary, x, [0, 1, 1, 0]))
