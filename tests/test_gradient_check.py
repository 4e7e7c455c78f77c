"""The gradient check finds what is wrong, names it, and never blames what is right."""
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from tinynet import activations, gradient_check, losses, regularizers
from tinynet.backend import on_gpu, xp
from tinynet.gradient_check.report import COLOURS
from tinynet.gradient_check import (assert_gradients, check_layer, check_loss, check_model, check_regularizer,
                                    complex_step, numeric_gradient)
from tinynet.layers import (Activation, ActivityRegularization, BatchNormalization, Dense, Dropout, Flatten,
                            GaussianNoise, Layer, PReLU, ReLU, Softmax)
from tinynet.models import Sequential
from tinynet.parameters import ParameterVector

X, Y = np.random.default_rng(0).standard_normal((4, 4)), np.eye(4)[[0, 2, 1, 3]]


def with_backward(cls, backward, forward=None):
    """The class with another backward, which gets the right one as its first argument."""
    methods = {"backward": lambda self, dy: backward(lambda dy: cls.backward(self, dy), self, dy)}
    if forward:
        methods["forward"] = forward
    return type(cls.__name__, (cls,), methods)


# Wrong layers: each stands second of three in a model, where the check must name it alone.  Its kernel is square, so
# that a transposed one is not found by its shape.


def dense(change, **options):
    return with_backward(Dense, change)(4, name="guilty", **options)


def after(change):
    """First backward as it should be, then something to what it left: change(layer, dx)."""
    def backward(right, layer, dy):
        dx = right(dy)
        return dx if (changed := change(layer, dx)) is None else changed
    return backward


def set_to(name, value):
    """The gradient of a parameter as value(layer, gradient)."""
    def change(layer, dx):
        parameter = getattr(layer, name)
        parameter.grad = value(layer, parameter.grad.copy())
    return after(change)


def instead(name, value):
    """The gradient of a parameter as value(layer, dy)."""
    def backward(right, layer, dy):
        gradient = value(layer, dy)
        dx = right(dy)
        getattr(layer, name).grad = gradient
        return dx
    return backward


def adding(name, keep=1.0):
    def backward(right, layer, dy):
        before = getattr(layer, name).grad.copy()
        dx = right(dy)
        getattr(layer, name).grad += keep * before
        return dx
    return backward


def leaving_out(name):
    def backward(right, layer, dy):
        before = getattr(layer, name).grad.copy()
        dx = right(dy)
        getattr(layer, name).grad = before
        return dx
    return backward


def returning(dx):
    """Everything as it should be, and then dx(layer, dy) for the input."""
    def backward(right, layer, dy):
        right(dy.copy())
        return dx(layer, dy)
    return backward


def stale(right, layer, dy):
    layer.first = getattr(layer, "first", layer.x.copy())
    layer.x = layer.first
    return right(dy)


def remembering_forward(self, x, training=False):
    y = Dense.forward(self, x, training)
    self.first = getattr(self, "first", x.copy())
    return y


