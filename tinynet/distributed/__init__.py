"""Distributed training: several processes, the ranks of MPI, run the same program and train one model together.

Several hosts: `mpiexec -hosts first,second -n 4 python -m mpi4py train.py`, with the same files and packages on each.
If the network between them fails in training, every rank ends with an error within the `timeout` of `init` and ten
seconds; MPICH's mpiexec itself then stays until Ctrl-C. A rank that has reached the end of the program waits for the
others as long as it takes.
"""
from tinynet.device.launcher import launched
from tinynet.distributed.init import init
from tinynet.distributed.ranks import active, rank, size

__all__ = ["active", "init", "launched", "rank", "size"]
