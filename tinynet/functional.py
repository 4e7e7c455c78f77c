"""Model(inputs, outputs): a chain of layers as a model, under Keras's functional interface."""
from __future__ import annotations

from tinynet import chain, layers
from tinynet.backend import unique_name
from tinynet.layers import InputLayer
from tinynet.models import Model, Sequential


class Functional(Sequential):
    """The model of all layers from inputs to outputs: Model(x, y), with y = layer_n(... layer_1(x)).

    Parameters
        inputs: what `Input` returned, or the input of a model or layer.
        outputs: what the last layer returned. The layers between may be part of other models, and share their weights.
        name: "model_1", "model_2" ... by default.

    Raises ValueError for a graph that is no chain.

    Source: keras/engine/network.py of Keras 2.3.1.

    >>> from tinynet.layers import Dense, Input
    >>> x = Input((784,))
    >>> code = Dense(32, activation="relu")(x)
    >>> autoencoder, encoder = Model(x, Dense(784)(code)), Model(x, code)
    >>> encoder.count_params()
    25120
    """

    keras_class = "Model"

    def __init__(self, inputs, outputs, name=None):
        tensors = chain.path(inputs, outputs)
        self._first, self._last = tensors[0], tensors[-1]
        first = tensors[0]
        own = [tensor.layer for tensor in tensors[1:]]
        if not own:
            raise ValueError("Model(inputs, outputs) needs a layer between the two.")
        self._input_layer = first.layer
        if not isinstance(first.layer, InputLayer):
            self._input_layer = InputLayer(batch_input_shape=first.shape, name=f"{own[0].name}_input")
            (first if first.layer is None else chain.Tensor(None, None, first.shape)).give(self._input_layer)
        self._input_layer.build_once(first.shape)
        super().__init__(own, name or unique_name("Model"))

    def __repr__(self):
        return f"<Model {self.name}: {', '.join(layer.name for layer in self.layers)}>"

    @property
    def layers(self):
        """A list of the layers: the InputLayer, then the others."""
        return [self._input_layer, *super().layers]

    @property
    def input_names(self):
        """The name of the InputLayer, in a list."""
        return [self._input_layer.name]

    @property
    def input(self):
        """The tensor of the inputs."""
        return self._first

    @property
    def output(self):
        """The tensor of the outputs."""
        return self._last

    def _link(self):
        """The tensors are given."""

    def get_config(self):
        """The layers as plain data, in Keras's format: each names the one that it reads."""
        own, entries = self.layers, []
        for i, layer in enumerate(own):
            nodes = [[[own[i - 1].name, 0, 0, {}]]] if i else []
            entries.append({"name": layer.name, **layers.serialize(layer), "inbound_nodes": nodes})
        return {"name": self.name, "layers": entries, "input_layers": [[own[0].name, 0, 0]],
                "output_layers": [[own[-1].name, 0, 0]]}

    @classmethod
    def of_layers(cls, stack, config):
        """A model of new layers, in the order of a config."""
        by_name = {entry["name"]: layer for entry, layer in zip(config["layers"], stack)}
        reads = {entry["name"]: entry["inbound_nodes"] for entry in config["layers"]}
        (first, *_), = config["input_layers"]
        (name, *_), = config["output_layers"]
        order = [name]
        while order[0] != first and len(order) < len(stack) and [len(node) for node in reads[order[0]]] == [1]:
            order.insert(0, reads[order[0]][0][0][0])
        if order[0] != first or len(order) != len(stack):
            raise ValueError(f"The layers of {config.get('name')} are no chain. {chain.CHAINS}")
        shape = by_name[first].batch_input_shape
        x = y = chain.Tensor(by_name[first], None, shape)
        for name in order[1:]:
            y = by_name[name](y)
        return cls(x, y, config.get("name"))


Model.functional = Functional
