"""Cross-entropies, and the Kullback-Leibler divergence.

Each cross-entropy is written twice: for probabilities p, clipped where the logarithm would be infinite, and, with
from_logits=True, for logits z, of which softmax or sigmoid makes p: there log and exp cancel, and nothing is clipped.
"""
from __future__ import annotations

from tinynet import activations
from tinynet.backend import epsilon, kernels, xp
from tinynet.types import Any, Array


def categorical_crossentropy(y_true: Array, y_pred: Array, from_logits: bool = False,
                             label_smoothing: float = 0.0) -> Array:
    """l = -sum_c t_c log q_c, with q = p / sum(p) clipped to [epsilon, 1 - epsilon]; each row of t is a distribution.
    from_logits: l = log(sum_c exp(z_c)) - sum_c t_c z_c.  label_smoothing s: t (1 - s) + s / C takes the place of t.

    Source: categorical_crossentropy in tensorflow/python/keras/backend.py of TensorFlow 2.1.

    >>> t = xp.array([[0.0, 1.0]])
    >>> categorical_crossentropy(t, xp.array([[0.5, 0.5]])).round(4)
    array([0.6931])
    >>> categorical_crossentropy(t, xp.array([[1000.0, 0.0]]), from_logits=True)
    array([1000.])
    """
    t = smoothed(y_true, label_smoothing, 1 / y_pred.shape[-1])
    if from_logits:
        return kernels.softmax_crossentropy(t, y_pred)
    return -(t * xp.log(_clip(y_pred / _total(y_pred)))).sum(axis=-1)


def categorical_crossentropy_backward(y_true: Array, y_pred: Array, from_logits: bool = False,
                                      label_smoothing: float = 0.0) -> Array:
    """dl/dq = -t / q, zero where q was clipped; dl/dp = (dq - sum_c dq_c q_c) / sum(p)
    from_logits: dl/dz = softmax(z) - t"""
    t = smoothed(y_true, label_smoothing, 1 / y_pred.shape[-1])
    if from_logits:
        return kernels.softmax_crossentropy_backward(t, y_pred)
    total = _total(y_pred)
    q = y_pred / total
    dq = -t / _clip(q) * _unclipped(q)
    return (dq - (dq * q).sum(axis=-1, keepdims=True)) / total


def sparse_categorical_crossentropy(y_true: Array, y_pred: Array, from_logits: bool = False) -> Array:
    """l = -log(q_t / sum(q)), with q = p clipped to [epsilon, 1 - epsilon]; t is an integer class, 0 <= t < C.
    from_logits: l = log(sum_c exp(z_c)) - z_t.

    Source: sparse_categorical_crossentropy in tensorflow/python/keras/backend.py of TensorFlow 2.1.

    >>> sparse_categorical_crossentropy(xp.array([1]), xp.array([[0.5, 0.5]])).round(4)
    array([0.6931])
    """
    if from_logits:
        z = y_pred - y_pred.max(axis=-1, keepdims=True)
        return xp.log(xp.exp(z).sum(axis=-1)) - at_class(z, y_true)
    q = _clip(y_pred)
    return xp.log(q.sum(axis=-1)) - xp.log(at_class(q, y_true))


sparse_categorical_crossentropy.takes_classes = True        # type: ignore[attr-defined]


def sparse_categorical_crossentropy_backward(y_true: Array, y_pred: Array, from_logits: bool = False) -> Array:
    """dl/dq = 1 / sum(q) - [c = t] / q_t, and zero where p was clipped
    from_logits: dl/dz = softmax(z) - one_hot(t)"""
    if from_logits:
        return activations.softmax(y_pred) - one_hot(y_true, y_pred)
    q = _clip(y_pred)
    return (1 / q.sum(axis=-1, keepdims=True) - one_hot(y_true, q) / q) * _unclipped(y_pred)


