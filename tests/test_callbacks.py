"""Callbacks that change the course of training, and those that keep it; tests/test_keras_parity.py has their order."""
import csv

import numpy as np
import pytest

from tinynet.callbacks import (Callback, CSVLogger, EarlyStopping, LambdaCallback, LearningRateScheduler,
                               ReduceLROnPlateau, TerminateOnNaN)


class Say(Callback):
    """Puts values of one's own into the logs, as if the model had them."""

    def __init__(self, *values):
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["watched"] = self.values[epoch]


def rates(model, x, y, *callbacks, epochs):
    return model.fit(x, y, epochs=epochs, verbose=0, callbacks=list(callbacks)).history["lr"]


def test_a_schedule_sets_the_rate_before_each_epoch(classifier):
    assert rates(*classifier, LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)), epochs=2) == [0.1, 0.05]
    halve = LearningRateScheduler(lambda epoch, rate: rate / 2)
    assert rates(*classifier, halve, epochs=3) == pytest.approx([0.025, 0.0125, 0.00625])


@pytest.mark.parametrize("rate", ["fast", None, float("nan"), -0.1])
def test_a_schedule_must_return_a_rate(classifier, rate):
    before = classifier[0].get_weights()
    with pytest.raises(ValueError, match="should be float|learning_rate must be a number"):
        rates(*classifier, LearningRateScheduler(lambda epoch: rate), epochs=1)
    assert all((a == b).all() for a, b in zip(before, classifier[0].get_weights()))
    assert classifier[0].optimizer.lr == 0.01


def test_the_rate_goes_down_on_a_plateau(classifier, capsys):
    values = [5, 4, 4, 4, 4, 4, 4, 3, 3, 3]
    reduce = ReduceLROnPlateau("watched", factor=0.5, patience=2, verbose=1, min_lr=0.003)
    ours = rates(*classifier, Say(*values), reduce, epochs=10)
    assert ours == [0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.003, 0.003, 0.003, 0.003]
    assert "Epoch 00004: ReduceLROnPlateau reducing learning rate to 0.005." in capsys.readouterr().out


def test_a_cooldown_does_not_count(classifier):
    reduce = ReduceLROnPlateau("watched", factor=0.5, patience=1, cooldown=2)
    assert rates(*classifier, Say(*[1] * 6), reduce, epochs=6) == [0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025]


def test_a_plateau_of_something_that_is_not_there_is_warned_of(classifier):
    with pytest.warns(RuntimeWarning, match="Reduce LR on plateau conditioned on metric `val_loss` which is not"):
        rates(*classifier, ReduceLROnPlateau(), epochs=1)
    with pytest.raises(ValueError, match="factor must be a number of at least 0 and below 1, got 1"):
        ReduceLROnPlateau(factor=1)


class Interrupt(Callback):
    def __init__(self, epoch, hook="on_epoch_end"):
        setattr(self, hook, self.interrupt)
        self.epoch = epoch

    def interrupt(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("end", [
    lambda model, x, y, callbacks: model.fit(x, y, epochs=4, verbose=0, callbacks=callbacks),
    lambda model, x, y, callbacks: model.fit(x, y, epochs=9, verbose=0, callbacks=callbacks),
    lambda model, x, y, callbacks: model.fit(x, y, epochs=9, verbose=0, callbacks=[*callbacks, LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", epoch == 3))]),
    lambda model, x, y, callbacks: model.fit(x, y, epochs=9, verbose=0, callbacks=[*callbacks, Interrupt(3)]),
    lambda model, x, y, callbacks: model.fit(x, y, epochs=9, verbose=0, callbacks=[
        *callbacks, Interrupt(3, "on_epoch_begin")]),
], ids=["epochs", "patience", "another callback", "Ctrl-C", "Ctrl-C between epochs"])
def test_the_best_weights_come_back_however_training_ends(classifier, end):
    model, x, y = classifier
    seen = []
    look = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()))
    stop = EarlyStopping("watched", patience=5, restore_best_weights=True)
    try:
        end(model, x, y, [Say(3, 1, 2, 2, 2, 2, 2, 2, 2), look, stop])
    except KeyboardInterrupt:
        pass
    assert len(seen) >= 3
    assert all((a == b).all() for a, b in zip(model.get_weights(), seen[1]))
    assert any((a != b).any() for a, b in zip(model.get_weights(), seen[2]))


def test_after_an_interruption_training_goes_on(classifier):
    model, x, y = classifier
    for hook in ("on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_batch_end", "on_test_begin",
                 "on_test_batch_end", "on_test_end", "on_epoch_end", "on_train_end"):
        def interrupt(*arguments):
            raise KeyboardInterrupt

        callback = Callback()
        setattr(callback, hook, interrupt)
        with pytest.raises(KeyboardInterrupt):
            model.fit(x, y, verbose=0, validation_data=(x, y), callbacks=[
                EarlyStopping(restore_best_weights=True), callback])
        assert len(model.fit(x, y, verbose=0, epochs=2).history["loss"]) == 2


def test_training_ends_at_once_when_the_loss_is_not_finite(classifier, capsys):
    model, x, y = classifier
    batches = []
    model.compile("sgd", "mse")
    model.set_weights([w * 1e38 for w in model.get_weights()])
    with np.errstate(all="ignore"):
        model.fit(x, y, batch_size=2, epochs=3, verbose=0, callbacks=[
            TerminateOnNaN(), LambdaCallback(on_batch_end=lambda batch, logs: batches.append(batch))])
    assert batches == [0]
    assert capsys.readouterr().out == "Batch 0: Invalid loss, terminating training\n"


def read(path, delimiter=","):
    with open(path, newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


def test_csv_logger_writes_what_keras_writes(classifier, tmp_path):
    model, x, y = classifier
    path = tmp_path / "log.csv"
    history = model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y), callbacks=[CSVLogger(path)]).history
    rows = read(path)
    assert rows[0] == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert [row[0] for row in rows[1:]] == ["0", "1"]
    assert [float(row[2]) for row in rows[1:]] == history["loss"]


