"""Loss: the loss of a batch, from the loss of each sample, and its derivative."""
from __future__ import annotations

from tinynet.backend import floatx, xp
from tinynet.registry import Configurable
from tinynet.types import Any, Array, ArrayLike
from tinynet.validation import aligned_weights, as_pair, check_compared, check_derivative, find


class Reduction:
    """How the losses of the samples are reduced: not at all, to their sum, or to their mean."""

    NONE, SUM, SUM_OVER_BATCH_SIZE = "none", "sum", "sum_over_batch_size"


class Loss(Configurable):
    """L = mean of w l over all losses l of a batch, with sample weights w, 1 by default: N, or N T for (N, T, C).

    Parameters
        function, derivative: f(y_true, y_pred) returns the l of every sample, (N,), and f_backward(y_true, y_pred)
            returns dl/dp, shaped like y_pred. Your own loss passes both, or overrides `forward` and `backward`.
        reduction: "sum_over_batch_size", the mean above; "sum", without 1/N; "none", the l of every sample when the
            loss is called, and the mean in training.
        name: the function's by default.
        arguments: more arguments for both functions, such as from_logits=True.

    Called as loss(y_true, y_pred, sample_weight=None) on arrays or lists it returns the reduced loss.

    Source: keras/losses.py and keras/utils/losses_utils.py of Keras 2.3.1.

    >>> from tinynet.losses.regression import mean_squared_error, mean_squared_error_backward
    >>> loss = Loss(mean_squared_error, mean_squared_error_backward)
    >>> float(loss.forward(xp.array([[0.0]]), xp.array([[3.0]])))
    9.0
    >>> loss.backward(xp.array([[0.0]]), xp.array([[3.0]]))
    array([[6.]])
    """

    def __init__(self, function: Any = None, derivative: Any = None, reduction: str = Reduction.SUM_OVER_BATCH_SIZE,
                 name: str | None = None, **arguments: Any):
        find("reduction", reduction, dict.fromkeys(("none", "sum", "sum_over_batch_size")))
        self.function = function
        self.derivative = derivative
        self.reduction = reduction
        self.batch_share: float = 1.0   # the part of the batch that y_pred holds; losses of the parts are averaged
        self.name: Any = name or getattr(function, "__name__", type(self).__name__)
        self.arguments = arguments
        for argument, value in arguments.items():
            setattr(self, argument, value)

    def __repr__(self) -> str:
        if type(self) is not Loss:
            return super().__repr__()
        functions = [f.__name__ for f in (self.function, self.derivative) if f]
        options = self.arguments | ({"reduction": "sum"} if self.reduction == "sum" else {})
        return f"Loss({', '.join(functions + [f'{name}={value!r}' for name, value in options.items()])})"

    def __call__(self, y_true: Array, y_pred: Array, sample_weight: ArrayLike = None) -> Array:
        y_true, y_pred = as_pair(xp.asarray(y_true, dtype=floatx()), xp.asarray(y_pred, dtype=floatx()),
                                 getattr(self.function, "takes_classes", False), self.name)
        losses = self.function(y_true, y_pred, **self.arguments)
        if sample_weight is not None:
            losses = losses * aligned_weights(xp.asarray(sample_weight, dtype=losses.dtype), losses, self.name)
        return losses if self.reduction == "none" else self._reduced(losses)

    def forward(self, y_true: Array, y_pred: Array, weights: Any = None) -> Array:
        check_compared(self, y_true, y_pred)
        losses = self.function(y_true, y_pred, **self.arguments)
        if weights is not None:
            losses = losses * weights.reshape(-1, *[1] * (losses.ndim - 1))
        return self._reduced(losses)

    def backward(self, y_true: Array, y_pred: Array, weights: Any = None) -> Array:
        dy = self.derivative(y_true, y_pred, **self.arguments)
        check_derivative(self, dy, y_pred)
        dy = dy.astype(y_pred.dtype, copy=False)
        if weights is not None:
            dy *= weights.reshape(-1, *[1] * (dy.ndim - 1))
        if self.reduction == "sum":
            dy /= self.batch_share
        else:
            dy /= dy.size // self.outputs_in_each(dy)       # N, for (N, C)
        return dy

    def outputs_in_each(self, y_pred: Array) -> int:
        """The number of outputs behind each l: C, or 1 if the function returns an l for each output."""
        return 1 if getattr(self.function, "elementwise", False) else y_pred.shape[-1]

    def _reduced(self, losses):
        return losses.sum() / self.batch_share if self.reduction == "sum" else losses.mean()
