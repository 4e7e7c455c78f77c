"""Arrays in the files of Keras's data sets: .npz and pickles, of which nothing but arrays, lists and texts is read.

A pickle can name any function of Python, and NumPy's own way from a pickle to an array trusts it. So the arrays are put
together here, from their shape, type and bytes.
"""
from __future__ import annotations

import io
import math
import os
import re
from pathlib import Path

import numpy as np

from tinynet.datasets.download import get_file, keras_folder
from tinynet.types import Any

KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def data_file(path: Any, name: str, file_hash: str) -> Any:
    """The file at path, or else Keras's file of this name in ~/.keras/datasets, downloaded if it is not there.

    Raises OSError if it cannot be downloaded, which says where to put it by hand.
    """
    if path and os.path.exists(path):
        return path
    return get_file(path or name, KERAS + name, file_hash=file_hash)


def data_folder(name: str) -> Path:
    """A folder among Keras's data sets."""
    return keras_folder() / "datasets" / name


def read_npz(path: Any, names: list[str]) -> list[np.ndarray]:
    """The arrays of these names in a .npz file.

    Raises ValueError for a damaged file, one without these arrays, and one that holds other objects; OSError if it
    cannot be opened.
    """
    import zipfile      # here, because training does not need it
    try:
        with zipfile.ZipFile(path) as archive:
            return [_read_npy(io.BytesIO(archive.read(f"{name}.npy"))) for name in names]
    except OSError:
        raise
    except Exception as error:      # damage shows itself in many ways
        raise ValueError(f"{path} is damaged, or another file: expected a .npz file with the arrays "
                         f"{', '.join(names)}; {error}") from None


def _read_npy(file) -> np.ndarray:
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    if dtype.hasobject:
        return np.reshape(unpickled(file), shape)
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def unpickled(file: Any, encoding: str = "latin1") -> Any:
    """The array of a pickle, or its dict of arrays and lists.

    Raises ValueError if it is damaged, or names anything that an array does not need.
    """
    import pickle

    class ArraysOnly(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) not in NEEDED:
                raise ValueError(f"it names {module}.{name}, which no file of arrays needs")
            return NEEDED[module, name]
    try:
        found = ArraysOnly(file, encoding=encoding).load()
        if isinstance(found, dict):
            return {key: value.array if isinstance(value, _Array) else value for key, value in found.items()}
        return found.array
    except Exception as error:
        raise ValueError(f"The file is damaged, or not one of arrays: {error}.") from None


class _Array:
    """An array that is being read."""

    array: Any

    def __init__(self, *unused: Any):
        """What pickles give here is the class and the shape of an empty array."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, in_columns, content = state
        if not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"an array has the shape {shape!r}")
        if dtype.numpy == object:
            if type(content) is not list or len(content) != math.prod(shape):
                raise ValueError(f"an array of shape {shape} has other objects")
            array = np.empty(len(content), dtype=object)
            array[:] = content
        else:
            array = np.frombuffer(bytes(content), dtype.numpy)
        self.array = array.reshape(shape, order="F" if in_columns else "C").copy()


class _Type:
    """The type of an array that is being read: numbers, or objects."""

    def __init__(self, name: str, *unused: Any):
        if not re.fullmatch(r"[biuf][1248]|O8?", name):
            raise ValueError(f"an array has the type {name!r}")
        self.numpy = np.dtype(object if name[0] == "O" else name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.numpy = self.numpy.newbyteorder(">" if state[1] == ">" else "<")


def _encoded(text, encoding="latin1"):
    return text.encode("latin1")        # how Python 3 writes the bytes of an array for Python 2


# What a pickle of arrays names, in all versions of NumPy
NEEDED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array, ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): None, ("numpy", "dtype"): _Type, ("_codecs", "encode"): _encoded}
