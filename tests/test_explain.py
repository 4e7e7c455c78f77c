"""A step explained is the step that is taken, and looking at it changes nothing."""
import numpy as np
import pytest

from tinynet.explain import page as explain_page
from tinynet.backend import to_numpy
from tinynet.layers import BatchNormalization, Dense, Dropout, Layer
from tinynet.models import Sequential
from tinynet.optimizers import SGD, RMSprop

X, Y = np.random.default_rng(0).standard_normal((6, 4)), np.eye(3)[[0, 1, 2, 0, 1, 2]]


def network(loss="categorical_crossentropy", optimizer=None):
    np.random.seed(0)
    model = Sequential([Dense(5, "relu", input_shape=(4,), kernel_regularizer="l2"), BatchNormalization(),
                        Dropout(0.2, seed=1), Dense(3, "softmax")])
    model.compile(optimizer or RMSprop(), loss)
    return model


def everything(model):
    """All numbers that training changes."""
    return [*model.get_weights(), np.array(model.optimizer.iterations), np.array(model.layers[2].masks.step),
            *map(to_numpy, model.parameters.slots.values())]


def test_a_notebook_shows_histograms_and_no_raw_arrays():
    explanation = network().explain_step(X, Y)
    page = explanation._repr_html_()
    layers = explanation.layers
    drawn = 2 + len(layers) + sum(layer.dy is not None for layer in layers) + len(explanation.gradients)
    assert page.count("<svg") == drawn and page.count("<table") == page.count("</table>") == 2
    assert "; |update| = " in page and "array(" not in page
    assert repr(explanation).startswith("<Explanation: Step 1 of ") and len(repr(explanation)) < 200
    frozen = network()
    frozen.layers[0].trainable = frozen.layers[1].trainable = False
    frozen.compile("sgd", "mse")
    assert "(skipped)" in frozen.explain_step(X, Y)._repr_html_()
    assert explain_page.histogram(np.zeros(3), "red") == "all zero"
    assert explain_page.histogram(np.full(3, np.nan), "red") == "none is finite"


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "mse"])
def test_it_is_the_step_that_comes_next(loss):
    model = network(loss)
    for step in range(2):
        before = everything(model)
        explained = model.explain_step(X, Y)
        assert all((a == b).all() for a, b in zip(before, everything(model)))
        assert model.train_on_batch(X, Y) == explained.loss
        records = {name: layer for layer in explained.layers for name in layer.gradients}
        assert list(records) == [p.name for p in model.trainable_weights]
        for p in model.trainable_weights:
            record = records[p.name]
            assert (to_numpy(p.grad) == record.gradients[p.name]).all()
            assert to_numpy(p.value) == pytest.approx(record.values[p.name] + record.updates[p.name], rel=1e-6)
            assert np.abs(record.updates[p.name]).max() > 0


def test_the_gradient_at_the_logits_holds_the_penalty_for_the_probabilities():
    model = Sequential([Dense(5, "relu", input_shape=(4,)), Dense(3, "softmax", activity_regularizer="l2")])
    model.compile("sgd", "categorical_crossentropy")
    explained = model.explain_step(X, Y)
    dense = next(layer for layer in explained.layers if layer.name == "dense_2")
    assert np.array_equal(explained.loss_dy, dense.dy) and np.abs(dense.dy).min() > 0


def test_it_shows_every_layer_with_its_formulas_in_a_hundred_columns():
    model = network()
    text = str(model.explain_step(X, Y))
    assert max(map(len, text.splitlines())) <= 100
    for part in ("Step 1 of sequential_1, by RMSprop(), on 6 samples", "y = x W + b", "dW = x^T dy", "y = max(x, 0)",
                 "dx = dy where y > 0, else 0", "y = x m / (1 - rate)", "dgamma = sum of dy z",
                 "dl/dz = softmax(z) - t; dy = dl/dz / N",
                 "dense_2/softmax      (skipped)", "dense_1/kernel:0", "of which regularization"):
        assert part in text, part


