"""Estimators of scikit-learn: MLPClassifier and MLPRegressor, and those of Keras, which train a model of your own."""
try:
    import sklearn      # noqa: F401
except ImportError:
    raise ImportError("tinynet.wrappers needs scikit-learn: python -m pip install scikit-learn") from None

from tinynet.wrappers.mlp import MLPClassifier, MLPRegressor
from tinynet.wrappers.scikit_learn import KerasClassifier, KerasRegressor

__all__ = ["KerasClassifier", "KerasRegressor", "MLPClassifier", "MLPRegressor"]
