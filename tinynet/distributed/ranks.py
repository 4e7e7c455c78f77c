"""The rank of this process, the number of ranks, and the settings of distributed training."""
from __future__ import annotations

from tinynet.types import Any


class Settings:
    """The arguments of `init`, the communicator (None without mpiexec), and the rank in it."""

    def __init__(self, comm: Any, deterministic: bool, shards: int, timeout: float, cuda_aware: bool):
        self.comm: Any = comm
        self.rank: int = 0 if comm is None else comm.rank
        self.size: int = 1 if comm is None else comm.size
        self.deterministic, self.timeout, self.cuda_aware = deterministic, timeout, cuda_aware
        self.shards: int = shards if deterministic else self.size
        self.broken = False     # whether an error has kept this rank from a barrier


_settings: Settings | None = None


def settings() -> Settings:
    """The settings.  Raises RuntimeError before `init`."""
    if _settings is None:
        raise RuntimeError("Training is not distributed: call tinynet.distributed.init() first.")
    return _settings


def set_settings(new: Any) -> None:
    """Set the settings; None for training that is not distributed."""
    global _settings
    _settings = new


def active() -> bool:
    """Whether training is distributed: after `init()`, or from the start with TINYNET_DISTRIBUTED=1."""
    return _settings is not None


def rank() -> int:
    """The rank of this process; 0 if training is not distributed."""
    return _settings.rank if _settings else 0


def size() -> int:
    """The number of ranks; 1 if training is not distributed.

    >>> rank(), size()
    (0, 1)
    """
    return _settings.size if _settings else 1
