"""What is kept of training and what is shown of it: the history, a file, and a bar that moves."""
from __future__ import annotations

import csv
import os
from typing import Any

from tinynet import distributed
from tinynet.arguments import Pasteable
from tinynet.callbacks.base import Callback
from tinynet.progress import ProgressBar, as_text

__all__ = ["CSVLogger", "History", "ProgbarLogger", "TestLogger"]


class History(Callback):
    """Keeps the logs of every epoch: `history.history["val_loss"]` is a list of floats; fit returns one.

    `epoch` lists the epochs, from 0, and `epochs_of["val_loss"]` those in which there was such a value.

    >>> history = History(); history.on_train_begin(); history.on_epoch_end(0, {"loss": 0.5}); history.history
    {'loss': [0.5]}
    """

    def __init__(self):
        self.on_train_begin()

    def on_train_begin(self, logs=None):
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}
        self.epochs_of: dict[str, list[int]] = {}

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self.epochs_of.setdefault(name, []).append(epoch)


class CSVLogger(Pasteable, Callback):
    """Writes a line for each epoch into a file, under a line of names: epoch and what the logs hold, in their order.

    Parameters
        filename: the file; overwritten, or with append=True continued.
        separator: between the values.

    What an epoch's logs lack (without validation, say) is written as NA.  Each line is on the disk when the epoch ends.
    Source: keras/callbacks/callbacks.py of Keras 2.3.1.
    """

    file: Any = None
    writer: Any = None

    def __init__(self, filename, separator=",", append=False):
        if not isinstance(separator, str) or len(separator) != 1 or separator in '"\r\n':
            raise ValueError(f"separator must be a single character, such as ';', got {separator!r}.")
        self.filename, self.separator, self.append = os.fspath(filename), separator, append

    def on_train_begin(self, logs=None):
        self.file = None if distributed.rank() else open(self.filename, "a", newline="")
        self.run: Any = None
        self.begun = False

    def resume_run(self, run):
        self.run = run

    def on_epoch_end(self, epoch, logs=None):
        if self.file is not None:
            self._begin(epoch)
            self._write(epoch, logs or {})

    def _begin(self, epoch):
        """Keep the lines that are to stay, and write those that an earlier run of the same training should have left.

        No line that a crash has cut short stays, nor that of an epoch that was not backed up and comes again.
        """
        if self.begun:
            return
        resumed = self.run is not None and self.run.resumed
        lines: list[str] = []
        if self.append or resumed:
            with open(self.filename, newline="") as file:
                lines = file.read().splitlines(keepends=True)
            if lines and not lines[-1].endswith("\n"):
                lines[-1:] = [] if resumed else [lines[-1] + "\n"]
            if resumed and lines and self._epoch_of(lines[-1]) == epoch:
                lines.pop()
        self.names = next(csv.reader(lines[:1], delimiter=self.separator), [])[1:]
        self.file.truncate(0)
        self.file.writelines(lines)
        self.writer = csv.writer(self.file, delimiter=self.separator, lineterminator="\n")
        self.begun = True
        history = self.run.history if resumed else History()
        for earlier in history.epoch:
            if not lines or self._epoch_of(lines[-1]) < earlier:
                self._write(earlier, {name: values[history.epochs_of[name].index(earlier)] for name, values
                                      in history.history.items() if earlier in history.epochs_of[name]})

    def _epoch_of(self, line) -> int:
        number = line.split(self.separator)[0]
        return int(number) if number.isdigit() else -1

    def _write(self, epoch, logs):
        if not self.names:
            coming = self.params.get("metrics", []) if self.params.get("do_validation") else []
            self.names = sorted({*logs, *coming})
            self.writer.writerow(["epoch", *self.names])
        if not set(self.names) & set(logs):
            raise ValueError(f"{self.filename} has the columns {', '.join(self.names)}, and this training has "
                             f"{', '.join(logs)}. Choose another file, or append=False to begin this one anew.")
        self.writer.writerow([epoch, *(logs.get(name, "NA") for name in self.names)])
        self.file.flush()
        os.fsync(self.file.fileno())

    def on_train_end(self, logs=None):
        if self.file is not None:
            self._begin(self.params.get("epochs"))
        self.on_train_interrupted()

    def on_train_interrupted(self):
        if self.file is not None:
            self.file.close()
        self.file = self.writer = None


class ProgbarLogger(Callback):
    """Shows how training goes: verbose 1, a live bar and then a line for each epoch; 2, Keras's line alone.

    The bar is tqdm's, in a terminal or a notebook; where the output is a pipe or a file only the lines are written.
    """

    def __init__(self, verbose=1, validation_samples=None):
        self.verbose, self.validation_samples = verbose, validation_samples

    def on_train_begin(self, logs=None):
        if self.params["samples"] and self.validation_samples:
            print(f"Train on {self.params['samples']} samples, validate on {self.validation_samples} samples",
                  flush=True)

    def on_epoch_begin(self, epoch, logs=None):
        self.title = f"Epoch {epoch + 1}/{self.params['epochs']}"
        if self.verbose == 2:
            print(self.title, flush=True)
        self.bar = ProgressBar(self.title, total(self.params), shown=self.verbose == 1)
        self.validating = False

    def progress(self, means):
        if not self.validating and self.bar.due():
            self.bar.move(done(means, self.params), as_text(means.result()))

    def on_test_begin(self, logs=None):
        self.validating = True
        self.bar.move(total(self.params), "validating")

    def on_epoch_end(self, epoch, logs=None):
        seconds = self.bar.close()
        training_first = sorted(logs, key=lambda name: name.startswith("val_"))
        line = f" - {seconds:.0f}s - {as_text({name: logs[name] for name in training_first})}"
        print(line if self.verbose == 2 else self.title + line, flush=True)


class TestLogger(Callback):
    """A live bar for evaluate or predict, and then one line."""

    def on_test_begin(self, logs=None):
        self.bar = ProgressBar("", total(self.params), shown=True)

        self.means: Any = None

    def progress(self, means):
        self.means = means
        if self.bar.due():
            self.bar.move(done(means, self.params))

    def on_test_end(self, logs=None):
        seconds, count = self.bar.close(), total(self.params)
        text = f" - {as_text(self.means.result())}" if self.means else ""
        print(f"{count}/{count} - {seconds:.0f}s{text}", flush=True)

    on_predict_begin, on_predict_end = on_test_begin, on_test_end


def total(params) -> int:
    """How long a bar is: as many samples as there are, or as many steps where a generator does not say."""
    return params["samples"] or params["steps"]


def done(means, params) -> int:
    """How far along it the pass is."""
    return means.samples if params["samples"] else means.batches
