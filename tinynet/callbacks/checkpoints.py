"""Callbacks that save the model during training: ModelCheckpoint and BackupAndRestore."""
from __future__ import annotations

import math
import os
import signal
import sys
import threading

from tinynet.callbacks.base import Callback
from tinynet.callbacks.monitors import Monitor
from tinynet.types import Any, Logs, Path
from tinynet.validation import Pasteable, whole_number


class ModelCheckpoint(Monitor):
    """Save the model after each epoch, or after the best so far.

    Parameters
        filepath: the file's name, formatted with epoch and the logs: weights.{epoch:02d}-{val_loss:.2f}.safetensors.
        monitor, mode: as for `EarlyStopping`.
        verbose: 1 prints a line for each save.
        save_best_only: only when the monitored value has improved.
        save_weights_only: `save_weights` instead of `save`.
        period: epochs between two saves.

    Raises ValueError for a name in filepath that the logs do not have; OSError if the file cannot be written, with
    an earlier one unchanged.
    Source: keras/callbacks/callbacks.py of Keras 2.3.1.
    """

    what = "Model checkpoint"
    state_attributes: tuple[str, ...] = ("wait", "best", "since")

    def __init__(self, filepath: Path, monitor: str = "val_loss", verbose: int = 0, save_best_only: bool = False,
                 save_weights_only: bool = False, mode: str = "auto", period: int = 1):
        super().__init__(monitor, 0.0, 0, verbose, mode)
        self.filepath: str = os.fsdecode(filepath)
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.period: int = whole_number("period", period, least=1)

    def on_train_begin(self, logs: Logs = None) -> None:
        best = self.best        # another fit goes on from it, as in Keras
        super().on_train_begin()
        self.best: Any = best if math.isfinite(best) else self.best
        self.since: int = 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.since += 1
        if self.since < self.period:
            return
        self.since = 0
        before = self.best
        if self.save_best_only:
            value = self.value(logs)
            if value is None or not self.improved(value):
                if self.verbose and value is not None:
                    print(f"\nEpoch {epoch + 1:05d}: {self.monitor} did not improve from {before:.5f}")
                return
        try:
            path = self.filepath.format(epoch=epoch + 1, **(logs or {}))
        except (KeyError, IndexError) as error:
            raise ValueError(f"filepath {self.filepath!r} names {error}; the logs have epoch, "
                             f"{', '.join(logs or {})}.") from None
        if self.verbose:
            better = f"{self.monitor} improved from {before:.5f} to {self.best:.5f}, " if self.save_best_only else ""
            print(f"\nEpoch {epoch + 1:05d}: {better}saving model to {path}")
        try:
            (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        except FloatingPointError as error:     # TerminateOnNaN is in charge: else fit has ended
            print(f"\nEpoch {epoch + 1:05d}: {error}")


class BackupAndRestore(Pasteable, Callback):
    """Save the state of training, so that the same program continues after a crash, and ends with the same bits.

    The file holds the weights, the optimizer, all random streams, the order of the samples, history and callbacks, and
    can be read by `load_model`. If training is complete, the same program trains no more. Ctrl-C finishes the batch,
    saves, and then ends training; a second Ctrl-C ends it at once.

    Parameters
        backup_dir: a folder for the file; it is created if it is missing.
        save_freq: "epoch", or a number of batches, for which the data must be arrays, not a generator.

    A callback of your own lists in `state_attributes` its attributes (numbers, or lists of arrays) that are saved too.
    A generator starts from its beginning again, so such runs do not end with the same bits. The learning rate is that
    of the backup.

    A backup is of one run: it knows hashes of the training and validation data, the arguments of the optimizer,
    shuffle, initial_epoch and the seed of `set_random_seed`. Each fold of a cross-validation needs its own folder.

    Raises ModelFileError, with nothing changed, if the folder holds the backup of another run, or a damaged one;
    OSError if it cannot be written.
    Source: the callback of this name in TensorFlow 2.3, which keeps neither shuffling nor random streams.
    """

    def __init__(self, backup_dir: Path, save_freq: int | str = "epoch"):
        self.backup_dir: str = os.fsdecode(backup_dir)
        if save_freq != "epoch":
            save_freq = whole_number("save_freq, unless it is 'epoch',", save_freq, least=1)
        self.save_freq = save_freq

    @property
    def path(self) -> str:
        """The file."""
        return os.path.join(self.backup_dir, "backup.safetensors")

    def on_resume(self, state: Any) -> None:
        self.state = state
        if self.save_freq != "epoch" and not state.can_resume_batches:
            raise ValueError("save_freq in batches needs samples in arrays: a generator cannot go back to a batch. "
                             "Use save_freq='epoch'.")
        state.restore_if_saved(self.path)
        if state.resumed and not state.epochs_left(self.params["epochs"]) and self.is_writer:
            print(f"{self.path} holds this run, complete with {state.epoch} epochs: nothing is trained. To train "
                  "again, use another folder or remove this one; to train on, ask for more epochs.", file=sys.stderr)

    def on_train_begin(self, logs: Logs = None) -> None:
        self.interrupts: int = 0
        self.handler: Any = None
        if threading.current_thread() is threading.main_thread() and (
                signal.getsignal(signal.SIGINT) is signal.default_int_handler):     # else another handler is in charge
            self.handler = signal.signal(signal.SIGINT, self._interrupt)

    def on_checkpoint(self, state: Any) -> None:
        state.save(self.path)
        self._end_if(state.strategy.any(self.interrupts))

    def progress(self, means: Any) -> None:
        interrupted = self.state.strategy.any(self.interrupts)
        due = means is self.state.means and self.save_freq != "epoch" and means.batches % self.save_freq == 0
        if due or interrupted and self.state.can_resume_batches:
            self.state.save(self.path)
        self._end_if(interrupted)

    def _end_if(self, interrupted):
        if interrupted:
            done = "batches" if self.state.can_resume_batches else "epochs"
            raise KeyboardInterrupt(f"{self.path} holds all complete {done}; the same command continues from there.")

    def on_train_end(self, logs: Logs = None) -> None:
        self.on_train_interrupted()

    def on_train_interrupted(self) -> None:
        if self.handler is not None:
            signal.signal(signal.SIGINT, self.handler)
            self.handler = None

    def _interrupt(self, number, frame):
        self.interrupts += 1
        if self.interrupts > 1:
            raise KeyboardInterrupt
