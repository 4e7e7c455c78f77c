"""What the program that started this process says of it: mpiexec gives each process that it starts a number.

It must not know what the processes do together.
Source: the environment that MPICH 5's Hydra (PMI_*, MPI_LOCAL*), Open MPI 5 (OMPI_*) and PMIx 5 (PMIX_*) set.
"""
from __future__ import annotations

import os

__all__ = ["launched", "local_rank", "rank", "size"]


def launched() -> bool:
    """Whether mpiexec, or another launcher of MPI programs, has started this process."""
    return any(name in os.environ for name in ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK"))


def rank() -> int:
    """The number of this process, from 0; 0 without a launcher."""
    return _number("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK") or 0


def local_rank() -> int:
    """Its number among those on the same machine."""
    return _number("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID") or 0


def size() -> int | None:
    """How many processes there are; None where the launcher does not say."""
    return _number("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")


def _number(*names) -> int | None:
    return next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdecimal()), None)
