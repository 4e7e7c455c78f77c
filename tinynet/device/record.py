"""Record a step on a CPU: it runs once on arrays that note each operation of NumPy, and later only these are done.

So layers, losses and metrics stay as they are read. An operation becomes a prepared call: of NumPy's own loop for its
types, or of a compiled kernel, with the addresses of its arrays.
"""
from __future__ import annotations

import struct
import threading

import numpy as np

from tinynet.device.compile import library, loop_of
from tinynet.device.plan import Access, Call, address, byte_range, cost, cut_rows, run
from tinynet.types import Any, Array, Function

# Conversions that cpu.c has
CASTS: dict[str, tuple[str, ...]] = {
    "f4": ("f4", "f8", "i8", "b1"), "f8": ("f8", "f4", "i8", "b1"), "i8": ("i8", "f4", "f8"),
    "b1": ("b1", "f4", "f8", "i8"), "u4": ("u4", "f4", "f8", "i8")}
SUMS_AT_ONCE = np.lib.NumpyVersion(np.__version__) >= "2.3.0"      # without a conversion; before it, 8,192 at a time
_thread = threading.local()


class NotRecordable(Exception):
    """An operation that cannot be noted; the text names it."""


class Tape:
    """The calls of a step, noted while it runs inside `with tape:`. `failed` says why it cannot be played, or is ""."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.failed: str = ""
        self.kept: list[np.ndarray] = []        # arrays whose addresses are in the calls

    def __enter__(self) -> Any:
        _thread.tape = self
        return self

    def __exit__(self, *error: Any) -> None:
        _thread.tape = None

    def note(self, function: int, pieces: list[Any], cut: object, accesses: list[Any],
             work: float = 0.0) -> None:
        """Append a call. accesses: (array, whether it is written, whether by rows)."""
        self.kept += [array for array, _, _ in accesses]
        self.calls.append(Call(function, pieces, cut, [Access(*byte_range(a), write, by_rows)
                                                       for a, write, by_rows in accesses], work))

    def note_rows(self, function: int, words: bytes, rows: int, accesses: list[Any], scale: int = 1,
                  work: float = 0.0) -> None:
        """Append a call whose loop goes over rows, `scale` iterations for each."""
        pieces = cut_rows(rows)
        cut = tuple(pieces) if len(pieces) > 1 else None
        self.note(function, [(words, begin * scale, end * scale) for begin, end in pieces], cut, accesses, work)

    def try_to(self, note: Function) -> None:
        """note(tape), unless something could not be noted before."""
        try:
            if not self.failed:
                note(self)
        except (NotRecordable, ValueError, TypeError) as reason:
            self.failed = str(reason)

    # Kernels

    def launch(self, real: Any, name: str, arguments: Any, cut: tuple[Any, ...] | None = None) -> None:
        """Run a kernel of the library for this float type, and note it; cut: (cut, pieces) if not by its rows."""
        arguments = [plain(a) for a in arguments]
        lib, rows = library(np.dtype(real).name), arguments[-1]
        function, words = lib.address("call_" + name), lib.pack(name, arguments)
        accesses = [(array, "const" not in kind, "ROWS" in kind)
                    for array, kind in zip(arguments, lib.parameters[name]) if isinstance(array, np.ndarray)]
        run(function, words, 0, rows)
        if cut is None:
            self.note_rows(function, words, rows, accesses)
        else:
            self.note(function, [(words, begin, end) for begin, end in cut[1]], cut[0], accesses)

    def writers(self, vector: Array) -> list[Any]:
        """(begin, end, cut, pieces) of the parts of a vector, each as the call that wrote it last is cut."""
        start, end = byte_range(vector)
        parts: list[tuple[Any, ...]] = []
        for call in reversed(self.calls):
            for a in call.accesses:
                if a.write and a.start < end and start < a.end and not any(
                        a.start < last and first < a.end for first, last, *_ in parts):
                    pieces = [piece[1:] for piece in call.pieces] if a.by_rows else [(0, 1)]
                    numbers = (min(a.end, end) - max(a.start, start)) // vector.itemsize
                    scale = numbers // pieces[-1][1]
                    fits = start <= a.start and a.end <= end and scale * pieces[-1][1] == numbers
                    parts.append((max(a.start, start), min(a.end, end), call.cut if fits and a.by_rows else None,
                                  [(first * scale, last * scale) for first, last in pieces] if fits else
                                  [(0, numbers)]))
        parts.sort()
        gaps = zip([start, *(part[1] for part in parts)], [*(part[0] for part in parts), end])
        parts += [(first, last, None, [(0, (last - first) // vector.itemsize)]) for first, last in gaps if last > first]
        return [((first - start) // vector.itemsize, (last - start) // vector.itemsize, cut, pieces)
                for first, last, cut, pieces in parts]

    # NumPy

    def ufunc(self, ufunc: Any, inputs: list[Any], result: Array, dtype: Any = None) -> None:
        """Note result = ufunc(*inputs)."""
        given = tuple(type(x) if isinstance(x, (int, float)) and not isinstance(x, (bool, np.generic)) else
                      np.asarray(x).dtype for x in inputs)
        wanted = {} if dtype is None else {"signature": (*[None] * len(inputs), np.dtype(dtype))}
        types = ufunc.resolve_dtypes((*given, None), **wanted)
        arrays = [self.converted(x, t) for x, t in zip(inputs, types)]
        out = result if result.dtype == types[-1] else np.empty(result.shape, types[-1])
        chars = "".join(t.char for t in types[:-1]) + "->" + types[-1].char
        self.loop(loop_of(ufunc, chars), [*arrays, out])
        if out is not result:
            self.convert(out, result)

    def converted(self, x: Any, dtype: Any) -> Array:
        """x as an array of this type; if it is none yet, by a noted conversion."""
        if not isinstance(x, np.ndarray):
            return np.asarray(x, dtype)         # a constant
        if x.dtype == dtype:
            return x
        result = x.astype(dtype)
        self.convert(x, result)
        return result

    def convert(self, x: Array, result: Array) -> None:
        """Note result[...] = x."""
        old, new = x.dtype.str[1:], result.dtype.str[1:]
        if new not in CASTS.get(old, ()):
            raise NotRecordable(f"a conversion of {x.dtype} to {result.dtype}")
        self.loop((library("float32").address(f"cast_{old}_{new}"), 0), [x, result])

    def where(self, condition: Array, a: Any, b: Any, result: Array) -> None:
        """Note result = where(condition, a, b)."""
        name = f"where_{result.itemsize}"
        if condition.dtype != bool or name not in ("where_4", "where_8"):
            raise NotRecordable(f"where of {condition.dtype} for {result.dtype}")
        self.loop((library("float32").address(name), 0), [
            condition, self.converted(a, result.dtype), self.converted(b, result.dtype), result])

    def loop(self, loop: tuple[Any, ...], arrays: Any) -> None:
        """Note a ufunc's loop over arrays that are broadcast to the shape of the last one, which it writes."""
        if not arrays[-1].size:
            return
        out = arrays[-1]
        if any(a.strides != out.strides or byte_range(a) != byte_range(out)
               for a in arrays[:-1] if np.may_share_memory(a, out)):
            raise NotRecordable("an operation on arrays that overlap")
        shape = out.shape or (1,)
        views = [np.broadcast_to(a, shape) for a in arrays[:-1]] + [arrays[-1].reshape(shape)]
        axes = [(n, [v.strides[i] for v in views]) for i, n in enumerate(shape)]
        merged = [axes[0], *_merged(axes[1:])]
        if len(merged) > 2:
            merged = _merged(axes)
        if len(merged) > 2 or merged[0][0] % shape[0]:
            raise NotRecordable(f"an operation on arrays of shape {shape} that cannot be seen as rows")
        (rows, outer), (length, inner) = (*merged, (1, merged[0][1]))[:2]
        words = struct.pack("<QQqq", *loop, len(views), length) + b"".join(
            struct.pack("<Qqq", address(v), *strides) for v, *strides in zip(views, outer, inner))
        self.note_rows(library("float32").address("call_loop"), words, shape[0],
                       [(v, i == len(views) - 1, row >= length * number > 0)
                        for i, (v, row, number) in enumerate(zip(views, outer, inner))], rows // shape[0])

    def reduce(self, ufunc: Any, x: Array, result: Array, axis: Any, dtype: Any = None) -> None:
        """Note result = ufunc.reduce(x, axis): sums, or largest numbers, over all, the first or the last axes."""
        given = axis if isinstance(axis, tuple) else range(x.ndim) if axis is None else (axis,)
        if result.dtype == np.int64 and x.dtype == bool:        # counted in float64, which is exact
            total = np.empty(result.shape)
            self.reduce(ufunc, x, total, axis, float)
            return self.convert(total, result)
        portion = x.size if SUMS_AT_ONCE and (dtype is None or np.dtype(dtype) == x.dtype) else 8192
        x = self.converted(x, np.dtype(dtype or x.dtype))
        axes = [a % x.ndim for a in given if x.shape[a] > 1]
        left = [a for a in range(x.ndim) if x.shape[a] > 1 and a not in axes]
        if not x.flags.c_contiguous or x.dtype.char not in "fd" or result.dtype != x.dtype or not x.size:
            raise NotRecordable(f"{ufunc.__name__}.reduce of {x.dtype} to {result.dtype}")
        out = result.reshape(-1)
        sizes = x.size // out.size, out.size
        last = max(left, default=-1) < min(axes, default=x.ndim)
        if ufunc is np.add and axes and not left:
            self.launch(x.dtype, "total", (x, out, portion, x.size, 1))
        elif ufunc is np.add and last:
            self.launch(x.dtype, "row_sum", (x, out, *sizes))
        elif ufunc is np.maximum and last:
            self.launch(x.dtype, "row_max", (x, out, *sizes))
        elif ufunc is np.add and max(axes) < min(left):
            self.launch(x.dtype, "column_sum", (x, out, *sizes))
        else:
            raise NotRecordable(f"{ufunc.__name__}.reduce of an array {x.shape} over axes {axes}")

    def product(self, parts: list[Any], pieces: list[Any] | None = None) -> None:
        """Note a matrix product: of one part (a, b, out), by pieces of its rows, or of parts that are independent."""
        for a, b, out in parts:
            if not a.dtype == b.dtype == out.dtype or out.dtype.char not in "fd":
                raise NotRecordable(f"a product of {a.dtype} and {b.dtype} to {out.dtype}")
        loop = loop_of(np.matmul, "{0}{0}->{0}".format(out.dtype.char))
        words = [struct.pack("<QQqq", *loop, a.shape[1], b.shape[1]) + b"".join(
            struct.pack("<Qqq", address(m), *m.strides) for m in (a, b, out)) for a, b, out in parts]
        calls = [(words[0], *piece) for piece in pieces] if pieces else [
            (text, 0, len(out)) for text, (_, _, out) in zip(words, parts)]
        cut = None if len(calls) == 1 else tuple(pieces) if pieces else (address(parts[0][2]), len(calls))
        accesses = [(a, False, bool(pieces) and a.strides[0] >= a.strides[1]) for a, _, _ in parts] + [
            (b, False, False) for _, b, _ in parts] + [(out, True, bool(pieces)) for _, _, out in parts]
        self.note(library("float32").address("call_matmul"), calls, cut, accesses,
                  float(sum(cost(len(a), *b.shape) for a, b, _ in parts)))


def _merged(axes):
    """The axes (length, strides) with those joined that are one row in memory, in each array."""
    merged: list[Any] = []
    for length, strides in axes:
        if length == 1:
            continue
        if merged and all(outer == inner * length for outer, inner in zip(merged[-1][1], strides)):
            merged[-1] = merged[-1][0] * length, strides
        else:
            merged.append((length, strides))
    return merged


def tape() -> Any:
    """The tape of this thread, or None."""
    return getattr(_thread, "tape", None)


def plain(array: Any) -> Any:
    """The same array, whose operations are not noted."""
    return array.view(np.ndarray) if isinstance(array, Recorded) else array


def recorded(array: Array) -> Array:
    """The same array, whose operations are noted."""
    return np.asarray(array).view(Recorded)


def _noting(note, result):
    """The result as a recorded array, after note(tape, array of the result)."""
    result = np.asarray(result)
    if tape():
        tape().try_to(lambda tape: note(tape, result))
    return recorded(result)


def _fail(reason):
    if tape():
        tape().failed = tape().failed or reason


class Recorded(np.ndarray):
    """An array that notes on the tape of its thread what is done with it, but not what np.asarray makes of it."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), axis=0, keepdims=False, dtype=None, **options):
        values, options = [plain(x) for x in inputs], {name: plain(value) for name, value in options.items()}
        arguments = options | ({"out": tuple(plain(a) for a in out)} if out else {}) | (
            {} if dtype is None else {"dtype": dtype})
        if method == "reduce":
            arguments |= {"axis": axis, "keepdims": keepdims}
        result = getattr(ufunc, method)(*values, **arguments)
        if options or ufunc.nout > 1 or ufunc.signature or method not in ("__call__", "reduce"):
            _fail(f"{ufunc.__name__}.{method} with {', '.join(options) or method}")
            return result
        if method == "reduce":
            noted = _noting(lambda tape, result: tape.reduce(ufunc, values[0], result, axis, dtype), result)
        else:
            noted = _noting(lambda tape, result: tape.ufunc(ufunc, values, result, dtype), result)
        return out[0] if out and isinstance(out[0], Recorded) else noted       # a += b keeps the object a

    def __array_function__(self, function, types, arguments, options):
        name = function.__name__
        if name == "where" and len(arguments) == 3 and not options:
            values = [plain(x) for x in arguments]
            return _noting(lambda tape, result: tape.where(*values, result), np.where(*values))
        if name in ("zeros_like", "ones_like", "empty_like"):
            result = function(plain(arguments[0]), *arguments[1:], **options, subok=False)
            if name == "empty_like":
                return recorded(result)
            return _noting(lambda tape, result: tape.convert(np.array(result.flat[0]), result), result)
        if name == "take_along_axis":
            return self._take_along_axis(*arguments, **options)
        result = super().__array_function__(function, types, arguments, options)
        if name not in ("clip", "round", "sum", "mean", "max", "amax", "argmax", "ravel", "reshape"):
            _views_only(name, self, result)
        return result

    def _take_along_axis(self, x, indices, axis):
        x, indices = plain(x), plain(indices)
        result = np.take_along_axis(x, indices, axis)

        def note(tape, result):
            if axis not in (-1, x.ndim - 1) or indices.shape[-1] != 1 or not x.flags.c_contiguous or x.ndim != 2:
                raise NotRecordable("take_along_axis of other numbers than one in each row")
            rows = tape.converted(indices, np.dtype(np.int64))
            tape.launch(x.dtype, "at_class", (x, rows, result, x.shape[1], len(x)))
        return _noting(note, result)

    def sum(self, axis=None, dtype=None, out=None, **options):
        return np.add.reduce(self, axis=axis, dtype=dtype, out=out, **options)

    def max(self, axis=None, out=None, **options):
        return np.maximum.reduce(self, axis=axis, out=out, **options)

    def mean(self, axis=None, dtype=None, out=None, **options):
        dtype = dtype or (float if self.dtype.kind in "iub" else None)
        total = np.add.reduce(self, axis=axis, dtype=dtype, out=out, **options)
        return np.divide(total, total.dtype.type(self.size // max(total.size, 1)), out=total)

    def argmax(self, axis=None, out=None, keepdims=False):
        x = plain(self)

        def note(tape, result):
            if axis not in (-1, x.ndim - 1) or out is not None or not x.flags.c_contiguous or x.dtype.char not in "fd":
                raise NotRecordable("argmax over other axes than the last one")
            tape.launch(x.dtype, "row_argmax", (x, result.reshape(-1), x.shape[-1], x.size // x.shape[-1]))
        return _noting(note, x.argmax(axis=axis, out=out, keepdims=keepdims))

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        if self.dtype == dtype and not copy:
            return self
        x = plain(self)
        return _noting(lambda tape, result: tape.convert(x, result), x.astype(dtype, order, casting, subok, copy))

    def copy(self, order="C"):
        return self.astype(self.dtype, order)

    def __setitem__(self, key, value):
        part, value = plain(self)[key], plain(value)
        plain(self)[key] = value
        if not isinstance(part, np.ndarray) or not np.may_share_memory(part, plain(self)):
            _fail("an assignment to chosen elements")
            return
        _noting(lambda tape, result: tape.convert(value if isinstance(value, np.ndarray) else
                                                  np.asarray(value, part.dtype), result), part)

    def __getitem__(self, key):
        return _views_only("indexing by an array or a number", self, super().__getitem__(key))

    def reshape(self, *shape, **options):
        return _views_only("reshape", self, super().reshape(*shape, **options))

    def ravel(self, *order):
        return _views_only("ravel", self, super().ravel(*order))


def _reads(name):
    """The method of this name, whose result the tape cannot follow."""
    def method(self, *arguments, **options):
        _fail(f"{name} reads numbers from an array")
        return getattr(np.ndarray, name)(plain(self), *arguments, **options)
    return method


for _name in ("__float__ __int__ __complex__ __bool__ __iter__ item tolist tobytes any all argmin argsort choose "
              "compress dot fill flatten nonzero partition put repeat searchsorted sort take").split():
    setattr(Recorded, _name, _reads(_name))


def _views_only(name, array, result):
    """The result, which shares the memory of the array; otherwise what was done is not noted."""
    if not isinstance(result, np.ndarray) or result.size and not np.may_share_memory(plain(array), plain(result)):
        _fail(f"{name}, which copies")
    return result