KERNEL, BIAS, INPUT = "guilty/kernel:0", "guilty/bias:0", "guilty: input"
DENSE = {
    "kernel transposed": (set_to("kernel", lambda layer, g: g.T), [KERNEL]),
    "kernel's sign": (set_to("kernel", lambda layer, g: -g), [KERNEL]),
    "kernel divided by N": (set_to("kernel", lambda layer, g: g / len(layer.x)), [KERNEL]),
    "kernel 1 % too large": (set_to("kernel", lambda layer, g: 1.01 * g), [KERNEL]),
    "kernel a millionth too large": (set_to("kernel", lambda layer, g: (1 + 1e-6) * g), [KERNEL]),
    "one column of the kernel forgotten": (set_to("kernel", lambda layer, g: g * xp.array([1, 1, 0, 1])), [KERNEL]),
    "one number of the kernel forgotten": (set_to("kernel", lambda layer, g: g * (xp.arange(16) != 7).reshape(4, 4)),
                                           [KERNEL]),
    "kernel added to": (adding("kernel"), [KERNEL]),
    "kernel with momentum": (adding("kernel", keep=0.9), [KERNEL]),
    "kernel forgotten": (leaving_out("kernel"), [KERNEL]),
    "kernel zero": (set_to("kernel", lambda layer, g: 0 * g), [KERNEL]),
    "kernel with weight decay of its own": (set_to("kernel", lambda layer, g: g + 1e-4 * layer.kernel.value), [KERNEL]),
    "kernel clipped": (set_to("kernel", lambda layer, g: g.clip(-0.5, 0.5)), [KERNEL]),
    "bias divided by N": (set_to("bias", lambda layer, g: g / len(layer.x)), [BIAS]),
    "bias forgotten": (leaving_out("bias"), [BIAS]),
    "bias added to": (adding("bias"), [BIAS]),
    "bias of the first sample": (instead("bias", lambda layer, dy: dy[0].copy()), [BIAS]),
    "bias summed along the wrong axis": (instead("bias", lambda layer, dy: dy.sum(axis=1)), [BIAS]),
    "kernel from the output": (instead("kernel", lambda layer, dy: (layer.x @ layer.kernel.value).T @ dy), [KERNEL]),
    "input's sign": (after(lambda layer, dx: -dx), [INPUT]),
    "input by W and not its transpose": (returning(lambda layer, dy: dy @ layer.kernel.value), [INPUT]),
    "input passed on": (returning(lambda layer, dy: dy), [INPUT]),
    "input divided by N": (after(lambda layer, dx: dx / len(dx)), [INPUT]),
    "input of the last sample forgotten": (after(lambda layer, dx: dx * xp.array([[1], [1], [1], [0]])), [INPUT]),
    "input 0.1 % too small": (after(lambda layer, dx: 0.999 * dx), [INPUT]),
    "input rounded to float32": (after(lambda layer, dx: dx.astype("float32").astype(float)), [INPUT]),
    "input NaN": (after(lambda layer, dx: dx * np.nan), [INPUT]),
}


def trained(*stack, loss="categorical_crossentropy"):
    model = Sequential(list(stack))
    model.compile("sgd", loss)
    return model


def blamed(layer, **options):
    """What a check of a model says is wrong, with this layer in its middle."""
    model = trained(Dense(4, activation="tanh", input_shape=(4,)), layer, Dense(4, activation="softmax"))
    report = check_model(model, X, Y, **options)
    assert not report.passed
    with pytest.raises(AssertionError, match="wrong gradient of .*\n"):
        assert_gradients(report)
    return report.blamed


@pytest.mark.parametrize("change, names", DENSE.values(), ids=DENSE)
def test_a_wrong_dense_is_named(change, names):
    assert blamed(dense(change)) == names


@pytest.mark.parametrize("method", ["central", "richardson"])
@pytest.mark.parametrize("name", ["kernel transposed", "bias forgotten", "input's sign", "kernel 1 % too large"])
def test_a_wrong_dense_is_named_by_finite_differences_too(method, name):
    change, names = DENSE[name]
    assert blamed(dense(change), method=method) == names


def test_a_stale_cache_is_found():
    layer = with_backward(Dense, stale, remembering_forward)(4, name="guilty")
    assert blamed(layer) == [KERNEL]


def other(cls, backward, *arguments, **options):
    return lambda: with_backward(cls, backward)(*arguments, name="guilty", **options)


