"""Save and load models: their layers as plain data, their weights, and the state of their training."""
from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tinynet import backend, losses
from tinynet.backend import to_numpy, xp
from tinynet.random import MaskStream, seeds_of_a_copy
from tinynet.registry import CustomObjectScope, class_name, serialize
from tinynet.saving import file_format, keras_format
from tinynet.saving.file_format import ModelFileError
from tinynet.types import Any, Function, Objects, Path
from tinynet.validation import check_built


def save(model: Any, filepath: Path, overwrite: bool = True, include_optimizer: bool = True) -> None:
    """Save layers, weights and the state of training to a file, for `load_model`.

    The file has the format of safetensors, whatever its name, so other tools can read the arrays. A name that ends in
    .h5 selects Keras 2.3.1's format, without the optimizer's state; it needs h5py. The file is written atomically, and
    is on the disk when this returns. In distributed training every rank calls this.

    Raises OSError, with an earlier file unchanged, if it cannot be written; FileExistsError if it exists and overwrite
    is False; ValueError for a layer whose config is not plain data; FloatingPointError if a weight is NaN or infinite.
    """
    arrays, metadata = model_state(model, include_optimizer)
    check_finite(arrays, f"in {model.name}, which was not saved", model)
    if keras_format.is_hdf5_name(filepath):
        architecture = to_json({"class_name": class_name(model), "config": model.get_config()})
        data = keras_format.encode_model(model, architecture, compile_config(model))
    else:
        data = file_format.encode(arrays, metadata)
    model.strategy.write(filepath, data, overwrite)


def save_weights(model: Any, filepath: Path, overwrite: bool = True) -> None:
    """Save the weights alone; a name that ends in .h5 selects Keras 2.3.1's format.  Raises like `save`."""
    names, arrays = named_weights(model)
    check_finite(arrays, f"in {model.name}, which was not saved", model)
    if keras_format.is_hdf5_name(filepath):
        data = keras_format.encode_weights(model)
    else:
        data = file_format.encode(arrays, {"weights": json.dumps(names)})
    model.strategy.write(filepath, data, overwrite)


def load_weights(model: Any, filepath: Path, by_name: bool = False) -> None:
    """Load the weights of a file of `save` or `save_weights`, or of Keras 2.3.1 or 3.

    They are assigned to the layers in order; with by_name to the layers of the same names only.

    Raises ModelFileError, and changes nothing, for a damaged file, or one whose shapes are not the model's.
    """
    check_built(model)
    raw = model.strategy.read(filepath)
    with errors_of(filepath):
        if keras_format.is_keras(raw):
            layers = keras_format.decode_weights(raw, model)
        else:
            arrays, metadata = file_format.decode(raw)
            layers = weights_by_layer(metadata, arrays)
        assign = prepare_weights(model, layers, by_name)
    assign()


def load(model_class: Any, filepath: Path, custom_objects: Objects = None,
         compile: bool = True) -> Any:
    """A `model_class`, Sequential, of a file.

    Raises ModelFileError. Nothing in the file is executed; only layers of tinynet and custom objects are made.
    """
    raw = model_class.strategy.read(filepath)
    with errors_of(filepath), CustomObjectScope(custom_objects):
        if keras_format.is_keras(raw):
            config, compiled, layers = keras_format.decode_model(raw)
            del raw
            return _made(model_class, config, layers, compiled if compile else None)
        arrays, metadata = file_format.decode(raw)
        del raw
        if "architecture" not in metadata:
            raise ModelFileError("The file holds weights alone. Build the model and call model.load_weights.")
        training = file_format.parse(metadata["training"]) if compile and "training" in metadata else None
        model = _made(model_class, file_format.parse(metadata["architecture"]), weights_by_layer(metadata, arrays),
                      training and training["compile"])
        prepare_training(model, metadata, arrays if training else None)()
        return model


