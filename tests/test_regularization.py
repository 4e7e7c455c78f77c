"""Penalties go into the loss and into the gradient, constraints hold after every step, and both can be seen apart."""
import numpy as np
import pytest

from tinynet import constraints, regularizers
from tinynet.backend import to_numpy, xp
from tinynet.layers import BatchNormalization, Dense
from tinynet.models import Sequential
from tinynet.optimizers import SGD
from tinynet.regularizers import L1L2


def data(n=10):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, 4)), np.eye(3)[np.arange(n) % 3]


def network(**options):
    model = Sequential([Dense(5, "relu", input_shape=(4,), **options), Dense(3, "softmax")])
    model.compile(SGD(0.1), "categorical_crossentropy", metrics=["data_loss", "accuracy", "regularization"])
    return model


def test_one_regularized_step_worked_out_by_hand(float64):
    model = Sequential([Dense(1, use_bias=False, input_shape=(1,), weights=[[[3.0]]],
                              kernel_regularizer=L1L2(0.5, 0.25), kernel_constraint=lambda w: w.clip(-1, 1))])
    model.compile(SGD(0.1), "mse")
    # y = 3, l = (3 - 1)^2 = 4, R = 0.5 |3| + 0.25 3^2 = 3.75; dw = 2 (3 - 1) + 0.5 + 0.5 3 = 6, w = 3 - 0.6 = 2.4 -> 1
    assert model.train_on_batch([[1.0]], [[1.0]]) == 7.75
    assert model.get_weights()[0] == 1


def test_data_loss_and_regularization_are_reported_apart_and_add_up(float64):
    model = network(kernel_regularizer="l2", activity_regularizer="l1")
    x, y = data()
    history = model.fit(x, y, batch_size=4, epochs=3, verbose=0, validation_data=(x, y)).history
    for prefix in ("", "val_"):
        together = np.add(history[f"{prefix}data_loss"], history[f"{prefix}regularization"])
        assert together == pytest.approx(np.array(history[f"{prefix}loss"]), rel=1e-14)
    assert min(history["regularization"]) > 0.01
    loss, data_loss, _, regularization = model.evaluate(x, y, verbose=0)
    assert model.metrics_names == ["loss", "data_loss", "accuracy", "regularization"]
    assert loss == pytest.approx(data_loss + regularization, rel=1e-14)
    plain = Sequential([Dense(5, "relu", input_shape=(4,)), Dense(3, "softmax")])
    plain.set_weights(model.get_weights())
    plain.compile("sgd", "categorical_crossentropy")
    assert plain.evaluate(x, y, verbose=0) == pytest.approx(data_loss, rel=1e-14)


def test_sample_weights_count_in_the_data_loss(float64):
    model = network(kernel_regularizer="l2")
    x, y = data()
    loss, data_loss, _, regularization = model.evaluate(x, y, verbose=0, sample_weight=np.zeros(10))
    assert data_loss == 0 and loss == regularization > 0


def test_without_regularizers_there_is_no_regularization(classifier):
    model, x, y = classifier
    model.compile("sgd", "categorical_crossentropy", metrics=["regularization", "data_loss"])
    loss, regularization, data_loss = model.evaluate(x, y, verbose=0)
    assert regularization == 0 and data_loss == pytest.approx(loss)


def test_losses_are_the_penalties_of_now():
    layer = Dense(2, kernel_regularizer="l2", bias_regularizer="l1", kernel_initializer="ones")
    layer.build_once((None, 3))
    assert [float(penalty) for penalty in layer.losses] == pytest.approx([0.06, 0])
    assert len(Sequential([layer]).losses) == 2


@pytest.mark.parametrize("constraint, holds", [
    ("max_norm", lambda w: np.linalg.norm(w, axis=0).max() <= 2),
    (constraints.max_norm(0.5, axis=1), lambda w: np.linalg.norm(w, axis=1).max() <= 0.5),
    ("unit_norm", lambda w: np.linalg.norm(w, axis=0) == pytest.approx(1, rel=1e-5)),
    ("non_neg", lambda w: w.min() >= 0),
    (constraints.MinMaxNorm(0.5, 0.6), lambda w: (np.abs(np.linalg.norm(w, axis=0) - 0.55) <= 0.0501).all()),
], ids=["max_norm", "MaxNorm", "unit_norm", "non_neg", "MinMaxNorm"])
def test_a_constraint_holds_after_every_step(constraint, holds):
    model = network(kernel_constraint=constraint)
    x, y = data()
    for _ in range(3):
        model.train_on_batch(x, y)
        assert holds(model.get_weights()[0])


def test_a_constraint_of_a_list_of_axes():
    w = xp.asarray(np.random.default_rng(0).standard_normal((2, 3, 4)))
    assert to_numpy((constraints.UnitNorm([0, 1])(w) ** 2).sum(axis=(0, 1))) ** 0.5 == pytest.approx(1, rel=1e-5)


def test_a_constraint_that_changes_the_shape_is_refused():
    with pytest.raises(ValueError, match=r"constraint of dense_1/kernel:0 must return numbers of its shape \(4, 5\)"):
        network(kernel_constraint=lambda w: w[:1])


