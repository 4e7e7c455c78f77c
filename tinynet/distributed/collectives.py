"""Barriers and collective operations, each with a tag: if ranks diverge, the error says where each of them is."""
from __future__ import annotations

import builtins
import json
import os
import time
from collections.abc import Callable

import numpy as np

from tinynet.distributed.ranks import rank, settings, size
from tinynet.types import Any

TAG_BYTES, VALUE_BYTES = 128, 32        # of a barrier


def barrier(tag: str, value: bytes = b"", timeout: float | None = None) -> list[bytes]:
    """Wait until all ranks are at the barrier of this tag; returns the value, of at most 32 bytes, of each of them.

    timeout: in seconds; by default that of `init`.

    Raises RuntimeError, on all ranks, if their tags differ; on this one, after the timeout, or if its previous barrier
    was not completed.
    """
    if size() == 1:
        return [value.ljust(VALUE_BYTES, b"\0")]
    if settings().broken:
        raise RuntimeError(f"Rank {rank()} reached {tag}, but its previous barrier was not completed: after an error, "
                           "or in another thread. The ranks cannot continue: let such an error end "
                           "the program, and start it again.")
    own = tag.encode()[:TAG_BYTES].ljust(TAG_BYTES) + value.ljust(VALUE_BYTES, b"\0")
    records = [bytes(record) for record in all_gather(np.frombuffer(own, np.uint8), tag, timeout)]
    tags = [record[:TAG_BYTES].decode(errors="replace").strip() for record in records]
    if len(set(tags)) > 1:
        raise RuntimeError(f"The ranks diverged: {_by_rank(tags, ' is at ')}. Every rank must run the same program: no "
                           "rank may end early or skip a fit, a save or a load. What only one should do, such as "
                           "printing, goes under `if distributed.rank() == 0:`.")
    return [record[TAG_BYTES:] for record in records]


def any_rank(flag: bool | int) -> bool:
    """Whether the flag is true on any rank."""
    return bool(flag) if size() == 1 else any(value[0] for value in barrier("checking stop flags", bytes([bool(flag)])))


def assert_equal_across_ranks(facts: dict[str, str], hint: str) -> None:
    """Raise ValueError, on all ranks, unless each of these texts, by name, is the same on all of them."""
    if size() == 1:
        return
    barrier(f"comparing {next(iter(facts))} and so on")
    own = json.dumps(facts).encode()
    longest = int(all_gather(np.array([len(own)]), "comparing").max())
    all_facts = [json.loads(bytes(row)) for row in all_gather(np.frombuffer(own.ljust(longest), np.uint8), "comparing")]
    for name in facts:
        texts = [each.get(name, "") for each in all_facts]
        if len(set(texts)) > 1:
            at = max(len(os.path.commonprefix(texts)) - 30, 0)
            raise ValueError(f"The ranks differ in {name}: {_by_rank([text[at:at + 120] for text in texts])}. {hint}")


def broadcast_from_rank0(tag: str, work: Callable[[], bytes | None]) -> bytes:
    """The result of work(), which only rank 0 calls, on every rank; an error of work() is raised on every rank."""
    if size() == 1:
        return work() or b""
    barrier(tag)
    message, own_error = b"", None
    if rank() == 0:
        try:
            message = b"+" + (work() or b"")
        except Exception as error:
            own_error = error
            message = b"-" + json.dumps([type(error).__name__, error.args, getattr(error, "filename", None)],
                                        default=str).encode()
    message = _broadcast(message, tag)
    if own_error or message[:1] == b"-":
        raise own_error or _error(*json.loads(message[1:]))
    return message[1:]


def _error(name, arguments, filename) -> Exception:
    """The error of rank 0; a RuntimeError about it if its class is not a built-in one."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, OSError) and len(arguments) == 2:
        return kind(*arguments, filename)
    return kind(*arguments) if kind else RuntimeError(f"Rank 0 has failed: {name}{tuple(arguments)}")


def _by_rank(texts, verb=": ") -> str:
    """The text of each rank.

    >>> _by_rank(["a", "b", "a"])
    'ranks 0, 2: a; rank 1: b'
    >>> _by_rank(["a fit", "a save"], " is at ")
    'rank 0 is at a fit; rank 1 is at a save'
    """
    ranks: dict[str, list[str]] = {}
    for i, text in enumerate(texts):
        ranks.setdefault(text, []).append(str(i))
    return "; ".join(f"rank{'s' * (len(found) > 1)} {', '.join(found)}{verb}{text}" for text, found in ranks.items())


# Moving bytes


yield_core = getattr(os, "sched_yield", lambda: time.sleep(0))      # to another process that waits for it


def wait(request: Any, tag: Any, timeout: Any = None) -> None:
    """Wait until a transfer is complete.  Raises RuntimeError if that takes too long."""
    timeout = settings().timeout if timeout is None else timeout
    started, turns = time.monotonic(), 0
    settings().broken = True        # until it is complete
    while not request.Test():
        turns += 1
        if turns > 50:      # let another rank on this core run, and sleep if it takes long
            time.sleep(0.001) if time.monotonic() - started > 0.1 else yield_core()
            if time.monotonic() - started > timeout:
                raise RuntimeError(f"Rank {rank()} has waited {timeout:g} s for the other ranks: {tag}. Is one of them "
                                   "stuck, or does it need longer? Then give distributed.init(timeout=...).")
    settings().broken = False


def all_gather(own: Any, tag: Any, timeout: Any = None) -> np.ndarray:
    """The arrays of all ranks, of one shape, as the rows of one array."""
    rows = np.empty((size(), *own.shape), own.dtype)
    wait(settings().comm.Iallgather(np.ascontiguousarray(own), rows), tag, timeout)
    return rows


def all_reduce(numbers: np.ndarray) -> np.ndarray:
    """The sum of the arrays of all ranks, in any order."""
    if size() == 1:
        return numbers
    barrier("summing the metrics of an epoch")
    total = np.empty_like(numbers)
    wait(settings().comm.Iallreduce(np.ascontiguousarray(numbers), total), "all_reduce")
    return total


def _broadcast(data: bytes, tag) -> bytes:
    """The bytes of rank 0."""
    length = np.array([len(data)])
    wait(settings().comm.Ibcast(length, 0), tag)
    buffer = np.frombuffer(data, np.uint8).copy() if rank() == 0 else np.empty(int(length[0]), np.uint8)
    wait(settings().comm.Ibcast(buffer, 0), tag)
    return buffer.tobytes()
