"""Estimators of scikit-learn: its own checks, its own MLP's weights, and what people's scripts do with one."""
import re
import threading
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from tinynet import backend
from tinynet.layers import Dense
from tinynet.models import Sequential
from tinynet.wrappers import MLPClassifier, MLPRegressor
from tinynet.wrappers.scikit_learn import KerasClassifier, KerasRegressor

NEW = tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 6)
# Predictions are float32: the last digit depends on how many samples are predicted together.
EXPECTED = {"check_methods_subset_invariance": "the last digit of float32"}
SAMPLES = np.random.RandomState(0).standard_normal((90, 4)) + 3 * np.eye(4)[:3][np.arange(90) % 3]
LABELS = np.array(["low", "middle", "top"])[np.arange(90) % 3]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.skipif(backend.on_gpu, reason="about functions of NumPy arrays; an emulated GPU would take minutes")
@pytest.mark.filterwarnings("ignore")       # of scikit-learn, for scikit-learn
@pytest.mark.parametrize("estimator", [MLPClassifier(), MLPRegressor()], ids=["classifier", "regressor"])
def test_scikit_learn_s_own_checks_pass(estimator):
    if NEW:
        results = check_estimator(estimator, expected_failed_checks=EXPECTED, on_fail=None)
        failed = [(result["check_name"], result["exception"]) for result in results if result["status"] == "failed"]
        assert not failed and sum(result["status"] == "passed" for result in results) >= 50
        return
    passed = 0
    for each, check in check_estimator(estimator, generate_only=True):
        if check.func.__name__ not in EXPECTED:
            check(each)
            passed += 1
    assert passed >= 40


# The same weights as scikit-learn's


@pytest.fixture
def float64():
    backend.set_floatx("float64")
    yield
    backend.set_floatx("float32")


def theirs_from(theirs, weights, **options):
    """Scikit-learn's estimator, which begins with these weights."""
    class Begun(theirs):
        def _init_coef(self, *sizes):
            return tuple(array.copy() for array in next(self.begun))
    estimator = Begun(**options)
    estimator.begun = iter(weights)
    return estimator


CASES = {"three classes": (MLPClassifier, TheirClassifier, np.arange(60) % 3),
         "two classes": (MLPClassifier, TheirClassifier, np.arange(60) % 2),
         "numbers": (MLPRegressor, TheirRegressor, SAMPLES[:60, 0] ** 2)}


@pytest.mark.parametrize("options", [
    {}, {"activation": "tanh"}, {"activation": "logistic"}, {"activation": "identity"}, {"alpha": 0.0},
    {"epsilon": 0.01}, {"beta_1": 0.5, "beta_2": 0.9}, {"solver": "sgd"},
    {"solver": "sgd", "nesterovs_momentum": False, "momentum": 0.5},
    {"solver": "sgd", "learning_rate_init": 0.01, "hidden_layer_sizes": (5,)}], ids=str)
@pytest.mark.parametrize("case", CASES)
def test_the_weights_are_scikit_learn_s_to_twelve_digits(case, options, float64):
    """After twenty epochs, in float64, from the same weights, with the samples in the same order."""
    ours, theirs, y = CASES[case]
    options = {"hidden_layer_sizes": (8, 6), "alpha": 0.1, "batch_size": 20, "shuffle": False, "tol": 0.0} | options
    standing = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 1e-30}
    still = ours(random_state=0, max_iter=1, **options | standing)
    still.fit(SAMPLES[:60], y)
    mine = ours(random_state=0, max_iter=20, **options).fit(SAMPLES[:60], y)
    other = theirs_from(theirs, list(zip(still.coefs_, still.intercepts_)), random_state=0, max_iter=20, **options)
    other.fit(SAMPLES[:60], y)
    for a, b in zip(mine.coefs_ + mine.intercepts_ + [mine.loss_curve_],
                    other.coefs_ + other.intercepts_ + [other.loss_curve_]):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    assert np.allclose(mine.predict_proba(SAMPLES) if case != "numbers" else mine.predict(SAMPLES),
                       other.predict_proba(SAMPLES) if case != "numbers" else other.predict(SAMPLES), atol=1e-12)


