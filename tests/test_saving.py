"""A model file holds everything, cannot run code and is whole or not there; what is damaged is refused."""
import os
import signal
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import harm
from harm import outcome, small_model, state
from tinynet import backend, losses, metrics, optimizers
from tinynet.callbacks import (BackupAndRestore, Callback, CSVLogger, LambdaCallback, ModelCheckpoint,
                               ReduceLROnPlateau, TerminateOnNaN)
from tinynet.layers import Dense, Layer
from tinynet.models import Sequential, load_model
from tinynet.serialization import ModelFileError, atomic, keras_files, layout
from tinynet.utils import Sequence

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def model():
    return small_model()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


# What a file holds


def test_a_loaded_model_is_the_saved_one_and_trains_on_to_the_same_bits(model, path):
    model.save(path)
    twin = load_model(path)
    assert state(twin) == state(model) and twin.get_config() == model.get_config()
    x, y = np.random.random((12, 4)), np.eye(3)[np.arange(12) % 3]
    histories = []
    for each in (model, twin):
        np.random.seed(3)
        histories.append(each.fit(x, y, batch_size=4, epochs=2, verbose=0).history)
    assert histories[0] == histories[1] and state(twin) == state(model)


def test_loading_draws_no_random_numbers(model, path):
    model.save(path)
    np.random.seed(5)
    before = np.random.get_state()[1].tolist(), np.random.get_state()[2]
    load_model(path)
    assert (np.random.get_state()[1].tolist(), np.random.get_state()[2]) == before


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
            assert np.array_equal(arrays[f"weights/{p.name}"], p.value)


def test_a_model_that_was_never_compiled_or_built_can_be_saved(path):
    Sequential([Dense(3, input_shape=(2,))]).save(path)
    assert load_model(path).optimizer is None
    Sequential([Dense(3)]).save(path)
    assert not load_model(path).built


def test_weights_alone_go_to_the_layers_in_order_or_by_name(model, path):
    model.save_weights(path)
    twin = small_model()
    twin.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(twin.get_weights(), model.get_weights()))
    with pytest.raises(ModelFileError, match="No layer of the model has the name of one in the file: dense_1, dense_2"):
        twin.load_weights(path, by_name=True)
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
    twin = load_model(tmp_path / "again.h5")
    assert all(np.array_equal(a, b) for a, b in zip(twin.get_weights(), model.get_weights()))
    assert twin.get_config() == model.get_config()


def test_a_newer_version_is_an_error_that_names_both(path):
    path.write_bytes(harm.bombs()["a newer version"])
    with pytest.raises(ModelFileError, match="format version '2', and this tinynet reads version 1"):
        load_model(path)


def test_keras_3_s_own_ending_is_not_written(model, tmp_path):
    with pytest.raises(ValueError, match="does not write Keras 3's own format"):
        model.save(tmp_path / "model.keras")


def test_without_h5py_the_error_says_what_to_install(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r'pip install "tinynet\[keras\]"'):
        model.save_weights(tmp_path / "w.h5")
    assert os.listdir(tmp_path) == []


# Whole or not there


def test_no_kill_loses_a_file(tmp_path):
    assert harm.kill_while_saving(tmp_path, 30) == {"lost": 0, "older": 0, "stale": 0}


def test_left_over_files_of_the_dead_go_and_of_the_living_stay(tmp_path):
    target = tmp_path / "model"
    dead, other = tmp_path / f".model.{'0' * 16}.tmp", tmp_path / ".model2.0123456789abcdef.tmp"
    dead.write_text("")
    other.write_text("")
    living = tmp_path / f".model.{'1' * 16}.tmp"
    with open(living, "w") as file:
        assert atomic._hold(file.fileno())
        atomic.write(target, b"new")
    assert not dead.exists() and living.exists() and other.exists() and target.read_bytes() == b"new"


def test_the_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    calls = []
    for name in ("write", "fsync", "replace"):
        inner = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, inner=inner, name=name: (
            calls.append((name, name == "fsync" and stat.S_ISDIR(os.fstat(a[0]).st_mode))), inner(*a))[1])
    atomic.write(tmp_path / "model", b"data")
    assert calls == [("write", False), ("fsync", False), ("replace", False), ("fsync", True)]


