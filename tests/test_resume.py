"""Training that is interrupted continues to the same bits, and a loss that is not finite is an error."""
import json
import os
import signal

import numpy as np
import pytest

import harm
from harm import simple, small_model, state
from tinynet import metrics, optimizers
from tinynet.backend import on_gpu
from tinynet.callbacks import (BackupAndRestore, Callback, CSVLogger, LambdaCallback, ModelCheckpoint,
                               ReduceLROnPlateau, TerminateOnNaN)
from tinynet.layers import Dense, Layer
from tinynet.models import Sequential, load_model
from tinynet.saving import ModelFileError, file_format
from tinynet.utils import Sequence, set_random_seed


def test_killed_runs_end_with_the_bits_of_an_uninterrupted_one(tmp_path):
    pairs = harm.resumed_hashes(tmp_path, 3)
    assert len(pairs) == 3 and all(len(whole) == 64 and resumed == whole for whole, resumed in pairs)


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
    with pytest.raises(KeyboardInterrupt, match="the same command continues from there"):
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
    with pytest.raises(ModelFileError, match="other training data"):
        fit(tmp_path, x=np.random.random((20, 4)))
    with pytest.raises(ModelFileError, match="other callbacks"):
        fit(tmp_path, callbacks=[TerminateOnNaN()])


OTHER_RUNS = {
    "training data": [{"x": np.random.RandomState(9).random_sample((24, 4))}, {"sample_weight": np.arange(24.0)},
                      {"class_weight": {0: 1, 1: 2, 2: 3}}],
    "validation data": [{"validation_data": (np.zeros((3, 4)), np.eye(3))}],
    "shuffle": [{"shuffle": False}, {"shuffle": "batch"}],
    "initial_epoch": [{"initial_epoch": 1}],
    "arguments of the optimizer": [{"model": "slow"}],
    "seed of set_random_seed": [{"seed": 8}],
}


@pytest.mark.parametrize("what, other", [(what, other) for what, others in OTHER_RUNS.items() for other in others])
def test_a_backup_is_of_one_run(tmp_path, what, other):
    """Such as the next fold of a cross-validation with one folder."""
    def run(seed=7, model=None, **options):
        set_random_seed(seed)
        made = small_model()
        if model:
            made.compile(optimizers.Adam(1e-5), "categorical_crossentropy", metrics=["accuracy"])
        return fit(tmp_path, made, **options)
    run()
    raw, made = (tmp_path / "backup.safetensors").read_bytes(), small_model()
    with pytest.raises(ModelFileError, match=f"the backup of a run with other {what}: .* there, .* here. Use another "
                                             "folder, or remove this one"):
        run(**other)
    assert (tmp_path / "backup.safetensors").read_bytes() == raw
    assert run().optimizer.iterations == 2 + 18 and made is not None


def test_a_run_that_is_complete_says_so_in_a_line(tmp_path, capsys):
    fit(tmp_path)
    assert not capsys.readouterr().err
    fit(tmp_path)
    said = capsys.readouterr().err
    assert "holds this run, complete with 3 epochs: nothing is trained" in said and said.count("\n") == 1
    fit(tmp_path, epochs=4)
    assert not capsys.readouterr().err


def test_a_fit_that_goes_on_in_the_same_program_keeps_the_rate_that_training_has_changed(tmp_path):
    model = small_model()
    slower = LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model.optimizer, "lr", model.optimizer.lr / 2))
    fit(tmp_path, model, [slower])
    rate = float(model.optimizer.lr)
    fit(tmp_path, model, [slower], epochs=4)
    assert float(model.optimizer.lr) == rate / 2 and model.history.epoch == [0, 1, 2, 3]


def test_an_optimizer_whose_arguments_are_no_plain_data_trains_and_only_a_backup_refuses_it(tmp_path):
    class Own(optimizers.SGD):
        def __init__(self, schedule=None, **options):
            super().__init__(**options)
            self.schedule = schedule

    model = simple(Own(schedule=object()))
    model.fit(np.ones((4, 4)), np.ones((4, 1)), verbose=0)
    with pytest.raises(ValueError, match="A config must be plain data"):
        model.fit(np.ones((4, 4)), np.ones((4, 1)), verbose=0, callbacks=[BackupAndRestore(tmp_path)])


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


