"""fit, evaluate and predict do what Keras 2.3.1 does, batch by batch and epoch by epoch."""
import copy
import json
import pickle
import sys
import threading

import numpy as np
import pytest

from tinynet import initializers
from tinynet.backend import on_gpu
from tinynet.callbacks import Callback, EarlyStopping, History, LambdaCallback
from tinynet.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, GaussianNoise, Layer
from tinynet.models import Sequential
from tinynet.optimizers import SGD, RMSprop


def test_one_step_worked_out_by_hand(float64):
    """x = (1, 2), y = relu(x W + b) V + c with every weight 0.5 except b = c = 0; target 1; L = (y - 1)^2.

    forward   h = 1.5 (twice, all hidden units alike)   y = 0.5 * 1.5 + 0.5 * 1.5 = 1.5   L = 0.25
    backward  dy = 2 (1.5 - 1) = 1    dV = h dy = 1.5    dc = 1    dh = V dy = 0.5    dW = x^T dh = (0.5, 1)    db = 0.5
    move      each weight by -0.1 times its gradient
    """
    model = Sequential([Dense(2, activation="relu", input_shape=(2,)), Dense(1)])
    model.set_weights([np.full((2, 2), 0.5), np.zeros(2), np.full((2, 1), 0.5), np.zeros(1)])
    model.compile(SGD(0.1), "mse")
    assert model.train_on_batch(np.array([[1.0, 2.0]]), np.array([[1.0]])) == pytest.approx(0.25)
    kernel, bias, kernel2, bias2 = model.get_weights()
    assert kernel == pytest.approx(np.array([[0.45, 0.45], [0.4, 0.4]]))
    assert bias == pytest.approx([-0.05, -0.05])
    assert kernel2 == pytest.approx(np.array([[0.35], [0.35]]))
    assert bias2 == pytest.approx([-0.1])


def test_history_holds_plain_floats_in_keras_order(classifier):
    model, x, y = classifier
    history = model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y))
    assert list(history.history) == ["val_loss", "val_accuracy", "loss", "accuracy"]
    assert all(type(value) is float for values in history.history.values() for value in values)
    assert json.loads(json.dumps(history.history)) == history.history
    assert history.epoch == [0, 1]
    assert model.history is history


def test_evaluate_agrees_with_the_history(classifier):
    model, x, y = classifier
    history = model.fit(x, y, epochs=1, batch_size=3, verbose=0, validation_data=(x, y)).history
    assert model.evaluate(x, y, batch_size=3, verbose=0) == [history["val_loss"][0], history["val_accuracy"][0]]
    assert model.metrics_names == ["loss", "accuracy"]


def test_a_short_last_batch_counts_by_its_size(classifier):
    model, x, y = classifier
    assert model.evaluate(x, y, batch_size=4, verbose=0) == pytest.approx(model.evaluate(x, y, 10, verbose=0), rel=1e-6)


def test_epochs_is_the_last_epoch_and_initial_epoch_the_first(classifier):
    model, x, y = classifier
    assert model.fit(x, y, epochs=5, initial_epoch=3, verbose=0).epoch == [3, 4]


def test_without_metrics_evaluate_returns_a_float(classifier):
    model, x, y = classifier
    model.compile("sgd", "mse")
    assert type(model.evaluate(x, y, verbose=0)) is float
    assert type(model.train_on_batch(x, y)) is float


def test_the_same_metric_twice_counts_once(classifier):
    model, x, y = classifier
    model.compile("sgd", "mse", metrics=["acc", "acc", "mse"])
    assert model.metrics_names == ["loss", "acc", "mse"]
    loss, _, mse = model.evaluate(x, y, verbose=0)
    assert loss == pytest.approx(mse)


def test_a_metric_of_ones_own_is_a_function(classifier):
    def confident(y_true, y_pred):
        return y_pred.max(axis=-1) > 0.99

    model, x, y = classifier
    model.compile("sgd", "mse", metrics=[confident])
    assert model.evaluate(x, y, verbose=0)[1] == (model.predict(x).max(axis=1) > 0.99).mean()
    assert model.metrics_names == ["loss", "confident"]


def orders_seen(shuffle, epochs=2):
    """The order in which fit shows samples 0 to 9 to a model, in batches of 4."""
    class Watch(Sequential):
        def train_step(self, x, y, weights=None):
            seen.append(x[:, 0].astype(int).tolist())
            return super().train_step(x, y, weights)

    seen: list = []
    model = Watch([Dense(1, input_shape=(1,))])
    model.compile(SGD(0.0), "mse")
    np.random.seed(1)
    model.fit(np.arange(10), np.zeros(10), batch_size=4, epochs=epochs, shuffle=shuffle, verbose=0)
    return seen


