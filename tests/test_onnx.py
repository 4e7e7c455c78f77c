"""A model as ONNX: onnxruntime predicts what tinynet predicts, to 1e-6, for every layer; PyTorch's weights are read."""
import os
from pathlib import Path

import numpy as np
import pytest

from tinynet import activations, backend, layers
from tinynet.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, Layer, ReLU, Reshape
from tinynet.models import Model, Sequential
from tinynet.saving import ModelFileError, onnx_format

INSTALL = 'is not installed: python -m pip install -e ".[interop]"'
pytest.importorskip("onnx", reason=f"onnx {INSTALL}")
runtime = pytest.importorskip("onnxruntime", reason=f"onnxruntime {INSTALL}")

CASES = {
    **{f"activation {function.__name__}": lambda function=function: [Dense(5, function)]
       for function in activations.ACTIVATIONS.values()},
    **{f"Activation {function.__name__}": lambda function=function: [Activation(function)]
       for function in activations.ACTIVATIONS.values()},
    "Dense without b": lambda: [Dense(5, use_bias=False)],
    "LeakyReLU as activation": lambda: [Dense(5, activation=layers.LeakyReLU(0.1))],
    "BatchNormalization": lambda: [BatchNormalization()],
    "BatchNormalization of axis 1": lambda: [BatchNormalization(axis=1)],
    "BatchNormalization without scale": lambda: [BatchNormalization(scale=False)],
    "BatchNormalization without center": lambda: [BatchNormalization(center=False)],
    "LeakyReLU": lambda: [layers.LeakyReLU(0.2)],
    "PReLU": lambda: [layers.PReLU("random_uniform")],
    "PReLU shared": lambda: [layers.PReLU("random_uniform", shared_axes=[1])],
    "ELU": lambda: [layers.ELU(0.7)],
    "ThresholdedReLU": lambda: [layers.ThresholdedReLU(0.4)],
    "ReLU": lambda: [ReLU()], "ReLU with a limit": lambda: [ReLU(max_value=0.8)],
    "ReLU leaking": lambda: [ReLU(negative_slope=0.3)],
    "ReLU of all": lambda: [ReLU(0.9, 0.2, 0.3)], "ReLU from below": lambda: [ReLU(0.5, 0.1, -0.3)],
    "Softmax": lambda: [layers.Softmax()], "Softmax of axis 1": lambda: [layers.Softmax(axis=1)],
    "Flatten": lambda: [Flatten()], "Reshape": lambda: [Reshape((2, -1))],
    "what works in training only": lambda: [Dropout(0.5), layers.GaussianNoise(1), layers.GaussianDropout(0.5),
                                            layers.AlphaDropout(0.5), layers.ActivityRegularization(l2=1)],
    "a model inside": lambda: [Sequential([Dense(4, "relu"), Sequential([Dense(3, "tanh")])]), Dense(2)],
}


def difference(model, x, path):
    """The largest difference between what onnxruntime and tinynet predict, for all samples and for one."""
    model.export(path)
    session = runtime.InferenceSession(path)
    given, = session.get_inputs()
    found = session.run(None, {given.name: x})[0]
    assert session.run(None, {given.name: x[:1]})[0].shape == model.predict(x[:1]).shape
    assert found.dtype == model.predict(x).dtype
    return np.abs(found - model.predict(x)).max()


def trained(stack, shape):
    """A model that has taken some steps, so that running means are not 0 and 1."""
    model = Sequential([layers.InputLayer(input_shape=shape), *stack])
    model.compile("sgd", "mse")
    x = np.random.RandomState(0).uniform(-1, 1, (32, *shape)).astype("float32")
    model.fit(x, np.zeros((32, *model.output_shape[1:])), epochs=3, verbose=0)
    return model, x


@pytest.mark.parametrize("shape", [(6,), (3, 4)], ids=["vectors", "matrices"])
@pytest.mark.parametrize("case", CASES)
def test_every_layer_predicts_the_same(case, shape, tmp_path):
    model, x = trained(CASES[case](), shape)
    assert difference(model, x, tmp_path / "model.onnx") < 1e-6


def test_every_layer_of_tinynet_is_tried():
    tried = {type(layer) for make in CASES.values() for layer in make()} | {layers.InputLayer}
    known = {getattr(layers, name) for name in layers.__all__ if isinstance(getattr(layers, name), type)}
    assert known - {Layer} <= tried
    assert set(onnx_format.ACTIVATIONS) == set(activations.ACTIVATIONS.values())


def test_the_tutorial_s_network_predicts_the_same(tmp_path):
    model = Sequential([Dense(512, activation="relu", input_shape=(784,)), BatchNormalization(), Dropout(0.2),
                        Dense(512, activation="relu"), Dense(10, activation="softmax")], name="digits")
    x = np.random.RandomState(0).random_sample((256, 784)).astype("float32")
    model.compile("rmsprop", "categorical_crossentropy")
    model.fit(x, np.eye(10)[np.arange(256) % 10], epochs=2, verbose=0)
    assert difference(model, x, tmp_path / "model.onnx") < 1e-6


