"""Operations with two implementations: NumPy's here, and one kernel in kernels.c.

The kernel runs on a GPU, where CuPy would launch many, and on a CPU in recorded steps. Its numbers are NumPy's.
"""
from __future__ import annotations

from pathlib import Path

import numpy as np

from tinynet.device import compile, cuda, threads
from tinynet.device.arrays import on_gpu, xp
from tinynet.device.optimizer_kernels import formula, kernel_name, source
from tinynet.device.record import Recorded, recorded, tape
from tinynet.types import Any, Array, Function, Shape

CUDA = (Path(__file__).parent / "kernels.c").read_text()


def fusing_pays() -> bool:
    """Whether one operation in place of several saves time."""
    return on_gpu or bool(compile.compiler())


def by_kernel(array: Array) -> bool:
    """Whether a kernel computes with this array: on a GPU, and while a step is recorded."""
    return on_gpu or isinstance(array, Recorded) and bool(tape())


def launch(dtype: Any, name: str, number: int, *arguments: Any) -> None:
    """Run a kernel for T of this type: on a GPU in this number of threads; on a CPU it is noted, too."""
    if on_gpu:
        cuda.launch(CUDA, dtype, name, number, *arguments)
    else:
        tape().launch(dtype, name, arguments)


def _new(shape, dtype):
    """An array for the result of a kernel."""
    return xp.empty(shape, dtype) if on_gpu else recorded(np.empty(shape, dtype))


def gather(array: Array, order: Array | None, position: Array, size: int, buffer: Function) -> Array:
    """`size` samples of the array: order[position], order[position + 1] ...; without an order as they are.

    `position` is an array of one integer, on the device of the samples: a captured step reads it anew. The result is
    written to the array `buffer(size)`.
    """
    if by_kernel(position):
        out = buffer(size)
        real = np.dtype(f"f{array.itemsize}")       # integer classes are copied as if they were floats, bit by bit
        launch(real, "gather", 256 * size, array.view(real), order, position, out.view(real), array.size // len(array),
               size)
        return out
    start = int(position[0])
    if order is None:
        return array[start:start + size]
    # mode="clip" because the default first copies into a temporary array; the rows are known to be in range.
    return np.take(array, order[start:start + size], axis=0, out=buffer(size), mode="clip")


# Random numbers


