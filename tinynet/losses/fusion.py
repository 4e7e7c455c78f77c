"""A loss and the activation before it as one function: why softmax and cross-entropy belong together.

It must not know about other layers.
"""
from __future__ import annotations

import copy
from typing import Any

from tinynet import activations
from tinynet.layers import Activation, ActivityRegularization, Softmax
from tinynet.losses import (BACKWARD, Loss, binary_crossentropy, categorical_crossentropy,
                            sparse_categorical_crossentropy)

__all__ = ["FusedLoss", "after", "fuse"]


class FusedLoss(Loss):
    """A loss and the activation before it as one function of z, the logits, which go into the activation.

    With p = softmax(z), dl/dp_c = -t_c / p_c and dp_c/dz_k = p_c ([c = k] - p_k).  The chain rule sums over c:
    dl/dz_k = sum_c -t_c ([c = k] - p_k) = p_k sum_c t_c - t_k = p_k - t_k, because the t_c sum to one.  The division
    has cancelled, and likewise log and exp in l: nothing overflows, and no clipping stops the gradient.  That is the
    loss's form from_logits.

    The activation still runs forward, because the metrics want p; backward passes it by, and with it the layers after
    it, which change nothing but may charge a price for p.
    Source: the search for a Softmax op in categorical_crossentropy of tensorflow/python/keras/backend.py, 2.1.
    """

    def __init__(self, loss, activation_layer, rest=()):
        super().__init__(loss.function, loss.derivative, loss.reduction, loss.name,
                         **loss.arguments | {"from_logits": True})
        self.layer = activation_layer
        self.rest = list(rest)

    def of_each_sample(self, y_true, y_pred):
        """l (N,), which a metric averages."""
        return self.function(y_true, self.layer.x, **self.arguments)

    def forward(self, y_true, y_pred, weights=None):
        return super().forward(y_true, self.layer.x, weights)

    def backward(self, y_true, y_pred, weights=None):
        dz = super().backward(y_true, self.layer.x, weights)
        if self.rest:
            dp = 0 * y_pred
            for link in reversed(self.rest):
                dp = link.backward(dp)
            dz += self.layer.backward(dp)
        return dz

    @property
    def links(self) -> int:
        """How many links at the end of the chain its backward passes by."""
        return 1 + len(self.rest)


FUSED = {
    activations.softmax: (categorical_crossentropy, sparse_categorical_crossentropy),
    activations.sigmoid: (binary_crossentropy,),
}


def fuse(loss, chain):
    """The `FusedLoss` of a loss and the last activation of a chain where the two belong together, else None."""
    rest = len(chain)
    while rest and type(chain[rest - 1]) is ActivityRegularization:
        rest -= 1
    layer: Any = chain[rest - 1] if rest else None
    if type(layer) not in (Activation, Softmax) or loss.function not in FUSED.get(layer.activation, ()):
        return None
    if loss.derivative is not BACKWARD[loss.function] or loss.arguments.get("from_logits"):
        return None
    if type(loss).forward is not Loss.forward or type(loss).backward is not Loss.backward:
        return None
    if layer.activation is activations.softmax and len(layer.output_shape) != 2:
        return None     # Keras's softmax over more axes is not TensorFlow's own, which alone is recognized
    return FusedLoss(loss, layer, chain[rest:])


def after(metric, chain):
    """The metric, or a copy of it that reads the logits, where its function is a loss and `fuse` would do so."""
    function: Any = getattr(metric, "function", None)
    if not any(function is loss for loss in BACKWARD):
        return metric
    fused = fuse(Loss(function, BACKWARD[function], **metric.arguments), chain)
    if fused is None:
        return metric
    metric = copy.copy(metric)
    metric.function, metric.arguments = fused.of_each_sample, {}
    return metric