def test_permissions_are_the_umask_s_and_links_stay(tmp_path):
    before = os.umask(0o027)
    try:
        (tmp_path / "real").mkdir()
        link = tmp_path / "link"
        link.symlink_to(tmp_path / "real" / "model")
        atomic.write(link, b"one")
        atomic.write(link, b"two")
    finally:
        os.umask(before)
    assert link.is_symlink() and (tmp_path / "real" / "model").read_bytes() == b"two"
    assert stat.S_IMODE((tmp_path / "real" / "model").stat().st_mode) == 0o640


def test_a_full_disk_leaves_the_old_file(model, path):
    model.save(path)
    for raised, unharmed in harm.full_disk(path, model.save, [0, 1, 100, 1000, 2000]):
        assert raised == "OSError" and unharmed


@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
@pytest.mark.parametrize("error", [PermissionError, KeyboardInterrupt])
def test_an_error_while_saving_leaves_the_old_file(model, path, monkeypatch, where, error):
    model.save(path)
    before = path.read_bytes()

    def fail(*arguments):
        raise error("no")
    monkeypatch.setattr(os, where, fail)
    with pytest.raises(error):
        model.save(path)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_a_missing_folder_and_a_folder_are_clear_errors(model, tmp_path):
    with pytest.raises(FileNotFoundError):
        model.save(tmp_path / "missing" / "model")
    with pytest.raises(IsADirectoryError, match="expected the name of a file"):
        model.save(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "missing")


# Damage and lies


def test_damaged_files_are_refused(model, path):
    model.save(path)
    raw, expected = path.read_bytes(), state(model)
    counts = Counter((signed, outcome(path, damaged, expected)) for damaged, signed in harm.mutants(raw, 3000))
    assert {what for signed, what in counts if not signed} <= {"error", "equal"}
    assert {what for signed, what in counts if signed} <= {"error", "equal", "different"}
    assert counts[False, "error"] > 1500


@pytest.mark.parametrize("name, raw", harm.bombs().items())
def test_bombs_and_lies_are_refused_and_take_little_memory(name, raw, path):
    path.write_bytes(raw)
    code = ("import resource, sys; from tinynet.models import load_model; import h5py\n"
            "def now(): return next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('VmHWM'))\n"
            "before = now()\n"
            "try: load_model(sys.argv[1])\n"
            "except ValueError as error: print(type(error).__name__, now() - before, error)")
    if os.path.exists("/proc/self/status"):
        said = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True).stdout.split(" ", 2)
        assert said[0] == "ModelFileError" and int(said[1]) * 1024 < 2**26 + len(raw), said
    assert outcome(path, raw) == "error"


def test_damaged_files_of_keras_are_refused_too(path):
    raw = (GOLDEN / "keras231.h5").read_bytes()
    for at in range(0, 3000, 60):       # where the tables are; beyond, h5py itself may go round in circles
        assert outcome(path, raw[:at] + b"\xff" + raw[at + 1:]) in ("error", "equal")
    for at in range(0, len(raw), 500):
        assert outcome(path, raw[:at]) == "error"


def test_loading_runs_no_code(tmp_path):
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import harm
from pathlib import Path
path, model = Path({str(tmp_path)!r}) / "model", harm.small_model()
model.save(path)
raw = path.read_bytes()
golden = [file.read_bytes() for file in Path({str(GOLDEN)!r}).iterdir() if file.suffix != ".npz"]
files = [raw, *golden, *harm.bombs().values(), *(damaged for damaged, _ in harm.mutants(raw, 500))]
from tinynet.models import load_model
def load():
    try: load_model(path)
    except ValueError: pass
for file in files[:8]:
    path.write_bytes(file); load()      # what is imported when first needed
watching, seen = False, []
def watch(event, arguments):
    if watching and (event.split(".")[0] in ("exec", "import", "compile", "marshal", "pickle", "socket", "subprocess",
                                             "ctypes", "shutil") or event.startswith("os.")
                     or event == "open" and (set(str(arguments[1])) & set("wax+"))):
        seen.append((event, str(arguments)[:100]))
