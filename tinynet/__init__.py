"""tinynet: neural networks with backprop written by hand, under the interface of Keras 2.3.1.

Read `tinynet/layers/dense.py` first, then `tinynet/step.py`.
"""
from tinynet import (activations, backend, callbacks, datasets, gradient_check, initializers, layers, losses, metrics,
                     models, optimizers, plotting, utils)
from tinynet.models import Sequential

__version__ = "0.1.0"

__all__ = ["Sequential", "activations", "backend", "callbacks", "datasets", "gradient_check", "initializers", "layers",
           "losses", "metrics", "models", "optimizers", "plotting", "utils"]
