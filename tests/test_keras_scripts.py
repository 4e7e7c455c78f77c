"""People's scripts for Keras 2.3.1 run with the name changed: names, defaults and words are those of the real Keras.

keras_names.json was written by keras_names.py with the real one; benchmarks/keras_suite.py runs Keras's own tests.
"""
import copy
import io
import json
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import keras_names
import numpy as np
import pytest
from harm import together

from tinynet import backend as K
from tinynet import callbacks, datasets, layers, metrics, models, optimizers, utils
from tinynet.backend import on_gpu, to_numpy
from tinynet.datasets import arrays
from tinynet.gradient_check import assert_gradients, check_model
from tinynet.layers import Dense, Dropout, Input, LeakyReLU
from tinynet.models import Model, Sequential, load_model, model_from_json

X, Y = np.random.RandomState(0).standard_normal((12, 4)), np.eye(3)[np.arange(12) % 3]
NAMES = json.loads((Path(__file__).parent / "support" / "keras_names.json").read_text())


# As the real Keras


def same(ours, theirs):
    """Numbers to float32's six digits, words exactly."""
    if isinstance(theirs, (list, dict)):
        pairs = zip(ours, theirs) if isinstance(theirs, list) else ((ours.get(key), theirs[key]) for key in theirs)
        return type(ours) is type(theirs) and len(ours) == len(theirs) and all(same(*pair) for pair in pairs)
    if isinstance(theirs, float):
        return ours == pytest.approx(theirs, rel=2e-6, abs=2e-7)
    return ours == theirs


def test_names_defaults_and_words_are_those_of_the_real_keras():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = json.loads(json.dumps(keras_names.reference("tinynet")))
    assert ours.keys() == NAMES.keys() and len(NAMES) > 250
    assert {name: ours[name] for name in NAMES if not same(ours[name], NAMES[name])} == {}


def test_an_accuracy_by_hand_is_that_of_the_argmax_along_rows():
    y_true, y_pred = K.constant(np.eye(3)[[1, 0, 2]]), K.constant([[.1, .8, .1], [.2, .7, .1], [.9, .1, 0]])
    equal = K.equal(K.argmax(y_true), K.argmax(y_pred))
    assert float(K.mean(K.cast(equal, K.floatx()))) == pytest.approx(1 / 3)


def test_set_value_reaches_every_number_of_an_optimizer():
    optimizer, other = optimizers.Adam(beta_1=0.9, decay=0.1), optimizers.Adam(beta_1=0.9, decay=0.1)
    K.set_value(optimizer.beta_1, 0.5)
    K.set_value(optimizer.decay, 0.25)
    K.set_value(optimizer.lr, 0.125)
    assert (optimizer.beta_1, optimizer.decay, optimizer.lr) == (0.5, 0.25, 0.125)
    assert (other.beta_1, other.decay, other.lr) == (0.9, 0.1, 0.001)
    with pytest.raises(ValueError, match="beta_1 must be a number of at least 0 and below 1, got 2"):
        K.set_value(optimizer.beta_1, 2)
    with pytest.raises(TypeError, match="is one of 0 optimizers. Assign it instead"):
        K.set_value(0.123, 1)
    twin = copy.deepcopy(optimizer)
    with pytest.raises(TypeError, match="is one of 2 optimizers. Assign it instead: optimizer.rho"):
        K.set_value(twin.decay, 0.5)


# Metrics


def test_a_metric_of_one_number_a_batch_is_weighted_by_the_samples_of_each():
    """By the sum of their weights; the last batch is short."""
    def batch_mean(y_true, y_pred):
        return K.mean(y_pred - y_true)

    model = Sequential([Dense(3, input_dim=4)])
    model.compile("sgd", "mse", weighted_metrics=[batch_mean])
    weights = np.linspace(0.5, 2, 12)
    parts = [(model.predict(X[i:i + 5]) - Y[i:i + 5]).mean() for i in (0, 5, 10)]
    totals = [weights[i:i + 5].sum() for i in (0, 5, 10)]
    found = model.evaluate(X, Y, batch_size=5, sample_weight=weights, verbose=0)[1]
    assert found == pytest.approx(np.dot(parts, totals) / np.sum(totals), rel=1e-5)


