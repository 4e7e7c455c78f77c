"""A recorded step on a CPU gives the bits of the step itself: NumPy's, with any number of threads."""
import hashlib

import numpy as np
import pytest
from test_cuda import OPTIMIZERS

from tinynet import activations, backend, callbacks, layers, losses, optimizers
from tinynet.backend import on_gpu
from tinynet.device import compile, record, recorded_step, threads
from tinynet.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, Layer
from tinynet.models import Sequential
from tinynet.training.dataset import Sequence

pytestmark = [pytest.mark.skipif(on_gpu, reason="about a CPU; a GPU has CUDA graphs"),
              pytest.mark.skipif(not compile.compiler(), reason="no C compiler")]

N, D, C = 70, 7, 3
CLASSES = np.arange(N) * 7 % C
TARGETS = {"one-hot": np.eye(C)[CLASSES], "classes": CLASSES[:, np.newaxis], "labels": np.eye(C)[CLASSES],
           "numbers": np.random.default_rng(1).standard_normal((N, C)),
           "signs": np.where(np.eye(C)[CLASSES], 1.0, -1.0)}
# Loss: its targets and the last activation
LOSSES = {
    "categorical_crossentropy": ("one-hot", "softmax"), "sparse_categorical_crossentropy": ("classes", "softmax"),
    "binary_crossentropy": ("labels", "sigmoid"), "kullback_leibler_divergence": ("one-hot", "softmax"),
    "mean_squared_error": ("numbers", None), "mean_absolute_error": ("numbers", None),
    "mean_absolute_percentage_error": ("numbers", None), "mean_squared_logarithmic_error": ("numbers", None),
    "logcosh": ("numbers", None), "huber_loss": ("numbers", None), "poisson": ("labels", "exponential"),
    "cosine_proximity": ("numbers", None), "hinge": ("signs", None), "squared_hinge": ("signs", "tanh"),
    "categorical_hinge": ("one-hot", None),
}
LAYERS = {
    "Dropout": {"rate": 0.3}, "AlphaDropout": {"rate": 0.3}, "GaussianDropout": {"rate": 0.3},
    "GaussianNoise": {"stddev": 0.1}, "BatchNormalization": {}, "ActivityRegularization": {"l1": 0.01, "l2": 0.01},
    "LeakyReLU": {}, "PReLU": {}, "ELU": {}, "ThresholdedReLU": {}, "ReLU": {"max_value": 1.0, "negative_slope": 0.1},
    "Softmax": {}, "Reshape": {"target_shape": (3, 4)}, "Flatten": {}, "Activation": {"activation": "tanh"},
    "Dense": {"units": 5},
}
RULES = [{"kernel_regularizer": "l1_l2", "bias_regularizer": "l2"}, {"activity_regularizer": "l2"}, {"use_bias": False},
         {"kernel_constraint": "max_norm", "bias_constraint": "non_neg"}, {"kernel_constraint": "unit_norm"},
         {"kernel_constraint": "min_max_norm"}, {"trainable": False}]
METRICS = {"accuracy": "one-hot", "sparse_categorical_accuracy": "classes", "binary_accuracy": "labels",
           "mse": "numbers", "mae": "numbers", "cosine_proximity": "numbers", "top_k_categorical_accuracy": "one-hot",
           "Precision": "labels", "Recall": "labels", "RootMeanSquaredError": "numbers", "data_loss": "one-hot"}
# What is not recorded, and why
NOT_RECORDED = {"hinge": "all reads numbers from an array", "squared_hinge": "all reads numbers from an array"}


def small(*middle, last="softmax", units=C, **dense):
    return [Dense(12, "relu", input_shape=(D,), **dense), *middle, Flatten(), Dense(units, last)]