def test_a_backup_without_one_of_its_numbers_is_refused_and_nothing_changes(tmp_path):
    file = tmp_path / "backup.safetensors"
    fit(tmp_path, callbacks=[ReduceLROnPlateau("loss")])
    arrays, metadata = file_format.decode(file.read_bytes())
    run, refused = json.loads(metadata["run"]), 0
    damaged = [(arrays, {name: value for name, value in run.items() if name != missing}) for missing in run]
    damaged += [({name: a for name, a in arrays.items() if name != missing}, run) for missing in arrays]
    for some_arrays, some_run in damaged:
        file.write_bytes(file_format.encode(some_arrays, metadata | {"run": json.dumps(some_run)}))
        model = small_model()
        before, numbers = state(model), np.random.get_state()[2]
        try:
            fit(tmp_path, model, callbacks=[ReduceLROnPlateau("loss")], epochs=0)
        except ModelFileError:
            refused += 1
            assert state(model) == before and np.random.get_state()[2] == numbers
    assert refused >= 25


def test_a_backup_whose_random_state_points_beyond_its_numbers_is_refused(tmp_path):
    """NumPy takes such a state, and reads memory that is not its own at the next draw."""
    file = tmp_path / "backup.safetensors"
    fit(tmp_path)
    arrays, metadata = file_format.decode(file.read_bytes())
    for position in (625, 2**31 - 1):
        run = json.loads(metadata["run"]) | {"position": position}
        file.write_bytes(file_format.encode(arrays, metadata | {"run": json.dumps(run)}))
        with pytest.raises(ModelFileError, match="Corrupt checkpoint"):
            fit(tmp_path)


def test_initial_epoch_counts_in_a_run_that_continues(tmp_path):
    assert fit(tmp_path, epochs=2).history.epoch == [0, 1]
    with pytest.raises(ModelFileError, match="with other initial_epoch: 0 there, 4 here"):
        fit(tmp_path, epochs=6, initial_epoch=4)
    assert fit(tmp_path / "later", epochs=6, initial_epoch=4).history.epoch == [4, 5]
    assert fit(tmp_path / "later", epochs=7, initial_epoch=4).history.epoch == [4, 5, 6]


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
    state_attributes = ("norms",)

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


def test_what_is_no_number_in_the_logs_is_refused_with_a_clear_message(tmp_path):
    def note(epoch, logs):
        logs["note"] = "text"
    with pytest.raises(ValueError, match="The logs' 'note' holds 'text', and a backup keeps numbers"):
        fit(tmp_path, callbacks=[LambdaCallback(on_epoch_end=note)])


# A loss that is not finite


def test_a_loss_that_is_not_finite_is_an_error_that_names_the_layer_and_keeps_the_last_backup(tmp_path):
    model = small_model()

    def spoil(epoch, logs):
        if epoch == 2:
            model.layers[2].parameters[0].value = np.nan
    where = "A GPU is checked only when the epoch ends; TINYNET_BACKEND=numpy tells the layer" if on_gpu else (
        "The output of dense_2 is the first that is not finite")
    with pytest.raises(FloatingPointError, match=f"The loss is nan in batch 1 of epoch 3. {where}.*rate than 0.001"):
        fit(tmp_path, model, [LambdaCallback(on_epoch_begin=spoil)], epochs=5)
    saved = load_model(tmp_path / "backup.safetensors")
    assert np.isfinite(saved.get_weights()[2]).all() and saved.optimizer.iterations == 2 + 12


@pytest.mark.parametrize("interrupted", [False, True])
def test_the_first_batch_whose_loss_is_not_finite_is_named(tmp_path, interrupted):
    """Also on a GPU, which goes on to the end of the epoch, and in an epoch that an interrupted run has begun."""
    def interrupt(batch, logs):
        if batch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    def spoil(batch, logs):
        if batch == 4:
            model.layers[2].parameters[0].value = np.nan
    model = small_model()
    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path, callbacks=[LambdaCallback(on_batch_end=interrupt)])
    with pytest.raises(FloatingPointError, match="The loss is nan in batch 5 of epoch 1."):
        fit(tmp_path, model, callbacks=[LambdaCallback(on_batch_begin=spoil)])