# What scripts do


@pytest.fixture
def table():
    """People: a numeric column, a nullable one, and a category that decides."""
    pd = pytest.importorskip("pandas", reason='pandas is not installed: python -m pip install -e ".[interop]"')
    chance = np.random.RandomState(0)
    kinds = chance.choice(["a", "b", "c"], 120)
    return pd.DataFrame({"age": chance.uniform(20, 60, 120), "children": pd.array(chance.randint(0, 4, 120), "Int64"),
                         "kind": kinds}), (kinds != "a").astype(int)


def test_a_table_with_dummies_and_nullable_integers(table):
    import pandas as pd
    x, y = table
    x = pd.get_dummies(x, columns=["kind"])
    classifier = MLPClassifier((16,), learning_rate_init=0.01, random_state=0).fit(x, pd.Series(y))
    assert classifier.score(x, y) > 0.95 and list(classifier.feature_names_in_) == list(x.columns)
    with pytest.raises(ValueError, match="same order as they were in fit"):
        classifier.predict(x[x.columns[::-1]])
    model = KerasClassifier(network, epochs=30, verbose=0, inputs=5, outputs=2)
    model.fit(x.assign(age=x["age"] / 60), y)
    assert model.n_features_in_ == 5 and model.score(x.assign(age=x["age"] / 60), y) > 0.7
    for wrong, text in ((x[x.columns[::-1]], "same order as they were in fit. Expected age, children, kind_a"),
                        (x.rename(columns={"age": "years"}), "Only one of the two tables has: age, years")):
        for call in (model.predict, model.predict_proba, lambda x: model.score(x, y)):
            with pytest.raises(ValueError, match=text):
                call(wrong)
    assert model.predict(x.to_numpy(float)).shape == (120,)


def test_a_pipeline_with_one_hot_columns(table):
    x, y = table
    for sparse in (0, 1):       # the share of zeros from which the transformer returns a sparse matrix
        transformer = make_column_transformer((OneHotEncoder(), ["kind"]), (StandardScaler(), ["age"]),
                                              sparse_threshold=sparse)
        pipeline = make_pipeline(transformer, MLPClassifier((16,), learning_rate_init=0.01, random_state=0))
        assert cross_val_score(pipeline, x, y, cv=3).min() > 0.9
        assert pipeline.fit(x, y).predict_proba(x).shape == (120, 2)


