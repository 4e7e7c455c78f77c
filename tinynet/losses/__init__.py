"""Loss functions, each followed by its derivative.

In the formulas l is the loss of one sample, t its target y_true, p its prediction y_pred, and c = 1 ... C its outputs.
`f(y_true, y_pred)` returns the l of every sample, (N,); `f_backward(y_true, y_pred)` returns dl/dp, shaped like
y_pred. A `Loss` takes the mean over the batch.
"""
from __future__ import annotations

from tinynet import registry
from tinynet.losses import crossentropy, regression, hinge as hinges
from tinynet.losses.base import Loss, Reduction
from tinynet.losses.crossentropy import (binary_crossentropy, categorical_crossentropy, kullback_leibler_divergence,
                                         sparse_categorical_crossentropy)
from tinynet.losses.hinge import categorical_hinge, hinge, squared_hinge
from tinynet.losses.regression import (cosine_proximity, huber_loss, logcosh, mean_absolute_error,
                                       mean_absolute_percentage_error, mean_squared_error,
                                       mean_squared_logarithmic_error, poisson)
from tinynet.types import Any, Identifier, Objects
from tinynet.validation import number, unknown_function

__all__ = ["BinaryCrossentropy", "CategoricalCrossentropy", "CategoricalHinge", "Hinge", "Huber",
           "KLDivergence", "LogCosh", "Loss", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
           "MeanSquaredLogarithmicError", "Poisson", "Reduction", "SparseCategoricalCrossentropy", "SquaredHinge",
           "binary_crossentropy", "categorical_crossentropy", "categorical_hinge", "cosine_proximity", "deserialize",
           "get", "hinge", "huber_loss", "kullback_leibler_divergence", "logcosh", "mean_absolute_error",
           "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "poisson",
           "serialize", "sparse_categorical_crossentropy", "squared_hinge"]

BACKWARD: Any = crossentropy.BACKWARD | regression.BACKWARD | hinges.BACKWARD


# As classes, which take a reduction


def _class_of(class_name, function):
    """The class of a loss function without arguments: MeanSquaredError(reduction="sum")."""
    def __init__(self, reduction=Reduction.SUM_OVER_BATCH_SIZE, name=function.__name__):
        Loss.__init__(self, function, BACKWARD[function], reduction, name)
    return type(class_name, (Loss,),
                {"__init__": __init__, "__doc__": f"`{function.__name__}`", "__module__": __name__})


MeanSquaredError: Any = _class_of("MeanSquaredError", mean_squared_error)
MeanAbsoluteError: Any = _class_of("MeanAbsoluteError", mean_absolute_error)
MeanAbsolutePercentageError: Any = _class_of("MeanAbsolutePercentageError", mean_absolute_percentage_error)
MeanSquaredLogarithmicError: Any = _class_of("MeanSquaredLogarithmicError", mean_squared_logarithmic_error)
LogCosh: Any = _class_of("LogCosh", logcosh)
Poisson: Any = _class_of("Poisson", poisson)
KLDivergence: Any = _class_of("KLDivergence", kullback_leibler_divergence)
Hinge: Any = _class_of("Hinge", hinge)
SquaredHinge: Any = _class_of("SquaredHinge", squared_hinge)
CategoricalHinge: Any = _class_of("CategoricalHinge", categorical_hinge)


class CategoricalCrossentropy(Loss):
    """`categorical_crossentropy`; label_smoothing from 0 up to 1."""

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0,
                 reduction: str = Reduction.SUM_OVER_BATCH_SIZE, name: str | None = "categorical_crossentropy"):
        super().__init__(categorical_crossentropy, BACKWARD[categorical_crossentropy], reduction, name,
                         from_logits=from_logits, label_smoothing=number("label_smoothing", label_smoothing, below=1))


class BinaryCrossentropy(Loss):
    """`binary_crossentropy`; label_smoothing from 0 up to 1."""

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0,
                 reduction: str = Reduction.SUM_OVER_BATCH_SIZE, name: str | None = "binary_crossentropy"):
        super().__init__(binary_crossentropy, BACKWARD[binary_crossentropy], reduction, name,
                         from_logits=from_logits, label_smoothing=number("label_smoothing", label_smoothing, below=1))


class SparseCategoricalCrossentropy(Loss):
    """`sparse_categorical_crossentropy`"""

    def __init__(self, from_logits: bool = False, reduction: str = Reduction.SUM_OVER_BATCH_SIZE,
                 name: str | None = "sparse_categorical_crossentropy"):
        super().__init__(sparse_categorical_crossentropy, BACKWARD[sparse_categorical_crossentropy], reduction, name,
                         from_logits=from_logits)


class Huber(Loss):
    """`huber_loss`; delta above zero."""

    def __init__(self, delta: float = 1.0, reduction: str = Reduction.SUM_OVER_BATCH_SIZE,
                 name: str | None = "huber_loss"):
        super().__init__(huber_loss, BACKWARD[huber_loss], reduction, name,
                         delta=number("delta", delta, positive=True))


# Names

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kullback_leibler_divergence
cosine = cosine_similarity = cosine_proximity

LOSSES: Any = {function.__name__: function for function in BACKWARD} | {
    "mse": mse, "MSE": mse, "mae": mae, "MAE": mae, "mape": mape, "MAPE": mape, "msle": msle, "MSLE": msle,
    "kld": kld, "KLD": kld, "cosine": cosine, "cosine_similarity": cosine}
CLASSES = {cls.__name__: cls for cls in (
    MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, LogCosh, Poisson,
    KLDivergence, Hinge, SquaredHinge, CategoricalHinge, CategoricalCrossentropy, BinaryCrossentropy,
    SparseCategoricalCrossentropy, Huber)}


def serialize(loss: Identifier) -> dict[str, Any] | str:
    """The name of a loss function, or the config of a Loss object."""
    return registry.serialize(loss.function if type(loss) is Loss else loss)


def deserialize(config: Identifier, custom_objects: Objects = None) -> Any:
    """The function or `Loss` of a name or config."""
    return registry.deserialize("loss function", config, LOSSES | CLASSES, custom_objects)


def get(identifier: Identifier) -> Loss:
    """The `Loss` of a name, a config, a function of this module or a Loss.

    Called, get("mse")(y_true, y_pred), that of a name or function returns the l of every sample, as in Keras.

    Raises ValueError for an unknown name, and for a function whose derivative tinynet does not know.

    >>> get("mse")
    Loss(mean_squared_error, mean_squared_error_backward)
    """
    if isinstance(identifier, (str, dict)):
        identifier = deserialize(identifier)
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        identifier = identifier()
    if isinstance(identifier, Loss):
        if type(identifier) is Loss and not (callable(identifier.function) and callable(identifier.derivative)):
            raise ValueError(f"{identifier!r} needs a function and its derivative: Loss(function, derivative).")
        return identifier
    if callable(identifier) and identifier in BACKWARD:
        return Loss(identifier, BACKWARD[identifier], Reduction.NONE)
    raise unknown_function("loss function", "losses", identifier)