@pytest.mark.parametrize("position", [0, 1, 2])
def test_the_first_layer_that_is_not_finite_is_named_whether_or_not_it_keeps_its_output(position):
    class Broken(Layer):
        def forward(self, x, training=False):
            return x * np.nan

        def backward(self, dy):
            return dy

    layers = [Dense(4, input_shape=(4,)), Dense(4), Dense(3)]
    layers.insert(position + 1, Broken(name="broken"))
    model = Sequential(layers)
    model.compile("sgd", "mse")
    where = "A GPU is checked only when the epoch ends" if on_gpu else (
        "broken is the first" if position < 2 else "No output that a layer keeps")
    with pytest.raises(FloatingPointError, match=where):
        model.fit(np.ones((4, 4)), np.ones((4, 3)), verbose=0)


def test_terminate_on_nan_ends_without_an_error(tmp_path, capsys):
    model = small_model()
    model.layers[2].parameters[0].value = np.nan
    fit(tmp_path, model, [TerminateOnNaN()])
    assert "Batch 0: Invalid loss, terminating training" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:.*(overflow|invalid value).*:RuntimeWarning")
class TestWeightsThatAreNotFinite:
    """The last update of a run that diverges, of which no loss tells."""

    def run(self, folder, *more, epochs=2, rate=1e38):
        model = Sequential([Dense(3, input_shape=(4,))])
        model.compile(optimizers.SGD(0.001), "mse")
        rates = LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(
            model.optimizer, "lr", rate if epoch == 1 else 0.001))
        saved = [BackupAndRestore(folder), ModelCheckpoint(folder / "each{epoch}"), ModelCheckpoint(folder / "last")]
        model.fit(np.ones((4, 4)), np.full((4, 3), 1000.0), epochs=epochs, verbose=0, callbacks=[rates, *saved, *more])
        return model

    def test_they_are_an_error_and_the_files_of_the_epoch_before_stay(self, tmp_path):
        with pytest.raises(FloatingPointError, match="kernel:0 holds NaN or infinity after epoch 2. .*rate than 1e.38"):
            self.run(tmp_path)
        for name in ("last", "each1", "backup.safetensors"):
            assert load_model(tmp_path / name).optimizer.iterations == 1
        assert not (tmp_path / "each2").exists()
        assert self.run(tmp_path, rate=0.001).optimizer.iterations == 2     # the cure, from the last good state

    def test_terminate_on_nan_still_ends_without_an_error_and_nothing_is_saved(self, tmp_path, capsys):
        model = self.run(tmp_path, TerminateOnNaN(), epochs=4)
        assert "terminating training" in capsys.readouterr().out and not np.isfinite(model.get_weights()[0]).all()
        for name in ("last", "backup.safetensors"):
            assert load_model(tmp_path / name).optimizer.iterations == 1

    @pytest.mark.parametrize("name", ["model", "model.h5"])
    @pytest.mark.parametrize("save", ["save", "save_weights"])
    def test_none_is_saved(self, tmp_path, name, save):
        model = small_model()
        getattr(model, save)(tmp_path / name)
        raw = (tmp_path / name).read_bytes()
        model.layers[0].parameters[1].value = np.inf
        with pytest.raises(FloatingPointError, match="bias:0 holds NaN or infinity in .*, which was not saved"):
            getattr(model, save)(tmp_path / name)
        assert (tmp_path / name).read_bytes() == raw

    def test_a_slot_of_the_optimizer_counts_too(self, tmp_path):
        model = small_model()
        model.fit(np.ones((4, 4)), np.eye(3)[[0, 1, 2, 0]], verbose=0)
        model.parameters.slots[model.optimizer, "mean"][3] = np.nan
        with pytest.raises(FloatingPointError, match="mean holds NaN"):
            model.save(tmp_path / "model")