def train(build, optimizer="sgd", loss="categorical_crossentropy", y="one-hot", metrics=(), recorded=True, x=None,
          epochs=4, batch_size=16, weighted_metrics=(), **fit):
    """(all numbers that training has changed, the `RecordedStep` of training)"""
    made = []

    class Watched(recorded_step.RecordedStep):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinynet.device.capture.RecordedStep", Watched)
        if not recorded:
            patch.setattr("tinynet.device.capture.compiler", tuple)
        np.random.seed(0)
        backend._uids.clear()
        x = np.random.standard_normal((N, D)) if x is None else x
        model = Sequential(build())
        optimizer = optimizer if isinstance(optimizer, str) else type(optimizer).from_config(optimizer.get_config())
        model.compile(optimizer, loss, metrics=list(metrics), weighted_metrics=list(weighted_metrics))
        history = model.fit(x, TARGETS[y] if isinstance(y, str) else y, epochs=epochs, batch_size=batch_size, verbose=0,
                            **fit)
    numbers = [*model.get_weights(), *model.parameters.slots.values(), model.optimizer.step_state,
               model.parameters.grad, *map(np.array, history.history.values()), model.predict(x) if isinstance(
                   x, np.ndarray) else 0]
    return [np.array(a).tobytes() for a in numbers], (made or [None])[0]


def is_the_same(*arguments, reason="", **options):
    """Check that the step is recorded, unless for this reason, and trains to the same bits as the step itself."""
    numbers, step = train(*arguments, **options)
    assert (step.reason == "") == bool(step.recordings) and step.reason == reason
    assert not step.recordings or any(recording.checked for recording in step.recordings.values())
    expected, none = train(*arguments, **options, recorded=False)
    assert none is None
    assert numbers == expected


each_real = pytest.mark.parametrize("real", ["float32", "float64"])


@each_real
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_recorded(name, real):
    backend.set_floatx(real)
    is_the_same(small, OPTIMIZERS[name])


@each_real
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_recorded_with_sample_weights_too(name, real):
    backend.set_floatx(real)
    y, last = LOSSES[name]
    reason = NOT_RECORDED.get(name, "")
    is_the_same(lambda: small(last=last), loss=name, y=y, reason=reason)
    is_the_same(lambda: small(last=last), loss=name, y=y, reason=reason, sample_weight=np.linspace(0, 2, N),
                weighted_metrics=[] if y == "classes" else ["mae"])


def test_all_losses_optimizers_activations_and_layers_are_tried():
    assert set(LOSSES) == {f.__name__ for f in losses.BACKWARD}
    made = {type(o) for o in OPTIMIZERS.values()}
    assert made == {getattr(optimizers, name) for name in optimizers.__all__ if isinstance(
        getattr(optimizers, name), type) and name not in ("Optimizer", "Any")}
    classes = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}
    assert classes - set(LAYERS) == {"Layer", "InputLayer"}


@each_real
@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_every_activation_is_recorded(name, real):
    backend.set_floatx(real)
    is_the_same(lambda: small(Activation(name)))


@pytest.mark.parametrize("loss", ["binary_crossentropy", "categorical_crossentropy"])
def test_losses_of_probabilities_are_recorded(loss):
    is_the_same(lambda: small(last="hard_sigmoid"), loss=loss, y="labels")
    is_the_same(lambda: small(last="hard_sigmoid"), loss="sparse_categorical_crossentropy", y="classes")


@each_real
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_every_layer_is_recorded(name, activation, real):
    backend.set_floatx(real)
    is_the_same(lambda: [Dense(12, activation, input_shape=(D,)), getattr(layers, name)(**LAYERS[name]), Flatten(),
                         Dense(C, "softmax")])


@pytest.mark.parametrize("rules", RULES, ids=repr)
def test_regularizers_and_constraints_are_recorded(rules):
    is_the_same(lambda: small(**rules), metrics=["regularization"])


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_recorded(name):
    y = METRICS[name]
    last, loss = {"one-hot": ("softmax", "categorical_crossentropy"), "numbers": (None, "mse"), "classes": (
        "softmax", "sparse_categorical_crossentropy"), "labels": ("sigmoid", "binary_crossentropy")}[y]
    metric = name if name.islower() else getattr(__import__("tinynet").metrics, name)()
    is_the_same(lambda: small(last=last), loss=loss, y=y, metrics=[metric])


