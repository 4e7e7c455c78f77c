"""Chains of layers, each called on what the one before it returns: x = Input((784,)); y = Dense(10)(x)."""
from __future__ import annotations

from tinynet.types import Any, Shape

CHAINS = ("tinynet's functional models are chains, in which each layer reads the output of one other layer: no "
          "branches, no layer used twice in one model, no arithmetic between tensors. One stack of layers is enough to "
          "learn backprop; for more, use Keras or PyTorch.")


class Tensor:
    """What a layer returns when the model runs. It has a shape and no numbers.

    layer: which returns it; for the inputs of a model an InputLayer, or None.
    previous: the tensor that the layer was called on, None for the inputs of a model.
    shape: (None, ...), with None for the unknown number of samples.
    """

    def __init__(self, layer: Any, previous: Any, shape: Shape):
        self.previous = previous
        self.shape: Shape = tuple(shape)
        self.set_layer(layer)

    def set_layer(self, layer: Any) -> None:
        """Set the layer that returns this; of its first call the layer knows the tensor too."""
        self.layer = layer
        if layer is not None and layer._tensor is None:
            layer._tensor = self

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.set_layer(self.layer)

    def __repr__(self) -> str:
        return f"Tensor(shape={self.shape}, of {self.layer.name if self.layer else 'the inputs'})"

    @property
    def name(self) -> str:
        """The name of its layer."""
        return self.layer.name if self.layer else "inputs"

    @property
    def batch_input_shape(self) -> Shape:
        """`shape`, as of an InputLayer, which Input() returned before it returned a tensor."""
        return self.shape

    def get_shape(self) -> Shape:
        """`shape`, as a method."""
        return self.shape

    def _holds_no_numbers(self, *others, **options):
        raise TypeError(f"{self!r} holds no numbers yet. {CHAINS}")


for operator in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "neg", "pow", "matmul", "getitem",
                 "iter", "array", "float"):
    setattr(Tensor, f"__{operator}__", Tensor._holds_no_numbers)


class LayerTensors:
    """Adds y = layer(x) for tensors, and `input` and `output`, the tensors of the layer's first call."""

    name: str
    _tensor: Tensor | None = None

    def __call__(self: Any, x: Any) -> Any:
        """The tensor that this layer makes of another one; its weights are made at once.

        Raises TypeError for anything else, ValueError for several tensors.
        """
        x = only(x, f"{self.name} was called on")
        if not isinstance(x, Tensor):
            raise TypeError(f"{self.name} was called on {type(x).__name__}; it takes what Input() or another layer "
                            "returned. Arrays go through model.predict(x), or through layer.forward(x).")
        return Tensor(self, x, build_stack(self.stack(), x.shape))

    @property
    def output(self) -> Tensor:
        """What this layer returns, in the model that it was first used in."""
        if self._tensor is None:
            raise AttributeError(f"{self.name} has no inbound nodes: its output is known when it is part of a model "
                                 "whose shapes are known. Give the first layer an input_shape, or call model.build.")
        return self._tensor

    @property
    def input(self) -> Tensor:
        """What this layer is called on, in the model that it was first used in."""
        return self.output.previous or self.output


def build_stack(stack: list[Any], shape: Shape) -> Shape:
    """Build layers of which one reads the other, or none of them; the shape of what the last one returns."""
    unbuilt = [layer for layer in stack if not layer.built]
    try:
        for layer in stack:
            layer.build_once(shape)
            shape = layer.output_shape
    except BaseException:
        for layer in unbuilt:
            layer.unbuild()
        raise
    return shape


def first(tensor: Any) -> Tensor:
    """The inputs that a tensor comes from."""
    while tensor.previous is not None:
        tensor = tensor.previous
    return tensor


def only(things: Any, what: str) -> Any:
    """The single one of a list, or what is no list.  Raises ValueError for several."""
    if isinstance(things, (list, tuple)):
        if len(things) != 1:
            raise ValueError(f"{what} {len(things)} tensors. {CHAINS}")
        return things[0]
    return things


def through(layers: Any, stacks: list[Any]) -> Tensor:
    """The output of layers of which one reads the other, each with its stack; tensors are used again."""
    tensor = layers[0]._tensor.previous if layers[0]._tensor else None
    tensor = tensor or Tensor(None, None, layers[0].input_shape)
    for layer, stack in zip(layers, stacks):
        known = layer._tensor
        tensor = known if known and known.previous is tensor else Tensor(layer, tensor, stack[-1].output_shape)
    return tensor


def path(inputs: Any, outputs: Any) -> list[Tensor]:
    """All tensors from inputs to outputs.  Raises ValueError if outputs do not come from inputs."""
    inputs, outputs = only(inputs, "The inputs of a Model are"), only(outputs, "The outputs of a Model are")
    if not isinstance(inputs, Tensor) or not isinstance(outputs, Tensor):
        raise TypeError("Model(inputs, outputs) takes tensors: inputs what Input() returned, outputs what the last "
                        f"layer returned; got {inputs!r} and {outputs!r}.")
    found = [outputs]
    while found[0] is not inputs and found[0].previous is not None:
        found.insert(0, found[0].previous)
    if found[0] is not inputs:
        raise ValueError(f"Graph disconnected: {outputs!r} does not come from {inputs!r} but from {found[0]!r}.")
    return found
