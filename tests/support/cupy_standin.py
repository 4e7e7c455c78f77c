"""A stand-in for CuPy on a machine without a GPU: stricter than the real one, and counting.

Its arrays refuse to meet NumPy's, to be converted without being asked, and every function that is not on a list here.
CUDA kernels run: the same text, compiled by g++ with a few definitions in front, one thread after the other.  A stream
that captures does no work but notes it, and a graph does what was noted.  `counts` tells how often a number was fetched
(sync), an array copied to the device (upload), and memory taken (allocation).

    export PYTHONPATH=tests/support TINYNET_STANDIN=1 TINYNET_BACKEND=cupy
    python -m pytest -p cupy_standin tests/test_training.py
"""
import ctypes
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import numpy as np

counts = dict.fromkeys(("sync", "upload", "allocation", "launch"), 0)


# Arrays


def host(value, what):
    """The NumPy array inside; anything of NumPy's own is refused."""
    if isinstance(value, ndarray):
        return value.inside
    if isinstance(value, np.ndarray):
        raise TypeError(f"a NumPy array met the device in {what}")
    if isinstance(value, (tuple, list)):
        return type(value)(host(v, what) for v in value)
    if isinstance(value, slice):
        return slice(*(host(v, what) for v in (value.start, value.stop, value.step)))
    return value


def fetched(what):
    """Note that the CPU waits for a number, which no captured work may do."""
    if Stream.capturing:
        raise RuntimeError(f"{what}: the current stream is capturing")
    counts["sync"] += 1


def do(work):
    """Do a piece of device work, or note it while a stream captures."""
    if Stream.capturing is not None:
        Stream.capturing.append(work)
        return
    with np.errstate(all="ignore"):         # a GPU does not warn
        work()


def fresh(compute, what):
    """A new device array (or a tuple of them) that holds what compute() returns."""
    with np.errstate(all="ignore"):
        result = compute()
    counts["allocation"] += 1
    device = ndarray(np.array(result))
    if Stream.capturing is not None:
        device.inside.fill(0)       # nothing has been computed yet
        do(lambda: np.copyto(device.inside, compute()))
    return device


class Memory:
    def __init__(self, pointer):
        self.ptr = pointer


class ndarray:
    __array_ufunc__ = None          # NumPy array + device array is a TypeError
    __hash__ = None                 # type: ignore[assignment]

    def __init__(self, inside):
        self.inside = inside

    shape = property(lambda self: self.inside.shape)
    dtype = property(lambda self: self.inside.dtype)
    size = property(lambda self: self.inside.size)
    ndim = property(lambda self: self.inside.ndim)
    itemsize = property(lambda self: self.inside.itemsize)
    strides = property(lambda self: self.inside.strides)
    flags = property(lambda self: self.inside.flags)
    data = property(lambda self: Memory(self.inside.ctypes.data))
    T = property(lambda self: self._view(self.inside.T))
    real = property(lambda self: self._view(self.inside.real))
    base = property(lambda self: getattr(self, "_base", None))

    def _view(self, inside):
        view = ndarray(inside)
        view._base = self if self.base is None else self.base
        return view

    def __len__(self):
        return len(self.inside)

    def __reduce__(self):
        return ndarray, (self.inside.copy(),)

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __iter__(self):
        raise TypeError("a loop over a device array fetches its numbers one by one")

    def _fetch(self, convert, what):
        fetched(what)
        return convert(self.inside)

    def __float__(self): return self._fetch(float, "float()")
    def __int__(self): return self._fetch(int, "int()")
    def __bool__(self): return self._fetch(bool, "bool()")
    def tolist(self): return self._fetch(np.ndarray.tolist, "tolist()")

    def get(self, out=None):
        return self._fetch(np.copy if out is None else lambda inside: np.copyto(out, inside), "get()")

    def set(self, array):
        if Stream.capturing is not None:
            raise RuntimeError("set: the current stream is capturing")
        if array.dtype != self.dtype or array.shape != self.shape:
            raise ValueError(f"set: {array.dtype} {array.shape} is not {self.dtype} {self.shape}")
        counts["upload"] += 1
        self.inside[...] = array

    def __getitem__(self, key):
        key = host(key, "indexing")
        simple = key if isinstance(key, tuple) else (key,)
        if all(k is None or k is Ellipsis or isinstance(k, (int, slice)) for k in simple):
            inside = self.inside[key]
            if not isinstance(inside, np.ndarray):      # a single number stays on the device, as a view of no axes
                inside = self.inside[(*simple, np.newaxis)].reshape(())
            return self._view(inside)
        if any(isinstance(k, np.ndarray) and k.dtype == bool for k in simple):
            fetched("indexing by a mask")
        return fresh(lambda: self.inside[key], "indexing")

    def __setitem__(self, key, value):
        key, value = host(key, "indexing"), host(value, "assignment")
        do(lambda: self.inside.__setitem__(key, value))

    def reshape(self, *shape): return self._view(self.inside.reshape(*shape))
    def ravel(self): return self._view(self.inside.reshape(-1))
    def view(self, dtype): return self._view(self.inside.view(dtype))
    def copy(self): return fresh(self.inside.copy, "copy")

    def astype(self, dtype, copy=True):
        return self if self.dtype == dtype and not copy else fresh(lambda: self.inside.astype(dtype), "astype")


