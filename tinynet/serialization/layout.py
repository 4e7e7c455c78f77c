"""How arrays and words lie in a file: safetensors' layout, under one checksum of every byte.

Eight bytes say how long the header is, JSON says of each array its type, shape and place, and the arrays follow, end to
end.  Nothing in it can name code.  It must not know what the arrays mean.
"""
from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from typing import Any

import numpy as np
from safetensors import numpy as safetensors

from tinynet.distributed.meeting import by_first

__all__ = ["ModelFileError", "VERSION", "decode", "encode", "parse", "read"]

VERSION = 1
TYPES = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8", "U32": "<u4", "U64": "<u8", "U8": "|u1", "BOOL": "|b1"}
LONGEST_HEADER = 2**21      # so that even a header of nothing but tiny objects takes less than 64 MiB once it is read
CHECKSUM = b'"sha256":"'
DIGITS = 64


class ModelFileError(ValueError):
    """A file that is damaged, of another kind or from a newer tinynet; nothing of it has been loaded."""


def encode(arrays: dict[str, np.ndarray], words: dict[str, str]) -> bytes:
    """A file of these arrays, and of texts by name.

    Raises ValueError when the texts and the arrays' names together are longer than a file may say (2 MiB).

    >>> decode(encode({"w": np.ones(2)}, {"note": "hello"}))
    ({'w': array([1., 1.])}, {'note': 'hello'})
    """
    words = {"format": "tinynet", "version": str(VERSION)} | words | {"sha256": "0" * DIGITS}
    raw = safetensors.save({name: np.array(array, order="C") for name, array in arrays.items()}, words)
    if _header_end(raw) > LONGEST_HEADER:
        raise ValueError(f"The description of the model is {_header_end(raw):,} bytes long, and a file may hold "
                         f"{LONGEST_HEADER:,}. Are there arrays in a layer's config?")
    at = _checksum_place(raw)
    return raw[:at] + hashlib.sha256(raw).hexdigest().encode() + raw[at + DIGITS:]


def read(path) -> bytes:
    """What a file holds, on all ranks what rank 0 finds.  Raises OSError if it is missing or not an ordinary file."""
    return by_first(f"loading {os.path.basename(os.fspath(path))}", lambda: _read(path))


def _read(path):
    with open(os.fspath(path), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is not an ordinary file.")
        return file.read()


def decode(raw: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and texts of a file, each array a view of its bytes.

    Raises ModelFileError for anything that `encode` has not written.
    """
    at = _checksum_place(raw)
    checksum = hashlib.sha256(raw[:at])
    checksum.update(b"0" * DIGITS)
    checksum.update(memoryview(raw)[at + DIGITS:])
    if checksum.hexdigest().encode() != raw[at:at + DIGITS]:
        raise ModelFileError("The file is damaged: its SHA-256 is not the one that it names. Take another copy.")
    header = parse(raw[8:_header_end(raw)].decode("utf-8", errors="replace"))
    _check(isinstance(header, dict), "the header is no table")
    words = header.pop("__metadata__", None)
    _check(isinstance(words, dict) and all(isinstance(word, str) for word in words.values()), "texts are missing")
    if words.pop("format", "") != "tinynet":
        raise ModelFileError("This is a safetensors file, but not one of tinynet's.")
    version = words.pop("version", "")
    if version != str(VERSION):
        raise ModelFileError(f"The file is of format version {version[:20]!r}, and this tinynet reads version "
                             f"{VERSION}. Install a newer tinynet.")
    del words["sha256"]
    return _arrays(header, memoryview(raw)[_header_end(raw):]), words


def parse(text: str) -> Any:
    """What a JSON text says.  Raises ModelFileError for names given twice, NaN, endless depth or endless digits."""
    def no_twins(pairs):
        return dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else _refuse("a name is given twice")

    def no_constant(word):
        _refuse(f"{word} is no JSON")
    try:
        return json.loads(text, object_pairs_hook=no_twins, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"The file is damaged: {error}") from None


def _header_end(raw) -> int:
    return 8 + int.from_bytes(raw[:8], "little")


def _checksum_place(raw) -> int:
    """Where the checksum's digits are."""
    if len(raw) < 8 or not 8 < _header_end(raw) <= min(len(raw), LONGEST_HEADER + 8) or raw[8:9] != b"{":
        raise ModelFileError("This is not a model file of tinynet's, or only a part of one.")
    header = raw[8:_header_end(raw)]
    at = header.find(CHECKSUM)
    end = at + len(CHECKSUM) + DIGITS
    if at < 0 or header.count(CHECKSUM) != 1 or header[end:end + 1] != b'"':
        raise ModelFileError("The file has no checksum: it is damaged, or not one of tinynet's.")
    return 8 + at + len(CHECKSUM)


def _arrays(header, body) -> dict[str, np.ndarray]:
    """The arrays of a header, which must cover the body from end to end, without holes."""
    found: dict[str, np.ndarray] = {}
    end = 0
    for entry in header.values():
        _check(isinstance(entry, dict) and set(entry) == {"dtype", "shape", "data_offsets"}, "an array is no table")
        _check(isinstance(entry["dtype"], str) and entry["dtype"] in TYPES, "an array has an unknown type")
        for numbers in (entry["shape"], entry["data_offsets"]):
            _check(isinstance(numbers, list) and len(numbers) <= 32 and
                   all(type(n) is int and 0 <= n < 2**63 for n in numbers), "a shape or place is no list of sizes")
        _check(len(entry["data_offsets"]) == 2, "an array has no place")
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        (start, stop), dtype = entry["data_offsets"], np.dtype(TYPES[entry["dtype"]])
        _check(start == end and stop - start == math.prod(entry["shape"]) * dtype.itemsize and stop <= len(body),
               f"{name[:80]!r} lies where it cannot lie")
        if dtype == bool:
            _check(not np.any(np.frombuffer(body[start:stop], np.uint8) > 1), "a truth value is neither 0 nor 1")
        found[name] = np.frombuffer(body[start:stop], dtype).reshape(entry["shape"])
        end = stop
    _check(end == len(body), "something follows the last array")
    return found


def _check(right, what):
    if not right:
        _refuse(what)


def _refuse(what):
    raise ModelFileError(f"The file is damaged: {what}.")
