"""Sequential: a stack of layers, each of which reads the output of the one before it."""
from __future__ import annotations

import json

from tinynet import layers
from tinynet.backend import kernels, unique_name
from tinynet.chain import build_stack
from tinynet.layers import Input, InputLayer, Layer      # noqa: F401: Keras has Input here too
from tinynet.fused_layers import fuse
from tinynet.nested import ModelTensors, Nested, as_layer
from tinynet.parameters import Parameter
from tinynet.registry import class_name
from tinynet.saving import file_format, model_file
from tinynet.training.model import Model
from tinynet.training.strategy import between_batches
from tinynet.types import Any, Array, Config, Function, Objects, Path, Shape
from tinynet.utils import print_summary
from tinynet.validation import (check_batch_shape, check_declared, check_first, check_layer_index, check_weight_list,
                                reject_renamed, reject_used)

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_config", "model_from_json", "save_model"]


class Sequential(ModelTensors, Model):
    """y = layer_n(... layer_2(layer_1(x)))

    Parameters
        layers: a list of layers, or None to add them one by one.
        name: "sequential_1", "sequential_2" ... by default.

    If the first layer has an input_shape (or input_dim), the weights are made at once, else by the first data.

    Raises TypeError for anything but a Layer, ValueError for a layer or a name that is in the model already.

    Source: keras/engine/sequential.py of Keras 2.3.1.

    >>> from tinynet.layers import Dense
    >>> model = Sequential([Dense(512, activation="relu", input_shape=(784,)), Dense(10, activation="softmax")])
    >>> model.count_params()
    407050
    """

    def __init__(self, layers: Any = None, name: str | None = None):
        self.name: str = name or unique_name(type(self).__name__)
        self._layers: list[Any] = []
        self._stacks: list[list[Layer]] = []    # of each layer: itself and its activation, or the layers inside it
        self.stack: Any = []
        self._declared = None                   # the shape of an InputLayer
        if isinstance(layers, Layer):
            raise TypeError(f"Sequential expects a list of layers, got {layers!r}. Put it in brackets.")
        self._extend(layers or [])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.layers!r}, name={self.name!r})"

    @property
    def layers(self) -> list[Layer]:
        """A list of the layers as they were added; `add` and `pop` change the model."""
        return list(self._layers)

    # The list of layers

    def add(self, layer: Any) -> None:
        """Add a layer at the end.  Raises RuntimeError for a model that is a part of another one."""
        self._check_alone()
        self._extend([layer])

    def _extend(self, layers):
        used = {*map(id, self.layers), *map(id, self.flat_stack()), *(layer.name for layer in self.layers)}
        for layer in map(as_layer, layers):
            if not isinstance(layer, (Layer, Nested)):
                raise TypeError(f"The added layer must be an instance of class Layer. Found: {layer!r}")
            reject_renamed(layer, chain="stack")
            if isinstance(layer, InputLayer):
                self._declare(layer)
                continue
            stack = layer.stack()
            reject_used(layer, stack, used, self.name)
            if not self._stacks and self._declared:
                check_declared(layer, self._declared)
                layer.batch_input_shape = self._declared
            shape = self.output_shape if self._stacks else layer.batch_input_shape or layer.input_shape
            if shape is not None:
                build_stack(stack, shape)
            self._layers.append(layer)
            self._stacks.append(stack)
        self._join()

    def _declare(self, layer):
        """Take the shape of the samples from an InputLayer."""
        check_first(layer, self.name, bool(self._stacks or self._declared))
        self._declared = layer.batch_input_shape

    def pop(self) -> None:
        """Remove the last layer.  Raises TypeError if there is none, RuntimeError like `add`."""
        self._check_alone()
        if not self.layers:
            raise TypeError("There are no layers in the model.")
        self._layers.pop()
        self._stacks.pop()
        self._join()

    def _join(self):
        stack = self.flat_stack()
        self.stack = fuse(stack) if kernels.fusing_pays() else stack
        self._link()

    def flat_stack(self) -> list[Layer]:
        """The layers that run, in order, those that are arguments of others among them."""
        return [layer for stack in self._stacks for layer in stack]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this index.  Raises ValueError if there is none."""
        if index is not None:
            check_layer_index(index, self)
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
    def input_shape(self) -> Any:
        """The shape of a batch of inputs, (None, ...); None before the model is built."""
        return self._stacks[0][0].input_shape if self._stacks else None

    @property
    def output_shape(self) -> Any:
        """The shape of a batch of outputs, (None, ...); None before the model is built."""
        return self._stacks[-1][-1].output_shape if self._stacks else None

    def build(self, input_shape: Shape | None = None) -> None:
        """Make the weights for batches of this shape, such as (None, 784)."""
        if input_shape is None:
            if not self.built:
                raise ValueError("Input shape must be defined when calling build on an unbuilt model: "
                                 "model.build((None, D)).")
            return
        check_batch_shape(input_shape)
        build_stack(self.flat_stack(), (None, *input_shape[1:]))
        self._link()

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the outputs for a batch of inputs of this shape."""
        if not isinstance(input_shape, (tuple, list)):
            raise ValueError(f"A batch's shape is a tuple such as (None, 784), got {input_shape!r}.")
        for layer in self.stack:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    # Weights

    @property
    def weights(self) -> list[Parameter]:
        """All parameters: those that training moves, then the others."""
        return self.trainable_weights + self.non_trainable_weights

    def count_params(self) -> int:
        """The number of elements of all parameters."""
        return sum(layer.count_params() for layer in self.layers)

    @between_batches
    def get_weights(self) -> list[Array]:
        """Copies of all parameters' values, layer by layer."""
        return [w for layer in self.layers for w in layer.get_weights()]

    @between_batches
    def set_weights(self, weights: Any) -> None:
        """Set the parameters to arrays, in the order of `get_weights()`.

        Raises ValueError, and changes nothing, if their number or a shape is not the model's.
        """
        parameters = [p for layer in self.layers for p in layer.parameters]
        check_weight_list("model", self.name, weights, len(parameters))
        rest, checked = iter(weights), list[Any]()
        for layer in self.layers:
            checked += layer.checked_weights([next(rest) for _ in layer.parameters])
        for p, w in zip(parameters, checked):
            p.value = w

    summary = print_summary

    # The layers as plain data

    def get_config(self) -> Config:
        """The layers as plain data, without weights and without the arguments of compile."""
        config = {"name": self.name, "layers": [layers.serialize(layer) for layer in self.layers]}
        return config | ({"build_input_shape": list(self.input_shape)} if self.built else {})

    @classmethod
    def from_config(cls, config: Config, custom_objects: Objects = None,
                    saved_weight: Function | None = None) -> Any:
        """A model of what `get_config` returned; saved_weight(layer, shape) gives its weights, by default new ones."""
        config = {"layers": config} if isinstance(config, list) else config
        if not isinstance(config, dict) or "layers" not in config:
            raise ValueError(f"{cls.__name__}.from_config expects what get_config returned, got {config!r}.")
        if "input_layers" in config and cls is Sequential:
            cls = cls.functional
        stack = [layers.deserialize(layer, {**NESTED, **(custom_objects or {})}) for layer in config["layers"]]
        for layer in stack:
            layer.saved_weight = saved_weight
        model = cls.of_layers(stack, config)
        model.trainable = config.get("trainable", True)
        if config.get("build_input_shape") and not model.built:
            model.build(config["build_input_shape"])
        for layer in stack:
            layer.saved_weight = None
        return model

    @classmethod
    def of_layers(cls, stack: list[Any], config: Config) -> Any:
        """A model of new layers."""
        return cls(stack, name=config.get("name"))

    def to_json(self, **options: Any) -> str:
        """`get_config` as JSON text, for `model_from_json`; options are those of json.dumps."""
        return json.dumps({"class_name": class_name(self), "config": self.get_config()}, **options)


