"""Batches of data: of arrays, or of a generator that makes them during training.

`batches()` yields the size of each batch, and `next(size)` returns the batch, without reading a number from the device.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from tinynet.backend import xp
from tinynet.device import kernels
from tinynet.types import Any, Array, Function
from tinynet.validation import whole_number


class Dataset:
    """Arrays (x, y, weights) of samples, targets (or None) and weights (or None), in batches.

    >>> data = Dataset((np.arange(6.0).reshape(3, 2), np.array([0, 1, 2]), None), batch_size=2)
    >>> [data.next(size)[0].tolist() for size in data.batches()]
    [[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0]]]
    """

    def __init__(self, given: tuple[Any, ...], batch_size: int = 32):
        self.given = given
        self.samples: int = len(given[0])
        self.length: int = self.samples         # of the order
        self.batch_size = batch_size
        self.steps: int = -(-self.samples // batch_size)
        self.arrays: Any = tuple(None if a is None else xp.asarray(a) for a in self.given)
        self.order: Any = None                  # the order of the samples in this epoch; None without shuffling
        self.position: Array = xp.zeros(1, np.int64)   # in the order: an array that a captured step can increase
        self.start: int = 0                     # the first batch of the next pass: not 0 in an epoch that continues
        self._shuffled: Any = None
        self._buffers: list[Any] = [None, None, None]

    def shuffle(self, shuffle: bool | str) -> None:
        """Shuffle samples (True), or batches ("batch"), except a short last one; or not (False).

        The order of the last epoch is shuffled again, by np.random.shuffle, as in Keras 2.3.1. An epoch that is
        continued keeps its order.
        """
        if not shuffle or self.start:
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

    def batches(self) -> Iterator[int]:
        """The sizes of the batches of a pass; call `next` after each."""
        first, self.start = self.start * self.batch_size, 0
        self.position[...] = first
        for start in range(first, self.samples, self.batch_size):
            yield min(self.batch_size, self.samples - start)

    @property
    def iterator_state(self) -> tuple[Any, ...]:
        """(the order of the samples or None, 0), from which the next pass follows."""
        return self._shuffled, 0

    @iterator_state.setter
    def iterator_state(self, state: tuple[Any, ...]) -> None:
        order, _ = state
        if order is not None:
            self._shuffled = np.array(order)
            self.order = xp.asarray(self._shuffled.copy())

    def rewind(self) -> None:
        """Begin the batch again; the position is an array, and work that was not done has not moved it."""

    def skip(self, size: int) -> None:
        """Skip the next samples of the order, which another process works on."""
        self.position += size

    def next(self, size: int) -> list[Any]:
        """(x, y, weights) of the next `size` samples, in arrays that the next call may overwrite."""
        batch = [None if a is None else kernels.gather(a, self.order, self.position, size, partial(self._buffer, i))
                 for i, a in enumerate(self.arrays)]
        self.position += size
        return batch

    def _buffer(self, i, size):
        """An array for `size` samples of array number i: the beginning of the longest one so far."""
        if self._buffers[i] is None or len(self._buffers[i]) < size:
            self._buffers[i] = xp.empty_like(self.arrays[i], shape=(size, *self.arrays[i].shape[1:]))
        return self._buffers[i][:size]

    def split(self, fraction: float) -> tuple[Dataset, Dataset]:
        """(the first samples to train on, the last `fraction` of them to validate on), without shuffling.

        Raises ValueError unless 0 < fraction < 1 leaves samples in both.
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
    """The base class of data that is made batch by batch.

    Your own defines `__len__`, the number of batches, and `__getitem__(i)`, batch number i, (x, y) or (x, y, weights);
    `on_epoch_end` is called after each pass. Source: keras/utils/data_utils.py of Keras 2.3.1.
    """

    def __len__(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __len__(), the number of batches.")

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index), a batch.")

    def on_epoch_end(self) -> None:
        pass


