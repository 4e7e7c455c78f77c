"""Why softmax and cross-entropy belong together: the loss as a function of the logits z, with p = softmax(z).

For one sample, dl/dp_c = -t_c / p_c and dp_c/dz_k = p_c ([c = k] - p_k). The chain rule sums over c:

    dl/dz_k = sum_c -t_c ([c = k] - p_k) = p_k sum_c t_c - t_k = p_k - t_k,  because the t_c sum to one.

The division has cancelled, and so do log and exp in l itself: nothing overflows, and no clipping stops the gradient.
So backward starts at the logits, with the loss in its form `from_logits`; the last activation is applied for
predictions and metrics only. The same holds for sigmoid and binary cross-entropy.

Source: the search for a Softmax op in categorical_crossentropy of tensorflow/python/keras/backend.py, TensorFlow 2.1.
"""
from __future__ import annotations

import copy

from tinynet import activations
from tinynet.layers import Activation, ActivityRegularization, Softmax
from tinynet.losses import (BACKWARD, Loss, binary_crossentropy, categorical_crossentropy,
                            sparse_categorical_crossentropy)
from tinynet.types import Any, Array, Identifier

PAIRS: dict[Any, Any] = {
    activations.softmax: (categorical_crossentropy, sparse_categorical_crossentropy),
    activations.sigmoid: (binary_crossentropy,),
}


def from_logits(loss: Any, stack: list[Any]) -> tuple[Any, list[Any]]:
    """(the loss of the logits, the layers after them) if loss and last activation are such a pair, else (loss, [])."""
    end = len(stack)
    while end and type(stack[end - 1]) is ActivityRegularization:
        end -= 1
    last: Any = stack[end - 1] if end else None
    if type(last) not in (Activation, Softmax) or loss.function not in PAIRS.get(last.activation, ()):
        return loss, []
    # A loss with a formula of its own, or already of logits, stays as it is.
    if (loss.derivative is not BACKWARD[loss.function] or loss.arguments.get("from_logits")
            or type(loss).forward is not Loss.forward or type(loss).backward is not Loss.backward):
        return loss, []
    if last.activation is activations.softmax and len(last.output_shape) != 2:
        return loss, []     # only a softmax over two axes is TensorFlow's own op, which Keras 2.3.1 recognizes
    arguments = loss.arguments | {"from_logits": True}
    return Loss(loss.function, loss.derivative, loss.reduction, loss.name, **arguments), stack[end - 1:]


def metric_of_logits(metric: Any, stack: list[Any]) -> Any:
    """The metric, or, if its function is a loss of such a pair, a copy that computes it from the logits.

    Called with the output of the last activation, the copy reads the logits of which it is the activation.
    """
    function: Any = getattr(metric, "function", None)
    if not any(function is loss for loss in BACKWARD):
        return metric
    loss, head = from_logits(Loss(function, BACKWARD[function], **metric.arguments), stack)
    if head:
        metric = copy.copy(metric)
        metric.function = _OfLogits(loss, head[0])
    return metric


class _OfLogits:
    """l of each sample; from the logits, if y_pred is what the last activation has just computed from them."""

    def __init__(self, loss: Identifier, activation: Identifier):
        self.loss, self.activation = loss, activation

    def __call__(self, y_true: Array, y_pred: Array, **arguments: Any) -> Array:
        if y_pred is getattr(self.activation, "y", None):
            y_pred, arguments = self.activation.x, self.loss.arguments
        return self.loss.function(y_true, y_pred, **arguments)
