"""Files of Keras: .h5 of Keras 2.3.1, read and written, and .keras and .weights.h5 of Keras 3, read.

HDF5 and zip can do far more than hold arrays, and that has been used to read other files and to fill the memory; here
only plain arrays and groups inside the file itself are taken.  It must not know how a model is built.
Source: keras/engine/saving.py of Keras 2.3.1; keras/src/saving/saving_lib.py of Keras 3.15.
"""
from __future__ import annotations

import io
import json
import math
import os
import re
from typing import Any

import numpy as np

from tinynet.backend import to_numpy
from tinynet.serialization.layout import LONGEST_HEADER, ModelFileError, parse

__all__ = ["decode_model", "decode_weights", "encode_model", "encode_weights", "is_hdf5_name", "is_keras"]

HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"


def is_hdf5_name(path) -> bool:
    """Whether a file of this name is to be written for Keras 2.3.1.  Raises ValueError for Keras 3's own ending.

    >>> is_hdf5_name("model.h5"), is_hdf5_name("model.safetensors")
    (True, False)
    """
    name = os.fspath(path)
    if name.endswith(".keras"):
        raise ValueError(f"tinynet does not write Keras 3's own format, as the name {name} promises. Keras 3 reads "
                         "weights from a name that ends in .h5; for tinynet itself use .safetensors.")
    return name.endswith((".h5", ".hdf5"))


def is_keras(raw) -> bool:
    """Whether a file is one of Keras's."""
    return raw[:8] == HDF5 or raw[:4] == ZIP


# Writing


def encode_weights(model) -> bytes:
    """The weights as Keras 2.3.1's `load_weights` reads them."""
    return _written(lambda file: _write_layers(file, model))


def encode_model(model, architecture, compiled) -> bytes:
    """Layers (their JSON), weights and how it was compiled, if it was, as Keras 2.3.1's `load_model` reads them."""
    def write(file):
        file.attrs["model_config"] = architecture.encode()
        if compiled:
            training = {"sample_weight_mode": None, "loss_weights": None} | compiled
            training["optimizer_config"] = training.pop("optimizer")
            file.attrs["training_config"] = json.dumps(training).encode()
        _write_layers(file.create_group("model_weights"), model)
    return _written(write)


