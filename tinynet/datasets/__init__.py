"""Data sets: MNIST, which is part of the package, and others, which are read from files."""
from tinynet.datasets import boston_housing, cifar10, fashion_mnist, imdb, mnist, reuters

__all__ = ["boston_housing", "cifar10", "fashion_mnist", "imdb", "mnist", "reuters"]
