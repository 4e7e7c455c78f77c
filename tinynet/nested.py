"""A model as a layer of another model, and the tensors that it has as a chain of layers."""
from __future__ import annotations

import threading
from collections.abc import Iterator

from tinynet import chain
from tinynet.device.threads import LOCKS, Lock
from tinynet.layers.base import Layer
from tinynet.registry import Configurable, class_name
from tinynet.types import Any, ArrayLike, Config


class Nested(chain.LayerTensors, Configurable):
    """y = model(x), as one of the layers of another model, which runs the layers of this one.

    It shares their weights, and is frozen when model.trainable is False. What is asked of it the model answers; it is
    another object than the model, unlike in Keras.
    """

    batch_input_shape: Any = None       # its first layer may have declared one
    input_shape = property(lambda self: self.model.input_shape)

    def __init__(self, model: Any):
        self.model, self.keras_class = model, class_name(model)
        vars(model)["_is_part"] = True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "model":
            raise AttributeError(name)
        return getattr(self.model, name)

    @property
    def trainable(self) -> bool:
        """That of the model."""
        return self.model.trainable

    @trainable.setter
    def trainable(self, value: Any) -> None:
        self.model.trainable = value

    def stack(self) -> list[Any]:
        """The layers that run for this one."""
        return self.model.flat_stack()

    @property
    def parameters(self) -> list[Any]:
        """Those that a gradient moves, layer by layer, then the others: Keras's order for a model inside a model."""
        own = [p for layer in self.model.layers for p in layer.parameters]
        return [p for p in own if p.trainable] + [p for p in own if not p.trainable]

    get_weights, set_weights, checked_weights = Layer.get_weights, Layer.set_weights, Layer.checked_weights

    @property
    def losses(self) -> list[Any]:
        """The penalties of its weights; those of activities belong to the layers that run."""
        return [penalty for layer in self.model.layers for penalty in layer.losses]

    def update_state(self) -> None:
        """The layers inside do."""

    def get_config(self) -> Config:
        return self.model.get_config() | ({} if self.trainable else {"trainable": False})


class ModelTensors:
    """What a model has as a chain: its inputs and outputs, as in Model(model.input, model.layers[1].output)."""

    name: str
    _output: chain.Tensor | None = None
    _is_part = False        # of another model

    def _link(self: Any):
        """Find the tensors, now that the layers are known."""
        if self._stacks:
            share_lock(self)
        self._output = chain.through(self.layers, self._stacks) if self.built else None

    def _check_alone(self):
        if self._is_part:
            raise RuntimeError(f"{self.name} is a part of another model, which would not notice: change its layers "
                               "before, or make a new model of them.")

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
    def input_names(self: Any) -> list[str]:
        """The name that error messages give to the inputs, in a list."""
        return [f"{layer.name}_input" for layer in self.layers[:1]]

    def _repr_html_(self) -> str:
        from tinynet import notebook        # here, because only notebooks need it
        return notebook.model_table(self)

    def __call__(self: Any, x: ArrayLike) -> Any:
        """The predictions for an array; for what `Input` or a layer returned, the output of this model as a layer."""
        return Nested(self)(x) if isinstance(chain.only(x, "A model is called on"), chain.Tensor) else self.predict(x)


def as_layer(thing: Any) -> Any:
    """What a model has as a layer for it: for Input() its InputLayer, for a model a `Nested`; else the thing itself."""
    if isinstance(thing, chain.Tensor) and thing.previous is None:
        return thing.layer
    return Nested(thing) if isinstance(thing, ModelTensors) else thing


def learning_layers(model: Any) -> Iterator[Any]:
    """The layers that training changes: those that are not frozen, nor in a model that is."""
    for layer in model.layers if model.trainable else []:
        if layer.trainable:
            yield from learning_layers(layer.model) if isinstance(layer, Nested) else [layer]


_sharing = threading.Lock()


def share_lock(model: Any) -> Lock:
    """The lock under which a model computes; models with a layer in common share it: a layer has one set of buffers."""
    with _sharing:
        layers = model.flat_stack()
        found = {LOCKS[layer]: None for layer in layers if layer in LOCKS}
        own = vars(model).get("_model_lock")
        lock = own if own in found else next(iter(found), None) or Lock()
        lock.shared = lock.shared or len(found) > 1 or bool(found) and own is not lock
        joined = [layer for layer, other in LOCKS.items() if other in found] if len(found) > 1 else []
        LOCKS.update(dict.fromkeys([*layers, *joined], lock))
        vars(model)["_model_lock"] = lock
        return lock