def test_a_layer_of_ones_own_explains_itself_by_its_docstrings():
    class Double(Layer):
        """y = 2 x

        More words, which are not shown.
        """

        def forward(self, x, training=False):
            return 2 * x

        def backward(self, dy):
            """dx = 2 dy"""
            return 2 * dy

    model = Sequential([Dense(2, input_shape=(4,)), Double(), Dense(3, trainable=False)])
    model.compile(SGD(0.1), "mse")
    explained = model.explain_step(X, Y)
    record = explained.layers[1]
    assert (record.forward, record.backward) == ("y = 2 x", "dx = 2 dy")
    assert "More words" not in str(explained)
    assert (record.y == 2 * explained.layers[0].y).all() and (explained.layers[0].dy == 2 * record.dy).all()
    assert list(explained.gradients) == ["dense_1/kernel:0", "dense_1/bias:0"]


def test_layers_that_backward_skips_are_marked():
    model = Sequential([Dense(2, input_shape=(4,), trainable=False), Dense(3)])
    model.compile("sgd", "mse")
    assert "dense_1              (skipped)" in str(model.explain_step(X, Y))


def test_gradients_are_those_of_the_step():
    model = network()
    gradients = model.gradients(X, Y, sample_weight=np.arange(6))
    model.train_on_batch(X, Y, sample_weight=np.arange(6))
    assert list(gradients) == [p.name for p in model.trainable_weights]
    assert all((gradients[p.name] == to_numpy(p.grad)).all() for p in model.trainable_weights)


def test_loss_and_gradient_is_an_objective(float64):
    model = network()
    theta = to_numpy(model.parameters.value) + 0.1 * np.cos(np.arange(model.parameters.value.size))
    loss, gradient = model.loss_and_gradient(theta, X, Y)
    assert loss == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-14)
    for i in (0, 7, -1):
        step = 1e-6 * (np.arange(theta.size) == i % theta.size)
        slope = (model.loss_and_gradient(theta + step, X, Y)[0] - model.loss_and_gradient(theta - step, X, Y)[0]) / 2e-6
        assert gradient[i] == pytest.approx(slope, rel=1e-5, abs=1e-9)
    assert (to_numpy(model.parameters.value) == theta - step).all()
    with pytest.raises(ValueError, match=r"theta must hold the 5\d trainable weights of sequential_1, got .*\(3,\)"):
        model.loss_and_gradient(np.zeros(3), X, Y)


def test_l_bfgs_trains_a_network(float64):
    optimize = pytest.importorskip("scipy.optimize")
    model = Sequential([Dense(8, "tanh", input_shape=(4,)), Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    start = model.evaluate(X, Y, verbose=0)[0]
    result = optimize.minimize(model.loss_and_gradient, to_numpy(model.parameters.value), args=(X, Y), jac=True,
                               method="L-BFGS-B")
    model.loss_and_gradient(result.x, X, Y)
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    assert accuracy == 1 and loss == pytest.approx(result.fun) and loss < 1e-3 < start


def test_before_compile_there_is_no_step():
    with pytest.raises(RuntimeError, match="You must compile a model"):
        Sequential([Dense(3, input_shape=(4,))]).explain_step(X, Y)


@pytest.mark.parametrize("loss, share", [("mse", "/ N"), ("huber_loss", "/ 24")])
def test_the_table_divides_by_the_number_of_losses_of_the_batch(loss, share):
    """mse returns one for each sample; huber_loss, as in Keras, one for each output."""
    model = Sequential([Dense(3, input_shape=(4,))])
    model.compile("sgd", loss)
    x, y = np.random.random_sample((8, 4)), np.random.random_sample((8, 3))
    assert model.explain_step(x, y).loss_backward.endswith(f"dy = dl/dp {share}")