OUTSIDE = INPUT + " (not training)"
OTHERS = {
    "mask forgotten": (other(Dropout, lambda right, layer, dy: dy, 0.5, seed=1), [INPUT]),
    "factor of the mask forgotten": (
        other(Dropout, lambda right, layer, dy: dy * (layer.mask is None or layer.mask > 0), 0.5, seed=1), [INPUT]),
    "mask applied twice": (other(Dropout, lambda right, layer, dy: right(right(dy)), 0.5, seed=1), [INPUT]),
    "mask drawn anew": (other(Dropout, lambda right, layer, dy: 2 * dy * layer.masks.dropout_mask(dy.shape, 0.5), 0.5,
                              seed=1),
                        [INPUT, OUTSIDE]),
    "mask outside training": (other(
        Dropout, lambda right, layer, dy: right(dy) * (2 if layer.mask is None else 1), 0.5, seed=1), [OUTSIDE]),
    "noise scaled": (other(GaussianNoise, lambda right, layer, dy: dy * 1.1, 0.3), [INPUT, OUTSIDE]),
    "relu: everything passes": (other(ReLU, lambda right, layer, dy: dy), [INPUT]),
    "relu: the wrong side": (other(ReLU, lambda right, layer, dy: dy * (layer.x < 0)), [INPUT]),
    "relu: limit forgotten": (other(ReLU, lambda right, layer, dy: dy * (layer.x > 0), max_value=0.2), [INPUT]),
    "relu: slope forgotten": (other(ReLU, lambda right, layer, dy: dy * (layer.x > 0), negative_slope=0.1), [INPUT]),
    "softmax: the diagonal alone": (other(Softmax, lambda right, layer, dy: dy * layer.y * (1 - layer.y)), [INPUT]),
    "softmax: no Jacobian": (other(Softmax, lambda right, layer, dy: dy * layer.y), [INPUT]),
    "softmax: the wrong axis": (other(
        Softmax, lambda right, layer, dy: activations.softmax_backward(layer.y, dy, axis=0)), [INPUT]),
    "flatten: samples mixed": (other(Flatten, after(lambda layer, dx: dx[::-1])), [INPUT]),
    "normalization: mean counted twice": (other(
        BatchNormalization, lambda right, layer, dy: right(dy) + dy.mean(axis=0) / layer.s), [INPUT, OUTSIDE]),
    "normalization: as outside training": (other(
        BatchNormalization, returning(lambda layer, dy: dy * layer.gamma.value / layer.s)), [INPUT]),
    "normalization: gamma left out": (other(
        BatchNormalization, after(lambda layer, dx: dx / layer.gamma.value), gamma_initializer="random_normal"),
        [INPUT, OUTSIDE]),
    "normalization: gamma's gradient without z": (other(
        BatchNormalization, instead("gamma", lambda layer, dy: dy.sum(axis=0))),
        ["guilty/gamma:0", "guilty/gamma:0 (not training)"]),
    "prelu: alpha's sign": (other(PReLU, set_to("alpha", lambda layer, g: -g)), ["guilty/alpha:0"]),
    "prelu: alpha not used": (other(PReLU, returning(lambda layer, dy: dy * (layer.x > 0)), "ones"), [INPUT]),
    "activity penalty divided by N": (other(
        ActivityRegularization, lambda right, layer, dy: dy + layer.R.gradient(layer.x) / len(dy), 0.1), [INPUT]),
}


@pytest.mark.parametrize("make, names", OTHERS.values(), ids=OTHERS)
def test_another_wrong_layer_is_named(make, names):
    assert blamed(make()) == names


ACTIVATIONS = {
    "linear: sign": ("linear", lambda y, dy: -dy),
    "relu: >= for >": ("relu", lambda y, dy: dy * (y >= 0)),
    "sigmoid: y (1 + y)": ("sigmoid", lambda y, dy: dy * y * (1 + y)),
    "sigmoid: 1 - y": ("sigmoid", lambda y, dy: dy * (1 - y)),
    "tanh: 1 - y": ("tanh", lambda y, dy: dy * (1 - y)),
    "tanh: of x": ("tanh", lambda y, dy: dy * (1 - np.tanh(y) ** 2)),
    "softmax: sum forgotten": ("softmax", lambda y, dy: dy * y),
    "elu: alpha forgotten": ("elu", lambda y, dy: dy * np.where(y > 0, 1, y)),
    "selu: scale forgotten": ("selu", lambda y, dy: dy * np.where(y > 0, 1, y + 1.758)),
    "softplus: exp(-y)": ("softplus", lambda y, dy: dy * np.exp(-y)),
    "softsign: square forgotten": ("softsign", lambda y, dy: dy * (1 - np.abs(y))),
    "hard_sigmoid: 0.25": ("hard_sigmoid", lambda y, dy: dy * 0.25 * ((y > 0) & (y < 1))),
    "exponential: passed on": ("exponential", lambda y, dy: dy),
}


