"""Data sets: MNIST, which is part of the package, and others, which are read from files."""
import importlib

from tinynet.types import Any

__all__ = ["boston_housing", "cifar10", "fashion_mnist", "imdb", "mnist", "reuters"]


def __getattr__(name: str) -> Any:
    if name in __all__:     # when it is first used
        return importlib.import_module(f"tinynet.datasets.{name}")
    raise AttributeError(f"tinynet.datasets has no {name!r}. It has: {', '.join(__all__)}.")
