"""Input validation: what is passed to fit, evaluate or predict becomes checked arrays in batches, or an error.

Checked arrays are C-contiguous, finite and of the model's float type (integer classes: int64).
"""
from __future__ import annotations

import numbers
import sys
from collections.abc import Iterable, Mapping

import numpy as np

from tinynet import backend, losses
from tinynet.training import tables
from tinynet.training.dataset import Dataset, Stream, is_stream
from tinynet.types import Any, Array, ArrayLike, Shape
from tinynet.validation import number, whole_number


def make_data(model: Any, x: Any, y: Any, batch_size: int | None, steps: float | None, steps_name: str,
              sample_weight: ArrayLike = None, class_weight: Mapping[Any, float] | None = None) -> Any:
    """A `Dataset` of checked arrays, or a `Stream` that checks each batch of a generator."""
    if not is_stream(x):
        _check_steps(steps, steps_name)
        return Dataset(checked_arrays(model, x, y, sample_weight, class_weight), _batch_size(batch_size))
    check_compiled(model)
    _check_stream_arguments(y=y, sample_weight=sample_weight, batch_size=batch_size)

    def check(item):
        if not isinstance(item, (tuple, list)) or len(item) not in (2, 3):
            raise ValueError("Output of generator should be a tuple `(x, y, sample_weight)` or `(x, y)`. Found: "
                             f"{type(item).__name__}" + (f" of {len(item)}" if hasattr(item, "__len__") else ""))
        x, y, weights = (*item, None)[:3]
        return checked_arrays(model, x, y, weights, class_weight)
    stream = Stream(x, steps, check, steps_name)
    if model.connected_stack is None:
        stream.peek()
    return stream


def make_inputs(model: Any, x: Any, batch_size: int | None, steps: float | None) -> Any:
    """The same without targets, for `predict`."""
    if not is_stream(x):
        _check_steps(steps, "steps")
        return Dataset((checked_inputs(model, x), None, None), _batch_size(batch_size))
    _check_stream_arguments(batch_size=batch_size)
    stream = Stream(x, steps, lambda item: (
        checked_inputs(model, item[0] if isinstance(item, tuple) else item), None, None))
    if not model.built:
        stream.peek()
    return stream


def split_validation(model: Any, data: Any, batch_size: int | None, validation_data: Any, validation_split: float,
                     validation_steps: float | None) -> tuple[Any, Any]:
    """(training data, validation data or None)"""
    if is_stream(validation_data):
        return data, make_data(model, validation_data, None, None, validation_steps, "validation_steps")
    if validation_data is not None:
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
            raise ValueError("When passing a `validation_data` argument, it must contain either 2 items "
                             "(x_val, y_val), or 3 items (x_val, y_val, sample_weight), or be a generator or "
                             f"Sequence; got {type(validation_data).__name__}.")
        return data, Dataset(checked_arrays(model, *validation_data), _batch_size(batch_size))
    if not validation_split:
        return data, None
    if isinstance(data, Stream):
        raise ValueError("`validation_split` takes the last samples of arrays; with a generator or Sequence give "
                         "validation_data.")
    return data.split(validation_split)


def check_compiled(model: Any) -> None:
    """Raise RuntimeError unless the model is compiled, with the layers that it has now."""
    if model.optimizer is None:
        raise RuntimeError("You must compile a model before training/testing. "
                           "Use `model.compile(optimizer, loss)`.")
    if model.connected_stack not in (None, model.stack):
        raise RuntimeError("The layers have changed since the model was compiled. Call `model.compile` again.")


def checked_arrays(model: Any, x: Any, y: Any, sample_weight: ArrayLike = None,
                   class_weight: Mapping[Any, float] | None = None) -> tuple[Any, ...]:
    """(x, y, weights) as checked arrays; the first ones build and connect the model."""
    check_compiled(model)
    if x is None or y is None:
        raise ValueError(f"Training and testing need both x and y, got {'no x' if x is None else 'no y'}.")
    x = _as_model_inputs(model, x)
    shape = model.output_shape if model.built else model.compute_output_shape((None, *x.shape[1:]))
    y = as_targets(y, shape, model.loss, model.dtype, model.layers[-1].name)
    if len(x) != len(y):
        raise ValueError("Input arrays should have the same number of samples as target arrays. Found "
                         f"{len(x)} input samples and {len(y)} target samples.")
    weights = as_weights(sample_weight, class_weight, y, model.dtype)
    if not model.built:
        model.build((None, *x.shape[1:]))
    if model.connected_stack is None:
        model.connect()
    return x, y, weights