def test_thresholds_may_be_a_list_also_in_fit(tmp_path, capsys):
    model = Sequential([Dense(1, activation="sigmoid", input_dim=4)])
    thresholds = [0.25, 0.5, 0.75]
    model.compile("sgd", "binary_crossentropy", metrics=[metrics.Recall(thresholds, name="recall"), metrics.AUC()])
    y = np.arange(12) % 2
    log = callbacks.CSVLogger(tmp_path / "log.csv")
    history = model.fit(X, y, batch_size=5, epochs=2, verbose=2, validation_data=(X, y), callbacks=[log]).history
    loss, recalls, area = model.evaluate(X, y, verbose=0)
    p = model.predict(X)[:, 0]
    expected = [(p[y == 1] > level).mean() for level in thresholds]
    assert np.allclose(recalls, expected) and recalls == history["val_recall"][-1]
    pairs = np.subtract.outer(p[y == 1], p[y == 0])
    assert area == pytest.approx(((pairs > 0) + (pairs == 0) / 2).mean(), abs=0.03)     # 200 thresholds
    json.dumps(history)
    assert f"val_recall: {np.mean(recalls):.4f}" in capsys.readouterr().out
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize("metric, better, worse", [
    (metrics.Precision(name="mine"), 0.9, 0.1), (metrics.AUC(name="mine"), 0.9, 0.1),
    (metrics.CosineSimilarity(name="mine"), 0.9, 0.1), (metrics.TrueNegatives(name="mine"), 9, 1),
    (metrics.MeanSquaredError(name="mine"), 0.1, 0.9), (metrics.FalsePositives(name="mine"), 1, 9)])
def test_callbacks_ask_the_metric_which_way_is_better(metric, better, worse, tmp_path):
    model = Sequential([Dense(1, activation="sigmoid", input_dim=4)])
    model.compile("sgd", "mse", metrics=[metric])
    stop, plateau = callbacks.EarlyStopping("val_mine"), callbacks.ReduceLROnPlateau("val_mine", patience=1)
    keep = callbacks.ModelCheckpoint(tmp_path / "{epoch}", "val_mine", save_best_only=True)
    for callback in (stop, plateau, keep):
        callback.set_model(model)
        callback.on_train_begin()
    for epoch, value in enumerate((worse, better, worse)):
        for callback in (stop, plateau, keep):
            callback.on_epoch_end(epoch, {"val_mine": value})
    assert stop.stopped_epoch == 2 and float(model.optimizer.lr) == pytest.approx(0.001)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_names_of_ones_own_functions_say_which_way_is_better():
    rising = "val_f1_score my_acc recall_m dice val_accuracy".split()
    falling = "rmse dice_loss val_loss mae layer2_mse indices_count error2 precision_error".split()
    assert [name for name in [*rising, *falling] if callbacks.monitors.higher_is_better(name)] == rising


def test_a_checkpoint_remembers_the_best_of_an_earlier_fit(tmp_path):
    model = Sequential([Dense(3, input_dim=4)])
    model.compile("sgd", "mse")
    keep = callbacks.ModelCheckpoint(tmp_path / "best", "loss", save_best_only=True)
    model.fit(X, Y, epochs=5, verbose=0, callbacks=[keep])
    best = keep.best
    model.set_weights([10 + w for w in model.get_weights()])
    model.fit(X, Y, verbose=0, callbacks=[keep])
    assert keep.best == best and keep.monitor_op is np.less


@pytest.mark.parametrize("call, message", [
    (lambda: metrics.get(5), "A metric is a name such as 'accuracy', .* got 5"),
    (lambda: metrics.get(None), "A metric is a name such as 'accuracy'"),
    (lambda: metrics.MeanSquaredError()(Y, Y, sample_weight=np.ones(5)), r"of shape .12,., and weights of shape .5,."),
    (lambda: metrics.AUC(curve="roc"), "Unknown curve: roc. Did you mean 'ROC'"),
    (lambda: metrics.AUC(num_thresholds=1), "num_thresholds must be a whole number of at least 2"),
    (lambda: metrics.Recall(thresholds=[]), "thresholds must be a number or a list of them, got an empty list"),
    (lambda: metrics.SensitivityAtSpecificity(1.5), "specificity must be a number of at least 0 and at most 1, got"),
])
def test_a_metric_that_makes_no_sense_is_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_metric_shows_its_sums_by_keras_s_names_and_may_have_such_attributes():
    recall, mean = metrics.Recall([0.2, 0.6]), metrics.Mean()
    recall.update_state([1, 1, 0], [0.3, 0.7, 0.9])
    mean([1.0, 3.0])
    assert recall.true_positives.tolist() == [2, 1] and recall.false_negatives.tolist() == [0, 1]
    assert [w.shape for w in recall.weights] == [(2,), (2,)] and (mean.total, mean.count) == (4, 2)
    with pytest.raises(AttributeError, match="Mean has no attribute 'false_positives'"):
        mean.false_positives

    class Own(metrics.Metric):
        def __init__(self):
            self.weights, self.count = [1], 0
            super().__init__()
    assert Own().weights == [1] and copy.deepcopy(recall).true_positives.tolist() == [2, 1]


# Chains


def autoencoder():
    x = Input(shape=(4,))
    code = Dense(2, activation="tanh", name="code")(x)
    return Model(x, Dense(4, activation="sigmoid")(code)), Model(x, code)


