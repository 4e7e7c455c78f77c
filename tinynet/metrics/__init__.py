"""Metrics: numbers about the predictions of an epoch, which are not differentiated."""
from __future__ import annotations

from tinynet import losses, registry
from tinynet.losses import MAE, MAPE, MSE, MSLE, mae, mape, mse, msle     # noqa: F401: short names that Keras has here
from tinynet.losses import (binary_crossentropy, categorical_crossentropy, categorical_hinge, hinge,
                            kullback_leibler_divergence, logcosh, mean_absolute_error, mean_absolute_percentage_error,
                            mean_squared_error, mean_squared_logarithmic_error, poisson,
                            sparse_categorical_crossentropy, squared_hinge)
from tinynet.metrics.accuracy import (accuracy, binary_accuracy, categorical_accuracy, cosine_proximity,
                                      sparse_categorical_accuracy, sparse_top_k_categorical_accuracy,
                                      top_k_categorical_accuracy)
from tinynet.metrics.base import Mean, MeanMetricWrapper, Metric, RootMeanSquaredError, Sum
from tinynet.metrics.confusion import (AUC, FalseNegatives, FalsePositives, Precision, Recall,
                                       SensitivityAtSpecificity, SpecificityAtSensitivity, TrueNegatives,
                                       TruePositives)
from tinynet.metrics.running import Reported, RunningMeans
from tinynet.registry import serialize
from tinynet.types import Any, Identifier, Objects, Shape
from tinynet.validation import reject_unknown, whole_number

__all__ = ["AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "CategoricalAccuracy",
           "CategoricalCrossentropy", "CategoricalHinge", "CosineSimilarity", "FalseNegatives",
           "FalsePositives", "Hinge", "KLDivergence", "LogCoshError", "Mean", "MeanAbsoluteError",
           "MeanAbsolutePercentageError", "MeanMetricWrapper", "MeanSquaredError",
           "MeanSquaredLogarithmicError", "Metric", "Poisson", "Precision", "Recall", "Reported",
           "RootMeanSquaredError", "RunningMeans", "SensitivityAtSpecificity", "SparseCategoricalAccuracy",
           "SparseCategoricalCrossentropy", "SparseTopKCategoricalAccuracy", "SpecificityAtSensitivity",
           "SquaredHinge", "Sum", "TopKCategoricalAccuracy", "TrueNegatives", "TruePositives", "accuracy",
           "binary_accuracy", "binary_crossentropy", "categorical_accuracy", "categorical_crossentropy",
           "categorical_hinge", "cosine_proximity", "deserialize", "get", "hinge",
           "kullback_leibler_divergence", "logcosh", "mean_absolute_error", "mean_absolute_percentage_error",
           "mean_squared_error", "mean_squared_logarithmic_error", "metric_for", "poisson", "serialize",
           "sparse_categorical_accuracy", "sparse_categorical_crossentropy",
           "sparse_top_k_categorical_accuracy", "squared_hinge", "top_k_categorical_accuracy"]


# As classes, whose means can be accumulated over batches by hand


def _class_of(class_name, function, name=None, **options):
    """The class of the mean of a function: CategoricalAccuracy(name="top"); options are arguments of the function."""
    def __init__(self, name=name or function.__name__, dtype=None, **arguments):
        reject_unknown("Unexpected keyword argument", function, {a: arguments[a] for a in {*arguments} - {*options}})
        MeanMetricWrapper.__init__(self, function, name, dtype, **options | arguments)
    return type(class_name, (MeanMetricWrapper,),
                {"__init__": __init__, "__doc__": f"The mean of `{function.__name__}`", "__module__": __name__})


Accuracy: Any = _class_of("Accuracy", accuracy)
BinaryAccuracy: Any = _class_of("BinaryAccuracy", binary_accuracy, threshold=0.5)
CategoricalAccuracy: Any = _class_of("CategoricalAccuracy", categorical_accuracy)
SparseCategoricalAccuracy: Any = _class_of("SparseCategoricalAccuracy", sparse_categorical_accuracy)
MeanSquaredError: Any = _class_of("MeanSquaredError", mean_squared_error)
MeanAbsoluteError: Any = _class_of("MeanAbsoluteError", mean_absolute_error)
MeanAbsolutePercentageError: Any = _class_of("MeanAbsolutePercentageError", mean_absolute_percentage_error)
MeanSquaredLogarithmicError: Any = _class_of("MeanSquaredLogarithmicError", mean_squared_logarithmic_error)
LogCoshError: Any = _class_of("LogCoshError", logcosh)
Poisson: Any = _class_of("Poisson", poisson)
KLDivergence: Any = _class_of("KLDivergence", kullback_leibler_divergence)
CosineSimilarity: Any = _class_of("CosineSimilarity", cosine_proximity, "cosine_similarity", axis=-1)
Hinge: Any = _class_of("Hinge", hinge)
SquaredHinge: Any = _class_of("SquaredHinge", squared_hinge)
CategoricalHinge: Any = _class_of("CategoricalHinge", categorical_hinge)
BinaryCrossentropy: Any = _class_of("BinaryCrossentropy", binary_crossentropy, from_logits=False, label_smoothing=0.0)
CategoricalCrossentropy: Any = _class_of("CategoricalCrossentropy", categorical_crossentropy, from_logits=False,
                                         label_smoothing=0.0)
