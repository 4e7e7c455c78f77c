"""History and CSVLogger: the logs of each epoch, in memory and in a file."""
from __future__ import annotations

import math
import os

import numpy as np

from tinynet.callbacks.base import Callback
from tinynet.callbacks.monitors import direction
from tinynet.callbacks.progress import as_number
from tinynet.text_width import counted, padded, width
from tinynet.types import Any, Logs, Path
from tinynet.validation import Pasteable


class History(Callback):
    """The logs of all epochs, which fit returns: `history.history["val_loss"]` is a list of floats,
    or for a metric of several thresholds of lists of them.

    `epoch` lists the epochs, from 0, and `epochs_of["val_loss"]` those that have this value.

    >>> history = History(); history.on_epoch_end(0, {"loss": 0.5}); history.on_epoch_end(1, {"loss": 0.25})
    >>> history.history
    {'loss': [0.5, 0.25]}
    >>> history
    History of 2 epochs
            first     last     best  in epoch
    loss   0.5000   0.2500   0.2500         2
    """

    def __init__(self) -> None:
        self.on_train_begin()

    def __getstate__(self) -> dict[str, Any]:
        # without the data
        return vars(self) | {"validation_data": None}

    def overview(self) -> list[tuple[str, ...]]:
        """(name, first value, last, best, the epoch of the best, counted from 1) of the loss and each metric, as texts.

        Training comes first. The best is empty if neither the metric nor its name says whether higher is better.
        """
        rows: list[tuple[str, ...]] = []
        for name in sorted(self.history, key=lambda name: name.startswith("val_")):
            values, higher = self.means(name), direction(name, self.model)
            row = [name, as_number(values[0]), as_number(values[-1]), "", ""]
            known = [i for i, value in enumerate(values) if not math.isnan(value)]
            if known and higher is not None:
                best = (max if higher else min)(known, key=values.__getitem__)
                row[3:] = as_number(values[best]), str(self.epochs_of[name][best] + 1)
            rows.append(tuple(row))
        return rows

    def means(self, name: str) -> list[float]:
        """The values of a metric; the mean of those of several thresholds."""
        return [float(np.mean(value)) for value in self.history[name]]

    def __repr__(self) -> str:
        rows = [("", "first", "last", "best", "in epoch"), *self.overview()]
        longest, *wide = (max(width(cell) for cell in column) for column in zip(*rows))
        lines = [padded(name, longest) + "".join(f"  {cell:>{max(size, 7)}}" for cell, size in zip(cells, wide))
                 for name, *cells in rows]
        return "\n".join([f"History of {counted(len(self.epoch), 'epoch')}", *lines * bool(self.epoch)])

    def _repr_html_(self) -> str:
        from tinynet import notebook        # here, because only notebooks need it
        return notebook.history_table(self)

    def on_train_begin(self, logs: Logs = None) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}
        self.epochs_of: dict[str, list[int]] = {}

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self.epochs_of.setdefault(name, []).append(epoch)


class CSVLogger(Pasteable, Callback):
    """Writes the logs of each epoch as a line of a CSV file, after a header line of names.

    Parameters
        filename: the file; it is overwritten, or with append=True continued.
        separator: between the values.

    A value that the logs of an epoch lack, as without validation, is written as NA. Each line is on the disk when the
    epoch ends.
    Source: keras/callbacks/callbacks.py of Keras 2.3.1.
    """

    file: Any = None
    writer: Any = None

    def __init__(self, filename: Path, separator: str = ",", append: bool = False):
        if not isinstance(separator, str) or len(separator) != 1 or separator in '"\r\n':
            raise ValueError(f"separator must be a single character, such as ';', got {separator!r}.")
        self.filename: str = os.fspath(filename)
        self.separator = separator
        self.append = append

    def on_train_begin(self, logs: Logs = None) -> None:
        self.file = open(self.filename, "a", newline="") if self.is_writer else None
        self.state: Any = None
        self.file_started: bool = False

    def on_resume(self, state: Any) -> None:
        self.state = state

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.file is not None:
            self._begin(epoch)
            self._write(epoch, logs or {})

    def _begin(self, epoch):
        """Keep the lines of an earlier run, and write those that it should have written.

        A line that a crash has cut short is removed, and so is that of an epoch that is trained again.
        """
        if self.file_started:
            return
        resumed = self.state is not None and self.state.resumed
        import csv      # here, because few write one
        lines: list[str] = []
        if self.append or resumed:
            with open(self.filename, newline="") as file:
                lines = file.read().splitlines(keepends=True)
            if lines and not lines[-1].endswith("\n"):
                lines[-1:] = [] if resumed else [lines[-1] + "\n"]
            if resumed and lines and self._epoch_of(lines[-1]) == epoch:
                lines.pop()
        self.names: Any = next(csv.reader(lines[:1], delimiter=self.separator), [])[1:]
        self.file.truncate(0)
        self.file.writelines(lines)
        self.writer = csv.writer(self.file, delimiter=self.separator, lineterminator="\n")
        self.file_started = True
        history = self.state.history if resumed else History()
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
                             f"{', '.join(logs)}. Choose another file, or append=False to overwrite this one.")
        self.writer.writerow([epoch, *(logs.get(name, "NA") for name in self.names)])
        self.file.flush()
        os.fsync(self.file.fileno())

    def on_train_end(self, logs: Logs = None) -> None:
        if self.file is not None:
            self._begin(self.params.get("epochs"))
        self.on_train_interrupted()

    def on_train_interrupted(self) -> None:
        if self.file is not None:
            self.file.close()
        self.file = self.writer = None