def test_csv_logger_goes_on_in_its_file(classifier, tmp_path):
    model, x, y = classifier
    path = tmp_path / "log.csv"
    logger = CSVLogger(path, separator=";", append=True)
    for initial_epoch in (0, 1):
        model.fit(x, y, initial_epoch=initial_epoch, epochs=initial_epoch + 1, verbose=0, callbacks=[logger])
    model.fit(x, y, initial_epoch=2, epochs=3, verbose=0, validation_data=(x, y), callbacks=[
        CSVLogger(path, separator=";", append=True)])
    rows = read(path, ";")
    assert rows[0] == ["epoch", "accuracy", "loss"]
    assert [row[0] for row in rows[1:]] == ["0", "1", "2"] and {len(row) for row in rows} == {3}
    model.fit(x, y, verbose=0, callbacks=[CSVLogger(path)])
    assert len(read(path)) == 2


def test_csv_logger_marks_what_is_missing_and_closes_its_file_when_interrupted(classifier, tmp_path):
    model, x, y = classifier
    path = tmp_path / "log.csv"
    logger = CSVLogger(path)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=3, verbose=0, validation_data=(x, y), validation_freq=[1], callbacks=[
            logger, Interrupt(1)])
    assert read(path)[2][3:] == ["NA", "NA"]
    assert logger.file is None


def test_what_never_began_is_not_interrupted_and_one_failure_does_not_stop_the_others(classifier, tmp_path):
    model, x, y = classifier
    stop = EarlyStopping("loss", patience=9, restore_best_weights=True)
    model.fit(x, y, epochs=2, verbose=0, callbacks=[stop])
    model.fit(x, y, epochs=20, verbose=0)
    before = model.get_weights()
    with pytest.raises(FileNotFoundError):
        model.fit(x, y, verbose=0, callbacks=[CSVLogger(tmp_path / "no" / "log.csv"), stop])
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))

    class Clumsy(Callback):
        def on_train_interrupted(self):
            raise OSError("the disk is full")

    logger = CSVLogger(tmp_path / "log.csv")
    with pytest.raises(OSError, match="the disk is full") as error:
        model.fit(x, y, verbose=0, callbacks=[Clumsy(), logger, Interrupt(0)])
    assert logger.file is None and isinstance(error.value.__context__, KeyboardInterrupt)


def test_csv_logger_has_columns_for_a_validation_that_comes_later(classifier, tmp_path):
    model, x, y = classifier
    path = tmp_path / "log.csv"
    model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y), validation_freq=2, callbacks=[CSVLogger(path)])
    rows = read(path)
    assert rows[0] == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert rows[1][3:] == ["NA", "NA"] and float(rows[2][4]) > 0


def test_csv_logger_does_not_garble_another_file(classifier, tmp_path):
    model, x, y = classifier
    path = tmp_path / "log.csv"
    path.write_text("epoch,accuracy,loss\n0,0.5,1.25")
    model.fit(x, y, verbose=0, callbacks=[CSVLogger(path, append=True)])
    assert read(path)[1] == ["0", "0.5", "1.25"] and len(read(path)) == 3
    path.write_text("name,age\nAda,36\n")
    with pytest.raises(ValueError, match="has the columns age, and this training has loss, accuracy. Choose another"):
        model.fit(x, y, verbose=0, callbacks=[CSVLogger(path, append=True)])
    assert path.read_text() == "name,age\nAda,36\n"


def test_stopped_epoch_is_zero_until_training_was_stopped(classifier):
    model, x, y = classifier
    stop = EarlyStopping("watched", patience=1)
    model.fit(x, y, epochs=2, verbose=0, callbacks=[Say(2, 1), stop])
    assert stop.stopped_epoch == 0
    model.fit(x, y, epochs=5, verbose=0, callbacks=[Say(1, 1, 1), stop])
    assert stop.stopped_epoch == 1
