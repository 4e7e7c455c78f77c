"""The door of a model: what a user hands to fit, evaluate or predict becomes checked arrays, or a clear error.

Past this door every array is C-contiguous, finite and of the model's float type (class numbers: int64).  It must not
know how a model trains.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from tinynet import losses
from tinynet.arguments import number, whole_number

__all__ = ["as_inputs", "as_targets", "as_weights", "check_lengths", "epochs_due"]


def as_inputs(x, shape, dtype, name):
    """x as an array (N, *shape); 1-D data is one number a sample.

    Raises ValueError for anything but finite numbers of that shape, and for no samples at all.
    """
    given = _as_numbers(x, "input", name)
    x = given[:, np.newaxis] if given.ndim == 1 else given
    if shape is not None and x.shape[1:] != tuple(shape):
        cure = "Flatten the samples or give the first layer their shape as input_shape."
        if given.shape == tuple(shape):
            cure = "This is a single sample: hand over x[np.newaxis]."
        raise ValueError(f"Error when checking input: expected {name} to have shape {tuple(shape)} but got array with "
                         f"shape {x.shape[1:]}. {cure}")
    return _as_finite(x, dtype, "input", name)


def as_targets(y, output_shape, loss, dtype, name):
    """y as an array shaped like the model's output, or (N, 1) class numbers for sparse_categorical_crossentropy.

    Raises ValueError for anything that this loss cannot compare with this output.
    """
    y = _as_numbers(y, "target", name)
    function, shape = getattr(loss, "function", None), tuple(output_shape[1:])
    if y.ndim == len(shape) and shape[-1:] == (1,) or y.ndim == 1:
        y = y[..., np.newaxis]
    if function is losses.sparse_categorical_crossentropy:
        return _as_classes(y, shape, name)
    if function is losses.categorical_crossentropy and y.shape[1:] == (1,) and shape[-1] > 1:
        raise ValueError(
            f"You are passing a target array of shape {y.shape} while using as loss `categorical_crossentropy`. "
            f"{name} expects one-hot rows (N, {shape[-1]}): convert class numbers with "
            f"tinynet.utils.to_categorical(y, {shape[-1]}), or use the loss `sparse_categorical_crossentropy`.")
    if y.shape[1:] != shape:
        raise ValueError(f"Error when checking target: expected {name} to have shape {shape} but got array with shape "
                         f"{y.shape[1:]}. The last layer's units must be the length of a target, and samples with "
                         "several axes need a Flatten layer.")
    y = _as_finite(y, dtype, "target", name)
    if function is losses.categorical_crossentropy:
        _check_distributions(y, name)
    if function is losses.binary_crossentropy and not 0 <= y.min() <= y.max() <= 1:
        raise ValueError(f"Error when checking target: {name} with binary_crossentropy expects probabilities from 0 to "
                         f"1, got {y.min():g} to {y.max():g}. Turn labels -1 and 1 into 0 and 1; several classes go "
                         "with softmax and categorical_crossentropy.")
    return y


def as_weights(sample_weight, class_weight, y, dtype):
    """One weight for each sample (N,): sample_weight times that of its class, from a dict; None if neither is given.

    Raises ValueError when they do not fit the samples, or a class of y is missing from class_weight.
    """
    weights = None
    if sample_weight is not None:
        weights = _as_numbers(sample_weight, "sample_weight", "sample_weight")
        weights = _as_finite(weights, dtype, "sample_weight", "sample_weight")
        if weights.shape != (len(y),):
            raise ValueError(f"Found a sample_weight array with shape {weights.shape} for {len(y)} samples. "
                             f"sample_weight must be 1-D, one weight for each sample: ({len(y)},).")
    if class_weight is None:
        return weights
    if not isinstance(class_weight, Mapping):
        raise ValueError(f"`class_weight` must be a dict {{class: weight}}, got {class_weight!r}.")
    if y.ndim > 2:
        raise ValueError(f"`class_weight` not supported for 3+ dimensional targets, got {y.shape}.")
    classes = y.argmax(axis=1) if y.shape[1] > 1 else y[:, 0]
    present, index = np.unique(classes, return_inverse=True)
    missing = set(present.tolist()) - set(class_weight)
    if missing:
        raise ValueError(f"`class_weight` must contain all classes in the data. The classes {missing} exist in the "
                         "data but not in `class_weight`.")
    by_class = [number(f"class_weight[{c:g}]", class_weight[c]) for c in present.tolist()]
    by_sample = np.array(by_class, dtype)[index]
    if weights is None:
        return by_sample
    with np.errstate(over="ignore"):        # reported below
        product = weights * by_sample
    return _as_finite(product, dtype, "weight", "the product of sample_weight and class_weight")


def check_lengths(x, y):
    """Raise ValueError unless there is a target for each sample."""
    if len(x) != len(y):
        raise ValueError("Input arrays should have the same number of samples as target arrays. Found "
                         f"{len(x)} input samples and {len(y)} target samples.")


def epochs_due(validation_freq, epochs) -> set[int]:
    """The epochs, counted from 1, after which to validate: every so many, or those listed.

    >>> epochs_due(2, epochs=7), epochs_due([1, 5], epochs=7)
    ({2, 4, 6}, {1, 5})
    """
    if isinstance(validation_freq, Iterable) and not isinstance(validation_freq, str):
        return {whole_number("validation_freq", epoch, least=1) for epoch in validation_freq}
    step = whole_number("validation_freq", validation_freq, least=1)
    return set(range(step, epochs + 1, step))


def _as_numbers(array, role, name):
    """An array of numbers with at least one sample."""
    if isinstance(array, (list, tuple)) and len(array) == 1 and isinstance(array[0], np.ndarray):
        array = array[0]            # Keras takes a list of the inputs, of which there is one here
    if isinstance(array, Mapping) and len(array) == 1:
        array, = array.values()     # or a dict of it by its name
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError(f"Error when checking {role}: {name} is a masked array, whose masked values would count. Fill "
                         "them first: x.filled(0).")
    try:
        array = np.asarray(array)
    except ValueError as error:     # lists of unequal length
        raise ValueError(f"Error when checking {role}: {name} expects an array of numbers; {error}") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"Error when checking {role}: {name} expects an array of numbers, got dtype {array.dtype}. "
                         "Lists of unequal length, None or text cannot be trained on: convert them first.")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"Error when checking {role}: {name} expects at least one sample, got an array of shape "
                         f"{array.shape}. Is a slice or a filter empty?")
    return array


def _as_finite(array, dtype, role, name):
    """The array, C-contiguous and of the model's type, without NaN or infinity."""
    with np.errstate(over="ignore"):        # a float64 beyond float32 becomes inf, and is reported below
        result = np.ascontiguousarray(array, dtype=dtype)
    finite = np.isfinite(result)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(f"Error when checking {role}: {name} must be finite, but {role}[{', '.join(map(str, where))}] "
                         f"is {array[where]} ({np.count_nonzero(~finite):,} such in all). Clean the data before "
                         "training: one NaN makes every weight NaN.")
    return result


