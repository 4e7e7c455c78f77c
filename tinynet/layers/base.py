"""Layer: what every layer promises, and what it gets for keeping the promise.

It must not know about losses, optimizers or models; a layer works alone, with arrays in and arrays out.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinynet import initializers
from tinynet.backend import floatx, to_numpy, unique_name, xp
from tinynet.parameters import Parameter, next_given
from tinynet.arguments import arguments, refuse
from tinynet.registry import Configurable

__all__ = ["Layer"]


class Layer(Configurable):
    """One step of the chain from data to prediction, y = f(x), and the way back, dx = dy f'(x).

    Your own layer defines `forward(x, training)` and `backward(dy)`; `build(input_shape)` if it has weights;
    `compute_output_shape(input_shape)` if the shape changes.  Shapes begin with None, the unknown batch size.
    It keeps its arguments under their own names, from which `get_config` takes them.

    The contract
        1. forward never writes to its input.
        2. forward's result, if not x itself or a view of it, belongs to the layer and is valid until its next forward;
           who keeps it copies it.
        3. backward(dy) may overwrite dy, and assigns the gradients of its parameters: `self.kernel.grad = ...`.
           Nothing is ever set to zero or added up, so a layer stands once in a model.
        4. backward follows a forward of the same batch, at most once.
        5. Arrays are C-contiguous and of floatx, converted where they enter the model and never inside a layer.
           Complex arrays pass through: f(x + ih) = f(x) + ih f'(x) differentiates forward without rounding.  So
           comparisons look at x.real, which is x itself for real x.
        6. What forward leaves in `penalty` is added to the loss, and its gradient to what backward returns.
        7. forward may be given a part of the batch, the share `batch_share` of its rows: means over the parts are
           averaged, so a penalty that is a sum over the batch, and its gradient, are divided by batch_share.

    Parameters of every layer
        name: unique within a model; "dense_1", "dense_2" ... by default.
        trainable: False keeps the weights as they are; looked at when a model is compiled.
        input_shape: the shape of one sample, such as (784,), on the first layer of a model (Keras ignores a later
            layer's, and so does tinynet).
        input_dim: D, short for input_shape=(D,).
        batch_input_shape: (None, *input_shape); batches of any size are taken all the same.
        weights: arrays to start from, in the order of `get_weights()`.
        dtype: None or `floatx()`, the type of all layers.

    Raises TypeError for an argument that the layer does not have.

    >>> Layer(input_dim=3).batch_input_shape
    (None, 3)
    """

    def __init__(self, name=None, trainable=True, input_shape=None, input_dim=None, batch_input_shape=None,
                 weights=None, dtype=None, **unknown):
        refuse("Keyword argument not understood", type(self), unknown)
        if dtype not in (None, floatx()):
            raise ValueError(f"{type(self).__name__}: dtype must be {floatx()!r}, as in all layers, got {dtype!r}. "
                             f"Call tinynet.backend.set_floatx({dtype!r}) before the model is built.")
        self.name = name or unique_name(type(self).__name__)
        self.trainable = trainable
        self.batch_input_shape = _declared_shape(self.name, input_shape, input_dim, batch_input_shape)
        self.input_shape: Any = None        # of a batch; known, like output_shape, once the layer is built
        self.output_shape: Any = None
        self.parameters: list[Parameter] = []
        self.needs_dx = True                            # the model clears this where nobody reads dx
        self.learns = True                              # and this where it was compiled with the layer frozen
        self.penalty: Any = 0
        self.batch_share = 1.0
        self._initial_weights = weights
        self._buffers: dict[str, np.ndarray] = {}

    # What your own layer defines

    def build(self, input_shape):
        """Create the parameters for inputs of this shape, by `add_weight`."""

    def compute_output_shape(self, input_shape):
        """The shape of a batch of outputs."""
        return input_shape

    def forward(self, x, training=False):
        """y = f(x)"""
        raise NotImplementedError(f"{type(self).__name__} must define forward(x, training).")

    def backward(self, dy):
        """dx = dy f'(x); also assigns the gradient of every parameter to its `grad`."""
        raise NotImplementedError(f"{type(self).__name__} must define backward(dy).")

    def chain(self) -> list[Layer]:
        """The links that run for this layer, one after the other: itself, and the activation it was given, if any."""
        return [self]

    # What a layer gets

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the parameters exist."""
        return self.input_shape is not None

    def build_once(self, input_shape):
        """Build for this shape, unless already built; the first thing a model does with a layer."""
        if self.built:
            if tuple(input_shape[1:]) != self.input_shape[1:]:
                raise ValueError(f"{self.name} expects inputs of shape {_named(self.input_shape)}, got "
                                 f"{_named(input_shape)}. It was built for the former already: use a new layer.")
            return
        try:
            self.build(input_shape)
            if self._initial_weights is not None:
                self.set_weights(self._initial_weights)
            self.output_shape = tuple(self.compute_output_shape(input_shape))
        except BaseException:
            self.unbuild()
            raise
        self.input_shape = tuple(input_shape)

    def unbuild(self):
        """Forget shapes and parameters, as if nothing had been built."""
        self.input_shape = self.output_shape = None
        self.parameters = []

    def add_weight(self, name, shape, initializer="glorot_uniform", regularizer=None, constraint=None,
                   trainable=True) -> Parameter:
        """A new parameter of this shape, its first value drawn by the initializer; the rest as in `Parameter`."""
        value = next_given(shape)      # from a file that is being loaded
        if value is None:
            value = self._drawn(name, initializers.get(initializer), tuple(shape))
        self.parameters.append(Parameter(f"{self.name}/{name}:0", value, regularizer, constraint, trainable))
        return self.parameters[-1]

    def _drawn(self, name, initializer, shape):
        value = xp.asarray(initializer(shape))
        if value.shape != shape:
            raise ValueError(f"{self.name}: the initializer of {name} must return shape {shape}, got {value.shape}.")
        if value.dtype.kind not in "fiub" or not bool(xp.isfinite(value).all()):
            raise ValueError(f"{self.name}: the initializer of {name} must return finite numbers.")
        return xp.asarray(value, dtype=floatx())

    def buffer(self, name, shape, like) -> np.ndarray:
        """An array of this shape, with the type of `like`, that the layer reuses from batch to batch.

        It is the front of the longest array that the name has needed, so a short last batch allocates nothing.
        """
        size = math.prod(shape)
        memory = self._buffers.get(name)
        if memory is None or memory.size < size or memory.dtype != like.dtype:
            memory = self._buffers[name] = xp.empty(size, like.dtype)
        return memory[:size].reshape(shape)

    @property
    def trainable_weights(self) -> list[Parameter]:
        """The parameters that training moves, unless the layer is frozen."""
        return [p for p in self.parameters if p.trainable and self.trainable]

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        """The others."""
        return [p for p in self.parameters if not (p.trainable and self.trainable)]

    @property
    def weights(self) -> list[Parameter]:
        """All parameters: those that training moves, then the others."""
        return self.trainable_weights + self.non_trainable_weights

    @property
    def losses(self) -> list:
        """The penalties that the regularizers charge now, each as an array of one number."""
        return [p.regularizer(p.value) for p in self.parameters if p.regularizer is not None]

    def get_config(self):
        """The arguments that build this layer again, as plain data: not its weights."""
        shape = {} if self.batch_input_shape is None else {"batch_input_shape": list(self.batch_input_shape)}
        own = [name for name in arguments(type(self)) if name not in arguments(Layer)]
        return {"name": self.name, "trainable": self.trainable} | shape | self.config_of(own)

    def count_params(self) -> int:
        """How many numbers the parameters hold."""
        return sum(p.value.size for p in self.parameters)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the parameters' values."""
        return [to_numpy(p.value) for p in self.parameters]

    def set_weights(self, weights):
        """Write `weights`, in the order of `get_weights()`, into the parameters.

        Raises ValueError, and changes nothing, when their number or a shape is not the layer's.
        """
        for p, w in zip(self.parameters, self.checked_weights(weights)):
            p.value = w

    def checked_weights(self, weights) -> list[np.ndarray]:
        """The same weights as arrays, checked to fit."""
        if not isinstance(weights, (list, tuple)) or len(weights) != len(self.parameters):
            came = len(weights) if isinstance(weights, (list, tuple)) else type(weights).__name__
            raise ValueError(
                f'You called `set_weights(weights)` on layer "{self.name}" with a weight list of length {came}, but '
                f"the layer was expecting {len(self.parameters)} weights.")
        arrays = [np.asarray(w) for w in weights]
        for p, w in zip(self.parameters, arrays):
            if w.shape != p.value.shape:
                raise ValueError(f"{p.name} expects weights of shape {p.value.shape}, got {w.shape}. "
                                 "Layer weight shape not compatible with provided weight shape.")
            if w.dtype.kind not in "fiub":
                raise ValueError(f"{p.name} expects weights that are numbers, got an array of dtype {w.dtype}.")
        return arrays


def _declared_shape(name, input_shape, input_dim, batch_input_shape):
    """The shape that was declared in one of three ways, with None in front for the samples; None if it was not."""
    if (input_shape is not None) + (input_dim is not None) + (batch_input_shape is not None) > 1:
        raise ValueError(f"{name}: give one of input_shape={input_shape!r}, input_dim={input_dim!r} and "
                         f"batch_input_shape={batch_input_shape!r}.")
    if batch_input_shape is not None:
        input_shape = batch_input_shape[1:] if isinstance(batch_input_shape, (tuple, list)) else batch_input_shape
    elif input_dim is not None:
        input_shape = (input_dim,)
    if input_shape is None:
        return None
    if not isinstance(input_shape, (tuple, list)) or not input_shape or not all(
            isinstance(d, (int, np.integer)) and d > 0 for d in input_shape):
        raise ValueError(f"{name}: input_shape must be a tuple of whole numbers above zero, such as (784,), "
                         f"without the number of samples; got {input_shape!r}.")
    return (None, *map(int, input_shape))


def _named(shape):
    """A batch shape as people write it.

    >>> _named((None, 784))
    '(N, 784)'
    """
    return f"({', '.join('N' if d is None else str(d) for d in shape)}{',' if len(shape) == 1 else ''})"
