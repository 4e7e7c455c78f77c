"""The door of a model: what a user hands to fit, evaluate or predict becomes batches that fit the model, or an error.

It must not know what happens to a batch.
"""
from __future__ import annotations

from tinynet.arguments import whole_number
from tinynet.data import as_inputs, as_targets, as_weights, check_lengths
from tinynet.dataset import Dataset, Stream, is_stream
from tinynet.step import Trainable

__all__ = ["Door"]


class Door(Trainable):
    """A model that takes in data, and is built by the first of it where nobody has given its shape."""

    def _source(self, x, y, batch_size, steps, steps_name, sample_weight=None, class_weight=None):
        """A `Dataset` of checked arrays, or a `Stream` that checks what its generator makes."""
        if not is_stream(x):
            if steps is not None:
                raise ValueError(f"`{steps_name}` is for a generator or Sequence; arrays are divided by batch_size.")
            return Dataset(self._checked(x, y, sample_weight, class_weight), _batch_size(batch_size))
        self._check_compiled()
        for name, value in (("y", y), ("sample_weight", sample_weight), ("batch_size", batch_size)):
            if value is not None:
                raise ValueError(f"The `{name}` argument must not be specified when using a generator or Sequence as "
                                 "an input: each batch that it makes is (x, y) or (x, y, sample_weight).")

        def check(item):
            x, y, weights = _as_batch(item)
            return self._checked(x, y, weights, class_weight)
        stream = Stream(x, steps, check, steps_name)
        if self._compiled_chain is None:
            stream.peek()
        return stream

    def _inputs_only(self, x, batch_size, steps):
        """The same without targets."""
        if not is_stream(x):
            if steps is not None:
                raise ValueError("`steps` is for a generator or Sequence; arrays are divided by batch_size.")
            return Dataset((self._build_for(self._inputs(x)), None, None), _batch_size(batch_size))
        if batch_size is not None:
            raise ValueError("The `batch_size` argument must not be specified when using a generator or Sequence as an "
                             "input, which makes batches.")

        def check(item):
            return self._build_for(self._inputs(item[0] if isinstance(item, tuple) else item)), None, None
        stream = Stream(x, steps, check)
        if not self.built:
            stream.peek()
        return stream

    def _validation(self, data, batch_size, validation_data, validation_split, validation_steps):
        """The data to train on and to validate on (None without)."""
        if is_stream(validation_data):
            return data, self._source(validation_data, None, None, validation_steps, "validation_steps")
        if validation_data is not None:
            if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
                raise ValueError("When passing a `validation_data` argument, it must contain either 2 items "
                                 "(x_val, y_val), or 3 items (x_val, y_val, sample_weight), or be a generator or "
                                 f"Sequence; got {type(validation_data).__name__}.")
            return data, Dataset(self._checked(*validation_data), _batch_size(batch_size))
        if not validation_split:
            return data, None
        if isinstance(data, Stream):
            raise ValueError("`validation_split` takes the last samples of arrays; with a generator or Sequence give "
                             "validation_data.")
        return data.split(validation_split)

    def _checked(self, x, y, sample_weight=None, class_weight=None):
        """(x, y, weights) as checked arrays, for a compiled model, which is built and connected by its first."""
        self._check_compiled()
        if x is None or y is None:
            raise ValueError(f"Training and testing need both x and y, got {'no x' if x is None else 'no y'}.")
        x = self._inputs(x)
        shape = self.output_shape if self.built else self.compute_output_shape((None, *x.shape[1:]))
        y = as_targets(y, shape, self._loss, self.dtype, self.layers[-1].name)
        check_lengths(x, y)
        weights = as_weights(sample_weight, class_weight, y, self.dtype)
        self._build_for(x)
        if self._compiled_chain is None:
            self._connect()
        return x, y, weights

    def _check_compiled(self):
        if self.optimizer is None:
            raise RuntimeError("You must compile a model before training/testing. "
                               "Use `model.compile(optimizer, loss)`.")
        if self._compiled_chain not in (None, self.chain):
            raise RuntimeError("The layers have changed since the model was compiled. Call `model.compile` again.")

    def _inputs(self, x):
        """Checked inputs."""
        if not self.layers:
            raise ValueError(f"{self.name} has no layers yet. Add some first: model.add(Dense(10)).")
        return as_inputs(x, self.input_shape[1:] if self.built else None, self.dtype, f"{self.layers[0].name}_input")

    def _build_for(self, x):
        """Take shapes that nobody has given from checked inputs."""
        if not self.built:
            self.build((None, *x.shape[1:]))
        return x


def _batch_size(batch_size) -> int:
    return whole_number("batch_size", 32 if batch_size is None else batch_size, least=1)


def _as_batch(item):
    """(x, y, sample_weight) of what a generator made."""
    if not isinstance(item, (tuple, list)) or len(item) not in (2, 3):
        raise ValueError("Output of generator should be a tuple `(x, y, sample_weight)` or `(x, y)`. Found: "
                         f"{type(item).__name__}" + (f" of {len(item)}" if hasattr(item, "__len__") else ""))
    return (*item, None)[:3]