def random_bits(seed: Any, step: Any, count: int, first: int = 0) -> Array:
    """`count` 64-bit integers, from number `first` on, of Philox 4x64-10's stream (seed, step), as NumPy draws them."""
    if not by_kernel(step):
        skip = first % 4        # each counter yields four numbers
        return np.random.Philox(key=seed, counter=[first // 4, 0, int(step[0]), 0]).random_raw(skip + count)[skip:]
    out, blocks = _new(count, np.uint64), count // 4 + 2
    launch(np.float32, "random_bits", blocks, out, step, np.uint64(seed), first, count, blocks)
    return out


def dropout_mask(seed: Any, step: Any, shape: Shape, rate: float, first: int = 0) -> Array:
    """True with probability 1 - rate (rounded to a multiple of 2**-16) for each element of the shape.

    Element i uses sixteen bits of number (first + i) // 4 of the Philox 4x64-10 stream (seed, step), as NumPy draws it,
    so masks are the same on every device. `step` is an array of one integer.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    size, threshold = int(np.prod(shape)), round(rate * 2**16)
    if not by_kernel(step):
        skip = first % 4        # sixteen bits decide as well as sixty-four and cost a quarter
        bits = random_bits(seed, step, -(-(skip + size) // 4), first // 4).view(np.uint16)[skip:skip + size]
        return (bits >= threshold).reshape(shape)
    out, blocks = _new(shape, bool), size // 16 + 2
    launch(np.float32, "dropout_mask", blocks, out, step, np.uint64(seed), np.uint32(threshold), first, size, blocks)
    return out


# Bias, relu and dropout between two products


def bias_relu_dropout(z: Array, bias: Array, seed: Any, step: Any, rate: float,
                      first: int = 0) -> Array:
    """z = m max(z + b, 0) / (1 - rate), in place, with m of `dropout_mask`; no dropout if the rate is 0."""
    if by_kernel(z) and z.dtype.kind == "f":        # a gradient check's numbers are complex
        # z may be float64 over weights of float32.
        launch(z.dtype, "bias_relu_dropout", 256 * len(z), z, bias.astype(z.dtype, copy=False), step, np.uint64(seed),
               np.uint32(round(rate * 2**16)), z.dtype.type(1 / (1 - rate)), first, z.shape[-1], z.size // z.shape[-1])
        return z
    z += bias
    np.maximum(z, 0, out=z)
    if rate:
        z *= np.multiply(dropout_mask(seed, step, z.shape, rate, first), 1 / (1 - rate), dtype=z.dtype)
    return z


def relu_dropout_backward(dy: Array, y: Array, rate: float) -> Array:
    """dz = dy / (1 - rate) where y > 0, else 0, written over dy: y is zero where relu or dropout cut it off."""
    if by_kernel(dy):
        if dy.shape != y.shape:
            raise ValueError(f"The gradient with respect to an output of shape {y.shape} has the shape {dy.shape}. "
                             "Does the backward of the next layer return dx in the shape of x?")
        launch(dy.dtype, "relu_dropout_backward", 256 * len(dy), dy, y, dy.dtype.type(1 / (1 - rate)), dy.shape[-1],
               dy.size // dy.shape[-1])
        return dy
    dy *= np.multiply(y > 0, 1 / (1 - rate), dtype=dy.dtype)
    return dy


def softmax_crossentropy(y_true: Array, z: Array) -> Array:
    """l = log(sum_c exp(z_c)) - sum_c t_c z_c: categorical_crossentropy of softmax(z), in which log and exp cancel.

    >>> softmax_crossentropy(xp.array([[0.0, 1.0]]), xp.array([[1000.0, 0.0]]))
    array([1000.])
    """
    if by_kernel(z) and z.ndim == 2 and z.dtype.kind == "f":
        losses, e = _new(len(z), z.dtype), _new(z.shape, z.dtype)
        y_true = y_true.astype(z.dtype, copy=False)
        launch(z.dtype, "softmax_crossentropy", len(z), y_true, z, e, losses, z.shape[1], len(z))
        return losses
    z = z - z.max(axis=-1, keepdims=True)
    return xp.log(xp.exp(z).sum(axis=-1)) - (y_true * z).sum(axis=-1)


def softmax_crossentropy_backward(y_true: Array, z: Array) -> Array:
    """dl/dz = softmax(z) - t"""
    if by_kernel(z) and z.ndim == 2:
        dz = _new(z.shape, z.dtype)
        y_true = y_true.astype(z.dtype, copy=False)
        launch(z.dtype, "softmax_crossentropy_backward", len(z), y_true, z, dz, z.shape[1], len(z))
        return dz
    p = xp.exp(z - z.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    return p - y_true


def optimizer_update(optimizer: Any, p: Array, g: Array, slots: list[Any]) -> None:
    """optimizer.step on the vectors p, g and slots: as one kernel on a GPU, as kernels while a step is recorded, else
    block by block."""
    text, constants = formula(optimizer) if by_kernel(p) else ("", [])
    lr = None if text else optimizer.learning_rate / (1 + optimizer.decay * optimizer.iterations)
    numbers = [optimizer.step_state, *(np.float64(getattr(optimizer, name)) for name in ("decay", *constants))]
    if text and on_gpu:
        cuda.launch(CUDA + source(optimizer), p.dtype, kernel_name(optimizer), p.size, p, g, *slots, *numbers, p.size)
    elif text:
        for begin, end, cut, pieces in tape().writers(g):       # each block by the thread that has it in its cache
            vectors = [v[begin:end] for v in (p, g, *slots)]
            tape().launch(p.dtype, kernel_name(optimizer), (*vectors, *numbers, end - begin), (cut, pieces))
    elif on_gpu:    # an optimizer that is written in xp alone
        optimizer.step(p, g, lr, *slots)
    else:
        threads.for_each(lambda block: optimizer.step(p[block], g[block], lr, *(slot[block] for slot in slots)),
                         threads.split(p.size, work=p.size, grain=2**18))
