"""MLPClassifier and MLPRegressor: scikit-learn's estimators of these names, trained by tinynet."""
from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from tinynet import losses, optimizers, regularizers
from tinynet.backend import floatx
from tinynet.callbacks import Callback
from tinynet.layers import Dense, Dropout, Input
from tinynet.models import Sequential
from tinynet.training.tables import as_array
from tinynet.types import Any, Array, ArrayLike, Function, Logs
from tinynet.validation import number, whole_number

try:
    from sklearn.utils.validation import validate_data
except ImportError:         # before scikit-learn 1.6 it was a method
    def validate_data(estimator, *arrays, **options):
        return estimator._validate_data(*arrays, **options)

__all__ = ["MLPClassifier", "MLPRegressor"]

ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid"}     # scikit-learn's names
_generator_lock = threading.Lock()  # initial weights and the order of the samples come from NumPy's global generator


class NoImprovement(Callback):
    """Ends training by scikit-learn's rule, see tol of `MultilayerPerceptron`; a score keeps the best weights.

    The best loss moves with each improvement, however small, so that slow progress counts as none.
    """

    def __init__(self, tol: float, patience: int, score: Function | None = None):
        self.tol, self.patience, self.score = tol, patience, score
        self.best, self.count, self.stopped = np.inf, 0, False
        self.best_weights: list[Array] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        value = -self.score(self.model) if self.score else logs["loss"]
        self.count = self.count + 1 if value > self.best - self.tol else 0
        if value < self.best:
            self.best = value
            if self.score:
                self.best_weights = self.model.get_weights()
        if self.count > self.patience:
            self.stopped = self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)