@pytest.mark.parametrize("name, wrong", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_a_wrong_activation_is_named(monkeypatch, name, wrong):
    monkeypatch.setitem(activations.BACKWARD, activations.ACTIVATIONS[name], wrong)
    names = ["guilty/" + name + ": input"] if name != "linear" else [INPUT]
    layer = Activation("linear", name="guilty") if name == "linear" else Dense(4, activation=name, name="guilty")
    model = trained(Dense(4, input_shape=(4,)), layer, Dense(4), loss="mse")
    assert check_model(model, X, Y).blamed == names


LOSSES = {
    "mse: factor 2 forgotten": ("mse", lambda t, p: (p - t) / p.shape[-1]),
    "mse: 1/C forgotten": ("mse", lambda t, p: 2 * (p - t)),
    "mae: sign forgotten": ("mae", lambda t, p: np.ones_like(p) / p.shape[-1]),
    "crossentropy: sign": ("categorical_crossentropy", lambda t, p: t / p),
    "crossentropy: as if p summed to one": ("categorical_crossentropy", lambda t, p: -t / p),
    "binary: the other class forgotten": ("binary_crossentropy", lambda t, p: -t / p / p.shape[-1]),
    "huber: not clipped": ("huber_loss", lambda t, p: p - t),
    "logcosh: e": ("logcosh", lambda t, p: (p - t) / p.shape[-1]),
    "poisson: 1 forgotten": ("poisson", lambda t, p: -t / p / p.shape[-1]),
    "cosine: not at right angles": ("cosine_proximity", lambda t, p: -t / np.linalg.norm(t, axis=-1, keepdims=True)),
    "hinge: everywhere": ("hinge", lambda t, p: -t / p.shape[-1]),
    "kld: sign": ("kld", lambda t, p: t / p),
}


@pytest.mark.parametrize("name, wrong", LOSSES.values(), ids=LOSSES)
def test_a_wrong_loss_is_named(name, wrong, rng):
    function = losses.LOSSES[name]
    y_true, y_pred = np.eye(3)[[0, 2, 1]], rng.uniform(0.1, 3, (3, 3))
    y_pred[0] = [0.5, 0.4, 1.5]         # below its target, above it, far above it: each mistake shows at one of them
    assert check_loss(losses.Loss(function, losses.BACKWARD[function]), y_true, y_pred).passed
    report = check_loss(losses.Loss(function, wrong), y_true, y_pred)
    guilty = [f"{function.__name__}: y_pred", f"{function.__name__} with sample_weight: y_pred"]
    assert report.blamed == guilty
    model = trained(Dense(3, input_shape=(3,), activation="sigmoid"), Dense(3, activation="exponential"),
                    loss=losses.Loss(function, wrong))
    model.set_weights([2 * w + 0.2 for w in model.get_weights()])
    assert check_model(model, rng.standard_normal((3, 3)), y_true).blamed == guilty


def test_a_loss_that_forgets_weights_or_the_number_of_samples_is_named():
    class Forgetful(losses.Loss):
        def backward(self, y_true, y_pred, weights=None):
            return super().backward(y_true, y_pred)

    class Sum(losses.Loss):
        def backward(self, y_true, y_pred, weights=None):
            return super().backward(y_true, y_pred, weights) * len(y_pred)

    functions = losses.mean_squared_error, losses.BACKWARD[losses.mean_squared_error]
    weights = [1.0, 2, 0, 0.5]
    model = trained(Dense(4, input_shape=(4,)), loss=Forgetful(*functions))
    for given_weights in (None, weights):       # weights are drawn where none are given
        report = check_model(model, X, Y, sample_weight=given_weights)
        assert report.blamed == ["mean_squared_error with sample_weight: y_pred"]
    assert check_loss(Sum(*functions), Y, X, weights).blamed == [
        "mean_squared_error: y_pred", "mean_squared_error with sample_weight: y_pred"]


def test_a_wrong_fused_loss_is_named(monkeypatch):
    """softmax and cross-entropy together: (p - t) / N, and here the 1/N or the t is lost."""
    for wrong in (lambda t, p, from_logits=False, label_smoothing=0: activations.softmax(p),
                  lambda t, p, from_logits=False, label_smoothing=0: 4 * (activations.softmax(p) - t)):
        model = trained(Dense(4, activation="softmax", input_shape=(4,)))
        model.loss_of_z.derivative = wrong
        assert check_model(model, X, Y).blamed == [
            "categorical_crossentropy: logits", "categorical_crossentropy with sample_weight: logits"]


class Wrong(regularizers.L1L2):
    def __init__(self, change):
        super().__init__(0.1, 0.2)
        self.change = change

    def gradient(self, w):
        return self.change(self, w)


@pytest.mark.parametrize("change", [
    lambda r, w: r.l1 * np.sign(w) + r.l2 * w, lambda r, w: r.l1 + 2 * r.l2 * w, lambda r, w: 2 * r.l2 * w,
    lambda r, w: -regularizers.L1L2.gradient(r, w), lambda r, w: regularizers.L1L2.gradient(r, w) / len(w)],
    ids=["factor 2", "sign of w", "l1 forgotten", "sign", "divided by its length"])
def test_a_wrong_regularizer_is_named(change):
    assert not check_regularizer(Wrong(change), X).passed
    model = trained(Dense(4, activation="softmax", input_shape=(4,), name="guilty", kernel_regularizer=Wrong(change)))
    assert check_model(model, X, Y).blamed == ["regularizer of guilty/kernel:0"]


def test_a_model_that_forgets_its_regularizers_is_found(monkeypatch):
    model = trained(Dense(4, activation="softmax", input_shape=(4,), kernel_regularizer="l2"))
    monkeypatch.setattr(ParameterVector, "regularize", lambda self: None)
    blamed = check_model(model, X, Y).blamed
    assert blamed == ["whole model: dense_1/kernel:0", "whole model: all parameters"]


def test_there_are_enough_mutants():
    assert len(DENSE) + len(OTHERS) + len(ACTIVATIONS) + len(LOSSES) > 70


# What is right is never blamed


@st.composite
def honest_models(draw):
    """Up to four layers of any kind, a loss, weights: as they come."""
    width = draw(st.integers(1, 5))
    stack = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["Dense", "BatchNormalization", "Dropout", "PReLU", "Activation", "noise"]))
        regularizer = draw(st.sampled_from([None, "l1", "l2", "l1_l2"]))
        if kind == "Dense":
            stack.append(Dense(draw(st.integers(1, 5)), draw(st.sampled_from([None, *activations.ACTIVATIONS])),
                               draw(st.booleans()), kernel_regularizer=regularizer,
                               activity_regularizer=draw(st.sampled_from([None, "l1", "l2"])),
                               trainable=draw(st.sampled_from([True, True, False]))))
        elif kind == "BatchNormalization":
            stack.append(BatchNormalization(gamma_regularizer=regularizer, epsilon=0.1))
        elif kind == "Dropout":
            stack.append(Dropout(draw(st.floats(0, 0.9))))
        elif kind == "PReLU":
            stack.append(PReLU("random_normal", alpha_regularizer=regularizer))
        elif kind == "Activation":
            stack.append(Activation(draw(st.sampled_from(list(activations.ACTIVATIONS)))))
        else:
            stack.append(GaussianNoise(draw(st.floats(0, 1))))
    last, loss = draw(st.sampled_from([
        ("softmax", "categorical_crossentropy"), ("softmax", "sparse_categorical_crossentropy"),
        ("sigmoid", "binary_crossentropy"), ("softmax", "mse"), ("linear", "mae"), ("linear", "logcosh"),
        ("linear", "huber_loss"), ("linear", "squared_hinge"), ("softmax", "categorical_hinge"),
        ("softplus", "poisson"), ("softmax", "kld"), ("tanh", "cosine_proximity"), ("sigmoid", "msle"),
        ("softmax", losses.CategoricalCrossentropy(label_smoothing=0.2)), ("linear", "mape")]))
    classes = draw(st.integers(2, 4))
    model = Sequential([*stack, Dense(classes, last)])
    model.compile("sgd", loss)
    n, seed = draw(st.integers(2, 4)), draw(st.integers(0, 2**20))
    numbers = np.random.default_rng(seed)
    labels = numbers.integers(0, classes, n)
    y = labels if loss == "sparse_categorical_crossentropy" else np.eye(classes)[labels]
    np.random.seed(seed)
    weights = draw(st.sampled_from([None, numbers.uniform(0, 2, n)]))
    return model, numbers.standard_normal((n, width)), y, weights


