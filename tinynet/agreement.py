"""What ranks compare before and while they train, so that a mismatch is an error in words, and where all start from.

It must not know how they share a batch.
"""
from __future__ import annotations

import hashlib
import json

import numpy as np

import tinynet
from tinynet.arguments import arguments
from tinynet.backend import to_numpy
from tinynet.distributed import rank, size
from tinynet.distributed.meeting import agree, by_first, meet
from tinynet.distributed.ranks import settings
from tinynet.random import global_state
from tinynet.registry import serialize
from tinynet.saving import by_layer, numbers_of, training_change, weights_change
from tinynet.serialization import layout
from tinynet.step import Trainable

__all__ = ["begin", "check", "same_batch"]


def begin(model, data, validation, given):
    """See that all ranks are about to do the same, and let all start from what rank 0 has.

    Raises ValueError, on all ranks, where they differ in anything but numbers that training changes.
    """
    if getattr(model.train_step, "__func__", None) is not Trainable.train_step:
        raise TypeError(f"{type(model).__name__} has a train_step of its own, which ranks cannot share.")
    kind, keys, *others = global_state()
    if size() == 1:     # a hash of all data takes as long as many steps
        return
    facts = {"tinynet's version": tinynet.__version__,
             "init(deterministic, shards)": f"{settings().deterministic}, {settings().shards}",
             "layers": ", ".join(f"{type(link).__name__} to {link.output_shape}" for link in model.chain),
             "the float type": str(model.dtype),
             "optimizer, loss and all numbers": "; ".join(
                 _described(part) for part in (model.optimizer, model._loss, *model.layers)),
             "the metrics": str(model.metrics_names),
             "the arguments of fit": str(given),
             "the training data": _fingerprint(data),
             "the validation data": _fingerprint(validation)}
    agree(facts, "Every rank runs the same program on the same data, and takes its rows of each batch by itself.")

    def encoded():
        arrays, words = numbers_of(model)
        return layout.encode(arrays | {"random": keys}, words | {"random": json.dumps([kind, *others])})

    raw = by_first("starting from the weights of rank 0", encoded)
    if rank():
        arrays, words = layout.decode(raw)
        kind, *others = json.loads(words["random"])
        weights_change(model, by_layer(words, arrays))()
        training_change(model, words, arrays)()
        np.random.set_state((kind, arrays["random"], *others))


def _described(part) -> str:
    """A layer's, optimizer's or loss's class, with its arguments as they are saved; not its name, nor what training
    changes."""
    given = {name: serialize(getattr(part, name, None)) for name in arguments(type(part))
             if name not in ("name", "learning_rate", "weights")} | getattr(part, "arguments", {})
    return f"{type(part).__name__} {json.dumps(given, default=lambda thing: type(thing).__name__)}"


def _fingerprint(data) -> str:
    """Shapes, types and hashes of arrays; of a generator, which every rank has by itself, no more than its length."""
    if data is None:
        return "none"
    if data.samples is None:
        return f"a {type(data.source).__name__} of {data.steps} batches"
    return f"batches of {data.batch_size} of " + ", ".join(
        "nothing" if a is None else f"{a.dtype} {a.shape} with SHA-256 {_sha256(a)}" for a in data.given)


def _sha256(array) -> str:
    """The first 64 bits of it, as text."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()[:16]


def check(model, data):
    """Raise ValueError unless all ranks have the same weights, and the samples in the same order."""
    if size() == 1:
        return
    order, _ = data.place
    agree({"their weights": _sha256(to_numpy(model.parameters.value)),
           "the order of the samples": "none" if order is None else _sha256(order)},
          "Something has changed weights, optimizer or learning rate, or has drawn from np.random, on some ranks only, "
          "such as a callback under `if rank() == 0:`.")


def same_batch(place, data, rows):
    """Raise RuntimeError unless all ranks have come to this place with the same batch.

    Of arrays, which have been compared, its number of rows tells it from others; of a generator, all that is in it.
    """
    if size() == 1:
        return
    content = "" if data.samples is not None else "".join(_sha256(a) for a in data.batch if a is not None)
    if len(set(meet(place, hashlib.sha256(f"{rows} {content}".encode()).digest()))) > 1:
        raise RuntimeError("The ranks have different batches. A generator must make the same batches on every rank.")
