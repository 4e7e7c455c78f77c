"""Matrix products: NumPy's, in blocks that all threads share, or cuBLAS's on a GPU."""
from __future__ import annotations

import os
from functools import cache

import numpy as np

from tinynet.device import cublas, threads
from tinynet.device.arrays import on_gpu, xp


def matmul(a, b, out):
    """out = a b

    On a CPU a kernel W (D, U) is cut by its rows in all three products: y = x W, dx = dy W^T and dW = x^T dy. So each
    row stays with one thread, in the cache of one core. Cutting by rows in one product and by columns in another makes
    each core fetch half of the weights from the other one, three times a step.

    Shapes: (N, D) (D, U) = (N, U), or with more axes before N.

    >>> xp.asarray(matmul(xp.ones((2, 3)), xp.ones((3, 2)), out=xp.empty((2, 2)))).tolist()
    [[3.0, 3.0], [3.0, 3.0]]
    """
    if a.shape[-1] != b.shape[0] or a.shape[0] != out.shape[0] or b.shape[1] != out.shape[-1]:
        raise ValueError(f"matmul: the product of {a.shape} and {b.shape} cannot be written to {out.shape}.")
    if on_gpu and not (out.flags.c_contiguous and out.dtype.char in cublas.GEMM):
        raise TypeError("matmul: out must be in C order, of float32, float64 or complex128, on a GPU, got "
                        f"{out.dtype}, strides {out.strides}.")
    if on_gpu:
        _gpu_matmul()(_operand(a, out.dtype), _operand(b, out.dtype), out=out.reshape(-1, out.shape[-1]))
        return out
    if out.ndim > 2:
        return xp.matmul(a, b, out=out)
    (rows, inner), columns = a.shape, b.shape[1]

    def blocks(length, most=16):    # of a tenth of a millisecond or longer
        return threads.split(length, rows * inner * columns, grain=20e6, most=most)

    if 0 < 4 * out.size <= b.size and b.flags.c_contiguous:     # y = x W: a sum over blocks of rows of W
        rows_of_w = blocks(inner, most=min(16, b.size // (2 * out.size)))
        sums = [out, *(xp.empty(out.shape, out.dtype) for _ in rows_of_w[1:])]
        threads.for_each(lambda i: xp.matmul(a[:, rows_of_w[i]], b[rows_of_w[i]], out=sums[i]), range(len(sums)))
        for part in sums[1:]:
            out += part
    elif rows >= columns:                                   # dW = x^T dy
        threads.for_each(lambda block: xp.matmul(a[block], b, out=out[block]), blocks(rows))
    else:                                                   # dx = dy W^T
        threads.for_each(lambda block: xp.matmul(a, b[:, block], out=out[:, block]), blocks(columns))
    return out


def _operand(array, dtype):
    """The array as a matrix that cuBLAS can read: of this type, in C order or the transpose of one that is."""
    array = xp.asarray(array, dtype)
    return (array if array.T.flags.c_contiguous else xp.ascontiguousarray(array)).reshape(-1, array.shape[-1])


@cache
def _gpu_matmul():
    """Products by tinynet's own cuBLAS handle; by CuPy, which no CUDA graph can capture, if cuBLAS is not found.

    TINYNET_TF32=1 lets the handle round to TF32.
    """
    try:
        library = cublas.load_library()
    except (OSError, RuntimeError):
        return xp.matmul
    workspace = xp.empty(cublas.WORKSPACE_BYTES, np.uint8)
    handle = cublas.Handle(library, workspace, tf32=os.environ.get("TINYNET_TF32") == "1")
    return lambda a, b, out: handle.matmul(a, b, out, xp.cuda.get_current_stream().ptr)
