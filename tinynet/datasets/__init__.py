"""Data sets: MNIST, which is part of the package, and Fashion-MNIST, which is read from files."""
from tinynet.datasets import fashion_mnist, mnist

__all__ = ["fashion_mnist", "mnist"]