def _made(model_class, config, layers, compiled):
    """A model of this config, with the weights of [(name of a layer, arrays)]."""
    left = [array for _, arrays in layers for array in arrays]
    floats = left[0].dtype.name if left and left[0].dtype in (np.float32, np.float64) else backend.floatx()
    with backend.local_floatx(floats), seeds_of_a_copy():       # other threads may train at the same time
        model = model_class.from_config(config, saved_weight=functools.partial(_saved_weight, left))
        prepare_weights(model, layers)()
        if compiled is not None:
            model.trainable = bool(compiled.get("trainable", True))
            model.compile(compiled["optimizer"], compiled["loss"], metrics=compiled.get("metrics"),
                          weighted_metrics=compiled.get("weighted_metrics"))
        return model


def _saved_weight(left, layer, shape):
    """The next array of this shape of those left, for a new weight of a layer: so nothing is drawn and thrown away."""
    for i, array in enumerate(left):
        if array.shape == shape and array.dtype.kind in "fiub":
            return left.pop(i)
    raise ModelFileError(f"It has no weight of shape {shape} for {layer.name}, which needs one.")


# What a file holds


def model_state(model: Any, with_optimizer: bool = True) -> tuple[Any, ...]:
    """(arrays, metadata) of a model and the state of its training."""
    arrays, metadata = numbers_of(model, with_optimizer)
    metadata["architecture"] = to_json(model.get_config())
    if with_optimizer and model.optimizer is not None:
        metadata["training"] = to_json({"compile": compile_config(model) | {"trainable": model.trainable}})
    return arrays, metadata


def numbers_of(model: Any, with_optimizer: bool = True) -> tuple[Any, ...]:
    """(arrays, metadata) of all numbers of a model: weights, random streams, optimizer."""
    names, arrays = named_weights(model)
    streams = [[stream.seed, stream.step] for stream in mask_streams(model)]
    metadata = {"weights": json.dumps(names), "masks": json.dumps(streams)}
    if with_optimizer and model.optimizer is not None:
        arrays["optimizer/clock"] = to_numpy(model.optimizer.step_state)
        slots = [] if model.connected_stack is None else model.optimizer.bind(model.parameters)
        for name, slot in zip(model.optimizer.slot_names, slots):
            arrays[f"optimizer/{name}"] = to_numpy(slot)
    return arrays, metadata


def nonfinite(arrays: Any) -> str:
    """The name of the first array that holds NaN or infinity, "" if none does."""
    return next((name for name, a in arrays.items() if a.dtype.kind == "f" and not np.isfinite(a).all()), "")


def check_finite(arrays: Any, where: str, model: Any) -> None:
    """Raise FloatingPointError if an array holds NaN or infinity."""
    name = nonfinite(arrays)
    if name:
        rate = "" if model.optimizer is None else f" than {float(model.optimizer.lr):g}"
        raise FloatingPointError(f"{name.split('/', 1)[-1]} holds NaN or infinity {where}. Likely cures: a lower "
                                 f"learning rate{rate}, clipnorm=1.0, data between -1 and 1. Files that were saved "
                                 "before are as they were.")


def compile_config(model: Any) -> dict[str, Any]:
    """The arguments of compile as plain data, {} before it.  Raises ValueError for a loss that has no config."""
    if model.optimizer is None:
        return {}
    loss, (metrics, weighted) = model.loss, model._metric_names
    if type(loss) is losses.Loss and (loss.arguments or loss.reduction == losses.Reduction.SUM):
        raise ValueError(f"{loss!r} has arguments that a file could not hold. Use a class instead, such as "
                         "losses.Huber(delta=0.5) or losses.MeanSquaredError(reduction='sum').")
    return {"optimizer": serialize(model.optimizer), "loss": losses.serialize(loss), "metrics": serialize(metrics),
            "weighted_metrics": serialize(weighted)}


def to_json(data: Any) -> str:
    """Plain data as JSON.  Raises ValueError for anything else."""
    try:
        return json.dumps(data, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"A config must be plain data, numbers, texts, lists and dicts, to be saved: {error}. Let "
                         "get_config of your own class return such, and build it from that.") from None


def mask_streams(model: Any) -> list[MaskStream]:
    """The random streams of the layers that have one."""
    return [layer.masks for layer in model.flat_stack() if isinstance(getattr(layer, "masks", None), MaskStream)]


