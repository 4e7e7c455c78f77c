"""Where batches come from: arrays that are there, or a generator that makes them as training goes.

Both say in `batches()` how large the next batch is, and hand it over in `next(size)`, which asks for no number, so that
a GPU can replay it.  They must not know what is done with a batch.
"""
from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tinynet import kernels
from tinynet.arguments import whole_number
from tinynet.backend import xp

__all__ = ["Dataset", "Sequence", "Stream", "is_stream"]


class Dataset:
    """Arrays (x, y, weights) of samples, targets (or None) and weights (or None), to be had batch by batch.

    >>> data = Dataset((np.arange(6.0).reshape(3, 2), np.array([0, 1, 2]), None), batch_size=2)
    >>> [data.next(size)[0].tolist() for size in data.batches()]
    [[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0]]]
    """

    def __init__(self, given, batch_size=32):
        self.given = given
        self.samples = len(given[0])
        self.batch_size = batch_size
        self.steps = -(-self.samples // batch_size)
        self.arrays: Any = tuple(None if a is None else xp.asarray(a) for a in self.given)
        self.order: Any = None                  # the samples in the order of the epoch; None as they are
        self.position = xp.zeros(1, np.int64)   # in the order, where a recorded step of training can move it on
        self._shuffled: Any = None
        self._buffers: list = [None, None, None]

    def reorder(self, shuffle):
        """Shuffle sample by sample (True), or whole batches ("batch"), the short last one staying last; or not (False).

        The order is kept from epoch to epoch and shuffled on, by np.random.shuffle, exactly as Keras 2.3.1 does.
        """
        if not shuffle:
            return
        if self.order is None:
            self._shuffled = np.arange(self.samples)
            self.order = xp.asarray(self._shuffled)
        if shuffle == "batch":
            whole = self.samples // self.batch_size * self.batch_size
            np.random.shuffle(self._shuffled[:whole].reshape(-1, self.batch_size))
        else:
            np.random.shuffle(self._shuffled)
        self.order[...] = xp.asarray(self._shuffled)

    def batches(self, first=0):
        """The sizes of the batches of a pass, from batch number `first` on; `next` has to follow each."""
        self.position[...] = first * self.batch_size
        for start in range(first * self.batch_size, self.samples, self.batch_size):
            yield min(self.batch_size, self.samples - start)

    @property
    def length(self) -> int:
        """How many samples are put in order."""
        return self.samples

    @property
    def place(self):
        """The order of the samples, or None, and where in it a pass begins: what decides the next one."""
        return self._shuffled, 0

    @place.setter
    def place(self, place):
        order, _ = place
        if order is not None:
            self._shuffled = np.array(order)
            self.order = xp.asarray(self._shuffled.copy())

    def skip(self, size):
        """Pass by the next samples of the order, which another process works on."""
        self.position += size

    def next(self, size):
        """(x, y, weights) of the next samples of the order, in arrays that the next call may overwrite."""
        batch = [None if a is None else kernels.gather(a, self.order, self.position, size, partial(self._buffer, i))
                 for i, a in enumerate(self.arrays)]
        self.position += size
        return batch

    def _buffer(self, i, size):
        """An array for `size` samples of array number i, the front of the longest so far."""
        if self._buffers[i] is None or len(self._buffers[i]) < size:
            self._buffers[i] = xp.empty((size, *self.arrays[i].shape[1:]), self.arrays[i].dtype)
        return self._buffers[i][:size]

    def split(self, fraction) -> tuple[Dataset, Dataset]:
        """The first samples to train on and the last, a `fraction` of them, to validate on; nothing is shuffled.

        Raises ValueError unless 0 < fraction < 1 leaves samples on either side.
        """
        if not 0 < fraction < 1:
            raise ValueError(f"validation_split must lie between 0 and 1, got {fraction!r}.")
        at = int(self.samples * (1 - fraction))
        if at in (0, self.samples):
            raise ValueError(f"validation_split={fraction} of {self.samples} samples leaves {at} to train on and "
                             f"{self.samples - at} to validate on.")
        first, last = (tuple(None if a is None else a[part] for a in self.given)
                       for part in (slice(at), slice(at, None)))
        return Dataset(first, self.batch_size), Dataset(last, self.batch_size)


class Sequence:
    """The base class of data in batches that are made when they are asked for: a list of (x, y) or (x, y, weights).

    Your own defines `__len__`, the number of batches, and `__getitem__(i)`, the batch number i; `on_epoch_end` if it
    wants to change something after each pass.  Source: keras/utils/data_utils.py of Keras 2.3.1.
    """

    def __len__(self):
        raise NotImplementedError(f"{type(self).__name__} must define __len__(), the number of batches.")

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index), a batch.")

    def on_epoch_end(self):
        pass


