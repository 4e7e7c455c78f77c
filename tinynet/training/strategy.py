"""SingleProcess: how `fit` runs batches, decides to stop, and reads and writes files, in one process.

`tinynet.distributed` has the strategy for many processes.
"""
from __future__ import annotations

import contextlib
import functools
import os
import sys
from typing import TypeVar, cast

from tinynet.device import launcher, on_gpu, working
from tinynet.device.capture import captured, forward_of, predicted_again
from tinynet.device.recorded_step import RecordedStep
from tinynet.device.threads import LOCKS, Lock
from tinynet.metrics import RunningMeans
from tinynet.nested import share_lock
from tinynet.saving import atomic_write, file_format
from tinynet.training.data_adapter import check_compiled
from tinynet.training.epoch import Epoch
from tinynet.types import Any, Array, Function, Path


def lock_of(model: Any, name: str) -> Lock:
    """One of the locks of a model. For "_model_lock", models that have a layer in common have the same one."""
    if name == "_model_lock" and getattr(model, "_stacks", None):
        return LOCKS.get(model._stacks[0][0]) or share_lock(model)
    return vars(model).get(name) or vars(model).setdefault(name, Lock())


Method = TypeVar("Method", bound=Function)


def _while_held(lock: str, context: Function, method: Method) -> Method:
    """The method of a model, run in this context while the model's lock of this name is held."""
    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        with context(), lock_of(self, lock).held():
            return method(self, *args, **kwargs)
    return cast(Method, wrapped)


# What one thread at a time may do with a model, whose layers have one set of buffers: to compute; to read or write its
# weights; and to train, between whose batches other threads may do the former.


def exclusive(method: Method) -> Method:
    """A method that computes."""
    return _while_held("_model_lock", working, method)


def between_batches(method: Method) -> Method:
    """A method that reads or writes weights."""
    return _while_held("_model_lock", working if on_gpu else contextlib.nullcontext, method)


def trains(method: Method) -> Method:
    """A method that trains."""
    return _while_held("_fit_lock", working, method)


class Batch:
    """`work(size)`, the work of a batch on a model, which no other thread uses meanwhile."""

    def __init__(self, model: Any, work: Any):
        self.call: Function = lock_of(model, "_model_lock").call
        self.work = work

    def __call__(self, size: int) -> Array:
        return self.call(self.work, size)

    def begin_epoch(self, callbacks: Any) -> None:
        """callbacks: of which a recorded step asks whether they can change what it depends on."""
        if isinstance(self.work, RecordedStep):
            self.work.begin_epoch(callbacks)


def remembered(predict: Method) -> Method:
    """`predict`, exclusive, which for x alone, a batch like one before, does the recorded forward pass and no more."""
    @exclusive
    @functools.wraps(predict)
    def wrapped(self, x, *arguments, **options):
        y = predicted_again(self, x) if not arguments and not options else None
        return predict(self, x, *arguments, **options) if y is None else y
    return cast(Method, wrapped)


def owners(model: Any) -> Any:
    """(layers and what they call, other objects) whose arrays and constants a step of the model uses."""
    rules = [rule for p in model.parameters.parameters for rule in (p.regularizer, p.constraint) if rule is not None]
    return [*model.layers, *model.stack, *rules, *(m.metric for m in model.metrics)], [
        model.parameters, model.optimizer, model.loss_of_z]


@functools.cache        # once
def _warn_of_forgotten_init():
    if (launcher.size() or 1) > 1 and not launcher.rank():
        print(f"mpiexec has started {launcher.size()} processes, and each trains alone. To let them share the "
              "training, call tinynet.distributed.init() before fit, or set TINYNET_DISTRIBUTED=1.", file=sys.stderr)


class SingleProcess:
    """The strategy of one process: it runs whole batches, and reads and writes its own files."""

    is_writer = True        # whether this process writes files
    sharing = "none"        # how a batch is shared between processes, on which the last bits depend
    forward_of: Any = staticmethod(forward_of)

    def begin(self, model: Any, data: Any, validation: Any, arguments: list[Any]) -> None:
        """Called at the beginning of fit."""
        _warn_of_forgotten_init()

    def begin_epoch(self, model: Any, train: Any, callbacks: Any) -> None:
        """Called at the beginning of each epoch."""
        check_compiled(model)
        train.run_batch.begin_epoch(callbacks)

    def end(self, model: Any, data: Any) -> None:
        """Called at the end of fit."""

    def check_single_batches(self) -> None:
        """Raise RuntimeError if train_on_batch cannot be used."""

    def epochs(self, model: Any, data: Any, validation: Any) -> tuple[Any, Any]:
        """(an `Epoch` that trains on the data, one that tests on the validation data)"""
        return self.epoch("train", model, data), validation and self.epoch("test", model, validation)

    def epoch(self, stage: str, model: Any, data: Any) -> Epoch:
        """An `Epoch` whose batches run in this process alone."""
        step = model.train_step if stage == "train" else model.test_step
        means = RunningMeans(model.metrics)

        def batch(size):
            """All work on the arrays of a batch. It reads no number, so a GPU need not be waited for."""
            data.rewind()       # a capture that failed may have taken samples
            x, y, weights = data.next(size)
            loss, y_pred = step(x, y, weights)
            means.add(loss, y, y_pred, weights)
            return loss

        stop = functools.partial(self.stop, model) if stage == "train" else None
        work = captured(batch, functools.partial(owners, model), model, data, means)
        return Epoch(stage, Batch(model, work), data, means, stop)

    def stop(self, model: Any) -> bool:
        """Whether training is to stop, in any process."""
        return self.any(model.stop_training)

    def any(self, flag: bool) -> bool:
        """Whether the flag is true in any process."""
        return bool(flag)

    def on_writer(self, what: str, work: Function) -> Any:
        """The result of work(), which only the process that writes files does."""
        return work()

    def read(self, path: Path) -> bytes:
        """The contents of a file.  Raises OSError if it is missing or not an ordinary file."""
        return self.on_writer(f"loading {os.path.basename(os.fspath(path))}", lambda: file_format.read(path))

    def write(self, path: Path, data: bytes, overwrite: bool = True) -> None:
        """Write a file atomically; see `saving.atomic_write`."""
        self.on_writer(f"saving {os.path.basename(os.fspath(path))}", lambda: atomic_write.write(path, data, overwrite))
