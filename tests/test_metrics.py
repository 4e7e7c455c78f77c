"""A metric adds up numbers over batches and divides at the end; by hand it works as in a model."""
import copy
import pickle

import numpy as np
import pytest

from tinynet import losses, metrics
from tinynet.backend import to_numpy, xp
from tinynet.layers import Dense
from tinynet.models import Sequential

T = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]])
P = np.array([[0.2, 0.7, 0.1], [0.3, 0.3, 0.4], [0.1, 0.2, 0.7], [0.5, 0.4, 0.1]])


def test_by_hand_a_metric_averages_over_calls_and_weights():
    mean = metrics.Mean()
    assert mean.result() == 0
    mean.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    assert mean.result() == 2
    mean.update_state([8.0])
    assert mean.result() == 4
    mean.reset_states()
    assert mean.result() == 0


def test_a_short_batch_counts_by_its_samples():
    for make in (metrics.CategoricalAccuracy, metrics.RootMeanSquaredError, metrics.Precision, metrics.Recall,
                 metrics.MeanSquaredError):
        whole, parts = make(), make()
        parts.update_state(T[:3], P[:3])
        parts.update_state(T[3:], P[3:])
        assert parts.result() == pytest.approx(whole(T, P))


def test_precision_and_recall_worked_out_by_hand():
    # above 0.35: (0, 1) right, (1, 2) wrong, (2, 2) right, (3, 0) wrong, (3, 1) right; missed: (1, 0)
    assert metrics.Precision(0.35)(T, P) == 3 / 5
    assert metrics.Recall(0.35)(T, P) == 3 / 4
    assert metrics.Precision(top_k=1)(T, P) == 2 / 4
    assert metrics.Recall(top_k=1)(T, P) == 2 / 4
    assert metrics.Recall(top_k=2)(T, P) == 4 / 4       # of equals the first comes first
    assert metrics.Precision(0.35, class_id=2)(T, P) == 1 / 2
    assert metrics.Recall(0.35, class_id=0)(T, P) == 0
    assert metrics.Precision()(T[:1] * 0, P[:1] * 0) == 0
    assert metrics.Recall(0.35)(T, P, sample_weight=[1, 0, 0, 0]) == 1


def test_top_k_lets_equals_in():
    p, t = xp.array([[0.5, 0.2, 0.2, 0.1]]), xp.array([2])
    assert [bool(metrics.sparse_top_k_categorical_accuracy(t, p, k)) for k in (1, 2, 3)] == [False, True, True]
    assert bool(metrics.top_k_categorical_accuracy(xp.eye(4)[t], p, 2))


def test_a_loss_function_is_a_metric_with_another_sign_for_the_cosine():
    t, p = xp.asarray(T), xp.asarray(P)
    assert to_numpy(metrics.get("cosine_proximity")(t, p)) == pytest.approx(-to_numpy(losses.cosine_proximity(t, p)))
    assert metrics.get("mse") is losses.mean_squared_error
    assert metrics.CosineSimilarity()(T, T) == pytest.approx(1)


def test_metric_objects_train_with_a_model_and_keep_what_they_saw(classifier):
    model, x, y = classifier
    recall = metrics.Recall(0.3)
    model.compile("sgd", "mse", metrics=[recall, metrics.RootMeanSquaredError(), "mse", metrics.Precision])
    values = dict(zip(model.metrics_names, model.evaluate(x, y, verbose=0)))
    assert model.metrics_names == ["loss", "recall_1", "root_mean_squared_error", "mse", "precision_1"]
    assert values["root_mean_squared_error"] ** 2 == pytest.approx(values["mse"])
    assert values["recall_1"] == recall.result() == pytest.approx(metrics.Recall(0.3)(y, model.predict(x)))


def test_weighted_metrics_weigh_and_others_do_not(classifier):
    model, x, y = classifier
    model.compile("sgd", "mse", metrics=["accuracy"], weighted_metrics=["accuracy", "mse"])
    assert model.metrics_names == ["loss", "accuracy", "accuracy_1", "mse"]
    weights = np.arange(10.0)
    _, accuracy, weighted, mse = model.evaluate(x, y, verbose=0, sample_weight=weights)
    right = model.predict(x).argmax(axis=1) == y.argmax(axis=1)
    assert accuracy == pytest.approx(right.mean())
    assert weighted == pytest.approx((right * weights).sum() / weights.sum())
    assert mse == pytest.approx((((model.predict(x) - y) ** 2).mean(axis=1) * weights).sum() / weights.sum())


class Largest(metrics.Metric):
    """A metric of one's own: the mean of the largest output, squared at the end."""

    def update(self, y_true, y_pred, sample_weight=None):
        return y_pred.max(axis=-1).sum(), len(y_pred)

    def compute(self, total, count):
        return (total / count) ** 2


def test_a_metric_of_ones_own_says_what_to_add_and_what_it_comes_to(classifier):
    model, x, y = classifier
    model.compile("sgd", "mse", metrics=[Largest()])
    loss, value = model.evaluate(x, y, batch_size=3, verbose=0)
    assert value == pytest.approx(model.predict(x).max(axis=1).mean() ** 2)
    assert model.metrics_names[1] == "largest_1"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))],
                         ids=["deepcopy", "pickle"])
