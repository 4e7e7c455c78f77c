"""TrainingState: all that decides how a run of `fit` continues, saved so that a later run reaches the same bits."""
from __future__ import annotations

import functools
import json
import os

import numpy as np

from tinynet.backend import xp
from tinynet.callbacks.monitors import TerminateOnNaN
from tinynet.random import global_state, last_seed
from tinynet.registry import serialize
from tinynet.saving import file_format
from tinynet.saving.file_format import ModelFileError
from tinynet.saving.fingerprint import fingerprint
from tinynet.saving.model_file import (check_finite, errors_of, model_state, named_weights, nonfinite, prepare_training,
                                       prepare_weights, to_json, weights_by_layer)
from tinynet.types import Any, Path


class TrainingState:
    """The state of a run of `fit`, apart from the samples themselves.

    epoch, means.batches: the epochs that are complete, and the batches of the one in progress.
    resumed: whether it continues from a file.
    """

    def __init__(self, model: Any, data: Any, validation: Any, means: Any, history: Any, callbacks: Any, strategy: Any,
                 initial_epoch: int, shuffle: bool | str):
        self.model = model
        self.data = data
        self.validation = validation
        self.means = means
        self.history = history
        self.callbacks, self.strategy, self.epoch = callbacks, strategy, initial_epoch
        self.initial_epoch, self.shuffle = initial_epoch, shuffle
        self.resumed: bool = False

    @property
    def can_resume_batches(self) -> bool:
        """Whether it can continue in the middle of an epoch: if the data are arrays, not a generator."""
        return self.data.samples is not None

    def epochs_left(self, epochs: int) -> range:
        """The epochs that are still to be trained; the first may have been started by an earlier run."""
        ended = self.model.stop_training and not self.means.batches
        return range(0) if ended else range(max(self.epoch, self.initial_epoch), epochs)

    def check_weights(self, epoch: int) -> None:
        """Raise FloatingPointError if one is NaN or infinite after this epoch, unless TerminateOnNaN is in charge."""
        arrays = [self.model.parameters.value, *(p.value for p in self.model.non_trainable_weights)]
        if not all(bool(xp.isfinite(a).all()) for a in arrays) and not any(
                isinstance(callback, TerminateOnNaN) for callback in self.callbacks):
            check_finite(named_weights(self.model)[1], f"after epoch {epoch + 1}", self.model)

    def end_epoch(self, epoch: int) -> None:
        """Count an epoch as complete."""
        self.epoch = epoch + 1
        self.means.reset()
        self.model.stop_training = self.strategy.any(self.model.stop_training)

    def save(self, path: Path) -> None:
        """Write a file, which `load_model` can read too, unless the loss or a weight has become NaN or infinite: then
        it would be of no use, and the last one is kept.  Raises OSError if it cannot be written."""
        sums = self.means.state()
        arrays, metadata = model_state(self.model)
        if not np.isfinite(sums[..., 0]).all() or nonfinite(arrays):
            return
        _, keys, position, has_gauss, gauss = global_state()
        arrays |= {"run/random": keys, "run/gauss": np.array(gauss), "run/sums": sums}
        order, batches_done = self.data.iterator_state
        if order is not None:
            arrays["run/order"] = order
        arrays["run/epochs"] = np.array(self.history.epoch, np.int64)
        for name, values in self.history.history.items():
            try:
                arrays[f"history/{name}"] = np.array(values, np.float64)
            except (TypeError, ValueError):
                raise ValueError(f"The logs' {name!r} holds {values[-1]!r}, and a backup keeps numbers. Leave it out "
                                 "of the logs.") from None
            arrays[f"epochs of/{name}"] = np.array(self.history.epochs_of[name], np.int64)
        for i, callback in enumerate(self.callbacks):
            for name in callback.state_attributes:
                arrays |= _to_arrays(f"callback {i}/{name}", getattr(callback, name))
        run = {"epoch": self.epoch, "place": int(batches_done), "batch": self.means.batches, "seen": self.means.samples,
               "position": int(position), "has_gauss": int(has_gauss), "stop": bool(self.model.stop_training),
               "history": list(self.history.history), "of": self.identity}
        self.strategy.write(path, file_format.encode(arrays, metadata | {"run": to_json(run)}))

    def restore_if_saved(self, path: Path) -> None:
        """Restore the file if there is one; create its folder if there is none.  Raises like `restore`."""
        self.identity       # before training

        def look():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return b"yes" if os.path.exists(path) else b""
        if self.strategy.on_writer("looking for a backup", look):
            self.restore(path)

    def restore(self, path: Path) -> None:
        """Put model, history, callbacks and random streams into the state of the file.

        Raises ModelFileError, and changes nothing, for a damaged file, or one of another model, data or callbacks.
        """
        raw = self.strategy.read(path)
        with errors_of(path):
            arrays, metadata = file_format.decode(raw)
            if "run" not in metadata or "training" not in metadata:
                raise ModelFileError("It is not a backup of a run of fit.")
            run, training = file_format.parse(metadata["run"]), file_format.parse(metadata["training"])
            self._check_same_run(metadata, run, training)
            assignments = [prepare_training(self.model, metadata, arrays),
                           prepare_weights(self.model, weights_by_layer(metadata, arrays)),
                           self._prepare(run, arrays)]
        for assign in assignments:
            assign()
        self.resumed = True

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """What must be the same in the run that continues, beside the model, as it is before training."""
        return {"training data": fingerprint(self.data), "validation data": fingerprint(self.validation),
                "callbacks": [type(callback).__name__ for callback in self.callbacks],
                "ways of sharing batches (distributed.init)": self.strategy.sharing, "shuffle": str(self.shuffle),
                "seed of set_random_seed": str(last_seed()), "initial_epoch": str(self.initial_epoch),
                "arguments of the optimizer": to_json(serialize(self.model.optimizer)["config"])}

    def _check_same_run(self, metadata, run, training):
        """Raise ModelFileError if the file is of another run."""
        _, now = model_state(self.model)
        compiled, saved = json.loads(now["training"])["compile"], run.get("of", {})
        for what, here, there in (
                ("layers", _without_names(json.loads(now["architecture"])["layers"]),
                 _without_names(file_format.parse(metadata["architecture"])["layers"])),
                *((what, _without_names(compiled[what]), _without_names(training["compile"][what]))
                  for what in ("optimizer", "loss", "metrics", "weighted_metrics")),
                *((what, here, saved.get(what, here)) for what, here in self.identity.items())):
            if here != there and here != to_json(training["compile"]["optimizer"]["config"]):   # of a fit that goes on
                if isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
                    here, there = next(pair for pair in zip(here, there) if pair[0] != pair[1])
                raise ModelFileError(f"It is the backup of a run with other {what}: {str(there)[:200]} there, "
                                     f"{str(here)[:200]} here. Use another folder, or remove this one to start again.")

    def _prepare(self, run, arrays):
        """A function that assigns the rest of the state.  Raises an error if it does not fit."""
        counters = [run[name] for name in ("epoch", "batch", "seen", "position", "has_gauss", "place")]
        if not all(type(n) is int and 0 <= n < 2**53 for n in counters) or run["position"] > 624:   # numbers of MT19937
            raise ModelFileError("Corrupt checkpoint: counters must be non-negative integers, position at most 624.")
        state = ("MT19937", arrays["run/random"], run["position"], run["has_gauss"], float(arrays["run/gauss"]))
        np.random.RandomState().set_state(state)       # raises an error if it is not a state
        if arrays["run/sums"].shape != self.means.sums.shape:
            raise ModelFileError("Corrupt checkpoint: the sums of the metrics have another shape.")
        order = arrays.get("run/order")
        if order is not None and not np.array_equal(np.sort(order), np.arange(self.data.length)):
            raise ModelFileError("Corrupt checkpoint: the order of the samples is not a permutation.")
        if run["batch"] > max(self.data.steps, 1) or run["batch"] and not self.can_resume_batches:
            raise ModelFileError("Corrupt checkpoint: it ends after a batch that this data does not have.")
        names, epochs, stop = run["history"], arrays["run/epochs"].tolist(), run["stop"] is True
        values = {name: arrays[f"history/{name}"].tolist() for name in names}
        epochs_of = {name: arrays[f"epochs of/{name}"].tolist() for name in names}
        attributes = [(callback, name, _from_arrays(f"callback {i}/{name}", arrays))
                      for i, callback in enumerate(self.callbacks) for name in callback.state_attributes]

        def assign():
            np.random.set_state(state)
            self.epoch = run["epoch"]
            self.means.batches, self.means.samples = run["batch"], run["seen"]
            self.means.sums[...] = xp.asarray(arrays["run/sums"])
            self.data.iterator_state, self.data.start = (order, run["place"]), run["batch"]
            self.history.epoch, self.history.history = epochs, values
            self.history.epochs_of = epochs_of
            self.model.stop_training = stop
            for callback, name, value in attributes:
                setattr(callback, name, value)
        return assign


def _without_names(config):
    """A config without names, whose numbers count on in a process, and without the rate, which training may change."""
    if isinstance(config, dict):
        return {key: _without_names(value) for key, value in config.items() if key not in (
            "name", "learning_rate", "inbound_nodes")}
    return [_without_names(item) for item in config] if isinstance(config, list) else config


def _to_arrays(name, value) -> dict[str, Any]:
    """An attribute of a callback as arrays: a number, None, or a list of arrays."""
    if value is None:
        return {}
    if isinstance(value, list):
        return {f"{name}/{i}": np.asarray(item) for i, item in enumerate(value)} | {
            f"{name}/length": np.array(len(value))}
    return {name: np.asarray(value)}


def _from_arrays(name, arrays):
    if name in arrays:
        return arrays[name].item()
    if f"{name}/length" not in arrays:
        return None
    return [np.array(arrays[f"{name}/{i}"]) for i in range(int(arrays[f"{name}/length"]))]