@given(honest_models())
@settings(max_examples=50, suppress_health_check=list(HealthCheck), derandomize=True)
def test_correct_models_always_pass(case):
    check_honest(case)


@pytest.mark.slow
@given(honest_models())
@settings(max_examples=100 if on_gpu else 1000, suppress_health_check=list(HealthCheck), derandomize=True)
def test_a_thousand_correct_models_always_pass(case):
    check_honest(case)


def check_honest(case):
    model, x, y, weights = case
    with np.errstate(all="ignore"):
        assume(np.abs(model.predict(x)).max() < 1e10)       # an exponential of an exponential may be infinite
    report = check_model(model, x, y, sample_weight=weights, max_entries=6)
    assert report.passed, f"{model!r}\n{report}"


# What it does and does not do


def test_the_check_leaves_the_model_as_it_was():
    model = trained(Dense(4, activation="relu", input_shape=(4,)), BatchNormalization(), Dropout(0.2, seed=1),
                    Dense(4, activation="softmax"))
    model.fit(X, Y, verbose=0)
    before, iterations = model.get_weights(), model.optimizer.iterations
    step, history = model.layers[2].masks.step, model.history
    assert check_model(model, X, Y).passed
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))
    assert model.get_weights()[0].dtype == np.float32
    assert (model.layers[2].masks.step, model.optimizer.iterations, model.history) == (step, iterations, history)
    layer = Dense(3)
    check_layer(layer, (2, 5))
    assert not layer.built


