"""Callbacks that write the model into files as training goes, so that nothing is lost when it ends early."""
from __future__ import annotations

import os
import signal
import threading
from typing import Any

from tinynet.arguments import Pasteable, whole_number
from tinynet.callbacks.base import Callback
from tinynet.callbacks.monitors import Monitor
from tinynet.distributed.meeting import anyone, by_first

__all__ = ["BackupAndRestore", "ModelCheckpoint"]


class ModelCheckpoint(Monitor):
    """Save the model after epochs, each time or when it has become better.

    Parameters
        filepath: the file's name, in which {epoch:02d} and names in the logs such as {val_loss:.2f} are filled in.
        monitor, mode: as for `EarlyStopping`.
        verbose: 1 prints what is done.
        save_best_only: only when the monitored value has improved.
        save_weights_only: `save_weights` instead of `save`.
        period: epochs between two saves.

    Raises ValueError for a name in filepath that the logs do not have; OSError when the file cannot be written, with
    an earlier one as it was.
    Source: keras/callbacks/callbacks.py of Keras 2.3.1.
    """

    what = "Model checkpoint"
    kept = ("wait", "best", "since")

    def __init__(self, filepath, monitor="val_loss", verbose=0, save_best_only=False, save_weights_only=False,
                 mode="auto", period=1):
        super().__init__(monitor, 0.0, 0, verbose, mode)
        self.filepath = os.fspath(filepath)
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.period = whole_number("period", period, least=1)

    def on_train_begin(self, logs=None):
        super().on_train_begin()
        self.since = 0

    def on_epoch_end(self, epoch, logs=None):
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
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)


class BackupAndRestore(Pasteable, Callback):
    """Back training up, so that the same command goes on after a crash, to the same bits as if there had been none.

    The file holds the weights, the optimizer, all random streams, the order of the samples, history and callbacks, and
    can be read by `load_model`.  Where training has come to its end, the same command has nothing more to do.  Ctrl-C
    ends the batch, saves, and then ends training; a second one ends it at once.

    Parameters
        backup_dir: a folder for the file; it is made if missing.
        save_freq: "epoch", or a number of batches, which needs samples in arrays rather than from a generator.

    A callback of your own names in `kept` its attributes (numbers, or lists of arrays) that are to be saved as well.
    A generator begins from its beginning again, so runs on one do not go on to the same bits.  The learning rate is
    that of the backup.

    Raises ModelFileError, with nothing changed, when the folder holds the backup of another model, other data or other
    callbacks, or a damaged one; OSError when it cannot be written.
    Source: the callback of this name in TensorFlow 2.3, which keeps neither shuffling nor random streams.
    """

    def __init__(self, backup_dir, save_freq: Any = "epoch"):
        self.backup_dir = os.fspath(backup_dir)
        if save_freq != "epoch":
            save_freq = whole_number("save_freq, unless it is 'epoch',", save_freq, least=1)
        self.save_freq = save_freq

    @property
    def path(self) -> str:
        """The file."""
        return os.path.join(self.backup_dir, "backup.safetensors")

    def resume_run(self, run):
        self.run = run
        if self.save_freq != "epoch" and not run.exact_batches:
            raise ValueError("save_freq in batches needs samples in arrays: a generator cannot go back to a batch. "
                             "Use save_freq='epoch'.")
        if by_first("looking for a backup", self._look):
            run.restore(self.path)

    def _look(self):
        os.makedirs(self.backup_dir, exist_ok=True)
        return b"there" if os.path.exists(self.path) else b""

    def on_train_begin(self, logs=None):
        self.interrupts = 0
        self.handler: Any = None
        if threading.current_thread() is threading.main_thread() and (
                signal.getsignal(signal.SIGINT) is signal.default_int_handler):     # else it is somebody else's matter
            self.handler = signal.signal(signal.SIGINT, self._interrupt)

    def backup_run(self, run):
        run.save(self.path)
        self._end_if(anyone(self.interrupts))

    def progress(self, means):
        interrupted = anyone(self.interrupts)
        due = means is self.run.means and self.save_freq != "epoch" and means.batches % self.save_freq == 0
        if due or interrupted and self.run.exact_batches:
            self.run.save(self.path)
        self._end_if(interrupted)

    def _end_if(self, interrupted):
        if interrupted:
            done = "all batches that" if self.run.exact_batches else "all epochs that"
            raise KeyboardInterrupt(f"{self.path} holds {done} were done; the same command goes on from there.")

    def on_train_end(self, logs=None):
        self.on_train_interrupted()

    def on_train_interrupted(self):
        if self.handler is not None:
            signal.signal(signal.SIGINT, self.handler)
            self.handler = None

    def _interrupt(self, number, frame):
        self.interrupts += 1
        if self.interrupts > 1:
            raise KeyboardInterrupt
