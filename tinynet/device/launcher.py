"""The rank that mpiexec, or another launcher, has given this process, from the environment.

Source: the environment that MPICH 5's Hydra (PMI_*, MPI_LOCAL*), Open MPI 5 (OMPI_*), PMIx 5 (PMIX_*) and Slurm
(SLURM_LOCALID) set.
"""
from __future__ import annotations

import os

RANK = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")
SIZE = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
LOCAL_RANK = ("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID")

environment = dict(os.environ)        # at the start


def launched() -> bool:
    """Whether mpiexec, or another MPI launcher, has started this process."""
    return _number(RANK) is not None


def rank() -> int:
    """The rank of this process; 0 without a launcher."""
    return _number(RANK) or 0


def local_rank() -> int:
    """Its rank among the processes of this machine."""
    return _number(LOCAL_RANK) or 0


def size() -> int | None:
    """The number of processes; None if the launcher does not say."""
    return _number(SIZE)


def forget() -> None:
    """Remove the rank from the environment, which processes started from here on would inherit."""
    for name in (*RANK, *SIZE, "PMI_FD", "PMI_PORT", "PMI_ID"):
        os.environ.pop(name, None)


def _number(names) -> int | None:
    return next((int(environment[name]) for name in names if environment.get(name, "").isdecimal()), None)
