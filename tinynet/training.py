"""Model: fit, evaluate and predict, around the pass over batches in `epoch.py` and the step in `step.py`.

It must not know which layers there are; that is `tinynet.models`' matter.
"""
from __future__ import annotations

import functools
import threading
import weakref

import numpy as np

from tinynet.backend import to_numpy, working, xp
from tinynet.callbacks import CallbackList, History, ProgbarLogger, TestLogger
from tinynet.data import Dataset, as_inputs, as_targets, as_weights, check_lengths, epochs_due
from tinynet.epoch import Epoch
from tinynet.arguments import refuse, whole_number
from tinynet.step import Trainable

__all__ = ["Model"]

_locks: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()     # not attributes, so that models can be copied


def _alone(method):
    """One thread at a time where work happens, and in a model, whose layers have one set of buffers."""
    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        with working(), _locks.setdefault(self, threading.RLock()):
            return method(self, *args, **kwargs)
    return wrapped


class Model(Trainable):
    """What every model can do once it can take a step.

    Batch sizes are 32 unless given, a short last batch is trained on too, and reported losses are means over samples,
    all as in Keras 2.3.1 (keras/engine/training.py and training_arrays.py).
    """

    stop_training = False

    # Training

    @_alone
    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose=1, callbacks=None, validation_split=0.0,
            validation_data=None, shuffle=True, class_weight=None, sample_weight=None, initial_epoch=0,
            validation_freq=1, **unsupported) -> History:
        """Train on x (N, ...) and y for a number of epochs; returns the `History` of their losses and metrics.

        Parameters
            batch_size: samples in a step, 32 by default; the last step takes what is left.
            epochs, initial_epoch: train epochs initial_epoch + 1 to epochs.
            verbose: 0 silent, 1 a live bar, 2 a line for each epoch.
            callbacks: a list of `Callback` objects.
            validation_split: the last samples of x, this share of them, are validated on instead, with their weights.
            validation_data: (x, y) or (x, y, sample_weight) to validate on; takes precedence over validation_split.
            shuffle: True, a new order each epoch by np.random.shuffle; "batch", whole batches; False, as they come.
            class_weight: {class: weight}, for the loss alone.
            sample_weight: (N,), for the loss alone.
            validation_freq: validate every so many epochs, or in the epochs listed, counted from 1.

        Raises RuntimeError before compile, ValueError for data that does not fit the model, TypeError for an argument
        that tinynet does not have.
        """
        refuse("Unrecognized keyword arguments", Model.fit, unsupported)
        batch_size = _batch_size(batch_size)
        epochs = whole_number("epochs", epochs, least=1)
        initial_epoch = whole_number("initial_epoch", initial_epoch, least=0)
        validation_epochs = epochs_due(validation_freq, epochs)
        if shuffle not in (True, False, "batch"):
            raise ValueError(f"shuffle must be True, False or 'batch', got {shuffle!r}.")
        data, validation = self._fitting_data(x, y, sample_weight, class_weight, validation_data, validation_split)
        history = self.history = History()
        callbacks = self._fitting_callbacks(verbose, callbacks, batch_size, epochs, data, validation)
        train = Epoch(self.train_step, data, batch_size, self.metrics, self.memory, self.constants)
        test = Epoch(self.test_step, validation, batch_size, self.metrics, self.memory, self.constants)
        callbacks("on_train_begin", {})
        self.stop_training = False
        for epoch in range(initial_epoch, epochs):
            callbacks("on_epoch_begin", epoch, {})
            data.reorder(shuffle, batch_size)
            logs = train.run("train", callbacks, stopped=lambda: self.stop_training)
            if validation and epoch + 1 in validation_epochs and train.means.samples == len(data):
                callbacks("on_test_begin", {})
                tested = test.run("test", callbacks)
                callbacks("on_test_end", tested)
                logs = {f"val_{name}": value for name, value in tested.items()} | logs
            callbacks("on_epoch_end", epoch, logs)
            if self.stop_training:
                break
        callbacks("on_train_end", {})
        self.history = history
        return history

    # Evaluating and predicting

    @_alone
    def evaluate(self, x=None, y=None, batch_size=None, verbose=1, sample_weight=None, callbacks=None, **unsupported):
        """The loss on x and y, or a list of it and the metrics in the order of `metrics_names`; dropout is off.

        Parameters as for `fit`; verbose=1 shows a bar.  Raises like `fit`.
        """
        refuse("Unrecognized keyword arguments", Model.evaluate, unsupported)
        batch_size = _batch_size(batch_size)
        data = self._data(x, y, sample_weight)
        hooks = self._callbacks(TestLogger() if verbose else None, callbacks, batch_size, data)
        hooks("on_test_begin", {})
        logs = Epoch(self.test_step, data, batch_size, self.metrics, self.memory, self.constants).run("test", hooks)
        hooks("on_test_end", logs)
        return list(logs.values()) if self.metrics else logs["loss"]

    @_alone
    def predict(self, x, batch_size=None, verbose=0, callbacks=None, **unsupported) -> np.ndarray:
        """The outputs (N, ...) for x (N, ...); dropout is off.

        Raises ValueError for data that does not fit the model, TypeError for an argument that tinynet does not have.
        """
        refuse("Unrecognized keyword arguments", Model.predict, unsupported)
        batch_size = _batch_size(batch_size)
        data = Dataset(self._build_for(self._inputs(x)))
        hooks = self._callbacks(TestLogger() if verbose else None, callbacks, batch_size, data)
        result = xp.empty((len(data), *self.output_shape[1:]), self.dtype)
        hooks("on_predict_begin", {})
        for batch, start in enumerate(range(0, len(data), batch_size)):
            size = min(batch_size, len(data) - start)
            logs = {"batch": batch, "size": size}
            hooks("on_predict_batch_begin", batch, logs)
            result[start:start + size] = self.forward(data.next(size)[0])
            hooks("on_predict_batch_end", batch, logs)
        hooks("on_predict_end", {})
        return to_numpy(result)

    def predict_classes(self, x, batch_size=None, verbose=0) -> np.ndarray:
        """The likeliest class of each sample; for a single output 1 where it is above one half, as (N, 1)."""
        p = self.predict(x, batch_size, verbose)
        return p.argmax(axis=-1) if p.shape[-1] > 1 else (p > 0.5).astype("int32")

    predict_proba = predict

    # Single batches

    @_alone
    def train_on_batch(self, x, y, sample_weight=None, class_weight=None, reset_metrics=True):
        """One step on these samples; returns like `evaluate`.  Without reset_metrics the metrics average on."""
        return self._on_batch(self.train_step, self._data(x, y, sample_weight, class_weight), reset_metrics)

    @_alone
    def test_on_batch(self, x, y, sample_weight=None, reset_metrics=True):
        """The loss and metrics on these samples; returns like `evaluate`."""
        return self._on_batch(self.test_step, self._data(x, y, sample_weight), reset_metrics)

    @_alone
    def predict_on_batch(self, x) -> np.ndarray:
        """The outputs for these samples, in one go."""
        return to_numpy(self.forward(xp.asarray(self._build_for(self._inputs(x)))))

    def _on_batch(self, step, data, reset_metrics):
        loss, y_pred = step(*data.arrays)
        self.means.add(loss, data.arrays[1], y_pred)
        self.means.samples += len(data)
        logs = self.means.result() | {"loss": float(loss)}
        if reset_metrics:
            self.means.reset()
        return list(logs.values()) if self.metrics else logs["loss"]

    @property
    def metrics_names(self) -> list[str]:
        """What `evaluate` returns, by name."""
        return ["loss"] + [m.name for m in self.metrics]

    # The door

    def _fitting_data(self, x, y, sample_weight, class_weight, validation_data, validation_split):
        """The data to train on and to validate on (None without), checked."""
        data = self._data(x, y, sample_weight, class_weight)
        if validation_data is not None:
            if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
                raise ValueError("When passing a `validation_data` argument, it must contain either 2 items "
                                 "(x_val, y_val), or 3 items (x_val, y_val, sample_weight); got "
                                 f"{type(validation_data).__name__}.")
            return data, self._data(*validation_data)
        return data.split(validation_split) if validation_split else (data, None)

    def _data(self, x, y, sample_weight=None, class_weight=None) -> Dataset:
        """Checked data for a compiled model, which is built and connected by its first."""
        if self.optimizer is None:
            raise RuntimeError("You must compile a model before training/testing. "
                               "Use `model.compile(optimizer, loss)`.")
        if x is None or y is None:
            raise ValueError(f"Training and testing need both x and y, got {'no x' if x is None else 'no y'}.")
        if self._compiled_chain not in (None, self.chain):
            raise RuntimeError("The layers have changed since the model was compiled. Call `model.compile` again.")
        x = self._inputs(x)
        shape = self.output_shape if self.built else self.compute_output_shape((None, *x.shape[1:]))
        y = as_targets(y, shape, self._loss, self.dtype, self.layers[-1].name)
        check_lengths(x, y)
        data = Dataset(x, y, as_weights(sample_weight, class_weight, y, self.dtype))
        self._build_for(x)
        if self._compiled_chain is None:
            self._connect()
        return data

    def _inputs(self, x):
        """Checked inputs."""
        if not self.layers:
            raise ValueError(f"{self.name} has no layers yet. Add some first: model.add(Dense(10)).")
        return as_inputs(x, self.input_shape[1:] if self.built else None, self.dtype, f"{self.layers[0].name}_input")

    def _build_for(self, x):
        """Take shapes that nobody has given from checked inputs."""
        if not self.built:
            self.build((None, *x.shape[1:]))
        return x

    def _fitting_callbacks(self, verbose, callbacks, batch_size, epochs, data, validation):
        params = {"epochs": epochs, "verbose": verbose, "do_validation": validation is not None,
                  "metrics": self.metrics_names + [f"val_{name}" for name in self.metrics_names]}
        validation_data = None
        if validation:
            params["validation_samples"] = len(validation)
            x, y, weights = validation.given
            validation_data = [x, y, np.ones(len(x), x.dtype) if weights is None else weights]
        logger = ProgbarLogger(verbose) if verbose else None
        return self._callbacks(logger, callbacks, batch_size, data, self.history, params, validation_data)

    def _callbacks(self, logger, callbacks, batch_size, data, history=None, params=None, validation_data=None):
        """The user's callbacks between what shows the progress and what keeps the history."""
        if not isinstance(callbacks, (list, tuple, type(None))):
            raise TypeError(f"callbacks must be a list of Callback objects, got {callbacks!r}. Put it in brackets.")
        params = {"batch_size": batch_size, "samples": len(data), "steps": None} | (params or {})
        everyone = [c for c in (logger, *(callbacks or []), history) if c is not None]
        return CallbackList(everyone, self, params, validation_data)


def _batch_size(batch_size) -> int:
    return whole_number("batch_size", 32 if batch_size is None else batch_size, least=1)
