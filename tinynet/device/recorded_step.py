"""RecordedStep: the work of one batch on a CPU, recorded once for each batch size and then played."""
from __future__ import annotations

import math
import operator
import os
import sys
import types

import numpy as np

from tinynet.device import threads
from tinynet.device.compile import compiler, library
from tinynet.device.plan import Plan, byte_range
from tinynet.device.record import NotRecordable, Tape, plain, recorded
from tinynet.types import Any, Array, Function

FREE_RECORDINGS, STEPS_PER_RECORDING = 20, 20      # so many may be in vain; one costs about so many steps
# What a step, and what a prediction, uses of a model: its methods, and attributes
STEP = (("train_step", "compute_gradients", "compute_loss", "forward", "penalty", "loss_backward", "backpropagate",
         "apply_gradients", "update_state", "test_step", "trainable_weights", "losses"),
        ("stack", "parameters", "updating", "optimizer", "loss_of_z", "stack_after_z", "metrics"))
FORWARD = ("forward",), ("stack", "parameters")
BATCH_HOOKS = [f"on_{stage}_batch_{when}" for stage in ("train", "test") for when in ("begin", "end")]
CONTAINERS = (np.ndarray, list, tuple, dict)
RESULTS = ("totals", "_when_built")      # attributes that nothing in a step reads
# Attributes that are not part of a step
LEFT_OUT = ("step", "model", "given", "source", "check", "first", "batch", "saved_weight", "_initial_weights",
            "_when_built")


class RecordedStep:
    """`work(size)`, which returns an array; with a compiler it is recorded at the second call with a size.

    At the third call the recording is compared with the work itself: from one state both must lead to the same bits.
    From then on it is played, until an attribute or an array that the work depends on has changed. Work of which
    something is not tinynet's own (a layer, loss, metric ... of yours), or does what cannot be recorded, runs as it is;
    `reason` says why.

    Parameters
        work: the function.
        model: whose step it is.
        others: more objects whose arrays the work uses: the data and the sums of loss and metrics.
        uses: what the work uses of the model, STEP or FORWARD.
    """

    def __init__(self, work: Function, model: Any, *others: Any, uses: tuple[Any, ...] = STEP):
        self.work, self.model, self.others, self.uses = work, model, others, uses
        self.seen: set[int] = set()
        self.recordings: dict[int, _Recording] = {}
        self.count = self.plays = 0
        self.disturbed = self.look = True
        self.reason: str = ""

    def __call__(self, size: int) -> Array:
        if self.reason or size not in self.seen:
            self.seen.add(size)
            return self.work(size)
        if self.recordings and self.look and self._changed():
            self.recordings.clear()
        self.look = self.disturbed
        recording = self.recordings.get(size)
        if recording is None:
            return self._record(size)
        if not recording.checked:
            return self._check(recording, size)
        recording.plan.play()
        vars(self.model).update(recording.of_model)
        self.plays += 1
        return _shown(recording.result, recording.left)

    def begin_epoch(self, callbacks: Any) -> None:
        """Before an epoch: if only tinynet's own code runs between its steps, the first one looks for changes."""
        self.look = True
        self.disturbed = not self.others[0].samples or any(map(callbacks.listen_to, BATCH_HOOKS)) or any(
            not callback.progress.__module__.startswith("tinynet.") for callback in callbacks.callbacks) or any(
            layer in threads.LOCKS and threads.LOCKS[layer].shared for layer in self.model.stack)   # with other models

    def _record(self, size):
        """Do the work and record it."""
        self.count += 1
        try:
            objects = self._objects()
        except NotRecordable as reason:
            self._disable(str(reason))
            return self.work(size)
        if hasattr(self.model, "parameters"):
            self.model.parameters = self.model.parameters.contiguous()
        with _Noted(self.model, objects) as noted, Tape() as tape:
            result = self.work(size)
        if tape.failed:
            self._disable(tape.failed)
        else:
            self.recordings[size] = _Recording(tape, plain(result), noted)
            self._watch(objects, noted.assigned)
        return _shown(plain(result), noted.left)

    def _objects(self) -> list[Any]:
        """The objects that the work uses.  Raises NotRecordable if it need not be tried."""
        if not (library("float32") and library("float64")):
            raise NotRecordable("there is no C compiler")
        if {"raise", "call"} & set(np.geterr().values()):
            raise NotRecordable("numpy.seterr asks for errors, of which the recording would know nothing")
        if self.count > FREE_RECORDINGS + self.plays / STEPS_PER_RECORDING:
            raise NotRecordable("it has changed too often")
        return _reachable(self.model, self.uses, self.others)

    def _watch(self, objects, assigned):
        """Remember what the work depends on: attributes (dict, name), and the items of those that are containers."""
        outside = [(vars(sys.modules["tinynet.backend"]), "_epsilon"),      # which losses and constraints use
                   *((vars(self.model), name) for name in self.uses[1] if name in vars(self.model))]
        inside = [(vars(o), name) for o in objects for name, value in vars(o).items()
                  if name not in RESULTS and (id(o), name) not in assigned and (
                      o not in self.others or isinstance(value, np.ndarray))]
        containers = [owner[name] for owner, name in inside if isinstance(owner[name], (dict, list))]
        inside += [(items, key) for items in containers
                   for key in (items if isinstance(items, dict) else range(len(items)))]
        names: dict[int, list[Any]] = {}
        for owner, name in outside + inside:
            names.setdefault(id(owner), [owner, name]).append(name)     # one twice, so that a getter returns a tuple
        self.owners: list[Any] = [owner for owner, *_ in names.values()]
        self.getters: list[Any] = [operator.itemgetter(*rest) for _, *rest in names.values()]
        self.values: list[Any] = [get(owner) for get, owner in zip(self.getters, self.owners)]
        self.inside: list[Any] = [owner for owner in self.owners if all(owner is not other for other, _ in outside)]
        self.sizes: list[int] = list(map(len, self.inside))
        # Comparing tuples finds another array by an error, but for arrays of one number.
        self.numbers = [(owner, name, owner[name]) for owner, name in inside if getattr(owner[name], "size", 0) == 1]
        self.threads: int = threads.threads()

    def _changed(self) -> bool:
        """Whether anything that the work depends on is not what it was when it was recorded."""
        try:
            return (self.threads != threads.threads() or not vars(self.model).keys().isdisjoint(self.uses[0]) or
                    list(map(len, self.inside)) != self.sizes or
                    [get(owner) for get, owner in zip(self.getters, self.owners)] != self.values or
                    any(owner[name] is not array for owner, name, array in self.numbers))
        except Exception:       # a key is gone, or the truth of an array that is not the same one
            return True

    def _check(self, recording, size):
        """Do the work; then play the recording from the same state, which must lead to the same numbers."""
        before = [a.copy() for a in recording.state]
        result = np.array(self.work(size))
        after = [a.copy() for a in recording.state]
        for a, value in zip(recording.state, before):
            a[...] = value
        recording.plan.play()
        recording.checked = all(np.array_equal(a, value, equal_nan=a.dtype.kind == "f") for a, value in zip(
            [*recording.state, recording.result], [*after, result]))
        for attributes, assigned in recording.left:
            attributes.update(assigned)
        if not recording.checked:
            for a, value in zip(recording.state, after):
                a[...] = value
            self._disable("the recording gives other numbers than the step itself")
        return result

    def _disable(self, reason):
        self.reason = reason
        self.recordings.clear()
        if os.environ.get("TINYNET_VERBOSE"):
            print(f"tinynet does not record this step: {reason}.", file=sys.stderr)


