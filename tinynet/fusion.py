"""A loss and the activation before it as one function: why softmax and cross-entropy belong together.

In the formulas z are the logits that a softmax or sigmoid makes the prediction p of; l, t, c and C are as in
`tinynet.losses`.  It must not know about other layers.
"""
from __future__ import annotations

from tinynet import activations, losses
from tinynet.backend import xp
from tinynet.kernels import softmax_crossentropy, softmax_crossentropy_backward
from tinynet.layers import Activation, Softmax
from tinynet.losses import Loss, at_class, one_hot

__all__ = ["FusedLoss", "after", "fuse", "sigmoid_crossentropy", "softmax_crossentropy",
           "sparse_softmax_crossentropy"]


def sparse_softmax_crossentropy(y_true, z):
    """l = log(sum_c exp(z_c)) - z_t: softmax_crossentropy for class numbers"""
    z = z - z.max(axis=-1, keepdims=True)
    return xp.log(xp.exp(z).sum(axis=-1)) - at_class(z, y_true)


def sparse_softmax_crossentropy_backward(y_true, z):
    """dl/dz = softmax(z) - one_hot(t)"""
    return activations.softmax(z) - one_hot(y_true, z)


def sigmoid_crossentropy(y_true, z):
    """l = 1/C sum_c (max(z, 0) - t z + log(1 + exp(-|z|))): binary_crossentropy of sigmoid(z), where log and exp cancel

    >>> sigmoid_crossentropy(xp.array([[0.0]]), xp.array([[1000.0]]))
    array([1000.])
    """
    positive = z.real > 0
    log_term = xp.log1p(xp.exp(xp.where(positive, -z, z)))
    return (xp.where(positive, z, 0) - y_true * z + log_term).mean(axis=-1)


def sigmoid_crossentropy_backward(y_true, z):
    """dl/dz = (sigmoid(z) - t) / C"""
    return (activations.sigmoid(z) - y_true) / z.shape[-1]


class FusedLoss(Loss):
    """A loss and the activation before it as one function of z, what goes into the activation.

    With p = softmax(z), dl/dp_c = -t_c / p_c and dp_c/dz_k = p_c ([c = k] - p_k).  The chain rule sums over c:
    dl/dz_k = sum_c -t_c ([c = k] - p_k) = p_k sum_c t_c - t_k = p_k - t_k.  The division has cancelled, and likewise
    log and exp in l: nothing overflows, and no clipping stops the gradient.

    The activation still runs forward, because the metrics want p; backward passes it by.
    Source: the search for a Softmax op in categorical_crossentropy of tensorflow/python/keras/backend.py, 2.1.
    """

    def __init__(self, function, derivative, activation_layer):
        super().__init__(function, derivative)
        self.layer = activation_layer

    def of_each_sample(self, y_true, y_pred):
        """l (N,), which a metric averages."""
        return self.function(y_true, self.layer.x)

    def forward(self, y_true, y_pred, weights=None):
        return super().forward(y_true, self.layer.x, weights)

    def backward(self, y_true, y_pred, weights=None):
        return super().backward(y_true, self.layer.x, weights)


FUSED = {
    (activations.softmax, losses.categorical_crossentropy): (softmax_crossentropy, softmax_crossentropy_backward),
    (activations.softmax, losses.sparse_categorical_crossentropy):
        (sparse_softmax_crossentropy, sparse_softmax_crossentropy_backward),
    (activations.sigmoid, losses.binary_crossentropy): (sigmoid_crossentropy, sigmoid_crossentropy_backward),
}


def fuse(loss, layer):
    """The `FusedLoss` of a loss and the last layer of a chain where the two belong together, else None."""
    if type(loss) is not Loss or loss.derivative is not losses.BACKWARD.get(loss.function):
        return None
    if type(layer) not in (Activation, Softmax):
        return None
    pair = FUSED.get((layer.activation, loss.function))
    if pair is None or layer.activation is activations.softmax and len(layer.output_shape) != 2:
        return None     # Keras's softmax over more axes is not TensorFlow's own, which alone is recognized
    return FusedLoss(*pair, layer)


def after(function, layer):
    """A loss function as a metric of what comes out of a layer: from the logits, where `fuse` would do so."""
    if not any(function is loss for loss in losses.BACKWARD):
        return function
    fused = fuse(Loss(function, losses.BACKWARD[function]), layer)
    return function if fused is None else fused.of_each_sample