NESTED = {"Sequential": Sequential, "Model": Sequential}     # by the name of their class in the config of another model


def load_model(filepath: Path, custom_objects: Objects = None, compile: bool = True) -> Sequential:
    """The model of a file of `save`, of Keras 2.3.1 (.h5) or of Keras 3 (.keras), ready to predict or train.

    Parameters
        custom_objects: {name: object} for classes and functions of your own; a file can name no others.
        compile: whether to compile it as it was, with the state of the optimizer (a new one, from a file of Keras).

    Raises ModelFileError, a ValueError, for a file that is damaged, of another format or newer. No file can run code.
    """
    return model_file.load(Sequential, filepath, custom_objects, compile)


save_model = Sequential.save


def model_from_json(text: str, custom_objects: Objects = None) -> Sequential:
    """A model of what `to_json` returned, with new weights.  Raises ValueError for another text.

    >>> from tinynet.layers import Dense
    >>> model_from_json(Sequential([Dense(2, input_dim=3)]).to_json()).count_params()
    8
    """
    return model_from_config(file_format.parse(text), custom_objects)


def model_from_config(config: Config, custom_objects: Objects = None) -> Sequential:
    """A model of {"class_name": "Sequential", "config": its get_config()}, with new weights."""
    if not isinstance(config, dict) or config.get("class_name") not in NESTED or "config" not in config:
        raise ValueError("model_from_json expects the text of a model's to_json().")
    return Sequential.from_config(config["config"], custom_objects)


def clone_model(model: Any) -> Sequential:
    """A model of the same layers with new weights.  Raises TypeError unless it is a Sequential or a chain."""
    if not isinstance(model, Sequential):
        raise TypeError(f"clone_model expects a Sequential, got {model!r}.")
    return Sequential.from_config(model.get_config())
