"""tinynet: neural networks with backprop written by hand, under the interface of Keras 2.3.1.

Read `tinynet/layers/dense.py` first, then `tinynet/step.py`.
"""
from tinynet import (activations, aliases, backend, callbacks, constraints, datasets, gradient_check, initializers,
                     layers, losses, metrics, models, optimizers, plotting, regularizers, utils)
from tinynet.layers import Input
from tinynet.models import Model, Sequential

__version__ = "0.1.0"

__all__ = ["Input", "Model", "Sequential", "activations", "aliases", "backend", "callbacks", "constraints", "datasets",
           "gradient_check", "initializers", "layers", "losses", "metrics", "models", "optimizers", "plotting",
           "regularizers", "utils"]