SparseCategoricalCrossentropy: Any = _class_of("SparseCategoricalCrossentropy", sparse_categorical_crossentropy,
                                               from_logits=False)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """`top_k_categorical_accuracy`"""

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=whole_number("k", k, least=1))


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """`sparse_top_k_categorical_accuracy`"""

    def __init__(self, k: int = 5, name: str | None = "sparse_top_k_categorical_accuracy", dtype: Any = None):
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=whole_number("k", k, least=1))


# Names

FUNCTIONS: Any = losses.LOSSES | {function.__name__: function for function in (
    accuracy, binary_accuracy, categorical_accuracy, sparse_categorical_accuracy, top_k_categorical_accuracy,
    sparse_top_k_categorical_accuracy, cosine_proximity)}
MeanMetricWrapper.functions = FUNCTIONS
FUNCTIONS |= {"acc": accuracy, "cosine": cosine_proximity, "cosine_similarity": cosine_proximity}
CLASSES = {cls.__name__: cls for cls in (
    Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy,
    SparseTopKCategoricalAccuracy, MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError, LogCoshError, Poisson, KLDivergence, CosineSimilarity, Hinge, SquaredHinge,
    CategoricalHinge, BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy, Mean, Sum,
    RootMeanSquaredError, MeanMetricWrapper, Precision, Recall, AUC, TruePositives, FalsePositives, TrueNegatives,
    FalseNegatives, SensitivityAtSpecificity, SpecificityAtSensitivity)}
cosine = cosine_similarity = cosine_proximity


def deserialize(config: Identifier, custom_objects: Objects = None) -> Any:
    """The function or `Metric` of a name or config."""
    return registry.deserialize("metric function", config, FUNCTIONS | CLASSES, custom_objects)


def get(identifier: Identifier) -> Any:
    """The function or `Metric` of a name or a config; a function, a Metric or its class is returned as it is.

    Raises ValueError for an unknown name, and for anything else.

    >>> get("mse").__name__
    'mean_squared_error'
    """
    if isinstance(identifier, (str, dict)):
        return deserialize(identifier)
    if not callable(identifier):
        raise ValueError(f"A metric is a name such as 'accuracy', a function f(y_true, y_pred) or a Metric, got "
                         f"{identifier!r}.")
    return identifier


def metric_for(identifier: Identifier, loss: Any, output_shape: Shape) -> Metric:
    """The metric of a name, a config, a function f(y_true, y_pred) or a Metric, for a model of this loss and output.

    "accuracy" and "acc" mean, as in Keras 2.3.1 (engine/training_utils.py), binary_accuracy for a single output or
    for binary_crossentropy, sparse_categorical_accuracy for sparse_categorical_crossentropy, else
    categorical_accuracy; "crossentropy" and "ce" likewise.  The name in the logs is the one given.

    Raises ValueError for an unknown name, and for anything but a name, function or Metric.

    >>> metric_for("acc", losses.get("mse"), (None, 10)).function.__name__
    'categorical_accuracy'
    """
    loss_function = getattr(loss, "function", None)
    found = _meaning(identifier, loss_function, output_shape) or get(identifier)
    if isinstance(found, type) and issubclass(found, Metric):
        found = found()
    if isinstance(found, Metric) and isinstance(identifier, str):
        found.name = identifier
    if not isinstance(found, Metric):
        found = MeanMetricWrapper(found, identifier if isinstance(identifier, str) else None)
    return found


def _meaning(identifier, loss_function, output_shape):
    """The function of "accuracy" or "crossentropy" for this loss and output, None for another identifier."""
    if not isinstance(identifier, str) or identifier not in ("accuracy", "acc", "crossentropy", "ce"):
        return None
    is_accuracy = identifier in ("accuracy", "acc")
    if output_shape[-1] == 1 or loss_function is losses.binary_crossentropy:
        return binary_accuracy if is_accuracy else losses.binary_crossentropy
    if loss_function is losses.sparse_categorical_crossentropy:
        return sparse_categorical_accuracy if is_accuracy else loss_function
    return categorical_accuracy if is_accuracy else losses.categorical_crossentropy