@pytest.mark.parametrize("function", ["elu", "selu", "softplus", "softsign", "hard_sigmoid"])
def test_what_onnxruntime_has_in_float32_only_is_computed_in_it(function, tmp_path):
    backend.set_floatx("float64")
    try:
        model = Sequential([Dense(3, function, input_shape=(4,)), layers.ThresholdedReLU(0.1), layers.ELU(0.5)])
        assert difference(model, np.random.random_sample((5, 4)), tmp_path / "model.onnx") < 1e-6
    finally:
        backend.set_floatx("float32")


@pytest.mark.parametrize("name", ["array_0", "array_1", "MatMul_0", "Add_1", "d_output"])
def test_any_name_of_the_inputs_is_possible(name, tmp_path):
    given = layers.Input((4,), name=name)
    model = Model(given, Dense(3, name="d")(given))
    assert difference(model, np.ones((2, 4), "f"), tmp_path / "model.onnx") < 1e-6


def test_names_and_types_are_the_model_s(tmp_path):
    backend.set_floatx("float64")
    try:
        model = Sequential([Dense(3, input_shape=(2,), name="first"), Dense(4, "tanh", name="last")])
        x = np.random.random_sample((5, 2))
        assert difference(model, x, tmp_path / "model.onnx") < 1e-14
    finally:
        backend.set_floatx("float32")
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    (given,), (output,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("first_input", "tensor(double)", ["N", 2])
    assert (output.name, output.shape) == ("last_output", ["N", 4])


def test_a_functional_chain_is_exported(tmp_path):
    given = layers.Input((4,))
    model = Model(given, Dense(2, "sigmoid")(Dense(3, "relu")(given)))
    assert difference(model, np.random.random_sample((5, 4)).astype("f"), tmp_path / "model.onnx") < 1e-6


def test_what_cannot_be_exported_is_an_error_and_an_earlier_file_stays(tmp_path, monkeypatch):
    class Mine(Layer):
        def forward(self, x, training=False):
            return x + 1

        def backward(self, dy):
            return dy

    class Doubled(Dense):
        def forward(self, x, training=False):
            return 2 * super().forward(x, training)
    path = tmp_path / "model.onnx"
    Sequential([Dense(2, input_dim=2)]).export(path)
    before = path.read_bytes()
    for layer in (Mine(input_shape=(2,)), Doubled(2, input_shape=(2,))):
        with pytest.raises(ValueError, match=f"is a {type(layer).__name__}, which tinynet cannot write as ONNX"):
            Sequential([layer]).export(path)
    with pytest.raises(ValueError, match="has no weights yet"):
        Sequential([Dense(2)]).export(path)
    with pytest.raises(FileExistsError):
        Sequential([Dense(2, input_dim=2)]).export(path, overwrite=False)
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ImportError, match=r'model.export needs onnx: python -m pip install "tinynet-backprop\[onnx\]"'):
        Sequential([Dense(2, input_dim=2)]).export(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["model.onnx"]


def test_a_subclass_that_computes_the_same_is_exported(tmp_path):
    class Hidden(Dense):
        """A Dense of 3 units."""

        def __init__(self, **options):
            super().__init__(3, **options)
    model = Sequential([Hidden(input_shape=(2,))])
    assert difference(model, np.ones((4, 2), "f"), tmp_path / "model.onnx") < 1e-6


def test_weights_of_pytorch_are_read_by_two_lines(tmp_path, monkeypatch):
    """Its kernels are (U, D), and its names those of a Sequential of Linear, ReLU, Linear."""
    from safetensors.numpy import save_file
    chance = np.random.RandomState(0)
    w1, b1, w2, b2 = (chance.standard_normal(shape).astype("f") for shape in ((5, 4), (5,), (3, 5), (3,)))
    path = tmp_path / "torch.safetensors"
    save_file({"0.weight": w1, "0.bias": b1, "2.weight": w2, "2.bias": b2}, path)
    model = Sequential([Dense(5, activation="relu", input_shape=(4,)), Dense(3)])
    readme = (Path(backend.__file__).parent / "README.md").read_text()
    lines = next(block for block in readme.split("```") if "0.weight" in block).removeprefix("python")
    monkeypatch.chdir(tmp_path)
    exec(lines, {"model": model})
    x = chance.standard_normal((6, 4)).astype("f")
    assert np.allclose(model.predict(x), np.maximum(x @ w1.T + b1, 0) @ w2.T + b2, atol=1e-5)
    with pytest.raises(ModelFileError, match="safetensors.numpy.load_file"):
        model.load_weights(path)
