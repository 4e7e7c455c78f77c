"""The operations that have two bodies: NumPy's, and beside it one CUDA kernel, where CuPy would need many launches.

In the CUDA text T is float or double.  No thread waits for another, so the same text also runs on a CPU, where the
tests compare it with NumPy's body.  Nothing else that computes asks on which device it runs.
"""
from __future__ import annotations

import numpy as np

from tinynet import parallel
from tinynet.device import on_gpu, xp
from tinynet.cuda import HEAD, launch

__all__ = ["bias_relu_dropout", "gather", "keep", "move", "move_source", "relu_dropout_backward",
           "softmax_crossentropy", "softmax_crossentropy_backward", "words"]

CUDA = HEAD


def gather(array, order, position, size, buffer):
    """The next `size` samples of the array, from `position` on, as `order` lists them (None: as they are).

    `position` is an array of one whole number, which lives where the samples do: a recorded step reads it anew.
    `buffer(size)` is an array to write them to.
    """
    if on_gpu:
        out = buffer(size)
        real = np.dtype(f"f{array.itemsize}")       # class numbers are copied as if they were floats, bit by bit
        launch(CUDA, real, "gather", out.size, array.view(real), order, position, out.view(real),
               array.size // len(array), out.size)
        return out
    start = int(position[0])
    if order is None:
        return array[start:start + size]
    # mode="clip" because the default first copies into a scratch array; the rows are known to be in range.
    return np.take(array, order[start:start + size], axis=0, out=buffer(size), mode="clip")


CUDA += r"""
extern "C" __global__ void gather(const T* array, const long long* order, const long long* position, T* out,
                                  long long width, long long size) {
    for EACH(i, size) {
        long long row = position[0] + i / width;
        out[i] = array[(order ? order[row] : row) * width + i % width];
    }
}
"""


# Random numbers


def words(seed, step, count, first=0):
    """`count` 64-bit numbers, from number `first` on, of Philox 4x64-10's stream (seed, step), which is NumPy's own."""
    if not on_gpu:
        skip = first % 4        # a counter stands for four numbers
        return np.random.Philox(key=seed, counter=[first // 4, 0, int(step[0]), 0]).random_raw(skip + count)[skip:]
    out = xp.empty(count, np.uint64)
    launch(CUDA, np.float32, "words", count // 4 + 2, out, step, np.uint64(seed), first, count)
    return out


def keep(seed, step, shape, rate, first=0):
    """True with probability 1 - rate (rounded to a multiple of 2**-16) for each element of the shape.

    Element i takes sixteen bits of number (first + i) // 4 of Philox 4x64-10's stream (seed, step), which is NumPy's
    own, so masks are the same on every device.  `step` is an array of one whole number, which may live on the device.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    size, threshold = int(np.prod(shape)), round(rate * 2**16)
    if not on_gpu:
        skip = first % 4        # sixteen bits decide as well as sixty-four and cost a quarter
        bits = words(seed, step, -(-(skip + size) // 4), first // 4).view(np.uint16)[skip:skip + size]
        return (bits >= threshold).reshape(shape)
    out = xp.empty(shape, bool)
    launch(CUDA, np.float32, "keep", size // 16 + 2, out, step, np.uint64(seed), np.uint32(threshold), first, size)
    return out


CUDA += r"""
// Four 64-bit numbers: Philox 4x64-10 at counter (block + 1, 0, step, 0), as NumPy counts, under key (seed, 0).
__device__ void philox(long long block, u64 step, u64 seed, u64 words[4]) {
    u64 c0 = block + 1, c1 = 0, c2 = step, c3 = 0, k0 = seed, k1 = 0;
    for (int round = 0; round < 10; ++round) {
        u64 high0 = __umul64hi(0xD2E7470EE14C6C93ull, c0), low0 = 0xD2E7470EE14C6C93ull * c0;
        u64 high1 = __umul64hi(0xCA5A826395121157ull, c2), low1 = 0xCA5A826395121157ull * c2;
        c0 = high1 ^ c1 ^ k0; c1 = low1; c2 = high0 ^ c3 ^ k1; c3 = low0;
        k0 += 0x9E3779B97F4A7C15ull; k1 += 0xBB67AE8584CAA73Bull;
    }
    words[0] = c0; words[1] = c1; words[2] = c2; words[3] = c3;
}

__device__ unsigned bits(const u64 words[4], int j) { return (unsigned)(words[j / 4] >> (16 * (j % 4))) & 0xFFFF; }

extern "C" __global__ void words(u64* out, const long long* step, u64 seed, long long first, long long count) {
    for EACH(block, count / 4 + 2) {
        u64 four[4];
        philox(first / 4 + block, step[0], seed, four);
        long long i = block * 4 - first % 4;
        for (int j = 0; j < 4; ++j, ++i) if (0 <= i && i < count) out[i] = four[j];
    }
}

extern "C" __global__ void keep(bool* out, const long long* step, u64 seed, unsigned threshold, long long first,
                                long long size) {
    for EACH(block, size / 16 + 2) {
        u64 four[4];
        philox(first / 16 + block, step[0], seed, four);
        long long i = block * 16 - first % 16;
        for (int j = 0; j < 16; ++j, ++i) if (0 <= i && i < size) out[i] = bits(four, j) >= threshold;
    }
}
"""


# Bias, relu and dropout between two products


def bias_relu_dropout(z, bias, seed, step, rate, first=0):
    """z = m max(z + b, 0) / (1 - rate), in place; m is `keep`'s mask.  A rate of zero leaves out the dropout."""
    if on_gpu:
        launch(CUDA, z.dtype, "bias_relu_dropout", z.size // 16 + 2, z, bias, step, np.uint64(seed),
               np.uint32(round(rate * 2**16)), z.dtype.type(1 / (1 - rate)), z.shape[-1], first, z.size)
        return z
    z += bias
    np.maximum(z, 0, out=z)
    if rate:
        z *= np.multiply(keep(seed, step, z.shape, rate, first), 1 / (1 - rate), dtype=z.dtype)
    return z


CUDA += r"""
extern "C" __global__ void bias_relu_dropout(T* z, const T* bias, const long long* step, u64 seed, unsigned threshold,
                                             T scale, long long width, long long first, long long size) {
    for EACH(block, size / 16 + 2) {
        u64 four[4];
        if (threshold) philox(first / 16 + block, step[0], seed, four);
        long long i = block * 16 - first % 16;
        for (int j = 0; j < 16; ++j, ++i) if (0 <= i && i < size) {
            T y = z[i] + bias[i % width];
            z[i] = y > 0 && (!threshold || bits(four, j) >= threshold) ? y * scale : T(0);
        }
    }
}
"""


def relu_dropout_backward(dy, y, rate):
    """dz = dy / (1 - rate) where y > 0, else 0, written over dy: y is zero where relu or dropout cut it off."""
    if on_gpu:
        launch(CUDA, dy.dtype, "relu_dropout_backward", dy.size, dy, y, dy.dtype.type(1 / (1 - rate)), dy.size)
        return dy
    dy *= np.multiply(y > 0, 1 / (1 - rate), dtype=dy.dtype)
    return dy


CUDA += r"""
extern "C" __global__ void relu_dropout_backward(T* dy, const T* y, T scale, long long size) {
    for EACH(i, size) dy[i] = y[i] > 0 ? dy[i] * scale : T(0);
}
"""


def softmax_crossentropy(y_true, z):
    """l = log(sum_c exp(z_c)) - sum_c t_c z_c: categorical_crossentropy of softmax(z), where log and exp cancel.

    >>> softmax_crossentropy(xp.array([[0.0, 1.0]]), xp.array([[1000.0, 0.0]]))
    array([1000.])
    """
    if on_gpu and z.ndim == 2:
        losses = xp.empty(len(z), z.dtype)
        launch(CUDA, z.dtype, "softmax_crossentropy", len(z), y_true, z, losses, z.shape[1], len(z))
        return losses
    z = z - z.max(axis=-1, keepdims=True)
    return xp.log(xp.exp(z).sum(axis=-1)) - (y_true * z).sum(axis=-1)


CUDA += r"""
__device__ T row_max(const T* z, long long classes) {
    T largest = z[0];
    for (long long c = 1; c < classes; ++c) if (z[c] > largest) largest = z[c];
    return largest;
}

extern "C" __global__ void softmax_crossentropy(const T* y_true, const T* z, T* losses, long long classes,
                                                long long rows) {
    for EACH(row, rows) {
        const T *zs = z + row * classes, *ts = y_true + row * classes, largest = row_max(zs, classes);
        T sum = 0, dot = 0;
        for (long long c = 0; c < classes; ++c) {
            sum += exp(zs[c] - largest);
            dot += ts[c] * (zs[c] - largest);
        }
        losses[row] = log(sum) - dot;
    }
}
"""


def softmax_crossentropy_backward(y_true, z):
    """dl/dz = softmax(z) - t"""
    if on_gpu and z.ndim == 2:
        dz = xp.empty_like(z)
        launch(CUDA, z.dtype, "softmax_crossentropy_backward", len(z), y_true, z, dz, z.shape[1], len(z))
        return dz
    p = xp.exp(z - z.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    return p - y_true


CUDA += r"""
extern "C" __global__ void softmax_crossentropy_backward(const T* y_true, const T* z, T* dz, long long classes,
                                                         long long rows) {
    for EACH(row, rows) {
        const T *zs = z + row * classes, *ts = y_true + row * classes, largest = row_max(zs, classes);
        T *out = dz + row * classes, sum = 0;
        for (long long c = 0; c < classes; ++c) sum += out[c] = exp(zs[c] - largest);
        for (long long c = 0; c < classes; ++c) out[c] = out[c] / sum - ts[c];
    }
}
"""


def move(optimizer, p, g, slots):
    """optimizer.step on the vectors p, g and slots: block by block on a CPU, as one kernel of its `cuda` on a GPU."""
    if not on_gpu:
        lr = optimizer.learning_rate / (1 + optimizer.decay * optimizer.iterations)
        parallel.for_each(lambda block: optimizer.step(p[block], g[block], lr, *(slot[block] for slot in slots)),
                          parallel.split(p.size, work=p.size, grain=2**18))
    elif optimizer.cuda:
        constants = [getattr(optimizer, name) for name in ("decay", *optimizer.constants)]
        launch(move_source(optimizer), p.dtype, "move", p.size, p, g, *slots, optimizer.clock,
               *map(np.float64, constants), p.size)
    else:   # an optimizer that somebody wrote in xp alone
        optimizer.step(p, g, optimizer.learning_rate / (1 + optimizer.decay * optimizer.iterations), *slots)


def move_source(optimizer) -> str:
    """The CUDA kernel `move` made of `optimizer.cuda`, in which p, g and the slots are numbers of type T.

    lr and t = 1, 2, 3 ... come from the optimizer's clock on the device; its constants are doubles.
    """
    names = ["p", "g", *optimizer.slot_names]
    pointers = ", ".join(f"T* {name}_" for name in names)
    constants = "".join(f"double {name}, " for name in optimizer.constants)
    loads = " ".join(f"T {name} = {name}_[i];" for name in names)
    stores = " ".join(f"{name}_[i] = {name};" for name in names if name != "g")
    return CUDA + f"""
extern "C" __global__ void move({pointers}, const double* clock, double decay, {constants}long long size) {{
    T lr = T(clock[0] / (1 + decay * clock[1]));
    double t = clock[1] + 1;
    for EACH(i, size) {{
        {loads}
        {optimizer.cuda}
        {stores}
    }}
    (void)t;
}}
"""
