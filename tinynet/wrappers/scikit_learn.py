"""KerasClassifier and KerasRegressor: models as estimators of scikit-learn, for cross_val_score and the like.

Source: keras/wrappers/scikit_learn.py of Keras 2.3.1.
"""
from __future__ import annotations

import copy
import inspect

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from tinynet import losses
from tinynet.models import Sequential
from tinynet.types import Any, Array, ArrayLike, Function
from tinynet.utils import to_categorical
from tinynet.validation import QUEUES

__all__ = ["KerasClassifier", "KerasRegressor"]


class BaseWrapper(BaseEstimator):
    """The base class.

    Parameters
        build_fn: a function that returns a compiled model, or an object that is called for one. A subclass may define
            __call__ instead.
        sk_params: arguments of build_fn, and of fit, predict and evaluate, such as epochs and batch_size; what is given
            to fit itself takes precedence. As in Keras, nb_epoch is accepted here and ignored.

    The columns of a table must have the same names in predict and score as in fit, in the same order. As in Keras fit
    returns a `History`, which `check_estimator` does not allow; `MLPClassifier` and `MLPRegressor` pass it.

    Raises ValueError for a parameter that none of them has.
    """

    model: Any = None
    feature_names_in_: Array | None = None

    def __init__(self, build_fn: Function | None = None, **sk_params: Any):
        self.build_fn, self.sk_params = build_fn, sk_params
        self.check_params(sk_params)

    def check_params(self, params: dict[str, Any]) -> None:
        """Raise ValueError for a parameter that nothing takes."""
        takers = [Sequential.fit, Sequential.predict, Sequential.evaluate, self._builder()]
        for name in params:
            if name not in ("nb_epoch", *QUEUES) and not any(taker and takes(taker, name) for taker in takers):
                raise ValueError(f"{name} is not a legal parameter. Expected an argument of build_fn, or of fit, "
                                 "predict or evaluate of a Sequential.")

    def __sklearn_is_fitted__(self) -> bool:
        return self.model is not None

    def _builder(self):
        return getattr(self, "__call__", None) if self.build_fn is None else self.build_fn

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        return self.sk_params | {"build_fn": self.build_fn}

    def set_params(self, **params: Any) -> Any:
        """Change parameters."""
        changed = {"build_fn": self.build_fn} | self.sk_params | params
        type(self)(**changed)       # raises for what no parameter is
        self.build_fn = changed.pop("build_fn")
        self.sk_params = changed
        return self

    def filter_sk_params(self, function: Function, override: dict[str, Any] | None = None) -> dict[str, Any]:
        """The parameters that a function takes, and then those of override."""
        return {name: value for name, value in self.sk_params.items() if takes(function, name)} | (override or {})

    def fit(self, x: ArrayLike, y: ArrayLike, **kwargs: Any) -> Any:
        """Build a model and train it; returns its `History`, as in Keras.  Raises TypeError without a build_fn."""
        builder = self._builder()
        if builder is None:
            raise TypeError(f"{type(self).__name__} needs build_fn, a function that returns a compiled model.")
        self.model = builder(**self.filter_sk_params(builder))
        self.n_features_in_: int = (getattr(x, "shape", None) or np.shape(x))[-1]
        self.feature_names_in_ = names_of(x)
        y = self._one_hot(np.asarray(y))
        own = copy.deepcopy(self.filter_sk_params(Sequential.fit))      # callbacks keep the state of one fit
        try:
            return self.model.fit(x, y, **own | kwargs)
        except Exception:       # not Ctrl-C, after which a script may go on with what there is
            self.model = None
            raise

    def _fitted(self, x):
        """The model.  Raises NotFittedError before fit, ValueError for a table with other columns than in fit."""
        check_is_fitted(self)
        before, now = self.feature_names_in_, names_of(x)
        if before is not None and now is not None and list(before) != list(now):
            others = sorted({*before} ^ {*now})
            raise ValueError("The feature names should match those that were passed during fit. " + (
                f"Only one of the two tables has: {', '.join(others)}." if others else
                "Feature names must be in the same order as they were in fit.") + f" Expected {', '.join(before)}.")
        return self.model

    def _one_hot(self, y):
        """The targets as the loss of the model needs them."""
        if getattr(self.model.loss, "function", None) is not losses.categorical_crossentropy or y.ndim == 2:
            return y
        return to_categorical(y, self.model.output_shape[-1] if self.model.built else None)


