"""On a GPU, training gives a CPU's numbers, captured steps are eager steps, and memory stays flat.

    python -m pytest -m gpu

test_cudacpu.py runs all of it on the real CuPy over a GPU that the CPU emulates.
"""
import copy
import gc
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import keras_reference
import numpy as np
import pytest
from emulator import counts, emulated
from test_keras_parity import assert_reference
from test_layers import test_views_fortran_order_and_float64_of_a_layer_train_like_arrays_in_order    # noqa: F401

from tinynet import backend, losses, regularizers, utils
from tinynet.device import cuda_graph, kernels
from tinynet.backend import on_gpu, to_numpy, xp
from tinynet.callbacks import BackupAndRestore, Callback, LambdaCallback
from tinynet.datasets import mnist
from tinynet.layers import Activation, Dense, Dropout, Flatten, Layer, ReLU
from tinynet.models import Sequential, load_model
from tinynet.optimizers import SGD, Adam, Optimizer, RMSprop

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not on_gpu, reason="no GPU: tinynet computes with NumPy here")]

TESTS = Path(__file__).parent
OF_A_CPU = os.environ | {"TINYNET_BACKEND": "numpy",
                         "PYTHONPATH": os.pathsep.join(map(str, (TESTS, TESTS / "support", TESTS.parent)))}
OPTIMIZERS = {"SGD": lambda: SGD(0.1, momentum=0.9, nesterov=True, clipnorm=0.5),
              "RMSprop": lambda: RMSprop(decay=0.01), "Adam": Adam,
              "AMSgrad": lambda: Adam(amsgrad=True, clipvalue=0.01)}


def trained(optimizer, epochs=4):
    """History, weights and predictions of a network with every layer that draws or branches, in the current floatx."""
    np.random.seed(1)
    model = Sequential([Dense(32, activation="relu", input_shape=(20,)), Dropout(0.3), Dense(32, activation="tanh"),
                        Dropout(0.1), Dense(32), ReLU(max_value=1.0, negative_slope=0.1),
                        Dense(32, activation="sigmoid"), Dense(32, activation="relu", use_bias=False), Dense(5),
                        Activation("softmax")])
    model.compile(OPTIMIZERS[optimizer](), "categorical_crossentropy", metrics=["accuracy"])
    x, y = np.random.random((150, 20)), np.eye(5)[np.arange(150) % 5]
    history = model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, validation_data=(x, y)).history
    return [*history.values(), *(w.ravel().tolist() for w in model.get_weights()), model.predict(x).ravel().tolist()]


