"""Sequential: a chain of layers, each reading what the one before it wrote.

It must not know how training goes; it inherits that from `Model`.
"""
from __future__ import annotations

from tinynet.backend import on_gpu, unique_name
from tinynet.layers import Layer
from tinynet.layers.fused import fuse
from tinynet.parameters import Parameter
from tinynet.training import Model

__all__ = ["Sequential"]


class Sequential(Model):
    """y = layer_n(... layer_2(layer_1(x)))

    Parameters
        layers: a list of layers, or None to add them one by one.
        name: "sequential_1", "sequential_2" ... by default.

    The first layer's input_shape (or input_dim) builds the weights at once; without it the first data does.

    Raises TypeError for what is not a Layer, ValueError for a layer or a name that is in the model already.

    Source: keras/engine/sequential.py of Keras 2.3.1.

    >>> from tinynet.layers import Dense
    >>> model = Sequential([Dense(512, activation="relu", input_shape=(784,)), Dense(10, activation="softmax")])
    >>> model.count_params()
    407050
    """

    def __init__(self, layers=None, name=None):
        self.name = name or unique_name(type(self).__name__)
        self._chains: list[list[Layer]] = []    # for each layer: itself, and its activation if any
        self.chain = []
        if isinstance(layers, Layer):
            raise TypeError(f"Sequential expects a list of layers, got {layers!r}. Put it in brackets.")
        for layer in layers or []:
            self.add(layer)

    def __repr__(self):
        return f"{type(self).__name__}({self.layers!r}, name={self.name!r})"

    @property
    def layers(self) -> list[Layer]:
        """The layers as they were added; a list of its own, so change the model by `add` and `pop`."""
        return [chain[0] for chain in self._chains]

    # The list of layers

    def add(self, layer):
        """Put one more layer at the end."""
        if not isinstance(layer, Layer):
            raise TypeError(f"The added layer must be an instance of class Layer. Found: {layer!r}")
        if any(layer is other for other in self.layers):
            raise ValueError(f"{layer.name} is in {self.name} already. A layer keeps what its backward needs, so it "
                             "stands once in a model: add another one.")
        if any(layer.name == other.name for other in self.layers):
            raise ValueError(f'The name "{layer.name}" is used 2 times in the model. All layer names should be unique.')
        shape = self.output_shape if self.layers else layer.batch_input_shape or layer.input_shape
        chain = layer.chain()
        if shape is not None:
            _build(chain, shape)
        self._chains.append(chain)
        self._link()

    def pop(self):
        """Take the last layer away.  Raises TypeError when there is none."""
        if not self.layers:
            raise TypeError("There are no layers in the model.")
        self._chains.pop()
        self._link()

    def _link(self):
        chain = [link for chain in self._chains for link in chain]
        self.chain = fuse(chain) if on_gpu else chain

    def get_layer(self, name=None, index=None) -> Layer:
        """The layer of this name, or at this place.  Raises ValueError when there is none."""
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"Was asked to retrieve layer at index {index}, but {self.name} has "
                                 f"{len(self.layers)} layers.")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"No such layer: {name}. {self.name} has: {', '.join(layer.name for layer in self.layers)}.")

    # Shapes

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the weights exist."""
        return bool(self.layers) and all(layer.built for layer in self.layers)

    @property
    def input_shape(self):
        """The shape of a batch of inputs, (None, ...); None before the model is built."""
        return self._chains[0][0].input_shape if self._chains else None

    @property
    def output_shape(self):
        """The shape of a batch of outputs, (None, ...); None before the model is built."""
        return self._chains[-1][-1].output_shape if self._chains else None

    def build(self, input_shape=None):
        """Create the weights for batches of this shape, such as (None, 784)."""
        if input_shape is None:
            if not self.built:
                raise ValueError("Input shape must be defined when calling build on an unbuilt model: "
                                 "model.build((None, D)).")
            return
        if not isinstance(input_shape, (tuple, list)) or len(input_shape) < 2:
            raise ValueError(f"build expects the shape of a batch, such as (None, 784), got {input_shape!r}.")
        for chain in self._chains:
            input_shape = _build(chain, input_shape)

    def memory(self):
        links = [link for chain in self._chains for link in chain]
        return super().memory() + [array for link in links for array in link._buffers.values()]

    def compute_output_shape(self, input_shape):
        """The shape of the outputs for a batch of inputs of this shape."""
        for link in self.chain:
            input_shape = link.compute_output_shape(input_shape)
        return input_shape

    # Weights

    @property
    def weights(self) -> list[Parameter]:
        """Every parameter, layer by layer."""
        return [p for layer in self.layers for p in layer.parameters]

    def count_params(self) -> int:
        """How many numbers the parameters hold."""
        return sum(layer.count_params() for layer in self.layers)

    def get_weights(self):
        """Copies of all parameters' values, layer by layer."""
        return [w for layer in self.layers for w in layer.get_weights()]

    def set_weights(self, weights):
        """Write arrays, in the order of `get_weights()`, into the parameters.

        Raises ValueError, and changes nothing, when their number or a shape is not the model's.
        """
        if not isinstance(weights, (list, tuple)) or len(weights) != len(self.weights):
            came = len(weights) if isinstance(weights, (list, tuple)) else type(weights).__name__
            raise ValueError(f'You called `set_weights(weights)` on model "{self.name}" with a weight list of length '
                             f"{came}, but the model was expecting {len(self.weights)} weights.")
        rest, checked = list(weights), []
        for layer in self.layers:
            count = len(layer.parameters)
            checked += layer.checked_weights(rest[:count])
            rest = rest[count:]
        for p, w in zip(self.weights, checked):
            p.value = w

    # The table

    def summary(self, line_length=None, positions=None, print_fn=None):
        """Print the layers, their output shapes and numbers of parameters, in the words and widths of Keras 2.3.1.

        Parameters
            line_length: 65 by default.
            positions: where the three columns end, as parts of it (or as columns, when the last is above 1).
            print_fn: called with each line; print by default.

        Raises ValueError before the model is built.
        """
        if not self.built:
            raise ValueError("This model has not yet been built. Build it first by calling build((None, D)) or fit() "
                             "with some data, or give the first layer an input_shape.")
        width, positions, print_fn = line_length or 65, positions or [0.45, 0.85, 1.0], print_fn or print
        ends = [int(width * p) for p in positions] if positions[-1] <= 1 else positions

        def row(*fields):
            line = ""
            for end, field in zip(ends, fields):
                line = line[:-1] + " " if line else line
                line = (line + str(field))[:end].ljust(end)
            print_fn(line)

        print_fn(f'Model: "{self.name}"')
        print_fn("_" * width)
        row("Layer (type)", "Output Shape", "Param #")
        print_fn("=" * width)
        for layer in self.layers:
            row(f"{layer.name} ({type(layer).__name__})", layer.output_shape, layer.count_params())
            print_fn(("=" if layer is self.layers[-1] else "_") * width)
        trainable = sum(layer.count_params() for layer in self.layers if self.trainable and layer.trainable)
        print_fn(f"Total params: {self.count_params():,}")
        print_fn(f"Trainable params: {trainable:,}")
        print_fn(f"Non-trainable params: {self.count_params() - trainable:,}")
        print_fn("_" * width)


def _build(chain, shape):
    """Build a layer's links one after the other; returns the shape of what comes out."""
    for link in chain:
        link.build_once(shape)
        shape = link.output_shape
    return shape
