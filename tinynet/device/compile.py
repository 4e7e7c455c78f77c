"""The kernels for a CPU: compiled once by the C compiler that is found, and kept for later processes.

TINYNET_COMPILE is "auto", the default; "off"; or the path of a compiler. Without one NumPy does everything, with the
same bits. The library is kept in the user's cache folder (~/.cache/tinynet on Linux). TINYNET_VERBOSE=1 prints which
compiler is used, and why a step is not recorded.
"""
from __future__ import annotations

import ctypes
import os
import re
import struct
import sys
from functools import cache
from pathlib import Path

import numpy as np

from tinynet.device.optimizer_kernels import all_kernels
from tinynet.types import Any

HERE = Path(__file__).parent
# No fused multiply-add and no other order of sums: the numbers are NumPy's to the last bit.
FLAGS = ("-x", "c", "-std=gnu11", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
         "-fvisibility=hidden", "-fPIC", "-shared", "-lm")
REAL = {"float32": "float", "float64": "double"}
# For each type of a parameter: that of the array it points to, and how a number of it is packed into a 64-bit word
TYPES = {"long long": "int64", "u64": "uint64", "bool": "bool", "double": "float64"}
WORDS = {"long long": "<q", "u64": "<Q", "unsigned": "<Q", "double": "<d", "float": "<fxxxx"}


class Library:
    """The compiled kernels for T = float32 or float64.

    `address("call_" + name)` is the address of a kernel that takes its arguments as 64-bit words;
    `pack(name, arguments)` makes these words.
    """

    def __init__(self, path: Path, text: str, real: str):
        self.functions: Any = ctypes.CDLL(str(path))
        self.real: str = REAL[real]
        self.types: dict[str, str] = TYPES | {"T": real}
        self.parameters: dict[str, Any] = _kernels(text)
        exp, log = (loop_of(ufunc, np.dtype(real).char + "->" + np.dtype(real).char) for ufunc in (np.exp, np.log))
        self.functions.set_functions(*map(ctypes.c_uint64, (*exp, *log)))

    def address(self, name: str) -> int:
        """The address of a function of the library."""
        return ctypes.cast(getattr(self.functions, name), ctypes.c_void_p).value or 0

    def pack(self, name: str, arguments: list[Any]) -> bytes:
        """The arguments of a kernel as 64-bit words: arrays, None, or numbers.

        Raises TypeError for arrays that the kernel would misread.
        """
        return b"".join(self._word(name, kind, value) for kind, value in zip(
            self.parameters[name], arguments, strict=True))

    def _word(self, name, kind, value):
        if "*" not in kind:
            return struct.pack(WORDS[kind.replace("T", self.real)], value)
        if value is None:
            return bytes(8)
        expected = self.types[kind.removeprefix("ROWS ").removeprefix("const ").rstrip("*")]
        if not value.flags.c_contiguous or value.dtype != expected:
            raise TypeError(f"{name} needs arrays in C order of {expected}, got {value.dtype}, strides "
                            f"{value.strides}.")
        return struct.pack("<Q", value.ctypes.data)


@cache
def library(real: str) -> Any:
    """The `Library` for this float type; None without a compiler."""
    found = compiler()
    if not found:
        return None
    import subprocess       # here, and others below: most of what they take is needed only once on a machine
    text = source()
    try:
        made = Library(_compiled(found, text, real), text, real)
        if os.environ.get("TINYNET_VERBOSE") and real == "float32":
            print(f"tinynet's kernels for the CPU are compiled by {' '.join(found)}.", file=sys.stderr)
        return made
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        detail = getattr(error, "stderr", "") or error
        print(f"tinynet computes without the kernels of {' '.join(found)}: {detail}", file=sys.stderr)
        return None


@cache
def compiler() -> tuple[str, ...]:
    """The command of the C compiler; () without one.  Raises ValueError for a path at which there is none."""
    import importlib.util
    import shutil
    choice = os.environ.get("TINYNET_COMPILE") or "auto"
    if choice == "off" or sys.byteorder != "little" or sys.maxsize < 2**32:
        return ()
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        return ()       # the types of its results depend on values, which a recording cannot know
    if choice != "auto":
        path = shutil.which(choice)
        if path is None:
            raise ValueError(f"TINYNET_COMPILE must be 'auto', 'off' or the path of a C compiler, got {choice!r}, "
                             "where there is no program.")
        return (os.path.abspath(path),)
    for name in () if _only_a_stub() else ("cc", "gcc", "clang"):
        path = shutil.which(name)
        if path:
            return (os.path.abspath(path),)
    return (sys.executable, "-m", "ziglang", "cc") if importlib.util.find_spec("ziglang") else ()


def _only_a_stub() -> bool:
    """Whether cc would only open a window that asks to install it, as on macOS without the developer tools."""
    import subprocess
    return sys.platform == "darwin" and subprocess.run(["xcode-select", "-p"], capture_output=True).returncode != 0