def trained(model, x=X, y=X, **options):
    model.compile("rmsprop", "mse", metrics=["mae"])
    model.fit(x, y, batch_size=5, epochs=3, shuffle=False, verbose=0, **options)
    return model


def test_a_chain_trains_like_a_sequential_and_shares_its_layers():
    model, encoder = autoencoder()
    plain = Sequential([Dense(2, activation="tanh", input_dim=4), Dense(4, activation="sigmoid")])
    plain.set_weights(model.get_weights())
    assert all(map(np.array_equal, trained(model).get_weights(), trained(plain).get_weights()))
    assert np.array_equal(encoder.predict(X), Sequential(plain.layers[:1]).predict(X))
    inner = Input((2,))
    decoder = Model(inner, model.layers[-1](inner))
    assert np.array_equal(decoder.predict(encoder.predict(X)), model.predict(X)) and np.array_equal(model(X), plain(X))
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "Dense", "Dense"]
    assert isinstance(model, Sequential) and isinstance(model, Model) and not isinstance(model, Dense)
    assert_gradients(check_model(model, X, X))


@pytest.mark.parametrize("name", ["model.h5", "model.safetensors"])
def test_chains_and_nested_models_are_saved_copied_and_built_again(name, tmp_path):
    model = trained(autoencoder()[0])
    nested = Sequential([Sequential([Dense(5, input_dim=4), Dropout(0.5)]), LeakyReLU(), Dense(3)])
    trained(nested, X, Y)
    for one in (model, nested):
        one.save(tmp_path / name)
        again = [load_model(tmp_path / name), copy.deepcopy(one), pickle.loads(pickle.dumps(one)),
                 model_from_json(one.to_json())]
        again[3].set_weights(one.get_weights())
        for other in again:
            assert type(other) is type(one) and np.array_equal(other.predict(X), one.predict(X))
            assert other.get_config() == one.get_config() and other.output.shape == one.output.shape
            assert Model(other.input, other.layers[1].output).predict(X).shape[1] == other.layers[1].output.shape[1]
    if name.endswith("safetensors"):
        for one, targets in ((model, X), (nested, Y)):
            one.save(tmp_path / name)
            other = load_model(tmp_path / name)
            for each in (one, other):
                each.fit(X, targets, batch_size=5, epochs=2, shuffle=False, verbose=0)
            assert all(map(np.array_equal, one.get_weights(), other.get_weights()))


def test_a_frozen_model_inside_another_does_not_move():
    judge, maker = Sequential([Dense(3, input_dim=4), layers.BatchNormalization(), Dense(1)]), Sequential([
        Dense(4, input_dim=2)])
    judge.trainable = False
    both = Sequential([maker, judge])
    both.compile("sgd", "mse")
    before, moving = judge.get_weights(), maker.get_weights()
    both.fit(X[:, :2], np.ones(12), epochs=2, verbose=0)
    assert all(map(np.array_equal, judge.get_weights(), before))
    assert not np.array_equal(maker.get_weights()[0], moving[0])
    assert [layer.name for layer in both.layers] == [maker.name, judge.name] and both.count_params() == 12 + 31
    judge.trainable = True
    both.compile("sgd", "mse")
    both.fit(X[:, :2], np.ones(12), epochs=2, verbose=0)
    assert not any(map(np.array_equal, judge.get_weights()[::2], before[::2]))
    assert_gradients(check_model(both, X[:, :2], np.ones((12, 1))))


def test_dropout_inside_a_k_function_obeys_the_learning_phase():
    model = Sequential([Dense(50, input_dim=4), Dropout(0.5, seed=1), Dense(2)])
    function = K.function([model.layers[0].input, K.learning_phase()], [model.layers[1].output, model.output])
    (hidden, y), (dropped, after) = function([X, 0]), function([X, 1])
    assert np.array_equal(y, model.predict(X)) and 0.3 < (dropped == 0).mean() < 0.7 and (hidden != 0).all()
    kept = dropped != 0
    assert np.allclose(dropped[kept], 2 * hidden[kept])
    kernel, bias = model.layers[-1].get_weights()
    assert np.allclose(dropped @ kernel + bias, after, atol=1e-5)       # one mask for both outputs
    plain = K.function([model.input], [model.layers[1].output])
    assert np.array_equal(plain([X])[0], hidden)
    K.set_learning_phase(1)
    try:
        assert (plain([X])[0] == 0).any() and K.in_train_phase(2, 3) == 2 and K.in_test_phase(2, lambda: 3) == 3
    finally:
        K.set_learning_phase(0)
    with pytest.raises(ValueError, match="Expected learning phase to be 0 or 1, got 2"):
        K.set_learning_phase(2)


