"""Each layer keeps the contract printed in `Layer`, and does what its equation says."""
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from tinynet import activations
from tinynet.backend import to_numpy, xp
from tinynet.layers import (ELU, Activation, ActivityRegularization, AlphaDropout, BatchNormalization, Dense, Dropout,
                            Flatten, GaussianDropout, GaussianNoise, InputLayer, Layer, LeakyReLU, PReLU, ReLU, Reshape,
                            Softmax, ThresholdedReLU)
from tinynet.models import Sequential
from tinynet.optimizers import SGD

MAKERS = {
    "Dense": lambda: Dense(3), "Dense with relu": lambda: Dense(3, activation="relu"),
    "Dropout": lambda: Dropout(0.5, seed=1), "Flatten": Flatten, "Softmax": Softmax,
    "ReLU": lambda: ReLU(max_value=1.0, negative_slope=0.2),
    "LeakyReLU": LeakyReLU, "PReLU": lambda: PReLU("ones"), "ELU": ELU, "ThresholdedReLU": ThresholdedReLU,
    "BatchNormalization": lambda: BatchNormalization(gamma_initializer="random_normal"),
    "GaussianNoise": lambda: GaussianNoise(0.5), "GaussianDropout": lambda: GaussianDropout(0.5),
    "AlphaDropout": lambda: AlphaDropout(0.5, seed=1), "Reshape": lambda: Reshape((2, -1)),
    "ActivityRegularization": lambda: ActivityRegularization(0.1, 0.2),
    **{name: lambda name=name: Activation(name) for name in activations.ACTIVATIONS},
}
each_layer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def built(layer, *shape):
    for each in layer.stack():
        each.build_once((None, *shape))
        shape = each.output_shape[1:]
    return layer


class View(Layer):
    """y is x[:, ::-1], a view; so is dx."""

    def forward(self, x, training=False):
        return x[:, ::-1]

    def backward(self, dy):
        return dy[:, ::-1]


class InOrder(View):
    """The same in arrays of its own."""

    def forward(self, x, training=False):
        return x[:, ::-1].copy()

    def backward(self, dy):
        return dy[:, ::-1].copy()


class Fortran(View):
    """The same in Fortran order."""

    def forward(self, x, training=False):
        return x[:, ::-1].T.copy().T

    def backward(self, dy):
        return dy[:, ::-1].T.copy().T


class Float64(View):
    """The same in float64, as x * np.sqrt(2) is."""

    def forward(self, x, training=False):
        return x[:, ::-1].astype("float64")

    def backward(self, dy):
        return dy[:, ::-1].astype("float64")


@pytest.mark.parametrize("layer", [View, Fortran, Float64])
@pytest.mark.parametrize("following", ["relu", "softmax", "tanh"])
def test_views_fortran_order_and_float64_of_a_layer_train_like_arrays_in_order(layer, following):
    x, y = np.random.random((32, 8)), np.eye(3)[np.arange(32) % 3]
    results = []
    for each in (layer, InOrder):
        np.random.seed(1)
        last = [each(), Activation("softmax")] if following == "softmax" else [Dense(8, following), each(), Dense(3)]
        model = Sequential([Dense(8, "relu", input_shape=(8,)), each(), Dense(3), *last])
        model.compile("sgd", "categorical_crossentropy" if following == "softmax" else "mse")
        history = model.fit(x, y, batch_size=16, epochs=3, verbose=0).history["loss"]
        results.append([history, model.predict(x).tolist()])
        assert model.predict(x).dtype == np.float32
    assert results[0] == results[1]


def test_a_last_layer_may_return_integers():
    class Classes(View):
        def compute_output_shape(self, input_shape):
            return input_shape[:1]

        def forward(self, x, training=False):
            return x.argmax(axis=-1)

    model = Sequential([Dense(3, input_shape=(4,)), Classes()])
    assert model.predict(np.random.random((5, 4))).dtype.kind == "i"


