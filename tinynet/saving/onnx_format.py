"""A model as ONNX, for onnxruntime and other programs that only predict: a few nodes for each layer."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinynet import activations, layers
from tinynet.backend import to_numpy
from tinynet.types import Any, Function, Path
from tinynet.validation import check_built

OPSET, IR_VERSION = 17, 8       # ONNX 1.12 of 2022, which every current runtime reads
FLOAT32_ONLY = {"Elu", "Selu", "Softplus", "Softsign", "HardSigmoid", "ThresholdedRelu"}


def export(model: Any, filepath: Path, overwrite: bool = True) -> None:
    """Write the model as ONNX: what `predict` computes, for batches of any size.

    The graph has one input and one output, named as in the model, (N, ...) of the model's float type. It needs the
    package onnx; the file is checked by it, and then written like one of `save`. In a float64 model elu, selu,
    softplus, softsign, hard_sigmoid and ThresholdedReLU are computed in float32, since onnxruntime has no others.

    Raises ImportError without onnx, ValueError before the model is built and for a layer of your own, OSError if the
    file cannot be written.
    Source: operators of ONNX, opset 17.
    """
    check_built(model)
    model.strategy.write(filepath, encode(model), overwrite)


def encode(model: Any) -> bytes:
    """The model as the bytes of an ONNX file."""
    try:
        import onnx
    except ImportError:
        raise ImportError('model.export needs onnx: python -m pip install "tinynet-backprop[onnx]"') from None
    name = given = model.input_names[0]
    graph = Graph(onnx, model.dtype, {given})
    for layer in model.flat_stack():
        kind: Any = next((kind for kind in type(layer).__mro__ if kind in NODES), None)
        if kind is None or type(layer).forward is not kind.forward:
            raise ValueError(f"{layer.name} is a {type(layer).__name__}, which tinynet cannot write as ONNX: it can "
                             "write the layers of tinynet.layers.")
        name = NODES[kind](graph, layer, name)
    output = graph.add("Identity", name, output=f"{model.layers[-1].name}_output")
    kind_of_number = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(model.dtype))
    shapes = {given: model.input_shape, output: model.output_shape}
    ends = [onnx.helper.make_tensor_value_info(end, kind_of_number, ["N", *shape[1:]]) for end, shape in shapes.items()]
    made = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, model.name, ends[:1], ends[1:], graph.weights), producer_name="tinynet",
        opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


class Graph:
    """The nodes of a graph, and the arrays that they read."""

    def __init__(self, onnx: Any, dtype: Any, names: set[str]):
        self.onnx = onnx
        self.dtype = dtype
        self.names = names      # those in use
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node; returns the name of its output."""
        narrow = operator in FLOAT32_ONLY and self.dtype == np.float64
        if narrow:
            inputs = self.add("Cast", *inputs, to=self.onnx.TensorProto.FLOAT),
        output = self.unique(output or f"{operator}_{len(self.nodes)}")
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [output], **attributes))
        return self.add("Cast", output, to=self.onnx.TensorProto.DOUBLE) if narrow else output

    def unique(self, name: str) -> str:
        """This name, with a mark if another thing has it."""
        while name in self.names:
            name += "_"
        self.names.add(name)
        return name

    def add_array(self, values: Any, dtype: Any = None) -> str:
        """Keep an array; returns its name."""
        name = self.unique(f"array_{len(self.weights)}")
        array = np.ascontiguousarray(to_numpy(values), dtype=dtype or self.dtype)
        self.weights.append(self.onnx.numpy_helper.from_array(array.reshape(np.shape(values)), name))
        return name


def _dense(graph, layer, x):
    y = graph.add("MatMul", x, graph.add_array(layer.kernel.value))
    return graph.add("Add", y, graph.add_array(layer.bias.value)) if layer.use_bias else y


def _batch_normalization(graph, layer, x):
    """gamma (x - m) / sqrt(v + epsilon) + beta, as x a + b"""
    a = 1 / np.sqrt(to_numpy(layer.moving_variance.value).astype(float) + layer.epsilon)
    a = a * to_numpy(layer.gamma.value) if layer.scale else a
    b = -to_numpy(layer.moving_mean.value) * a + (to_numpy(layer.beta.value) if layer.center else 0)
    y = graph.add("Mul", x, graph.add_array(a.reshape(layer.lined_up[1:])))
    return graph.add("Add", y, graph.add_array(b.reshape(layer.lined_up[1:])))


def _relu(graph, layer, x):
    """x where x > threshold, clipped to [0, max_value], else negative_slope (x - threshold)"""
    threshold = graph.add_array(layer.threshold)
    y = x if layer.max_value is None else graph.add("Clip", x, graph.add_array(0), graph.add_array(layer.max_value))
    leak = activations.leak(layer.negative_slope, layer.max_value, layer.threshold)
    below = graph.add("Mul", graph.add("Sub", x, threshold), graph.add_array(leak))
    return graph.add("Where", graph.add("Greater", x, threshold), y, below)


def _reshaped(graph, layer, x):
    return graph.add("Reshape", x, graph.add_array([0, *layer.output_shape[1:]], np.int64))     # 0: the same N


def _nothing(graph, layer, x):
    return x


def _operator(name, **attributes) -> Callable[[Graph, Any, str], str]:
    """A node of one input; an attribute that is a text is the layer's attribute of this name."""
    return lambda graph, layer, x: graph.add(name, x, **{a: getattr(layer, of) if isinstance(of, str) else of
                                                         for a, of in attributes.items()})


ACTIVATIONS: dict[Function, Any] = {
    activations.linear: _nothing, activations.relu: _operator("Relu"), activations.sigmoid: _operator("Sigmoid"),
    activations.tanh: _operator("Tanh"), activations.softmax: _operator("Softmax", axis=-1),
    activations.selu: _operator("Selu", alpha=activations.SELU_ALPHA, gamma=activations.SELU_SCALE),
    activations.elu: _operator("Elu"),
    activations.softplus: _operator("Softplus"), activations.softsign: _operator("Softsign"),
    activations.hard_sigmoid: _operator("HardSigmoid", alpha=0.2, beta=0.5), activations.exponential: _operator("Exp")}

NODES: dict[type, Any] = {
    layers.Dense: _dense, layers.BatchNormalization: _batch_normalization, layers.ReLU: _relu,
    layers.Activation: lambda graph, layer, x: ACTIVATIONS[layer.activation](graph, layer, x),
    layers.Softmax: _operator("Softmax", axis="axis"), layers.ELU: _operator("Elu", alpha="alpha"),
    layers.LeakyReLU: _operator("LeakyRelu", alpha="alpha"),
    layers.ThresholdedReLU: _operator("ThresholdedRelu", alpha="theta"),
    layers.PReLU: lambda graph, layer, x: graph.add("PRelu", x, graph.add_array(layer.alpha.value)),
    layers.Flatten: _reshaped, layers.Reshape: _reshaped, layers.Dropout: _nothing, layers.GaussianNoise: _nothing,
    layers.GaussianDropout: _nothing, layers.AlphaDropout: _nothing, layers.ActivityRegularization: _nothing,
    layers.InputLayer: _nothing}
