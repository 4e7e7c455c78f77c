"""Files that hold a model: they are written whole or not at all, checked to the last byte, and cannot run code."""
from tinynet.serialization.layout import ModelFileError

__all__ = ["ModelFileError"]