def method(name):
    def call(self, *args, out=None, **kwargs):
        function = getattr(np.ndarray, name)
        if out is None:
            return fresh(lambda: function(self.inside, *args, **kwargs), name)
        do(lambda: function(self.inside, *args, out=out.inside, **kwargs))
        return out
    return call


def operator(name):
    def call(self, *others):
        others = host(others, name)
        function = getattr(np.ndarray, name)
        if name.startswith("__i") and name != "__invert__":
            do(lambda: function(self.inside, *others))
            return self
        return fresh(lambda: function(self.inside, *others), name)
    return call


for name in ("sum", "mean", "max", "min", "argmax", "argmin", "round", "all", "any"):
    setattr(ndarray, name, method(name))
for name in ("add", "sub", "mul", "truediv", "pow"):
    for prefix in ("", "r", "i"):
        setattr(ndarray, f"__{prefix}{name}__", operator(f"__{prefix}{name}__"))
for name in ("neg", "gt", "ge", "lt", "le", "eq", "ne", "and", "or", "invert"):
    setattr(ndarray, f"__{name}__", operator(f"__{name}__"))


# Functions

cupy = types.ModuleType("cupy")
cupy.ndarray = ndarray      # type: ignore[attr-defined]


def function(name):
    def call(*args, out=None, **kwargs):
        inside, numpy_function = host(args, name), getattr(np, name)
        if out is None:
            return fresh(lambda: numpy_function(*inside, **kwargs), name)
        do(lambda: numpy_function(*inside, out=host(out, name), **kwargs))
        return out
    return call


for name in ("positive", "maximum", "minimum", "exp", "log", "log1p", "sqrt", "square", "tanh", "sign", "add",
             "subtract", "multiply", "divide", "where", "clip", "take_along_axis", "isfinite", "abs", "expm1", "cos",
             "argsort"):
    setattr(cupy, name, function(name))
for name in ("zeros", "ones", "empty", "full", "arange", "zeros_like", "ones_like", "empty_like"):
    setattr(cupy, name, function(name))


def concatenate(arrays):
    inside = [array.inside for array in arrays]
    return fresh(lambda: np.concatenate(inside), "concatenate")


def matmul(*args, **kwargs):
    if Stream.capturing is not None:
        raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")
    return function("matmul")(*args, **kwargs)