def is_stream(x: Any) -> bool:
    """Whether x is a `Sequence` or a generator."""
    return isinstance(x, Sequence) or hasattr(x, "__next__")


class Stream:
    """The batches of a `Sequence` or generator, which continues from pass to pass.

    Parameters
        source: a Sequence or a generator.
        steps: batches in a pass; None for all of a Sequence.
        check: converts a batch of the source to arrays (x, y, weights), or raises an error.
        name: the name of the argument `steps` in errors.

    Each batch is made in the thread that trains, when it is needed.
    """

    samples = None      # unknown
    given = None
    start = 0

    def __init__(self, source: Any, steps: float | None, check: Function, name: str = "steps"):
        if steps is None and not isinstance(source, Sequence):
            raise ValueError(f"`{name}=None` is only valid for a generator based on the `Sequence` class. A generator "
                             f"has no length: specify `{name}`.")
        self.source = source
        steps = math.ceil(steps) if isinstance(steps, float) and math.isfinite(steps) else steps    # len(x) / 32
        self.wanted: int | None = None if steps is None else whole_number(name, steps, least=1)
        self.check = check
        self.order: Any = None          # of the batches of a Sequence
        self.position: int = 0
        self.first: Any = None          # a batch of a generator that `peek` has taken
        self.buffers: dict[int, list[Any]] = {}
        self.given_in_each: list[bool] | None = None
        self.shuffled: bool = False

    @property
    def steps(self) -> int:
        return self.wanted or len(self.source)

    def peek(self) -> tuple[Any, ...]:
        """The first batch, which the first pass will return again."""
        if isinstance(self.source, Sequence):
            return self.check(self._item(0))
        self.first = self.check(self._item())
        return self.first

    def shuffle(self, shuffle: bool | str) -> None:
        """Shuffle the batches of a Sequence before each pass from now on."""
        self.shuffled = bool(shuffle)

    def batches(self) -> Iterator[int]:
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
        """The length of the order: the number of batches of a Sequence; 0 for a generator."""
        return len(self.source) if isinstance(self.source, Sequence) else 0

    @property
    def iterator_state(self) -> tuple[Any, ...]:
        """(the order of a Sequence's batches or None, the number of them that are done)"""
        return self.order, self.position

    @iterator_state.setter
    def iterator_state(self, state: tuple[Any, ...]) -> None:
        self.order, self.position = state

    def rewind(self) -> None:
        self.cursor: int = 0

    def skip(self, size: int) -> None:
        self.cursor += size

    def next(self, size: int) -> list[Any]:
        rows = slice(self.cursor, self.cursor + size)
        self.cursor += size
        return [None if a is None else a[rows] for a in self.buffers[self.loaded]]

    def _item(self, index=None):
        """The next batch of the source, or the one at this index of a Sequence."""
        if isinstance(self.source, Sequence):
            if index is not None:
                return self.source[index]
            if self.order is None:
                self.order = np.arange(len(self.source))
                if self.shuffled:
                    np.random.shuffle(self.order)
            self.position += 1
            return self.source[int(self.order[self.position - 1])]
        try:
            return next(self.source)
        except StopIteration:
            raise ValueError("The generator has ended before training has. It must never end, or make as many batches "
                             "as all epochs take.") from None

    def _load(self, batch):
        """Copy a batch into the arrays for its size, which are always the same; returns the size."""
        size, given = len(batch[0]), [a is not None for a in batch]
        if self.given_in_each not in (None, given):
            raise ValueError("Either all batches come with targets and with sample weights, or none.")
        self.given_in_each = given
        if size not in self.buffers:
            self.buffers[size] = [None if a is None else xp.empty(a.shape, a.dtype) for a in batch]
        for buffer, array in zip(self.buffers[size], batch):
            if buffer is not None:
                buffer[...] = xp.asarray(array)
        self.batch: Any = batch
        self.loaded, self.cursor = size, 0      # the size of the batch, and how many of its samples are taken
        return size
