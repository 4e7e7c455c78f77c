"""Estimators of scikit-learn: MLPClassifier and MLPRegressor, and those of Keras, which train a model of your own."""
from tinynet.wrappers.mlp import MLPClassifier, MLPRegressor
from tinynet.wrappers.scikit_learn import KerasClassifier, KerasRegressor

__all__ = ["KerasClassifier", "KerasRegressor", "MLPClassifier", "MLPRegressor"]