@each_layer
def test_forward_never_writes_to_its_input(make):
    layer, x = built(make(), 4), xp.linspace(-2, 2, 12, dtype="float32").reshape(3, 4)
    before = x.copy()
    layer.forward(x, training=True)
    assert (x == before).all()


@each_layer
def test_a_shorter_batch_gives_the_same_rows_and_allocates_nothing(make):
    layer, x = built(make(), 4), xp.linspace(-2, 2, 24, dtype="float32").reshape(6, 4)
    whole = to_numpy(layer.forward(x))
    memory = {name: id(buffer) for name, buffer in layer._buffers.items()}
    assert to_numpy(layer.forward(x[:2])) == pytest.approx(whole[:2], rel=1e-6)
    assert memory == {name: id(buffer) for name, buffer in layer._buffers.items()}


@each_layer
def test_backward_assigns_gradients_and_does_not_add_to_them(make):
    layer, x = built(make(), 4), xp.linspace(-2, 2, 12, dtype="float32").reshape(3, 4)
    gradients = []
    for _ in range(2):
        if hasattr(layer, "masks"):
            layer.masks.step = 0        # the same mask twice
        y = layer.forward(x, training=True)
        layer.backward(xp.ones_like(y))
        gradients.append([p.grad.copy() for p in layer.parameters])
    assert all((a == b).all() for a, b in zip(*gradients))


@each_layer
def test_a_complex_input_passes_through_and_differentiates_forward(make):
    """f(x + ih) = f(x) + ih f'(x): the imaginary part is the derivative, without a difference to round off."""
    layer, h = built(make(), 4), 1e-30
    x, direction = xp.linspace(-1.9, 2.1, 12).reshape(3, 4), xp.cos(xp.arange(12)).reshape(3, 4)
    seeds = layer.masks.step if hasattr(layer, "masks") else None
    y = layer.forward(x + 1j * h * direction, training=True)
    derivative, penalty = y.imag / h, complex(layer.penalty).imag / h
    if seeds is not None:
        layer.masks.step = seeds
    cotangent = xp.sin(xp.arange(y.size)).reshape(y.shape)
    layer.forward(x, training=True)
    dx = layer.backward(cotangent.copy())
    assert float((cotangent * derivative).sum()) + penalty == pytest.approx(float((dx * direction).sum()), rel=1e-6,
                                                                            abs=1e-12)


def test_dense_is_a_weighted_sum():
    layer = built(Dense(2), 3)
    layer.set_weights([[[1, 2], [3, 4], [5, 6]], [10, 20]])
    assert layer.forward(xp.array([[1, 0, 2]], "float32")).tolist() == [[21, 34]]


def test_dense_works_along_the_last_of_many_axes(float64):
    layer = built(Dense(2), 3, 4)
    assert layer.output_shape == (None, 3, 2)
    assert layer.count_params() == 10
    x = np.random.random((5, 3, 4))
    assert to_numpy(layer.forward(x)) == pytest.approx(np.einsum("ntd,du->ntu", x, layer.get_weights()[0]))


def test_dense_with_an_activation_equals_dense_and_activation():
    x = np.random.random((6, 4)).astype("float32")
    one = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
    two = Sequential([Dense(3, input_shape=(4,)), Activation("softmax")])
    two.set_weights(one.get_weights())
    assert (one.predict(x) == two.predict(x)).all()


def test_glorot_uniform_is_the_default_of_dense():
    kernel = built(Dense(512), 784).get_weights()[0]
    limit = np.sqrt(6 / (784 + 512))
    assert np.abs(kernel).max() <= limit
    assert kernel.var() == pytest.approx(limit**2 / 3, rel=0.01)


def test_dropout_does_nothing_when_the_model_predicts():
    x = xp.ones((3, 4))
    assert built(Dropout(0.5), 4).forward(x) is x