def test_a_copied_model_measures_itself(copied):
    model = Sequential([Dense(3, "softmax", input_shape=(4,), kernel_regularizer="l2")])
    model.compile("sgd", losses.CategoricalCrossentropy(label_smoothing=0.1), metrics=[
        "data_loss", "regularization", "crossentropy", metrics.Precision(0.3), metrics.BinaryAccuracy(threshold=0.4)])
    x, y = np.random.default_rng(0).standard_normal((6, 4)), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    model.fit(x, y, verbose=0)
    twin = copied(model)
    assert twin.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    before = model.evaluate(x, y, verbose=0)
    twin.fit(x, y, epochs=5, verbose=0)
    assert model.evaluate(x, y, verbose=0) == before != twin.evaluate(x, y, verbose=0)


@pytest.mark.parametrize("make, error, message", [
    (lambda: metrics.Precision(thresholds=[0.2, None]), ValueError, "thresholds must be a number"),
    (lambda: metrics.Precision(thresholds=2), ValueError, "thresholds must be a number of at least 0 and at most 1"),
    (lambda: metrics.Recall(top_k=0), ValueError, "top_k must be a whole number of at least 1, got 0"),
    (lambda: metrics.Recall(class_id=-1), ValueError, "class_id must be a whole number of at least 0"),
    (lambda: metrics.BinaryAccuracy(limit=1), TypeError, "Unexpected keyword argument: 'limit'"),
    (lambda: metrics.Metric()([1.0], [2.0]), NotImplementedError, "Metric must define update"),
    (lambda: losses.CategoricalCrossentropy(label_smoothing=1), ValueError, "label_smoothing must be a number"),
    (lambda: losses.Huber(delta=0), ValueError, "delta must be a number above 0"),
    (lambda: losses.MeanSquaredError(reduction="mean"), ValueError, "Unknown reduction: mean. Known: none, sum"),
])
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_losses_can_be_called_on_lists():
    assert float(losses.MeanSquaredError()([[0, 1]], [[1, 1]])) == 0.5
    assert losses.MeanSquaredError(reduction="none")([[0, 1], [0, 0]], [[1, 1], [3, 3]]).tolist() == [0.5, 9]
    assert float(losses.MeanSquaredError(reduction="sum")([[0, 1], [0, 0]], [[1, 1], [3, 3]], [2, 1])) == 10
    assert float(losses.SparseCategoricalCrossentropy()([1, 0], [[0.5, 0.5], [0.5, 0.5]])) == pytest.approx(np.log(2))


def test_a_metric_object_is_nobody_s_property(classifier):
    model, x, y = classifier
    metric, weights = metrics.CategoricalAccuracy(), np.arange(10.0)
    for _ in range(2):
        model.compile("sgd", "mse", metrics=[metric], weighted_metrics=[metric, "data_loss", "data_loss"])
        assert model.metrics_names == ["loss", "categorical_accuracy", "categorical_accuracy_1", "data_loss"]
    _, plain, weighted, _ = model.evaluate(x, y, verbose=0, sample_weight=weights)
    right = model.predict(x).argmax(axis=1) == y.argmax(axis=1)
    assert (plain, weighted) == pytest.approx((right.mean(), (right * weights).sum() / weights.sum()))
    assert metric.name == "categorical_accuracy"


def test_sample_weights_may_come_third_as_in_keras():
    assert metrics.MeanSquaredError()([[0.0], [0.0]], [[1.0], [3.0]], [1, 0]) == 1
    assert metrics.Mean()([1.0, 2.0], [0.25, 0.75]) == 1.75
    assert metrics.MeanSquaredError()([1, 2, 3], [[1], [2], [3]]) == 0
    assert metrics.SparseCategoricalAccuracy()([[1], [0]], [[0.2, 0.8], [0.2, 0.8]]) == 0.5


def test_a_metric_in_the_words_of_keras_backend(classifier):
    from tinynet import backend as K

    def rmse(y_true, y_pred):
        return K.sqrt(K.mean(K.square(y_pred - y_true), axis=-1))

    model, x, y = classifier
    model.compile("sgd", "mse", metrics=[rmse])
    expected = np.sqrt(((model.predict(x) - y) ** 2).mean(axis=1)).mean()
    assert model.evaluate(x, y, verbose=0)[1] == pytest.approx(expected)
    assert sum(K.count_params(w) for w in model.weights) == model.count_params()
    assert [w.shape for w in model.weights] == [w.shape for w in model.get_weights()]
    with pytest.raises(NotImplementedError, match="no automatic differentiation. model.gradients"):
        K.gradients(y, x)
    with pytest.raises(AttributeError, match="tinynet.backend has no 'conv2d'. Keras's functions"):
        K.conv2d


def test_a_metric_of_a_compiled_model_reads_the_predictions_that_it_is_given():
    """In training it reads the logits; called with other predictions, those."""
    model = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
    model.compile("sgd", "categorical_crossentropy", metrics=["categorical_crossentropy"])
    x, y = np.random.random_sample((6, 4)), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    loss, reported = model.evaluate(x, y, verbose=0)
    metric = model.metrics[0].metric
    assert reported == pytest.approx(loss, rel=1e-6)
    metric.reset_states()
    assert metric(y, 0.97 * y + 0.01) == pytest.approx(-np.log(0.98), rel=1e-5)
    metric.reset_states()
    assert metric(y, np.full((6, 3), 1 / 3)) == pytest.approx(np.log(3), rel=1e-6)
