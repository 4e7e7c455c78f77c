"""The GPU code is right as far as a machine without CuPy can tell.

Every CUDA text is compiled by NVIDIA's own compiler, NVRTC, which needs no GPU.  test_kernels.py and test_gpu.py run
it: on a real GPU, or on the real CuPy over a GPU that the CPU emulates (test_cudacpu.py).
"""
import ctypes
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinynet.device import cuda, kernels, optimizer_kernels
from tinynet.layers import Dense, Dropout, Flatten
from tinynet.fused_layers import DenseReluDropout, fuse
from tinynet.models import Sequential
from tinynet.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, Nadam, RMSprop

ROOT = Path(__file__).parents[1]
OPTIMIZERS = {"SGD": SGD(0.1), "momentum": SGD(0.1, momentum=0.9), "Nesterov": SGD(0.1, momentum=0.9, nesterov=True),
              "RMSprop": RMSprop(decay=0.1), "Adagrad": Adagrad(), "Adadelta": Adadelta(), "Adam": Adam(),
              "AMSgrad": Adam(amsgrad=True), "Adamax": Adamax(), "Nadam": Nadam()}
TEXTS = {"kernels": kernels.CUDA} | {
    name: kernels.CUDA + optimizer_kernels.source(optimizer) for name, optimizer in OPTIMIZERS.items()}
each_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
each_real = pytest.mark.parametrize("real", [np.float32, np.float64])


# NVRTC


@pytest.fixture(scope="module")
def nvrtc():
    """NVIDIA's compiler from the wheel nvidia-cuda-nvrtc, or a skipped test."""
    spec = importlib.util.find_spec("nvidia")
    found = [path for folder in (spec.submodule_search_locations if spec else None) or []
             for path in Path(folder).rglob("libnvrtc.so*")]
    if not found:
        pytest.skip('NVRTC is not installed: python -m pip install -e ".[cuda-compile]"')
    library = ctypes.CDLL(str(found[0]))
    if hasattr(library, "cudacpu_count"):
        pytest.skip("g++ stands in for NVRTC here; .ci/run runs this test in another environment")
    return library


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


# Layers that run as one


def test_fused_layers_train_like_separate_ones_bit_for_bit():
    def trained(as_one):
        np.random.seed(0)
        model = Sequential([Flatten(input_shape=(2, 4)), Dense(16, activation="relu"), Dropout(0.3),
                            Dense(16, activation="relu"), Dense(16, activation="relu", trainable=False),
                            Dense(4, activation="relu", use_bias=False), Dropout(0.3), Dense(3, activation="softmax")])
        separate = [layer for stack in model._stacks for layer in stack]
        model.stack = fuse(separate) if as_one else separate
        assert sum(type(layer) is DenseReluDropout for layer in model.stack) == (3 if as_one else 0)
        model.compile("rmsprop", "categorical_crossentropy")
        x, y = np.random.random((40, 2, 4)), np.eye(3)[np.arange(40) % 3]
        history = model.fit(x, y, batch_size=16, epochs=3, verbose=0, validation_data=(x, y)).history
        return history, model.get_weights()

    (history, weights), (expected, expected_weights) = trained(True), trained(False)
    assert history == expected
    assert all((a == b).all() for a, b in zip(weights, expected_weights))


# The choice


def import_tinynet(code="print(tinynet.backend.device_name())", **environment):
    """What a process prints that imports tinynet and runs the code."""
    return subprocess.run([sys.executable, "-c", f"import tinynet; {code}"], cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env=os.environ | environment).stdout


def test_the_backend_says_what_it_is():
    assert import_tinynet(TINYNET_BACKEND="numpy", TINYNET_THREADS="3") == "numpy on 3 CPU threads\n"
    assert import_tinynet(TINYNET_BACKEND="numpy", TINYNET_THREADS="1") == "numpy on 1 CPU thread\n"
    said = import_tinynet(TINYNET_BACKEND="cpu")
    assert "ValueError: Unknown TINYNET_BACKEND: cpu. Known: auto, cupy, numpy." in said


@pytest.mark.skipif(importlib.util.find_spec("cupy") is not None, reason="CuPy is installed here")
def test_without_cupy_the_default_is_numpy_and_asking_for_cupy_an_error():
    assert "numpy on" in import_tinynet(TINYNET_BACKEND="auto")
    said = import_tinynet(TINYNET_BACKEND="cupy")
    assert "TINYNET_BACKEND=cupy cannot be used, the package failed: No module named 'cupy'." in said
    assert 'pip install "tinynet-backprop[cuda12]"' in said
