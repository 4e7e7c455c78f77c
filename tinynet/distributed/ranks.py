"""Which of the processes that train together this one is.  It must not know how they talk to each other."""
from __future__ import annotations

from typing import Any

__all__ = ["Settings", "active", "rank", "set_settings", "settings", "size"]


class Settings:
    """What `init` was given, beside a communicator (None without mpiexec) and this process's place in it."""

    def __init__(self, comm, deterministic, shards, timeout, cuda_aware):
        self.comm: Any = comm
        self.rank: int = 0 if comm is None else comm.rank
        self.size: int = 1 if comm is None else comm.size
        self.deterministic, self.timeout, self.cuda_aware = deterministic, timeout, cuda_aware
        self.shards = shards if deterministic else self.size
        self.broken = False     # whether an error has kept this rank from a meeting


_settings: Settings | None = None


def settings() -> Settings:
    """What `init` was given.  Raises RuntimeError before it."""
    if _settings is None:
        raise RuntimeError("Training is not distributed: call tinynet.distributed.init() first.")
    return _settings


def set_settings(new) -> None:
    """Be distributed like this from now on; None: not at all."""
    global _settings
    _settings = new


def active() -> bool:
    """Whether `fit` is shared: after `init()`, or from the start with TINYNET_DISTRIBUTED=1 in the environment."""
    return _settings is not None


def rank() -> int:
    """The number of this process, from 0 on; 0 if training is not distributed."""
    return _settings.rank if _settings else 0


def size() -> int:
    """How many processes train together; 1 if training is not distributed.

    >>> rank(), size()
    (0, 1)
    """
    return _settings.size if _settings else 1