def asarray(value, dtype=None):
    if isinstance(value, ndarray):
        return value if dtype is None or value.dtype == dtype else value.astype(dtype)
    if isinstance(value, (list, tuple)) and any(isinstance(v, ndarray) for v in value):
        raise TypeError("a list of device arrays is no array")
    if isinstance(value, (bool, int, float)) or getattr(value, "ndim", None) == 0:
        return fresh(lambda: np.array(value, dtype), "asarray")
    if Stream.capturing is not None:
        raise RuntimeError("asarray: the current stream is capturing")
    counts["upload"] += 1
    return ndarray(np.array(value, dtype))


def ascontiguousarray(value, dtype=None):
    value = asarray(value, dtype)
    return value if value.flags.c_contiguous else value.copy()


cupy.matmul, cupy.asarray, cupy.concatenate = matmul, asarray, concatenate     # type: ignore[attr-defined]
cupy.ascontiguousarray = ascontiguousarray      # type: ignore[attr-defined]
cupy.array = lambda value, dtype=None: asarray(value, dtype).copy()             # type: ignore[attr-defined]
cupy.asnumpy = lambda a: a.get() if isinstance(a, ndarray) else np.asarray(a)        # type: ignore[attr-defined]


# Streams and graphs


class Graph:
    def __init__(self, works):
        self.works = works

    def launch(self, stream):
        counts["launch"] += 1
        for work in self.works:
            work()


class Stream:
    capturing: "list | None" = None
    ptr = 7
    null: "Stream"

    def __init__(self, non_blocking=False):
        self.non_blocking = non_blocking

    def __enter__(self): return self
    def __exit__(self, *error): pass

    def synchronize(self):
        if Stream.capturing is not None:
            raise RuntimeError("synchronize: the current stream is capturing")

    def begin_capture(self):
        if not self.non_blocking:
            raise RuntimeError("cannot capture on the default stream")
        Stream.capturing = []

    def end_capture(self):
        works, Stream.capturing = Stream.capturing, None
        return Graph(works)


class Context:
    def __init__(self, *args): pass
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def malloc(self, size): pass


Stream.null = Stream()
cuda = types.SimpleNamespace(
    Stream=Stream, MemoryPool=Context, using_allocator=Context, get_current_stream=lambda: Stream.null,
    alloc_pinned_memory=bytearray, Device=lambda number: types.SimpleNamespace(use=lambda: None),
    runtime=types.SimpleNamespace(driverGetVersion=lambda: 13000, getDevice=lambda: 0, getDeviceCount=lambda: 1,
                                  getDeviceProperties=lambda device: {"name": b"a stand-in for a GPU"}))
cupy.cuda = cuda        # type: ignore[attr-defined]


# Kernels

SHIM = """
#include <algorithm>
#include <cmath>
using std::exp; using std::log; using std::max; using std::pow; using std::sqrt;
#define __global__
#define __device__ static
struct Place { long long x; };
static Place threadIdx, blockIdx, blockDim, gridDim;
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
"""
SCALARS = {"long long": np.int64, "u64": np.uint64, "unsigned": np.uint32, "double": np.float64, "bool": np.bool_}
built = Path(tempfile.mkdtemp(prefix="cupy-standin-"))


