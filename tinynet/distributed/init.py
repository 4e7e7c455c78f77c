"""init: how a process becomes a rank, and how an error or an early end of one rank ends all of them."""
from __future__ import annotations

import atexit
import faulthandler
import math
import os
import sys
from contextlib import contextmanager, suppress

from tinynet.device import launcher, threads
from tinynet.distributed import ranks
from tinynet.distributed.collectives import barrier
from tinynet.distributed.ranks import Settings, settings
from tinynet.distributed.strategy import DataParallel
from tinynet.training.model import Model
from tinynet.validation import number, whole_number

INIT_TIMEOUT, ABORT_TIMEOUT = 600, 10       # seconds to wait for all ranks to call `init`; for MPI to end all ranks


def init(deterministic: bool = True, shards: int = 4, timeout: float = 600, cuda_aware: bool = False) -> None:
    """Start distributed training: from here on all processes that mpiexec has started share every `fit`.

    Every rank runs the same program, on the same data. batch_size is that of all ranks together; each computes the
    gradient of its rows, the gradients are summed, and all take the same step. Rank 0 alone prints (the stdout of the
    others is dropped) and writes files. An error that ends one rank ends all. Without mpiexec this process is the only
    rank, needs no MPI, and ends, if deterministic, with the weights of any number of ranks, bit for bit.

    Unless TINYNET_THREADS is set, each rank uses an even share of its machine's cores, whatever `set_threads` was
    called with before.

    Parameters
        deterministic: cut every batch into `shards` parts, for any number of ranks, and sum their gradients in one
            order; False cuts it into one part per rank and leaves the order to MPI.
        shards: 1, 2, 4, 8 ..., at least the number of ranks; the bits depend on it.
        timeout: seconds that a rank waits for the others before it raises an error.
        cuda_aware: pass arrays on the GPU to MPI directly; else they are copied through pinned memory of the CPU.

    Raises ImportError without mpi4py or an MPI, RuntimeError if mpiexec and mpi4py belong to different MPIs,
    ValueError for a value out of range, and for fewer shards than ranks.
    """
    comm = settings().comm if ranks.active() else _joined()
    for name, value in (("deterministic", deterministic), ("cuda_aware", cuda_aware)):
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False, got {value!r}.")
    shards, timeout = whole_number("shards", shards, least=1), number("timeout", timeout, positive=True)
    if shards & (shards - 1):
        raise ValueError(f"shards must be 1, 2, 4, 8 ..., got {shards}.")
    if deterministic and comm is not None and comm.size > shards:
        raise ValueError(f"{comm.size} ranks cannot share {shards} shards of a batch. Use init(shards="
                         f"{1 << (comm.size - 1).bit_length()}), in every run that is to end with the same bits, or "
                         "init(deterministic=False).")
    ranks.set_settings(Settings(comm, deterministic, shards, timeout, cuda_aware))
    Model.strategy = DataParallel()


def _joined():
    """A communicator of all processes that mpiexec has started; None if it has not started this one.

    From here on an error or an early end of this process ends all of them.
    """
    if not launcher.launched() and "mpi4py.MPI" not in sys.modules:
        return None
    with _watched():
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:    # no mpi4py, or no MPI that it could load
            raise ImportError(f"Training in several processes needs mpi4py and an MPI: {error}. Install them with: "
                              'python -m pip install "tinynet-backprop[mpi]"') from error
        world = MPI.COMM_WORLD
        if launcher.size() not in (None, world.size):
            raise RuntimeError(f"mpiexec has started {launcher.size()} processes, and mpi4py sees {world.size}: they "
                               "belong to different MPIs. Use the mpiexec in the folder of this Python; "
                               'python -m pip install "tinynet-backprop[mpi]" puts one there.')
        comm = world.Dup()
        if comm.size > 1:
            _end_together(comm)
            _share_cores(comm)
    launcher.forget()
    if comm.rank:
        sys.stdout.flush()
        sys.stdout = open(os.devnull, "w")
        os.dup2(sys.stdout.fileno(), 1)     # for code that does not write through sys.stdout
    elif comm.size > 1:
        print(f"tinynet trains on {comm.size} ranks; each on this machine may use {threads.threads()} of its cores.",
              file=sys.stderr)
    return comm


@contextmanager
def _watched():
    """MPI starts when all ranks are there, and cannot be interrupted: end the program if one is missing."""
    with suppress(AttributeError, ValueError, OSError):     # if stderr is not a file
        faulthandler.dump_traceback_later(INIT_TIMEOUT, exit=True)      # prints where this was
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _end_together(comm):
    """Let an error of this rank end all ranks, and its program end only together with theirs."""
    here, inner = os.getpid(), sys.excepthook

    def end_all(kind, error, traceback):
        """Print the error as Python does, and then end all ranks, which would wait forever."""
        if os.getpid() != here:     # a process that was forked from a rank is not a rank
            return inner(kind, error, traceback)
        try:
            print(f"Rank {comm.rank} of {comm.size} ends all ranks by this error:", file=sys.stderr)
            inner(kind, error, traceback)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            # MPICH 5.0.2 may try for ever to reach the others.
            faulthandler.dump_traceback_later(ABORT_TIMEOUT, exit=True, file=open(os.devnull, "w"))
            comm.Abort(130 if issubclass(kind, KeyboardInterrupt) else 1)

    def leave():
        """Wait for the others at the end of the program; they may be waiting elsewhere."""
        if os.getpid() == here and ranks.active():
            try:
                barrier("the end of the program", timeout=math.inf)     # rank 0 may draw for a long time
            except BaseException as error:
                end_all(type(error), error, error.__traceback__)

    def end_at_once(status):
        """os._exit: by status 0 of one rank mpiexec would end the others, and report success."""
        if os.getpid() == here and not status:
            leave()
            _mpi().Finalize()
        inner_exit(status)

    inner_exit = os._exit
    os._exit = end_at_once
    sys.excepthook = end_all
    atexit.register(leave)


def _mpi():
    from mpi4py import MPI      # here, because it starts MPI
    return MPI


def _share_cores(comm):
    """Give each rank of a machine an even share of the cores that they may use together."""
    own = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    machine = comm.Split_type(_mpi().COMM_TYPE_SHARED)
    threads.share_cores(len(set().union(*machine.allgather(set(own)))), machine.size)
    machine.Free()


if os.environ.get("TINYNET_DISTRIBUTED") == "1":
    init()
