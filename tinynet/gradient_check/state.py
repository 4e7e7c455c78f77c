"""What a layer changes in each forward besides its output; put back, each forward draws and finds the same numbers."""
from __future__ import annotations

import copy

import numpy as np

from tinynet.backend import to_numpy, xp
from tinynet.layers import Layer
from tinynet.random import MaskStream
from tinynet.types import Any


class State:
    """Random streams, running statistics and, once `observe` has seen them change, sums that a layer keeps itself.

    An attribute that only backward changes is not put back: such a backward is not the same each time.
    """

    def __init__(self, layers: Any):
        inside = [inner for layer in layers for inner in _with_inner_layers(layer)]
        values = [value for layer in inside for value in vars(layer).values()]
        self.streams: list[Any] = [(stream, stream.step) for stream in values if isinstance(stream, MaskStream)]
        self.kept: list[Any] = [(p, p.value.copy()) for layer in inside for p in layer.parameters if not p.trainable]
        self.generators: list[tuple[Any, ...]] = [(g, g.bit_generator.state) for g in values
                                                  if isinstance(g, np.random.Generator)]
        self.generators += [(g, g.get_state()) for g in values if isinstance(g, np.random.RandomState)]
        self.numpy: Any = np.random.get_state()
        self.draws_from_numpy: bool = False
        self.attributes = [(layer, name, copy.copy(value)) for layer in inside for name, value in vars(layer).items()
                           if isinstance(value, (int, float, xp.ndarray)) and not isinstance(value, bool)]
        self.changing: dict[tuple, tuple[Any, ...]] = {}
        self.names = [(layer, set(vars(layer))) for layer in inside]
        self.forgets = False        # whether attributes that forward has made are removed: some layers begin sums so

    def observe(self) -> None:
        """Find out what the forward that has just run has changed."""
        self.draws_from_numpy = self.draws_from_numpy or any(
            np.any(a != b) for a, b in zip(self.numpy, np.random.get_state()))
        for layer, name, value in self.attributes:
            if not _same(vars(layer).get(name), value):
                self.changing[id(layer), name] = layer, name, value

    def restore(self) -> None:
        """Put it back."""
        for stream, step in self.streams:
            stream.step = step
        for p, value in self.kept:
            p.value = value
        for generator, state in self.generators:
            if isinstance(generator, np.random.Generator):
                generator.bit_generator.state = state
            else:
                generator.set_state(state)
        if self.draws_from_numpy:
            np.random.set_state(self.numpy)
        for layer, names in self.names if self.forgets else ():
            for name in set(vars(layer)) - names:
                delattr(layer, name)
        for layer, name, value in self.changing.values():
            setattr(layer, name, copy.copy(value))


def _with_inner_layers(layer):
    """A layer, and the layers in its attributes."""
    yield layer
    for value in vars(layer).values():
        for inner in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(inner, Layer):
                yield from _with_inner_layers(inner)


def _same(a, b) -> bool:
    return type(a) is type(b) and np.array_equal(to_numpy(a), to_numpy(b), equal_nan=True)