sys.addaudithook(watch)
for file in files:
    path.write_bytes(file)
    watching = True; load(); watching = False
watching = True
open({str(tmp_path / 'x')!r}, "w").close()     # the watch itself works
watching = False
print(len(files), seen)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    number, _, seen = said.stdout.strip().partition(" ")
    assert int(number) > 500 and eval(seen) and [event for event, _ in eval(seen)] == ["open"], said.stderr


def test_the_loader_knows_no_way_to_run_code():
    for module in (layout, keras_files, atomic):
        text = Path(module.__file__).read_text()
        assert not any(word in text for word in ("pickle", "marshal", "eval(", "exec(", "importlib", "__import__"))


# Training that goes on


def test_killed_runs_end_with_the_bits_of_an_uninterrupted_one(tmp_path):
    whole, resumed = harm.resumed_hashes(tmp_path, 3)
    assert len(whole) == 64 and resumed == [whole] * 3


def fit(folder, model=None, callbacks=(), epochs=3, x=None, **options):
    model = model or small_model()
    x = np.random.RandomState(0).random_sample((24, 4)) if x is None else x
    y = np.eye(3)[np.arange(len(x)) % 3]
    model.fit(x, y, batch_size=4, epochs=epochs, verbose=0, callbacks=[BackupAndRestore(folder), *callbacks], **options)
    return model


def test_ctrl_c_ends_the_batch_saves_and_says_how_to_go_on(tmp_path):
    def interrupt(batch, logs):
        if batch == 3:
            os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="the same command goes on from there"):
        fit(tmp_path / "a", callbacks=[LambdaCallback(on_batch_end=interrupt)])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    steps = []
    model = fit(tmp_path / "a", callbacks=[LambdaCallback(on_batch_end=lambda batch, logs: steps.append(batch))])
    assert steps[:3] == [4, 5, 0] and len(steps) == 14
    assert model.optimizer.iterations == 2 + 18


def test_a_run_that_has_ended_has_nothing_more_to_do_until_there_are_more_epochs(tmp_path):
    first = fit(tmp_path)
    again = fit(tmp_path)
    assert state(again)[:10] and all(np.array_equal(a, b) for a, b in zip(first.get_weights(), again.get_weights()))
    assert again.history.epoch == [0, 1, 2]
    assert fit(tmp_path, epochs=4).history.epoch == [0, 1, 2, 3]


def test_the_backup_of_another_run_is_refused_and_nothing_changes(tmp_path):
    fit(tmp_path)
    other = Sequential([Dense(5, input_shape=(4,)), Dense(3, activation="softmax")])
    other.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    before = other.get_weights()
    with pytest.raises(ModelFileError, match="the backup of a run with other layers"):
        fit(tmp_path, other)
    assert all(np.array_equal(a, b) for a, b in zip(other.get_weights(), before))
    with pytest.raises(ModelFileError, match="other data"):
        fit(tmp_path, x=np.random.random((20, 4)))
    with pytest.raises(ModelFileError, match="other callbacks"):
        fit(tmp_path, callbacks=[TerminateOnNaN()])


def test_damaged_backups_are_refused(tmp_path):
    fit(tmp_path)
    file = tmp_path / "backup.safetensors"
    raw = file.read_bytes()
    for damaged, _ in harm.mutants(raw, 300):
        if damaged != raw:
            file.write_bytes(damaged)
            model = small_model()
            before = state(model)
            try:
                fit(tmp_path, model, epochs=0)
            except ModelFileError:
                assert state(model) == before


