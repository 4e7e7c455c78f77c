"""A model file holds everything, and the files of every version and of Keras load."""
import os
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

import harm
from harm import GOLDEN, simple, small_model, state
from tinynet import backend, losses, metrics
from tinynet.backend import to_numpy
from tinynet.layers import Dense, Layer
from tinynet.models import Sequential, load_model
from tinynet.saving import ModelFileError


def test_a_loaded_model_is_the_saved_one_and_trains_on_to_the_same_bits(model, path):
    model.save(path)
    loaded = load_model(path)
    assert state(loaded) == state(model) and loaded.get_config() == model.get_config()
    x, y = np.random.random((12, 4)), np.eye(3)[np.arange(12) % 3]
    histories = []
    for each in (model, loaded):
        np.random.seed(3)
        histories.append(each.fit(x, y, batch_size=4, epochs=2, verbose=0).history)
    assert histories[0] == histories[1] and state(loaded) == state(model)


def test_loading_draws_no_random_numbers(model, path):
    model.save(path)
    np.random.seed(5)
    before = np.random.get_state()[1].tolist(), np.random.get_state()[2]
    load_model(path)
    assert (np.random.get_state()[1].tolist(), np.random.get_state()[2]) == before


def test_layers_of_one_name_keep_their_weights_apart(path):
    model, other = (Sequential([Dense(5, input_shape=(4,)), Dense(3)]) for _ in range(2))
    model.layers[1].name = model.layers[0].name
    model.save_weights(path)
    other.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights()))


class Scaled(Layer):
    """y = s x, and a get_config that leaves out the name."""

    def build(self, input_shape):
        self.s = self.add_weight("s", input_shape[1:], "glorot_uniform")

    def forward(self, x, training=False):
        return x * self.s.value

    def get_config(self):
        return {}


class ScaledThrice(Layer):
    """Two Scaled as one layer, with a weight of its own after theirs."""

    def build(self, input_shape):
        self.inner = [Scaled(), Scaled()]
        for layer in self.inner:
            layer.build_once(input_shape)
            self.parameters += layer.parameters
        self.s = self.add_weight("s", input_shape[1:], "glorot_uniform")

    def forward(self, x, training=False):
        return self.inner[1].forward(self.inner[0].forward(x)) * self.s.value


def test_layers_without_a_name_in_their_config_take_their_weights_in_order(path):
    model = Sequential([Dense(5, input_shape=(4,)), Scaled(), Dense(3), Scaled(), ScaledThrice(), Dense(5), Scaled()])
    model.save(path)
    backend.clear_session()     # as in another program
    Scaled()                    # so that the first one in the loaded model has the name that the second one had
    loaded = load_model(path, custom_objects={"Scaled": Scaled, "ScaledThrice": ScaledThrice})
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), loaded.get_weights()))
    x = np.random.random((3, 4))
    assert np.array_equal(model.predict(x), loaded.predict(x))


def test_a_model_of_float64_comes_back_as_one(float64, path):
    model = small_model()
    model.save(path)
    backend.set_floatx("float32")
    assert load_model(path).dtype == np.float64 and backend.floatx() == "float32"


def test_other_tools_can_read_the_arrays(model, path):
    model.save(path)
    arrays = safetensors.numpy.load_file(path)
    for layer in (model.layers[0], model.layers[2]):
        for p in layer.parameters:
            assert np.array_equal(arrays[f"weights/{p.name}"], to_numpy(p.value))


def test_a_model_that_was_never_compiled_or_built_can_be_saved(path):
    Sequential([Dense(3, input_shape=(2,))]).save(path)
    assert load_model(path).optimizer is None
    Sequential([Dense(3)]).save(path)
    assert not load_model(path).built


def test_weights_alone_go_to_the_layers_in_order_or_by_name(model, path):
    model.save_weights(path)
    loaded = small_model()
    loaded.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(loaded.get_weights(), model.get_weights()))
    with pytest.raises(ModelFileError, match="No layer of the model has the name of one in the file: dense_1, dense_2"):
        loaded.load_weights(path, by_name=True)
    with pytest.raises(ModelFileError, match="holds weights alone"):
        load_model(path)
    other = Sequential([Dense(5, input_shape=(4,), name="dense_1"), Dense(7)])
    rest = other.get_weights()[2:]
    other.load_weights(path, by_name=True)
    assert np.array_equal(other.get_weights()[0], model.get_weights()[0])
    assert all(np.array_equal(a, b) for a, b in zip(other.get_weights()[2:], rest))


