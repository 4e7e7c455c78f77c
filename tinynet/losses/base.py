"""Loss: from one number for each sample to the loss of a batch, and its derivative; it must not know the formulas."""
from __future__ import annotations

from typing import Any

from tinynet.arguments import find
from tinynet.backend import floatx, xp
from tinynet.registry import Configurable

__all__ = ["Loss", "Reduction"]


class Reduction:
    """What becomes of the losses of single samples: nothing, their sum, or their mean (by the number of samples)."""

    NONE, SUM, SUM_OVER_BATCH_SIZE = "none", "sum", "sum_over_batch_size"


class Loss(Configurable):
    """L = 1/N sum_i w_i l_i over a batch; w = 1 without sample weights, which do not change N.

    Parameters
        function, derivative: f(y_true, y_pred) returns the l of every sample, (N,), and f_backward(y_true, y_pred)
            returns dl/dp, shaped like y_pred.  Your own loss hands over both, or defines `forward` and `backward` anew.
        reduction: "sum_over_batch_size", the mean above; "sum", without 1/N; "none", which counts as the mean in
            training, while calling the loss gives the l of every sample.
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

    def __init__(self, function: Any = None, derivative: Any = None, reduction=Reduction.SUM_OVER_BATCH_SIZE, name=None,
                 **arguments):
        find("reduction", reduction, dict.fromkeys(("none", "sum", "sum_over_batch_size")))
        self.function = function
        self.derivative = derivative
        self.reduction = reduction
        self.name = name or getattr(function, "__name__", type(self).__name__)
        self.arguments = arguments
        for argument, value in arguments.items():
            setattr(self, argument, value)

    def __repr__(self):
        if type(self) is not Loss:
            return super().__repr__()
        functions = [f.__name__ for f in (self.function, self.derivative) if f]
        return f"Loss({', '.join(functions + [f'{name}={value!r}' for name, value in self.arguments.items()])})"

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_pred = xp.asarray(y_pred, dtype=floatx())
        losses = self.function(xp.asarray(y_true, dtype=floatx()), y_pred, **self.arguments)
        if sample_weight is not None:
            weights = xp.asarray(sample_weight, dtype=losses.dtype)
            if weights.ndim > losses.ndim and weights.shape[-1] == 1:
                weights = weights[..., 0]
            losses = losses * weights.reshape(*weights.shape, *[1] * (losses.ndim - weights.ndim))
        return losses if self.reduction == "none" else self._reduced(losses)

    def forward(self, y_true, y_pred, weights=None):
        losses = self.function(y_true, y_pred, **self.arguments)
        if weights is not None:
            losses = losses * weights.reshape(-1, *[1] * (losses.ndim - 1))
        return self._reduced(losses)

    def backward(self, y_true, y_pred, weights=None):
        dy = self.derivative(y_true, y_pred, **self.arguments).astype(y_pred.dtype, copy=False)
        if weights is not None:
            dy *= weights.reshape(-1, *[1] * (dy.ndim - 1))
        if self.reduction != "sum":
            dy /= dy.size // self.outputs_in_each(dy)       # N, for (N, C)
        return dy

    def outputs_in_each(self, y_pred) -> int:
        """How many outputs one l is about: C of them; 1 for a function that gives an l for each output."""
        return 1 if getattr(self.function, "elementwise", False) else y_pred.shape[-1]

    def _reduced(self, losses):
        return losses.sum() if self.reduction == "sum" else losses.mean()