def source() -> str:
    """The whole text: what a CPU has around it, and the kernels, each again as a function of 64-bit words."""
    kernels = (HERE / "kernels.c").read_text() + all_kernels()
    around = (HERE / "cpu.c").read_text()
    return "\n".join([(HERE / "cpu.h").read_text(), kernels, around, *(
        _by_words(name, types) for name, types in _kernels(kernels + around).items())])


def _kernels(text) -> dict[str, list[str]]:
    """{name: types of the parameters, such as "ROWS const T*"} of each kernel that can be launched."""
    return {name: [" ".join(p.split()[:-1]) for p in parameters.split(",")]
            for name, parameters in re.findall(r"^KERNEL (\w+)\(([^)]*)\) \{", text, re.MULTILINE)}


def _by_words(name, types):
    values = ", ".join(f"({kind})w[{i}]" if "*" in kind else f"*(const {kind}*)(w + {i})"
                       for i, kind in enumerate(types))
    return f"EXPORT call_{name}(const word* w) {{ TAKE_PIECE(w); {name}({values}); }}"


def loop_of(ufunc: Any, types: str) -> tuple[int, int]:
    """(the address of a ufunc's loop for these types, such as "ff->f", the address of its data).

    The loop is the one that NumPy itself calls, so its bits are NumPy's.
    Source: PyUFuncObject in numpy/_core/include/numpy/ufuncobject.h of NumPy 2.
    Raises ValueError if NumPy has none.
    """
    fields = _UFunc.from_address(id(ufunc))
    if (fields.name or b"").decode() != ufunc.__name__ or (fields.nargs, fields.ntypes) != (ufunc.nargs, ufunc.ntypes):
        raise ValueError(f"NumPy {np.__version__} keeps its loops at another place.")
    index = ufunc.types.index(types)
    if not fields.functions[index]:
        raise ValueError(f"NumPy has no loop {types} of {ufunc.__name__}.")
    return fields.functions[index] or 0, fields.data[index] or 0


class _UFunc(ctypes.Structure):
    _fields_ = [("head", ctypes.c_byte * object.__basicsize__), ("nin", ctypes.c_int), ("nout", ctypes.c_int),
                ("nargs", ctypes.c_int), ("identity", ctypes.c_int),
                ("functions", ctypes.POINTER(ctypes.c_void_p)), ("data", ctypes.POINTER(ctypes.c_void_p)),
                ("ntypes", ctypes.c_int), ("reserved", ctypes.c_int), ("name", ctypes.c_char_p)]


# The library's file


def _compiled(command, text, real) -> Path:
    """The compiled text: from the user's cache, or compiled now and put there."""
    import hashlib
    import subprocess
    import tempfile
    key = "\0".join([*command, _version(command), *FLAGS, real, _processor(), text])
    suffix = ".dll" if sys.platform == "win32" else ".so"
    folder = _folder()
    name = f"kernels-{hashlib.sha256(key.encode()).hexdigest()[:32]}"

    def with_hash(file):        # in the name: a damaged library would end the process
        return folder / f"{name}-{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}{suffix}"

    for path in folder.glob(f"{name}-*{suffix}"):
        if _only_mine(path) and path == with_hash(path):
            return path
    with tempfile.TemporaryDirectory(dir=folder) as place:
        text_file, made = Path(place, "kernels.c"), Path(place, "kernels" + suffix)
        text_file.write_text(text)
        subprocess.run([*command, f"-DREAL={REAL[real]}", *FLAGS[:-1], str(text_file), "-o", str(made), FLAGS[-1]],
                       check=True, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL, cwd=place)
        made.chmod(0o700)       # whatever the user's umask: a file that others may write is not loaded
        path = with_hash(made)
        os.replace(made, path)
    return path


def _folder() -> Path:
    """The folder of compiled kernels, which this user alone may write."""
    import platformdirs
    folder = Path(platformdirs.user_cache_dir("tinynet", appauthor=False))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _only_mine(folder):
        raise OSError(f"{folder} is a link, belongs to another user, or can be written by one. tinynet would run what "
                      f"they put there: chmod 700 {folder}, or remove it.")
    return folder


def _only_mine(path) -> bool:
    """Whether the file or folder belongs to this user, and nobody else may write it."""
    import stat
    if not hasattr(os, "getuid"):
        return True
    found = os.lstat(path)
    return not stat.S_ISLNK(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


def _version(command) -> str:
    """What tells this compiler from another at the same place."""
    import importlib.metadata
    found = os.stat(command[0])
    zig = importlib.metadata.version("ziglang") if "ziglang" in command else ""
    return f"{found.st_size} {found.st_mtime_ns} {zig}"


def _processor() -> str:
    """The processor, for which the kernels are compiled."""
    import platform
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return f"{platform.machine()} {platform.processor()}"
