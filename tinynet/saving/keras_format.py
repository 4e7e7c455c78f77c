"""Files of Keras: .h5 of Keras 2.3.1 (read and written), .keras and .weights.h5 of Keras 3 (read).

HDF5 and zip have features by which a file can read other files or fill the memory. Only plain arrays and groups inside
the file itself are accepted.
Source: keras/engine/saving.py of Keras 2.3.1; keras/src/saving/saving_lib.py of Keras 3.15.
"""
from __future__ import annotations

import io
import json
import math
import os
from collections import Counter

import numpy as np

from tinynet.backend import snake_case, to_numpy
from tinynet.saving.file_format import HDF5, LONGEST_HEADER, ZIP, ModelFileError, parse
from tinynet.types import Any, Path

# Endings that promise a format which tinynet does not write
OTHER_FORMATS = {".keras": "Keras 3's own format", ".onnx": "ONNX", ".pt": "PyTorch's format",
                 ".pth": "PyTorch's format", ".npz": "NumPy's format", ".npy": "NumPy's format",
                 ".pkl": "Python objects", ".json": "weights as JSON"}


def is_hdf5_name(path: Path) -> bool:
    """Whether a file of this name is in Keras 2.3.1's format.  Raises ValueError for a name that promises another one.

    >>> is_hdf5_name("model.h5"), is_hdf5_name("model.safetensors")
    (True, False)
    """
    name = os.fsdecode(path)
    other = OTHER_FORMATS.get(os.path.splitext(name)[1].lower())
    if other:
        raise ValueError(f"tinynet does not save {other}, as the name {name} promises. Use .safetensors, or .h5, from "
                         "which Keras 2.3.1 reads models and Keras 3 weights; model.export(path) writes ONNX, and "
                         "model.to_json() gives layers as JSON.")
    return name.endswith((".h5", ".hdf5"))


def is_keras(raw: bytes) -> bool:
    """Whether a file is one of Keras's."""
    return raw[:8] == HDF5 or raw[:4] == ZIP


# Writing


def encode_weights(model: Any) -> bytes:
    """The weights as Keras 2.3.1's `load_weights` reads them."""
    return _written(lambda file: _write_layers(file, model))


def encode_model(model: Any, architecture: str, compiled: dict[str, Any]) -> bytes:
    """Layers (as JSON), weights and the arguments of compile, as Keras 2.3.1's `load_model` reads them."""
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
        if set(layer.name.split("/")) & {"", ".", ".."}:
            raise ValueError(f"{layer.name!r} cannot be the name of a layer in a .h5 file. Rename it, or use "
                             ".safetensors.")
        inside = group.create_group(layer.name)
        inside.attrs["weight_names"] = np.array([p.name.encode() for p in layer.parameters], "S")
        for p in layer.parameters:
            inside.create_dataset(p.name, data=to_numpy(p.value))


# Reading


def decode_weights(raw: bytes, model: Any) -> list[tuple[str, list[np.ndarray]]]:
    """[(name of a layer, its arrays)] of a file; the layers of Keras 3, numbered by class, by those of the model."""
    if raw[:4] == ZIP:
        raw = _members(raw)["model.weights.h5"]
    with _opened(raw) as file:
        if "layers" in file and "layer_names" not in file.attrs:
            return _of_keras3(_Reader(file, raw), [(type(layer).__name__, layer.name) for layer in model.layers])
        return _of_keras2(_Reader(file, raw))


def decode_model(raw: bytes) -> tuple[dict, dict | None, list[tuple[str, list[np.ndarray]]]]:
    """(config, arguments of compile or None, [(name of a layer, its arrays)]) of a file."""
    if raw[:4] == ZIP:
        members = _members(raw)
        config = _of_sequential(parse(members["config.json"].decode("utf-8", errors="replace")))
        layers = [_translated(layer) for layer in config["layers"]]
        with _opened(members["model.weights.h5"]) as file:
            found = _of_keras3(_Reader(file, members["model.weights.h5"]), [
                (layer["class_name"], layer["config"].get("name")) for layer in layers
                if layer["class_name"] != "InputLayer"])
        # Without the arguments of compile: Keras 3's RMSprop, for example, is another formula.
        return ({"name": config.get("name"), "layers": layers, "build_input_shape": config.get("build_input_shape")},
                None, found)
    with _opened(raw) as file:
        reader = _Reader(file, raw)
        if "model_config" not in file.attrs:
            raise ModelFileError("The file holds weights alone. Build the model and call model.load_weights.")
        config = _of_sequential(parse(reader.text(file, "model_config")))
        compiled = parse(reader.text(file, "training_config")) if "training_config" in file.attrs else None
        if compiled is not None:
            compiled["optimizer"] = compiled.pop("optimizer_config")
        return config, compiled, _of_keras2(reader)


def _of_sequential(data) -> dict[Any, Any]:
    if data.get("class_name") not in ("Sequential", "Model"):
        raise ModelFileError(f"It holds a {data.get('class_name')}, and tinynet reads Sequential models and chains.")
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


