"""Matrix products: NumPy's, in blocks that all threads share, or cuBLAS's on a GPU."""
from __future__ import annotations

import os
from functools import cache

import numpy as np

from tinynet.device import cublas, threads
from tinynet.device.arrays import on_gpu, xp
from tinynet.device.plan import MOST_PIECES, cost, cut_blocks, cut_rows
from tinynet.device.record import plain, tape
from tinynet.types import Array

LARGE_KERNEL = 2**19        # weights; measured on two cores with 1 MiB of cache each


def matmul(a: Array, b: Array, out: Array) -> Array:
    """out = a b

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
        batch = a.reshape(-1, a.shape[-1]), b, out.reshape(-1, out.shape[-1])
        matmul(*batch)
        return out
    a, b, result = plain(a), plain(b), plain(out)
    rows, columns = _cut(a, b)
    if rows:
        threads.for_each(lambda piece: xp.matmul(a[slice(*piece)], b, out=result[slice(*piece)]), rows)
    else:
        threads.for_each(lambda block: xp.matmul(a, b[:, block], out=result[:, block]), columns)
    if tape():
        tape().try_to(lambda tape: tape.product(
            [(a, b, result)] if rows else [(a, b[:, block], result[:, block]) for block in columns], rows))
    return out


def _cut(a, b):
    """(pieces of the rows of a b, None), or (None, blocks of its columns)

    By sizes alone, so that the bits do not depend on the number of threads. A large batch is cut by its rows in y = x W
    and dx = dy W^T, and so are the weights in dW = x^T dy: then a whole step needs two barriers. If the batch is small,
    or W so large that reading all of it for each part takes longer than a barrier, each thread takes columns.
    """
    (rows, inner), columns = a.shape, b.shape[1]
    if not a.flags.c_contiguous:
        return cut_blocks(rows, columns, inner), None
    if rows >= 512 or rows >= 128 and inner * columns < LARGE_KERNEL:
        return cut_rows(rows), None
    most = max(1, min(MOST_PIECES, columns // 128))
    return None, threads.split(columns, cost(rows, inner, columns), grain=4e6, most=most)


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
