"""What happens around training: each callback's hooks are called as the epochs and batches go by.

They see the model and the logs; they must not take part in a training step.
"""
from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from tinynet.progress import ProgressBar, as_text
from tinynet.arguments import Pasteable, find, number, whole_number

__all__ = ["Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback", "ProgbarLogger",
           "TestLogger"]


class Callback:
    """The base class: override the hooks you need.

    Around training on_train_begin, on_epoch_begin, on_train_batch_begin, on_train_batch_end, on_epoch_end and
    on_train_end; around evaluate and validation on_test_begin, on_test_batch_begin ...; around predict
    on_predict_begin ....  on_batch_begin and on_batch_end are other names of the on_train_batch hooks.

    `self.model` is the model; `self.params` holds batch_size, epochs, steps, samples, verbose, do_validation and
    metrics; `self.validation_data` is [x, y, sample weights] where fit validates.  The logs of a batch hold batch,
    size, loss and metrics, those of an epoch its averages, with "val_" before the names of the validation's.  To end
    training set `self.model.stop_training = True`.  `progress` comes after every batch with the `RunningMeans` so
    far, which may cost a wait for the device to read, so read them seldom.

    Source: keras/callbacks/callbacks.py of Keras 2.3.1.
    """

    model: Any = None
    params: dict = {}
    validation_data: list | None = None

    def set_params(self, params):
        self.params = params

    def set_model(self, model):
        self.model = model

    def on_train_begin(self, logs=None): pass
    def on_train_end(self, logs=None): pass
    def on_epoch_begin(self, epoch, logs=None): pass
    def on_epoch_end(self, epoch, logs=None): pass
    def on_batch_begin(self, batch, logs=None): pass
    def on_batch_end(self, batch, logs=None): pass
    def on_train_batch_begin(self, batch, logs=None): self.on_batch_begin(batch, logs)
    def on_train_batch_end(self, batch, logs=None): self.on_batch_end(batch, logs)
    def on_test_begin(self, logs=None): pass
    def on_test_end(self, logs=None): pass
    def on_test_batch_begin(self, batch, logs=None): pass
    def on_test_batch_end(self, batch, logs=None): pass
    def on_predict_begin(self, logs=None): pass
    def on_predict_end(self, logs=None): pass
    def on_predict_batch_begin(self, batch, logs=None): pass
    def on_predict_batch_end(self, batch, logs=None): pass
    def progress(self, means): pass


class CallbackList:
    """Callbacks called in their order: `callbacks("on_epoch_end", epoch, logs)`.

    Raises TypeError for an object that is not a Callback.
    """

    def __init__(self, callbacks, model, params, validation_data=None):
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"callbacks must be a list of Callback objects, got {callback!r} in it.")
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)
            callback.validation_data = validation_data

    def __call__(self, hook, *arguments):
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)

    def listen_to(self, hook) -> bool:
        """Whether any callback does something at the end of a batch; if none does, nobody needs the logs of one."""
        names = (hook, "on_batch_end") if hook == "on_train_batch_end" else (hook,)
        return any(getattr(getattr(callback, name), "__func__", None) is not getattr(Callback, name)
                   for callback in self.callbacks for name in names)


class History(Callback):
    """Keeps the logs of every epoch: `history.history["val_loss"]` is a list of floats; fit returns one.

    `epoch` lists the epochs, from 0, and `epochs_of["val_loss"]` those in which there was such a value.

    >>> history = History(); history.on_train_begin(); history.on_epoch_end(0, {"loss": 0.5}); history.history
    {'loss': [0.5]}
    """

    def on_train_begin(self, logs=None):
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}
        self.epochs_of: dict[str, list[int]] = {}

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self.epochs_of.setdefault(name, []).append(epoch)


class LambdaCallback(Callback):
    """Hooks given as functions, by their names: LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs)).

    Raises ValueError for a hook that does not exist.
    """

    def __init__(self, **hooks):
        known = {name: None for name in dir(Callback) if name.startswith("on_")}
        for name, function in hooks.items():
            find("hook", name, known)
            if function is not None:
                setattr(self, name, function)


