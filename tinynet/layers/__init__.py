"""Layers, each with its forward and its backward pass, under the contract of `Layer`."""
from __future__ import annotations

from tinynet import activations, registry
from tinynet.layers.activation import Activation
from tinynet.layers.advanced_activations import ELU, LeakyReLU, PReLU, ReLU, Softmax, ThresholdedReLU
from tinynet.layers.base import Layer
from tinynet.layers.dense import Dense
from tinynet.layers.dropout import Dropout
from tinynet.layers.noise import AlphaDropout, GaussianDropout, GaussianNoise
from tinynet.layers.normalization import BatchNormalization
from tinynet.layers.activity_regularization import ActivityRegularization
from tinynet.layers.reshaping import Flatten, Input, InputLayer, Reshape
from tinynet.registry import serialize
from tinynet.types import Identifier, Objects

__all__ = ["Activation", "ActivityRegularization", "AlphaDropout", "BatchNormalization", "Dense", "Dropout", "ELU",
           "Flatten", "GaussianDropout", "GaussianNoise", "Input", "InputLayer", "Layer", "LeakyReLU", "PReLU", "ReLU",
           "Reshape", "Softmax", "ThresholdedReLU", "deserialize", "serialize"]

LAYERS = {cls.__name__: cls for cls in (
    Activation, ActivityRegularization, AlphaDropout, BatchNormalization, Dense, Dropout, ELU, Flatten, GaussianDropout,
    GaussianNoise, InputLayer, LeakyReLU, PReLU, ReLU, Reshape, Softmax, ThresholdedReLU)}

activations.LAYERS |= {cls.__name__: cls for cls in (ELU, LeakyReLU, ReLU, Softmax, ThresholdedReLU)}


def deserialize(config: Identifier, custom_objects: Objects = None) -> Layer:
    """The layer of a config {"class_name": ..., "config": ...}.

    >>> deserialize(serialize(Dense(3, activation="relu", name="hidden"))).get_config()["activation"]
    'relu'
    """
    return registry.deserialize("layer", config, LAYERS, custom_objects)