def test_weights_that_do_not_fit_change_nothing(model, path):
    model.save_weights(path)
    other = Sequential([Dense(5, input_shape=(4,)), Dense(2)])
    before = other.get_weights()
    with pytest.raises(ModelFileError, match=r"expects weights of shape \(5, 2\), got \(5, 3\)"):
        other.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(other.get_weights(), before))
    with pytest.raises(ValueError, match="has no weights yet"):
        Sequential([Dense(2)]).load_weights(path)


class Twice(Layer):
    def forward(self, x, training=False):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


def test_classes_of_ones_own_must_be_handed_in(path):
    Sequential([Twice(input_shape=(2,))]).save(path)
    with pytest.raises(ModelFileError, match="Unknown layer: Twice.*custom_objects="):
        load_model(path)
    assert load_model(path, custom_objects={"Twice": Twice}).predict(np.ones((1, 2))).tolist() == [[2, 2]]


def test_overwrite_false_keeps_a_file(model, path):
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite is False"):
        model.save(path, overwrite=False)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adagrad", "adadelta", "adam", "adamax", "nadam"])
def test_every_optimizer_goes_on_after_loading(optimizer, path):
    model, x = simple(optimizer), np.random.random((32, 4))
    model.fit(x, x[:, 0], verbose=0)
    model.save(path)
    loaded = load_model(path)
    for each in (model, loaded):
        np.random.seed(0)
        each.fit(x, x[:, 0], epochs=2, batch_size=8, verbose=0)
    assert state(loaded) == state(model)


@pytest.mark.parametrize("loss", [losses.Huber(delta=0.1), losses.MeanSquaredError(reduction="sum"),
                                  losses.MeanSquaredError(name="mine"), losses.BinaryCrossentropy(label_smoothing=0.2)])
@pytest.mark.parametrize("name", ["model.h5", "model.safetensors"])
def test_a_loss_keeps_its_arguments_in_both_formats(loss, name, tmp_path):
    model, x = simple(loss=loss), np.random.random((32, 4))
    model.save(tmp_path / name)
    y = (x[:, 0] > 0.5).astype(float)
    assert load_model(tmp_path / name).evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)


def test_a_loss_whose_arguments_no_file_can_hold_is_refused(path):
    loss = losses.Loss(losses.mean_squared_error, losses.BACKWARD[losses.mean_squared_error], reduction="sum")
    with pytest.raises(ValueError, match="Use a class instead, such as losses.Huber"):
        simple(loss=loss).save(path)
    assert not path.exists()


def test_a_function_as_a_metric_object_comes_back(path):
    model = simple(metrics=[metrics.MeanMetricWrapper(metrics.mean_absolute_error), metrics.Precision()])
    model.save(path)
    x = np.random.random((8, 4))
    assert load_model(path).evaluate(x, x[:, 0] > 0.5, verbose=0) == model.evaluate(x, x[:, 0] > 0.5, verbose=0)


class Gate(Layer):
    def build(self, input_shape):
        self.add_weight("gate/kernel", input_shape[1:], "ones")
        self.add_weight("scale", input_shape[1:], "ones")

    def forward(self, x, training=False):
        return x

    def backward(self, dy):
        return dy


def test_weights_may_have_slashes_in_their_names(path):
    model = Sequential([Gate(input_shape=(2,)), Dense(1)])
    model.save_weights(path)
    model.load_weights(path)


def test_masks_of_a_model_that_is_not_compiled_are_kept(path):
    model = small_model()
    model.save(path, include_optimizer=False)
    assert load_model(path).layers[1].masks.seed == model.layers[1].masks.seed
    assert load_model(path).layers[1].masks.step == 2


# Golden files


@pytest.mark.parametrize("name", ["version1.safetensors", "keras231.h5", "keras3.keras"])
def test_files_of_every_format_load_for_ever(name):
    golden = np.load(GOLDEN / "predictions.npz")
    predicted = load_model(GOLDEN / name).predict(golden["x"])
    assert predicted == pytest.approx(golden[name.split(".")[0]], rel=0, abs=1e-6)