def _shown(loss, left):
    """The loss; if it is not finite, the layers keep what they computed, which tells the first that was not."""
    if not (loss.ndim or math.isfinite(loss)):
        for attributes, assigned in left:
            attributes.update(assigned)
    return loss


class _Recording:
    def __init__(self, tape: Any, result: Array, noted: Any):
        self.plan, self.result, self.left, self.of_model = Plan(tape), result, noted.left, noted.of_model
        written = [access[:2] for call in tape.calls for access in call.accesses if access.write]
        self.state = [a for a, (first, last) in zip(noted.arrays, map(byte_range, noted.arrays)) if any(
            start < last and first < end for start, end in written)]
        self.checked = False


class _Noted:
    """Inside `with` the arrays of the objects note what is done with them; afterwards the objects are as before."""

    def __init__(self, model: Any, objects: list[Any]):
        self.model, self.objects = model, objects
        self.arrays: list[np.ndarray] = []
        self.assigned: set[Any] = set()
        self.left: list[Any] = []        # (attributes of an object, those that the step has assigned)

    def __enter__(self) -> Any:
        self.before = [(vars(o), dict(vars(o))) for o in self.objects]
        self.model_before = dict(vars(self.model))
        try:
            return self._noting()
        except BaseException:       # Ctrl-C
            self._restore()
            raise

    def _restore(self):
        """Give the objects the attributes that they had; it may be interrupted, and called again."""
        for attributes, before in self.before:
            attributes.update(before)
            for name in attributes.keys() - before.keys():
                del attributes[name]

    def _noting(self):
        made: dict[Any, Any] = {}

        def noting(value):
            if isinstance(value, np.ndarray):
                if id(value) not in made:
                    made[id(value)] = recorded(value)
                    self.arrays.append(value)
                return made[id(value)]
            if type(value) in (list, tuple) and any(isinstance(v, CONTAINERS) for v in value):
                return type(value)(map(noting, value))
            if type(value) is dict and any(isinstance(v, CONTAINERS) for v in value.values()):
                return {key: noting(v) for key, v in value.items()}
            return value

        for attributes, before in self.before:
            for name, value in before.items():
                if name == "_buffers":      # the recording has its own
                    attributes[name] = {} if isinstance(value, dict) else [None] * len(value)
                elif name not in LEFT_OUT:
                    attributes[name] = noting(value)
        vector: Any = getattr(self.model, "parameters", None)
        start = 0
        for p in vector.parameters if vector else ():       # views of the vector's recorded arrays
            part, shape = slice(start, start + p.value.size), p.value.shape
            p.move_to(vector.value[part].reshape(shape), vector.grad[part].reshape(shape))
            start = part.stop
        self.during = [dict(attributes) for attributes, _ in self.before]
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._note_what_is_new()
        finally:
            try:
                self._restore()
            except BaseException:       # Ctrl-C
                self._restore()
                raise

    def _note_what_is_new(self):
        for o, during, (attributes, before) in zip(self.objects, self.during, self.before):
            # What the step assigns it does not depend on.
            new = {name: {key: plain(a) for key, a in value.items()} if isinstance(value, dict) else plain(value)
                   for name, value in attributes.items() if during.get(name) is not value or name == "_buffers"}
            self.assigned |= {(id(o), name) for name in new}
            self.left.append((attributes, new))
        self.of_model = {name: plain(value) for name, value in vars(self.model).items()
                         if isinstance(value, np.ndarray) and value is not self.model_before.get(name)}
        vars(self.model).update(self.of_model)