def test_functions_with_a_state_or_a_seed():
    x = K.variable([1.0, 2.0])
    assert K.get_value(K.update_add(x, [1, 1])).tolist() == [2, 3]
    assert K.get_value(K.update_sub(x, 1)).tolist() == [1, 2]
    K.batch_set_value([(x, [5.0, 6.0])])
    assert K.batch_get_value([x])[0].tolist() == [5, 6]
    drawn = K.random_normal((1000,), 1.0, 2.0, seed=3)
    assert np.array_equal(to_numpy(drawn), to_numpy(K.random_normal((1000,), 1.0, 2.0, seed=3)))
    assert abs(to_numpy(drawn).mean() - 1) < 0.3 and abs(to_numpy(drawn).std() - 2) < 0.3
    assert np.abs(to_numpy(K.truncated_normal((1000,), stddev=0.5))).max() <= 1
    assert 0.2 < to_numpy(K.random_binomial((1000,), 0.3)).mean() < 0.4
    dropped = to_numpy(K.dropout(K.ones((1000,)), 0.25))
    assert set(dropped.tolist()) == {0.0, np.float32(4 / 3)} and 0.7 < (dropped > 0).mean() < 0.8
    assert float(K.foldl(lambda a, b: a - b, K.constant([1, 2, 3]))) == -4
    assert float(K.foldr(lambda a, b: a - b, K.constant([1, 2, 3]))) == 0
    three = K.constant([1, 2, 3])
    normed = K.batch_normalization(K.ones((2, 3, 4)), three, three ** 2, gamma=three, beta=three, axis=1, epsilon=0.0)
    assert np.allclose(to_numpy(normed)[1, :, 2], [1, 1, 1])


@pytest.mark.parametrize("call, error, message", [
    (lambda x, y: Model([x, Input((4,))], y), ValueError, "inputs of a Model are 2 tensors. tinynet's functional"),
    (lambda x, y: Model(x, [y, x]), ValueError, "outputs of a Model are 2 tensors"),
    (lambda x, y: Dense(3)([x, y]), ValueError, "was called on 2 tensors"),
    (lambda x, y: x + y, TypeError, "holds no numbers yet. tinynet's functional models are chains"),
    (lambda x, y: K.mean(y), TypeError, "holds no numbers yet"),
    (lambda x, y: Dense(3)(X), TypeError, "was called on ndarray; .*Arrays go through model.predict"),
    (lambda x, y: Model(Input((4,)), y), ValueError, "Graph disconnected"),
    (lambda x, y: Model(x, x), ValueError, "needs a layer between"),
    (lambda x, y: Model(X, Y), TypeError, "takes tensors"),
    (lambda x, y: Model(), TypeError, "missing 2 required positional arguments"),
    (lambda x, y: Input(), ValueError, "needs the shape of one sample"),
    (lambda x, y: Dense(3).output, AttributeError, "has no inbound nodes"),
    (lambda x, y: K.function([x], [Input((3,))]), ValueError, "Graph disconnected"),
    (lambda x, y: Sequential([y]), TypeError, "must be an instance of class Layer. Found: Tensor"),
    (lambda x, y: Model(x, y).add(Dense(2)), TypeError, "A Model has no add: Model.model.input, layer.model.output"),
    (lambda x, y: Model(x, y).pop(), TypeError, "A Model has no pop"),
    (lambda x, y: Sequential().output, AttributeError, "has no inputs and outputs before its shapes are known"),
    (lambda x, y: type("Own", (Model,), {}), TypeError, "Own is a Model with code of its own, .*Derive it from Sequ"),
    (lambda x, y: Model(x, (shared := Dense(3))(shared(Dense(3)(x)))), ValueError, "can be used only once in a model"),
])
def test_what_is_no_chain_is_refused_by_a_sentence(call, error, message):
    x = Input((4,))
    with pytest.raises(error, match=message):
        call(x, Dense(3)(x))


def test_a_saved_graph_that_is_no_chain_is_refused():
    config = autoencoder()[0].get_config()
    first, second, third = [entry["name"] for entry in config["layers"]]
    loop = copy.deepcopy(config["layers"])
    loop[1]["inbound_nodes"] = [[[third, 0, 0, {}]]]
    for changed in ({"input_layers": [["nobody", 0, 0]]}, {"output_layers": [[second, 0, 0]]}, {"layers": loop},
                    {"input_layers": [[first, 0, 0], [second, 0, 0]]}, {"output_layers": [["nobody", 0, 0]]},
                    {"output_layers": [[second, 0, 0], [third, 0, 0]]}, {"output_layers": []}):
        with pytest.raises(ValueError, match="The layers of model_[0-9]+ are no chain"):
            Sequential.from_config(copy.deepcopy(config) | changed)


