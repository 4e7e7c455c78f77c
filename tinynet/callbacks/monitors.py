"""Callbacks that end training early or change its learning rate."""
from __future__ import annotations

import math
import numbers
import warnings

import numpy as np

from tinynet.callbacks.base import Callback
from tinynet.types import Any, Function, Logs
from tinynet.validation import Pasteable, argument_names, find, number, whole_number


# In the names of metrics of one's own, between underscores
HIGHER_IS_BETTER = {"precision", "recall", "auc", "f1", "f1score", "fmeasure", "fbeta", "iou", "dice", "r2"}


class Monitor(Pasteable, Callback):
    """Monitors one value of the logs of each epoch."""

    what = ""
    state_attributes: tuple[str, ...] = ("wait", "best")

    def __init__(self, monitor: str, min_delta: float, patience: int, verbose: int, mode: str):
        find("mode", mode, dict.fromkeys(("auto", "min", "max")))
        if not isinstance(monitor, str):
            raise TypeError(f"monitor must be a name in the logs, such as 'val_loss', got {monitor!r}.")
        self.monitor = monitor
        self.verbose = verbose
        self.mode = mode
        self.patience: int = whole_number("patience", patience, least=0)
        self.min_delta: float = number("min_delta", min_delta, least=-math.inf)
        Monitor.on_train_begin(self)

    def on_train_begin(self, logs: Logs = None) -> None:
        maximum = self.mode == "max" or self.mode == "auto" and higher_is_better(self.monitor, self.model)
        self.sign = 1 if maximum else -1
        self.wait, self.best = 0, -self.sign * np.inf

    @property
    def monitor_op(self) -> Function:
        """np.greater or np.less, of which callbacks of one's own ask whether a value is better."""
        return np.greater if self.sign > 0 else np.less

    def value(self, logs: Logs) -> Any:
        """The monitored value, or None, with a warning."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(f"{self.what} conditioned on metric `{self.monitor}` which is not available. "
                          f"Available metrics are: {','.join(logs or {})}", RuntimeWarning, stacklevel=3)
        if isinstance(value, list):
            raise ValueError(f"{self.what} cannot monitor {self.monitor}, which has {len(value)} values. Give its "
                             "metric a single threshold.")
        return value

    def improved(self, value: Any) -> bool:
        """Whether this is the best value so far by more than min_delta; if so it is kept."""
        if self.sign * (value - self.best) <= self.min_delta or math.isnan(value):
            return False
        self.best = value
        self.wait = 0
        return True


def higher_is_better(name: str, model: Any = None) -> bool:
    """Whether higher values of this name in the logs are better: as the model's metric says, else by the name.

    >>> higher_is_better("val_accuracy"), higher_is_better("val_loss")
    (True, False)
    """
    return bool(direction(name, model))


def direction(name: str, model: Any = None) -> bool | None:
    """The same; None if neither the metric nor the name says it.

    >>> direction("loss"), direction("lr")
    (False, None)
    """
    name = name.removeprefix("val_")
    for reported in getattr(model, "metrics", []):
        if reported.name == name and reported.metric.higher_is_better is not None:
            return reported.metric.higher_is_better
    words = name.lower().split("_")
    if words[-1] in ("loss", "error"):
        return False
    return True if any(word.startswith("acc") or word in HIGHER_IS_BETTER for word in words) else None


class EarlyStopping(Monitor):
    """End training when the monitored value has not improved for `patience` epochs.

    Parameters
        monitor: a name in the epoch's logs.
        min_delta: an improvement must be larger than this.
        patience: epochs to wait, zero or above.
        verbose: 1 prints the epoch that ended training.
        mode: "min", "max", or "auto": what the metric says (max for accuracies, precision, recall, AUC, cosine); for a
            function of your own max if it has such a name.
        baseline: the value to improve on; None for the first epoch's.
        restore_best_weights: restore the weights of the best epoch when this callback ends training, before callbacks
            after it; and at any other end, also after Ctrl-C (Keras 2.3.1 does only the former).

    Raises ValueError for an unknown mode; warns in an epoch whose logs lack the monitored name.

    Source: keras/callbacks/callbacks.py of Keras 2.3.1.

    >>> EarlyStopping(patience=3)
    EarlyStopping(patience=3)
    """

    what = "Early stopping"
    state_attributes: tuple[str, ...] = ("wait", "best", "stopped_epoch", "stopped", "best_weights")
    best_weights: list[Any] | None = None

    def __init__(self, monitor: str = "val_loss", min_delta: float = 0.0, patience: int = 0, verbose: int = 0,
                 mode: str = "auto", baseline: float | None = None, restore_best_weights: bool = False):
        super().__init__(monitor, min_delta, patience, verbose, mode)
        self.baseline: float | None = None if baseline is None else number("baseline", baseline, least=-math.inf)
        self.restore_best_weights = restore_best_weights

    def on_train_begin(self, logs: Logs = None) -> None:
        super().on_train_begin()
        self.stopped_epoch, self.stopped, self.best_weights = 0, False, None
        if self.baseline is not None:
            self.best: Any = self.baseline

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        value = self.value(logs)
        if value is None:
            return
        if self.improved(value):
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.stopped = True
            self.model.stop_training = True
            self.on_train_interrupted()     # callbacks after this one see the best weights

    def on_train_end(self, logs: Logs = None) -> None:
        self.on_train_interrupted()
        if self.stopped and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1:05d}: early stopping")

    def on_train_interrupted(self) -> None:
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
            self.best_weights = None


class ReduceLROnPlateau(Monitor):
    """Multiply the learning rate by `factor` when the monitored value has not improved for `patience` epochs.

    Parameters
        monitor, patience, mode: as for `EarlyStopping`.
        factor: from 0 up to 1.
        verbose: 1 prints each new rate.
        min_delta: an improvement must be larger than this.
        cooldown: epochs after a reduction that do not count.
        min_lr: the rate stays at or above it.

    The logs get the epoch's rate as "lr".  Raises ValueError for a factor of 1 or more.
    Source: keras/callbacks/callbacks.py of Keras 2.3.1.

    >>> ReduceLROnPlateau("loss", factor=0.5)
    ReduceLROnPlateau('loss', factor=0.5)
    """

    what = "Reduce LR on plateau"
    cooldown_counter: int = 0
    state_attributes: tuple[str, ...] = ("wait", "best", "cooldown_counter")

    def __init__(self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, verbose: int = 0,
                 mode: str = "auto", min_delta: float = 1e-4, cooldown: int = 0, min_lr: float = 0.0):
        super().__init__(monitor, min_delta, patience, verbose, mode)
        self.factor: float = number("factor", factor, below=1)
        self.cooldown: int = whole_number("cooldown", cooldown, least=0)
        self.min_lr: float = number("min_lr", min_lr)

    def on_train_begin(self, logs: Logs = None) -> None:
        super().on_train_begin()
        self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        rate = float(self.model.optimizer.lr)
        if logs is not None:
            logs["lr"] = rate
        value = self.value(logs)
        if value is None:
            return
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improved(value) or self.cooldown_counter:
            return
        self.wait += 1
        if self.wait >= self.patience and rate > self.min_lr:
            self.model.optimizer.lr = max(rate * self.factor, self.min_lr)
            self.cooldown_counter, self.wait = self.cooldown, 0
            if self.verbose:
                print(f"\nEpoch {epoch + 1:05d}: ReduceLROnPlateau reducing learning rate to "
                      f"{float(self.model.optimizer.lr)}.")


class LearningRateScheduler(Pasteable, Callback):
    """Before each epoch the learning rate becomes schedule(epoch, rate), or schedule(epoch); epochs count from 0.

    The logs get it as "lr".  Raises ValueError for a schedule that returns no number.
    Source: keras/callbacks/callbacks.py of Keras 2.3.1.
    """

    def __init__(self, schedule: Any, verbose: int = 0):
        if not callable(schedule):
            raise TypeError(f"LearningRateScheduler expects a function of the epoch, got {schedule!r}.")
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        takes_rate = len(argument_names(self.schedule)) > 1
        rate = self.schedule(epoch, float(self.model.optimizer.lr)) if takes_rate else self.schedule(epoch)
        if not isinstance(rate, numbers.Real):
            raise ValueError(f'The output of the "schedule" function should be float, got {rate!r}.')
        self.model.optimizer.lr = float(rate)
        if self.verbose:
            print(f"\nEpoch {epoch + 1:05d}: LearningRateScheduler setting learning rate to {float(rate)}.")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs["lr"] = float(self.model.optimizer.lr)


class TerminateOnNaN(Callback):
    """End training as soon as the loss of a batch is NaN or infinite."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            print(f"Batch {batch}: Invalid loss, terminating training")
            self.model.stop_training = True