def checked_inputs(model: Any, x: Any) -> Array:
    """x as a checked array; the first one builds the model."""
    x = _as_model_inputs(model, x)
    if not model.built:
        model.build((None, *x.shape[1:]))
    return x


def _as_model_inputs(model, x):
    if not model.layers:
        raise ValueError(f"{model.name} has no layers yet. Add some first: model.add(Dense(10)).")
    return as_inputs(x, model.input_shape[1:] if model.built else None, model.dtype, model.input_names[0])


def _batch_size(batch_size) -> int:
    return whole_number("batch_size", 32 if batch_size is None else batch_size, least=1)


def _check_steps(steps, name):
    if steps is not None:
        raise ValueError(f"`{name}` is for a generator or Sequence; arrays are divided by batch_size.")


def _check_stream_arguments(**arguments):
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(f"The `{name}` argument must not be specified when using a generator or Sequence as "
                             "an input: each batch that it makes is (x, y) or (x, y, sample_weight).")


def as_inputs(x: Any, shape: Shape | None, dtype: Any, name: str) -> Array:
    """x as an array (N, *shape); 1-D data has one number per sample.

    Raises ValueError for anything but finite numbers of that shape, and for no samples.
    """
    table, given = x, _as_numbers(x, "input", name, dtype)
    x = given[:, np.newaxis] if given.ndim == 1 else given
    if shape is not None and x.shape[1:] != tuple(shape):
        hint = "Flatten the samples or give the first layer their shape as input_shape."
        if hasattr(table, "columns"):
            hint = f"The table has the columns {', '.join(map(str, table.columns))[:200]}."
        if given.shape == tuple(shape):
            hint = "This is a single sample: pass x[np.newaxis]."
        raise ValueError(f"Error when checking input: expected {name} to have shape {tuple(shape)} but got array with "
                         f"shape {x.shape[1:]}. {hint}")
    return _as_finite(x, dtype, "input", name)