def _reachable(model, uses, others) -> list[Any]:
    """The objects of tinynet that a step uses.  Raises NotRecordable if one is not tinynet's own."""
    methods, attributes = uses
    for name in methods:
        method = getattr(type(model), name)
        if name in vars(model) or not getattr(getattr(method, "fget", None) or method, "__module__", "").startswith(
                "tinynet."):
            raise NotRecordable(f"{type(model).__name__}.{name} is not tinynet's")
    found: dict[int, Any] = {}
    left = [*others, *(getattr(model, name, None) for name in attributes)]
    leaves = (int, float, str, bytes, type(None), np.ndarray, np.generic, np.dtype, type(model))
    while left:
        thing = left.pop()
        if id(thing) in found or isinstance(thing, leaves):
            continue
        if isinstance(thing, (list, tuple, set)):
            left += thing
        elif isinstance(thing, dict):
            left += [*thing.values(), *(part for key in thing for part in (key if isinstance(key, tuple) else ()))]
        else:
            kind = thing if isinstance(thing, (types.FunctionType, type)) else type(thing)
            if not kind.__module__.startswith("tinynet.") or isinstance(thing, types.MethodType):
                raise NotRecordable(f"{getattr(thing, '__name__', kind.__name__)} is not tinynet's own")
            for cls in kind.__mro__ if isinstance(kind, type) else ():      # methods that were replaced
                for method in vars(cls).values():
                    if isinstance(method, types.FunctionType) and not method.__module__.startswith("tinynet."):
                        raise NotRecordable(f"{cls.__name__}.{method.__name__} is not tinynet's own")
            if hasattr(thing, "__dict__") and kind is not thing:
                found[id(thing)] = thing
                left += [value for name, value in vars(thing).items()
                         if not name.endswith("_initializer") and name not in LEFT_OUT]
    return list(found.values())


class RecordedForward:
    """`forward(x)`, the prediction for a batch, recorded for each batch size, unless the batch is large."""

    LARGEST, MOST_SIZES = 2**19, 8      # numbers in a batch; sizes that are kept

    def __init__(self, model: Any):
        self.model = model
        self._begin()

    def __reduce__(self) -> Any:  # a copy of the model begins without
        return type(None), ()

    def _begin(self):
        self.inputs: dict[int, np.ndarray] = {}
        self.step = RecordedStep(lambda size: self.model.forward(self.inputs[size]), self.model, self, uses=FORWARD)

    def __call__(self, x: Array) -> Array:
        size = len(x)
        if x.size > self.LARGEST or self.step.reason or not compiler():
            return self.model.forward(x)
        given = self.inputs.get(size)
        if given is None or given.shape != x.shape or given.dtype != x.dtype:
            if given is not None or len(self.inputs) == self.MOST_SIZES:
                self._begin()
            self.inputs[size] = given = np.empty_like(x)
        given[...] = x
        return self.step(size)

    def again(self, x: Array) -> Array | None:
        """The prediction for finite numbers of a size, shape and type that were recorded before; None for others."""
        given = self.inputs.get(len(x))
        if given is None or given.shape != x.shape or given.dtype != x.dtype or len(x) not in self.step.recordings or (
                not np.isfinite(x).all()):
            return None
        given[...] = x
        return self.step(len(x)).copy()
