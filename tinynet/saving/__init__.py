"""Models and training runs as files: atomic, checked to the last byte, and unable to run code."""
from tinynet.saving.file_format import ModelFileError

__all__ = ["ModelFileError"]
