"""The progress bar of fit, evaluate and predict, and the line that they print."""
from __future__ import annotations

import sys
import time

import numpy as np

from tinynet.callbacks.base import Callback
from tinynet.types import Any, Logs

# At most 79 columns wide with loss and accuracy.
FORMAT = "{desc}: {percentage:3.0f}%|{bar:20}| {remaining}{postfix}"


class ProgressBar:
    """tqdm's bar over `total` samples in a terminal or notebook, else only a timer."""

    shown: Any = None

    def __init__(self, title: str, total: Any, shown: bool):
        self.started: float = time.perf_counter()
        self.drawn: float = self.started
        self.tqdm: Any = None
        if shown and _is_interactive():
            from tqdm.auto import tqdm      # here, because it doubles the time of `import tinynet`
            if ProgressBar.shown:           # of a loop that an error has ended
                ProgressBar.shown.close()
            self.tqdm = ProgressBar.shown = tqdm(desc=title, total=total, file=sys.stdout, leave=False,
                                                 dynamic_ncols=True, bar_format=FORMAT)

    def due(self) -> bool:
        """Whether it is time to draw: ten times a second."""
        return self.tqdm is not None and time.perf_counter() - self.drawn > 0.1

    def move(self, done: int, text: str = "") -> None:
        """Draw the bar at `done` of `total`, with a text after it."""
        if self.tqdm is not None:
            self.drawn = time.perf_counter()
            self.tqdm.n = done
            self.tqdm.set_postfix_str(text)

    def close(self) -> float:
        """Remove the bar; returns the seconds since it was made."""
        if self.tqdm is not None:
            self.tqdm.close()
            ProgressBar.shown = None
        return time.perf_counter() - self.started


def as_text(logs: Logs) -> str:
    """Logs as Keras prints them.

    >>> as_text({"loss": 0.25, "accuracy": 0.0001})
    'loss: 0.2500 - accuracy: 1.0000e-04'
    """
    means = {name: float(np.mean(value)) for name, value in logs.items()}      # of a metric with several thresholds
    return " - ".join(f"{name}: {value:.4f}" if abs(value) > 1e-3 else f"{name}: {value:.4e}"
                      for name, value in means.items())


def _is_interactive() -> bool:
    """Whether the output is a terminal or a notebook, which can redraw a bar."""
    return getattr(sys.stdout, "isatty", bool)() or "ipykernel" in type(sys.stdout).__module__


class ProgbarLogger(Callback):
    """Shows the progress of training: verbose 1, a live bar and then a line for each epoch; 2, Keras's line alone.

    The bar is tqdm's, in a terminal or a notebook; to a pipe or a file only the lines are written.
    """

    def __init__(self, verbose: int = 1, validation_samples: int | None = None):
        self.verbose = verbose
        self.validation_samples = validation_samples

    def on_train_begin(self, logs: Logs = None) -> None:
        if self.params["samples"] and self.validation_samples:
            print(f"Train on {self.params['samples']} samples, validate on {self.validation_samples} samples",
                  flush=True)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.title: str = f"Epoch {epoch + 1}/{self.params['epochs']}"
        if self.verbose == 2:
            print(self.title, flush=True)
        self.bar: ProgressBar = ProgressBar(self.title, total(self.params), shown=self.verbose == 1)
        self.validating: bool = False

    def progress(self, means: Any) -> None:
        if not self.validating and self.bar.due():
            self.bar.move(done(means, self.params), as_text(means.result()))

    def on_test_begin(self, logs: Logs = None) -> None:
        self.validating = True
        self.bar.move(total(self.params), "validating")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        seconds = self.bar.close()
        training_first = sorted(logs, key=lambda name: name.startswith("val_"))
        line = f" - {seconds:.0f}s - {as_text({name: logs[name] for name in training_first})}"
        print(line if self.verbose == 2 else self.title + line, flush=True)


class TestLogger(Callback):
    """A live bar for evaluate or predict, and then a line."""

    def on_test_begin(self, logs: Logs = None) -> None:
        self.bar: ProgressBar = ProgressBar("", total(self.params), shown=True)
        self.means: Any = None

    def progress(self, means: Any) -> None:
        self.means = means
        if self.bar.due():
            self.bar.move(done(means, self.params))

    def on_test_end(self, logs: Logs = None) -> None:
        seconds, count = self.bar.close(), total(self.params)
        text = f" - {as_text(self.means.result())}" if self.means else ""
        print(f"{count}/{count} - {seconds:.0f}s{text}", flush=True)

    def on_predict_begin(self, logs: Logs = None) -> None:
        self.on_test_begin()

    def on_predict_end(self, logs: Logs = None) -> None:
        self.on_test_end()


def total(params: dict[str, Any]) -> int:
    """The length of a bar: the number of samples, or of steps if a generator does not tell."""
    return params["samples"] or params["steps"]


def done(means: Any, params: dict[str, Any]) -> int:
    """The position in the bar."""
    return means.samples if params["samples"] else means.batches
