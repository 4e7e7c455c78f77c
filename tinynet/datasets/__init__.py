"""Data sets: MNIST comes with the package, so that nothing has to be downloaded; others are read from files."""
from tinynet.datasets import fashion_mnist, mnist

__all__ = ["fashion_mnist", "mnist"]