def _of_keras3(reader, class_and_layer_names):
    """Keras 3 keeps the arrays of the second Dense in layers/dense_1/vars/0, 1 ..., whatever the layer's own name."""
    layers: list[Any] = []
    seen: Counter[str] = Counter()
    group = reader.child(reader.file, "layers")
    for class_name, layer_name in class_and_layer_names:
        key = snake_case(class_name)
        numbered = f"{key}_{seen[key]}" if seen[key] else key
        seen[key] += 1
        arrays: list[Any] = []
        if numbered in group and "vars" in reader.child(group, numbered):
            inside = reader.child(group, f"{numbered}/vars")
            arrays = [reader.array(inside, str(i)) for i in range(len(inside))]
        layers.append((layer_name, arrays))
    return layers


class _Reader:
    """Groups and arrays of an HDF5 file, except those that are stored elsewhere or claim to be longer than the file."""

    def __init__(self, file: Any, raw: bytes):
        self.file, self.longest, self.left, self.h5py = file, len(raw), len(raw), _h5py()

    def child(self, group: Any, path: str) -> Any:
        for name in path.split("/"):
            link = group.get(name, getlink=True) if isinstance(group, self.h5py.Group) and name else None
            if not isinstance(link, self.h5py.HardLink):
                raise ModelFileError(f"{path[:80]!r} is missing, or a link to somewhere else.")
            group = group[name]
        return group

    def array(self, group: Any, path: str) -> np.ndarray:
        data = self.child(group, path)
        if not isinstance(data, self.h5py.Dataset) or data.is_virtual or data.external or data.shape is None:
            raise ModelFileError(f"{path[:80]!r} is not an array inside the file.")
        self.left -= math.prod(data.shape) * data.dtype.itemsize
        if data.dtype.kind not in "fiu" or self.left < 0:       # one array may have many names
            raise ModelFileError(f"{path[:80]!r} declares {data.dtype} {data.shape}: together its arrays are larger "
                                 "than the file.")
        return np.array(data)

    def names(self, group: Any, attribute: str) -> list[str]:
        kind = group.attrs.get_id(attribute) if attribute in group.attrs else None
        if kind is None or math.prod(kind.shape or ()) * kind.dtype.itemsize > min(self.longest, LONGEST_HEADER):
            raise ModelFileError(f"{attribute} is missing or too long.")
        names = np.atleast_1d(group.attrs[attribute]).tolist()
        return [name.decode() if isinstance(name, bytes) else str(name) for name in names]

    def text(self, group: Any, attribute: str) -> str:
        return self.names(group, attribute)[0]


def _members(raw) -> dict[str, bytes]:
    """The members of a .keras file, which must not be compressed; Keras does not compress them."""
    import zipfile      # here, because it is seldom needed and slow to import
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = {}
            for name, longest in (("config.json", LONGEST_HEADER), ("model.weights.h5", len(raw))):
                info = archive.getinfo(name)
                if info.compress_type != zipfile.ZIP_STORED or info.file_size > longest or info.flag_bits & 1:
                    raise ModelFileError(f"{name} in it is compressed, or claims to be longer than the file.")
                members[name] = archive.read(info)
            return members
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ModelFileError(f"It is not a .keras file: {error}") from None


def _opened(raw):
    try:
        return _h5py().File(io.BytesIO(raw), "r")
    except OSError as error:
        raise ModelFileError(f"It is not a readable HDF5 file: {error}") from None


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise ImportError("Files of Keras need h5py. Install it with: "
                          'python -m pip install "tinynet-backprop[keras]".') from None
    return h5py


# Keras 3's names


RENAMED = {"L1": "L1L2", "L2": "L1L2"} | {
    name + kind: f"{name}_{kind}".lower() for name in ("Glorot", "He", "Lecun") for kind in ("Uniform", "Normal")}
UNUSED = ("dtype", "renorm_momentum")
KEEP_IF_FALSE = ("trainable", "use_bias", "center", "scale")     # for which False is not the default


def _translated(thing):
    """A config of Keras 3 as one of Keras 2.3.1: classes by their old names, without options that are off or None."""
    if isinstance(thing, list):
        return [_translated(item) for item in thing]
    if not isinstance(thing, dict):
        return thing
    if "class_name" in thing and isinstance(thing.get("config"), dict):
        name = thing["class_name"]
        config = {key: _translated(value) for key, value in thing["config"].items()
                  if key not in UNUSED and not (value is None or value is False and key not in KEEP_IF_FALSE)}
        if "batch_shape" in config:
            config["batch_input_shape"] = config.pop("batch_shape")
        if name == "LeakyReLU" and "negative_slope" in config:
            config["alpha"] = config.pop("negative_slope")
        return {"class_name": RENAMED.get(name, name), "config": config}
    return {key: _translated(value) for key, value in thing.items()}
