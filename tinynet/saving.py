"""A model as a file and back: its layers as plain data, its weights, and what training needs to go on.

It must not know how a file is laid out or written.
"""
from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinynet import backend, losses
from tinynet.backend import to_numpy, xp
from tinynet.parameters import given
from tinynet.random import MaskStream
from tinynet.registry import CustomObjectScope, serialize
from tinynet.serialization import atomic, keras_files, layout
from tinynet.serialization.layout import ModelFileError

__all__ = ["Saving", "about", "by_layer", "load", "mask_streams", "model_state", "numbers_of", "plain",
           "training_change", "weights_change"]


class Saving:
    """What a model does with files."""

    def save(self: Any, filepath, overwrite=True, include_optimizer=True):
        """Write layers, weights and the state of training into a file, for `load_model`.

        The file has the layout of safetensors, whatever its name, so other tools can read the arrays; a name that ends
        in .h5 gets Keras 2.3.1's layout, without the optimizer's state, and needs h5py.  It is written whole or not at
        all, and is on the disk when this returns.  Where training is distributed every rank calls this.

        Raises OSError, with an earlier file as it was, when it cannot be written; FileExistsError when there is one and
        overwrite is False; ValueError for a layer whose config is not plain data.
        """
        if keras_files.is_hdf5_name(filepath):
            architecture = plain({"class_name": type(self).__name__, "config": self.get_config()})
            raw = keras_files.encode_model(self, architecture, compiled(self))
        else:
            raw = layout.encode(*model_state(self, include_optimizer))
        atomic.write(filepath, raw, overwrite)

    def save_weights(self: Any, filepath, overwrite=True):
        """Write the weights alone; a name that ends in .h5 gets Keras 2.3.1's layout.  Raises like `save`."""
        if keras_files.is_hdf5_name(filepath):
            raw = keras_files.encode_weights(self)
        else:
            names, arrays = named_weights(self)
            raw = layout.encode(arrays, {"weights": json.dumps(names)})
        atomic.write(filepath, raw, overwrite)

    def load_weights(self: Any, filepath, by_name=False):
        """Let the model have the weights of a file, of `save` or `save_weights`, or of Keras 2.3.1 or 3.

        They go to the layers in order; with by_name to the layers of the same names, and other layers stay.

        Raises ModelFileError, and changes nothing, for a damaged file, or one whose shapes are not the model's.
        """
        if not self.built:
            raise ValueError(f"{self.name} has no weights yet. Build it first: model.build((None, D)).")
        raw = layout.read(filepath)
        with about(filepath):
            if keras_files.is_keras(raw):
                layers = keras_files.decode_weights(raw, self)
            else:
                arrays, words = layout.decode(raw)
                layers = by_layer(words, arrays)
            change_weights = weights_change(self, layers, by_name)
        change_weights()


def load(filepath, make, custom_objects=None, compile=True):
    """The model of a file; `make(config)` builds a Sequential from a config.

    Raises ModelFileError; nothing that the file says is run, only layers that tinynet knows or the caller hands over.
    """
    raw = layout.read(filepath)
    with about(filepath), CustomObjectScope(custom_objects):
        if keras_files.is_keras(raw):
            config, how, weights = keras_files.decode_model(raw)
            return _made(make, config, weights, how if compile else None)
        arrays, words = layout.decode(raw)
        if "architecture" not in words:
            raise ModelFileError("The file holds weights alone. Build the model and call model.load_weights.")
        weights = [array for _, own in by_layer(words, arrays) for array in own]
        training = layout.parse(words["training"]) if compile and "training" in words else None
        model = _made(make, layout.parse(words["architecture"]), weights, training and training["compile"])
        training_change(model, words, arrays if training else None)()
        return model


def _made(make, config, arrays, how):
    """A model of this config, whose weights are these arrays, in their order."""
    floatx, state = backend.floatx(), np.random.get_state()
    try:
        if arrays and arrays[0].dtype in (np.float32, np.float64):
            backend.set_floatx(arrays[0].dtype.name)
        with given(arrays):
            model = make(config)
        if how is not None:
            model.trainable = bool(how.get("trainable", True))
            model.compile(how["optimizer"], how["loss"], metrics=how.get("metrics"),
                          weighted_metrics=how.get("weighted_metrics"))
        return model
    finally:
        backend.set_floatx(floatx)
        np.random.set_state(state)      # layers with masks have drawn seeds


def model_state(model, with_optimizer=True):
    """(arrays, texts) that say everything about a model and the state of its training."""
    arrays, words = numbers_of(model, with_optimizer)
    words["architecture"] = plain(model.get_config())
    if with_optimizer and model.optimizer is not None:
        words["training"] = plain({"compile": compiled(model) | {"trainable": model.trainable}})
    return arrays, words


def numbers_of(model, with_optimizer=True):
    """(arrays, texts) that say all numbers of a model and the state of its training: not what it is made of."""
    names, arrays = named_weights(model)
    masks = [[masks.seed, masks.step] for masks in mask_streams(model)]
    words = {"weights": json.dumps(names), "masks": json.dumps(masks)}
    if with_optimizer and model.optimizer is not None:
        arrays["optimizer/clock"] = to_numpy(model.optimizer.clock)
        for name, slot in zip(model.optimizer.slot_names, model.optimizer.slots):
            arrays[f"optimizer/{name}"] = to_numpy(slot)
    return arrays, words


