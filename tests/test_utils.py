"""to_categorical, normalize, initializers, metrics and names: small promises, checked on drawn values."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tinynet import activations, backend, initializers, losses, metrics
from tinynet.utils import normalize, set_random_seed, to_categorical


@given(arrays(np.int64, array_shapes(max_dims=3, max_side=5), elements=st.integers(0, 6)), st.booleans())
def test_to_categorical_goes_back_and_forth(labels, as_float):
    one_hot = to_categorical(labels.astype(float) if as_float else labels, 7)
    flat = labels[..., 0] if labels.ndim > 1 and labels.shape[-1] == 1 else labels
    assert one_hot.shape == (*flat.shape, 7)
    assert one_hot.dtype == np.float32
    assert (one_hot.argmax(axis=-1) == flat).all()
    assert (one_hot.sum(axis=-1) == 1).all()


def test_to_categorical_shapes_are_keras():
    assert to_categorical([0, 2]).shape == (2, 3)
    assert to_categorical(3, 5).shape == (5,)
    assert to_categorical([], 3).shape == (0, 3)
    assert to_categorical([[1], [2]], dtype="int32").tolist() == [[0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("labels, classes, message", [
    ([0, 5], 3, "with 3 classes expects labels from 0 to 2, got 0 to 5"),
    ([-1, 1], 3, "expects labels from 0 to 2, got -1 to 1"),
    ([0.5], 3, "whole numbers, got fractions"),
    ([np.nan], 3, "NaN"),
    (["3"], 5, "got an array of dtype <U1"),
    ([], None, "give num_classes"),
])
def test_to_categorical_refuses_labels_out_of_range(labels, classes, message):
    with pytest.raises(ValueError, match=message):
        to_categorical(labels, classes)


@given(arrays(np.float64, (3, 4), elements=st.just(0.0) | st.floats(1e-100, 1e3)))    # squares must not underflow
def test_normalize_makes_unit_vectors_and_leaves_zeros(x):
    norms = np.linalg.norm(normalize(x), axis=-1)
    assert norms == pytest.approx(np.where(np.abs(x).max(axis=-1) > 0, 1, 0))


def test_set_random_seed_is_numpys():
    set_random_seed(3)
    first = np.random.random()
    np.random.seed(3)
    assert np.random.random() == first


FAN = {"lecun": 1 / 300, "he": 2 / 300, "glorot": 2 / (300 + 200)}


@pytest.mark.parametrize("family", FAN)
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_initializers_have_the_variance_of_their_papers(family, distribution):
    initializer = initializers.get(f"{family}_{distribution}")
    weights = initializer((300, 200))
    assert weights.dtype == np.float32
    assert weights.var() == pytest.approx(FAN[family], rel=0.03)
    assert abs(weights.mean()) < 4 * np.sqrt(FAN[family] / weights.size)
    bound = np.sqrt(3 * FAN[family]) if distribution == "uniform" else 2 * np.sqrt(FAN[family]) / 0.87962566
    assert np.abs(weights).max() <= bound * (1 + 1e-6)


def test_a_vector_of_weights_has_keras_fans():
    assert np.abs(initializers.glorot_uniform()((10,))).max() <= np.sqrt(3 / np.sqrt(10))
    assert initializers.fans((5, 5, 3, 4)) == (75, 100)


def test_a_seeded_initializer_goes_on_at_each_call():
    one, two = initializers.he_normal(seed=1), initializers.he_normal(seed=1)
    first = one((3, 3))
    assert (first == two((3, 3))).all()
    assert (first != one((3, 3))).any()


def test_unknown_names_list_the_known_ones():
    for get, kind, known in ((activations.get, "activation function", "relu"),
                             (initializers.get, "initializer", "zeros"),
                             (losses.get, "loss function", "categorical_crossentropy")):
        with pytest.raises(ValueError, match=f"Unknown {kind}: nope.* Known: .*{known}"):
            get("nope")
    with pytest.raises(ValueError, match="Unknown metric function: acuracy. Did you mean 'accuracy'"):
        metrics.get("acuracy")
    with pytest.raises(ValueError, match="a function of your own, which needs its derivative"):
        activations.get(np.sin)
    with pytest.raises(ValueError, match="of your own needs its derivative"):
        losses.get(lambda y_true, y_pred: y_pred)
    with pytest.raises(TypeError, match="got 3"):
        initializers.get(3)
    with pytest.raises(TypeError, match="got 3"):
        metrics.metric_for(3, losses.get("mse"), (None, 3))
    with pytest.raises(ValueError, match="scale must be a number above 0"):
        initializers.VarianceScaling(scale=0)
    with pytest.raises(ValueError, match="Unknown mode: fan"):
        initializers.VarianceScaling(mode="fan")


@pytest.mark.parametrize("loss, outputs, chosen", [
    ("categorical_crossentropy", 3, metrics.categorical_accuracy),
    ("sparse_categorical_crossentropy", 3, metrics.sparse_categorical_accuracy),
    ("binary_crossentropy", 3, metrics.binary_accuracy),
    ("mse", 1, metrics.binary_accuracy),
    ("mse", 3, metrics.categorical_accuracy),
])
def test_accuracy_means_what_keras_means(loss, outputs, chosen):
    metric = metrics.metric_for("acc", losses.get(loss), (None, outputs))
    assert metric.function is chosen
    assert metric.name == "acc"


def test_a_metric_is_the_mean_over_all_samples_of_all_batches():
    means = metrics.RunningMeans([metrics.SparseCategoricalAccuracy("hit")])
    for loss, y_true, y_pred in ((1.0, [[0]], [[0.9, 0.1]]), (2.0, [[0]] * 3, [[0.1, 0.9]] * 3)):
        means.add(loss, np.array(y_true), np.array(y_pred))
        means.samples += len(y_true)
    assert means.result() == {"loss": 1.75, "hit": 0.25}
    means.reset()
    assert means.result() == {"loss": 0, "hit": 0}


def test_floatx_and_epsilon_refuse_what_they_cannot_be():
    with pytest.raises(ValueError, match="Unknown floatx type: float16. Expected 'float32' or 'float64'"):
        backend.set_floatx("float16")
    with pytest.raises(ValueError, match="epsilon must be a number above 0 and below 1, got 0"):
        backend.set_epsilon(0)
    backend.set_epsilon(1e-5)
    assert backend.epsilon() == 1e-5
