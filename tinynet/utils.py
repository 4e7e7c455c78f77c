"""Functions that scripts need around a model: one-hot labels, normalized vectors, seeds, the summary of a model."""
from __future__ import annotations

import numpy as np

from tinynet.backend import to_numpy
from tinynet.callbacks.progress import ProgressBar, as_text, shorter_and_shorter
from tinynet.datasets.download import get_file
from tinynet.plot_model import model_to_dot, plot_model
from tinynet.random import set_random_seed
from tinynet.registry import CustomObjectScope, class_name, custom_object_scope, get_custom_objects
from tinynet.text_width import padded, width
from tinynet.training.dataset import Sequence
from tinynet.types import Any, Array, ArrayLike, Function
from tinynet.validation import whole_number

__all__ = ["CustomObjectScope", "Progbar", "Sequence", "custom_object_scope", "get_custom_objects", "get_file",
           "model_to_dot", "normalize", "plot_model", "set_random_seed", "to_categorical"]


def to_categorical(y: ArrayLike, num_classes: int | None = None, dtype: Any = "float32") -> Array:
    """One-hot rows of integer classes.

    Parameters
        y: integer classes, (N,), (N, 1) or any other shape; 0 <= y < C.
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
    labels = to_numpy(y)
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


def normalize(x: ArrayLike, axis: int = -1, order: float = 2) -> Array:
    """x divided by its norm of that order along `axis`; vectors of zeros stay as they are.

    Raises ValueError for an axis that x does not have.
    Source: keras/utils/np_utils.py of Keras 2.3.1.

    >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    axis = whole_number("axis", axis, least=-np.ndim(x), below=max(np.ndim(x), 1))
    norms = np.atleast_1d(np.linalg.norm(x, order, axis))
    norms[norms == 0] = 1
    return x / np.expand_dims(norms, axis)


class Progbar:
    """A progress bar over `target` steps of a loop of your own, with the means of values.

    Parameters
        target: steps in all.
        width, interval: accepted for compatibility.
        verbose: 0 silent, 1 a live bar and then a line, 2 the line alone.
        stateful_metrics: names of which the last value is shown, not the mean.

    Source: keras/utils/generic_utils.py of Keras 2.3.1.

    >>> bar = Progbar(2, verbose=2)
    >>> for i in range(2): bar.add(1, [("loss", i)])
    2/2 - 0s - loss: 0.5000
    """

    def __init__(self, target: int | None, width: int = 30, verbose: int = 1, interval: float = 0.05,
                 stateful_metrics: Any = ()):
        self.target = target
        self.verbose = verbose
        self.stateful_metrics: set[str] = set(stateful_metrics or ())
        self.bar: ProgressBar = ProgressBar("", target, shown=verbose == 1)
        self.seen: int = 0
        self.sums: dict[str, list[float]] = {}

    def update(self, current: int, values: Any = ()) -> None:
        """Set the bar to step `current`; values are (name, value) of the steps since the last call."""
        for name, value in values or ():
            steps = current - self.seen
            total, count = self.sums.get(name, [0.0, 0])
            self.sums[name] = [value, 1] if name in self.stateful_metrics else [total + value * steps, count + steps]
        self.seen = current
        means = {name: total / max(count, 1) for name, (total, count) in self.sums.items()}
        text = as_text(means)
        if self.bar.due():
            self.bar.move(current, *shorter_and_shorter(means))
        if self.target is not None and current >= self.target:
            seconds = self.bar.close()
            if self.verbose:
                print(f"{current}/{self.target} - {seconds:.0f}s" + (f" - {text}" if text else ""), flush=True)

    def add(self, n: int, values: Any = ()) -> None:
        """Advance the bar by n steps."""
        self.update(self.seen + n, values)


def print_summary(model: Any, line_length: int | None = None, positions: Any = None,
                  print_fn: Function | None = None) -> None:
    """Print the layers, their output shapes and numbers of parameters.

    Parameters
        line_length: 65 by default.
        positions: where the three columns end, as parts of it (or as columns, when the last is above 1).
        print_fn: called with each line; print by default.

    Raises ValueError before the model is built, and unless positions is three numbers.
    Source: keras/utils/layer_utils.py of Keras 2.3.1.
    """
    if not model.built:
        raise ValueError("This model has not yet been built. Build it first by calling build((None, D)) or fit() "
                         "with some data, or give the first layer an input_shape.")
    length = 65 if line_length is None else whole_number("line_length", line_length, least=1, below=10_001)
    positions, print_fn = [0.45, 0.85, 1.0] if positions is None else positions, print_fn or print
    if not isinstance(positions, (list, tuple)) or len(positions) != 3 or not all(
            isinstance(p, (int, float)) and 0 <= p <= 10_000 for p in positions):
        raise ValueError(f"positions must be three numbers, where the columns end, got {positions!r}.")
    ends = [int(length * p if positions[-1] <= 1 else p) for p in positions]

    def row(*fields):
        line = ""
        for end, field in zip(ends, fields):
            line = padded(line, width(line) - 1) + " " if line else line
            line = padded(line + str(field), end)
        print_fn(line)

    print_fn(f'Model: "{model.name}"')
    print_fn("_" * length)
    row("Layer (type)", "Output Shape", "Param #")
    print_fn("=" * length)
    for layer in model.layers:
        row(f"{layer.name} ({class_name(layer)})", layer.output.shape, layer.count_params())
        print_fn(("=" if layer is model.layers[-1] else "_") * length)
    trainable = sum(p.value.size for p in model.trainable_weights)
    print_fn(f"Total params: {model.count_params():,}")
    print_fn(f"Trainable params: {trainable:,}")
    print_fn(f"Non-trainable params: {model.count_params() - trainable:,}")
    print_fn("_" * length)
