"""Consistency checks between ranks, before and during training, and the state that all of them start from."""
from __future__ import annotations

import json
import sys

import numpy as np

from tinynet.backend import to_numpy
from tinynet.distributed.collectives import assert_equal_across_ranks, barrier, broadcast_from_rank0
from tinynet.distributed.ranks import rank, settings, size
from tinynet.random import global_state
from tinynet.registry import serialize
from tinynet.saving import file_format
from tinynet.saving.fingerprint import fingerprint, of_array, sha256
from tinynet.saving.model_file import numbers_of, prepare_training, prepare_weights, weights_by_layer
from tinynet.training.step import Trainable
from tinynet.types import Any
from tinynet.validation import argument_names


def begin(model: Any, data: Any, validation: Any, arguments: list[Any]) -> None:
    """Check that all ranks run the same training, and let all start from the state of rank 0.

    Raises ValueError, on all ranks, if they differ in anything but numbers that training changes.
    """
    if getattr(model.train_step, "__func__", None) is not Trainable.train_step:
        raise TypeError(f"{type(model).__name__} has a train_step of its own, which ranks cannot share.")
    kind, keys, *others = global_state()
    if size() == 1:     # a hash of all data takes as long as many steps
        return
    facts = {"tinynet's version": sys.modules["tinynet"].__version__,
             "init(deterministic, shards)": f"{settings().deterministic}, {settings().shards}",
             "layers": ", ".join(f"{type(layer).__name__} to {layer.output_shape}" for layer in model.layers),
             "the float type": str(model.dtype),
             "optimizer, loss and all numbers": "; ".join(
                 _described(part) for part in (model.optimizer, model.loss, *model.layers)),
             "the metrics": str(model.metrics_names),
             "the arguments of fit": str(arguments),
             "the training data": fingerprint(data),
             "the validation data": fingerprint(validation)}
    assert_equal_across_ranks(facts, "Every rank must run the same program on the same data, of which it takes its "
                                     "rows of each batch.")

    def encoded():
        arrays, metadata = numbers_of(model)
        return file_format.encode(arrays | {"random": keys}, metadata | {"random": json.dumps([kind, *others])})

    raw = broadcast_from_rank0("starting from the weights of rank 0", encoded)
    if rank():
        arrays, metadata = file_format.decode(raw)
        kind, *others = json.loads(metadata["random"])
        prepare_weights(model, weights_by_layer(metadata, arrays))()
        prepare_training(model, metadata, arrays)()
        np.random.set_state((kind, arrays["random"], *others))


def _described(part) -> str:
    """The class and the arguments of a layer, optimizer or loss, without its name and without what training changes."""
    arguments = {name: serialize(getattr(part, name, None)) for name in argument_names(type(part))
                 if name not in ("name", "learning_rate", "weights")} | getattr(part, "arguments", {})
    return f"{type(part).__name__} {json.dumps(arguments, default=lambda thing: type(thing).__name__)}"


def check(model: Any, data: Any) -> None:
    """Raise ValueError unless all ranks have the same weights and the same order of the samples."""
    if size() == 1:
        return
    order, _ = data.iterator_state
    assert_equal_across_ranks(
        {"their weights": of_array(to_numpy(model.parameters.value)),
         "the order of the samples": "none" if order is None else of_array(order)},
        "Something has changed weights, optimizer or learning rate, or has drawn from np.random, on some ranks only, "
        "such as a callback under `if rank() == 0:`.")


def check_batch(tag: str, data: Any, rows: int) -> None:
    """Raise RuntimeError unless all ranks are at this barrier with the same batch.

    The batches of arrays, which have been compared before, are told apart by their number of rows.
    """
    if size() == 1:
        return
    content = "" if data.samples is not None else "".join(of_array(a) for a in data.batch if a is not None)
    if len(set(barrier(tag, bytes.fromhex(sha256(f"{rows} {content}".encode()))))) > 1:
        raise RuntimeError("The ranks have different batches. A generator must make the same batches on every rank.")
