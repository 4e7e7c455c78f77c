"""Model: fit, evaluate and predict, around the loops in `epoch.py` and the step in `step.py`."""
from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from tinynet import explain, pickling
from tinynet.backend import to_numpy, xp
from tinynet.callbacks import History, TerminateOnNaN
from tinynet.callbacks.base import Callback, check_callbacks
from tinynet.legacy.methods import OlderMethods
from tinynet.saving import model_file, onnx_format
from tinynet.saving.checkpoint import TrainingState
from tinynet.training.data_adapter import (checked_arrays, checked_inputs, epochs_due, make_data, make_inputs,
                                           split_validation)
from tinynet.training.dataset import Dataset
from tinynet.training.epoch import fit_epochs
from tinynet.training.hooks import fit_hooks, evaluate_hooks
from tinynet.training.step import Trainable
from tinynet.training.strategy import SingleProcess, between_batches, exclusive, remembered, trains
from tinynet.types import Any, ArrayLike, T
from tinynet.validation import QUEUES, reject_unknown, whole_number


class Model(OlderMethods, Trainable, pickling.PickledModel):
    """The methods of a model that can take a step.

    Batch sizes are 32 unless given, a short last batch is trained on too, and reported losses are means over samples,
    all as in Keras 2.3.1 (keras/engine/training.py and training_arrays.py).
    """

    stop_training = False
    strategy: Any = SingleProcess()     # how batches run; `tinynet.distributed.init` sets another one

    def __new__(cls: type[T], *arguments: Any, **options: Any) -> T:
        """A `Sequential`; Model(inputs, outputs) is a `Functional`."""
        return object.__new__(getattr(cls, "functional") if cls is Model else cls)

    @trains
    def fit(self, x: ArrayLike = None, y: ArrayLike = None, batch_size: int | None = None, epochs: int = 1,
            verbose: int = 1, callbacks: Sequence[Callback] | None = None, validation_split: float = 0.0,
            validation_data: Any = None, shuffle: bool | str = True, class_weight: Mapping[Any, float] | None = None,
            sample_weight: ArrayLike = None, initial_epoch: int = 0, steps_per_epoch: float | None = None,
            validation_steps: float | None = None, validation_freq: Any = 1, **unknown: Any) -> History:
        """Train on x (N, ...) and y for a number of epochs; returns the `History` of their losses and metrics.

        Parameters
            x: an array; or a generator or `Sequence` of batches (x, y) or (x, y, sample_weight), and then no y.
            batch_size: samples in a step, 32 by default; the last step takes the rest.
            epochs, initial_epoch: train epochs initial_epoch + 1 to epochs.
            verbose: 0 silent, 1 a live bar, 2 a line for each epoch.
            callbacks: a list of `Callback` objects.
            validation_split: the fraction of the samples, the last ones, that are validated on and not trained on.
            validation_data: (x, y) or (x, y, sample_weight) to validate on, or a generator or Sequence; takes
                precedence over validation_split.
            shuffle: True, a new order each epoch by np.random.shuffle, of the batches of a Sequence; "batch", whole
                batches of an array; False, no shuffling.
            class_weight: {class: weight}, for the loss alone.
            sample_weight: (N,), for the loss and weighted_metrics.
            steps_per_epoch, validation_steps: batches of a generator in an epoch; of a Sequence, if not all.
            validation_freq: validate every so many epochs, or after the epochs listed, counted from 1.
            max_queue_size, workers, use_multiprocessing: accepted for compatibility; batches are made one by one.

        In distributed training (`tinynet.distributed`) all ranks call fit, with the same arguments.

        Raises RuntimeError before compile, ValueError for data that does not fit the model or differs between ranks,
        TypeError for an argument that tinynet does not have.
        """
        reject_unknown("Unrecognized keyword arguments", Model.fit, unknown, QUEUES)
        epochs = whole_number("epochs", epochs, least=0)
        initial_epoch = whole_number("initial_epoch", initial_epoch, least=0)
        validation_epochs = epochs_due(validation_freq, epochs)
        if shuffle not in (True, False, "batch"):
            raise ValueError(f"shuffle must be True, False or 'batch', got {shuffle!r}.")
        check_callbacks(callbacks)
        data = make_data(self, x, y, batch_size, steps_per_epoch, "steps_per_epoch", sample_weight, class_weight)
        data, validation = split_validation(self, data, batch_size, validation_data, validation_split, validation_steps)
        own, strategy, history = list(callbacks or []), self.strategy, History()
        strategy.begin(self, data, validation, [epochs, initial_epoch, shuffle, sorted(validation_epochs), *(
            type(callback).__name__ for callback in own)])
        train, validate = strategy.epochs(self, data, validation)
        state = TrainingState(self, data, validation, train.means, history, own, strategy, initial_epoch, shuffle)
        if not any(isinstance(callback, TerminateOnNaN) for callback in own):
            train.on_nonfinite_loss = functools.partial(explain.raise_nonfinite_loss, self, state)
        hooks = fit_hooks(self, verbose, own, history, epochs, data, validation)
        hooks.state = state
        self.history: Any = history
        try:
            hooks.begin_training()
            fit_epochs(self, state.epochs_left(epochs), train, validate, validation_epochs, shuffle, hooks)
            strategy.end(self, data)
            hooks("on_train_end", {})
        except BaseException:       # Ctrl-C too
            hooks.interrupted()
            raise
        finally:
            self.history = history      # a callback may have called fit
        return history

    @exclusive
    def evaluate(self, x: ArrayLike = None, y: ArrayLike = None, batch_size: int | None = None, verbose: int = 1,
                 sample_weight: ArrayLike = None, steps: float | None = None,
                 callbacks: Sequence[Callback] | None = None, **unknown: Any) -> Any:
        """The loss on x and y, or a list of it and the metrics in the order of `metrics_names`, in inference.

        Parameters as for `fit`; steps is the number of batches of a generator; verbose=1 shows a bar.  Raises like
        `fit`.
        """
        reject_unknown("Unrecognized keyword arguments", Model.evaluate, unknown, QUEUES)
        data = make_data(self, x, y, batch_size, steps, "steps", sample_weight)
        hooks = evaluate_hooks(self, verbose, callbacks, data)
        logs = SingleProcess().epoch("test", self, data).run(hooks)
        return list(logs.values()) if self.metrics else logs["loss"]

    @remembered
    def predict(self, x: ArrayLike, batch_size: int | None = None, verbose: int = 0, steps: float | None = None,
                callbacks: Sequence[Callback] | None = None, **unknown: Any) -> np.ndarray:
        """The outputs (N, ...) for x (N, ...), or for the batches of a generator, in inference.

        Raises ValueError for data that does not fit the model, TypeError for an argument that tinynet does not have.
        """
        reject_unknown("Unrecognized keyword arguments", Model.predict, unknown, QUEUES)
        data = make_inputs(self, x, batch_size, steps)
        hooks = evaluate_hooks(self, verbose, callbacks, data)
        results, forward = [], SingleProcess.forward_of(self)
        hooks("on_predict_begin", {})
        for batch, size in enumerate(data.batches()):
            logs = {"batch": batch, "size": size}
            hooks("on_predict_batch_begin", batch, logs)
            results.append(forward(data.next(size)[0]).copy())
            hooks("on_predict_batch_end", batch, logs)
        hooks("on_predict_end", {})
        return to_numpy(xp.concatenate(results))

    # Single batches

    @exclusive
    def train_on_batch(self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike = None,
                       class_weight: Mapping[Any, float] | None = None,
                       reset_metrics: bool = True) -> Any:
        """One step on these samples; returns like `evaluate`.  Without reset_metrics the metrics are accumulated.

        Raises RuntimeError in distributed training, where only `fit` can be used.
        """
        self.strategy.check_single_batches()
        return self._on_batch(self.train_step, self.checked_batch(x, y, sample_weight, class_weight), reset_metrics)

    @exclusive
    def test_on_batch(self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike = None,
                      reset_metrics: bool = True) -> Any:
        """The loss and metrics on these samples; returns like `evaluate`."""
        return self._on_batch(self.test_step, self.checked_batch(x, y, sample_weight), reset_metrics)

    @exclusive
    def predict_on_batch(self, x: ArrayLike) -> np.ndarray:
        """The outputs for these samples, in one batch."""
        return to_numpy(self.forward(xp.asarray(checked_inputs(self, x))))

    def checked_batch(self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike = None,
                      class_weight: Mapping[Any, float] | None = None) -> tuple[Any, ...]:
        """(x, y, weights) as arrays on the device.  Raises like `fit`."""
        return Dataset(checked_arrays(self, x, y, sample_weight, class_weight)).arrays

    def _on_batch(self, step, batch, reset_metrics):
        reset_metrics, (x, y, weights) = bool(reset_metrics), batch     # an array raises an error here, before the step
        loss, y_pred = step(x, y, weights)
        self.means.add(loss, y, y_pred, weights)
        self.means.samples += len(x)
        logs = self.means.result() | {"loss": float(loss)}
        if reset_metrics:
            self.reset_metrics()
        return list(logs.values()) if self.metrics else logs["loss"]

    def reset_metrics(self) -> None:
        """Start the accumulation of the metrics of single batches again."""
        if self.optimizer is not None and self.connected_stack is not None:
            self.means.reset()

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns."""
        return ["loss"] + [m.name for m in self.metrics]

    # Functions that take a model, each in its own module

    save = between_batches(model_file.save)
    save_weights = between_batches(model_file.save_weights)
    load_weights = between_batches(model_file.load_weights)
    export = between_batches(onnx_format.export)
    explain_step = exclusive(explain.explain_step)
    gradients = exclusive(explain.gradients)
    loss_and_gradient = exclusive(explain.loss_and_gradient)