@pytest.mark.parametrize("options", [
    {"optimizer": optimizers.SGD(clipnorm=0.1)}, {"optimizer": optimizers.Adam(clipvalue=0.01)},
    {"optimizer": optimizers.RMSprop(decay=0.1)}, {"class_weight": {0: 1, 1: 2, 2: 0.5}}, {"shuffle": False},
    {"shuffle": "batch"}, {"validation_split": 0.3}, {"batch_size": 1, "epochs": 1}, {"batch_size": N},
    {"batch_size": 23, "epochs": 5}, {"loss": losses.CategoricalCrossentropy(label_smoothing=0.1)},
    {"loss": losses.CategoricalCrossentropy(reduction="sum")},
], ids=str)
def test_clipping_decay_weights_validation_and_odd_batches(options):
    is_the_same(lambda: small(Dropout(0.2), BatchNormalization()), **options)


def test_three_axes_and_a_last_batch_of_one():
    x = np.random.standard_normal((33, 5, 4))
    is_the_same(lambda: [Dense(6, "relu", input_shape=(5, 4)), Dropout(0.2), Dense(3, "tanh"), Flatten(),
                         Dense(C, "softmax")], x=x, y=TARGETS["one-hot"][:33])


def test_generators_and_sequences_are_recorded():
    x = np.random.standard_normal((N, D))

    class Batches(Sequence):
        def __len__(self):
            return 5

        def __getitem__(self, i):
            return x[i::5], TARGETS["one-hot"][i::5]

    def generator():
        while True:
            for i in range(5):
                yield x[i::5], TARGETS["one-hot"][i::5], np.ones(14)

    is_the_same(small, x=Batches(), y=None, batch_size=None)
    numbers, step = train(small, x=generator(), y=None, batch_size=None, steps_per_epoch=5)
    assert step.recordings and numbers == train(small, x=generator(), y=None, batch_size=None, steps_per_epoch=5,
                                                recorded=False)[0]


# Threads


def large(threads_used, batch_size, recorded=True, width=300):
    threads.set_threads(threads_used)
    x = np.random.default_rng(0).standard_normal((600, 300))
    numbers, step = train(lambda: [Dense(width, "relu", input_shape=(300,)), Dropout(0.2), BatchNormalization(),
                                   Dense(width, "relu"), Dense(C, "softmax")], "adam", x=x, metrics=["accuracy"],
                          y=np.eye(C)[np.arange(600) % C], epochs=3, batch_size=batch_size, recorded=recorded)
    assert not recorded or step.reason == "" and (threads_used == 1 or max(
        recording.plan.number for recording in step.recordings.values()) == threads_used)
    return hashlib.sha256(b"".join(numbers)).hexdigest()


@pytest.mark.parametrize("batch_size", [50, 130, 300, 600])
def test_any_number_of_threads_and_no_compiler_give_the_same_bits(batch_size):
    assert len({large(1, batch_size), large(2, batch_size), large(4, batch_size), large(7, batch_size),
                large(2, batch_size, recorded=False)}) == 1


def test_square_layers_and_batches_do_not_confuse_rows():
    """A batch of as many samples as a layer has inputs and units: rows of the batch are not rows of the weights."""
    assert large(4, 128, width=128) == large(4, 128, recorded=False, width=128)


# What changes