def test_a_kink_is_counted_as_one():
    x = np.array([[0.0, 1.0, -2.0, 0.0]])
    for method in ("complex", "central", "richardson"):
        entry, = check_layer(ReLU(), x, method=method).entries
        assert entry.passed and entry.kinks == 2
    outside = with_backward(ReLU, lambda right, layer, dy: right(dy) + 2 * (layer.x == 0))
    report = check_layer(outside(name="guilty"), x)
    assert report.blamed == [INPUT]     # outside the slopes of both sides
    assert " 2 " in str(check_layer(ReLU(), x))


def test_a_model_that_lies_on_a_kink_inside_a_kink_is_checked_beside_it():
    """All inputs of the second layer are zero, and so are those of both selus; the slopes are alike to both sides."""
    model = trained(Dense(1, activation="selu", input_shape=(1,)), Dense(1, activation="selu", use_bias=False),
                    loss="mse")
    model.set_weights([[[1.0]], [0.0], [[-1.0]]])
    report = check_model(model, [[0.0], [0.0]], [[1.0], [2.0]])
    assert report.passed
    # CuPy's expm1(ih) is ih, NumPy's is ih - 5e-61: only with NumPy's does the second selu see the other side.
    assert on_gpu or "checked at a distance of 0.0001" in str(report)


def test_a_forward_that_cannot_take_complex_numbers_is_checked_by_differences():
    class Magnitude(Layer):
        sign = 1

        def forward(self, x, training=False):
            self.x = x
            return np.abs(x) * 2

        def backward(self, dy):
            return self.sign * 2 * dy * np.sign(self.x)

    report = check_layer(Magnitude(), X)
    assert report.passed and "By finite differences" in str(report)
    layer = Magnitude(name="guilty")
    layer.sign = -1
    assert check_layer(layer, X).blamed == [INPUT]


def test_what_breaks_the_contract_is_told_so():
    class Silent(ReLU):
        def backward(self, dy):
            super().backward(dy)

    class Overwriting(ReLU):
        def forward(self, x, training=False):
            y = super().forward(x).copy()
            x *= 0
            return y

    numbers = np.random.default_rng(0)      # not of the layer, so that nobody can draw them again

    class Moody(ReLU):
        def forward(self, x, training=False):
            return super().forward(x) + xp.asarray(numbers.random(x.shape))

    for layer, message in ((Silent(), "silent_1: backward must return dx of shape .1, 2., like x, got None. Does"),
                           (Overwriting(), "overwriting_1: forward changed its input"),
                           (Moody(), "moody_1: forward is not the same each time. It must depend on")):
        with pytest.raises(ValueError, match=message):
            check_layer(layer, [[1.0, 2.0]])
    with pytest.raises(ValueError, match="Unknown method: exact. Known: central, complex, richardson"):
        check_layer(ReLU(), (2, 2), method="exact")
    with pytest.raises(ValueError, match="max_entries must be a whole number of at least 1"):
        check_layer(ReLU(), (2, 2), max_entries=0)
    with pytest.raises(RuntimeError, match="You must compile a model"):
        check_model(Sequential([Dense(2)]), X, Y)


def test_a_large_array_is_sampled_and_its_rest_is_not_forgotten(rng):
    x = rng.standard_normal((3, 40))
    report = check_layer(Dense(30), x, max_entries=25)
    assert report.passed and [entry.checked for entry in report.entries] == [25, 25, 25]
    # One wrong number among 1,200, most likely not in the sample: the direction finds it.
    broken = with_backward(Dense, set_to("kernel", lambda layer, g: g + (xp.arange(g.size) == 777).reshape(g.shape)))
    report = check_layer(broken(30, name="guilty"), x, max_entries=25)
    assert report.blamed == [KERNEL] and "in a random direction" in str(report)


