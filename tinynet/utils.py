"""Small things that every script needs around a model: one-hot labels, unit vectors, one seed for all."""
from __future__ import annotations

import numpy as np

from tinynet.random import set_random_seed

__all__ = ["normalize", "set_random_seed", "to_categorical"]


def to_categorical(y, num_classes=None, dtype="float32"):
    """One row for each class number: all 0 but a 1 at the class.

    Parameters
        y: class numbers, (N,), (N, 1) or any other shape; 0 <= y < C.
        num_classes: C; the largest of y and one more by default.
        dtype: of the result.

    Shapes: (N,) or (N, 1) to (N, C); (A, B) to (A, B, C).

    Raises ValueError for labels that are not whole numbers from 0 to C - 1 (Keras 2.3.1 cuts off fractions and counts
    negative labels from the end).

    Source: keras/utils/np_utils.py of Keras 2.3.1.

    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = np.asarray(y)
    if labels.dtype.kind not in "fiub" and labels.size:
        raise ValueError(f"to_categorical expects whole numbers, got an array of dtype {labels.dtype}.")
    if not np.isfinite(labels).all() or (labels != np.rint(labels)).any() or (np.abs(labels) > 2**31).any():
        raise ValueError("to_categorical expects whole numbers, got fractions, NaN, infinity or more than 2**31.")
    labels = labels.astype(int)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if not labels.size and not num_classes:
        raise ValueError("to_categorical cannot tell the number of classes from no labels: give num_classes.")
    classes = num_classes or int(labels.max()) + 1
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"to_categorical with {classes} classes expects labels from 0 to {classes - 1}, got "
                         f"{labels.min()} to {labels.max()}. Number the classes from 0, or raise num_classes.")
    result = np.zeros((*labels.shape, classes), dtype)
    np.put_along_axis(result, labels[..., np.newaxis], 1, axis=-1)
    return result


def normalize(x, axis=-1, order=2):
    """x divided by its norm of that order along `axis`; vectors of zeros stay as they are.

    Source: keras/utils/np_utils.py of Keras 2.3.1.

    >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    norms = np.atleast_1d(np.linalg.norm(x, order, axis))
    norms[norms == 0] = 1
    return x / np.expand_dims(norms, axis)