class AtEpoch(callbacks.Callback):
    """Calls a function of the model at the end of epoch 2."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            self.change(self.model)


def other_slots(model):
    for key, slot in model.parameters.slots.items():
        model.parameters.slots[key] = np.ones_like(slot)


def relabel(model):
    model.layers[-1].kernel.move_to(model.layers[-1].kernel.value.copy(), model.layers[-1].kernel.grad)


@pytest.mark.parametrize("change", [
    lambda model: setattr(model.optimizer, "lr", 0.5), lambda model: setattr(model.optimizer, "clipvalue", 0.001),
    lambda model: setattr(model.layers[1], "rate", 0.6), lambda model: setattr(model.optimizer, "decay", 3.0),
    lambda model: model.set_weights([w / 2 for w in model.get_weights()]), relabel,
    lambda model: setattr(model.layers[0].kernel, "constraint", lambda w: w / 2),
    lambda model: setattr(model.layers[0].kernel.regularizer, "l2", 3.0),
    lambda model: setattr(model.layers[1].masks, "counter", model.layers[1].masks.counter + 0),
    lambda model: setattr(model.layers[1].masks, "counter", np.array([77])),
    lambda model: setattr(model.layers[2], "forward", lambda x, training=False: Activation.forward(
        model.layers[2], x / 2)),
    lambda model: setattr(model, "optimizer", optimizers.SGD(0.0)), other_slots,
    lambda model: model.loss_of_z.arguments.update(label_smoothing=0.5),
    lambda model: model.compile("adam", "mae", metrics=["mse"]),
    lambda model: setattr(model, "penalty", lambda: 1.5),
    lambda model: model.reset_metrics(), lambda model: threads.set_threads(3),
    lambda model: backend.set_epsilon(0.1),
])
def test_a_change_during_training_is_noticed(change):
    def run(recorded):
        return train(lambda: [Dense(12, "relu", input_shape=(D,), kernel_regularizer="l2"), Dropout(0.3),
                              Activation("tanh"), Dense(C, "softmax")], optimizers.SGD(momentum=0.9),
                     recorded=recorded, epochs=5, callbacks=[AtEpoch(change)])
    numbers, step = run(True)
    assert step.count and numbers == run(False)[0]


@pytest.mark.parametrize("hook", ["on_batch_begin", "on_train_batch_begin", "on_batch_end", "on_train_batch_end",
                                  "progress"])
def test_a_change_between_two_batches_is_noticed(hook):
    class AtBatch(callbacks.Callback):
        calls = 0

    def change(self, *arguments):
        self.calls += 1
        if self.calls == 7:
            self.model.layers[1].rate = 0.7
    setattr(AtBatch, hook, change)

    def run(recorded):
        return train(lambda: [Dense(12, "relu", input_shape=(D,)), Dropout(0.3), Dense(C, "softmax")], "sgd",
                     recorded=recorded, callbacks=[AtBatch()])
    numbers, step = run(True)
    assert step.plays and numbers == run(False)[0]


def test_a_change_by_a_sequence_that_makes_the_batches_is_noticed():
    class Changes(Sequence):
        def __init__(self):
            self.asked = 0

        def __len__(self):
            return 10

        def __getitem__(self, index):
            self.asked += 1
            if self.asked == 17:
                model.model.layers[1].rate = 0.7
            return np.random.random((4, D)), np.eye(C)[[0, 1, 2, 0]]

    def run(recorded):
        nonlocal model
        model = callbacks.LambdaCallback()
        return train(lambda: [Dense(12, "relu", input_shape=(D,)), Dropout(0.3), Dense(C, "softmax")], "sgd",
                     x=Changes(), y=None, batch_size=None, recorded=recorded, callbacks=[model])
    model = None
    numbers, step = run(True)
    assert step.plays and numbers == run(False)[0]


def test_what_changes_in_every_epoch_ends_recording():
    rates = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(
        rates.model.layers[1], "rate", 0.1 + epoch / 100))
    options = {"epochs": 60, "batch_size": 35, "callbacks": [rates]}
    numbers, step = train(lambda: small(Dropout(0.3)), **options)
    assert step.reason == "it has changed too often"
    assert numbers == train(lambda: small(Dropout(0.3)), **options, recorded=False)[0]


# What cannot be recorded


class Doubled(Layer):
    def forward(self, x, training=False):
        return np.asarray(x) * 2

    def backward(self, dy):
        return dy * 2


class OwnDropout(Dropout):
    pass


class OwnLoss(losses.Loss):
    pass


class OwnModel(Sequential):
    def train_step(self, x, y, weights=None):
        return super().train_step(x, y, weights)


def own_metric(y_true, y_pred):
    return np.abs(y_true - y_pred).mean(axis=-1)


def test_a_method_that_was_replaced_is_called(monkeypatch):
    calls, forward = [], Dense.forward
    monkeypatch.setattr(Dense, "forward", lambda self, *rest: (calls.append(self), forward(self, *rest))[1])
    numbers, step = train(lambda: small(last="tanh"), loss="mse")
    assert step.reason == "Dense.<lambda> is not tinynet's own" and len(calls) == 4 * 5 + 3


def test_errors_of_numpy_that_were_asked_for_are_raised():
    model = Sequential([Dense(3, "exponential", input_shape=(D,))])
    x = np.random.standard_normal((5, D)).astype("float32")
    with np.errstate(all="raise"):
        for _ in range(4):
            model.predict(x)
        with pytest.raises(FloatingPointError):
            model.predict(x * 1e4)


@pytest.mark.parametrize("options, reason", [
    ({"build": lambda: small(Doubled())}, "Doubled is not tinynet's own"),
    ({"build": lambda: small(OwnDropout(0.2))}, "OwnDropout is not tinynet's own"),
    ({"build": small, "metrics": [own_metric]}, "own_metric is not tinynet's own"),
    ({"build": small, "loss": OwnLoss(losses.mean_squared_error, losses.BACKWARD[losses.mean_squared_error])},
     "OwnLoss is not tinynet's own"),
    ({"build": lambda: small(kernel_constraint=lambda w: w / 2)}, "<lambda> is not tinynet's own"),
])
def test_what_is_not_tinynets_own_runs_as_it_is(options, reason):
    options = {"reason": reason} | options
    numbers, step = train(**{name: value for name, value in options.items() if name != "reason"})
    assert step.reason == reason
    assert numbers == train(**{name: value for name, value in options.items() if name != "reason"}, recorded=False)[0]


def test_a_model_with_a_step_of_its_own_is_not_recorded(capfd, monkeypatch):
    monkeypatch.setenv("TINYNET_VERBOSE", "1")
    model = OwnModel(small())
    model.compile("sgd", "categorical_crossentropy")
    model.fit(np.ones((N, D)), TARGETS["one-hot"], batch_size=10, epochs=2, verbose=0)
    assert capfd.readouterr().err == "tinynet does not record this step: OwnModel.train_step is not tinynet's.\n"


def test_a_recording_that_is_wrong_is_found_before_it_is_used(monkeypatch):
    """One call less, as if an operation had not been noted: the second run of the step tells."""
    note, skipped = record.Tape.note, []

    def forgetful(tape, function, *rest, **options):
        if len(tape.calls) == 5 and not skipped:
            return skipped.append(function)
        return note(tape, function, *rest, **options)

    monkeypatch.setattr(record.Tape, "note", forgetful)
    numbers, step = train(small)
    assert skipped and step.reason == "the recording gives other numbers than the step itself"
    assert numbers == train(small, recorded=False)[0]


def test_a_stream_of_equal_targets_is_recorded():
    """Batches of one class each: what is computed from the targets alone must not be taken for a constant."""
    def batches():
        while True:
            for c in (0, 0, 0, 1, 1, 2, 2):
                yield np.random.standard_normal((10, D)), np.eye(C)[np.full(10, c)]
    options = {"y": None, "batch_size": None, "steps_per_epoch": 7, "metrics": ["accuracy"]}
    numbers, step = train(small, x=batches(), **options)
    assert step.reason == "" and numbers == train(small, x=batches(), **options, recorded=False)[0]


def test_the_parts_of_the_loss_are_those_of_the_last_batch():
    for recorded in (True, False):
        seen = []
        each = callbacks.LambdaCallback(on_batch_end=lambda batch, logs: seen.append(
            float(logs["loss"]) - float(each.model.data_loss) - float(each.model.regularization)))
        train(lambda: small(kernel_regularizer="l2"), callbacks=[each], recorded=recorded)
        assert np.abs(seen).max() < 1e-6 and len(seen) == 20


def test_an_array_that_a_callback_keeps_in_the_model_stays_there():
    seen = []

    def at_end(batch, logs):
        seen.append(getattr(each.model, "mine", np.array(batch))[()] == batch - 1 or batch == 0)
        each.model.mine = np.array(batch)
    each = callbacks.LambdaCallback(on_batch_end=at_end)
    assert train(small, callbacks=[each])[1].plays and all(seen)


@pytest.mark.parametrize("at", [1, 7, 20])
def test_ctrl_c_before_a_step_is_recorded_leaves_the_model_as_it_was(monkeypatch, at):
    calls = []

    def interrupted(array):
        calls.append(array)
        if len(calls) == at:
            raise KeyboardInterrupt
        return record.recorded(array)

    monkeypatch.setattr(recorded_step, "recorded", interrupted)
    model = Sequential(small(Dropout(0.2)))
    model.compile("adam", "categorical_crossentropy")
    with pytest.raises(KeyboardInterrupt):
        model.fit(np.ones((N, D)), TARGETS["one-hot"], batch_size=10, verbose=0)
    for owner in (model.parameters, model.optimizer, *model.layers, *model.parameters.parameters):
        assert not any(isinstance(value, record.Recorded) for value in vars(owner).values())


def test_a_plan_may_be_freed_while_its_threads_go_to_sleep():
    x = np.ones((1200, 300), "float32")
    for threads_used in (16, 2, 5, 16, 3) * 3:
        threads.set_threads(threads_used)
        model = Sequential([Dense(300, "relu", input_shape=(300,)), Dense(300, "relu"), Dense(3)])
        model.compile("sgd", "mse")
        model.fit(x, x[:, :3], batch_size=300, epochs=1, verbose=0)
        del model
        junk = [b"\1" * n for n in range(400, 6000, 32) for _ in range(3)]
        assert junk


@pytest.mark.skipif(not hasattr(__import__("signal"), "setitimer"), reason="about the signals of Unix")
def test_a_signal_s_handler_may_predict():
    import signal
    threads.set_threads(2)
    x, models, handled = np.ones((600, 300), "float32"), [], []
    for _ in range(2):
        models.append(Sequential([Dense(300, "relu", input_shape=(300,)), Dense(300)]))
        models[-1].compile("sgd", "mse")
        for _ in range(4):
            models[-1].predict(x, batch_size=600)
    before = signal.signal(signal.SIGALRM, lambda *_: handled.append(models[1].predict(x, batch_size=600)))
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        while len(handled) < 5:
            models[0].fit(x, x, batch_size=150, epochs=5, verbose=0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_thread_that_cannot_be_started_is_an_error_once(monkeypatch):
    import subprocess
    import sys
    code = """