def compiled(model) -> dict[str, Any]:
    """How a model was compiled, as plain data; empty if it was not.  Raises ValueError for a loss that is none."""
    if model.optimizer is None:
        return {}
    loss, (metrics, weighted) = model._loss, model._metric_names
    if type(loss) is losses.Loss and (loss.arguments or loss.reduction != "sum_over_batch_size"):
        raise ValueError(f"{loss!r} has arguments that a file could not hold. Use a class instead, such as "
                         "losses.Huber(delta=0.5) or losses.MeanSquaredError(reduction='sum').")
    return {"optimizer": serialize(model.optimizer), "loss": losses.serialize(loss), "metrics": serialize(metrics),
            "weighted_metrics": serialize(weighted)}


def plain(data) -> str:
    """Plain data as JSON.  Raises ValueError for what is none."""
    try:
        return json.dumps(data, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"A config must be plain data, numbers, texts, lists and dicts, to be saved: {error}. Let "
                         "get_config of your own class return such, and build it from that.") from None


def mask_streams(model) -> list[MaskStream]:
    """The masks of each layer that draws random numbers."""
    return [layer.masks for layer in model.layers if isinstance(getattr(layer, "masks", None), MaskStream)]


def named_weights(model):
    """[(layer's name, the names of its parameters)], and {"weights/" + name: value}."""
    names: list = []
    arrays: dict[str, np.ndarray] = {}
    for layer in (layer for layer in model.layers if layer.parameters):
        names.append((layer.name, []))
        for p in layer.parameters:
            name, twins = f"weights/{p.name}", 1
            while name in arrays:       # a layer of one's own may use a name twice
                twins += 1
                name = f"weights/{p.name}#{twins}"
            names[-1][1].append(name)
            arrays[name] = to_numpy(p.value)
    return names, arrays


def by_layer(words, arrays) -> list[tuple[str, list[np.ndarray]]]:
    """[(layer's name, its arrays)] in the order of the layers.  Raises ModelFileError unless each is there."""
    layers = layout.parse(words.get("weights", "null"))
    if not isinstance(layers, list) or not all(
            isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], list)
            and all(isinstance(name, str) and name in arrays for name in pair[1]) for pair in layers):
        raise ModelFileError("The file does not list its weights.")
    return [(layer, [arrays[name] for name in names]) for layer, names in layers]


def weights_change(model, layers, by_name=False):
    """A function that lets the model have the weights of [(layer's name, arrays)].

    Raises ModelFileError if they do not fit.
    """
    own = [layer for layer in model.layers if layer.parameters]
    if by_name:
        given = dict(layers)
        pairs = [(layer, given[layer.name]) for layer in own if layer.name in given]
        if not pairs:
            raise ModelFileError(f"No layer of the model has the name of one in the file: {', '.join(given)}.")
    else:
        layers = [(name, arrays) for name, arrays in layers if arrays]
        if len(layers) != len(own):
            raise ModelFileError(f"You are trying to load a weight file containing {len(layers)} layers into a model "
                                 f"with {len(own)} layers.")
        pairs = [(layer, arrays) for layer, (_, arrays) in zip(own, layers)]
    try:
        checked = [pair for layer, arrays in pairs for pair in zip(layer.parameters, layer.checked_weights(arrays))]
    except ValueError as error:
        raise ModelFileError(str(error)) from None

    def change():
        for p, array in checked:
            p.value = array
    return change


def training_change(model, words, arrays):
    """A function that lets the random streams stand where they stood, and with arrays the optimizer, too.

    Raises ModelFileError if they do not fit.
    """
    optimizer, streams, given = model.optimizer, mask_streams(model), layout.parse(words.get("masks", "null"))
    if not isinstance(given, list) or len(given) != len(streams) or not all(
            isinstance(pair, list) and len(pair) == 2 and all(type(n) is int and 0 <= n < 2**64 for n in pair)
            and pair[1] < 2**63 for pair in given):
        raise ModelFileError("The random streams are not those of the model's layers.")

    def change_masks():
        for masks, (seed, step) in zip(streams, given):
            masks.seed, masks.step = seed, step
    if arrays is None:
        return change_masks
    slots = [arrays[f"optimizer/{name}"] for name in optimizer.slot_names if f"optimizer/{name}" in arrays]
    size, dtype = model.parameters.value.shape, model.parameters.value.dtype
    if len(slots) not in (0, len(optimizer.slot_names)) or any((s.shape, s.dtype) != (size, dtype) for s in slots):
        raise ModelFileError("What the optimizer keeps does not fit the model's weights.")
    clock = arrays.get("optimizer/clock")
    if clock is None or (clock.shape, clock.dtype) != (optimizer.clock.shape, np.float64) or (
            not np.isfinite(clock).all()):
        raise ModelFileError("The optimizer's clock is missing.")

    def change():
        change_masks()
        optimizer.slots = [xp.array(slot) for slot in slots]
        optimizer.clock[...] = xp.asarray(clock)
    return change


@contextmanager
def about(path):
    """Any error of what a file says becomes a ModelFileError that names the file."""
    try:
        yield
    except ImportError:
        raise
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)}: {error}") from None
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, MemoryError,
            OSError) as error:      # the last are the HDF5 library's; the file has been read before
        raise ModelFileError(f"{os.fspath(path)} describes no model that tinynet can build: {error} Classes and "
                             "functions of your own are handed over as custom_objects={'name': object}.") from error
