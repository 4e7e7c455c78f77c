"""The layers: each defines forward and backward side by side, under the contract of `Layer`."""
from tinynet.layers.activation import Activation, ReLU, Softmax
from tinynet.layers.base import Layer
from tinynet.layers.dense import Dense
from tinynet.layers.dropout import Dropout
from tinynet.layers.reshaping import Flatten

__all__ = ["Activation", "Dense", "Dropout", "Flatten", "Layer", "ReLU", "Softmax"]