class KerasClassifier(ClassifierMixin, BaseWrapper):
    """A classifier; the labels y (N,) may be of any kind, or one-hot rows (N, C). `classes_` lists them after fit.

    Parameters as for `BaseWrapper`.

    >>> from tinynet.layers import Dense
    >>> def network():
    ...     model = Sequential([Dense(2, activation="softmax", input_dim=1)])
    ...     model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    ...     return model
    >>> classifier = KerasClassifier(network, epochs=50, verbose=0)
    >>> history = classifier.fit(np.array([[-1.0], [1.0]]), np.array(["no", "yes"]))
    >>> classifier.predict(np.array([[-2.0], [2.0]])).shape
    (2,)
    """

    def fit(self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike = None, **kwargs: Any) -> Any:
        """Build a model and train it; returns its `History`."""
        y = np.array(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_: Any = np.arange(y.shape[1])
        elif y.ndim in (1, 2):
            self.classes_ = np.unique(y)
            y = np.searchsorted(self.classes_, y)
        else:
            raise ValueError(f"Invalid shape for y: {y.shape}. Expected (N,), or one-hot rows (N, C).")
        self.n_classes_: int = len(self.classes_)
        return super().fit(x, y, **kwargs | ({} if sample_weight is None else {"sample_weight": sample_weight}))

    def predict(self, x: ArrayLike, **kwargs: Any) -> np.ndarray:
        """The most probable class of each sample, (N,); (N, 1) for a model of a single output, as in Keras."""
        p = self._fitted(x).predict(x, **self.filter_sk_params(Sequential.predict, kwargs))
        return self.classes_[p.argmax(axis=-1) if p.shape[-1] > 1 else (p > 0.5).astype(int)]

    def predict_proba(self, x: ArrayLike, **kwargs: Any) -> np.ndarray:
        """The probability of each class, (N, C); (N, 2) for a model of a single output."""
        p = self._fitted(x).predict(x, **self.filter_sk_params(Sequential.predict, kwargs))
        return np.hstack([1 - p, p]) if p.shape[1] == 1 else p

    def score(self, x: ArrayLike, y: ArrayLike, **kwargs: Any) -> float:
        """The accuracy.  Raises ValueError unless the model was compiled with metrics=["accuracy"]."""
        model = self._fitted(x)
        if not np.isin(y, self.classes_).all():
            raise ValueError(f"y holds labels that fit has not seen. Expected {self.classes_.tolist()}.")
        y = self._one_hot(np.searchsorted(self.classes_, y))
        outputs = model.evaluate(x, y, **self.filter_sk_params(Sequential.evaluate, kwargs))
        found = dict(zip(self.model.metrics_names, outputs if isinstance(outputs, list) else [outputs]))
        for name in ("accuracy", "acc"):
            if name in found:
                return found[name]
        raise ValueError("The model is not configured to compute accuracy. You should pass `metrics=[\"accuracy\"]` to "
                         "the `model.compile()` method.")


class KerasRegressor(RegressorMixin, BaseWrapper):
    """A regressor; the score is the loss with a minus sign, as in Keras.  Parameters as for `BaseWrapper`."""

    def predict(self, x: ArrayLike, **kwargs: Any) -> np.ndarray:
        """The outputs, (N,) for a single one."""
        y = self._fitted(x).predict(x, **self.filter_sk_params(Sequential.predict, kwargs))
        return y[..., 0] if y.shape[-1] == 1 else y

    def score(self, x: ArrayLike, y: ArrayLike, **kwargs: Any) -> float:
        """-L"""
        loss = self._fitted(x).evaluate(x, y, **self.filter_sk_params(Sequential.evaluate, kwargs))
        return -(loss[0] if isinstance(loss, list) else loss)


def names_of(x: ArrayLike) -> Array | None:
    """The names of the columns of a table, (D,); None if it has none, or others than texts."""
    columns = list(getattr(x, "columns", ()))
    return np.array(columns, object) if columns and all(isinstance(name, str) for name in columns) else None


def takes(function: Function, name: str) -> bool:
    """Whether a function has an argument of this name."""
    return name in inspect.signature(function).parameters
