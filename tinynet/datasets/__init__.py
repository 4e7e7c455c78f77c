"""Data sets that come with the package, so that nothing has to be downloaded."""
from tinynet.datasets import mnist

__all__ = ["mnist"]
