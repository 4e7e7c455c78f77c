"""One model, trained by several processes: MPI's ranks, which all run the same program."""
from tinynet.distributed.ranks import active, rank, size
from tinynet.distributed.start import init
from tinynet.launcher import launched

__all__ = ["active", "init", "launched", "rank", "size"]
