"""What the program that started this process says of it: mpiexec gives each process that it starts a number.

It must not know what the processes do together.
Source: the environment that MPICH 5's Hydra (PMI_*, MPI_LOCAL*), Open MPI 5 (OMPI_*), PMIx 5 (PMIX_*) and Slurm
(SLURM_LOCALID) set.
"""
from __future__ import annotations

import os

__all__ = ["forget", "launched", "local_rank", "rank", "size"]

RANK = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")
SIZE = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
LOCAL_RANK = ("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID")

said = dict(os.environ)


def launched() -> bool:
    """Whether mpiexec, or another launcher of MPI programs, has started this process."""
    return _number(RANK) is not None


def rank() -> int:
    """The number of this process, from 0; 0 without a launcher."""
    return _number(RANK) or 0


def local_rank() -> int:
    """Its number among those on the same machine."""
    return _number(LOCAL_RANK) or 0


def size() -> int | None:
    """How many processes there are; None where the launcher does not say."""
    return _number(SIZE)


def forget() -> None:
    """Let processes that this one starts not take themselves for one of the launcher's."""
    for name in (*RANK, *SIZE, "PMI_FD", "PMI_PORT", "PMI_ID"):
        os.environ.pop(name, None)


def _number(names) -> int | None:
    return next((int(said[name]) for name in names if said.get(name, "").isdecimal()), None)