class RawModule:
    """A CUDA text as a library of this machine."""

    def __init__(self, code, options=()):
        self.real = np.float32 if "-DREAL=float" in options else np.float64
        self.parameters = {}
        text = SHIM + code
        for name, parameters in re.findall(r'extern "C" __global__ void (\w+)\(([^)]*)\)', code):
            split = [re.fullmatch(r"(?:const )?(\w+(?: long)?)(\*?) (\w+)", p.strip()) for p in parameters.split(",")]
            self.parameters[name] = [(p[1], bool(p[2])) for p in split if p]
            declared = ", ".join(p[0] for p in split if p)
            passed = ", ".join(p[3] for p in split if p)
            text += (f'extern "C" void run_{name}(long long grid, long long block, {declared}) {{\n'
                     "    gridDim.x = grid; blockDim.x = block;\n"
                     "    for (blockIdx.x = 0; blockIdx.x < grid; ++blockIdx.x)\n"
                     "        for (threadIdx.x = 0; threadIdx.x < block; ++threadIdx.x)\n"
                     f"            {name}({passed});\n}}\n")
        stem = built / hashlib.sha256((text + str(options)).encode()).hexdigest()[:16]
        stem.with_suffix(".cpp").write_text(text)
        real = "float" if self.real is np.float32 else "double"
        subprocess.run(["g++", "-O2", "-ffp-contract=off", "-shared", "-fPIC", f"-DREAL={real}", "-o",
                        f"{stem}.so", f"{stem}.cpp"], check=True)
        self.library = ctypes.CDLL(f"{stem}.so")

    def type_of(self, name):
        return np.dtype(self.real if name == "T" else SCALARS[name])

    def get_function(self, name):
        run = getattr(self.library, f"run_{name}")

        def launch(grid, block, arguments):
            assert len(arguments) == len(self.parameters[name]), f"{name} takes {self.parameters[name]}"
            passed, held = [ctypes.c_longlong(grid[0]), ctypes.c_longlong(block[0])], []
            for argument, (type_name, is_pointer) in zip(arguments, self.parameters[name]):
                expected = self.type_of(type_name)
                if is_pointer and isinstance(argument, ndarray):
                    assert argument.dtype == expected and argument.flags.c_contiguous, f"{name}: {type_name}*"
                    held.append(argument)
                    passed.append(ctypes.c_void_p(argument.data.ptr))
                elif is_pointer:
                    assert argument == 0 and argument.dtype == np.int64, f"{name}: only null is a pointer by itself"
                    passed.append(ctypes.c_void_p(None))
                else:
                    assert argument.dtype == expected, f"{name} expects {expected}, got {argument.dtype}"
                    passed.append(np.ctypeslib.as_ctypes_type(expected)(argument.item()))
            do(lambda: held and run(*passed))

        return launch


cupy.RawModule = RawModule      # type: ignore[attr-defined]


# cuBLAS


class CuBLAS:
    """The functions of libcublas that `tinynet.device.cublas` calls, on matrices stored by columns."""

    def cublasCreate_v2(self, handle): return 0
    def cublasSetMathMode(self, handle, mode): return 0

    def cublasSetStream_v2(self, handle, stream):
        self.workspace = None       # as the real one does
        return 0

    def cublasSetWorkspace_v2(self, handle, address, size):
        self.workspace = address
        return 0

    def gemm(self, real, op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        assert self.workspace.value and alpha._obj.value == 1 and beta._obj.value == 0

        def matrix(address, rows, columns, leading):
            flat = np.ctypeslib.as_array((real * (leading * columns)).from_address(address.value))
            return flat.reshape(columns, leading).T[:rows]

        def work():
            left = matrix(a, k, m, lda).T if op_a else matrix(a, m, k, lda)
            right = matrix(b, n, k, ldb).T if op_b else matrix(b, k, n, ldb)
            matrix(c, m, n, ldc)[...] = left @ right

        do(work)
        return 0

    def cublasSgemm_v2(self, handle, *args): return self.gemm(ctypes.c_float, *args)
    def cublasDgemm_v2(self, handle, *args): return self.gemm(ctypes.c_double, *args)


def install():
    """Take the place of CuPy and of cuBLAS in this process, before tinynet is imported."""
    if "cupy" in sys.modules or "tinynet" in sys.modules:
        raise RuntimeError("the stand-in comes too late: tinynet or the real CuPy is already there")
    sys.modules["cupy"] = cupy
    cupy.__spec__ = types.SimpleNamespace(name="cupy")      # type: ignore[assignment]
    from tinynet.device import cublas
    cublas.load_library = CuBLAS


if os.environ.get("TINYNET_STANDIN") == "1":
    install()