def test_the_report_fits_a_terminal_and_a_notebook():
    model = trained(Dense(4, input_shape=(4,), name="a_layer_whose_name_is_longer_than_the_table_is_wide_by_far"),
                    dense(DENSE["kernel transposed"][0]), Dense(4, activation="softmax"))
    report = check_model(model, X, Y)
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith(KERNEL) and line.endswith("WRONG") for line in lines)
    assert "backward says" in str(report) and "should be" in str(report)
    assert report.max_error > 0.1
    page = report._repr_html_()
    assert page.count("<tr") == len(report.entries) + 1 and COLOURS["WRONG"] in page and "&lt;" not in page
    named = gradient_check.GradientReport([gradient_check.Entry("a<b", (1,), 1, 0.0, 1.0)])
    assert "a&lt;b" in named._repr_html_()


def test_the_methods_are_as_exact_as_they_say(rng):
    def f(t):
        return np.exp(1 + t) * np.sin(1 + t)

    truth = np.e * (np.sin(1) + np.cos(1))
    assert complex_step(f) == pytest.approx(truth, rel=1e-15)
    assert gradient_check.richardson(f) == pytest.approx(truth, rel=1e-11)
    assert gradient_check.central(f) == pytest.approx(truth, rel=1e-9)
    z = rng.standard_normal((2, 3)).astype(complex)
    assert numeric_gradient(lambda: (z ** 3).sum(), z, "complex") == pytest.approx(3 * z.real ** 2, rel=1e-14)


# What the complex step does not see


class Around(Layer):
    """A layer of one forward and one backward, for what is tried below."""

    def __init__(self, forward, backward, **options):
        super().__init__(**options)
        self.both = forward, backward

    def forward(self, x, training=False):
        self.x = x
        return self.both[0](x)

    def backward(self, dy):
        return self.both[1](self.x, dy)


def scaled(x):
    return x / x.std(axis=1, keepdims=True)


HELD_CONSTANT = {
    "std": (scaled, lambda x, dy: dy / x.std(axis=1, keepdims=True)),
    "norm": (lambda x: x / np.linalg.norm(x, axis=1, keepdims=True),
             lambda x, dy: dy / np.linalg.norm(x, axis=1, keepdims=True)),
    "abs": (lambda x: x * np.abs(x), lambda x, dy: dy * np.abs(x)),
    "float": (lambda x: x * float(x[0, 0]), lambda x, dy: dy * x[0, 0]),
}


@pytest.mark.parametrize("forward, backward", HELD_CONSTANT.values(), ids=HELD_CONSTANT)
def test_a_factor_whose_imaginary_part_is_lost_is_not_taken_for_a_constant(forward, backward):
    """The complex step alone would agree with a backward that forgets the same."""
    assert blamed(Around(forward, backward, name="guilty")) == [INPUT]
    assert check_layer(Around(forward, backward, name="guilty"), X).blamed == [INPUT]