def test_a_layer_may_be_given_as_an_activation_and_is_used_once_each(path):
    leak = LeakyReLU(0.25)
    model = Sequential([Dense(5, activation=leak, input_dim=4), Dense(3, activation=leak)])
    plain = Sequential([Dense(5, input_dim=4), LeakyReLU(0.25), Dense(3), LeakyReLU(0.25)])
    plain.set_weights(model.get_weights())
    assert all(map(np.array_equal, trained(model, X, Y).get_weights(), trained(plain, X, Y).get_weights()))
    model.save(path)
    assert np.array_equal(load_model(path).predict(X), model.predict(X))


# Other names


@pytest.mark.parametrize("statement, words", [
    ("from tinynet.layers import Conv2D", "tinynet.layers has no Conv2D. tinynet has no convolutions.*Flatten images"),
    ("from tinynet.layers.convolutional import MaxPooling2D", "has no MaxPooling2D. tinynet has no convolutions"),
    ("from tinynet.layers import Dense, LSTM", "tinynet.layers has no LSTM. tinynet has no recurrent layers"),
    ("from tinynet.layers.recurrent import GRU", "has no GRU. tinynet has no recurrent"),
    ("from tinynet.layers.embeddings import Embedding", "has no Embedding. .*word counts"),
    ("from tinynet.layers import Lambda", "tinynet.layers has no Lambda. .*Write a Layer with forward and backward"),
    ("from tinynet.layers import Normalization", "StandardScaler, fitted on the training data alone"),
    ("from tinynet.layers.merge import concatenate", "has no concatenate. .*np.concatenate"),
    ("from tinynet.callbacks import TensorBoard", "has no TensorBoard. .*CSVLogger.*plot_history"),
    ("from tinynet.preprocessing.image import ImageDataGenerator", "has no ImageDataGenerator. .*Sequence of your own"),
    ("from tinynet.preprocessing.text import Tokenizer", "has no Tokenizer. .*CountVectorizer"),
    ("from tinynet.preprocessing.sequence import pad_sequences", "has no pad_sequences. "),
    ("from tinynet.applications.vgg16 import VGG16", "has no VGG16. tinynet has no convolutions"),
    ("from tinynet.utils import multi_gpu_model", "tinynet.distributed"),
    ("from tinynet.datasets.cifar100 import load_data", "tinynet loads mnist, .*cifar10"),
])
def test_what_tinynet_is_not_for_is_refused_when_it_is_imported(statement, words):
    with pytest.raises(ImportError, match=words):
        exec(statement, {})


def test_a_refused_name_is_no_attribute():
    with pytest.raises(AttributeError, match="tinynet.layers has no Conv2D. tinynet has no convolutions"):
        layers.Conv2D
    assert not hasattr(layers, "LSTM") and getattr(metrics, "MeanIoU", None) is None
    with pytest.raises(ImportError, match="cannot import name 'NoSuchLayer'"):
        exec("from tinynet.layers.core import NoSuchLayer", {})


SCRIPT = """
import warnings; warnings.simplefilter("always")
from tinynet.layers import Dense, Conv2D
from tinynet.layers.recurrent import (LSTM,
                                      GRU as Gated)
print(Dense(3).units)
{use}
"""


@pytest.mark.parametrize("use, words", [
    ("", None), ("Conv2D(3, 3)", "tinynet.layers has no Conv2D"), ("print(Gated)", "has no GRU. tinynet"),
    ("try:\n    from tinynet.callbacks import TensorBoard\nexcept ImportError:\n    print('none')", None)])
def test_a_script_may_import_what_it_does_not_use(use, words, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT.format(use=use))
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True)
    if words:
        assert done.returncode == 1 and words in done.stderr.splitlines()[-1]
    else:
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["3", "none"][:1 + bool(use)]
        assert done.stderr.count("Nothing here uses it, so the import is ignored.") == 3


def test_a_stand_in_for_an_unused_name_refuses_every_use():
    from tinynet.legacy.refused import Unused
    thing = Unused("tinynet.layers has no Conv2D.")

    def subclass():
        class Own(thing):
            pass
    for use in (lambda: thing(3), lambda: thing.units, subclass):
        with pytest.raises(ImportError, match="no Conv2D"):
            use()
    assert not hasattr(thing, "__array__") and copy.copy(thing)._message == thing._message


