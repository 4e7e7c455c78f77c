"""CIFAR-10: 60,000 colour images of ten kinds of things.  By Alex Krizhevsky, 2009."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from tinynet.datasets.arrays import data_folder, unpickled
from tinynet.types import Split

ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"


def load_data(path: str | Path | None = None) -> Split:
    """`(x_train, y_train), (x_test, y_test)`: uint8 images (50000, 32, 32, 3) and (10000, 32, 32, 3), and their classes
    (50000, 1) and (10000, 1).

    Parameters
        path: the folder cifar-10-batches-py; by default the one in ~/.keras/datasets. It is not downloaded.

    Raises OSError if there is no such folder, ValueError for a damaged file. Of the pickles only arrays are read.
    Source: keras/datasets/cifar10.py of Keras 2.3.1.
    """
    place = data_folder("cifar-10-batches-py") if path is None else Path(path)
    parts = [_read(place, f"data_batch_{i}") for i in range(1, 6)]
    images, labels = (np.concatenate(both) for both in zip(*parts))
    return (images, labels), _read(place, "test_batch")


def _read(place, name):
    try:
        with open(place / name, "rb") as file:
            data = unpickled(file, encoding="bytes")
    except FileNotFoundError:
        raise OSError(f"There is no file {name} in {place}. Unpack {ADDRESS} in {place.parent}, or give the folder "
                      "cifar-10-batches-py as path.") from None
    if not isinstance(data, dict) or not {b"data", b"labels"} <= data.keys():
        raise ValueError(f"{place / name} is another file: it has no data and labels.")
    return (np.reshape(data[b"data"], (-1, 3, 32, 32)).transpose(0, 2, 3, 1),
            np.reshape(data[b"labels"], (-1, 1)).astype(np.uint8))