def network(inputs=4, outputs=3, units=8):
    model = Sequential([Dense(units, "relu", input_dim=inputs), Dense(outputs, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_a_grid_search_in_two_processes():
    for estimator, grid in ((MLPClassifier(max_iter=100, learning_rate_init=0.01, random_state=0),
                             {"hidden_layer_sizes": [(4,), (8, 8)], "dropout": [0.0, 0.3]}),
                            (KerasClassifier(network, epochs=200, verbose=0), {"units": [4, 16]})):
        search = GridSearchCV(estimator, grid, cv=3, n_jobs=2).fit(SAMPLES, LABELS)
        assert search.best_score_ > 0.85
        if isinstance(estimator, MLPClassifier):        # whose seed is known: the same in one process
            alone = GridSearchCV(estimator, grid, cv=3, n_jobs=1).fit(SAMPLES, LABELS)
            assert np.array_equal(alone.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])


def test_an_estimator_is_saved_by_joblib(tmp_path):
    import joblib
    for estimator, x, y in ((MLPClassifier(max_iter=5), SAMPLES, LABELS),
                            (MLPRegressor(max_iter=5), SAMPLES, SAMPLES[:, 0]),
                            (KerasClassifier(network, epochs=2, verbose=0), SAMPLES, LABELS)):
        estimator.fit(x, y)
        joblib.dump(estimator, tmp_path / "estimator.joblib")
        again = joblib.load(tmp_path / "estimator.joblib")
        assert np.array_equal(again.predict(x), estimator.predict(x))
        assert clone(again).get_params() == estimator.get_params()


# Training


def test_early_stopping_holds_samples_out_and_keeps_the_best_weights():
    classifier = MLPClassifier((16,), early_stopping=True, n_iter_no_change=3, learning_rate_init=0.01, random_state=0,
                               validation_fraction=0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier.fit(SAMPLES, LABELS)
    assert len(classifier.history_.history["val_loss"]) == classifier.n_iter_ < 200
    assert classifier.score(SAMPLES, LABELS) > 0.7
    regressor = MLPRegressor((16,), early_stopping=True, learning_rate_init=0.05, random_state=0, max_iter=60)
    scores = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinynet.wrappers.mlp._score_of", lambda score, x, y, model: (
            scores.append(score(y, model.predict(x))), scores[-1])[1])
        regressor.fit(SAMPLES, SAMPLES[:, 0] ** 2)
    held, held_y = SAMPLES, SAMPLES[:, 0] ** 2
    assert max(scores) > scores[-1] and len(scores) == regressor.n_iter_
    assert regressor.score(held, held_y) > 0


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("options", [{}, {"tol": 1e-2}, {"tol": 1e9, "n_iter_no_change": 1}, {"n_iter_no_change": 3}],
                         ids=str)
def test_training_stops_in_the_same_epoch_as_scikit_learn_s(case, options, float64):
    ours, theirs, y = CASES[case]
    options = {"hidden_layer_sizes": (8, 6), "batch_size": 20, "shuffle": False, "max_iter": 3000,
               "learning_rate_init": 0.01} | options
    standing = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 1e-30, "max_iter": 1}
    still = ours(random_state=0, **options | standing).fit(SAMPLES[:60], y)
    mine = ours(random_state=0, **options).fit(SAMPLES[:60], y)
    other = theirs_from(theirs, list(zip(still.coefs_, still.intercepts_)), random_state=0, **options)
    assert mine.n_iter_ == other.fit(SAMPLES[:60], y).n_iter_ < 3000


def test_training_warns_if_the_loss_still_falls():
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        MLPRegressor(random_state=0, max_iter=3).fit(SAMPLES, SAMPLES[:, 0])


def test_a_random_state_fixes_everything_and_leaves_numpy_s_generator():
    np.random.seed(1)
    expected = np.random.random(3)
    np.random.seed(1)
    first, second = (MLPClassifier((8,), dropout=0.5, max_iter=5, random_state=7, early_stopping=True)
                     .fit(SAMPLES, LABELS) for _ in range(2))
    assert np.array_equal(np.random.random(3), expected)
    assert all(map(np.array_equal, first.coefs_, second.coefs_))
    other = MLPClassifier((8,), dropout=0.5, max_iter=5, random_state=8).fit(SAMPLES, LABELS)
    assert not np.array_equal(first.coefs_[0], other.coefs_[0])
    np.random.seed(1)       # None draws from it, as in scikit-learn
    first, second = (MLPClassifier(max_iter=2).fit(SAMPLES, LABELS) for _ in range(2))
    assert not np.array_equal(first.coefs_[0], second.coefs_[0])


