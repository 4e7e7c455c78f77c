"""Distributed training: several processes, the ranks of MPI, run the same program and train one model together."""
from tinynet.device.launcher import launched
from tinynet.distributed.init import init
from tinynet.distributed.ranks import active, rank, size

__all__ = ["active", "init", "launched", "rank", "size"]