HONEST = {
    "abs": (np.abs, lambda x, dy: dy * np.sign(x)),
    "logaddexp": (lambda x: np.logaddexp(0, x), lambda x, dy: dy / (1 + np.exp(-x))),
    "x |x|": (lambda x: x * np.abs(x), lambda x, dy: 2 * dy * np.abs(x)),
    "std": (scaled, lambda x, dy: (dy - (x - x.mean(axis=1, keepdims=True)) * (dy * x).mean(axis=1, keepdims=True)
                                   / x.var(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)),
}


@pytest.mark.parametrize("forward, backward", HONEST.values(), ids=HONEST)
def test_what_takes_no_complex_numbers_and_is_right_is_not_blamed(forward, backward):
    for size in (1.0,) if forward is HONEST["logaddexp"][0] else (1e-8, 1.0, 1e6):
        report = check_layer(Around(forward, backward), size * X)
        assert report.passed and "By finite differences" in str(report), str(report)
    model = trained(Around(forward, backward, input_shape=(4,)), Dense(4, activation="softmax"))
    report = check_model(model, X, Y)
    assert report.passed, str(report)


def test_a_layer_of_whole_numbers_is_not_blamed():
    """An embedding: its forward jumps, and dL/dx is zero."""
    class Embedding(Layer):
        def build(self, input_shape):
            self.table = self.add_weight("table", (5, 3), "random_normal")

        def forward(self, x, training=False):
            self.rows = x.real.astype(int)
            return self.table.value[self.rows[:, 0]]

        def backward(self, dy):
            gradient = xp.zeros(self.table.value.shape)
            xp.add.at(gradient, self.rows[:, 0], dy)
            self.table.grad = gradient
            return xp.zeros(self.rows.shape)

        def compute_output_shape(self, input_shape):
            return (None, 3)

    report = check_layer(Embedding(), np.array([[1.0], [3], [3], [0]]))
    assert report.passed, str(report)


@pytest.mark.parametrize("targets", [1.0, 1e4, 1e6, 1e8])
def test_a_wrong_factor_is_found_however_large_the_loss(targets, rng):
    half = losses.Loss(losses.mean_squared_error, lambda t, p: (p - t) / p.shape[-1])
    assert not check_loss(half, targets * (1 + rng.random((6, 1))), rng.random((6, 1))).passed
    right = losses.Loss(losses.mean_squared_error, losses.BACKWARD[losses.mean_squared_error])
    assert check_loss(right, targets * (1 + rng.random((6, 1))), rng.random((6, 1))).passed


def test_zeros_behind_a_relu_do_not_hide_a_wrong_row(rng):
    """A direction over all numbers crosses the kinks of the zeros; one over the others does not."""
    def backward(right, layer, dy):
        dx = right(dy)
        dx[3] *= 1.5
        return dx

    x = np.maximum(rng.standard_normal((20, 100)), 0)
    report = check_layer(with_backward(ReLU, backward)(name="guilty"), x, max_entries=1)
    assert report.blamed == [INPUT]
    assert check_layer(ReLU(), x, max_entries=1).passed


@pytest.mark.slow
def test_forty_relus_whose_gradients_vanish_are_not_blamed():
    model = trained(*[Dense(6, activation="relu", input_shape=(4,)) for _ in range(40)], Dense(4), loss="mse")
    report = check_model(model, X, Y)
    assert report.passed, str(report)


def test_a_frozen_layer_may_leave_its_gradients_out():
    class Sparing(Dense):
        def backward(self, dy):
            before = self.kernel.grad.copy(), self.bias.grad.copy()
            dx = super().backward(dy)
            if not self.trainable:
                self.kernel.grad, self.bias.grad = before
            return dx

    model = trained(Sparing(4, input_shape=(4,), trainable=False), Dense(4, activation="softmax"))
    assert check_model(model, X, Y).passed
    assert not model.layers[0].trainable


def test_a_layer_without_masks_and_one_that_writes_to_its_input():
    class Own(Layer):
        masks = None

        def forward(self, x, training=False):
            self.masks, self.x = None, x
            return x * 2

        def backward(self, dy):
            return dy * 2

    class Overwriting(Own):
        def backward(self, dy):
            self.x[...] = dy * 2
            return self.x

    assert check_layer(Own(), X).passed
    assert blamed(Overwriting(name="guilty")) == ["guilty: backward"]
    assert "backward changed the input of forward. Write to dy" in str(check_layer(Overwriting(name="guilty"), X))


def test_a_check_draws_nothing_from_numpys_random_numbers():
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    check_layer(Dense(3), (2, 4))
    check_layer(Dropout(0.5), (2, 4))
    unbuilt = Sequential([Dense(4), Dense(4, activation="softmax")])
    unbuilt.compile("sgd", "categorical_crossentropy")
    assert check_model(unbuilt, X, Y).passed and not unbuilt.built
    assert (np.random.get_state()[1] == before).all()


def test_layers_that_are_right_alone_and_share_an_array_are_found():
    class Shared(Layer):
        cache = {}      # of all layers of the class

        def forward(self, x, training=False):
            self.cache["x"] = x
            return x ** 2

        def backward(self, dy):
            return 2 * self.cache["x"] * dy

    model = trained(Dense(4, input_shape=(4,)), Shared(), Dense(4), Shared(), loss="mse")
    report = check_model(model, X, Y)
    assert report.blamed[0] == "whole model: input" and "Do two layers share an array" in str(report)


def test_tiny_inputs_are_checked_too():
    report = check_layer(Softmax(), 1e-305 * X)
    assert report.passed and report.entries[0].analytic != 0