def test_threads_train_what_one_thread_trains():
    expected = [MLPClassifier((8,), max_iter=5, random_state=i).fit(SAMPLES, LABELS).coefs_ for i in range(4)]
    found = {}

    def train(i):
        found[i] = MLPClassifier((8,), max_iter=5, random_state=i).fit(SAMPLES, LABELS).coefs_
    threads = [threading.Thread(target=train, args=(i,)) for i in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert all(np.array_equal(a, b) for i in range(4) for a, b in zip(found[i], expected[i]))


def test_several_outputs_and_other_solvers():
    y = SAMPLES[:, :2]
    regressor = MLPRegressor((32,), solver="rmsprop", learning_rate_init=0.01, random_state=0).fit(SAMPLES, y)
    assert regressor.predict(SAMPLES).shape == (90, 2) and regressor.score(SAMPLES, y) > 0.95
    assert regressor.loss_ == regressor.loss_curve_[-1] and [w.shape for w in regressor.coefs_] == [(4, 32), (32, 2)]
    linear = MLPClassifier((), learning_rate_init=0.1, random_state=0).fit(SAMPLES, LABELS)
    assert len(linear.coefs_) == 1 and np.allclose(np.exp(linear.predict_log_proba(SAMPLES)).sum(axis=1), 1, atol=1e-6)


def test_verbose_shows_the_progress(capsys):
    MLPClassifier(max_iter=2, verbose=True).fit(SAMPLES, LABELS)
    assert re.search(r"Epoch 2/2 - \d+s - loss: ", capsys.readouterr().out)


def test_a_fit_that_fails_leaves_nothing_fitted():
    """Not the old network with the new classes."""
    for classifier in (MLPClassifier(max_iter=3), KerasClassifier(network, epochs=1, verbose=0)):
        classifier.fit(SAMPLES, LABELS)
        with pytest.raises((ValueError, TypeError)):
            classifier.set_params(**{"alpha": -1} if isinstance(classifier, MLPClassifier) else {"epochs": -1})
            classifier.fit(SAMPLES, np.arange(90) % 2)
        with pytest.raises(NotFittedError):
            classifier.predict(SAMPLES)


def test_columns_that_are_not_numbers_are_named(table):
    x, y = table
    import pandas as pd
    for columns, text in (({}, "column 'kind' of dtype .* holds '[abc]'"),
                          ({"kind": pd.date_range("2020", periods=120)}, "column 'kind' of dtype .* holds dates"),
                          ({"kind": np.r_[np.nan, np.ones(119)]}, "column 'kind' of dtype float64 has missing values")):
        for estimator in (MLPClassifier(max_iter=2), MLPRegressor(max_iter=2)):
            with pytest.raises(ValueError, match=text):
                estimator.fit(x.assign(**columns), y)


def test_a_label_that_fit_has_not_seen_is_an_error_and_probabilities_of_zero_have_a_logarithm():
    model = KerasClassifier(network, epochs=1, verbose=0)
    model.fit(SAMPLES, LABELS)
    with pytest.raises(ValueError, match="y holds labels that fit has not seen. Expected .'low', 'middle', 'top'"):
        model.score(SAMPLES, np.full(90, "high"))
    classifier = MLPClassifier(max_iter=5).fit(SAMPLES, np.arange(90) % 2)
    assert np.isfinite(classifier.predict_log_proba(1e6 * SAMPLES)).all()


@pytest.mark.parametrize("arguments, text", [
    ({"alpha": -1}, "alpha must be a number of at least 0"), ({"max_iter": 0}, "max_iter must be a whole number"),
    ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes must be"), ({"activation": "swish"}, "Unknown activation"),
    ({"solver": "lbfgs"}, "Unknown optimizer: lbfgs"), ({"batch_size": 0}, "batch_size must"), ({"dropout": 1}, "rate"),
    ({"learning_rate_init": 0}, "learning_rate_init must be a number above 0"),
    ({"early_stopping": True, "validation_fraction": 1.0}, "validation_fraction must be a number above 0 and below 1"),
    ({"tol": -1}, "tol must be a number of at least 0"), ({"solver": 3}, "solver must be the name of an optimizer"),
    ({"n_iter_no_change": 0}, "n_iter_no_change must be"), ({"beta_1": 1.0}, "beta_1 must be")], ids=str)
def test_a_bad_argument_is_named_by_fit(arguments, text):
    before = np.random.get_state()[1].copy()
    estimator = MLPClassifier(random_state=0, **arguments)
    with pytest.raises(ValueError, match=text):
        estimator.fit(SAMPLES, LABELS)
    assert np.array_equal(np.random.get_state()[1], before) and not hasattr(estimator, "model_")


def test_before_fit_there_is_nothing_to_predict():
    for estimator in (MLPClassifier(), MLPRegressor(), KerasClassifier(network), KerasRegressor(network)):
        with pytest.raises(NotFittedError, match="is not fitted yet"):
            estimator.predict(SAMPLES)
