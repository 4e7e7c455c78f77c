"""Model: fit, evaluate and predict, around the pass over batches in `epoch.py` and the step in `step.py`.

It must not know which layers there are; that is `tinynet.models`' matter.
"""
from __future__ import annotations

import functools
import threading
import warnings
import weakref

import numpy as np

from tinynet import agreement, data_parallel, distributed
from tinynet.backend import to_numpy, working, xp
from tinynet.callbacks import CallbackList, History, ProgbarLogger, TerminateOnNaN, TestLogger
from tinynet.callbacks.base import check_callbacks
from tinynet.data import epochs_due
from tinynet.dataset import Dataset
from tinynet.distributed.meeting import anyone
from tinynet.epoch import Epoch, whole_batches
from tinynet.explain import Explaining
from tinynet.arguments import refuse, whole_number
from tinynet.metrics import RunningMeans
from tinynet.older_names import OlderNames
from tinynet.run import Run
from tinynet.saving import Saving

__all__ = ["Model"]

_locks: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()     # not attributes, so that models can be copied


def _alone(method):
    """One thread at a time where work happens, and in a model, whose layers have one set of buffers."""
    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        with working(), _locks.setdefault(self, threading.RLock()):
            return method(self, *args, **kwargs)
    return wrapped


class Model(OlderNames, Saving, Explaining):
    """What every model can do once it can take a step.

    Batch sizes are 32 unless given, a short last batch is trained on too, and reported losses are means over samples,
    all as in Keras 2.3.1 (keras/engine/training.py and training_arrays.py).
    """

    stop_training = False

    # Training

    @_alone
    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose=1, callbacks=None, validation_split=0.0,
            validation_data=None, shuffle=True, class_weight=None, sample_weight=None, initial_epoch=0,
            steps_per_epoch=None, validation_steps=None, validation_freq=1, max_queue_size=10, workers=1,
            use_multiprocessing=False, **unknown) -> History:
        """Train on x (N, ...) and y for a number of epochs; returns the `History` of their losses and metrics.

        Parameters
            x: an array; or a generator or `Sequence` of batches (x, y) or (x, y, sample_weight), without y beside it.
            batch_size: samples in a step, 32 by default; the last step takes what is left.
            epochs, initial_epoch: train epochs initial_epoch + 1 to epochs.
            verbose: 0 silent, 1 a live bar, 2 a line for each epoch.
            callbacks: a list of `Callback` objects.
            validation_split: the last samples of x, this share of them, are validated on instead, with their weights.
            validation_data: (x, y) or (x, y, sample_weight) to validate on, or a generator or Sequence; takes
                precedence over validation_split.
            shuffle: True, a new order each epoch by np.random.shuffle, of the batches of a Sequence; "batch", whole
                batches of an array; False, as they come.
            class_weight: {class: weight}, for the loss alone.
            sample_weight: (N,), for the loss and weighted_metrics.
            steps_per_epoch, validation_steps: batches of a generator in an epoch, or of a Sequence if not all.
            validation_freq: validate every so many epochs, or in the epochs listed, counted from 1.
            max_queue_size, workers, use_multiprocessing: taken for Keras's sake; a batch is made when it is its turn.

        Where training is distributed (`tinynet.distributed`), all ranks call fit, with the same arguments.

        Raises RuntimeError before compile, ValueError for data that does not fit the model or differs between ranks,
        TypeError for an argument that tinynet does not have.
        """
        if "nb_epoch" in unknown:
            warnings.warn("The `nb_epoch` argument in `fit` has been renamed `epochs`.", stacklevel=3)
            epochs = unknown.pop("nb_epoch")
        refuse("Unrecognized keyword arguments", Model.fit, unknown)
        epochs = whole_number("epochs", epochs, least=0)
        initial_epoch = whole_number("initial_epoch", initial_epoch, least=0)
        validation_epochs = epochs_due(validation_freq, epochs)
        if shuffle not in (True, False, "batch"):
            raise ValueError(f"shuffle must be True, False or 'batch', got {shuffle!r}.")
        check_callbacks(callbacks)
        data = self._source(x, y, batch_size, steps_per_epoch, "steps_per_epoch", sample_weight, class_weight)
        data, validation = self._validation(data, batch_size, validation_data, validation_split, validation_steps)
        if distributed.active():
            agreement.begin(self, data, validation, [epochs, initial_epoch, shuffle, sorted(validation_epochs), *(
                type(callback).__name__ for callback in callbacks or [])])
        history = History()
        callbacks = self._fitting_callbacks(verbose, callbacks, history, epochs, data, validation)
        try:
            self._train(range(initial_epoch, epochs), data, shuffle, validation, validation_epochs, callbacks, history)
        except BaseException:       # Ctrl-C too
            callbacks.interrupted()
            raise
        finally:
            if callbacks.begun:
                self.history = history
        return history

    def _train(self, epochs, data, shuffle, validation, validation_epochs, callbacks, history):
        """The loop over epochs: a pass over the data, and a look at how well the model does on other data."""
        train, test = self._shared_epochs(data, validation) if distributed.active() else (
            self._epoch(self.train_step, data), self._epoch(self.test_step, validation))
        own = [c for c in callbacks.callbacks if c is not history and not isinstance(c, ProgbarLogger)]
        run = Run(self, data, train.means, history, own, epochs.start)
        train.lost = None if any(isinstance(callback, TerminateOnNaN) for callback in own) else run.report_lost
        self.history = history
        callbacks("on_train_begin", {})
        self.stop_training = False
        callbacks("resume_run", run)
        if not run.resumed:
            callbacks("backup_run", run)
        for epoch in epochs:
            if epoch < run.epoch or self.stop_training and not run.means.batches:   # an earlier run did it, or ended
                continue
            callbacks("on_epoch_begin", epoch, {})
            self._check_compiled()
            self._mark_learning()
            done = run.means.batches
            if done:        # by an earlier run, whose on_epoch_begin had not been called twice
                callbacks("resume_run", run)
            else:
                data.reorder(shuffle)
            if distributed.active():
                agreement.check(self, data)
            logs = train.run("train", callbacks, stopped=lambda: anyone(self.stop_training), first=done)
            if validation and epoch + 1 in validation_epochs and train.finished:
                callbacks("on_test_begin", {})
                tested = test.run("test", callbacks)
                callbacks("on_test_end", {})
                logs = {f"val_{name}": value for name, value in tested.items()} | logs
            callbacks("on_epoch_end", epoch, logs)
            run.epoch = epoch + 1
            train.means.reset()
            self.stop_training = anyone(self.stop_training)
            callbacks("backup_run", run)
        if distributed.active():
            agreement.check(self, data)
        callbacks("on_train_end", {})

    # Evaluating and predicting

    @_alone
    def evaluate(self, x=None, y=None, batch_size=None, verbose=1, sample_weight=None, steps=None, callbacks=None,
                 max_queue_size=10, workers=1, use_multiprocessing=False, **unknown):
        """The loss on x and y, or a list of it and the metrics in the order of `metrics_names`; dropout is off.

        Parameters as for `fit`; steps is the number of batches of a generator; verbose=1 shows a bar.  Raises like
        `fit`.
        """
        refuse("Unrecognized keyword arguments", Model.evaluate, unknown)
        data = self._source(x, y, batch_size, steps, "steps", sample_weight)
        hooks = self._callbacks(TestLogger() if verbose else None, callbacks, data)
        hooks("on_test_begin", {})
        logs = self._epoch(self.test_step, data).run("test", hooks)
        hooks("on_test_end", {})
        return list(logs.values()) if self.metrics else logs["loss"]

    @_alone
    def predict(self, x, batch_size=None, verbose=0, steps=None, callbacks=None, max_queue_size=10, workers=1,
                use_multiprocessing=False, **unknown) -> np.ndarray:
        """The outputs (N, ...) for x (N, ...), or for the batches of a generator; dropout is off.

        Raises ValueError for data that does not fit the model, TypeError for an argument that tinynet does not have.
        """
        refuse("Unrecognized keyword arguments", Model.predict, unknown)
        data = self._inputs_only(x, batch_size, steps)
        hooks = self._callbacks(TestLogger() if verbose else None, callbacks, data)
        results = []
        hooks("on_predict_begin", {})
        for batch, size in enumerate(data.batches()):
            logs = {"batch": batch, "size": size}
            hooks("on_predict_batch_begin", batch, logs)
            results.append(self.forward(data.next(size)[0]).copy())
            hooks("on_predict_batch_end", batch, logs)
        hooks("on_predict_end", {})
        return to_numpy(xp.concatenate(results))

    # Single batches

    @_alone
    def train_on_batch(self, x, y, sample_weight=None, class_weight=None, reset_metrics=True):
        """One step on these samples; returns like `evaluate`.  Without reset_metrics the metrics average on.

        Raises RuntimeError where training is distributed: only `fit` is shared.
        """
        if distributed.active():
            raise RuntimeError("train_on_batch would train this rank's model alone. Call fit, which all ranks share.")
        return self._on_batch(self.train_step, self._checked(x, y, sample_weight, class_weight), reset_metrics)

    @_alone
    def test_on_batch(self, x, y, sample_weight=None, reset_metrics=True):
        """The loss and metrics on these samples; returns like `evaluate`."""
        return self._on_batch(self.test_step, self._checked(x, y, sample_weight), reset_metrics)

    @_alone
    def predict_on_batch(self, x) -> np.ndarray:
        """The outputs for these samples, in one go."""
        return to_numpy(self.forward(xp.asarray(self._build_for(self._inputs(x)))))

    def _on_batch(self, step, arrays, reset_metrics):
        self._mark_learning()
        reset_metrics, (x, y, weights) = bool(reset_metrics), Dataset(arrays).arrays
        loss, y_pred = step(x, y, weights)
        self.means.add(loss, y, y_pred, weights)
        self.means.samples += len(x)
        logs = self.means.result() | {"loss": float(loss)}
        if reset_metrics:
            self.reset_metrics()
        return list(logs.values()) if self.metrics else logs["loss"]

    def reset_metrics(self):
        """Let the metrics of single batches average anew."""
        if self.optimizer is not None and self._compiled_chain is not None:
            self.means.reset()

    @property
    def metrics_names(self) -> list[str]:
        """What `evaluate` returns, by name."""
        return ["loss"] + [m.name for m in self.metrics]

    # Callbacks

    def _epoch(self, step, data) -> Epoch:
        means = RunningMeans(self.metrics)
        return Epoch(whole_batches(step, data, means, self.memory, self.constants), data, means)

    def _shared_epochs(self, data, validation):
        """The same for batches that all ranks share: to train and to test."""
        means, tested = (data_parallel.SharedMeans(self.metrics) for _ in range(2))
        return (Epoch(data_parallel.TrainingBatch(self, data, means), data, means),
                Epoch(data_parallel.testing(self, validation, tested), validation, tested))

    def _fitting_callbacks(self, verbose, callbacks, history, epochs, data, validation):
        params = {"epochs": epochs, "verbose": verbose, "do_validation": validation is not None,
                  "metrics": self.metrics_names + [f"val_{name}" for name in self.metrics_names]}
        validation_data = None
        if validation and validation.samples:
            x, y, weights = validation.given
            validation_data = [x, y, np.ones(len(x), x.dtype) if weights is None else weights]
        logger = ProgbarLogger(verbose, validation and validation.samples) if verbose else None
        return self._callbacks(logger, callbacks, data, history, params, validation_data)

    def _callbacks(self, logger, callbacks, data, history=None, params=None, validation_data=None):
        """The user's callbacks between what shows the progress and what keeps the history."""
        check_callbacks(callbacks)
        params = {"batch_size": getattr(data, "batch_size", None), "samples": data.samples,
                  "steps": None if data.samples else data.steps} | (params or {})
        everyone = [c for c in (logger, *(callbacks or []), history) if c is not None]
        return CallbackList(everyone, self, params, validation_data)
