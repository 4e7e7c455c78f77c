"""Model(inputs, outputs): a chain of layers as a model, under Keras's functional interface."""
from __future__ import annotations

from tinynet import chain, layers
from tinynet.backend import unique_name
from tinynet.layers import InputLayer
from tinynet.models import Model, Sequential
from tinynet.nested import Nested
from tinynet.types import Any, Config


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

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None):
        tensors = chain.path(inputs, outputs)
        self._first, self._last = tensors[0], tensors[-1]
        own = [tensor.layer for tensor in tensors[1:]]
        if not own:
            raise ValueError("Model(inputs, outputs) needs a layer between the two.")
        self._input_layer = self._first.layer
        if not isinstance(self._input_layer, InputLayer):
            # The inputs are those of a Sequential, or what a layer returns: this model gets an InputLayer of its own.
            shape = self._first.shape
            self._input_layer = InputLayer(batch_input_shape=shape, name=f"{own[0].name}_input")
            chain.Tensor(self._input_layer, None, shape)
        self._input_layer.build_once(self._first.shape)
        super().__init__(own, name or unique_name("Model"))

    def __repr__(self) -> str:
        return f"<Model {self.name}: {', '.join(layer.name for layer in self.layers)}>"

    @property
    def layers(self) -> list[Any]:
        """A list of the layers: the InputLayer, then the others."""
        return [self._input_layer, *super().layers]

    @property
    def input_names(self) -> list[str]:
        """The name of the InputLayer, in a list."""
        return [self._input_layer.name]

    @property
    def input(self) -> Any:
        """The tensor of the inputs."""
        return self._first

    @property
    def output(self) -> Any:
        """The tensor of the outputs."""
        return self._last

    def _link(self):
        """The tensors are given."""

    def add(self, layer: Any) -> Any:
        """Raise TypeError: another model is made instead."""
        raise TypeError(f"A Model has no add: Model(model.input, layer(model.output)) has one layer more than "
                        f"{self.name}.")

    def pop(self) -> Any:
        """Raise TypeError: another model is made instead."""
        raise TypeError(f"A Model has no pop: Model(model.input, model.layers[-2].output) has one layer less than "
                        f"{self.name}.")

    def get_config(self) -> Config:
        """The layers as plain data, in Keras's format: each names the one that it reads."""
        # A model inside is called a second time in Keras, after its own making; so its node is number one.
        ends = [[layer.name, int(isinstance(layer, Nested)), 0] for layer in self.layers]
        entries = [{"name": layer.name, **layers.serialize(layer), "inbound_nodes": [[[*before, {}]]] if before else []}
                   for layer, before in zip(self.layers, [None, *ends])]
        return {"name": self.name, "layers": entries, "input_layers": ends[:1], "output_layers": ends[-1:]}

    @classmethod
    def of_layers(cls, stack: list[Any], config: Config) -> Any:
        """A model of new layers, in the order of a config."""
        by_name = {entry.get("name"): layer for entry, layer in zip(config["layers"], stack)}
        reads = {entry.get("name"): entry.get("inbound_nodes") for entry in config["layers"]}
        ends = [[entry[0] for entry in config.get(key, [])] for key in ("input_layers", "output_layers")]
        order = list(ends[1])
        while order and len(order) < len(stack) and [len(node) for node in reads.get(order[0]) or []] == [1]:
            order.insert(0, reads[order[0]][0][0][0])
        if sorted(order) != sorted(by_name) or ends != [order[:1], order[-1:]]:
            raise ValueError(f"The layers of {config.get('name')} are no chain. {chain.CHAINS}")
        x = y = chain.Tensor(by_name[order[0]], None, by_name[order[0]].batch_input_shape)
        for name in order[1:]:
            y = by_name[name](y)
        return cls(x, y, config.get("name"))


Model.functional = Functional
