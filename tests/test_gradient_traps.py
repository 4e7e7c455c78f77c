"""Mistakes that hide from a gradient check, layers that only look wrong, and what the report says of a mistake."""
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from gradient_cases import HONEST, WRONG
from tinynet import losses, plotting, regularizers
from tinynet.backend import on_gpu, xp
from tinynet.gradient_check import check_function, check_layer, check_loss, check_model, check_regularizer
from tinynet.gradient_check.hints import kind_of_mistake
from tinynet.layers import BatchNormalization, Dense, Dropout, Layer, PReLU
from tinynet.models import Sequential

X = np.random.default_rng(0).standard_normal((4, 5))
of_numpy = pytest.mark.skipif(on_gpu, reason="about functions of NumPy arrays")


class Own(Layer):
    """A layer of one's own: weights by name, forward(layer, x) and backward(layer, dy)."""

    def __init__(self, forward, backward, weights=(), **options):
        super().__init__(name="guilty", **options)
        self.functions, self.initial = (forward, backward), dict(weights)

    def build(self, input_shape):
        for name, initial in self.initial.items():
            setattr(self, name, self.add_weight(name, input_shape[1:], initial))

    def forward(self, x, training=False):
        self.x = x
        return self.functions[0](self, x)

    def backward(self, dy):
        return self.functions[1](self, dy)


def told(report):
    """What it says, in one line."""
    return " ".join(str(report).split())


def with_gradient(name, gradient, dx):
    def backward(layer, dy):
        getattr(layer, name).grad = gradient(layer, dy)
        return dx(layer, dy)
    return backward


def doubled(layer, x):
    return 2 * x


# What hides


def scaled(dx):
    return Own(lambda layer, x: layer.gamma.value * x,
               with_gradient("gamma", lambda layer, dy: (dy * layer.x).sum(0), dx), {"gamma": "ones"})


def rezero(dx):
    return Own(lambda layer, x: x + layer.alpha.value * np.tanh(x),
               with_gradient("alpha", lambda layer, dy: (dy * np.tanh(layer.x)).sum(0), dx), {"alpha": "zeros"})


def test_a_factor_of_one_or_zero_hides_nothing():
    assert check_layer(scaled(lambda layer, dy: dy * layer.gamma.value), X).passed
    assert check_layer(scaled(lambda layer, dy: dy), X).blamed == ["guilty: input (other weights)"]
    assert check_layer(rezero(lambda layer, dy: dy * (1 + layer.alpha.value * (1 - np.tanh(layer.x) ** 2))), X).passed
    assert check_layer(rezero(lambda layer, dy: dy), X).blamed == ["guilty: input (other weights)"]


def test_batch_normalization_without_gamma_or_its_moving_variance_is_found():
    class WithoutGamma(BatchNormalization):
        def backward(self, dy):
            gamma, self.gamma.value = self.gamma.value.copy(), xp.ones(self.gamma.shape)
            dx = super().backward(dy)
            self.gamma.value = gamma
            return dx

    class WithoutVariance(BatchNormalization):
        def backward(self, dy):
            dx = super().backward(dy)
            return dx if self.trained else dy * self.gamma.value / xp.sqrt(1 + self.epsilon)

        def forward(self, x, training=False):
            self.trained = training
            return super().forward(x, training)

    assert "guilty: input (other weights)" in check_layer(WithoutGamma(name="guilty"), X).blamed
    assert check_layer(WithoutVariance(name="guilty"), X).blamed == ["guilty: input (not training) (other weights)"]
    for honest in (BatchNormalization(), PReLU(), Dense(3, "relu")):
        assert check_layer(honest, X).passed


def test_a_regularizer_that_is_right_at_zero_only_is_found():
    class Wrong(regularizers.Regularizer):
        def __call__(self, w):
            return (w ** 2).sum()

        def gradient(self, w):
            return 3 * w

    assert not check_regularizer(Wrong(), np.zeros(4)).passed
    assert check_regularizer("l2", np.zeros(4)).passed
    with pytest.raises(TypeError, match="needs its derivative"):
        check_regularizer(lambda w: 1.0, np.zeros(4))


def first_jacobian(layer, dy):
    layer.jacobian = getattr(layer, "jacobian", 2 * layer.x)
    return dy * (layer.jacobian if layer.jacobian.shape == dy.shape else 2 * layer.x)


def momentum(layer, dy):
    layer.kept = 0.9 * getattr(layer, "kept", 0.0) + float((dy * layer.x).sum())
    layer.w.grad = layer.kept * xp.ones(layer.w.shape)
    return dy * layer.w.value


def every_second(layer, dy):
    layer.calls = getattr(layer, "calls", 0) + 1
    return dy * (2 if layer.calls % 2 else 3)


def four(layer, dy):
    return 2 * dy * (len(dy) / 4)