class EarlyStopping(Pasteable, Callback):
    """End training when the monitored value has not improved for `patience` epochs.

    Parameters
        monitor: a name in the epoch's logs.
        min_delta: an improvement must be larger than this.
        patience: epochs to wait, zero or above.
        verbose: 1 prints the epoch that ended training.
        mode: "min", "max", or "auto": max for a name with "acc" in it.
        baseline: a value to beat; None takes the first epoch's.
        restore_best_weights: go back to the weights of the best epoch, however training ends (Keras 2.3.1 does so
            only when this callback ended it).

    Raises ValueError for an unknown mode; warns in an epoch whose logs lack the monitored name.

    Source: keras/callbacks/callbacks.py of Keras 2.3.1.

    >>> EarlyStopping(patience=3)
    EarlyStopping(patience=3)
    """

    def __init__(self, monitor="val_loss", min_delta=0.0, patience=0, verbose=0, mode="auto", baseline=None,
                 restore_best_weights=False):
        find("mode", mode, dict.fromkeys(("auto", "min", "max")))
        self.monitor, self.verbose, self.baseline = monitor, verbose, baseline
        self.patience = whole_number("patience", patience, least=0)
        self.sign = 1 if mode == "max" or mode == "auto" and "acc" in monitor else -1
        self.min_delta = number("min_delta", min_delta, least=-math.inf)
        self.restore_best_weights = restore_best_weights

    def on_train_begin(self, logs=None):
        self.wait, self.stopped_epoch, self.best_weights = 0, None, None
        self.best = -self.sign * np.inf if self.baseline is None else self.baseline

    def on_epoch_end(self, epoch, logs=None):
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(f"Early stopping conditioned on metric `{self.monitor}` which is not available. "
                          f"Available metrics are: {','.join(logs or {})}", RuntimeWarning, stacklevel=2)
        elif self.sign * (value - self.best) > self.min_delta:
            self.best, self.wait = value, 0
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
        else:
            self.wait += 1
            if self.wait >= self.patience:
                self.stopped_epoch = epoch
                self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
        if self.stopped_epoch is not None and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1:05d}: early stopping")


class ProgbarLogger(Callback):
    """Shows how training goes: verbose 1, a live bar and then a line for each epoch; 2, Keras's line alone.

    The bar is tqdm's, in a terminal or a notebook; where the output is a pipe or a file only the lines are written.
    """

    def __init__(self, verbose=1):
        self.verbose = verbose

    def on_train_begin(self, logs=None):
        if "validation_samples" in self.params:
            print(f"Train on {self.params['samples']} samples, "
                  f"validate on {self.params['validation_samples']} samples", flush=True)

    def on_epoch_begin(self, epoch, logs=None):
        self.title = f"Epoch {epoch + 1}/{self.params['epochs']}"
        if self.verbose == 2:
            print(self.title, flush=True)
        self.bar = ProgressBar(self.title, self.params["samples"], shown=self.verbose == 1)
        self.validating = False

    def progress(self, means):
        if not self.validating and self.bar.due():
            self.bar.move(means.samples, as_text(means.result()))

    def on_test_begin(self, logs=None):
        self.validating = True
        self.bar.move(self.params["samples"], "validating")

    def on_epoch_end(self, epoch, logs=None):
        seconds = self.bar.close()
        training_first = sorted(logs, key=lambda name: name.startswith("val_"))
        line = f" - {seconds:.0f}s - {as_text({name: logs[name] for name in training_first})}"
        print(line if self.verbose == 2 else self.title + line, flush=True)


class TestLogger(Callback):
    """A live bar for evaluate or predict, and then one line."""

    def on_test_begin(self, logs=None):
        self.bar = ProgressBar("", self.params["samples"], shown=True)

    def progress(self, means):
        if self.bar.due():
            self.bar.move(means.samples)

    def on_test_end(self, logs=None):
        seconds, samples = self.bar.close(), self.params["samples"]
        print(f"{samples}/{samples} - {seconds:.0f}s" + (f" - {as_text(logs)}" if logs else ""), flush=True)

    on_predict_begin, on_predict_end = on_test_begin, on_test_end