@pytest.mark.parametrize("name, weights", [
    ("keras231.h5", "keras231_weights.h5"), ("keras3.keras", "keras3.weights.h5"), ("keras3.keras", "keras3.keras")])
def test_weights_of_keras_load_into_a_model(name, weights):
    golden = np.load(GOLDEN / "predictions.npz")
    model = load_model(GOLDEN / name)
    model.set_weights([0 * w for w in model.get_weights()])
    model.load_weights(GOLDEN / weights)
    assert model.predict(golden["x"]) == pytest.approx(golden[name.split(".")[0]], rel=0, abs=1e-6)


def test_a_model_of_keras_231_comes_compiled_and_goes_back(tmp_path):
    model = load_model(GOLDEN / "keras231.h5")
    assert model.optimizer.rho == pytest.approx(0.8) and model.metrics_names == ["loss", "accuracy"]
    model.save(tmp_path / "again.h5")
    loaded = load_model(tmp_path / "again.h5")
    assert all(np.array_equal(a, b) for a, b in zip(loaded.get_weights(), model.get_weights()))
    assert loaded.get_config() == model.get_config()


def test_a_newer_version_is_an_error_that_names_both(path):
    path.write_bytes(harm.bombs()["a newer version"])
    with pytest.raises(ModelFileError, match="format version '2', and this tinynet reads version 1"):
        load_model(path)


@pytest.mark.parametrize("ending", [".keras", ".onnx", ".pt", ".pth", ".npz", ".npy", ".pkl", ".json", ".PKL"])
def test_an_ending_that_promises_another_format_is_refused(model, tmp_path, ending):
    for save in (model.save, model.save_weights):
        with pytest.raises(ValueError, match=r"tinynet does not save .* promises. Use .safetensors, or .h5"):
            save(tmp_path / f"model{ending}")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["/absolute", "a//b", ".", "a/../b"])
def test_a_name_that_hdf5_reads_as_a_path_is_refused_and_another_format_keeps_it(tmp_path, name):
    model = Sequential([Dense(2, input_shape=(3,), name=name)])
    for save in (model.save, model.save_weights):
        with pytest.raises(ValueError, match="cannot be the name of a layer in a .h5 file. Rename it, or use"):
            save(tmp_path / "model.h5")
    assert os.listdir(tmp_path) == []
    model.save(tmp_path / "model")
    assert load_model(tmp_path / "model").layers[0].name == name


def test_without_h5py_the_error_says_what_to_install(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r'pip install "tinynet-backprop\[keras\]"'):
        model.save_weights(tmp_path / "w.h5")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "nadam"])
def test_a_model_in_memory_that_joblib_maps_can_be_trained(model, tmp_path, optimizer):
    joblib = pytest.importorskip("joblib")
    x = np.random.random_sample((20, model.input_shape[1]))
    y = np.full((20, model.output_shape[1]), 1 / model.output_shape[1])
    model.compile(optimizer, "mse")
    model.fit(x, y, verbose=0)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    for each in (model, mapped):
        np.random.seed(0)
        each.fit(x, y, shuffle=False, verbose=0)
    assert mapped.optimizer.iterations == 2


def test_a_model_is_loaded_and_asked_with_numpy_alone(model, path):
    """Beside what tinynet requires: here every other package is as if it were not installed."""
    model.save(path)
    expected = model.predict(np.ones((2, model.input_shape[1])))
    code = f"""
import sys
ALLOWED = {{"tinynet", "numpy", "tqdm", "threadpoolctl", "platformdirs", "safetensors", *sys.stdlib_module_names}}
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED and not name.startswith("_"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NotInstalled())
import numpy as np
from tinynet.models import load_model
model = load_model({str(path)!r})
print(model.predict(np.ones((2, model.input_shape[1])), verbose=0).tolist())
model.predict(np.ones((2000, model.input_shape[1])), verbose=1)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {
        "TINYNET_BACKEND": "numpy"})
    assert said.returncode == 0, said.stderr
    np.testing.assert_allclose(eval(said.stdout.splitlines()[0]), expected, rtol=1e-6)