def binary_crossentropy(y_true: Array, y_pred: Array, from_logits: bool = False, label_smoothing: float = 0.0) -> Array:
    """l = -1/C sum_c (t log(q + epsilon) + (1 - t) log(1 - q + epsilon)), q = p clipped to [epsilon, 1 - epsilon]
    from_logits: l = 1/C sum_c (max(z, 0) - t z + log(1 + exp(-|z|))).  label_smoothing s: t (1 - s) + s / 2 for t.

    Source: binary_crossentropy in tensorflow/python/keras/backend.py of TensorFlow 2.1.

    >>> binary_crossentropy(xp.array([[1.0]]), xp.array([[0.5]])).round(4)
    array([0.6931])
    >>> binary_crossentropy(xp.array([[0.0]]), xp.array([[1000.0]]), from_logits=True)
    array([1000.])
    """
    t = smoothed(y_true, label_smoothing, 1 / 2)
    if from_logits:
        return (activations.softplus(y_pred) - t * y_pred).mean(axis=-1)
    q, eps = _clip(y_pred), epsilon()
    return -(t * xp.log(q + eps) + (1 - t) * xp.log(1 - q + eps)).mean(axis=-1)


def binary_crossentropy_backward(y_true: Array, y_pred: Array, from_logits: bool = False,
                                 label_smoothing: float = 0.0) -> Array:
    """dl/dp = -(t / (q + epsilon) - (1 - t) / (1 - q + epsilon)) / C, and zero where p was clipped
    from_logits: dl/dz = (sigmoid(z) - t) / C"""
    t = smoothed(y_true, label_smoothing, 1 / 2)
    if from_logits:
        return (activations.sigmoid(y_pred) - t) / y_pred.shape[-1]
    q, eps = _clip(y_pred), epsilon()
    return -(t / (q + eps) - (1 - t) / (1 - q + eps)) / q.shape[-1] * _unclipped(y_pred)


def kullback_leibler_divergence(y_true: Array, y_pred: Array) -> Array:
    """l = sum_c t_c log(t_c / q_c), with t and q = p clipped to [epsilon, 1].  Source: keras/losses.py of Keras 2.3.1.

    >>> kullback_leibler_divergence(xp.array([[0.0, 1.0]]), xp.array([[0.5, 0.5]])).round(4)
    array([0.6931])
    """
    t, q = _clip(y_true, 1.0), _clip(y_pred, 1.0)
    return (t * xp.log(t / q)).sum(axis=-1)


def kullback_leibler_divergence_backward(y_true: Array, y_pred: Array) -> Array:
    """dl/dp = -t / q, and zero where p was clipped"""
    return -_clip(y_true, 1.0) / _clip(y_pred, 1.0) * _unclipped(y_pred, 1.0)


def _total(p):
    """sum(p), or 1 where all of p is zero, so that q is zero too."""
    total = p.sum(axis=-1, keepdims=True)
    return xp.where(total == 0, 1, total)


def smoothed(t: Array, s: float, share: float) -> Array:
    """Smoothed targets: t (1 - s) + s share."""
    return t * (1 - s) + s * share if s else t


def _clip(p, high=None):
    """p clipped to [epsilon, 1 - epsilon], or [epsilon, high], where logarithms are finite."""
    low, high = epsilon(), 1 - epsilon() if high is None else high
    return xp.where(p.real < low, low, xp.where(p.real > high, high, p))


def _unclipped(p, high=None):
    """The derivative of `_clip`: 1 within the bounds, bounds included, else 0."""
    return (p.real >= epsilon()) & (p.real <= (1 - epsilon() if high is None else high))


def at_class(p: Array, classes: Array) -> Array:
    """p[i, classes[i]] for every sample i."""
    return xp.take_along_axis(p, classes.reshape(*p.shape[:-1], 1).astype(int), axis=-1)[..., 0]


def one_hot(classes: Array, like: Array) -> Array:
    """1 at each sample's class, else 0."""
    return (classes.reshape(*like.shape[:-1], 1) == xp.arange(like.shape[-1])).astype(like.real.dtype)


BACKWARD: dict[Any, Any] = {
    categorical_crossentropy: categorical_crossentropy_backward,
    sparse_categorical_crossentropy: sparse_categorical_crossentropy_backward,
    binary_crossentropy: binary_crossentropy_backward,
    kullback_leibler_divergence: kullback_leibler_divergence_backward,
}
