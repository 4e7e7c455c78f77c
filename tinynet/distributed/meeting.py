"""Where the ranks wait for each other: at named places, so that going different ways is an error in words, no silence.

It must not know what is trained.
"""
from __future__ import annotations

import builtins
import hashlib
import json
import os
import time
from collections.abc import Callable

import numpy as np

from tinynet.distributed.ranks import rank, settings, size

__all__ = ["add_up", "agree", "anyone", "by_first", "gathered", "meet", "wait"]


LONGEST_PLACE, LONGEST_WORD = 128, 32       # bytes of a place's name and of the word that each rank brings there


def meet(place: str, word: bytes = b"", timeout: float | None = None) -> list[bytes]:
    """Wait until every rank has come to this place; returns the word, of 32 bytes, that each of them brings.

    timeout: seconds; what `init` was given by default.

    Raises RuntimeError, on all ranks, if one has come to another place; on this one, if it has waited too long, or if
    an error has kept it from an earlier meeting, to which the others have come.
    """
    if size() == 1:
        return [word.ljust(LONGEST_WORD, b"\0")]
    if settings().broken:
        raise RuntimeError(f"Rank {rank()} has come to {place} after an error, which kept it from meeting the others "
                           "before, or from a second thread. They cannot go on together: let such an error end the "
                           "program, and start it again.")
    own = place.encode()[:LONGEST_PLACE].ljust(LONGEST_PLACE) + word.ljust(LONGEST_WORD, b"\0")
    records = [bytes(record) for record in gathered(np.frombuffer(own, np.uint8), place, timeout)]
    places = [record[:LONGEST_PLACE].decode(errors="replace").strip() for record in records]
    if len(set(places)) > 1:
        raise RuntimeError(f"The ranks have gone different ways: {_in_words(places)}. Every rank must run the same "
                           "program: let none leave early or skip a fit, a save or a load. What only one should do, "
                           "such as printing, goes under `if distributed.rank() == 0:`.")
    return [record[LONGEST_PLACE:] for record in records]


def anyone(flag) -> bool:
    """Whether the flag is true on any rank."""
    return bool(flag) if size() == 1 else any(word[0] for word in meet("asking whether to stop", bytes([bool(flag)])))


def agree(facts: dict[str, str], cure: str) -> None:
    """Raise ValueError, on all ranks, unless each of these texts, by what it tells, is the same on all of them."""
    if size() == 1:
        return
    meet(f"comparing {', '.join(facts)}")
    digests = np.frombuffer(b"".join(hashlib.sha256(text.encode()).digest() for text in facts.values()), np.uint8)
    all_digests = gathered(digests, "comparing").reshape(size(), len(facts), -1)
    for i, (name, text) in enumerate(facts.items()):
        if (all_digests[:, i] != all_digests[0, i]).any():
            lengths = gathered(np.array([len(text.encode())]), "comparing")
            padded = np.frombuffer(text.encode().ljust(int(lengths.max()), b"\0"), np.uint8)
            texts = [bytes(row).rstrip(b"\0").decode() for row in gathered(padded, "comparing")]
            other = next(other for other in texts if other != texts[0])
            at = max(len(os.path.commonprefix([texts[0], other])) - 30, 0)
            raise ValueError(f"The ranks differ in {name}: {_in_words([text[at:at + 120] for text in texts])}. {cure}")


def by_first(what: str, work: Callable[[], bytes | None]) -> bytes:
    """What work() returns on rank 0, on every rank; if it raises an error there, every rank raises it."""
    if size() == 1:
        return work() or b""
    meet(what)
    result, error = b"", None
    if rank() == 0:
        try:
            result = work() or b""
        except Exception as reason:
            error = reason
    told = _from_first(json.dumps([type(error).__name__, error.args, getattr(error, "filename", None)],
                                  default=str).encode() if error else b"", what)
    if error:
        raise error
    if told:
        raise _error(*json.loads(told))
    return _from_first(result, what)


def _error(name, arguments, filename) -> Exception:
    """The error of rank 0, or a RuntimeError about it if its class is none of Python's own."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, OSError) and len(arguments) == 2:
        return kind(*arguments, filename)
    return kind(*arguments) if kind else RuntimeError(f"Rank 0 has failed: {name}{tuple(arguments)}")


def _in_words(texts) -> str:
    """Which ranks have which of these texts.

    >>> _in_words(["a", "b", "a"])
    'ranks 0, 2: a; rank 1: b'
    """
    ranks: dict[str, list[str]] = {}
    for i, text in enumerate(texts):
        ranks.setdefault(text, []).append(str(i))
    return "; ".join(f"rank{'s' * (len(found) > 1)} {', '.join(found)}: {text}" for text, found in ranks.items())


# Moving bytes


give_way = getattr(os, "sched_yield", lambda: time.sleep(0))        # the core, to another process that wants it


def wait(request, place, timeout=None) -> None:
    """Wait until all ranks have done their part of a transfer.  Raises RuntimeError if that takes too long."""
    timeout = settings().timeout if timeout is None else timeout
    started, turns = time.monotonic(), 0
    settings().broken = True        # unless it comes to its end
    while not request.Test():
        turns += 1
        if turns > 50:      # let another rank on this core get on; and rest once it plainly takes long
            time.sleep(0.001) if time.monotonic() - started > 0.1 else give_way()
            if time.monotonic() - started > timeout:
                raise RuntimeError(f"Rank {rank()} has waited {timeout:g} s for the others at this place: {place}. Is "
                                   "one of them stuck, or does it need longer? Then give "
                                   "distributed.init(timeout=...).")
    settings().broken = False


def gathered(own, place, timeout=None) -> np.ndarray:
    """The arrays of all ranks, which are of one shape, as the rows of one array."""
    rows = np.empty((size(), *own.shape), own.dtype)
    wait(settings().comm.Iallgather(np.ascontiguousarray(own), rows), place, timeout)
    return rows


def add_up(numbers: np.ndarray) -> np.ndarray:
    """The sum over all ranks of their arrays, in any order."""
    if size() == 1:
        return numbers
    meet("adding up what an epoch has come to")
    total = np.empty_like(numbers)
    wait(settings().comm.Iallreduce(np.ascontiguousarray(numbers), total), "adding up")
    return total


def _from_first(data: bytes, place) -> bytes:
    """The bytes that rank 0 has."""
    length = np.array([len(data)])
    wait(settings().comm.Ibcast(length, 0), place)
    buffer = np.frombuffer(data, np.uint8).copy() if rank() == 0 else np.empty(int(length[0]), np.uint8)
    wait(settings().comm.Ibcast(buffer, 0), place)
    return buffer.tobytes()