def buffer(layer, dy):
    if not hasattr(layer, "dx"):
        layer.dx = xp.empty(dy.shape)
    return np.multiply(dy, 2, out=layer.dx)


def changes_weight(layer, dy):
    layer.w.grad = (dy * layer.x).sum(0)
    dx = dy * layer.w.value
    layer.w.value = layer.w.value - 0.1 * layer.w.grad
    return dx


def changes_x(layer, dy):
    layer.x[...] = 2 * dy
    return layer.x.copy()


def times_w(layer, x):
    return layer.w.value * x


TRAPS = {
    "the first Jacobian": (lambda layer, x: x ** 2, first_jacobian, {}, "guilty: input"),
    "every second call": (doubled, every_second, {}, "guilty: "),
    "N in a constant": (doubled, four, {}, "guilty: input"),
    "a buffer of the first batch": (doubled, buffer, {}, "guilty: "),
    "clipped": (doubled, lambda layer, dy: (2 * dy).clip(-20, 20), {}, "guilty: backward"),
    "a weight changed": (times_w, changes_weight, {"w": "random_normal"}, "guilty: backward"),
    "the input changed": (doubled, changes_x, {}, "guilty: backward"),
    "read-only": (lambda layer, x: x + 0 * x, lambda layer, dy: np.broadcast_to(dy, dy.shape), {}, "guilty: backward"),
    "complex": (doubled, lambda layer, dy: 2 * dy + 0j, {}, "guilty: backward"),
    "tiny": (lambda layer, x: 1e-14 * x, lambda layer, dy: 3e-14 * dy, {}, "guilty: input"),
    "a lost part": (lambda layer, x: x + 3e-5 * np.abs(x), lambda layer, dy: dy, {}, "guilty: input"),
}


