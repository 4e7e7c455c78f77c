"""Matrix products on an NVIDIA GPU by cuBLAS, called through ctypes.

CuPy does not allow matrix products while a CUDA graph is captured; cuBLAS itself allows them.
"""
from __future__ import annotations

import ctypes

from tinynet.types import Any

Pointer = ctypes.c_void_p
NO, TRANSPOSED = 0, 1           # CUBLAS_OP_N and CUBLAS_OP_T
GEMM = {"f": "cublasSgemm_v2", "d": "cublasDgemm_v2", "D": "cublasZgemm_v2"}      # by the array's dtype.char
TF32 = 3                        # CUBLAS_TF32_TENSOR_OP_MATH in cublas_api.h
WORKSPACE_BYTES = 32 << 20      # what NVIDIA recommends for Hopper; given, so that no product allocates its own


def load_library() -> Any:
    """The cuBLAS library that CuPy uses.  Raises OSError if there is none."""
    try:
        from cuda import pathfinder
        return ctypes.CDLL(pathfinder.load_nvidia_dynamic_lib("cublas").abs_path)
    except ImportError:
        return ctypes.CDLL("libcublas.so")


class Handle:
    """A cuBLAS context with a workspace of its own.

    Parameters
        library: from `load_library`.
        workspace: a device array of WORKSPACE_BYTES, kept as long as the handle.
        tf32: round inputs to ten bits of mantissa and use the tensor cores; the error is about 3e-4.
    """

    def __init__(self, library: Any, workspace: Any, tf32: bool = False):
        self.library, self.workspace, self.stream = library, workspace, None
        self.handle: Any = ctypes.c_void_p()
        self._call("cublasCreate_v2", ctypes.byref(self.handle))
        if tf32:
            self._call("cublasSetMathMode", self.handle, TF32)

    def matmul(self, a: Any, b: Any, out: Any, stream: Any) -> Any:
        """out = a b, for 2-D arrays of one type with `data.ptr`, each C-contiguous or the transpose of one that is.

        cuBLAS stores matrices by columns, so an array that NumPy stores by rows is its own transpose there, and
        out = a b is computed as out^T = b^T a^T.
        """
        if stream != self.stream:
            self._call("cublasSetStream_v2", self.handle, Pointer(stream))
            # After the stream, because setting a stream resets the workspace.
            self._call("cublasSetWorkspace_v2", self.handle, Pointer(self.workspace.data.ptr),
                       ctypes.c_size_t(WORKSPACE_BYTES))
            self.stream = stream
        (m, n), k = out.shape, a.shape[1]
        number = (ctypes.c_float if out.dtype == "float32" else ctypes.c_double) * 2       # real, imaginary
        one, zero = number(1, 0), number(0, 0)
        (op_b, ld_b), (op_a, ld_a) = _layout(b), _layout(a)
        self._call(GEMM[out.dtype.char], self.handle, op_b, op_a, n, m, k, ctypes.byref(one), Pointer(b.data.ptr), ld_b,
                   Pointer(a.data.ptr), ld_a, ctypes.byref(zero), Pointer(out.data.ptr), n)
        return out

    def _call(self, name, *arguments):
        """Call a function of the library; ctypes passes a Python int as a C int."""
        status = getattr(self.library, name)(*arguments)
        if status:
            raise RuntimeError(f"{name} failed with status {status}; cublas_api.h lists what it means.")


def _layout(array):
    """How cuBLAS must read an array of rows: its operation and its leading dimension."""
    if array.flags.c_contiguous:
        return NO, max(array.shape[1], 1)
    return TRANSPOSED, max(array.shape[0], 1)