def test_old_names_load_nothing_until_they_are_used():
    late = ["matplotlib", "sklearn", "yaml", "tinynet.legacy.backend_functions", "tinynet.wrappers"]
    late += [] if on_gpu else ["zipfile"]       # CuPy loads it
    code = f"import sys, tinynet; print([name for name in {late} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_models_are_pictures_without_graphviz(tmp_path):
    model, _ = autoencoder()
    for name in ("model.png", "model.svg", "model.dot", "model"):
        utils.plot_model(model, to_file=str(tmp_path / name), show_shapes=True, rankdir="LR")
    assert (tmp_path / "model.png").read_bytes()[:4] == b"\x89PNG"
    assert b"<svg" in (tmp_path / "model.svg").read_bytes()
    text = (tmp_path / "model.dot").read_text()
    assert "code: Dense|{input:|output:}|{{(None, 4)}|{(None, 2)}}" in text and "0 -> 1;" in text
    dot = utils.vis_utils.model_to_dot(model)
    assert b"<svg" in dot.create(prog="dot", format="svg") and dot.to_string().count("->") == 2
    x = Input((3,))
    nested = Sequential([Sequential([Dense(3, input_dim=4), Model(x, Dense(2)(x))]), Dense(1)])
    assert utils.model_to_dot(nested).to_string().count("->") == 1
    opened = utils.model_to_dot(nested, expand_nested=True, show_layer_names=False).to_string()
    assert opened.count("Dense") == 3 and "InputLayer" not in opened
    with pytest.raises(ValueError, match="rankdir must be 'TB' or 'LR', got 'BT'"):
        utils.plot_model(model, rankdir="BT")
    with pytest.raises(ValueError, match="has not yet been built"):
        utils.plot_model(Sequential([Dense(3)]), str(tmp_path / "none.png"))


def test_yaml_and_save_model_are_there(tmp_path):
    model = Sequential([Dense(3, input_dim=4, activation="relu")])
    again = models.model_from_yaml(model.to_yaml())
    assert again.get_config() == model.get_config()
    models.save_model(model, tmp_path / "model")
    assert np.array_equal(load_model(tmp_path / "model").predict(X), model.predict(X))


# Data sets


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **o: (_ for _ in ()).throw(
        __import__("urllib.error").error.URLError("no network")))
    return tmp_path


def texts(*lengths):
    array = np.empty(len(lengths), dtype=object)
    array[:] = [list(range(1, length + 1)) for length in lengths]
    return array


@pytest.mark.parametrize("name, data", [
    ("boston_housing", "boston_housing.npz"), ("reuters", "reuters.npz"), ("imdb", "imdb.npz"),
    ("cifar10", "cifar-10-batches-py")])
def test_a_missing_data_set_says_which_file_belongs_where(name, data, keras_home):
    with pytest.raises(OSError) as found:
        getattr(datasets, name).load_data()
    assert data in str(found.value) and str(keras_home) in str(found.value)


def test_data_sets_are_read_from_local_files(tmp_path):
    np.savez(tmp_path / "boston.npz", x=np.arange(40.0).reshape(10, 4), y=np.arange(10.0))
    (x, y), (x_test, y_test) = datasets.boston_housing.load_data(tmp_path / "boston.npz", test_split=0.25)
    assert x.shape == (7, 4) and x_test.shape == (3, 4) and np.array_equal(np.sort(np.r_[y, y_test]), np.arange(10))
    assert np.array_equal(x[:, 0], 4 * y)
    np.savez(tmp_path / "reuters.npz", x=texts(2, 3, 4, 5), y=np.arange(4))
    (x, y), (x_test, y_test) = datasets.reuters.load_data(str(tmp_path / "reuters.npz"), num_words=7, test_split=0.25)
    by_label = dict(zip([*y, *y_test], [*x, *x_test]))
    assert by_label[0] == [1, 4, 5] and by_label[3] == [1, 4, 5, 6, 2, 2]
    np.savez(tmp_path / "imdb.npz", x_train=texts(2, 3), y_train=np.arange(2), x_test=texts(4, 9), y_test=np.arange(2))
    (x, y), (x_test, _) = datasets.imdb.load_data(str(tmp_path / "imdb.npz"), start_char=None, index_from=0, maxlen=9)
    assert dict(zip(y, x)) == {0: [1, 2], 1: [1, 2, 3]} and list(x_test) == [[1, 2, 3, 2]]      # as in Keras
    with pytest.raises(ValueError, match="shorter than maxlen=1, no sequence was kept"):
        datasets.imdb.load_data(str(tmp_path / "imdb.npz"), maxlen=1)
    with pytest.warns(UserWarning, match="renamed `num_words`"):
        datasets.imdb.load_data(str(tmp_path / "imdb.npz"), nb_words=5)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for i, part in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        (folder / part).write_bytes(pickle.dumps({b"data": np.full((2, 3072), i, "uint8"), b"labels": [i, i]}, 2))
    (x, y), (x_test, y_test) = datasets.cifar10.load_data(folder)
    assert x.shape == (10, 32, 32, 3) and y.shape == (10, 1) and (x[:, 0, 0, 0] == y[:, 0]).all()
    assert (x_test == 5).all() and y_test.tolist() == [[5], [5]]


class Harm:
    def __reduce__(self):
        return print, ("this file runs code",)


