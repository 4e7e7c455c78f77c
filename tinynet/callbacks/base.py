"""Callback: the base class, and the list of callbacks that fit calls."""
from __future__ import annotations

from tinynet.types import Any, Logs
from tinynet.validation import find, reject_renamed


class Callback:
    """The base class: override the hooks you need.

    Around training on_train_begin, on_epoch_begin, on_train_batch_begin, on_train_batch_end, on_epoch_end and
    on_train_end; around evaluate and validation on_test_begin, on_test_batch_begin ...; around predict
    on_predict_begin .... on_batch_begin and on_batch_end are other names of the on_train_batch hooks. If an error or
    Ctrl-C ends training, on_train_interrupted is called instead of on_train_end.

    `self.model` is the model; `self.params` holds batch_size, epochs, steps, samples, verbose, do_validation and
    metrics; `self.validation_data` is [x, y, sample weights] where fit validates.  The logs of a batch hold batch,
    size, loss and metrics, those of an epoch its means, with "val_" before the names of validation metrics. To end
    training set `self.model.stop_training = True`.

    on_resume(state) is called after all on_train_begin, and may restore the `TrainingState` of an earlier run; it is
    called again after on_epoch_begin of an epoch that an earlier run has started. on_checkpoint(state) is called before
    the first epoch and after each, when all other hooks have been called. `progress` is called after each batch with
    the `RunningMeans` so far; reading them may wait for the device, so read them seldom. `is_writer` is False where
    another process of distributed training writes the files.

    Source: keras/callbacks/callbacks.py of Keras 2.3.1.
    """

    model: Any = None
    params: dict[Any, Any] = {}
    validation_data: list[Any] | None = None
    state_attributes: tuple[str, ...] = ()      # which a backup keeps: numbers, None, or lists of arrays
    is_writer = True

    def set_params(self, params: dict[str, Any]) -> None:
        self.params: Any = params

    def set_model(self, model: Any) -> None:
        self.model = model

    def on_train_begin(self, logs: Logs = None) -> None: pass
    def on_resume(self, state: Any) -> None: pass
    def on_checkpoint(self, state: Any) -> None: pass
    def on_train_end(self, logs: Logs = None) -> None: pass
    def on_train_interrupted(self) -> None: pass
    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None: pass
    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None: pass
    def on_batch_begin(self, batch: int, logs: Logs = None) -> None: pass
    def on_batch_end(self, batch: int, logs: Logs = None) -> None: pass
    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None: self.on_batch_begin(batch, logs)
    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None: self.on_batch_end(batch, logs)
    def on_test_begin(self, logs: Logs = None) -> None: pass
    def on_test_end(self, logs: Logs = None) -> None: pass
    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None: pass
    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None: pass
    def on_predict_begin(self, logs: Logs = None) -> None: pass
    def on_predict_end(self, logs: Logs = None) -> None: pass
    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None: pass
    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None: pass
    def progress(self, means: Any) -> None: pass


class CallbackList:
    """Callbacks, called in order: `callbacks("on_epoch_end", epoch, logs)`."""

    state: Any = None           # the `TrainingState` of fit

    def __init__(self, callbacks: Any, model: Any, params: dict[str, Any], validation_data: Any = None):
        self.callbacks: list[Any] = list(callbacks)
        self.started: list[Callback] = []   # whose on_train_begin has been called
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)
            callback.validation_data = validation_data
            callback.is_writer = model.strategy.is_writer

    def __call__(self, hook: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)
            if hook == "on_train_begin":
                self.started.append(callback)

    def begin_training(self) -> None:
        """on_train_begin; then an earlier run may be restored."""
        self("on_train_begin", {})
        self.state.model.stop_training = False
        self("on_resume", self.state)
        if not self.state.resumed:
            self("on_checkpoint", self.state)

    def begin_epoch(self, epoch: int) -> None:
        """on_epoch_begin; an epoch that an earlier run has started is then restored again."""
        self("on_epoch_begin", epoch, {})
        if self.state.means.batches:
            self("on_resume", self.state)

    def end_epoch(self, epoch: int, logs: Logs) -> None:
        """on_epoch_end, after a look at the weights; then the epoch is complete."""
        self.state.check_weights(epoch)
        self("on_epoch_end", epoch, logs)
        self.state.end_epoch(epoch)
        self("on_checkpoint", self.state)

    def interrupted(self) -> None:
        """Call on_train_interrupted of all whose on_train_begin has been called; then raise the first error of one."""
        errors = []
        for callback in self.started:
            try:
                callback.on_train_interrupted()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def listen_to(self, hook: str) -> bool:
        """Whether any callback defines this hook; if none does, the logs of a batch are not needed."""
        return any(getattr(getattr(callback, name), "__func__", None) is not getattr(Callback, name)
                   for callback in self.callbacks for name in {hook, hook.replace("on_train_batch", "on_batch")})


class LambdaCallback(Callback):
    """Hooks given as functions, by their names: LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs)).

    Raises ValueError for a hook that does not exist.
    """

    def __init__(self, **hooks: Any):
        known = {name: None for name in dir(Callback) if name.startswith("on_")}
        for name, function in hooks.items():
            find("hook", name, known)
            if function is not None and not callable(function):
                raise TypeError(f"LambdaCallback expects a function as {name}, got {function!r}.")
            if function is not None:
                setattr(self, name, function)


def check_callbacks(callbacks: Any) -> None:
    """Raise TypeError unless it is a list of callbacks, or None."""
    if not isinstance(callbacks, (list, tuple, type(None))):
        raise TypeError(f"callbacks must be a list of Callback objects, got {callbacks!r}. Put it in brackets.")
    for callback in callbacks or []:
        if not isinstance(callback, Callback):
            raise TypeError(f"callbacks must be a list of Callback objects, got {callback!r} in it.")
        reject_renamed(callback, kept="state_attributes", resume_run="on_resume", backup_run="on_checkpoint")
