"""Layer: the base class of all layers, and the contract that they keep."""
from __future__ import annotations

import math

import numpy as np

from tinynet import initializers, pickling
from tinynet.backend import floatx, to_numpy, unique_name, xp
from tinynet.chain import LayerTensors
from tinynet.parameters import Parameter
from tinynet.registry import Configurable
from tinynet.types import Any, Array, Config, Identifier, Shape
from tinynet.validation import (argument_names, check_drawn, check_same_shape, check_weight_list, check_weights_fit,
                                declared_shape, reject_unknown)


class Layer(LayerTensors, pickling.PickledLayer, Configurable):
    """y = f(x) forward; dx = dy f'(x) backward, where d + name is the gradient of the loss with respect to name.

    Your own layer defines `forward(x, training)` and `backward(dy)`; `build(input_shape)` if it has weights;
    `compute_output_shape(input_shape)` if the shape changes; `update_state()` if it keeps running statistics. Shapes
    begin with None, the unknown batch size. `get_config` reads each argument from the attribute of the same name. A
    layer inside your own is built in `build` and shares its parameters: self.parameters += inner.parameters.

    The contract
        1. forward never writes to its input, and changes nothing but what backward needs.
        2. forward's result is x, a view of x, or an array of the layer's own, valid until its next forward.
        3. backward(dy) may overwrite dy. It assigns the gradients of the parameters, `self.kernel.grad = ...`; they are
           never set to zero or accumulated, so a layer can be used only once in a model.
        4. backward follows a forward of the same batch, at most once.
        5. update_state follows backward in training, unless the layer is frozen.
        6. Arrays are C-contiguous and of floatx, converted where they enter the model and never inside a layer.
           Complex arrays pass through: f(x + ih) = f(x) + ih f'(x) differentiates forward without rounding error. So
           comparisons use x.real, which is x itself for real x.
        7. What forward leaves in `penalty` is added to the loss, and its gradient to dx. x may be a part of the batch,
           `batch_share` of its rows, and losses of parts are averaged: a penalty that is a sum is divided by that.

    Parameters of every layer
        name: unique within a model; "dense_1", "dense_2" ... by default.
        trainable: False freezes the weights; read when a model is compiled.
        input_shape: the shape of one sample, such as (784,), on the first layer of a model (Keras ignores a later
            layer's, and so does tinynet).
        input_dim: D, short for input_shape=(D,).
        batch_input_shape: (None, *input_shape); batches of any size are accepted all the same.
        weights: initial values, in the order of `get_weights()`.
        dtype: None or `floatx()`, the type of all layers.

    Raises TypeError for an argument that the layer does not have.

    >>> Layer(input_dim=3).batch_input_shape
    (None, 3)
    """

    def __init__(self, name: str | None = None, trainable: bool = True, input_shape: Shape | None = None,
                 input_dim: int | None = None, batch_input_shape: Shape | None = None, weights: Any = None,
                 dtype: Any = None, **unknown: Any):
        reject_unknown("Keyword argument not understood", type(self), unknown)
        if dtype not in (None, floatx()):
            raise ValueError(f"{type(self).__name__}: dtype must be {floatx()!r}, as in all layers, got {dtype!r}. "
                             f"Call tinynet.backend.set_floatx({dtype!r}) before the model is built.")
        self.name: str = name or unique_name(type(self).__name__)
        self.trainable = trainable
        self.batch_input_shape: Any = declared_shape(self.name, input_shape, input_dim, batch_input_shape)
        self.input_shape: Any = None        # of a batch; known, like output_shape, once the layer is built
        self.output_shape: Any = None
        self.parameters: list[Parameter] = []
        self.needs_dx = True        # False in the first layer with trainable weights: nothing reads its dx
        self.penalty: Any = 0       # the whole number: this layer has none
        self.batch_share: float = 1.0
        self.saved_weight: Any = None       # while a file is loaded: saved_weight(layer, shape), a new weight's value
        self._initial_weights = weights
        self._buffers: dict[str, np.ndarray] = {}

    # Your own layer defines

    def build(self, input_shape: Shape) -> None:
        """Create the parameters for inputs of this shape, by `add_weight`."""

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of a batch of outputs."""
        return input_shape

    def forward(self, x: Array, training: bool = False) -> Array:
        """y = f(x)"""
        raise NotImplementedError(f"{type(self).__name__} must define forward(x, training).")

    def backward(self, dy: Array) -> Array | None:
        """dx = dy f'(x); also assigns the gradient of every parameter to its `grad`."""
        raise NotImplementedError(f"{type(self).__name__} must define backward(dy).")

    def update_state(self) -> None:
        """Update running statistics from the last forward in training: called after backward, once a step.

        With several processes it is called for each shard of the batch, and the changes are averaged: so keep such
        state in `add_weight(..., trainable=False)`.
        """

    def stack(self) -> list[Layer]:
        """The layers that run for this one, in order: itself, and the activation that is its argument, if any."""
        return [self]

    # What every layer has

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the parameters exist."""
        return self.input_shape is not None

    def build_once(self, input_shape: Shape) -> None:
        """Build for this shape, unless already built; a model calls it first."""
        if self.built:
            return check_same_shape(self, input_shape)
        try:
            self.build(input_shape)
            if self._initial_weights is not None:
                self.set_weights(self._initial_weights)
            self.output_shape = tuple(self.compute_output_shape(input_shape))
        except BaseException:
            self.unbuild()
            raise
        self.input_shape = tuple(input_shape)
        pickling.remember(self)

    def unbuild(self) -> None:
        """Remove shapes and parameters."""
        self.input_shape = self.output_shape = None
        self.parameters = []

    def add_weight(self, name: str, shape: Any, initializer: Identifier = "glorot_uniform",
                   regularizer: Identifier = None, constraint: Identifier = None, trainable: bool = True) -> Parameter:
        """A new parameter of this shape, initialized by the initializer; the rest as in `Parameter`."""
        value = self._drawn(name, initializers.get(initializer), tuple(shape)) if self.saved_weight is None else (
            xp.array(self.saved_weight(self, tuple(shape)), dtype=floatx()))
        parameter = Parameter(f"{self.name}/{name}:0", value, regularizer, constraint, trainable)
        parameter.layer = self
        self.parameters.append(parameter)
        return parameter

    def _drawn(self, name, initializer, shape):
        value = to_numpy(initializer(shape))
        check_drawn(f"{self.name}: the initializer of {name}", value, shape)
        return xp.asarray(value, dtype=floatx())

    def buffer(self, name: str, shape: Shape, like: Array) -> np.ndarray:
        """An array of this shape, with the dtype of `like`, that the layer reuses from batch to batch.

        It is the beginning of the longest array of this name so far, so a short last batch allocates nothing.
        """
        size = math.prod(shape)
        memory = self._buffers.get(name)
        if memory is None or memory.size < size or memory.dtype != like.dtype:
            memory = self._buffers[name] = xp.empty_like(like, shape=size)
        return memory[:size].reshape(shape)

    @property
    def trainable_weights(self) -> list[Parameter]:
        """The trainable parameters, unless the layer is frozen."""
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
    def losses(self) -> list[Any]:
        """The penalty of each regularizer, as an array of one number."""
        return [p.regularizer(p.value) for p in self.parameters if p.regularizer is not None]

    def get_config(self) -> Config:
        """The arguments of this layer as plain data, without its weights."""
        shape = {} if self.batch_input_shape is None else {"batch_input_shape": list(self.batch_input_shape)}
        own = [name for name in argument_names(type(self)) if name not in argument_names(Layer)]
        return {"name": self.name, "trainable": self.trainable} | shape | self.config_of(own)

    def count_params(self) -> int:
        """The number of elements of all parameters."""
        return sum(p.value.size for p in self.parameters)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the parameters' values."""
        return [to_numpy(p.value) for p in self.parameters]

    def set_weights(self, weights: Any) -> None:
        """Set the parameters to `weights`, in the order of `get_weights()`.

        Raises ValueError, and changes nothing, if their number or a shape is not the layer's.
        """
        for p, w in zip(self.parameters, self.checked_weights(weights)):
            p.value = w

    def checked_weights(self, weights: Any) -> list[np.ndarray]:
        """The same weights as arrays, checked to fit."""
        check_weight_list("layer", self.name, weights, len(self.parameters))
        arrays = [to_numpy(w) for w in weights]
        check_weights_fit(self.parameters, arrays)
        return arrays