def test_a_data_set_cannot_run_code(tmp_path, capsys):
    array = np.empty(1, dtype=object)
    array[0] = Harm()
    np.savez(tmp_path / "bad.npz", x=array, y=array)
    with pytest.raises(ValueError, match="names builtins.print, which no file of arrays needs"):
        datasets.reuters.load_data(str(tmp_path / "bad.npz"))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "bad.npz").read_bytes()[:-40])
    with pytest.raises(ValueError, match="damaged, or another file: expected a .npz file with the arrays x, y"):
        datasets.boston_housing.load_data(str(tmp_path / "cut.npz"))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_damaged_pickle_of_arrays_is_an_error_or_the_array(protocol):
    """Of NumPy's own way from a pickle to an array one such byte ends the process."""
    sound = pickle.dumps(texts(2, 3, 4), protocol), pickle.dumps({b"data": np.arange(6.0)}, protocol)
    assert [list(row) for row in arrays.unpickled(io.BytesIO(sound[0]))] == [[1, 2], [1, 2, 3], [1, 2, 3, 4]]
    assert arrays.unpickled(io.BytesIO(sound[1]), encoding="bytes")[b"data"].tolist() == [0, 1, 2, 3, 4, 5]
    for content in sound:
        for i in range(len(content)):
            for change in (1, 43, 128):
                damaged = bytearray(content)
                damaged[i] ^= change
                try:
                    arrays.unpickled(io.BytesIO(bytes(damaged)), encoding="bytes")
                except ValueError as error:
                    assert "The file is damaged, or not one of arrays" in str(error)


# scikit-learn


