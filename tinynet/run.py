"""Where a run of `fit` stands, and how to put a later one there: the same command goes on to the same bits.

It must not know when it is saved.
"""
from __future__ import annotations

import json
from typing import Any

import numpy as np

from tinynet import distributed
from tinynet.backend import xp
from tinynet.distributed.ranks import settings
from tinynet.random import global_state
from tinynet.saving import about, by_layer, model_state, plain, training_change, weights_change
from tinynet.serialization import atomic, layout
from tinynet.serialization.layout import ModelFileError

__all__ = ["Run"]


class Run:
    """Everything that decides how a run of `fit` goes on, beside the model and the samples themselves.

    epoch, means.batches: epochs and, in the one that is under way, batches that are done.
    resumed: whether it goes on from a file.
    """

    def __init__(self, model, data, means, history, callbacks, epoch):
        self.model, self.data, self.means, self.history, self.callbacks = model, data, means, history, callbacks
        self.epoch = epoch
        self.resumed = False

    @property
    def exact_batches(self) -> bool:
        """Whether it can go on in the middle of an epoch: the samples are arrays, no generator."""
        return self.data.samples is not None

    def save(self, path):
        """Write everything into a file, which `load_model` reads, too.  Raises OSError if it cannot be written."""
        arrays, words = model_state(self.model)
        _, keys, position, has_gauss, gauss = global_state()
        arrays |= {"run/random": keys, "run/gauss": np.array(gauss), "run/sums": self.means.all_sums()}
        order, place = self.data.place
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
            for name in callback.kept:
                arrays |= _as_arrays(f"callback {i}/{name}", getattr(callback, name))
        run = {"epoch": self.epoch, "place": int(place), "batch": self.means.batches, "seen": self.means.samples,
               "position": int(position), "has_gauss": int(has_gauss), "stop": bool(self.model.stop_training),
               "history": list(self.history.history), "data": self._data_mark(), "callbacks": self._callback_mark(),
               "shards": self._shards_mark()}
        atomic.write(path, layout.encode(arrays, words | {"run": plain(run)}))

    def restore(self, path):
        """Put model, history, callbacks and random streams where the file says.

        Raises ModelFileError, and changes nothing, for a damaged file, or one of another model, data or callbacks.
        """
        raw = layout.read(path)
        with about(path):
            arrays, words = layout.decode(raw)
            if "run" not in words or "training" not in words:
                raise ModelFileError("It is no backup of a run of fit.")
            run, training = layout.parse(words["run"]), layout.parse(words["training"])
            self._check_same(words, run, training)
            changes = [training_change(self.model, words, arrays),
                       weights_change(self.model, by_layer(words, arrays)),
                       self._change(run, arrays)]
        for change in changes:
            change()
        self.resumed = True

    def report_lost(self, batch, loss):
        """Raise FloatingPointError for a loss that is not finite, which names the first layer where that shows."""
        where = "No layer's output shows it: look at the loss and the targets."
        for link in self.model.chain:
            y = link._buffers.get("y")
            if y is not None and not bool(xp.isfinite(y).all()):
                where = f"The output of {link.name} is the first that is not finite."
                break
        rate = float(self.model.optimizer.lr)
        raise FloatingPointError(
            f"The loss is {float(loss)} in batch {batch + 1} of epoch {self.epoch + 1}. {where} Likely cures: a lower "
            f"learning_rate than {rate:g}; clipnorm=1.0 in the optimizer; inputs between 0 and 1. Files of earlier "
            "epochs are as they were. With callbacks=[TerminateOnNaN()] training ends without this error.")

    def _check_same(self, words, run, training):
        """Raise ModelFileError where the file's run was another one than this."""
        _, now = model_state(self.model)
        ours = json.loads(now["training"])["compile"]
        for what, here, there in (
                ("layers", _nameless(json.loads(now["architecture"])["layers"]),
                 _nameless(layout.parse(words["architecture"])["layers"])),
                *((what, _nameless(ours[what]), _nameless(training["compile"][what]))
                  for what in ("optimizer", "loss", "metrics", "weighted_metrics")),
                ("data", self._data_mark(), run["data"]),
                ("callbacks", self._callback_mark(), run["callbacks"]),
                ("ways of sharing batches (distributed.init)", self._shards_mark(), run.get("shards", "none"))):
            if here != there:
                if isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
                    here, there = next(pair for pair in zip(here, there) if pair[0] != pair[1])
                raise ModelFileError(f"It is the backup of a run with other {what}: {str(there)[:200]} there, "
                                     f"{str(here)[:200]} here. Name another folder, or remove it to begin anew.")

    def _change(self, run, arrays):
        """A function that puts the rest where it was.  Raises an error if it does not fit."""
        counts = [run[name] for name in ("epoch", "batch", "seen", "position", "has_gauss", "place")]
        if not all(type(count) is int and 0 <= count < 2**53 for count in counts):
            raise ModelFileError("Its counts are no counts.")
        state = ("MT19937", arrays["run/random"], run["position"], run["has_gauss"], float(arrays["run/gauss"]))
        np.random.RandomState().set_state(state)       # raises for what is none
        if arrays["run/sums"].shape != self.means.sums.shape:
            raise ModelFileError("The sums of its metrics do not fit.")
        order = arrays.get("run/order")
        if order is not None and not np.array_equal(np.sort(order), np.arange(self.data.length)):
            raise ModelFileError("The order of its samples is none.")
        if run["batch"] >= max(self.data.steps, 1) + 1 or run["batch"] and not self.exact_batches:
            raise ModelFileError("It ends in the middle of an epoch that this data does not have.")
        names = run["history"]
        values = {name: arrays[f"history/{name}"].tolist() for name in names}
        epochs_of = {name: arrays[f"epochs of/{name}"].tolist() for name in names}
        kept = [(callback, name, _from_arrays(f"callback {i}/{name}", arrays))
                for i, callback in enumerate(self.callbacks) for name in callback.kept]

        def change():
            np.random.set_state(state)
            self.epoch = run["epoch"]
            self.means.batches, self.means.samples = run["batch"], run["seen"]
            self.means.sums[...] = xp.asarray(arrays["run/sums"])
            self.data.place = order, run["place"]
            self.history.epoch, self.history.history = arrays["run/epochs"].tolist(), values
            self.history.epochs_of = epochs_of
            self.model.stop_training = run["stop"] is True
            for callback, name, value in kept:
                setattr(callback, name, value)
        return change

    def _data_mark(self):
        return [self.data.samples, getattr(self.data, "batch_size", None)]

    @staticmethod
    def _shards_mark():
        if not distributed.active():
            return "none"
        return f"{settings().shards} shards" + (" in any order" if not settings().deterministic else "")

    def _callback_mark(self):
        return [type(callback).__name__ for callback in self.callbacks]


def _nameless(config):
    """A config without names, which count on when a thing is made again, and without the rate, which training moves."""
    if isinstance(config, dict):
        return {key: _nameless(value) for key, value in config.items() if key not in ("name", "learning_rate")}
    return [_nameless(item) for item in config] if isinstance(config, list) else config


def _as_arrays(name, value) -> dict[str, Any]:
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
