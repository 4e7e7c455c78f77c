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
from tinynet.distributed import rank
from tinynet.distributed.meeting import agree, by_first
from tinynet.distributed.ranks import settings
from tinynet.random import global_state
from tinynet.saving import by_layer, numbers_of, training_change, weights_change
from tinynet.serialization import layout
from tinynet.step import Trainable

__all__ = ["begin", "check", "mark"]


def begin(model, data, validation, arguments):
    """See that all ranks are about to do the same, and let all start from what rank 0 has.

    Raises ValueError, on all ranks, where they differ in anything but numbers that training changes.
    """
    facts = {"tinynet's version": tinynet.__version__,
             "init(deterministic, shards)": f"{settings().deterministic}, {settings().shards}",
             "layers": ", ".join(f"{type(link).__name__} to {link.output_shape}" for link in model.chain),
             "the float type": str(model.dtype),
             "optimizer, loss and all numbers": "; ".join(
                 _described(part) for part in (model.optimizer, model.loss, *model.layers)),
             "the metrics": str(model.metrics_names),
             "the arguments of fit": str(arguments),
             "the training data": _fingerprint(data),
             "the validation data": _fingerprint(validation)}
    if getattr(model.train_step, "__func__", None) is not Trainable.train_step:
        raise TypeError(f"{type(model).__name__} has a train_step of its own, which ranks cannot share.")
    agree(facts, "Every rank runs the same program on the same data, and takes its rows of each batch by itself.")
    arrays, words = numbers_of(model)
    kind, keys, *others = global_state()
    raw = by_first("starting from the weights of rank 0", lambda: layout.encode(
        arrays | {"random": keys}, words | {"random": json.dumps([kind, *others])}))
    arrays, words = layout.decode(raw)
    kind, *others = json.loads(words["random"])
    if rank():
        weights_change(model, by_layer(words, arrays))()
        training_change(model, words, arrays)()
        np.random.set_state((kind, arrays["random"], *others))


def _described(part) -> str:
    """A layer's, optimizer's or loss's class, with those of its arguments that are numbers or words."""
    given = {name: getattr(part, name, None) for name in arguments(type(part)) if name not in ("name", "learning_rate")}
    return f"{type(part).__name__} {({name: v for name, v in given.items() if isinstance(v, (int, float, str))})}"


def _fingerprint(data) -> str:
    """Shapes, types and SHA-256 of arrays; of a generator, which every rank has by itself, no more than its length."""
    if data is None:
        return "none"
    if data.samples is None:
        return f"a {type(data.source).__name__} of {data.steps} batches"
    return f"batches of {data.batch_size} of " + ", ".join(
        "nothing" if a is None else f"{a.dtype} {a.shape} with SHA-256 {_sha256(a)}" for a in data.given)


def _sha256(array) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()[:16]


def check(model, data):
    """Raise ValueError unless all ranks have the same weights, and the samples in the same order."""
    order, _ = data.place
    agree({"their weights": _sha256(to_numpy(model.parameters.value)),
           "the order of the samples": "none" if order is None else _sha256(order)},
          "Something has changed weights, optimizer or learning rate, or has drawn from np.random, on some ranks only, "
          "such as a callback under `if rank() == 0:`.")


def mark(data, size) -> bytes:
    """What tells a batch from others: of arrays, which have been compared, its size; of a generator, all of it."""
    content = "" if data.samples is not None else "".join(_sha256(a) for a in data.batch if a is not None)
    return hashlib.sha256(f"{size} {content}".encode()).digest()