def classifier(units=8, activation="softmax", loss="categorical_crossentropy"):
    outputs = 1 if activation == "sigmoid" else 3
    model = Sequential([Dense(units, activation="relu", input_dim=4), Dense(outputs, activation=activation)])
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def regressor():
    model = Sequential([Dense(1, input_dim=4)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def test_models_are_estimators_of_scikit_learn():
    from sklearn.base import clone, is_classifier, is_regressor
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tinynet.wrappers.scikit_learn import KerasClassifier, KerasRegressor
    labels = np.array(["low", "middle", "top"])[np.arange(60) % 3]
    x = np.random.RandomState(0).standard_normal((60, 4)) + 3 * np.eye(4)[:3][np.arange(60) % 3]
    one = KerasClassifier(build_fn=classifier, epochs=30, batch_size=5, verbose=0)
    assert is_classifier(one) and is_regressor(KerasRegressor(regressor))
    assert clone(one).get_params() == one.get_params()
    assert cross_val_score(make_pipeline(StandardScaler(), one), x, labels, cv=3).mean() > 0.7
    search = GridSearchCV(one, {"units": [8, 16], "epochs": [1, 30]}, cv=2).fit(x, labels)
    assert search.best_score_ > 0.7 and search.best_params_["epochs"] == 30
    history = one.fit(x, labels, epochs=3)
    assert history.epoch == [0, 1, 2] and one.predict_proba(x).shape == (60, 3) and set(one.predict(x)) <= {*labels}
    assert one.score(x[:2], labels[:2]) in (0, 0.5, 1)      # the last class is not among them
    assert one.score(x, labels) == pytest.approx((one.predict(x) == labels).mean())
    two = KerasClassifier(classifier, activation="sigmoid", loss="binary_crossentropy", nb_epoch=9, verbose=0)
    two.fit(x, np.arange(60) % 2)
    assert two.predict(x).shape == (60, 1) and np.allclose(two.predict_proba(x).sum(axis=1), 1)
    assert len(two.model.history.epoch) == 1        # as in Keras, nb_epoch is accepted and ignored
    line = KerasRegressor(regressor, epochs=2, verbose=0)
    line.fit(x, x[:, 0])
    assert line.predict(x).shape == (60,)
    assert line.score(x, x[:, 0]) == pytest.approx(-((line.predict(x) - x[:, 0]) ** 2).mean(), rel=1e-5)
    with pytest.raises(ValueError, match="epoch is not a legal parameter"):
        KerasClassifier(classifier, epoch=3)
    one.model.compile("sgd", "categorical_crossentropy")
    with pytest.raises(ValueError, match="not configured to compute accuracy"):
        one.score(x, labels)


# What scripts do beside


def test_steps_may_be_fractions_and_tables_may_be_objects():
    model = Sequential([Dense(3, activation="softmax", input_dim=4)])
    model.compile("sgd", "categorical_crossentropy")
    batches = ((X[i:i + 5], Y[i:i + 5]) for _ in range(9) for i in (0, 5, 10))
    history = model.fit_generator(batches, steps_per_epoch=12 / 5, epochs=2, verbose=0)
    assert history.epoch == [0, 1] and model.optimizer.iterations == 6
    mixed = np.empty((12, 4), dtype=object)
    mixed[:, :3], mixed[:, 3] = X[:, :3], X[:, 3] > 0
    assert np.array_equal(model.predict(mixed), model.predict(mixed.astype(float)))


def test_a_metric_of_many_thresholds_costs_little():
    """Two hundred thresholds are four sums of a table, not eight hundred."""
    y, p = np.random.randint(0, 2, 1000), np.random.random(1000)
    area = metrics.AUC()
    assert len(area.update(K.constant(y), K.constant(p))) == 4
    assert to_numpy(area.update(K.constant(y), K.constant(p))[0]).shape == (200,)


# Models that share layers


def test_a_layer_that_is_used_twice_through_models_inside_is_refused():
    for make in (lambda d: [Sequential([d]), d, Dense(4)], lambda d: [d, Sequential([Dense(4), d])],
                 lambda d: [Sequential([d]), Sequential([Sequential([d])])]):
        with pytest.raises(ValueError, match="can be used only once in a model: add a new layer"):
            Sequential(make(layers.PReLU(input_shape=(4,))))
    model, empty = Sequential([Dense(3, input_dim=4)]), Sequential()
    with pytest.raises(ValueError, match="is in sequential_[0-9]+ already"):
        model.add(model)
    with pytest.raises(ValueError, match="has no layers yet. Add some before it becomes a part"):
        empty.add(empty)
    outer = Sequential([model, Dense(2)])
    for change in (lambda: model.add(Dense(3)), model.pop):
        with pytest.raises(RuntimeError, match="is a part of another model, which would not notice"):
            change()
    outer.add(Dense(1))
    assert outer.count_params() == 15 + 8 + 3


def test_freezing_reaches_statistics_at_any_depth_and_is_saved(tmp_path):
    inner = Sequential([layers.BatchNormalization(input_shape=(4,))])
    middle = Sequential([inner, Dense(3)])
    inner.trainable = False
    outer = Sequential([middle, Dense(1)])
    outer.compile("adam", "mse")
    before = inner.get_weights()
    outer.fit(X, X[:, :1], epochs=2, verbose=0)
    assert all(map(np.array_equal, inner.get_weights(), before))
    outer.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert len(again.trainable_weights) == len(outer.trainable_weights) == 4
    for each in (outer, again):
        each.fit(X, X[:, :1], epochs=2, shuffle=False, verbose=0)
    assert all(map(np.array_equal, outer.get_weights(), again.get_weights()))


def test_weights_of_a_model_inside_are_in_keras_s_order():
    """Those that training moves, then the others: what its .h5 files hold."""
    inner = Sequential([layers.BatchNormalization(input_shape=(4,)), layers.BatchNormalization()])
    outer = Sequential([inner, Dense(2)])
    names = [p.name.partition("/")[2] for p in outer.layers[0].parameters]
    assert names == ["gamma:0", "beta:0"] * 2 + ["moving_mean:0", "moving_variance:0"] * 2
    outer.set_weights([np.full(w.shape, i) for i, w in enumerate(outer.get_weights())])
    assert [w.flat[0] for w in inner.get_weights()] == [0, 1, 4, 5, 2, 3, 6, 7]


def test_a_backup_knows_a_chain_that_is_made_again(tmp_path):
    for epochs in (2, 4):
        model = autoencoder()[0]
        utils.set_random_seed(3)
        model.set_weights([np.full(w.shape, 0.1) for w in model.get_weights()])
        model.compile("adam", "mse")
        history = model.fit(X, X, epochs=epochs, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    assert history.epoch == [0, 1, 2, 3]


@pytest.mark.parametrize("work", ["predict", "fit"])
def test_models_that_share_layers_take_turns_in_threads(work):
    """As they end alone: the shared layer has one set of buffers."""
    def make():
        utils.set_random_seed(1)
        judge = Sequential([Dense(64, activation="relu", input_dim=32), Dense(1)])
        judge.trainable = work == "fit"
        both = Sequential([Dense(32, input_dim=8), judge])
        both.compile("sgd", "mse")
        judge.compile("sgd", "mse") if work == "fit" else None
        return judge, both
    x, z = np.random.RandomState(0).standard_normal((64, 32)), np.random.RandomState(1).standard_normal((64, 8))
    judge, both = make()
    expected = judge.predict(x, batch_size=64)
    wrong, done = [], threading.Event()

    def train():
        try:
            both.fit(z, z[:, :1], batch_size=64, epochs=1000, verbose=0, shuffle=False)
        finally:
            done.set()

    def other():
        while not done.is_set():
            if work == "predict":
                wrong.append(not np.array_equal(judge.predict(x, batch_size=64), expected))
            else:
                judge.fit(x, x[:, :1], batch_size=32, verbose=0)
                wrong.append(not np.isfinite(judge.get_weights()[0]).all())
    together(train, other)
    assert wrong and not any(wrong)
    if work == "predict":
        alone = make()[1]
        alone.fit(z, z[:, :1], batch_size=64, epochs=1000, verbose=0, shuffle=False)
        assert all(map(np.array_equal, alone.get_weights(), both.get_weights()))
