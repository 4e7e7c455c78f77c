"""The GPU code is right as far as a machine without a GPU can tell.

Three ways: every CUDA text is compiled by NVIDIA's own compiler, NVRTC, which needs no GPU; the same texts run here,
compiled by g++, and give NumPy's numbers bit for bit; and whole trainings run on a stand-in for CuPy (cupy_standin.py)
that refuses what CuPy refuses and counts what a GPU would wait for.  tests/test_gpu.py is for a real GPU.
"""
import copy
import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cupy_standin
import numpy as np
import pytest

from tinynet.device import cuda, kernels, optimizer_kernels
from tinynet.layers import Dense, Dropout, Flatten
from tinynet.layers.fused import DenseReluDropout, fuse
from tinynet.models import Sequential
from tinynet.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, Nadam, RMSprop
from tinynet.random import MaskStream

TESTS = Path(__file__).parent
OPTIMIZERS = {"SGD": SGD(0.1), "momentum": SGD(0.1, momentum=0.9), "Nesterov": SGD(0.1, momentum=0.9, nesterov=True),
              "RMSprop": RMSprop(decay=0.1), "Adagrad": Adagrad(), "Adadelta": Adadelta(), "Adam": Adam(),
              "AMSgrad": Adam(amsgrad=True), "Adamax": Adamax(), "Nadam": Nadam()}
TAKES_POWERS = {"Adam", "AMSgrad", "Adamax", "Nadam"}       # of two libraries
TEXTS = {"kernels": kernels.CUDA} | {
    name: kernels.CUDA + optimizer_kernels.source(optimizer) for name, optimizer in OPTIMIZERS.items()}
each_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
each_real = pytest.mark.parametrize("real", [np.float32, np.float64])
needs_gxx = pytest.mark.skipif(not shutil.which("g++"), reason="no g++ here, which runs the CUDA kernels on a CPU")


# NVRTC


@pytest.fixture(scope="module")
def nvrtc():
    """NVIDIA's compiler from the wheel nvidia-cuda-nvrtc, or a skipped test."""
    spec = importlib.util.find_spec("nvidia")
    found = [path for folder in (spec.submodule_search_locations if spec else None) or []
             for path in Path(folder).rglob("libnvrtc.so*")]
    if not found:
        pytest.skip('NVRTC is not installed: python -m pip install -e ".[cuda-compile]"')
    return ctypes.CDLL(str(found[0]))


def compile_log(nvrtc, text, *options):
    """What NVRTC has against a text; None if it compiles."""
    program = ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"text.cu", 0, None, None) == 0
    options = [option.encode() for option in options]
    if nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options)) == 0:
        return None
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    return log.value.decode()


@each_text
@each_real
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_every_cuda_text_compiles(nvrtc, text, real, architecture):
    assert compile_log(nvrtc, text, *cuda.options(real), f"--gpu-architecture={architecture}") is None


def test_a_wrong_cuda_text_does_not_compile(nvrtc):
    log = compile_log(nvrtc, kernels.CUDA.replace("> 0 ? scale", "> 0 ? scales"), *cuda.options(np.float32))
    assert 'identifier "scales" is undefined' in log


# The same texts on this machine's CPU


@pytest.fixture
def device(monkeypatch):
    """tinynet's kernels work on the stand-in's arrays: `device(array)` makes one."""
    cuda.compiled.cache_clear()
    for module in (kernels, cuda):
        monkeypatch.setattr(module, "xp", cupy_standin.cupy)
    monkeypatch.setattr(kernels, "on_gpu", True)
    yield cupy_standin.cupy.asarray
    cuda.compiled.cache_clear()


def on_cpu(function, *arguments):
    """What NumPy's body of a kernel gives."""
    kernels.on_gpu, kernels.xp = False, np
    try:
        return function(*arguments)
    finally:
        kernels.on_gpu, kernels.xp = True, cupy_standin.cupy


@needs_gxx
@pytest.mark.parametrize("shape", [(3, 5), (128, 512), (1,), (4, 3, 7)])
@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.9999])
def test_masks_are_numpys(device, shape, rate):
    for seed, step in ((7, 0), (2**64 - 1, 3), (123456789012345, 10**12)):
        for first in (0, 7, 31, 160):
            mask = kernels.dropout_mask(seed, device([step]), shape, rate, first)
            assert (mask.inside == on_cpu(kernels.dropout_mask, seed, np.array([step]), shape, rate, first)).all()