def _as_classes(y, shape, name):
    """Class numbers as integers (N, 1), each below the number of outputs."""
    if y.shape[1:] != (*shape[:-1], 1):
        raise ValueError(f"Error when checking target: expected {name} to have shape {(*shape[:-1], 1)} but got array "
                         f"with shape {y.shape[1:]}. sparse_categorical_crossentropy takes class numbers; one-hot rows "
                         "go with categorical_crossentropy.")
    y = _as_finite(y, np.float64, "target", name)
    classes = y.astype(np.int64)
    if (classes != y).any():
        raise ValueError(f"Error when checking target: {name} expects whole class numbers, got {y[classes != y][0]}.")
    if classes.min() < 0 or classes.max() >= shape[-1]:
        raise ValueError(f"Error when checking target: {name} has {shape[-1]} outputs, so class numbers go from 0 to "
                         f"{shape[-1] - 1}; got {classes.min()} to {classes.max()}. Give the last layer more units, "
                         "or number the classes from 0.")
    return classes


def _check_distributions(y, name):
    """Raise ValueError unless each row of y sums to one: else softmax(z) - t is not the gradient."""
    sums = y.sum(axis=-1)
    wrong = ~(np.abs(sums - 1) <= 1e-3)
    if wrong.any() or y.min() < 0:
        row = tuple(np.argwhere(wrong | (y.min(axis=-1) < 0))[0])
        raise ValueError(f"Error when checking target: {name} with categorical_crossentropy expects rows that are "
                         f"probabilities (one-hot, or none negative and the sum 1), but row {int(row[0])} is {y[row]}. "
                         "For several labels at once use sigmoid and binary_crossentropy.")