def test_shuffle_is_numpys_on_one_index_array_that_is_never_reset():
    np.random.seed(1)
    order = np.arange(10)
    expected = []
    for _ in range(2):
        np.random.shuffle(order)
        expected += [order[:4].tolist(), order[4:8].tolist(), order[8:].tolist()]
    assert orders_seen(True) == expected


def test_without_shuffle_samples_come_in_order():
    assert orders_seen(False, epochs=1) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_shuffle_by_batch_keeps_batches_whole_and_the_short_one_last():
    seen = orders_seen("batch", epochs=8)
    assert all(seen[i + 2] == [8, 9] for i in range(0, 24, 3))
    assert {tuple(batch) for batch in seen} == {(0, 1, 2, 3), (4, 5, 6, 7), (8, 9)}
    assert len({tuple(seen[i]) for i in range(0, 24, 3)}) == 2


def test_validation_split_takes_the_last_samples_and_their_weights(classifier):
    """Their class weights too, as Keras does and unlike validation_data."""
    model, x, y = classifier
    weights = np.arange(11.0)[1:]
    before = model.get_weights()
    split = model.fit(x, y, validation_split=0.25, sample_weight=weights, shuffle=False, verbose=0).history
    model.set_weights(before)
    given = model.fit(x[:7], y[:7], sample_weight=weights[:7], validation_data=(x[7:], y[7:], weights[7:]),
                      shuffle=False, verbose=0).history
    assert split == given


def test_class_weight_counts_in_what_validation_split_holds_back(classifier):
    model, x, y = classifier
    model.compile(SGD(0.0), "categorical_crossentropy")
    history = model.fit(x, y, validation_split=0.4, class_weight={0: 5, 1: 5, 2: 5}, verbose=0).history
    assert history["val_loss"][0] == pytest.approx(5 * model.evaluate(x[6:], y[6:], verbose=0))


def test_validation_data_goes_before_validation_split_and_class_weight_is_for_training_only(classifier):
    model, x, y = classifier
    model.compile(SGD(0.0), "categorical_crossentropy")
    history = model.fit(x, y, validation_data=(x[:3], y[:3]), validation_split=0.5, class_weight={0: 5, 1: 5, 2: 5},
                        verbose=0).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(x[:3], y[:3], verbose=0))
    assert history["loss"][0] == pytest.approx(5 * model.evaluate(x, y, verbose=0))


def test_weights_do_not_change_the_denominator():
    """Losses 1, 1, 4, 9 with weights 0, 0, 1, 2 are 22 / 4, not 22 / 3, the sum of the weights."""
    model = Sequential([Dense(1, input_shape=(1,), weights=[[[0.0]], [0.0]])])
    model.compile("sgd", "mse")
    loss = model.evaluate(np.ones(4), np.sqrt([1, 1, 4, 9]), sample_weight=[0, 0, 1, 2], verbose=0)
    assert loss == pytest.approx(5.5)


@pytest.mark.parametrize("freq, epochs", [(1, 4), (2, 2), ([1, 4], 2)])
def test_validation_freq(classifier, freq, epochs):
    model, x, y = classifier
    history = model.fit(x, y, epochs=4, validation_data=(x, y), validation_freq=freq, verbose=0)
    assert len(history.history["val_loss"]) == epochs
    assert len(history.history["loss"]) == 4


def test_dropout_works_in_training_only():
    model = Sequential([Dropout(0.5, input_shape=(1000,)), Dense(1, kernel_initializer="ones")])
    model.compile(SGD(0.0), "mse")
    x = np.ones((1, 1000))
    assert model.predict(x)[0, 0] == model.predict(x)[0, 0] == 1000
    assert model.test_on_batch(x, [1000]) == 0
    assert model.train_on_batch(x, [1000]) > 0


def test_frozen_layers_stay_as_they_are():
    model = Sequential([Dense(3, input_shape=(2,), trainable=False), Dense(1)])
    model.compile(SGD(0.1), "mse")
    before = model.get_weights()
    model.fit(np.random.random((8, 2)), np.ones(8), epochs=2, verbose=0)
    after = model.get_weights()
    assert all((a == b).all() for a, b in zip(before[:2], after[:2]))
    assert all((a != b).any() for a, b in zip(before[2:], after[2:]))
    assert model.parameters.value.size == 4
    model.layers[0].trainable = True
    model.compile(SGD(0.1), "mse")
    model.fit(np.random.random((8, 2)), np.ones(8), verbose=0)
    assert (model.get_weights()[0] != after[0]).any()


