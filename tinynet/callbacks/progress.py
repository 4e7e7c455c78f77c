"""The progress bar of fit, evaluate and predict, and the line that they print."""
from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable

import numpy as np

from tinynet.callbacks.base import Callback
from tinynet.text_width import width
from tinynet.types import Any, Logs

LONGEST_BAR, SHORTEST_BAR = 20, 4


class ProgressBar:
    """tqdm's bar over `total` samples in a terminal or notebook, else only a timer.

    In a narrow terminal the bar is shorter, and then metrics are left out: accuracy goes last, the time left never.
    """

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
                                                 dynamic_ncols=True, bar_format=bar_format(title, (), terminal_width()))

    def due(self) -> bool:
        """Whether it is time to draw: ten times a second."""
        return self.tqdm is not None and time.perf_counter() - self.drawn > 0.1

    def move(self, done: int, *texts: str) -> None:
        """Draw the bar at `done` of `total`, with the first of the texts that fits after it."""
        if self.tqdm is not None:
            self.drawn = time.perf_counter()
            self.tqdm.n = done
            self.tqdm.bar_format = bar_format(self.tqdm.desc.removesuffix(": "), texts, terminal_width())
            self.tqdm.refresh()

    def close(self) -> float:
        """Remove the bar; returns the seconds since it was made."""
        if self.tqdm is not None:
            self.tqdm.close()
            ProgressBar.shown = None
        return time.perf_counter() - self.started


def terminal_width() -> int | None:
    """The width of the terminal; None in a notebook, which has room."""
    import shutil       # here, because it loads the compression of archives
    return None if _in_a_notebook() else shutil.get_terminal_size().columns


def bar_format(title: str, texts: Iterable[str], columns: int | None) -> str:
    """The format of tqdm's bar with the first of the texts that fits, or none.

    >>> bar_format("Epoch 2/9", ["loss: 0.5000 - accuracy: 0.7500", "accuracy: 0.7500"], 80)
    '{desc}: {percentage:3.0f}%|{bar:20}| {remaining}, loss: 0.5000 - accuracy: 0.7500'
    >>> bar_format("Epoch 2/9", ["loss: 0.5000 - accuracy: 0.7500", "accuracy: 0.7500"], 50)
    '{desc}: {percentage:3.0f}%|{bar:8}| {remaining}, accuracy: 0.7500'
    """
    room = math.inf if columns is None else columns - 1 - width(f"{title}: 100%|| 00:00")
    text = next((text for text in texts if room - width(f", {text}") >= SHORTEST_BAR), "")
    text = f", {text}" if text else ""
    bar = "bar" if columns is None else f"bar:{max(min(LONGEST_BAR, room - width(text)), 1)}"
    text = text.replace("{", "{{").replace("}", "}}")
    return f"{{desc}}: {{percentage:3.0f}}%|{{{bar}}}| {{remaining}}{text}"


def shorter_and_shorter(logs: dict[str, Any]) -> list[str]:
    """All logs, then the loss and accuracy, then accuracy alone, as texts; without accuracy, the loss."""
    accuracy = [name for name in logs if "acc" in name][:1]
    return [as_text({name: logs[name] for name in names if name in logs})
            for names in (logs, ["loss", *accuracy], accuracy)]


def as_text(logs: Logs) -> str:
    """Logs as Keras prints them.

    >>> as_text({"loss": 0.25, "accuracy": 0.0001})
    'loss: 0.2500 - accuracy: 1.0000e-04'
    """
    means = {name: float(np.mean(value)) for name, value in logs.items()}      # of a metric with several thresholds
    return " - ".join(f"{name}: {as_number(value)}" for name, value in means.items())


def as_number(value: float) -> str:
    """A number as Keras prints it.

    >>> as_number(0.25), as_number(0.0001)
    ('0.2500', '1.0000e-04')
    """
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"


def _is_interactive() -> bool:
    """Whether the output is a terminal or a notebook, which can redraw a bar."""
    return getattr(sys.stdout, "isatty", bool)() or _in_a_notebook()


def _in_a_notebook() -> bool:
    return "ipykernel" in type(sys.stdout).__module__


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
            self.bar.move(done(means, self.params), *shorter_and_shorter(means.result()))

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