def is_stream(x) -> bool:
    """Whether x makes batches: a `Sequence`, or a generator."""
    return isinstance(x, Sequence) or hasattr(x, "__next__")


class Stream:
    """The batches of a `Sequence` or generator, which goes on from pass to pass.

    Parameters
        source: a Sequence, whose batches are shuffled before each pass if so asked, or a generator.
        steps: batches in a pass; None for all of a Sequence.
        check: makes (x, y, weights) arrays of what the source gives, or raises.
        name: of the argument that says how many steps.

    A batch is made in the thread that trains, when it is its turn.
    """

    samples = None      # unknown
    given = None

    def __init__(self, source, steps, check, name="steps"):
        if steps is None and not isinstance(source, Sequence):
            raise ValueError(f"`{name}=None` is only valid for a generator based on the `Sequence` class. A generator "
                             f"does not say when a pass is over: specify `{name}`.")
        self.source = source
        self.wanted = None if steps is None else whole_number(name, steps, least=1)
        self.check = check
        self.order: Any = None          # of the batches of a Sequence
        self.position = 0
        self.first: Any = None          # a batch that was looked at before training began
        self.buffers: dict[int, list] = {}
        self.given_in_each: list[bool] | None = None
        self.shuffle = False

    @property
    def steps(self) -> int:
        return self.wanted or len(self.source)

    def peek(self):
        """The first batch, which is still to come in the first pass."""
        if isinstance(self.source, Sequence):
            return self.check(self._item(0))
        self.first = self.check(self._item())
        return self.first

    def reorder(self, shuffle):
        """Shuffle the batches of a Sequence before each of its passes from now on."""
        self.shuffle = bool(shuffle)

    def batches(self, first=0):
        if not self.steps or isinstance(self.source, Sequence) and not len(self.source):
            raise ValueError(f"{type(self.source).__name__} has no batches: its len() is 0.")
        for step in range(self.steps):
            if self.first is not None:
                batch, self.first = self.first, None
            else:
                batch = self.check(self._item())
            yield self._load(batch)
            if self.order is not None and self.position == len(self.order):
                self.order, self.position = None, 0
                self.source.on_epoch_end()

    @property
    def length(self) -> int:
        """How many batches of a Sequence are put in order; none of a generator."""
        return len(self.source) if isinstance(self.source, Sequence) else 0

    @property
    def place(self):
        """The order of a Sequence's batches, or None, and how many of them are done: what decides the next pass."""
        return self.order, self.position

    @place.setter
    def place(self, place):
        self.order, self.position = place

    def skip(self, size):
        self.cursor += size

    def next(self, size):
        rows = slice(self.cursor, self.cursor + size)
        self.cursor += size
        return [None if a is None else a[rows] for a in self.buffers[self.loaded]]

    def _item(self, index=None):
        """What the source gives next, or at this index of a Sequence."""
        if isinstance(self.source, Sequence):
            if index is not None:
                return self.source[index]
            if self.order is None:
                self.order = np.arange(len(self.source))
                if self.shuffle:
                    np.random.shuffle(self.order)
            self.position += 1
            return self.source[int(self.order[self.position - 1])]
        try:
            return next(self.source)
        except StopIteration:
            raise ValueError("The generator has ended, and training was to go on. It must go on for ever, or for as "
                             "many batches as all epochs take.") from None

    def _load(self, batch):
        """Copy a batch to where `next` finds one of its size, always in the same arrays; returns the size."""
        size, given = len(batch[0]), [a is not None for a in batch]
        if self.given_in_each not in (None, given):
            raise ValueError("Either all batches come with targets and with sample weights, or none.")
        self.given_in_each = given
        if size not in self.buffers:
            self.buffers[size] = [None if a is None else xp.empty(a.shape, a.dtype) for a in batch]
        for buffer, array in zip(self.buffers[size], batch):
            if buffer is not None:
                buffer[...] = xp.asarray(array)
        self.batch = batch
        self.loaded, self.cursor = size, 0      # the batch, and how much of it has been handed over
        return size
