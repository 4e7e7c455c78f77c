"""Boston housing: 506 districts, 13 numbers about each, and the median price of a house, in thousands of dollars."""
from __future__ import annotations

import numpy as np

from tinynet.datasets.arrays import data_file, read_npz
from tinynet.types import Path, Split

HASH = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(path: Path | None = None, test_split: float = 0.2, seed: int | None = 113) -> Split:
    """`(x_train, y_train), (x_test, y_test)`: (404, 13), (404,), (102, 13) and (102,).

    Parameters
        path: the file; by default Keras's boston_housing.npz in ~/.keras/datasets, downloaded if it is not there.
        test_split: the fraction of the samples in the test set.
        seed: of the order of the samples.

    Raises OSError if there is no file, ValueError if it is damaged.
    Source: keras/datasets/boston_housing.py of Keras 2.3.1.
    """
    x, y = read_npz(data_file(path, "boston_housing.npz", HASH), ["x", "y"])
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    count = int(len(x) * (1 - test_split))
    x, y = x[order], y[order]
    return (x[:count], y[:count]), (x[count:], y[count:])