def named_weights(model: Any) -> tuple[Any, ...]:
    """[(name of a layer, names of its parameters)], and {"weights/" + name: value}."""
    layers = [layer for layer in model.layers if layer.parameters]
    names, arrays = [(layer.name, list[str]()) for layer in layers], dict[str, np.ndarray]()
    for layer, (_, own_names) in zip(layers, names):
        for p in layer.parameters:
            name, count = f"weights/{p.name}", 1
            while name in arrays:       # a layer of one's own may use a name twice
                name, count = f"weights/{p.name}#{count + 1}", count + 1
            own_names.append(name)
            arrays[name] = to_numpy(p.value)
    return names, arrays


# What a model takes from a file, in two steps: everything is checked before anything is changed


def weights_by_layer(metadata: dict[str, Any], arrays: Any) -> list[tuple[str, list[np.ndarray]]]:
    """[(name of a layer, its arrays)] in the order of the layers.  Raises ModelFileError if one is missing."""
    layers = file_format.parse(metadata.get("weights", "null"))
    if not isinstance(layers, list) or not all(
            isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], list)
            and all(isinstance(name, str) and name in arrays for name in pair[1]) for pair in layers):
        raise ModelFileError("The file does not list its weights.")
    names = [name for _, own_names in layers for name in own_names]
    if len(set(names)) < len(names):
        raise ModelFileError("The file gives one array to several weights.")
    return [(layer, [arrays[name] for name in names]) for layer, names in layers]


def prepare_weights(model: Any, layers: Any, by_name: bool = False) -> Function:
    """A function that assigns the weights of [(name of a layer, arrays)] to a model.

    Raises ModelFileError if they do not fit.
    """
    own = [layer for layer in model.layers if layer.parameters]
    if by_name:
        found = dict(layers)
        pairs = [(layer, found[layer.name]) for layer in own if layer.name in found]
        if not pairs:
            raise ModelFileError(f"No layer of the model has the name of one in the file: {', '.join(found)}.")
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

    def assign():
        for p, array in checked:
            p.value = array
    return assign


def prepare_training(model: Any, metadata: dict[str, Any], arrays: Any) -> Function:
    """A function that assigns the steps of the random streams and, with arrays, the state of the optimizer.

    Raises ModelFileError if they do not fit.
    """
    optimizer, streams, saved = model.optimizer, mask_streams(model), file_format.parse(metadata.get("masks", "null"))
    if not isinstance(saved, list) or len(saved) != len(streams) or not all(
            isinstance(pair, list) and len(pair) == 2 and all(type(n) is int and 0 <= n < 2**64 for n in pair)
            and pair[1] < 2**63 for pair in saved):
        raise ModelFileError("The random streams are not those of the model's layers.")

    state, slots = None, []
    if arrays is not None:
        state = arrays.get("optimizer/clock")
        slots = [arrays[f"optimizer/{name}"] for name in optimizer.slot_names if f"optimizer/{name}" in arrays]
        if slots and (len(slots) != len(optimizer.slot_names) or any(
                (s.shape, s.dtype) != (p.shape, p.dtype) for p in [model.parameters.value] for s in slots)):
            raise ModelFileError("The optimizer's slots do not fit the model's weights.")
        if state is None or (state.shape, state.dtype) != (optimizer.step_state.shape, np.float64) or (
                not np.isfinite(state).all()):
            raise ModelFileError("The optimizer's step state is missing.")

    def assign():
        for stream, (seed, step) in zip(streams, saved):
            stream.seed, stream.step = seed, step
        if slots:
            for slot, numbers in zip(optimizer.bind(model.parameters), slots):
                slot[...] = xp.asarray(numbers)
        if state is not None:
            optimizer.step_state[...] = xp.asarray(state)
    return assign


@contextmanager
def errors_of(path: Path) -> Iterator[Any]:
    """Every error caused by the contents of a file becomes a ModelFileError that names the file."""
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)}: {error}") from None
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, MemoryError,
            OSError) as error:      # the last are those of the HDF5 library; the file has been read before
        raise ModelFileError(f"{os.fspath(path)} describes no model that tinynet can build: {error} Pass classes and "
                             "functions of your own as custom_objects={'name': object}.") from error
