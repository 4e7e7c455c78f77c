"""A model as a layer of another model, and the tensors that it has as a chain of layers."""
from __future__ import annotations

from typing import Any

from tinynet import chain
from tinynet.registry import Configurable, class_name


class Nested(chain.LayerTensors, Configurable):
    """y = model(x), as one of the layers of another model, which runs the layers of this one.

    It shares their weights, and is frozen when model.trainable is False. What is asked of it the model answers; it is
    another object than the model, unlike in Keras.
    """

    batch_input_shape: Any = None       # its first layer may have declared one
    input_shape = property(lambda self: self.model.input_shape)

    def __init__(self, model):
        self.model, self.keras_class = model, class_name(model)

    def __getattr__(self, name):
        if name.startswith("_") or name == "model":
            raise AttributeError(name)
        return getattr(self.model, name)

    @property
    def trainable(self) -> bool:
        """That of the model."""
        return self.model.trainable

    @trainable.setter
    def trainable(self, value):
        self.model.trainable = value

    def stack(self) -> list:
        """The layers that run for this one."""
        return self.model.flat_stack()

    @property
    def parameters(self) -> list:
        """Those of all layers, in order."""
        return [p for layer in self.model.layers for p in layer.parameters]

    @property
    def losses(self) -> list:
        """The penalties of its weights; those of activities belong to the layers that run."""
        return [penalty for layer in self.model.layers for penalty in layer.losses]

    def update_state(self):
        """The layers inside do."""

    def get_config(self):
        return self.model.get_config()


class ModelTensors:
    """What a model has as a chain: its inputs and outputs, as in Model(model.input, model.layers[1].output)."""

    name: str
    layers: Any
    predict: Any
    _output: chain.Tensor | None = None

    def _link(self: Any):
        """Find the tensors, now that the layers are known."""
        self._output = chain.through(self.layers, self._stacks) if self.built else None

    @property
    def input(self) -> chain.Tensor:
        """The inputs."""
        return chain.first(self.output)

    @property
    def output(self) -> chain.Tensor:
        """The outputs, to which another layer may be added: Model(model.input, Dense(10)(model.output))."""
        if self._output is None:
            self._link()
        if self._output is None:
            raise AttributeError(f"{self.name} has no inputs and outputs before its shapes are known: give the first "
                                 "layer an input_shape, or call model.build.")
        return self._output

    @property
    def input_names(self) -> list[str]:
        """The name that error messages give to the inputs, in a list."""
        return [f"{layer.name}_input" for layer in self.layers[:1]]

    def __call__(self, x):
        """The predictions for an array; for what `Input` or a layer returned, the output of this model as a layer."""
        return Nested(self)(x) if isinstance(chain.only(x, "A model is called on"), chain.Tensor) else self.predict(x)


def as_layer(thing):
    """What a model has as a layer for it: for Input() its InputLayer, for a model a `Nested`; else the thing itself."""
    if isinstance(thing, chain.Tensor) and thing.previous is None:
        return thing.layer
    return Nested(thing) if isinstance(thing, ModelTensors) else thing