@given(rate=st.floats(0, 0.95), seed=st.integers(0, 2**64 - 1))
def test_dropout_keeps_the_mean(rate, seed):
    y = to_numpy(built(Dropout(rate, seed=seed), 20000).forward(xp.ones((1, 20000)), training=True))
    drawn = round(rate * 2**16) / 2**16             # the rate that masks are drawn with
    deviation = np.sqrt(drawn * (1 - drawn) / y.size)
    assert abs(y.mean() * (1 - rate) - (1 - drawn)) <= 6 * deviation + 10 / y.size
    assert set(np.unique(y)) <= {0, 1 / (1 - rate)}


def test_dropout_draws_a_new_mask_each_step_and_the_same_for_the_same_seed():
    x = xp.ones((4, 100), "float32")
    one, two = built(Dropout(0.5, seed=7), 100), built(Dropout(0.5, seed=7), 100)
    first = one.forward(x, training=True).copy()
    assert (first == two.forward(x, training=True)).all()
    assert (first != one.forward(x, training=True)).any()
    one.masks.step = 0
    assert (first == one.forward(x, training=True)).all()


def test_a_row_of_a_dropout_mask_depends_on_its_place_in_the_batch_and_not_on_the_batch_size():
    x = xp.ones((8, 10), "float32")
    whole = built(Dropout(0.5, seed=7), 10).forward(x, training=True).copy()
    assert (built(Dropout(0.5, seed=7), 10).forward(x[:3], training=True) == whole[:3]).all()
    for first in range(8):
        layer = built(Dropout(0.5, seed=7), 10)
        layer.masks.first_row = first
        assert (layer.forward(x[first:first + 2], training=True) == whole[first:first + 2]).all()


def test_a_mask_for_all_rows_does_not_depend_on_which_rows_they_are():
    x = xp.ones((8, 10), "float32")
    one, other = (built(Dropout(0.5, noise_shape=(1, None), seed=7), 10) for _ in range(2))
    other.masks.first_row = 5
    assert (one.forward(x, training=True)[5:] == other.forward(x[5:], training=True)).all()


def test_numpys_seed_fixes_weights_and_masks():
    def once():
        np.random.seed(5)
        dense, dropout = built(Dense(3), 4), built(Dropout(0.5), 4)
        return dense.kernel.value.tolist(), dropout.masks.seed

    assert once() == once()
    assert built(Dropout(0.5), 4).masks.seed != built(Dropout(0.5), 4).masks.seed
    assert built(Dropout(0.5), 4).masks.seed > 1000 or built(Dropout(0.5), 4).masks.seed > 1000


def test_masks_of_successive_steps_do_not_overlap():
    masks = built(Dropout(0.5, seed=7), 64).masks
    first, second = masks.dropout_mask((64, 64), 0.5), masks.dropout_mask((64, 64), 0.5)
    assert not any((first[i] == second[j]).all() for i in range(64) for j in range(64))


@given(arrays(np.float64, (3, 4), elements=st.floats(-1e3, 1e3)))
def test_softmax_sums_to_one_and_ignores_a_shift(x):
    y = to_numpy(Softmax().forward(xp.asarray(x)))
    assert y.sum(axis=1) == pytest.approx(1)
    assert to_numpy(Softmax().forward(xp.asarray(x + 100))) == pytest.approx(y, rel=1e-9, abs=1e-12)


@given(arrays(np.float32, (3, 4), elements=st.floats(-np.float32(1e30), np.float32(1e30), width=32)))
def test_no_activation_overflows(x):
    x = xp.asarray(x)
    for name in set(activations.ACTIVATIONS) - {"exponential"}:
        layer = Activation(name)
        assert xp.isfinite(layer.forward(x)).all(), name
        assert xp.isfinite(layer.backward(xp.ones_like(x))).all(), name


def test_relu_with_all_its_arguments():
    x = xp.array([[-2.0, 0.5, 1.0, 3.0, 9.0]])
    layer = ReLU(max_value=6.0, negative_slope=0.5, threshold=1.0)
    assert layer.forward(x).tolist() == [[-1.5, -0.25, 0.0, 3.0, 6.0]]
    assert layer.backward(xp.ones_like(x)).tolist() == [[0.5, 0.5, 0.5, 1.0, 0.0]]
    assert ReLU(max_value=2, threshold=-1).forward(xp.array([[-0.5, 3.0]])).tolist() == [[0.0, 2.0]]


