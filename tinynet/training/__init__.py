"""Training: the step, the loops over batches and epochs, and `fit`, `evaluate` and `predict` around them."""
from tinynet.training.model import Model

__all__ = ["Model"]
