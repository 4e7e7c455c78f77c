"""DataParallel: how `fit` runs batches, decides to stop, and reads and writes files, in several processes."""
from __future__ import annotations

from functools import partial

from tinynet.distributed import consistency
from tinynet.distributed.collectives import any_rank, broadcast_from_rank0
from tinynet.distributed.data_parallel import ShardedMeans, TrainingBatch, evaluate_batch
from tinynet.distributed.ranks import rank, settings
from tinynet.training.epoch import Epoch
from tinynet.training.strategy import Batch, SingleProcess
from tinynet.types import Any, Function


class DataParallel(SingleProcess):
    """The strategy of several processes: they share each batch, and rank 0 reads and writes files for all."""

    is_writer = property(lambda self: rank() == 0)

    @property
    def sharing(self) -> str:  # type: ignore[override]
        return f"{settings().shards} shards" + (" in any order" if not settings().deterministic else "")

    def begin(self, model: Any, data: Any, validation: Any, arguments: list[Any]) -> None:
        consistency.begin(model, data, validation, arguments)

    def begin_epoch(self, model: Any, train: Any, callbacks: Any) -> None:
        super().begin_epoch(model, train, callbacks)
        consistency.check(model, train.data)

    def end(self, model: Any, data: Any) -> None:
        consistency.check(model, data)

    def check_single_batches(self) -> None:
        raise RuntimeError("train_on_batch would train this rank's model alone. Call fit, which all ranks share.")

    def epochs(self, model: Any, data: Any, validation: Any) -> tuple[Any, ...]:
        means, test_means = ShardedMeans(model.metrics), ShardedMeans(model.metrics)
        evaluate = partial(evaluate_batch, model, validation, test_means)
        return (Epoch("train", Batch(model, TrainingBatch(model, data, means)), data, means, partial(self.stop, model)),
                validation and Epoch("test", Batch(model, evaluate), validation, test_means))

    def any(self, flag: bool | int) -> bool:
        return any_rank(flag)

    def on_writer(self, what: str, work: Function) -> bytes:
        return broadcast_from_rank0(what, work)