class MultilayerPerceptron(BaseEstimator):
    """The base class: layers of Dense and Dropout, trained until the loss no longer falls.

    Parameters of scikit-learn
        hidden_layer_sizes: the units of each hidden layer, (100,) by default, or a single number.
        activation: of the hidden layers: "relu", "tanh", "logistic", "identity", or a name of `tinynet.activations`.
        solver: "adam", "sgd", or a name of `tinynet.optimizers`.
        alpha: the penalty alpha / 2 |W|^2 / batch size, for each matrix W of weights; a short last batch has the
            penalty of the others, where scikit-learn divides by its own size.
        batch_size: "auto" is min(200, N).
        learning_rate_init: above zero; it stays as it is.
        max_iter: epochs at most; a ConvergenceWarning tells that it was reached.
        shuffle: whether samples are shuffled in each epoch.
        random_state: None, a number or a RandomState, of initial weights, dropout, shuffling and the validation data.
        tol, n_iter_no_change: training stops after more than so many epochs in a row whose loss is not below the best
            by more than tol; with early_stopping, whose score of the validation data is not above it.
        verbose: whether to show tinynet's progress bar.
        early_stopping, validation_fraction: hold out this fraction of the samples, and keep the weights with the best
            score of them: accuracy, or R^2.
        momentum, nesterovs_momentum: for "sgd".  beta_1, beta_2, epsilon: for "adam".

    Another parameter
        dropout: the rate after each hidden layer, from 0 up to 1.

    After fit `model_` is the `Sequential`, and `history_` its `History`; `loss_curve_`, `n_iter_`, `coefs_` and
    `intercepts_` are scikit-learn's.  Data may be a sparse matrix or a table; its column names are checked.

    Raises ValueError for an argument out of range, when fit is called.
    Source: sklearn/neural_network/_multilayer_perceptron.py of scikit-learn 1.9.
    """

    def __init__(self, hidden_layer_sizes: int | Sequence[int] = (100,), activation: str = "relu", *,
                 solver: str = "adam", alpha: float = 1e-4, dropout: float = 0.0, batch_size: int | str = "auto",
                 learning_rate_init: float = 1e-3, max_iter: int = 200, shuffle: bool = True, random_state: Any = None,
                 tol: float = 1e-4, verbose: bool = False, momentum: float = 0.9, nesterovs_momentum: bool = True,
                 early_stopping: bool = False, validation_fraction: float = 0.1, beta_1: float = 0.9,
                 beta_2: float = 0.999, epsilon: float = 1e-8, n_iter_no_change: int = 10):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.dropout = dropout
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change

    def _train(self, x, targets, units, activation, loss, score):
        """Train a new network; score(y_true, y_pred) is what early stopping asks."""
        patience = whole_number("n_iter_no_change", self.n_iter_no_change, least=1)
        with _seeds(self.random_state) as seed:
            held_out, stop_score = None, None
            if self.early_stopping:
                number("validation_fraction", self.validation_fraction, below=1, positive=True)
                x, x_held, targets, y_held = train_test_split(
                    x, targets, test_size=self.validation_fraction, random_state=seed,
                    stratify=targets if activation == "sigmoid" else None)      # two classes, as in scikit-learn
                held_out = x_held, y_held
                stop_score = functools.partial(_score_of, score, x_held, y_held)
            samples = x.shape[0]
            batch_size = min(200, samples) if self.batch_size == "auto" else (
                min(whole_number("batch_size", self.batch_size, least=1), samples))
            model = self._network(x.shape[1], units, activation, batch_size)
            model.compile(self._optimizer(), loss)
            stop = NoImprovement(number("tol", self.tol), patience, stop_score)
            history = model.fit(x, targets, batch_size, whole_number("max_iter", self.max_iter, least=1),
                                int(bool(self.verbose)), [stop], shuffle=bool(self.shuffle), validation_data=held_out)
        self.model_, self.history_ = model, history
        self.n_iter_: int = len(history.epoch)
        self.loss_curve_: list[float] = history.history["loss"]
        if not stop.stopped:
            warnings.warn(f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization "
                          "hasn't converged yet.", ConvergenceWarning, stacklevel=3)
        return self

    def _network(self, width, units, activation, batch_size):
        sizes = self.hidden_layer_sizes
        penalty = number("alpha", self.alpha) / 2 / batch_size
        options: dict[str, Any] = {"kernel_regularizer": regularizers.l2(penalty)} if penalty else {}
        model = Sequential([Input((width,))])
        for size in (sizes if np.iterable(sizes) else [sizes]):
            whole_number("hidden_layer_sizes", size, least=1)
            model.add(Dense(size, ACTIVATIONS.get(self.activation, self.activation), **options))
            if self.dropout:
                model.add(Dropout(self.dropout))
        model.add(Dense(units, activation, **options))
        return model

    def _optimizer(self):
        rate = number("learning_rate_init", self.learning_rate_init, positive=True)
        if self.solver == "sgd":
            return optimizers.SGD(rate, self.momentum, self.nesterovs_momentum)
        if self.solver == "adam":
            return optimizers.Adam(rate, self.beta_1, self.beta_2, epsilon=self.epsilon)
        if not isinstance(self.solver, str):
            raise ValueError(f"solver must be the name of an optimizer, such as 'rmsprop', got {self.solver!r}.")
        optimizer = optimizers.get(self.solver)
        optimizer.learning_rate = rate
        return optimizer

    def _begin(self, x, y, **options):
        """Checked data. From here until training ends the estimator is not fitted."""
        self.__dict__.pop("model_", None)
        _check_table(x)
        return validate_data(self, x, y, accept_sparse=True, dtype=floatx(), **options)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _outputs(self, x):
        check_is_fitted(self)
        _check_table(x)
        return self.model_.predict(validate_data(self, x, accept_sparse=True, dtype=floatx(), reset=False))

    @property
    def coefs_(self) -> list[Array]:
        """The matrix W of each layer, (D, U)."""
        return [layer.get_weights()[0] for layer in self.model_.layers if isinstance(layer, Dense)]

    @property
    def intercepts_(self) -> list[Array]:
        """The vector b of each layer, (U,)."""
        return [layer.get_weights()[1] for layer in self.model_.layers if isinstance(layer, Dense)]

    @property
    def loss_(self) -> float:
        """The last loss."""
        return self.loss_curve_[-1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class MLPClassifier(ClassifierMixin, MultilayerPerceptron):
    """A classifier: softmax and cross-entropy, or for two classes a single sigmoid.

    Parameters as for `MultilayerPerceptron`; the labels y (N,) may be of any kind. `classes_` lists them after fit.

    >>> classifier = MLPClassifier(8, max_iter=500, learning_rate_init=0.1, random_state=0)
    >>> classifier.fit([[-1.0], [1.0]], ["no", "yes"]).predict([[-2.0], [2.0]])
    array(['no', 'yes'], dtype='<U3')
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> MLPClassifier:
        """Train a new network on X (N, D) and labels y (N,)."""
        X, y = self._begin(X, y)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) == 2:
            return self._train(X, numbers, 1, "sigmoid", "binary_crossentropy",
                               lambda y, p: accuracy_score(y, p[:, 0] > 0.5))
        return self._train(X, numbers, len(self.classes_), "softmax", "sparse_categorical_crossentropy",
                           lambda y, p: accuracy_score(y, p.argmax(axis=1)))

    def predict(self, X: ArrayLike) -> Array:
        """The most probable class of each sample, (N,)."""
        p = self.predict_proba(X)
        return self.classes_[p.argmax(axis=1)]

    def predict_proba(self, X: ArrayLike) -> Array:
        """The probability of each class, (N, C)."""
        p = self._outputs(X)
        return np.hstack([1 - p, p]) if len(self.classes_) == 2 else p

    def predict_log_proba(self, X: ArrayLike) -> Array:
        """log p, (N, C); of p that float32 rounds to 0, the log of its smallest number, -87.3."""
        return np.log(np.maximum(self.predict_proba(X), np.finfo(np.float32).tiny))


class MLPRegressor(RegressorMixin, MultilayerPerceptron):
    """A regressor of one number a sample, y (N,), or several, (N, C): half the mean squared error.

    Parameters as for `MultilayerPerceptron`. For C outputs the loss is their mean; scikit-learn's gradient is that of
    their sum, C times as large.

    >>> x = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> regressor = MLPRegressor(16, max_iter=500, learning_rate_init=0.01, random_state=0).fit(x, x[:, 0] ** 2)
    >>> regressor.score(x, x[:, 0] ** 2) > 0.9
    True
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> MLPRegressor:
        """Train a new network on X (N, D) and targets y."""
        X, y = self._begin(X, y, multi_output=True, y_numeric=True)
        half_the_square = losses.Huber(1e19)        # e^2 / 2 where |e| <= delta
        return self._train(X, y, y.shape[1] if y.ndim == 2 else 1, "linear", half_the_square, r2_score)

    def predict(self, X: ArrayLike) -> Array:
        """The outputs, (N,) for a single one, else (N, C)."""
        y = self._outputs(X).astype(float)
        return y[:, 0] if y.shape[1] == 1 else y

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _more_tags(self):       # the same for scikit-learn before 1.6
        return {"multioutput": True}


def _check_table(x):
    """Raise ValueError for a column of a table that is not numbers, whose dates scikit-learn would take for numbers."""
    if not hasattr(x, "toarray"):
        as_array(x, "input", "X", floatx())


def _score_of(score, x, y, model):
    return score(y, model.predict(x))


@contextmanager
def _seeds(random_state) -> Iterator[int]:
    """Inside it NumPy's global generator has a seed drawn from the random_state, and afterwards the state of before.

    One thread at a time, since the generator is one for all.
    """
    with _generator_lock:
        seed = check_random_state(random_state).randint(2**31 - 1)
        before = np.random.get_state()
        np.random.seed(seed)
        try:
            yield seed
        finally:
            np.random.set_state(before)