def test_a_model_without_an_input_shape_is_built_by_its_first_data():
    model = Sequential([Flatten(), Dense(3), Activation("softmax")])
    assert model.get_weights() == [] and not model.built
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(np.random.random((6, 2, 2)), [0, 1, 2, 0, 1, 2], verbose=0)
    assert model.input_shape == (None, 2, 2) and model.output_shape == (None, 3)
    assert model.predict(np.random.random((5, 2, 2))).shape == (5, 3)


def test_adding_a_layer_asks_for_compile_again(classifier):
    model, x, y = classifier
    model.add(Dense(2, activation="softmax"))
    with pytest.raises(RuntimeError, match="Call `model.compile` again"):
        model.fit(x, y, verbose=0)
    model.compile("sgd", "categorical_crossentropy")
    model.fit(x, y[:, :2] + y[:, 2:] / 2, verbose=0)
    model.pop()
    assert model.predict(x).shape == (10, 3)


def test_two_models_may_share_layers_and_both_still_learn():
    first = Sequential([Dense(4, activation="tanh", input_shape=(2,)), Dense(1)])
    first.compile(SGD(0.1), "mse")
    second = Sequential(first.layers[:1])
    second.compile(SGD(0.1), "mse")
    x = np.random.random((8, 2))
    for model, y in ((first, np.ones(8)), (second, np.ones((8, 4))), (first, np.ones(8))):
        before = first.layers[0].get_weights()[0]
        model.fit(x, y, verbose=0)
        assert (first.layers[0].get_weights()[0] != before).any()
        assert (first.get_weights()[0] == second.get_weights()[0]).all()


def test_frozen_sharing_works_whichever_model_was_compiled_first():
    shared = Dense(4, input_shape=(4,))
    shared.trainable = False
    outer = Sequential([Dense(4, input_shape=(4,)), shared, Dense(1)])
    outer.compile(SGD(0.1), "mse")
    shared.trainable = True
    inner = Sequential([shared, Dense(1)])
    inner.compile(SGD(0.1), "mse")
    x, y = np.random.random((8, 4)), np.ones(8)
    for model, moves in ((outer, False), (inner, True), (outer, False), (inner, True)):
        before, others = shared.get_weights()[0], model.layers[-1].get_weights()[0]
        model.train_on_batch(x, y)
        assert (shared.get_weights()[0] != before).any() == moves
        assert (model.layers[-1].get_weights()[0] != others).any()


def test_a_copied_or_pickled_model_trains_like_the_original(classifier):
    model, x, y = classifier
    model.fit(x, y, verbose=0)
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    losses = [m.fit(x, y, epochs=2, shuffle=False, verbose=0).history["loss"] for m in (model, *copies)]
    assert losses[0] == losses[1] == losses[2]
    assert losses[0][0] > losses[0][1]


class Caching(Layer):
    """Keeps its last batch in places of every kind."""

    def __init__(self, **options):
        super().__init__(**options)
        self.table, self.last, self.cache, self.all, self.mixed = np.arange(3.0), None, {}, [], {"kept": 1}

    def forward(self, x, training=False):
        self.last, self.later, self.cache["x"], self.mixed["x"] = x, (x,), x, x
        self.all.append(x)
        return x

    def backward(self, dy):
        return dy


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))],
                         ids=["deepcopy", "pickle"])
def test_a_copy_holds_nothing_of_the_data(copied):
    model = Sequential([Dense(300, "relu", input_shape=(40,)), Dropout(0.2), BatchNormalization(), Caching(),
                        GaussianNoise(0.1), Dense(5, "softmax", activity_regularizer="l2")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy", "data_loss"])
    rng = np.random.default_rng(0)
    x, y = rng.random((128, 40)).astype("float32"), np.eye(5)[rng.integers(0, 5, 128)]
    model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y))
    model.predict(x)
    again = copied(model)
    raw = pickle.dumps(again)
    assert not any(row.tobytes() in raw for row in x)
    assert len(raw) < 1.2 * 3 * 4 * model.count_params() + 20_000      # weights and two slots
    layer = again.layers[3]
    assert (layer.table == [0, 1, 2]).all() and not hasattr(layer, "later")
    assert (layer.last, layer.cache, layer.all) == (None, {}, [])
    assert layer.mixed == {"kept": 1} and model.layers[3].mixed["x"] is not None
    assert again.history.history == model.history.history
    assert (again.predict(x) == model.predict(x)).all()
    for each in (model, again):
        np.random.seed(3)
        each.fit(x, y, epochs=2, verbose=0, shuffle=False)
    assert all((a == b).all() for a, b in zip(model.get_weights(), again.get_weights()))