def test_reshape_and_an_input_layer():
    model = Sequential([InputLayer(input_shape=(12,)), Reshape((2, -1)), Reshape([3, 4]), Flatten(), Dense(1)])
    assert [layer.output_shape for layer in model.layers] == [(None, 2, 6), (None, 3, 4), (None, 12), (None, 1)]
    x = np.arange(24.0).reshape(2, 12)
    assert (model.layers[0].forward(x) == x.reshape(2, 2, 6)).all()
    with pytest.raises(ValueError, match="total size of new array must be unchanged: 12 numbers of shape .12,. do not"):
        Sequential([Reshape((5, -1), input_shape=(12,))])
    with pytest.raises(ValueError, match="must come first"):
        model.add(InputLayer(input_shape=(3,)))
    with pytest.raises(ValueError, match="must come first in sequential_.*, with an input_shape"):
        Sequential([InputLayer()])


def test_prelu_shares_its_weights_along_axes():
    assert built(PReLU(), 3, 4).get_weights()[0].shape == (3, 4)
    assert built(PReLU(shared_axes=1), 3, 4).get_weights()[0].shape == (1, 4)
    with pytest.raises(ValueError, match=r"shared_axes must be of \[1, 2\]"):
        built(PReLU(shared_axes=[0]), 3, 4)


def test_dropout_of_whole_columns():
    layer = built(Dropout(0.5, noise_shape=(None, 1, None)), 5, 8)
    y = layer.forward(xp.ones((3, 5, 8)), training=True)
    assert ((y == 0).all(axis=1) | (y == 2).all(axis=1)).all() and (y == 0).any() and (y == 2).any()
    assert (layer.backward(xp.ones((3, 5, 8))) == y).all()
    with pytest.raises(ValueError, match="noise_shape must name for each axis"):
        built(Dropout(0.5, noise_shape=(None, 3)), 8)


def test_layers_are_named_in_order_and_keep_the_name_given():
    first, second = Dense(1), Dense(1)
    number = int(first.name.split("_")[1])
    assert (first.name, second.name) == (f"dense_{number}", f"dense_{number + 1}")
    assert ReLU().name.startswith("re_lu_")
    assert Dense(1, name="mine").name == "mine"


@pytest.mark.parametrize("layer", [
    Dense(3, activation="relu", input_shape=(4,)), Dropout(0.5, seed=2), Activation("tanh"), Flatten(),
    Softmax(axis=1), ReLU(max_value=6), Layer(name="base")], ids=repr)
def test_repr_builds_the_layer_again(layer):
    again = eval(repr(layer))
    assert repr(again) == repr(layer)
    assert type(again) is type(layer)


def test_weights_given_to_a_layer_are_its_first_ones():
    kernel, bias = np.ones((2, 3)), np.arange(3)
    model = Sequential([Dense(3, input_shape=(2,), weights=[kernel, bias])])
    assert [w.tolist() for w in model.get_weights()] == [kernel.tolist(), bias.tolist()]


def test_a_layer_of_ones_own_trains():
    class Scale(Layer):
        def build(self, input_shape):
            self.factor = self.add_weight("factor", (1,), "ones")

        def forward(self, x, training=False):
            self.x = x
            return x * self.factor.value

        def backward(self, dy):
            self.factor.grad[0] = (dy * self.x).sum()
            return dy * self.factor.value

    model = Sequential([Scale(input_shape=(1,))])
    model.compile(SGD(0.1), "mse")
    x = np.linspace(-1, 1, 20)
    model.fit(x, 3 * x, epochs=100, batch_size=20, verbose=0)
    assert model.get_weights()[0] == pytest.approx(3, abs=0.01)
