"""The device of tests/cudacpu, if CuPy runs on it in this process, and how often it did what."""
import ctypes

from tinynet.backend import on_gpu, xp

_library = ctypes.CDLL("libcuda.so.1") if on_gpu else None
emulated = hasattr(_library, "cudacpu_count")
if emulated:
    _library.cudacpu_count.restype = ctypes.c_uint64
    if hasattr(ctypes.CDLL(None), "__asan_init"):
        xp.cuda.set_allocator(None)     # without a pool: only so the sanitizer knows where each array ends

WORK = ("synchronization", "allocation", "copy to device", "copy to host", "graph launch")


def counts():
    """{work: how often it was done}; of memory taken and copies, also by graphs, and of waiting for the device."""
    return {name: _library.cudacpu_count(name.encode()) for name in WORK}