def _written(write) -> bytes:
    memory = io.BytesIO()
    with _h5py().File(memory, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = b"2.3.1", b"tensorflow"
        write(file)
    return memory.getvalue()


def _write_layers(group, model):
    group.attrs["keras_version"], group.attrs["backend"] = b"2.3.1", b"tensorflow"
    group.attrs["layer_names"] = np.array([layer.name.encode() for layer in model.layers], "S")
    for layer in model.layers:
        inside = group.create_group(layer.name)
        inside.attrs["weight_names"] = np.array([p.name.encode() for p in layer.parameters], "S")
        for p in layer.parameters:
            inside.create_dataset(p.name, data=to_numpy(p.value))


# Reading


def decode_weights(raw, model) -> list[tuple[str, list[np.ndarray]]]:
    """[(layer's name, its arrays)] of a file; of Keras 3's, which numbers layers by class, those of the model's."""
    if raw[:4] == ZIP:
        raw = _members(raw)["model.weights.h5"]
    with _opened(raw) as file:
        if "layers" in file and "layer_names" not in file.attrs:
            return _of_keras3(_Reader(file, raw), [type(layer).__name__ for layer in model.layers],
                              [layer.name for layer in model.layers])
        return _of_keras2(_Reader(file, raw))


def decode_model(raw) -> tuple[dict, dict | None, list[np.ndarray]]:
    """(config, how it was compiled or None, all arrays in order) of a file."""
    if raw[:4] == ZIP:
        members = _members(raw)
        config = _of_sequential(parse(members["config.json"].decode("utf-8", errors="replace")))
        layers = [_translated(layer) for layer in config["layers"]]
        real = [layer for layer in layers if layer["class_name"] != "InputLayer"]
        with _opened(members["model.weights.h5"]) as file:
            found = _of_keras3(_Reader(file, members["model.weights.h5"]), [layer["class_name"] for layer in real],
                               [layer["config"].get("name") for layer in real])
        # How Keras 3 compiles is left out: its RMSprop, for one, is another formula.
        return ({"name": config.get("name"), "layers": layers, "build_input_shape": config.get("build_input_shape")},
                None, [array for _, arrays in found for array in arrays])
    with _opened(raw) as file:
        reader = _Reader(file, raw)
        if "model_config" not in file.attrs:
            raise ModelFileError("The file holds weights alone. Build the model and call model.load_weights.")
        config = _of_sequential(parse(reader.text(file, "model_config")))
        compiled = parse(reader.text(file, "training_config")) if "training_config" in file.attrs else None
        if compiled is not None:
            compiled["optimizer"] = compiled.pop("optimizer_config")
        return config, compiled, [array for _, arrays in _of_keras2(reader) for array in arrays]


def _of_sequential(data) -> dict:
    if data.get("class_name") != "Sequential":
        raise ModelFileError(f"It holds a {data.get('class_name')}, and tinynet reads Sequential models.")
    config = data["config"]
    return {"layers": config} if isinstance(config, list) else config


def _of_keras2(reader):
    group = reader.file
    if "layer_names" not in group.attrs:
        group = reader.child(group, "model_weights")
    layers = []
    for name in reader.names(group, "layer_names"):
        inside = reader.child(group, name)
        layers.append((name, [reader.array(inside, weight) for weight in reader.names(inside, "weight_names")]))
    return layers


def _of_keras3(reader, class_names, layer_names):
    """Keras 3 keeps the arrays of the second Dense in layers/dense_1/vars/0, 1 ..., whatever the layer's own name."""
    layers: list = []
    seen: dict[str, int] = {}
    everything = reader.child(reader.file, "layers")
    for class_name, layer_name in zip(class_names, layer_names):
        words = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", class_name)
        key = re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
        seen[key] = seen.get(key, -1) + 1
        key = f"{key}_{seen[key]}" if seen[key] else key
        arrays: list = []
        if key in everything and "vars" in reader.child(everything, key):
            inside = reader.child(reader.child(everything, key), "vars")
            arrays = [reader.array(inside, str(i)) for i in range(len(inside))]
        layers.append((layer_name, arrays))
    return layers


class _Reader:
    """Groups and arrays of an HDF5 file, but none that lies elsewhere or says that it is longer than the file."""

    def __init__(self, file, raw):
        self.file, self.longest, self.h5py = file, len(raw), _h5py()

    def child(self, group, path):
        for name in path.split("/"):
            link = group.get(name, getlink=True) if isinstance(group, self.h5py.Group) and name else None
            if not isinstance(link, self.h5py.HardLink):
                raise ModelFileError(f"{path[:80]!r} is missing, or a link to somewhere else.")
            group = group[name]
        return group

    def array(self, group, path) -> np.ndarray:
        data = self.child(group, path)
        if not isinstance(data, self.h5py.Dataset) or data.is_virtual or data.external or data.shape is None:
            raise ModelFileError(f"{path[:80]!r} is no array inside the file.")
        if data.dtype.kind not in "fiu" or math.prod(data.shape) * data.dtype.itemsize > self.longest:
            raise ModelFileError(f"{path[:80]!r} claims to hold {data.dtype} {data.shape}, more than the file does.")
        return np.array(data)

    def names(self, group, attribute) -> list[str]:
        self._check(group, attribute)
        names = np.atleast_1d(group.attrs[attribute]).tolist()
        return [name.decode() if isinstance(name, bytes) else str(name) for name in names]

    def text(self, group, attribute) -> str:
        self._check(group, attribute)
        text = group.attrs[attribute]
        return text.decode() if isinstance(text, bytes) else str(text)

    def _check(self, group, attribute):
        kind = group.attrs.get_id(attribute) if attribute in group.attrs else None
        if kind is None or math.prod(kind.shape or ()) * kind.dtype.itemsize > min(self.longest, LONGEST_HEADER):
            raise ModelFileError(f"{attribute} is missing or too long.")


def _members(raw) -> dict[str, bytes]:
    """What a .keras file holds; nothing in it may be packed, as Keras packs nothing."""
    import zipfile      # seldom needed, and `import tinynet` is to be quick
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = {}
            for name, longest in (("config.json", LONGEST_HEADER), ("model.weights.h5", len(raw))):
                info = archive.getinfo(name)
                if info.compress_type != zipfile.ZIP_STORED or info.file_size > longest or info.flag_bits & 1:
                    raise ModelFileError(f"{name} in it is packed, or says that it is longer than it can be.")
                members[name] = archive.read(info)
            return members
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ModelFileError(f"It is no .keras file: {error}") from None


def _opened(raw):
    try:
        return _h5py().File(io.BytesIO(raw), "r")
    except OSError as error:
        raise ModelFileError(f"It is no HDF5 file that can be read: {error}") from None


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise ImportError("Files of Keras need h5py. Install it with: "
                          'python -m pip install "tinynet[keras]".') from None
    return h5py


# Keras 3's names


RENAMED = {"GlorotUniform": "glorot_uniform", "GlorotNormal": "glorot_normal", "HeUniform": "he_uniform",
           "HeNormal": "he_normal", "LecunUniform": "lecun_uniform", "LecunNormal": "lecun_normal", "L1": "L1L2",
           "L2": "L1L2"}
UNUSED = ("dtype", "renorm_momentum")
KEPT = ("trainable", "use_bias", "center", "scale")     # where False says something


def _translated(thing):
    """A config of Keras 3 as one of Keras 2.3.1: without what is off or empty there, and classes by their old names."""
    if isinstance(thing, list):
        return [_translated(item) for item in thing]
    if not isinstance(thing, dict):
        return thing
    if "class_name" in thing and isinstance(thing.get("config"), dict):
        name = thing["class_name"]
        config = {key: _translated(value) for key, value in thing["config"].items()
                  if key not in UNUSED and not (value is None or value is False and key not in KEPT)}
        if "batch_shape" in config:
            config["batch_input_shape"] = config.pop("batch_shape")
        if name == "LeakyReLU" and "negative_slope" in config:
            config["alpha"] = config.pop("negative_slope")
        return {"class_name": RENAMED.get(name, name), "config": config}
    return {key: _translated(value) for key, value in thing.items()}
