"""Estimators of scikit-learn: MLPClassifier and MLPRegressor; `wrappers.scikit_learn` has those of Keras."""
from tinynet.wrappers.mlp import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
