"""What happens around training: each callback's hooks are called as the epochs and batches go by.

They see the model and the logs; they must not take part in a training step.
"""
from __future__ import annotations

from typing import Any

from tinynet.arguments import find

__all__ = ["Callback", "CallbackList", "LambdaCallback", "check_callbacks"]


class Callback:
    """The base class: override the hooks you need.

    Around training on_train_begin, on_epoch_begin, on_train_batch_begin, on_train_batch_end, on_epoch_end and
    on_train_end; around evaluate and validation on_test_begin, on_test_batch_begin ...; around predict
    on_predict_begin ....  on_batch_begin and on_batch_end are other names of the on_train_batch hooks.  Where an error
    or Ctrl-C ends training, on_train_interrupted comes instead of on_train_end.

    `self.model` is the model; `self.params` holds batch_size, epochs, steps, samples, verbose, do_validation and
    metrics; `self.validation_data` is [x, y, sample weights] where fit validates.  The logs of a batch hold batch,
    size, loss and metrics, those of an epoch its averages, with "val_" before the names of the validation's.  To end
    training set `self.model.stop_training = True`.

    resume_run comes after every on_train_begin, and may put the `Run` where an earlier one stood; it comes again after
    every on_epoch_begin of an epoch that an earlier run had begun.  backup_run comes before the first epoch and after
    each, when all other hooks have been called.  `progress` comes after every batch with the `RunningMeans` so far,
    which may cost a wait for the device to read, so read them seldom.

    Source: keras/callbacks/callbacks.py of Keras 2.3.1.
    """

    model: Any = None
    params: dict = {}
    validation_data: list | None = None
    kept: tuple[str, ...] = ()      # attributes that a backup of training holds: numbers, None, or lists of arrays

    def set_params(self, params):
        self.params = params

    def set_model(self, model):
        self.model = model

    def on_train_begin(self, logs=None): pass
    def resume_run(self, run): pass
    def backup_run(self, run): pass
    def on_train_end(self, logs=None): pass
    def on_train_interrupted(self): pass
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
    """Callbacks called in their order: `callbacks("on_epoch_end", epoch, logs)`."""

    def __init__(self, callbacks, model, params, validation_data=None):
        self.callbacks = list(callbacks)
        self.begun: list[Callback] = []         # whose on_train_begin has been called
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)
            callback.validation_data = validation_data

    def __call__(self, hook, *arguments):
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)
            if hook == "on_train_begin":
                self.begun.append(callback)

    def interrupted(self):
        """Tell all for whom training had begun that it has ended by an error; the first error of theirs is raised."""
        errors = []
        for callback in self.begun:
            try:
                callback.on_train_interrupted()
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def listen_to(self, hook) -> bool:
        """Whether any callback does something at the end of a batch; if none does, nobody needs the logs of one."""
        names = (hook, "on_batch_end") if hook == "on_train_batch_end" else (hook,)
        return any(getattr(getattr(callback, name), "__func__", None) is not getattr(Callback, name)
                   for callback in self.callbacks for name in names)


class LambdaCallback(Callback):
    """Hooks given as functions, by their names: LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs)).

    Raises ValueError for a hook that does not exist.
    """

    def __init__(self, **hooks):
        known = {name: None for name in dir(Callback) if name.startswith("on_")}
        for name, function in hooks.items():
            find("hook", name, known)
            if function is not None and not callable(function):
                raise TypeError(f"LambdaCallback expects a function as {name}, got {function!r}.")
            if function is not None:
                setattr(self, name, function)


def check_callbacks(callbacks):
    """Raise TypeError unless it is a list of callbacks, or None."""
    if not isinstance(callbacks, (list, tuple, type(None))):
        raise TypeError(f"callbacks must be a list of Callback objects, got {callbacks!r}. Put it in brackets.")
    for callback in callbacks or []:
        if not isinstance(callback, Callback):
            raise TypeError(f"callbacks must be a list of Callback objects, got {callback!r} in it.")