@needs_gxx
def test_random_bits_are_numpys(device):
    for count, first in ((1, 0), (4, 0), (1001, 0), (1, 3), (3, 6), (1000, 41)):
        bits = kernels.random_bits(9, device([5]), count, first)
        assert bits.inside.dtype == np.uint64
        assert (bits.inside == on_cpu(kernels.random_bits, 9, np.array([5]), count, first)).all()


@needs_gxx
def test_normal_numbers_are_those_of_a_cpu(device, monkeypatch):
    expected = on_cpu(MaskStream(3).normal, (33, 7), np.float64)
    monkeypatch.setattr("tinynet.random.xp", cupy_standin.cupy)
    assert MaskStream(3).normal((33, 7), np.float64).inside == pytest.approx(expected, rel=1e-12)


@needs_gxx
@each_real
@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_bias_relu_dropout_and_back(device, real, rate):
    z, bias, dy = (np.random.standard_normal(shape).astype(real) for shape in ((33, 50), (50,), (33, 50)))
    y = kernels.bias_relu_dropout(device(z), device(bias), 5, device([2]), rate, 250)
    expected = on_cpu(kernels.bias_relu_dropout, z.copy(), bias, 5, np.array([2]), rate, 250)
    assert (y.inside == expected).all()
    assert (expected == 0).mean() > 0.4
    dz = kernels.relu_dropout_backward(device(dy), y, rate)
    assert (dz.inside == on_cpu(kernels.relu_dropout_backward, dy.copy(), expected, rate)).all()


@needs_gxx
@each_real
def test_softmax_crossentropy_and_back(device, real):
    z, y_true = (np.random.standard_normal((33, 10)) * 20).astype(real), np.eye(10, dtype=real)[np.arange(33) % 10]
    for function in (kernels.softmax_crossentropy, kernels.softmax_crossentropy_backward):
        result = function(device(y_true), device(z)).inside
        precision = 20 * float(np.finfo(real).eps)      # sums and exp of two libraries
        assert result == pytest.approx(on_cpu(function, y_true, z), rel=precision, abs=precision)


@needs_gxx
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("order", [None, [4, 2, 0, 1, 3]])
def test_gather(device, dtype, order):
    array = np.arange(30).reshape(5, 2, 3).astype(dtype)
    batch = kernels.gather(device(array), order and device(order), device([1]), 3,
                           lambda size: cupy_standin.cupy.empty((size, 2, 3), dtype))
    assert (batch.inside == array[(order or [0, 1, 2, 3, 4])[1:4]]).all()


@needs_gxx
@each_real
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_s_kernel_is_its_equation(device, name, real):
    """After three steps p and every slot are NumPy's, bit for bit, but for Adam's rate and the like: powers."""
    optimizer, n = OPTIMIZERS[name], 1000
    p = np.random.standard_normal(n).astype(real)
    slots = [np.zeros(n, real) for _ in optimizer.slot_names]
    p_device, slots_device = device(p), [device(slot) for slot in slots]
    optimizer.step_state[1:] = [0, 1][:len(optimizer.step_state) - 1]       # the last is Nadam's schedule
    for step in range(3):
        g = np.random.standard_normal(n).astype(real)
        if name == "Nadam":
            optimizer.step_state[2:] *= optimizer._momentum(optimizer.step_state[1:2] + 1)
        twin = copy.copy(optimizer)
        twin.step_state = device(optimizer.step_state)
        kernels.optimizer_update(twin, p_device, device(g), slots_device)
        on_cpu(kernels.optimizer_update, optimizer, p, g, slots)
        optimizer.step_state[1] += 1
    assert all((a.inside == b).all() for a, b in zip(slots_device, slots))
    assert p_device.inside == pytest.approx(p, rel=8 * float(np.finfo(real).eps) if name in TAKES_POWERS else 0)


# Links that run as one


def test_fused_layers_train_like_separate_ones_bit_for_bit():
    def trained(as_one):
        np.random.seed(0)
        model = Sequential([Flatten(input_shape=(2, 4)), Dense(16, activation="relu"), Dropout(0.3),
                            Dense(16, activation="relu"), Dense(16, activation="relu", trainable=False),
                            Dense(4, activation="relu", use_bias=False), Dropout(0.3), Dense(3, activation="softmax")])
        if as_one:
            model.stack = fuse(model.stack)
            assert sum(type(layer) is DenseReluDropout for layer in model.stack) == 3
        model.compile("rmsprop", "categorical_crossentropy")
        x, y = np.random.random((40, 2, 4)), np.eye(3)[np.arange(40) % 3]
        history = model.fit(x, y, batch_size=16, epochs=3, verbose=0, validation_data=(x, y)).history
        return history, model.get_weights()

    (history, weights), (expected, expected_weights) = trained(True), trained(False)
    assert history == expected
    assert all((a == b).all() for a, b in zip(weights, expected_weights))