def test_all_numbers_of_the_reference_runs():
    backend.set_floatx("float64")
    assert_reference(keras_reference.reference("tinynet"), rel=1e-9, abs_=1e-11)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_with_dropout_gives_a_cpu_s_numbers(optimizer):
    code = ("import json, sys, test_gpu; from tinynet import backend; backend.set_floatx('float64'); "
            f"json.dump(test_gpu.trained({optimizer!r}), sys.stdout)")
    on_cpu = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, env=OF_A_CPU)
    backend.set_floatx("float64")
    for ours, expected in zip(trained(optimizer), json.loads(on_cpu.stdout)):
        assert ours == pytest.approx(expected, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_recorded_steps_are_eager_steps_bit_for_bit(optimizer, monkeypatch, capsys):
    recorded = trained(optimizer, epochs=25)        # 100 steps of 32 samples and 25 of 22
    assert "runs this model without a CUDA graph" not in capsys.readouterr().err
    monkeypatch.setattr(cuda_graph.CapturedWork, "__call__", lambda self, size: self.work(size))
    assert trained(optimizer, epochs=25) == recorded


def test_masks_are_a_cpu_s():
    for shape, rate, seed, step in (((128, 512), 0.2, 3, 0), ((7, 33), 0.5, 2**63, 10**10)):
        with backend.working():
            mask = to_numpy(kernels.dropout_mask(seed, xp.asarray(np.array([step])), shape, rate))
        bits = np.random.Philox(key=seed, counter=[0, 0, step, 0]).random_raw(-(-mask.size // 4)).view(np.uint16)
        assert (mask.ravel() == (bits[:mask.size] >= round(rate * 2**16))).all()


def test_a_model_that_predicts_and_grows_in_mid_training_goes_on_right():
    """A larger batch takes new buffers; recordings that hold the old ones are made anew."""

    def train(callback):
        np.random.seed(2)
        model = Sequential([Dense(16, activation="relu", input_shape=(8,)), Dense(1)])
        model.compile("sgd", "mse")
        x = np.random.random((64, 8))
        model.fit(x, x.sum(axis=1), batch_size=8, epochs=4, verbose=0,
                  callbacks=[LambdaCallback(on_epoch_end=lambda epoch, logs: callback(model, x))])
        return model.predict(x)

    assert (train(lambda model, x: model.predict(x, batch_size=64)) == train(lambda model, x: None)).all()


def test_a_constant_that_changes_in_mid_training_counts():
    """Recordings freeze constants; a changed one is noticed, as is a callback that stops dropout and momentum."""

    def train(eager):
        np.random.seed(3)
        optimizer = SGD(0.1, momentum=0.9)
        model = Sequential([Dense(16, activation="relu", input_shape=(8,)), Dropout(0.5), Dense(1)])
        model.compile(optimizer, "mse")

        def change(epoch, logs):
            model.layers[1].rate, optimizer.momentum = (0.5, 0.9) if epoch < 1 else (0.25, 0.1)

        x = np.random.random((64, 8))
        return model.fit(x, x.sum(axis=1), batch_size=8, epochs=4, verbose=0, callbacks=[
            LambdaCallback(on_epoch_end=change, on_batch_end=(lambda batch, logs: None) if eager else None)]
        ).history["loss"]

    recorded = train(False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda_graph.CapturedWork, "__call__", lambda self, size: self.work(size))
        assert train(True) == recorded


def test_ctrl_c_while_recording_leaves_the_stream_fit_for_work():
    calls = []

    def interrupting(y_true, y_pred):
        calls.append(None)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return y_pred[:, 0]

    model = Sequential([Dense(1, input_shape=(8,))])
    model.compile("sgd", "mse", metrics=[interrupting])
    x = np.random.random((64, 8))
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, x.sum(axis=1), batch_size=8, verbose=0)
    model.fit(x, x.sum(axis=1), batch_size=8, verbose=0)


def test_two_threads_with_two_models_do_not_lock_each_other_out():
    models = [Sequential([Dense(1, input_shape=(8,))]) for _ in range(2)]
    x = np.random.random((64, 8))
    for model in models:
        model.compile("sgd", "mse")
    watch = LambdaCallback(on_epoch_end=lambda epoch, logs: models[1].evaluate(x, x[:, 0], verbose=0))
    threads = [threading.Thread(target=models[0].fit, args=(x, x[:, 0]), daemon=True,
                                kwargs={"epochs": 20, "verbose": 0, "callbacks": [watch]}),
               threading.Thread(target=models[1].fit, args=(x, x[:, 0]), daemon=True,
                                kwargs={"epochs": 20, "verbose": 0})]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("dropout", [[], [Dropout(0.5)]])
def test_nan_stays_nan_in_relu_and_dropout(dropout):
    model = Sequential([Dense(8, activation="relu", input_shape=(8,)), *dropout, Dense(1)])
    model.compile("sgd", "mse")
    model.layers[0].bias.value = np.nan
    x = np.random.random((64, 8))
    assert np.isnan(model.predict(x)).all()
    with pytest.raises(FloatingPointError, match="The loss is nan"):
        model.fit(x, x[:, 0], verbose=0)


def test_the_gradient_through_a_relu_is_nan_where_dy_is():
    dy, y = np.array([np.nan, np.nan, 1.0, 2.0], "float32"), np.array([0.0, 1.0, 0.0, 1.0], "float32")
    dz = to_numpy(kernels.relu_dropout_backward(xp.asarray(dy), xp.asarray(y), 0.5))
    assert np.array_equal(dz, [np.nan, np.nan, 0, 4], equal_nan=True)


def steps_without_a_graph(capsys, change_at, number):
    """What stderr says when the rate of a Dropout changes at each call of that hook."""
    dropout = Dropout(0.5)
    model = Sequential([Dense(8, activation="tanh", input_shape=(8,)), dropout, Dense(1)])
    model.compile("sgd", "mse")
    x = np.random.random((96, 8))
    change = LambdaCallback(**{change_at: lambda i, logs: setattr(dropout, "rate", dropout.rate * 0.99)})
    model.fit(x, x[:, 0], batch_size=12, epochs=number, verbose=0, callbacks=[change])
    return capsys.readouterr().err


def test_a_number_that_changes_once_an_epoch_is_captured_anew(capsys):
    assert steps_without_a_graph(capsys, "on_epoch_begin", 30) == ""


def test_a_number_that_changes_at_each_step_ends_captures_and_is_named(capsys):
    said = steps_without_a_graph(capsys, "on_batch_begin", 6)
    assert "without a CUDA graph: it would be captured too often. It has changed again: {'rate': 0." in said
    assert said.count("without a CUDA graph") == 1


def test_many_batch_sizes_are_all_captured(capsys):
    model = Sequential([Dense(8, activation="relu", input_shape=(8,)), Dense(1)])
    model.compile("sgd", "mse")
    x = np.random.random((64, 8))

    def batches():
        while True:
            for size in range(8, 33):
                yield x[:size], x[:size, 0]
    model.fit(batches(), steps_per_epoch=25, epochs=4, verbose=0)
    assert capsys.readouterr().err == ""


def test_arrays_on_the_gpu_are_taken_too():
    x, y = np.random.random((64, 8)), np.random.random((64, 1))
    results = []
    for convert in (np.asarray, xp.asarray):
        np.random.seed(1)
        model = Sequential([Dense(8, activation="relu", input_shape=(8,)), Dense(1)])
        model.compile("sgd", "mse")
        model.set_weights([convert(w) for w in model.get_weights()])
        history = model.fit(convert(x), convert(y), sample_weight=convert(y[:, 0]), verbose=0).history["loss"]
        results.append([history, model.predict(convert(x)).tolist()])
    assert results[0] == results[1]


def test_arrays_on_the_gpu_become_classes_floats_and_the_only_input_of_a_list():
    assert utils.to_categorical(xp.asarray([0, 2])).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert backend.cast_to_floatx(xp.ones(2)).tolist() == [1, 1]
    model = Sequential([Dense(1, input_shape=(8,))])
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit([xp.ones((4, 8))], [xp.ones(4)], verbose=0).history["loss"]).all()


def test_a_layer_takes_arrays_of_numpy_and_of_another_float_type():
    layer = Dense(4)
    layer.build_once((None, 8))
    for x in (np.ones((2, 8), "float32"), np.ones((2, 8)), xp.ones((2, 8))):
        assert to_numpy(layer.forward(x)).sum() == pytest.approx(2 * layer.get_weights()[0].sum(), rel=1e-5)


def test_a_product_over_the_last_of_three_axes_is_captured(capsys):
    model = Sequential([Dense(4, activation="tanh", input_shape=(5, 8)), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    x = np.random.random((64, 5, 8))
    history = model.fit(x, x[:, 0, 0], batch_size=16, epochs=4, verbose=0).history["loss"]
    assert history[-1] < history[0] and capsys.readouterr().err == ""


def test_a_derivative_of_another_float_type_is_cast():
    model = Sequential([Dense(1, input_shape=(8,))])
    model.compile("sgd", losses.Loss(losses.mean_squared_error,
                                     lambda t, p: losses.BACKWARD[losses.mean_squared_error](t, p).astype("float64")))
    x = np.random.random((64, 8))
    assert np.isfinite(model.fit(x, x.sum(axis=1), epochs=3, verbose=0).history["loss"]).all()


# What works on NumPy


class Descent(Optimizer):
    """As the docstring of Optimizer says: it reads the learning rate as a number, so it cannot be captured."""

    def step(self, p, g, lr):
        p -= lr * g


class WarmUp(SGD):
    """Another rate than the one that the kernel of SGD reads."""

    @property
    def learning_rate(self):
        return 0.1 * min(1, (self.iterations + 1) / 10)

    @learning_rate.setter
    def learning_rate(self, value):
        self.step_state[:1] = value


class Wrapped(Layer):
    """A Dense inside another layer."""

    def build(self, input_shape):
        self.dense = Dense(3)
        self.dense.build_once(input_shape)
        self.parameters += self.dense.parameters

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 3)

    def forward(self, x, training=False):
        return self.dense.forward(x, training)

    def backward(self, dy):
        return self.dense.backward(dy)


def losses_of(optimizer="sgd", callback=None, **options):
    """The losses of four epochs of three classes, by batches of 16; `options` are those of Dense."""
    np.random.seed(1)
    model = Sequential([Dense(8, activation="tanh", input_shape=(8,)), Dropout(0.5),
                        Dense(3, activation="softmax", **options)])
    model.compile(optimizer, "categorical_crossentropy")
    x, y = np.random.random((64, 8)), np.eye(3)[np.arange(64) % 3]
    watch = [LambdaCallback(on_epoch_begin=lambda epoch, logs: callback(model, epoch))] if callback else []
    return model.fit(x, y, batch_size=16, epochs=4, verbose=0, callbacks=watch).history["loss"]


def eagerly(monkeypatch, function):
    """What a function returns if each operation runs by itself, those of optimizers too."""
    with monkeypatch.context() as patch:
        patch.setattr(cuda_graph.CapturedWork, "__call__", lambda self, size: self.work(size))
        patch.setattr(kernels, "formula", lambda optimizer: ("", []))
        return function()


def set_l2(model, epoch):
    model.layers[2].kernel_regularizer.l2 = 0.1 * epoch


def set_rate(model, epoch):
    model.layers[1].rate = np.float32(0.1 * epoch)


@pytest.mark.parametrize("options", [
    {"callback": set_l2, "kernel_regularizer": regularizers.l2(0.0)}, {"callback": set_rate},
    {"optimizer": WarmUp(0.1)}], ids=["regularizer", "float32", "WarmUp"])
def test_what_changes_between_steps_counts(options, monkeypatch):
    assert losses_of(**copy.deepcopy(options)) == eagerly(monkeypatch, lambda: losses_of(**copy.deepcopy(options)))


def test_a_capture_that_fails_takes_no_samples_of_a_generator():
    model = Sequential([Dense(3, activation="softmax", input_shape=(8,))])
    x, y = np.random.random((64, 8)), np.eye(3)[np.arange(64) % 3]

    def batches():
        while True:
            for start in range(0, 64, 16):
                yield x[start:start + 16], y[start:start + 16]
    model.compile(Descent(0.1), "categorical_crossentropy", metrics=[lambda t, p: p[p > 0.4]])
    assert np.isfinite(model.fit(batches(), steps_per_epoch=4, epochs=2, verbose=0).history["loss"]).all()
    loss = model.evaluate(x, y, verbose=0)[0]
    assert model.evaluate(batches(), steps=4, verbose=0)[0] == pytest.approx(loss, rel=1e-5)


def test_a_graph_writes_to_no_array_that_was_made_after_it():
    made: list = []
    model = Sequential([Wrapped(input_shape=(8,))])
    model.compile("sgd", "mse")
    x = np.random.random((64, 8))

    def grow(epoch, logs):
        model.predict(np.tile(x, (epoch + 2, 1)), batch_size=64 * (epoch + 2))     # a larger buffer replaces one
        made.extend(xp.full(48, 7, "f") for _ in range(8))
    model.fit(x, x[:, :3], batch_size=16, epochs=6, verbose=0, callbacks=[LambdaCallback(on_epoch_end=grow)])
    assert all((a == 7).all() for a in made)


def test_targets_of_any_type_have_the_loss_of_the_logits():
    t, z = np.eye(3)[[0, 1, 2, 0]], xp.asarray(np.random.random((4, 3)), "f")
    loss = losses.CategoricalCrossentropy(from_logits=True)
    values = [(float(loss.forward(xp.asarray(t, kind), z)), loss.backward(xp.asarray(t, kind), z).tolist())
              for kind in ("f", "d", "i", "l", "?")]
    assert all(value == values[0] for value in values)


def test_a_backup_holds_no_nan(tmp_path):
    """Although the loss is known at the end of the epoch only."""
    def spoil(batch, logs):
        if batch == 5:
            model.layers[0].kernel.value = np.nan
    model = Sequential([Dense(1, input_shape=(8,))])
    model.compile("sgd", "mse")
    x = np.random.random((80, 8))
    with pytest.raises(FloatingPointError, match="in batch 6 of epoch 1"):
        model.fit(x, x[:, 0], batch_size=8, verbose=0, callbacks=[
            BackupAndRestore(tmp_path, save_freq=1), LambdaCallback(on_batch_begin=spoil)])
    assert np.isfinite(load_model(tmp_path / "backup.safetensors").get_weights()[0]).all()


def test_cupy_without_cublas_is_not_chosen():
    code = ("import sys; sys.modules['cupy_backends.cuda.libs.cublas'] = None\n"
            "import tinynet; print(tinynet.backend.device_name())")
    auto, cupy = (subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                                 env=OF_A_CPU | {"TINYNET_BACKEND": backend}) for backend in ("auto", "cupy"))
    assert auto.returncode == 0 and "numpy on" in auto.stdout
    assert "because CuPy's compiler or cuBLAS failed: import of cupy_backends.cuda.libs.cublas halted" in auto.stdout
    assert cupy.returncode and "TINYNET_BACKEND=cupy cannot be used, the compiler or cuBLAS failed" in cupy.stderr


def model_with(metrics, optimizer="rmsprop"):
    model = Sequential([Dense(16, activation="relu", input_shape=(8,)), Dropout(0.2), Dense(16, activation="relu"),
                        Dropout(0.2), Dense(3, activation="softmax")])
    model.compile(optimizer, "categorical_crossentropy", metrics=metrics)
    return model


@pytest.mark.skipif(not emulated, reason="an emulated GPU counts what it does, a real one does not")
@pytest.mark.skipif(os.environ.get("CUDACPU_LATE") == "1", reason="late work is counted late")
@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd", "adam", "nadam", "adadelta"])
def test_a_steady_epoch_waits_for_nothing_and_takes_no_memory(optimizer):
    """Seven batches are seven launches; before them the order of the samples is copied, and after them the sums, and
    whether all weights are finite."""
    seen: list = []

    class Count(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.within = []
            seen.append((counts(), self.within))

        def progress(self, means):
            self.within.append(counts())

    model = model_with(["accuracy", "mse"], optimizer)
    x, y = np.random.random((100, 8)), np.eye(3)[np.arange(100) % 3]
    model.fit(x, y, batch_size=16, epochs=5, verbose=0, callbacks=[Count()])
    (before, within), (after, _) = seen[-2:]
    epoch = {work: after[work] - before[work] for work in before}
    steps = {work: within[-1][work] - within[0][work] for work in before}
    assert steps == {"synchronization": 0, "allocation": 0, "copy to device": 0, "copy to host": 0, "graph launch": 6}
    assert epoch == {"synchronization": 2, "allocation": 0, "copy to device": 1, "copy to host": 2, "graph launch": 7}


def test_a_steady_epoch_takes_nothing_from_the_memory_pool():
    taken: list = []

    class Hook(xp.cuda.memory_hook.MemoryHook if on_gpu else object):
        def malloc_preprocess(self, **request):
            taken.append(request)

    class Watch(Callback):
        def progress(self, means):
            numbers.append(len(taken))

    numbers: list = []
    model = model_with(["accuracy"])
    x, y = np.random.random((96, 8)), np.eye(3)[np.arange(96) % 3]
    with Hook():
        model.fit(x, y, batch_size=16, epochs=4, verbose=0, callbacks=[Watch()])
    assert numbers[0] > 0 and numbers[-6] == numbers[-1]


def test_what_cannot_be_captured_runs_step_by_step_and_says_why(capsys):
    def asks(y_true, y_pred):
        return float(y_pred.sum()) + y_pred[:, 0]

    model = model_with([asks])
    x, y = np.random.random((96, 8)), np.eye(3)[np.arange(96) % 3]
    history = model.fit(x, y, batch_size=16, epochs=3, verbose=0).history
    said = capsys.readouterr().err
    assert "tinynet runs this model without a CUDA graph: it cannot be captured. " in said and "capturing" in said
    assert "Does a layer, loss, metric or optimizer of your own ask for a number" in said
    assert said.count("without a CUDA graph") == 1 and np.isfinite(history["asks"]).all()


def test_memory_is_flat_over_a_thousand_steps():
    used: list = []
    model = Sequential([Dense(512, activation="relu", input_shape=(784,)), Dropout(0.2),
                        Dense(10, activation="softmax")])
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    samples = 2560 if emulated else 12800
    x, y = np.random.random((samples, 784)), np.eye(10)[np.arange(samples) % 10]
    gc.collect()
    pool = xp.get_default_memory_pool()
    model.fit(x, y, batch_size=128, epochs=13, verbose=0, callbacks=[
        LambdaCallback(on_epoch_end=lambda epoch, logs: used.append(pool.used_bytes()))])
    assert len(set(used[3:])) == 1, used


def test_the_tutorial_s_network_reaches_its_accuracy():
    epochs, least = (1, 0.94) if emulated else (32, 0.981)      # an emulated epoch takes seconds
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    model = Sequential([Dense(512, activation="relu", input_shape=(784,)), Dropout(0.2), Dense(512, activation="relu"),
                        Dropout(0.2), Dense(10, activation="softmax")])
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train.reshape(-1, 784) / 255, utils.to_categorical(y_train), batch_size=128, epochs=epochs, verbose=0)
    accuracy = model.evaluate(x_test.reshape(-1, 784) / 255, utils.to_categorical(y_test), verbose=0)[1]
    assert accuracy > least
