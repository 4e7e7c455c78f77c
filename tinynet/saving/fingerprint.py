"""Fingerprints of data: texts that differ if two runs of fit have other samples."""
from __future__ import annotations

import numpy as np

from tinynet.types import Any, Array


def fingerprint(data: Any) -> str:
    """Shapes, dtypes and hashes of the arrays of a `Dataset`; of a `Stream` its kind and length alone.

    >>> fingerprint(None)
    'none'
    """
    if data is None:
        return "none"
    if data.samples is None:
        return f"a {type(data.source).__name__} of {data.steps} batches"
    return f"batches of {data.batch_size} of " + ", ".join(
        "nothing" if a is None else f"{a.dtype} {a.shape} with SHA-256 {of_array(a)}" for a in data.given)


def of_array(array: Array) -> str:
    """The first 64 bits of its SHA-256.

    >>> of_array(np.zeros(1))
    'af5570f5a1810b7a'
    """
    return sha256(np.ascontiguousarray(array).data)[:16]


def sha256(*parts: Any) -> str:
    """The SHA-256 of these bytes one after another, in hexadecimal digits."""
    import hashlib      # here, because the import takes long
    checksum = hashlib.sha256()
    for part in parts:
        checksum.update(part)
    return checksum.hexdigest()