def test_model_checkpoint_saves_each_or_the_best(tmp_path, capsys):
    fit(tmp_path / "b", callbacks=[ModelCheckpoint(tmp_path / "{epoch:02d}-{loss:.1f}", "loss", verbose=1, period=2)])
    saved = [name for name in os.listdir(tmp_path) if name.startswith("02-")]
    assert len(saved) == 1 and "Epoch 00002: saving model to" in capsys.readouterr().out
    assert load_model(tmp_path / saved[0]).optimizer.iterations == 2 + 12
    best = ModelCheckpoint(tmp_path / "best", "loss", verbose=1, save_best_only=True, save_weights_only=True)
    losses = fit(tmp_path / "c", callbacks=[best], epochs=6).history.history["loss"]
    improved = [loss for i, loss in enumerate(losses) if loss < min(losses[:i], default=np.inf)]
    said = capsys.readouterr().out
    assert said.count("saving model to") == len(improved) and said.count("did not improve") == 6 - len(improved)
    with pytest.raises(ModelFileError, match="weights alone"):
        load_model(tmp_path / "best")
    with pytest.raises(ValueError, match="filepath .* names 'val_loss'; the logs have epoch, loss, accuracy"):
        fit(tmp_path / "d", callbacks=[ModelCheckpoint(str(tmp_path / "{val_loss}"), "loss")])


# A loss that is not finite


def test_a_loss_that_is_not_finite_is_an_error_that_names_the_layer_and_keeps_the_last_backup(tmp_path):
    model = small_model()

    def spoil(epoch, logs):
        if epoch == 2:
            model.layers[2].parameters[0].value = np.nan
    with pytest.raises(FloatingPointError, match=r"The loss is nan in batch 1 of epoch 3. The output of dense_2 is the "
                                                 r"first that is not finite.*learning_rate than 0.001"):
        fit(tmp_path, model, [LambdaCallback(on_epoch_begin=spoil)], epochs=5)
    saved = load_model(tmp_path / "backup.safetensors")
    assert np.isfinite(saved.get_weights()[2]).all() and saved.optimizer.iterations == 2 + 12


def test_terminate_on_nan_ends_without_an_error(tmp_path, capsys):
    model = small_model()
    model.layers[2].parameters[0].value = np.nan
    fit(tmp_path, model, [TerminateOnNaN()])
    assert "Batch 0: Invalid loss, terminating training" in capsys.readouterr().out


# What an attacker found


def simple(optimizer="sgd", loss="mse", **options):
    model = Sequential([Dense(1, input_shape=(4,))])
    model.compile(optimizer, loss, **options)
    return model


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adagrad", "adadelta", "adam", "adamax", "nadam"])
def test_every_optimizer_goes_on_after_loading(optimizer, path):
    model, x = simple(optimizer), np.random.random((32, 4))
    model.fit(x, x[:, 0], verbose=0)
    model.save(path)
    twin = load_model(path)
    for each in (model, twin):
        np.random.seed(0)
        each.fit(x, x[:, 0], epochs=2, batch_size=8, verbose=0)
    assert state(twin) == state(model)


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


class Crash(Callback):
    """Ends training by an error at the end of an epoch."""

    def __init__(self, epoch):
        self.at = epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.at:
            raise RuntimeError("crash")


class Batches(Sequence):
    def __len__(self):
        return 7

    def __getitem__(self, index):
        x = np.random.RandomState(index).random_sample((4, 4))
        return x, x[:, 0]


def test_a_sequence_that_is_taken_in_parts_goes_on_to_the_same_bits(tmp_path):
    def run(folder, crash):
        np.random.seed(1)
        model = simple("adam")
        model.fit(Batches(), steps_per_epoch=4, epochs=6, verbose=0, callbacks=[Crash(crash), BackupAndRestore(folder)])
        return state(model)
    whole = run(tmp_path / "whole", None)
    with pytest.raises(RuntimeError, match="crash"):
        run(tmp_path / "parts", 3)
    assert run(tmp_path / "parts", None) != ""
    resumed = load_model(tmp_path / "parts" / "backup.safetensors")
    expected = load_model(tmp_path / "whole" / "backup.safetensors")
    assert all(np.array_equal(a, b) for a, b in zip(resumed.get_weights(), expected.get_weights())) and whole