def as_targets(y: Any, output_shape: Shape, loss: Any, dtype: Any, name: str) -> Array:
    """y as an array shaped like the model's output, or (N, 1) integer classes for sparse_categorical_crossentropy.

    Raises ValueError for targets that do not fit the loss and the output.
    """
    y = _as_numbers(y, "target", name, dtype)
    function, shape = getattr(loss, "function", None), tuple(output_shape[1:])
    if y.ndim == len(shape) and shape[-1:] == (1,) or y.ndim == 1:
        y = y[..., np.newaxis]
    if function is losses.sparse_categorical_crossentropy:
        return _as_classes(y, shape, name)
    if function is losses.categorical_crossentropy and y.shape[1:] == (1,) and shape[-1] > 1:
        raise ValueError(
            f"You are passing a target array of shape {y.shape} while using as loss `categorical_crossentropy`. "
            f"{name} expects one-hot rows (N, {shape[-1]}): convert integer classes with "
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


def as_weights(sample_weight: ArrayLike, class_weight: Mapping[Any, float] | None, y: Array,
               dtype: Any) -> Array | None:
    """One weight per sample (N,): sample_weight times the weight of its class; None without both.

    Raises ValueError if they do not fit the samples, or a class of y is missing from class_weight.
    """
    weights = None
    if sample_weight is not None:
        weights = _as_numbers(sample_weight, "sample_weight", "sample_weight", dtype)
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


def epochs_due(validation_freq: Any, epochs: int) -> set[int]:
    """The epochs, counted from 1, after which to validate: every validation_freq-th, or those listed.

    >>> epochs_due(2, epochs=7), epochs_due([1, 5], epochs=7)
    ({2, 4, 6}, {1, 5})
    """
    if isinstance(validation_freq, Iterable) and not isinstance(validation_freq, str):
        return {whole_number("validation_freq", epoch, least=1) for epoch in validation_freq}
    step = whole_number("validation_freq", validation_freq, least=1)
    return set(range(step, epochs + 1, step))


def _as_numbers(array, role, name, dtype):
    """An array of numbers with at least one sample."""
    if isinstance(array, (list, tuple)) and len(array) == 1 and (
            isinstance(array[0], (np.ndarray, backend.xp.ndarray)) or hasattr(array[0], "columns")):
        array = array[0]            # Keras takes a list of inputs; a Sequential has one
    if isinstance(array, Mapping) and len(array) == 1:
        array, = array.values()     # or a dict of inputs by name
    array = tables.as_array(array, role, name, dtype)
    if "numpy.ma" in sys.modules and (isinstance(array, np.ma.MaskedArray) or isinstance(array, (list, tuple)) and any(
            isinstance(row, np.ma.MaskedArray) for row in array)):      # if it is not imported, there is none
        raise ValueError(f"Error when checking {role}: {name} is a masked array, whose masked values would count. Fill "
                         "them first: x.filled(0).")
    try:
        array = backend.to_numpy(array) if backend.on_gpu else np.asarray(array)
    except ValueError as error:     # lists of unequal length
        raise ValueError(f"Error when checking {role}: {name} expects an array of numbers; {error}") from error
    if array.dtype == object and all(isinstance(n, (numbers.Real, np.bool_)) for n in array.ravel()):
        array = array.astype(float)
    if array.dtype.kind not in "fiub":
        found = (f", where {role}[{', '.join(map(str, i))}] is {n!r}" for i, n in np.ndenumerate(array)
                 if array.dtype == object and not isinstance(n, (numbers.Real, np.bool_)))
        raise ValueError(f"Error when checking {role}: {name} expects an array of numbers, got dtype {array.dtype}"
                         f"{next(found, '')}. Lists of unequal length, None or text cannot be trained on: convert them "
                         "first.")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"Error when checking {role}: {name} expects at least one sample, got an array of shape "
                         f"{array.shape}. Is a slice or a filter empty?")
    return array


def _as_finite(array, dtype, role, name):
    """The array, C-contiguous and of the model's type, without NaN or infinity."""
    with np.errstate(over="ignore"):        # a float64 beyond float32 becomes inf, which is reported below
        result = np.ascontiguousarray(array, dtype=dtype)
    finite = np.isfinite(result)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(f"Error when checking {role}: {name} must be finite, but {role}[{', '.join(map(str, where))}] "
                         f"is {array[where]} ({np.count_nonzero(~finite):,} such in all). Clean the data before "
                         "training: one NaN makes every weight NaN.")
    return result


def _as_classes(y, shape, name):
    """Integer classes (N, 1), each below the number of outputs."""
    if y.shape[1:] != (*shape[:-1], 1):
        raise ValueError(f"Error when checking target: expected {name} to have shape {(*shape[:-1], 1)} but got array "
                         f"with shape {y.shape[1:]}. sparse_categorical_crossentropy takes integer classes; one-hot "
                         "rows go with categorical_crossentropy.")
    y = _as_finite(y, np.float64, "target", name)
    classes = y.astype(np.int64)
    if (classes != y).any():
        raise ValueError(f"Error when checking target: {name} expects integer classes, got {y[classes != y][0]}.")
    if classes.min() < 0 or classes.max() >= shape[-1]:
        raise ValueError(f"Error when checking target: {name} has {shape[-1]} outputs, so integer classes go from 0 to "
                         f"{shape[-1] - 1}; got {classes.min()} to {classes.max()}. Give the last layer more units, "
                         "or number the classes from 0.")
    return classes


def _check_distributions(y, name):
    """Raise ValueError unless each row of y sums to one: otherwise softmax(z) - t is not the gradient."""
    sums = y.sum(axis=-1)
    wrong = ~(np.abs(sums - 1) <= 1e-3)
    if wrong.any() or y.min() < 0:
        row = tuple(np.argwhere(wrong | (y.min(axis=-1) < 0))[0])
        raise ValueError(f"Error when checking target: {name} with categorical_crossentropy expects rows that are "
                         f"probabilities (one-hot, or none negative and the sum 1), but row {int(row[0])} is {y[row]}. "
                         "For several labels at once use sigmoid and binary_crossentropy.")
