"""Arrays in the files of Keras's data sets: .npz and pickles, of which nothing but arrays, lists and texts is read."""
from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from tinynet.datasets.download import get_file

KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

# What a pickle of arrays names, in all versions of NumPy
ALLOWED = {(module, name) for core in ("core", "_core") for module in (f"numpy.{core}.multiarray",)
           for name in ("_reconstruct", "scalar")} | {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}


def found(path, name, file_hash, origin=None):
    """The file at path if there is one, else Keras's, in ~/.keras/datasets; it is downloaded if it is not there.

    Raises OSError if it cannot be downloaded, which says where to put it by hand.
    """
    if path and os.path.exists(path):
        return path
    return get_file(path or name, origin or KERAS + name, file_hash=file_hash)


def read_npz(path, names) -> list[np.ndarray]:
    """The arrays of these names in a .npz file.

    Raises ValueError for a damaged file, one without these arrays, and one that holds other objects.
    """
    import zipfile      # here, because training does not need it
    try:
        with zipfile.ZipFile(path) as archive:
            return [_read_npy(io.BytesIO(archive.read(f"{name}.npy"))) for name in names]
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
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


def unpickled(file, encoding="latin1") -> Any:
    """The arrays, lists and texts of a pickle.  Raises ValueError if it names anything else, which could run code."""
    import pickle

    class ArraysOnly(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) not in ALLOWED:
                raise pickle.UnpicklingError(f"it names {module}.{name}, which no file of arrays needs")
            return super().find_class(module, name)
    try:
        return ArraysOnly(file, encoding=encoding).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, IndexError) as error:
        raise ValueError(f"The file is damaged, or not one of arrays: {error}.") from None


def folder(name) -> Path:
    """A folder within Keras's, datasets in $KERAS_HOME or ~/.keras."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets" / name