import threading
import numpy as np
from tinynet.device import threads
from tinynet.layers import Dense
from tinynet.models import Sequential
threads.set_threads(2)
model = Sequential([Dense(300, "relu", input_shape=(300,)), Dense(300)])
model.compile("sgd", "mse")
x, start, failed = np.ones((600, 300)), threading.Thread.start, []
def once(thread):
    if thread.name == "tinynet player" and not failed:
        failed.append(1)
        raise RuntimeError("can't start new thread")
    start(thread)
threading.Thread.start = once
try:
    model.fit(x, x, batch_size=150, epochs=3, verbose=0)
except RuntimeError as error:
    print(error)
model.fit(x, x, batch_size=150, epochs=3, verbose=0)
print("done")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout == "can't start new thread\ndone\n", result.stderr


def test_an_error_while_a_step_is_recorded_leaves_the_model_as_it_was(monkeypatch):
    calls = []

    def fails(self, *arguments):
        calls.append(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return update(self, *arguments)

    update = optimizers.SGD.update
    monkeypatch.setattr(optimizers.SGD, "update", fails)
    model = Sequential(small(Dropout(0.2)))
    model.compile("sgd", "categorical_crossentropy")
    with pytest.raises(KeyboardInterrupt):
        model.fit(np.ones((N, D)), TARGETS["one-hot"], batch_size=10, verbose=0)
    assert record.tape() is None
    for layer in (*model.layers, model.parameters, model.optimizer):
        assert not any(type(value) is record.Recorded for value in vars(layer).values())
    assert all(p.value.base is model.parameters.value for p in model.parameters.parameters)
    model.fit(np.ones((N, D)), TARGETS["one-hot"], batch_size=10, verbose=0)


@pytest.mark.parametrize("rate, when", [(1e30, "batch 2 of epoch 1"), (2, "of epoch 2")])     # recorded; played
def test_a_loss_that_is_not_finite_is_the_same_error(rate, when):
    said = []
    for recorded in (True, False):
        with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as error:
            train(lambda: [Dense(12, input_shape=(D,)), Dense(C)], optimizers.SGD(rate), loss="mse", y="numbers",
                  recorded=recorded, epochs=9, shuffle=False)
        said.append(str(error.value))
    assert said[0] == said[1] and when in said[0] and "The output of dense" in said[0]


def test_attributes_that_a_user_can_see_are_plain_arrays():
    numbers, step = train(small, metrics=["data_loss"])
    model = step.model
    assert step.recordings
    for owner in (model, model.parameters, model.optimizer, *model.stack, *model.layers):
        assert not any(isinstance(value, record.Recorded) for value in vars(owner).values()), owner


def test_predictions_are_recorded_and_follow_the_weights():
    model = Sequential(small(Dropout(0.2), BatchNormalization()))
    x = np.random.standard_normal((40, D)).astype("float32")
    model.build((None, D))
    for size in (1, 13, 40, 1, 13):
        model.compile("adam", "mse")
        for _ in range(4):
            predicted = model.predict(x[:size], batch_size=13)
            assert np.array_equal(predicted, np.concatenate([
                model.forward(x[at:min(at + 13, size)]).copy() for at in range(0, size, 13)]))
            model.train_on_batch(x, np.ones((40, C)))
        model.set_weights([w * 1.5 for w in model.get_weights()])
    assert vars(model)["_recorded_forward"].step.recordings[13].checked


def test_predictions_follow_the_layers():
    model = Sequential(small())
    x = np.random.standard_normal((5, D)).astype("float32")
    for change in (lambda: model.add(Dense(2)), lambda: model.pop(), lambda: model.add(Dropout(0.1)), lambda: setattr(
            model.layers[0], "forward", lambda x, training=False: np.ones((5, 12), "float32")), lambda: None):
        change()
        for _ in range(4):
            assert np.array_equal(model.predict(x), model.forward(x))
    for wrong in (x[:, :3], x * np.nan, np.float32(3)):
        with pytest.raises(ValueError):
            model.predict(wrong)


def test_copies_of_a_model_predict_by_their_own_weights():
    import copy
    import pickle
    model = Sequential(small())
    x = np.random.standard_normal((5, D)).astype("float32")
    for _ in range(4):
        first = model.predict(x)
    other, third = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
    other.set_weights([w * 2 for w in other.get_weights()])
    for _ in range(4):
        assert not np.array_equal(other.predict(x), first) and np.array_equal(third.predict(x), first)
        assert np.array_equal(model.predict(x), first)