def test_an_epoch_that_was_told_to_stop_is_ended_by_the_next_run(tmp_path):
    x, histories = np.random.random((64, 4)), []
    for crash in (0, None):
        model = simple()
        stop = LambdaCallback(on_batch_end=lambda b, logs, m=model: b == 1 and setattr(m, "stop_training", True))
        try:
            histories.append(model.fit(x, x[:, 0], batch_size=16, epochs=3, verbose=0,
                                       callbacks=[stop, Crash(crash), BackupAndRestore(tmp_path, 1)]).history)
        except RuntimeError:
            continue
    assert [len(history["loss"]) for history in histories] == [1]


def test_ctrl_c_at_the_very_end_is_not_swallowed(tmp_path):
    def interrupt(epoch, logs):
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, epochs=2, callbacks=[LambdaCallback(on_epoch_end=interrupt)])


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        fit(tmp_path, callbacks=[LambdaCallback(on_batch_end=lambda b, logs: os.kill(os.getpid(), signal.SIGINT))])
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("crash", [0, 1, 2])
@pytest.mark.parametrize("first", [True, False])
def test_the_csv_of_a_resumed_run_has_each_line_once(tmp_path, append, crash, first):
    x, file = np.random.random((16, 4)), tmp_path / "log.csv"
    for at in (crash, None):
        logger, plateau = CSVLogger(file, append=append), ReduceLROnPlateau("loss", patience=0)
        callbacks = [logger, plateau] if first else [plateau, logger]
        try:
            simple().fit(x, x[:, 0], epochs=4, verbose=0,
                         callbacks=[*callbacks, Crash(at), BackupAndRestore(tmp_path / "b")])
        except RuntimeError:
            continue
    lines = file.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1", "2", "3"]
    assert lines[0] == ("epoch,loss" if first else "epoch,loss,lr")


def test_a_lost_csv_is_written_again(tmp_path):
    x = np.random.random((16, 4))
    for epochs in (2, 4):
        simple().fit(x, x[:, 0], epochs=epochs, verbose=0,
                     callbacks=[CSVLogger(tmp_path / "log.csv", append=True), BackupAndRestore(tmp_path / "b")])
        lines = (tmp_path / "log.csv").read_text().splitlines()
        (tmp_path / "log.csv").unlink()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1", "2", "3"]


def test_an_error_at_the_end_is_shown_and_not_hidden(tmp_path):
    def fail(logs):
        raise RuntimeError("of the user")
    with pytest.raises(RuntimeError, match="of the user"):
        fit(tmp_path / "b", callbacks=[CSVLogger(tmp_path / "log.csv"), LambdaCallback(on_train_end=fail)])


class Norms(Callback):
    kept = ("norms",)

    def on_train_begin(self, logs=None):
        self.norms = []

    def on_epoch_end(self, epoch, logs=None):
        self.norms.append(np.ones(2))


def test_an_empty_list_comes_back_as_one(tmp_path):
    x = np.random.random((16, 4))
    for at in (0, None):
        norms = Norms()
        try:
            simple().fit(x, x[:, 0], epochs=3, verbose=0, callbacks=[Crash(at), norms, BackupAndRestore(tmp_path)])
        except RuntimeError:
            continue
    assert len(norms.norms) == 3


def test_the_same_cell_again_goes_on_although_names_count_on(tmp_path):
    x = np.random.random((16, 4))
    for epochs in (1, 2):
        model = simple(metrics=[metrics.Precision()])
        model.fit(x, x[:, 0] > 0.5, epochs=epochs, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    assert model.history.epoch == [0, 1]
    with pytest.raises(ModelFileError, match="a run with other optimizer"):
        simple(optimizers.SGD(clipnorm=1.0), metrics=[metrics.Precision()]).fit(
            x, x[:, 0] > 0.5, verbose=0, callbacks=[BackupAndRestore(tmp_path)])


def test_what_is_no_number_in_the_logs_is_refused_in_words(tmp_path):
    def note(epoch, logs):
        logs["note"] = "text"
    with pytest.raises(ValueError, match="The logs' 'note' holds 'text', and a backup keeps numbers"):
        fit(tmp_path, callbacks=[LambdaCallback(on_epoch_end=note)])