def test_a_regularizer_moves_weights_that_the_data_does_not(float64):
    """With x = 0 the data's gradient of the kernel is zero, and l1 takes a constant step towards zero."""
    model = Sequential([Dense(1, input_shape=(1,), weights=[[[1.0]], [0.0]], kernel_regularizer="l1")])
    model.compile(SGD(0.5), "mse")
    path = []
    for _ in range(3):
        model.train_on_batch([[0.0]], [[0.0]])
        path.append(model.get_weights()[0].item())
    assert path == pytest.approx([0.995, 0.99, 0.985])


def test_a_frozen_batch_normalization_keeps_its_running_means(float64):
    x, y = data()
    for trainable in (True, False):
        normalization = BatchNormalization(input_shape=(4,), momentum=0.5, trainable=trainable)
        model = Sequential([normalization, Dense(3, "softmax")])
        model.compile("sgd", "categorical_crossentropy")
        before = model.get_weights()[:4]
        model.fit(x, y, epochs=2, verbose=0)
        assert [bool((a != b).any()) for a, b in zip(before, model.get_weights()[:4])] == [trainable] * 4
        assert len(model.trainable_weights) + len(model.non_trainable_weights) == 6
        assert len(model.non_trainable_weights) == (2 if trainable else 4)
    model.trainable = False
    model.compile("sgd", "categorical_crossentropy")
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))


def test_batch_normalization_normalizes_and_its_running_means_approach_those_of_the_data(float64):
    layer = BatchNormalization(momentum=0.9)
    x = np.random.default_rng(0).normal(3, 2, (1000, 4))
    layer.build_once((None, 4))
    for _ in range(200):
        y = to_numpy(layer.forward(xp.asarray(x), training=True))
        layer.update_state()
    assert y.mean(axis=0) == pytest.approx(0, abs=1e-12) and y.std(axis=0) == pytest.approx(1, rel=1e-3)
    assert to_numpy(layer.moving_mean.value) == pytest.approx(x.mean(axis=0))
    assert to_numpy(layer.moving_variance.value) == pytest.approx(x.var(axis=0) * 1000 / (999 - 1e-3))
    assert to_numpy(layer.forward(xp.asarray(x))) == pytest.approx(y, abs=2e-3)


@pytest.mark.parametrize("make, error, message", [
    (lambda: Dense(3, kernel_regularizer="l3"), ValueError, "Unknown regularizer: l3. Known: L1L2"),
    (lambda: Dense(3, kernel_regularizer=abs), TypeError, "needs its derivative: define __call__.w. and gradient"),
    (lambda: Dense(3, bias_regularizer=0.01), TypeError, "A regularizer is a name such as 'l2'"),
    (lambda: regularizers.l2(-1), ValueError, "l2 must be a number of at least 0, got -1"),
    (lambda: Dense(3, kernel_constraint="maxnrom"), ValueError, "Unknown constraint: maxnrom. Did you mean"),
    (lambda: Dense(3, kernel_constraint=2), TypeError, "A constraint is a name such as 'max_norm' or a function"),
    (lambda: constraints.MaxNorm(-1), ValueError, "max_value must be a number of at least 0, got -1"),
    (lambda: constraints.MinMaxNorm(2, 1), ValueError, "max_value must be a number of at least 2, got 1"),
    (lambda: BatchNormalization(axis=0).build_once((None, 3)), ValueError, "Axis 0 holds the samples"),
    (lambda: BatchNormalization(epsilon=0), ValueError, "epsilon must be a number above 0"),
    (lambda: BatchNormalization(momentum=1.5), ValueError, "momentum must be a number"),
])
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_layer_shared_by_two_models_learns_in_the_one_that_trains_it():
    """As in a GAN: frozen in the second model, which was compiled last, it still moves in the first."""
    shared = BatchNormalization(input_shape=(4,), momentum=0.5)
    first, second = Sequential([shared, Dense(3, "softmax")]), Sequential([shared, Dense(3, "softmax")])
    first.compile("sgd", "categorical_crossentropy")
    shared.trainable = False
    second.compile("sgd", "categorical_crossentropy")
    x, y = data()
    for model, moves in ((first, True), (second, False), (first, True)):
        before = shared.get_weights()[2]
        model.fit(x, y, verbose=0)
        assert bool((before != shared.get_weights()[2]).any()) == moves
        before = shared.get_weights()[2]
        model.train_on_batch(x, y)
        assert bool((before != shared.get_weights()[2]).any()) == moves


def test_weights_are_listed_with_those_that_training_moves_first():
    model = Sequential([BatchNormalization(input_shape=(4,)), Dense(3)])
    names = [w.name.split("/")[1] for w in model.weights]
    assert names == ["gamma:0", "beta:0", "kernel:0", "bias:0", "moving_mean:0", "moving_variance:0"]
    assert [w.shape for w in model.get_weights()] == [(4,)] * 4 + [(4, 3), (3,)]