@pytest.mark.skipif(on_gpu, reason="about the threads and denormals of a CPU, and its memory")
def test_a_model_in_read_only_memory_works(classifier):
    """Such as joblib.Parallel makes of the large arrays of a pickle."""
    model, x, y = classifier
    model.fit(x, y, verbose=0)
    buffers = []
    raw = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    again = pickle.loads(raw, buffers=[
        (bytes if buffer.raw().nbytes > 100 else bytearray)(buffer) for buffer in buffers])
    assert (again.predict(x) == model.predict(x)).all()
    for each in (model, again):
        np.random.seed(3)
        each.fit(x, y, verbose=0)
    assert all((a == b).all() for a, b in zip(model.get_weights(), again.get_weights()))


def test_one_model_serves_two_threads_at_once():
    model = Sequential([Dense(256, activation="relu", input_shape=(20,)), Dense(10)])
    inputs = [np.random.random((2000, 20)) for _ in range(2)]
    expected = [model.predict(x) for x in inputs]
    results: list = [None, None]

    def predict(i):
        results[i] = [model.predict(inputs[i]) for _ in range(5)]

    threads = [threading.Thread(target=predict, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((result == expected[i]).all() for i in range(2) for result in results[i])


def test_threads_that_meet_at_an_unbuilt_model_build_it_once():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            model = Sequential([Dense(5, activation="relu"), Dense(3)])
            model.compile("sgd", "mse")
            threads = [threading.Thread(target=model.train_on_batch, args=(np.ones((4, 2)), np.ones((4, 3))))
                       for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert [len(layer.parameters) for layer in model.layers] == [2, 2]
            assert model.optimizer.iterations == 4
    finally:
        sys.setswitchinterval(interval)


def test_a_metric_may_be_an_object_without_a_hash(classifier):
    class Share:
        __hash__ = None     # type: ignore[assignment]

        def __call__(self, y_true, y_pred):
            return y_pred[:, 0]

    model, x, y = classifier
    model.compile("sgd", "categorical_crossentropy", metrics=[Share()])
    assert model.evaluate(x, y, verbose=0)[1] == pytest.approx(model.predict(x)[:, 0].mean(), rel=1e-6)


def test_one_optimizer_may_train_two_models_in_turn(classifier):
    model, x, y = classifier
    optimizer = RMSprop()
    model.compile(optimizer, "mse")
    other = Sequential([Dense(3, input_shape=(4,))])
    other.compile(optimizer, "mse")
    alone = Sequential([Dense(3, input_shape=(4,))])
    alone.set_weights(other.get_weights())
    alone.compile(RMSprop(), "mse")
    for _ in range(3):
        model.fit(x, y, verbose=0)
        other.fit(x, y, shuffle=False, verbose=0)
        alone.fit(x, y, shuffle=False, verbose=0)
    assert all((a == b).all() for a, b in zip(other.get_weights(), alone.get_weights()))
    assert optimizer.iterations == 6
    assert optimizer.bind(model.parameters)[0].size != optimizer.bind(other.parameters)[0].size


def test_a_model_that_is_not_trainable_stays_as_it_is(classifier):
    model, x, y = classifier
    model.trainable = False
    model.compile("sgd", "categorical_crossentropy")
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))


def test_the_list_of_layers_is_a_copy(classifier):
    model, x, _ = classifier
    model.layers.pop()
    assert len(model.layers) == 2 and model.predict(x).shape == (10, 3)


def test_weights_are_of_floatx_whatever_the_initializer_returns():
    model = Sequential([Dense(3, kernel_initializer=lambda shape: np.arange(12).reshape(shape), input_shape=(4,)),
                        Dense(1, kernel_initializer=initializers.Zeros, bias_initializer=lambda shape: [0.5])])
    assert model.layers[0].get_weights()[0].tolist() == np.arange(12).reshape(4, 3).tolist()
    assert model.layers[1].get_weights()[1].tolist() == [0.5]
    assert model.predict(np.ones((1, 4))).dtype == np.float32


def test_compile_keeps_the_weights_and_starts_the_optimizer_anew(classifier):
    model, x, y = classifier
    model.fit(x, y, verbose=0)
    weights = model.get_weights()
    model.compile("adam", "categorical_crossentropy")
    assert all((a == b).all() for a, b in zip(weights, model.get_weights()))
    assert model.optimizer.iterations == 0
    optimizer = model.optimizer
    model.fit(x, y, verbose=0)
    model.compile(optimizer, "categorical_crossentropy")
    assert optimizer.iterations == 1        # as in Keras
    assert not any(slot.any() for slot in optimizer.bind(model.parameters))


def test_predict_classes(classifier):
    model, x, _ = classifier
    assert (model.predict_classes(x) == model.predict(x).argmax(axis=1)).all()
    assert (model.predict_on_batch(x) == model.predict(x)).all()
    binary = Sequential([Dense(1, activation="sigmoid", input_shape=(4,))])
    assert (binary.predict_classes(x) == (binary.predict(x) > 0.5)).all()
    assert binary.predict_classes(x).shape == (10, 1)


def test_data_may_be_lists_integers_or_not_contiguous(classifier):
    model, x, y = classifier
    expected = model.predict(x)
    assert (model.predict([x]) == expected).all()
    assert (model.predict(x.tolist()) == expected).all()
    assert (model.predict(np.asfortranarray(x)) == expected).all()
    assert model.predict(np.ones((2, 4), "uint8")).dtype == np.float32
    before = x.copy()
    model.fit(x, y, verbose=0)
    assert (x == before).all()


class Recorder(Callback):
    def __init__(self):
        self.calls = []
        for hook in {name for name in dir(Callback) if name.startswith("on_")} - {"on_resume", "on_checkpoint"}:
            setattr(self, hook, lambda *arguments, hook=hook: self.calls.append((hook, arguments)))


def test_callbacks_are_called_in_keras_order(classifier):
    model, x, y = classifier
    recorder = Recorder()
    model.fit(x, y, batch_size=5, callbacks=[recorder], validation_data=(x[:5], y[:5]), verbose=0)
    assert [hook for hook, _ in recorder.calls] == [
        "on_train_begin", "on_epoch_begin",
        "on_train_batch_begin", "on_train_batch_end", "on_train_batch_begin", "on_train_batch_end",
        "on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end",
        "on_epoch_end", "on_train_end"]
    batch_end = recorder.calls[5]
    assert batch_end[1][0] == 1 and set(batch_end[1][1]) == {"batch", "size", "loss", "accuracy"}
    assert set(recorder.calls[-2][1][1]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(arguments[-1] is not None for _, arguments in recorder.calls)
    assert recorder.model is model
    assert [a.shape for a in recorder.validation_data] == [(5, 4), (5, 3), (5,)]
    assert recorder.params["samples"] == 10 and recorder.params["do_validation"] is True


def test_evaluate_and_predict_call_their_hooks(classifier):
    model, x, y = classifier
    recorder = Recorder()
    model.evaluate(x, y, batch_size=10, callbacks=[recorder], verbose=0)
    model.predict(x, batch_size=10, callbacks=[recorder])
    events = ("begin", "batch_begin", "batch_end", "end")
    assert [hook for hook, _ in recorder.calls] == [
        f"on_{stage}_{event}" for stage in ("test", "predict") for event in events]


def test_a_callback_may_evaluate_in_the_middle_of_an_epoch(classifier):
    model, x, y = classifier
    before = model.get_weights()
    alone = model.fit(x, y, batch_size=2, shuffle=False, verbose=0).history
    model.set_weights(before)
    watch = LambdaCallback(on_batch_end=lambda batch, logs: model.evaluate(x[:3], y[:3], verbose=0))
    assert model.fit(x, y, batch_size=2, shuffle=False, verbose=0, callbacks=[watch]).history == alone


def test_old_names_of_the_batch_hooks_work(classifier):
    model, x, y = classifier
    batches = []
    model.fit(x, y, batch_size=5, verbose=0,
              callbacks=[LambdaCallback(on_batch_end=lambda batch, logs: batches.append(batch))])
    assert batches == [0, 1]


def test_stop_training_in_the_middle_of_an_epoch_ends_it_without_validation(classifier):
    model, x, y = classifier

    def stop(batch, logs):
        model.stop_training = batch == 1

    history = model.fit(x, y, batch_size=2, epochs=3, validation_data=(x, y), verbose=0,
                        callbacks=[LambdaCallback(on_train_batch_end=stop)])
    assert history.epoch == [0] and list(history.history) == ["loss", "accuracy"]
    model.stop_training = True
    assert model.evaluate(x, y, batch_size=3, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-6)
    assert model.fit(x, y, epochs=2, verbose=0).epoch == [0, 1]


def test_stop_training_after_the_last_batch_still_validates(classifier):
    model, x, y = classifier

    def stop(batch, logs):
        model.stop_training = batch == 4

    history = model.fit(x, y, batch_size=2, epochs=3, validation_data=(x, y), verbose=0,
                        callbacks=[LambdaCallback(on_train_batch_end=stop)])
    assert list(history.history) == ["val_loss", "val_accuracy", "loss", "accuracy"] and history.epoch == [0]


def test_batches_have_32_samples_unless_told():
    model = Sequential([Dense(1, input_shape=(1,))])
    model.compile("sgd", "mse")
    sizes = []
    watch = LambdaCallback(on_batch_end=lambda batch, logs: sizes.append(logs["size"]),
                           on_test_batch_end=lambda batch, logs: sizes.append(logs["size"]))
    model.fit(np.zeros(70), np.zeros(70), verbose=0, callbacks=[watch])
    model.evaluate(np.zeros(70), np.zeros(70), verbose=0, callbacks=[watch])
    assert sizes == [32, 32, 6] * 2


def losses_given(values, **options):
    """Run EarlyStopping over these values of val_loss; returns it and a model that counts its epochs in a weight."""
    model = Sequential([Dense(1, use_bias=False, input_shape=(1,))])
    model.compile(SGD(0.0), "mse")
    stopping = EarlyStopping(**options)
    stopping.set_model(model)
    stopping.on_train_begin()
    for epoch, value in enumerate(values):
        model.set_weights([[[epoch]]])
        stopping.on_epoch_end(epoch, {stopping.monitor: value})
        if model.stop_training:
            break
    stopping.on_train_end()
    return epoch, model.get_weights()[0][0, 0]


@pytest.mark.parametrize("values, options, last_epoch", [
    ([3, 2, 1, 1.5, 0.5, 0], {}, 3),
    ([3, 2, 1, 1.5, 0.5, 0], {"patience": 2}, 5),
    ([3, 2, 1.95, 1.9, 0], {"min_delta": 0.5, "patience": 2}, 3),
    ([1, 2, 3, 2, 9], {"monitor": "val_accuracy"}, 3),
    ([1, 2, 3, 2, 9], {"mode": "max"}, 3),
    ([5, 4, 1], {"baseline": 3, "patience": 2}, 1),
    ([3, 3.5, 2, 2.5, 1, 1.5, 1.6], {"patience": 2}, 6),
])
def test_early_stopping(values, options, last_epoch):
    assert losses_given(values, **options)[0] == last_epoch


def test_early_stopping_restores_the_best_weights_however_training_ends():
    assert losses_given([3, 1, 2, 2], restore_best_weights=True, patience=2) == (3, 1)
    assert losses_given([3, 1, 2], restore_best_weights=True, patience=9) == (2, 1)
    assert losses_given([3, 1, 2], patience=9) == (2, 2)


def test_early_stopping_warns_when_there_is_nothing_to_watch(classifier):
    model, x, y = classifier
    with pytest.warns(RuntimeWarning, match="metric `val_loss` which is not available. Available metrics are: loss"):
        model.fit(x, y, verbose=0, callbacks=[EarlyStopping()])


def test_early_stopping_says_when(capsys, classifier):
    model, x, y = classifier
    model.compile(SGD(0.0), "mse")
    model.fit(x, y, epochs=9, verbose=0, callbacks=[EarlyStopping(monitor="loss", verbose=1, min_delta=1e-3)])
    assert capsys.readouterr().out == "Epoch 00002: early stopping\n"


def test_training_is_a_function_of_the_seed():
    def weights():
        np.random.seed(3)
        model = Sequential([
            Dense(8, activation="relu", input_shape=(4,)), Dropout(0.3), Dense(3, activation="softmax")])
        model.compile("rmsprop", "sparse_categorical_crossentropy")
        model.fit(np.sin(np.arange(200)).reshape(50, 4), np.arange(50) % 3, epochs=3, batch_size=8, verbose=0)
        return model.parameters.value

    assert (weights() == weights()).all()


def test_history_without_training_is_empty():
    history = History()
    history.on_train_begin()
    assert history.history == {} and history.epoch == []