@of_numpy
@pytest.mark.parametrize("forward, backward, weights, name", TRAPS.values(), ids=TRAPS)
def test_a_trap_is_seen_alone_and_in_a_model(forward, backward, weights, name):
    report = check_layer(Own(forward, backward, weights), X)
    assert report.blamed and all(found.startswith(name) for found in report.blamed), report
    model = Sequential([Own(forward, backward, weights, input_shape=(5,)), Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    report = check_model(model, X, np.eye(3)[[0, 1, 2, 0]])
    assert report.blamed and all(found.startswith("guilty") for found in report.blamed), report


def test_momentum_is_seen():
    layer = Own(lambda layer, x: x * layer.w.value, momentum, {"w": "random_normal"})
    assert not check_layer(layer, X[:, :1]).passed


def test_what_is_read_and_not_trained_gets_a_note():
    layer = Own(lambda layer, x: x * layer.table, lambda layer, dy: dy * layer.table)
    layer.table = xp.arange(5.0)
    report = check_layer(layer, X)
    assert report.passed and "forward reads self.table, which nothing trains. A weight is made by" in told(report)
    assert "nothing trains" not in told(check_layer(Dense(3), X))


def test_a_loss_is_called_in_the_order_of_a_training_step():
    class Keeping(losses.Loss):
        def forward(self, y_true, y_pred, weights=None):
            self.difference = y_pred.real - y_true
            return super().forward(y_true, y_pred, weights)

        def backward(self, y_true, y_pred, weights=None):
            dy = 2 * self.difference / self.difference.size
            return dy if weights is None else dy * weights[:, None]

    class Writing(losses.Loss):
        def forward(self, y_true, y_pred, weights=None):
            y_pred[y_pred.real < 0.1] = 0.1
            return super().forward(y_true, y_pred, weights)

    functions = losses.mean_squared_error, losses.BACKWARD[losses.mean_squared_error]
    assert check_loss(Keeping(*functions), X, 2 * X).passed
    with pytest.raises(ValueError, match="changed its argument"):
        check_loss(Writing(*functions), X, 2 * X)
    with pytest.raises(ValueError, match="must return a loss for each sample"):
        check_loss(losses.Loss(lambda t, p: ((p - t) ** 2).mean(), lambda t, p: 2 * (p - t) / p.size), X, 2 * X)


# What only looks wrong


def by_numpy(layer, x):
    layer.kept = xp.asarray(np.random.random(x.shape) > 0.5)
    return x * layer.kept


def by_generator(layer, x):
    layer.kept = xp.asarray(layer.numbers.uniform(size=x.shape) > 0.5)
    return x * layer.kept


def counting(layer, x):
    layer.total = layer.total + x.sum(0)
    return x * 2 + layer.total


def begun_in_forward(layer, x):
    layer.mean = 0.9 * getattr(layer, "mean", 0) + 0.1 * x.mean(0)
    return x - layer.mean


def test_random_numbers_of_numpy_and_of_a_generator_are_drawn_again():
    dropped = Own(by_numpy, lambda layer, dy: dy * layer.kept)
    before = np.random.get_state()[1].copy()
    assert check_layer(dropped, X).passed and (np.random.get_state()[1] == before).all()
    for numbers in (np.random.default_rng(0), np.random.RandomState(0)):
        layer = Own(by_generator, lambda layer, dy: dy * layer.kept)
        layer.numbers = numbers
        assert check_layer(layer, X).passed
    assert not check_layer(Own(by_numpy, lambda layer, dy: dy), X).passed


def test_a_running_sum_in_an_attribute_is_put_back():
    layer = Own(counting, lambda layer, dy: 2 * dy + dy.sum(0))
    layer.total = xp.zeros(5)
    assert check_layer(layer, X).passed
    assert check_layer(Own(begun_in_forward, lambda layer, dy: dy - 0.1 * dy.sum(0) / len(dy)), X).passed
    assert not check_layer(Own(begun_in_forward, lambda layer, dy: dy), X).passed


NOT_COMPLEX = {
    "abs": (np.abs, lambda layer, dy: dy * np.sign(layer.x)),
    "maximum with 0": (lambda x: np.maximum(x.real, 0), lambda layer, dy: dy * (layer.x > 0)),
    "float": (lambda x: x.real.astype(float), lambda layer, dy: dy),
    "clip": (lambda x: x.real.clip(0, 1), lambda layer, dy: dy * ((layer.x > 0) & (layer.x < 1))),
    "where": (lambda x: np.where(x.real >= 0, x.real, 0.1 * x.real),
              lambda layer, dy: dy * np.where(layer.x >= 0, 1, 0.1)),
    "square": (lambda x: np.abs(x) ** 2, lambda layer, dy: 2 * dy * layer.x),
    "largest": (lambda x: x.real * (x.real == x.real.max(1, keepdims=True)),
                lambda layer, dy: dy * (layer.x == layer.x.max(1, keepdims=True))),
    "sorted": (lambda x: np.sort(x.real, axis=1),
               lambda layer, dy: dy[np.arange(len(dy))[:, None], layer.x.argsort(1, kind="stable").argsort(1)]),
    "sign": (lambda x: x.real * np.sign(x.real), lambda layer, dy: dy * np.sign(layer.x)),
}


@of_numpy
@pytest.mark.parametrize("name", NOT_COMPLEX)
@pytest.mark.parametrize("seed", range(3))
def test_a_layer_that_takes_no_complex_numbers_is_not_blamed_at_zeros(name, seed):
    forward, backward = NOT_COMPLEX[name]
    x = np.maximum(np.random.default_rng(seed).standard_normal((6, 8)), 0)
    report = check_layer(Own(lambda layer, x: forward(x), backward), x)
    assert report.passed, report
    wrong = Own(lambda layer, x: forward(x), lambda layer, dy: 1.1 * backward(layer, dy))
    assert not check_layer(wrong, x).passed


def test_a_layer_of_layers_is_not_blamed():
    class Block(Layer):
        def build(self, input_shape):
            self.inner = [Dense(8, "tanh"), BatchNormalization(), Dropout(0.5), Dense(input_shape[1])]
            for layer in self.inner:
                layer.build_once(input_shape)
                input_shape = layer.output_shape
                self.parameters += layer.parameters

        def forward(self, x, training=False):
            y = x
            for layer in self.inner:
                y = layer.forward(y, training)
            return x + y

        def backward(self, dy):
            dx = dy.copy()
            for layer in reversed(self.inner):
                dx = layer.backward(dx)
            return dy + dx

    report = check_layer(Block(), X)
    assert report.passed, report


@of_numpy
@given(st.sampled_from(sorted(HONEST)), st.integers(0, 10**6))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_right_function_is_never_blamed(name, seed):
    check_right(name, seed)


@pytest.mark.slow
@of_numpy
@given(st.sampled_from(sorted(HONEST)), st.integers(0, 10**6))
@settings(max_examples=2000, deadline=None, derandomize=True)
def test_two_thousand_right_functions_are_not_blamed(name, seed):
    check_right(name, seed)


def check_right(name, seed):
    forward, backward, arrays = HONEST[name]
    report = check_function(forward, backward, *arrays(np.random.default_rng(seed)))
    assert report.passed, report


# What the report says


@of_numpy
def test_wrong_functions_are_caught_and_the_kind_of_mistake_is_told():
    hints = {}
    for (name, mistake), (forward, backward, arrays) in WRONG.items():
        report = check_function(forward, backward, *arrays(np.random.default_rng(1)))
        assert not report.passed, (name, mistake)
        hints[name, mistake] = " ".join(entry.hint for entry in report.entries if not entry.passed)
    assert sum(map(bool, hints.values())) > 0.55 * len(hints)
    said = {"sign": "The sign is wrong everywhere.", "1 % too large": "Everywhere 1.01 times what it should be",
            "0.01 % too large": "Everywhere 1.0001 times", "rounded to float32": "Right to six digits: ",
            "clipped": "-",
            "forgotten": "Everywhere zero: is this gradient forgotten?", "a number forgotten": "Zero at ",
            "the last row only": ("Right for the last index of axis 0 only.", "Zero at ", "Everywhere zero")}
    for (name, mistake), hint in hints.items():
        assert mistake not in said or not hint or hint.startswith(said[mistake]), (name, mistake, hint)
    assert hints["dense", "dw not transposed"] == "Transposed."
    assert hints["dense", "dw a mean"] == "Everywhere divided by N = 4: is there a mean in place of a sum?"
    assert hints["crossentropy", "no mean"].startswith("Everywhere N = 4 times as large as it should be: is a division")
    assert hints["ordered", "passed on"] == "The right numbers at the wrong places."
    assert hints["layer_norm", "mean held constant"].startswith("Off by the same number along axis 1")
    assert hints["scale", "gamma forgotten in dx"] == "Wrong by a factor that is the same along axis 0."
    assert hints["dropped", "mask forgotten"].startswith("Not zero at ")
    assert not hints["tanh", "1 - y"] and not hints["gelu", "without the second term"]


@given(st.integers(0, 10**6), st.tuples(st.integers(1, 5), st.integers(1, 5)))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_random_numbers_show_no_kind_of_mistake(seed, shape):
    a, n = np.random.default_rng(seed).standard_normal((2, *shape))
    if n.size > 1:
        assert kind_of_mistake(a, n, samples=shape[0]) == ""


def test_messages_name_the_cure():
    class Forgetful(Dense):
        def backward(self, dy):
            grad = self.bias.grad.copy()
            dx = super().backward(dy)
            self.bias.grad = grad
            return dx

    class Bare(Layer):
        def __init__(self):
            self.w = 1

    assert "backward must assign self.bias.grad" in told(check_layer(Forgetful(3), X))
    with pytest.raises(ValueError, match="forward must return the output alone, got a tuple of 2. What backward needs"):
        check_layer(Own(lambda layer, x: (x, x), lambda layer, dy: dy), X)
    with pytest.raises(TypeError, match=r"Bare lacks .* must begin with super\(\).__init__\(\*\*options\)"):
        check_layer(Bare(), X)


# Plain functions


def test_functions_in_two_styles_are_checked():
    w, b = np.ones((5, 3)), np.zeros(3)

    def forward(x, w, b):
        return x @ w + b, (x, w)

    def backward(dout, cache):
        x, w = cache
        return dout @ w.T, x.T @ dout, dout.sum(axis=0)

    report = check_function(forward, backward, X, w, b)
    assert report.passed and [entry.name for entry in report.entries] == ["forward: x", "forward: w", "forward: b"]
    plain = check_function(lambda x, w, b: x @ w + b, lambda dout, x, w, b: backward(dout, (x, w)), X, w, b)
    assert plain.passed
    report = check_function(forward, lambda dout, cache: (*backward(dout, cache)[:2], dout.mean(axis=0)), X, w, b)
    assert report.blamed == ["forward: b"] and "is there a mean in place of a sum?" in told(report)
    for wrong, said in ((lambda dout, cache: backward(dout, cache)[:2], "must return 3 gradients, of x, w, b, in this"),
                        (lambda dout, cache: (1, 2, 3), r"a gradient of x of its shape \(4, 5\), got \(\)")):
        with pytest.raises(ValueError, match=said):
            check_function(forward, wrong, X, w, b)
    with pytest.raises(ValueError, match="at least one array of floats"):
        check_function(np.square, np.square, [1, 2])


def test_a_function_that_keeps_or_changes_something_is_seen():
    def forgetting(dout, x):
        x *= 0
        return dout * 2

    kept = []

    def adding(dout, x):
        kept.append(1)
        return 2 * dout * (1 + len(kept) // 2)

    assert check_function(lambda x: 2 * x, forgetting, X).blamed == ["forward: backward"]
    assert not check_function(lambda x: 2 * x, adding, X).passed
    clipped = check_function(lambda x: 2 * x, lambda dout, x: (2 * dout).clip(-20, 20), X)
    assert "backward is not linear in dy" in told(clipped)
    with pytest.raises(ValueError, match="is not the same each time"):
        check_function(lambda x: x * np.random.random(), lambda dout, x: dout, X)


def test_the_step_size_is_drawn(tmp_path):
    figure = plotting.plot_step_size()
    central, richardson, step = (line.get_xydata() for line in figure.axes[0].lines)
    assert central[:, 1].min() > 1e-13 and richardson[:, 1].min() < central[:, 1].min()
    assert step[step[:, 0] < 1e-8, 1].max() < 1e-14
    figure.savefig(tmp_path / "steps.png")