# Whole trainings on the stand-in


def run(*command, **environment):
    """A Python process in which CuPy is the stand-in."""
    path = os.pathsep.join(map(str, (TESTS, TESTS / "support", TESTS.parent)))
    ours = {"PYTHONPATH": path, "TINYNET_BACKEND": "cupy", "TINYNET_STANDIN": "1"}
    return subprocess.run([sys.executable, *command], cwd=TESTS.parent, capture_output=True, text=True, timeout=300,
                          env=os.environ | ours | environment)


@pytest.mark.slow
@needs_gxx
@pytest.mark.parametrize("name", ["test_training", "test_keras_parity", "test_optimizers", "test_errors", "test_gpu",
                                  "test_callbacks", "test_generators", "test_noise"])
def test_the_training_tests_pass_on_the_stand_in(name):
    result = run("-m", "pytest", "-p", "cupy_standin", "-p", "no:cacheprovider", f"tests/{name}.py")
    assert result.returncode == 0, result.stdout


COUNTING = """
import cupy_standin as standin
import numpy as np
from tinynet.callbacks import Callback
from tinynet.layers import Dense, Dropout
from tinynet.models import Sequential

class Count(Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.first = None
    def progress(self, means):
        self.first = self.first or dict(standin.counts)
        self.last = dict(standin.counts)
    def on_epoch_end(self, epoch, logs=None):
        print({name: self.last[name] - self.first[name] for name in self.first})

model = Sequential([Dense(16, activation="relu", input_shape=(8,)), Dropout(0.2), Dense(16, activation="relu"),
                    Dropout(0.2), Dense(3, activation="softmax")])
model.compile("OPTIMIZER", "categorical_crossentropy", metrics=METRICS)
model.fit(np.random.random((100, 8)), np.eye(3)[np.arange(100) % 3], batch_size=16, epochs=3, verbose=0,
          callbacks=[Count()])
"""


@needs_gxx
@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd", "adam", "nadam", "adadelta"])
def test_a_steady_epoch_waits_for_nothing_and_takes_no_memory(optimizer):
    result = run("-c", COUNTING.replace("OPTIMIZER", optimizer).replace("METRICS", "['accuracy', 'mse']"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "{'sync': 0, 'upload': 0, 'allocation': 0, 'launch': 6}"


@needs_gxx
def test_what_cannot_be_recorded_runs_step_by_step_and_says_why():
    metric = "[lambda y_true, y_pred: float(y_pred.sum()) + y_pred[:, 0]]"
    result = run("-c", COUNTING.replace("OPTIMIZER", "sgd").replace("METRICS", metric))
    assert result.returncode == 0, result.stderr
    assert ("tinynet runs this model without a CUDA graph: it cannot be captured. float(): the current stream is "
            "capturing") in result.stderr
    assert result.stderr.count("without a CUDA graph") == 1
    assert "'launch': 0" in result.stdout.splitlines()[-1]


# The choice


def test_the_backend_says_what_it_is():
    assert run("-c", "import tinynet", TINYNET_BACKEND="numpy", TINYNET_THREADS="3").stderr == (
        "tinynet computes with numpy on 3 CPU threads.\n")
    result = run("-c", "import tinynet", TINYNET_BACKEND="cpu")
    assert "ValueError: Unknown TINYNET_BACKEND: cpu. Known: auto, cupy, numpy." in result.stderr


@pytest.mark.skipif(importlib.util.find_spec("cupy") is not None, reason="CuPy is installed here")
def test_without_cupy_the_default_is_numpy_and_asking_for_cupy_an_error():
    assert "computes with numpy on" in run("-c", "import tinynet", TINYNET_BACKEND="auto").stderr
    result = run("-c", "import tinynet")
    assert "TINYNET_BACKEND=cupy cannot be used, the package failed: No module named 'cupy'." in result.stderr
    assert 'pip install "tinynet[cuda12]"' in result.stderr
