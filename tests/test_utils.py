"""to_categorical, normalize, initializers, metrics and names: small promises, checked on drawn values."""
import hashlib
import http.server
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tinynet import activations, backend, initializers, layers, losses, metrics, utils
from tinynet.backend import to_numpy
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
    weights = to_numpy(initializer((300, 200)))
    assert weights.dtype == np.float32
    assert weights.var() == pytest.approx(FAN[family], rel=0.03)
    assert abs(weights.mean()) < 4 * np.sqrt(FAN[family] / weights.size)
    bound = np.sqrt(3 * FAN[family]) if distribution == "uniform" else 2 * np.sqrt(FAN[family]) / 0.87962566
    assert np.abs(weights).max() <= bound * (1 + 1e-6)


def test_a_vector_of_weights_has_keras_fans():
    assert abs(initializers.glorot_uniform()((10,))).max() <= np.sqrt(3 / np.sqrt(10))
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
    with pytest.raises(ValueError, match="got 3"):
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
    means = metrics.RunningMeans([metrics.Reported("hit", metrics.SparseCategoricalAccuracy(), weighted=False)])
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


# The names of keras.backend


def test_arrays_of_keras_backend(float64):
    K = backend
    v = K.variable([1, 2, 3])
    assert v.dtype == np.float64 and K.eval(v).tolist() == [1, 2, 3]
    K.set_value(v, [4, 5, 6])
    assert K.get_value(v).tolist() == [4, 5, 6]
    assert K.constant(2, shape=(2, 2)).tolist() == [[2, 2], [2, 2]]
    assert K.cast(v, "float32").dtype == np.float32 and K.cast_to_floatx([1]).dtype == np.float64
    assert (K.backend(), K.image_data_format()) == (K.xp.__name__, "channels_last")
    assert K.get_value(3) == 3


def test_the_value_of_a_weight_can_be_got_and_set():
    layer = layers.Dense(2)
    layer.build_once((None, 3))
    backend.set_value(layer.kernel, np.ones((3, 2)))
    assert (backend.get_value(layer.kernel) == 1).all() and layer.get_weights()[0].sum() == 6
    with pytest.raises(TypeError, match="set_value expects a weight, an array or an optimizer's lr, got 3"):
        backend.set_value(3, 4)


def test_names_begin_again_after_clear_session():
    layers.Dense(1)
    backend.clear_session()
    assert layers.Dense(1).name == "dense_1"


# Files and bars


def test_a_file_is_fetched_once_and_checked(tmp_path):
    source = tmp_path / "source.bin"
    source.write_bytes(b"numbers")
    md5, sha256 = (hashlib.new(name, b"numbers").hexdigest() for name in ("md5", "sha256"))
    for options in ({}, {"md5_hash": md5}, {"file_hash": sha256}, {"file_hash": md5}):
        cache = tmp_path / str(len(list(tmp_path.iterdir())))
        path = Path(utils.get_file("ours.bin", source.as_uri(), cache_dir=cache, **options))
        assert path == cache / "datasets" / "ours.bin" and path.read_bytes() == b"numbers"
        assert utils.get_file("ours.bin", "file:///nowhere", cache_dir=cache, **options) == str(path)


def test_a_failed_download_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="URL fetch failure on file:///nowhere: .*Put the file at .*ours.bin by hand"):
        utils.get_file("ours.bin", "file:///nowhere", cache_dir=tmp_path)
    source = tmp_path / "source.bin"
    source.write_bytes(b"other numbers")
    with pytest.raises(ValueError, match="is damaged, or another one: its md5 is not"):
        utils.get_file("ours.bin", source.as_uri(), md5_hash="0" * 32, cache_dir=tmp_path)
    assert list((tmp_path / "datasets").iterdir()) == []


def test_a_bar_shows_running_means(capsys):
    bar = utils.Progbar(10, verbose=1, stateful_metrics=["last"])
    bar.update(4, [("loss", 1.0), ("last", 5)])
    bar.add(6, [("loss", 2.0), ("last", 7)])
    assert capsys.readouterr().out == "10/10 - 0s - loss: 1.6000 - last: 7.0000\n"
    utils.Progbar(1, verbose=0).add(1, [("loss", 1.0)])
    assert capsys.readouterr().out == ""


def test_initializers_that_draw_nothing():
    assert initializers.Identity(2)((2, 3)).tolist() == [[2, 0, 0], [0, 2, 0]]
    assert (initializers.get("constant")((2,)) == 0).all()
    with pytest.raises(ValueError, match="makes matrices"):
        initializers.Identity()((3,))
    with pytest.raises(ValueError, match="makes matrices"):
        initializers.Orthogonal()((3,))


def test_an_orthogonal_matrix_is_the_svd_s_of_keras():
    """Keras draws it with NumPy, so its numbers are the same but for the signs that LAPACK chooses."""
    w = to_numpy(initializers.Orthogonal(gain=2.0, seed=3)((4, 3)))
    assert w.T @ w == pytest.approx(4 * np.eye(3), abs=1e-5)
    wide = to_numpy(initializers.Orthogonal()((2, 3, 8))).reshape(6, 8)
    assert wide @ wide.T == pytest.approx(np.eye(6), abs=1e-5)
    left, _, _ = np.linalg.svd(np.random.RandomState(3).normal(size=(4, 3)), full_matrices=False)
    assert np.abs(w) == pytest.approx(2 * np.abs(left), rel=1e-4)


def test_normal_and_uniform_initializers():
    w = to_numpy(initializers.RandomNormal(1.0, 0.5)((500, 500)))
    assert w.mean() == pytest.approx(1, abs=0.01) and w.std() == pytest.approx(0.5, rel=0.01)
    w = to_numpy(initializers.TruncatedNormal(1.0, 0.5)((500, 500)))
    assert np.abs(w - 1).max() <= 1 and w.std() == pytest.approx(0.5 * 0.8796, rel=0.01)
    w = to_numpy(initializers.get("random_uniform")((500, 500)))
    assert np.abs(w).max() <= 0.05 and w.std() == pytest.approx(0.1 / np.sqrt(12), rel=0.01)
    with pytest.raises(ValueError, match="maxval must be a number of at least 1, got 0"):
        initializers.RandomUniform(1, 0)
    with pytest.raises(ValueError, match="seed must be a whole number"):
        initializers.he_normal(seed=-1)


def test_a_download_that_was_cut_off_is_not_kept(tmp_path):
    class Truncating(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"short")

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Truncating) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(OSError, match="ended after 5 of 100,000 bytes"):
            utils.get_file("ours.bin", f"http://127.0.0.1:{server.server_port}/", cache_dir=tmp_path)
    assert list((tmp_path / "datasets").iterdir()) == []
    with pytest.raises(ValueError, match="get_file expects a name within the folder"):
        utils.get_file("../../ours.bin", "file:///nowhere", cache_dir=tmp_path)
