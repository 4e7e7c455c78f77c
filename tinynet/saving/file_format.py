"""The file format: that of safetensors, with a checksum over every byte.

Eight bytes hold the length of the header, a JSON object holds the dtype, shape and offsets of each array, and the
arrays follow without gaps. Nothing in a file can name code.
"""
from __future__ import annotations

import json
import os
import re
import stat

import numpy as np

from tinynet.saving.fingerprint import sha256
from tinynet.types import Any, Path

VERSION = 1
TYPES = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8", "U32": "<u4", "U64": "<u8", "U8": "|u1", "BOOL": "|b1"}
HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"      # how files of Keras begin
LONGEST_HEADER = 2**21      # so that even a header of only tiny objects takes less than 64 MiB when it is parsed
DEEPEST = 100               # nesting, far below what Python's recursions allow
CHECKSUM = b'"sha256":"'
DIGITS = 64
OFFSETS = rb'"data_offsets"\s*:\s*\[\s*\d+\s*,\s*(\d{1,20})\s*\]'     # where an array ends


class ModelFileError(ValueError):
    """A file that is damaged, of another format or from a newer tinynet; nothing of it has been loaded."""


def encode(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """A file of arrays by name and texts by name.

    Raises ValueError if texts and names are longer than the maximum of the header, 2 MiB.

    >>> decode(encode({"w": np.ones(2)}, {"note": "hello"}))
    ({'w': array([1., 1.])}, {'note': 'hello'})
    """
    metadata = {"format": "tinynet", "version": str(VERSION)} | metadata | {"sha256": "0" * DIGITS}
    from safetensors.numpy import save      # here, because the import takes long
    raw = save({name: np.array(array, order="C") for name, array in arrays.items()}, metadata)
    if _header_end(raw) > LONGEST_HEADER:
        raise ValueError(f"The description of the model is {_header_end(raw):,} bytes long, and a file may hold "
                         f"{LONGEST_HEADER:,}. Are there arrays in a layer's config?")
    at = _checksum_offset(raw)
    return raw[:at] + sha256(raw).encode() + raw[at + DIGITS:]


def read(path: Path) -> bytes:
    """The contents of a file.

    Raises OSError if it is missing or not an ordinary file; ModelFileError, without reading it to the end, if its
    beginning and its length show that it is not a whole model file.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{os.fsdecode(path)} is not an ordinary file.")
        try:
            length = _length(file, status.st_size)
        except ModelFileError as error:
            raise ModelFileError(f"{os.fsdecode(path)}: {error}") from None
        file.seek(0)
        return file.read(length)


def _length(file, size) -> int:
    """How many bytes of a file of this size are to be read.  Raises ModelFileError if they are not all there."""
    start = file.read(64)
    if start[:8] == HDF5:       # the end is in the superblock, of version 0 and 1, or of 2 and 3; more may follow
        at = 40 if start[8:9] < b"\2" else 28
        declared = int.from_bytes(start[at:at + 8], "little")
        _check(declared <= size, f"it has {size:,} bytes, and should have {declared:,}")
        return declared
    if start[:4] == ZIP:        # its directory stands at the end, with a comment of at most 64 KiB
        file.seek(max(0, size - 2**16 - 22))
        _check(b"PK\5\6" in file.read(), "its end is missing")
        return size
    end = _header_end(start)
    _checksum_offset(start + file.read(min(end, LONGEST_HEADER + 8)))
    file.seek(8)
    declared = end + max(map(int, re.findall(OFFSETS, file.read(end - 8))), default=0)
    _check(declared == size, f"it has {size:,} bytes, and should have {declared:,}")
    return size


def decode(raw: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """(arrays, metadata) of a file; each array is a view of its bytes.

    Raises ModelFileError for anything that `encode` has not written.
    """
    at = _checksum_offset(raw)
    if sha256(raw[:at], b"0" * DIGITS, memoryview(raw)[at + DIGITS:]).encode() != raw[at:at + DIGITS]:
        raise ModelFileError("The file is damaged: its SHA-256 is not the one in its header. Use another copy.")
    header = parse(raw[8:_header_end(raw)].decode("utf-8", errors="replace"))
    _check(isinstance(header, dict), "the header is not a JSON object")
    metadata = header.get("__metadata__")
    _check(isinstance(metadata, dict) and all(isinstance(text, str) for text in metadata.values()),
           "the metadata is not an object of strings")
    if metadata.pop("format", "") != "tinynet":
        raise ModelFileError("This is a safetensors file, but not one of tinynet's.")
    version = metadata.pop("version", "")
    if version != str(VERSION):
        raise ModelFileError(f"The file is of format version {version[:20]!r}, and this tinynet reads version "
                             f"{VERSION}. Install a newer tinynet.")
    del metadata["sha256"]
    return _arrays(raw), metadata


def parse(text: str) -> Any:
    """Parsed JSON.  Raises ModelFileError for duplicate names, NaN, and nesting or numbers that are too long."""
    def unique(pairs):
        _check(len({name for name, _ in pairs}) == len(pairs), "a JSON name is duplicated")
        return dict(pairs)
    try:
        data = json.loads(text, object_pairs_hook=unique, parse_constant=lambda name: _check(False, f"it holds {name}"))
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"The file is damaged: {error}") from None
    inside = [iter([data])]
    while inside:
        thing = next(inside[-1], inside)
        if thing is inside:     # the last one is through
            inside.pop()
        elif isinstance(thing, (dict, list)):
            inside.append(iter(thing.values() if isinstance(thing, dict) else thing))
            _check(len(inside) <= DEEPEST, "its JSON is nested too deep")
    return data


def _header_end(raw) -> int:
    return 8 + int.from_bytes(raw[:8], "little")


def _checksum_offset(raw) -> int:
    """The offset of the checksum's digits."""
    if len(raw) < 8 or not 8 < _header_end(raw) <= min(len(raw), LONGEST_HEADER + 8) or raw[8:9] != b"{":
        raise ModelFileError("This is not a model file of tinynet's, or only a part of one.")
    header = raw[8:_header_end(raw)]
    at = header.find(CHECKSUM)
    end = at + len(CHECKSUM) + DIGITS
    if at < 0 or header.count(CHECKSUM) != 1 or header[end:end + 1] != b'"':
        raise ModelFileError("The file has no checksum: it is damaged, or not one of tinynet's. Another program's "
                             "safetensors: model.set_weights([...]) of arrays of safetensors.numpy.load_file(path).")
    return 8 + at + len(CHECKSUM)


def _arrays(raw) -> dict[str, np.ndarray]:
    """The arrays; the library checks that they cover the file without gaps or overlaps."""
    import safetensors
    try:
        entries = safetensors.deserialize(raw)
    except safetensors.SafetensorError as error:
        raise ModelFileError(f"The file is damaged: {error}.") from None
    found = {}
    for name, entry in entries:
        _check(entry["dtype"] in TYPES and len(entry["shape"]) <= 32, f"{name[:80]!r} has an unknown dtype or shape")
        _check(entry["dtype"] != "BOOL" or max(entry["data"], default=0) <= 1, "a boolean is neither 0 nor 1")
        found[name] = np.frombuffer(entry["data"], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return found


def _check(right, what):
    if not right:
        raise ModelFileError(f"The file is damaged: {what}.")
