"""On a GPU every CUDA kernel gives NumPy's numbers, bit for bit where no exp, log or pow is in it.

    python -m pytest -m gpu
"""
import copy

import numpy as np
import pytest
import emulator     # noqa: F401: sees to the memory for the address sanitizer
from test_cuda import OPTIMIZERS, each_real

from tinynet.backend import kernels, on_gpu, to_numpy, xp
from tinynet.parameters import Parameter, ParameterVector
from tinynet.random import MaskStream

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not on_gpu, reason="no GPU: tinynet computes with NumPy here")]

TAKES_POWERS = {"Adam", "AMSgrad", "Adamax", "Nadam"}       # of two libraries


def by_numpy(function, *arguments):
    """What NumPy's implementation of a kernel gives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "on_gpu", False)
        patch.setattr(kernels, "xp", np)
        patch.setattr("tinynet.random.xp", np)
        return function(*arguments)


@pytest.mark.parametrize("shape", [(3, 5), (128, 512), (1,), (4, 3, 7)])
@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.9999])
def test_masks_are_numpys(shape, rate):
    for seed, step in ((7, 0), (2**64 - 1, 3), (123456789012345, 10**12)):
        for first in (0, 7, 31, 160):
            mask = kernels.dropout_mask(seed, xp.asarray([step]), shape, rate, first)
            expected = by_numpy(kernels.dropout_mask, seed, np.array([step]), shape, rate, first)
            assert (to_numpy(mask) == expected).all()


def test_random_bits_are_numpys():
    for count, first in ((1, 0), (4, 0), (1001, 0), (1, 3), (3, 6), (1000, 41)):
        bits = to_numpy(kernels.random_bits(9, xp.asarray([5]), count, first))
        assert bits.dtype == np.uint64
        assert (bits == by_numpy(kernels.random_bits, 9, np.array([5]), count, first)).all()


def test_normal_numbers_are_those_of_a_cpu():
    expected = by_numpy(lambda: MaskStream(3).normal((33, 7), np.float64))
    assert to_numpy(MaskStream(3).normal((33, 7), np.float64)) == pytest.approx(expected, rel=1e-12)


@each_real
@pytest.mark.parametrize("rate", [0.0, 0.2])
def test_bias_relu_dropout_and_back(real, rate):
    z, bias, dy = (np.random.standard_normal(shape).astype(real) for shape in ((33, 50), (50,), (33, 50)))
    y = kernels.bias_relu_dropout(xp.asarray(z), xp.asarray(bias), 5, xp.asarray([2]), rate, 250)
    expected = by_numpy(kernels.bias_relu_dropout, z.copy(), bias, 5, np.array([2]), rate, 250)
    assert (to_numpy(y) == expected).all()
    assert (expected == 0).mean() > 0.4
    dz = kernels.relu_dropout_backward(xp.asarray(dy), y, rate)
    assert (to_numpy(dz) == by_numpy(kernels.relu_dropout_backward, dy.copy(), expected, rate)).all()


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="output of shape .3, 4. has the shape .6, 4.. Does the backward of the next"):
        kernels.relu_dropout_backward(xp.ones((6, 4)), xp.ones((3, 4)), 0.5)


@each_real
def test_softmax_crossentropy_and_back(real):
    z, y_true = (np.random.standard_normal((33, 10)) * 20).astype(real), np.eye(10, dtype=real)[np.arange(33) % 10]
    for function in (kernels.softmax_crossentropy, kernels.softmax_crossentropy_backward):
        result = to_numpy(function(xp.asarray(y_true), xp.asarray(z)))
        precision = 20 * float(np.finfo(real).eps)      # sums and exp of two libraries
        assert result == pytest.approx(by_numpy(function, y_true, z), rel=precision, abs=precision)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("order", [None, [4, 2, 0, 1, 3]])
def test_gather(dtype, order):
    array = np.arange(30).reshape(5, 2, 3).astype(dtype)
    batch = kernels.gather(xp.asarray(array), order and xp.asarray(order), xp.asarray([1]), 3,
                           lambda size: xp.empty((size, 2, 3), dtype))
    assert (to_numpy(batch) == array[(order or [0, 1, 2, 3, 4])[1:4]]).all()


@each_real
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_s_kernel_is_its_equation(name, real, monkeypatch):
    """After three steps p and every slot are those of `step`, bit for bit, but for Adam's rate and the like: powers."""
    gradients = [xp.asarray(np.random.standard_normal(1000).astype(real)) for _ in range(3)]
    start = np.random.standard_normal(1000).astype(real)

    def trained():
        optimizer, parameters = copy.deepcopy(OPTIMIZERS[name]), ParameterVector([Parameter("p", xp.asarray(start))])
        for g in gradients:
            parameters.grad[...] = g
            optimizer.update(parameters)
        return [to_numpy(a) for a in (parameters.value, *parameters.slots.values())]

    assert kernels.formula(OPTIMIZERS[name])[0]
    p, *slots = trained()
    monkeypatch.setattr(kernels, "formula", lambda optimizer: ("", []))
    expected, *expected_slots = trained()
    assert all((a == b).all() for a, b in zip(slots, expected_slots)) and not (expected == start).any()
    assert p == pytest.approx(expected, rel=8 * float(np.finfo(real).eps) if name in TAKES_POWERS else 0, abs=0)
