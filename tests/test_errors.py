"""Bad input is rejected with a clear error: what was expected, what came, what to do; and nothing has changed."""
import random
import re
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bad_arguments import bad_call
from tinynet import losses, metrics
from tinynet.backend import matmul, xp
from tinynet.callbacks import CSVLogger, EarlyStopping, LambdaCallback, LearningRateScheduler
from tinynet.layers import (Activation, ActivityRegularization, Dense, Dropout, Flatten, InputLayer, Layer, LeakyReLU,
                            PReLU, ReLU, Reshape, Softmax)
from tinynet.metrics import BinaryAccuracy
from tinynet.models import Sequential
from tinynet.optimizers import SGD, Adam
from tinynet.regularizers import Regularizer


def fit(model, x, y, **options):
    return model.fit(x, y, **{"verbose": 0, **options})


BAD_DATA = {
    "wrong width": (lambda x, y: (x[:, :3], y),
                    r"expected \w+_input to have shape \(4,\) but got array with shape \(3,\)"),
    "pictures not flattened": (lambda x, y: (x.reshape(10, 2, 2), y), "Flatten the samples"),
    "a single sample": (lambda x, y: (x[0], y), r"This is a single sample: pass x\[np.newaxis\]"),
    "labels as class numbers": (lambda x, y: (x, y.argmax(axis=1)),
                                r"\(10, 1\) while using as loss `categorical_crossentropy`.*to_categorical\(y, 3\)"),
    "too few classes": (lambda x, y: (x, y[:, :2]),
                        r"expected \w+ to have shape \(3,\) but got array with shape \(2,\)"),
    "rows that are no distributions": (lambda x, y: (x, 2 * y), r"row 0 is \[2. 0. 0.\].*sigmoid"),
    "negative rows": (lambda x, y: (x, y - [[0.5, -0.5, 0]]), "none negative"),
    "fewer targets": (lambda x, y: (x, y[:5]), "Found 10 input samples and 5 target samples"),
    "no samples": (lambda x, y: (x[:0], y[:0]), r"at least one sample, got an array of shape \(0, 4\)"),
    "NaN": (lambda x, y: (np.where(np.arange(40).reshape(10, 4) == 6, np.nan, x), y), r"input\[1, 2\] is nan \(1 such"),
    "infinity": (lambda x, y: (np.where(x > 0, np.inf, x), y), "is inf"),
    "too large for float32": (lambda x, y: (x * 1e300, y), "must be finite"),
    "NaN in the targets": (lambda x, y: (x, y * np.nan), r"target\[0, 0\] is nan"),
    "objects": (lambda x, y: (np.where(x == x[0, 0], None, x), y), "got dtype object"),
    "strings": (lambda x, y: (x.astype(str), y), "got dtype <U"),
    "lists of unequal length": (lambda x, y: ([[1, 2, 3, 4], [1]], y), "expects an array of numbers"),
    "no x": (lambda x, y: (None, y), "need both x and y, got no x"),
    "no y": (lambda x, y: (x, None), "need both x and y, got no y"),
    "a number": (lambda x, y: (3.0, y), r"got an array of shape \(\)"),
    "masked": (lambda x, y: (np.ma.masked_greater(x, 0), y), "is a masked array, whose masked values would count"),
}


@pytest.mark.parametrize("spoil, message", BAD_DATA.values(), ids=BAD_DATA)
@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch"])
def test_bad_data(classifier, method, spoil, message):
    model, x, y = classifier
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        {"fit": fit, "evaluate": Sequential.evaluate, "train_on_batch": Sequential.train_on_batch}[method](
            model, *spoil(x, y))
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))
    assert model.optimizer.iterations == 0


BAD_ARGUMENTS = {
    "batch_size 0": ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
    "batch_size 2.5": ({"batch_size": 2.5}, "batch_size must be a whole number of at least 1, got 2.5"),
    "epochs -1": ({"epochs": -1}, "epochs must be a whole number of at least 0, got -1"),
    "epochs True": ({"epochs": True}, "epochs must be a whole number"),
    "initial_epoch -1": ({"initial_epoch": -1}, "initial_epoch must be a whole number of at least 0, got -1"),
    "validation_split 1": ({"validation_split": 1.0}, "validation_split must lie between 0 and 1, got 1.0"),
    "validation_split of nothing": ({"validation_split": 0.99}, "leaves 0 to train on and 10 to validate on"),
    "validation_data of one": ({"validation_data": (1,)}, "it must contain either 2 items"),
    "validation_freq 0": ({"validation_freq": 0, "validation_split": 0.5}, "validation_freq must be a whole number"),
    "shuffle": ({"shuffle": "batches"}, "shuffle must be True, False or 'batch', got 'batches'"),
    "short sample_weight": ({"sample_weight": [1, 2]}, r"sample_weight array with shape \(2,\) for 10 samples"),
    "NaN in sample_weight": ({"sample_weight": [np.nan] * 10}, r"sample_weight\[0\] is nan"),
    "validation_freq of nonsense": ({"validation_freq": [0.5]}, "validation_freq must be a whole number"),
    "class_weight without a class": ({"class_weight": {0: 1, 1: 1}}, r"The classes \{2\} exist in the data"),
    "class_weight as a list": ({"class_weight": [1, 2, 3]}, r"must be a dict \{class: weight\}, got \[1, 2, 3\]"),
    "class_weight of NaN": ({"class_weight": {0: 1, 1: 1, 2: np.nan}}, r"class_weight\[2\] must be a number"),
}


@pytest.mark.parametrize("options, message", BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_of_fit(classifier, options, message):
    model, x, y = classifier
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        fit(model, x, y, **options)
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))


@pytest.mark.parametrize("call, name", [
    (lambda m, x, y: m.fit(x, y, nonsense=3), "nonsense"),
    (lambda m, x, y: m.evaluate(x, y, nonsense=3), "nonsense"),
    (lambda m, x, y: m.predict(x, nonsense=3), "nonsense"),
    (lambda m, x, y: m.compile("sgd", "mse", loss_weights=[2]), "loss_weights"),
    (lambda m, x, y: Dense(3, kernel_regulariser="l2"), "kernel_regulariser"),
    (lambda m, x, y: LeakyReLU(max_value=3), "max_value"),
    (lambda m, x, y: BinaryAccuracy(treshold=0.3), "treshold"),
])
def test_arguments_that_tinynet_has_not_are_refused_by_name(classifier, call, name):
    with pytest.raises(TypeError, match=f"'{name}'.* takes: "):
        call(*classifier)


def test_arguments_of_keras_at_their_defaults_pass(classifier):
    model, x, y = classifier
    Dense(3, kernel_regularizer=None, activity_regularizer=None)
    model.fit(x, y, verbose=0, steps_per_epoch=None, validation_steps=None)
    model.compile("sgd", "mse", loss_weights=None)


@pytest.mark.parametrize("make, error, message", [
    (lambda: Dense(0), ValueError, "units must be a whole number of at least 1, got 0"),
    (lambda: Dense(-1), ValueError, "got -1"),
    (lambda: Dense(2.5), ValueError, "got 2.5"),
    (lambda: Dense("10"), ValueError, "got '10'"),
    (lambda: Dense(3, activation="rleu"), ValueError, "Unknown activation function: rleu. Did you mean 'relu'"),
    (lambda: Dense(3, kernel_initializer="nope"), ValueError, "Unknown initializer: nope"),
    (lambda: Dense(3, input_shape=784), ValueError, r"input_shape must be a tuple .* such as \(784,\).*; got 784"),
    (lambda: Dense(3, input_dim=-1), ValueError, "input_shape must be a tuple"),
    (lambda: Dropout(1.0), ValueError, "at least 0 and below 1, got 1.0"),
    (lambda: Dropout(-0.1), ValueError, "got -0.1"),
    (lambda: Dropout("half"), ValueError, "got 'half'"),
    (lambda: Dropout(0.5, seed=-1), ValueError, "seed must be a whole number"),
    (lambda: Activation("relu", foo=1), TypeError, "Keyword argument not understood: 'foo'"),
    (lambda: ReLU(max_value=-1), ValueError, "max_value must be a number of at least 0, got -1"),
    (lambda: ReLU(negative_slope=-1), ValueError, "negative_slope must be a number of at least 0, got -1"),
    (lambda: ReLU(threshold=np.nan), ValueError, "threshold must be a number"),
    (lambda: Sequential([Softmax(axis=0, input_shape=(3,))]), ValueError, r"axis must be one of \(1, -1\) .*samples"),
    (lambda: Dense(3, activation=PReLU()), ValueError, "A layer such as PReLU.. is added after this one"),
    (lambda: Activation(ReLU()), TypeError, "is a layer already: add it to the model in place of an Activation"),
    (lambda: Dense(3, input_shape=()), ValueError, r"input_shape must be a tuple"),
    (lambda: Dense(3, batch_input_shape=5), ValueError, "input_shape must be a tuple"),
    (lambda: Sequential(Dense(3)), TypeError, "expects a list of layers"),
    (lambda: Sequential([Dense(3)]).build(4), ValueError, r"build expects the shape of a batch"),
    (lambda: EarlyStopping(patience="3"), ValueError, "patience must be a whole number of at least 0, got '3'"),
    (lambda: EarlyStopping(mode="best"), ValueError, "Unknown mode: best"),
    (lambda: LambdaCallback(on_epoch_stop=print), ValueError, "Unknown hook: on_epoch_stop. Did you mean 'on_epoch_"),
])
def test_bad_arguments_of_layers_and_callbacks(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_errors_name_the_layer():
    with pytest.raises(ValueError, match="hidden: units must be"):
        Dense(0, name="hidden")
    with pytest.raises(ValueError, match="Error when checking input: expected hidden_input"):
        Sequential([Dense(2, input_shape=(3,), name="hidden")]).predict(np.ones((1, 2)))


@pytest.mark.parametrize("arguments, error, message", [
    (("nope", "mse"), ValueError, "Unknown optimizer: nope"),
    (("sgd", "nope"), ValueError, "Unknown loss function: nope"),
    (("sgd", "mse", ["nope"]), ValueError, "Unknown metric function: nope"),
    (("sgd",), TypeError, "compile expects a loss"),
    (("sgd", ["mse", "mse"]), ValueError, "Expected a name or a function of tinynet.losses"),
    (("sgd", "mse", [lambda t, p: t[:, 0], lambda t, p: p[:, 0]]), ValueError, "Two different metrics"),
    (("sgd", "categorical_crossentropy", ["sparse_categorical_accuracy"]), ValueError,
     "does not read the targets of categorical_crossentropy, which are one-hot rows. Use 'accuracy'"),
    (("sgd", "sparse_categorical_crossentropy", ["categorical_accuracy"]), ValueError, "which are integer classes"),
])
def test_a_failed_compile_changes_nothing(classifier, arguments, error, message):
    model, x, y = classifier
    before = (model.optimizer, model.loss, model.metrics_names)
    with pytest.raises(error, match=message):
        model.compile(*arguments)
    assert before == (model.optimizer, model.loss, model.metrics_names)
    fit(model, x, y)


def test_training_before_compile():
    model = Sequential([Dense(3, input_shape=(4,))])
    for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(RuntimeError, match="You must compile a model before training/testing"):
            call(np.ones((2, 4)), np.ones((2, 3)))
    assert model.predict(np.ones((2, 4))).shape == (2, 3)


@pytest.mark.parametrize("labels, message", [
    ([0, 1, 3], "has 3 outputs, so integer classes go from 0 to 2; got 0 to 3"),
    ([0, 1, -1], "got -1 to 1"),
    ([0, 1, 0.5], "integer classes, got 0.5"),
    ([0, 1, np.nan], r"target\[2, 0\] is nan"),
    (np.eye(3), "one-hot rows go with categorical_crossentropy"),
])
def test_class_numbers_out_of_range(labels, message):
    model = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=message):
        fit(model, np.ones((3, 4)), labels)


def test_weights_of_the_wrong_shape_change_nothing(classifier):
    model, _, _ = classifier
    before = model.get_weights()
    good = [np.ones_like(w) for w in before]
    with pytest.raises(ValueError, match=r"on layer \"\w+\" with a weight list of length 1, but .* 2 weights"):
        model.layers[0].set_weights(good[:1])
    with pytest.raises(ValueError, match=r"on model \"\w+\" with a weight list of length 3, but .* expecting 4"):
        model.set_weights(good[:3])
    with pytest.raises(ValueError, match=r"/bias:0 expects weights of shape \(3,\), got \(4,\)"):
        model.set_weights([*good[:3], np.ones(4)])
    with pytest.raises(ValueError, match="with a weight list of length NoneType"):
        model.set_weights(None)
    with pytest.raises(ValueError, match="weights that are numbers"):
        model.set_weights([*good[:3], np.array(["a"] * 3)])
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))


def test_an_initializer_of_the_wrong_shape():
    with pytest.raises(ValueError, match=r"the initializer of kernel must return shape \(4, 3\), got \(2,\)"):
        Sequential([Dense(3, input_shape=(4,), kernel_initializer=lambda shape: np.ones(2))])


def test_what_is_not_a_layer_cannot_be_added(classifier):
    model, _, _ = classifier
    with pytest.raises(TypeError, match="must be an instance of class Layer. Found: 'relu'"):
        model.add("relu")
    with pytest.raises(ValueError, match="can be used only once in a model"):
        model.add(model.layers[0])
    with pytest.raises(ValueError, match='The name "twice" is used 2 times'):
        Sequential([Dense(1, name="twice"), Dense(1, name="twice")])
    assert len(model.layers) == 2


def test_a_layer_built_for_another_shape_cannot_be_added():
    layer = Sequential([Dense(3, input_shape=(4,))]).layers[0]
    with pytest.raises(ValueError, match=re.escape(f"{layer.name} expects inputs of shape (N, 4), got (N, 5)")):
        Sequential([Dense(5, input_shape=(2,)), layer])


def test_empty_and_unbuilt_models():
    model = Sequential()
    with pytest.raises(TypeError, match="There are no layers in the model"):
        model.pop()
    with pytest.raises(ValueError, match="has no layers yet"):
        model.predict(np.ones((1, 2)))
    model.add(Flatten())
    with pytest.raises(ValueError, match="This model has not yet been built"):
        model.summary()
    with pytest.raises(ValueError, match="Input shape must be defined"):
        model.build()
    model.build((None, 2, 2))
    with pytest.raises(ValueError, match="No such layer: nope. sequential_"):
        model.get_layer("nope")
    with pytest.raises(ValueError, match="index 3"):
        model.get_layer(index=3)
    assert model.get_layer(index=0) is model.get_layer(model.layers[0].name)


def test_a_layer_without_forward_or_backward_says_so():
    class Half(Layer):
        def forward(self, x, training=False):
            return x

    with pytest.raises(NotImplementedError, match=r"Layer must define forward\(x, training\)"):
        Layer().forward(np.ones(1))
    with pytest.raises(NotImplementedError, match=r"Half must define backward\(dy\)"):
        Half().backward(np.ones(1))


def test_callbacks_must_be_callbacks(classifier):
    model, x, y = classifier
    with pytest.raises(TypeError, match="must be a list of Callback objects, got <"):
        fit(model, x, y, callbacks=[EarlyStopping])
    with pytest.raises(TypeError, match="Put it in brackets"):
        fit(model, x, y, callbacks=EarlyStopping())
    with pytest.raises(TypeError, match="Put it in brackets"):
        fit(model, x, y, callbacks=print)


def test_class_weight_needs_classes():
    model = Sequential([Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="must contain all classes in the data"):
        fit(model, np.ones((3, 4)), [0.25, 0.5, 1.5], class_weight={0: 5, 1: 1})


def test_binary_crossentropy_needs_probabilities():
    model = Sequential([Dense(1, activation="sigmoid", input_shape=(4,))])
    model.compile("sgd", "binary_crossentropy")
    with pytest.raises(ValueError, match="expects probabilities from 0 to 1, got -1 to 1. Turn labels -1 and 1 into"):
        fit(model, np.ones((2, 4)), [-1, 1])


def test_bad_targets_leave_an_unbuilt_model_unbuilt():
    model = Sequential([Dense(5), Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy")
    with pytest.raises(ValueError, match="expected dense_2 to have shape"):
        fit(model, np.ones((6, 2, 2)), np.eye(3)[[0, 1, 2] * 2])
    assert not model.built
    fit(model, np.ones((6, 4)), np.eye(3)[[0, 1, 2] * 2])


def test_forms_that_keras_takes_for_several_inputs_and_outputs_mean_the_only_one(classifier):
    model, x, y = classifier
    expected = model.evaluate(x, y, verbose=0)
    first, last = f"{model.layers[0].name}_input", model.layers[-1].name
    for loss in (["categorical_crossentropy"], {last: "categorical_crossentropy"}):
        for names in (["accuracy"], [["accuracy"]], {last: ["accuracy"]}, {last: "accuracy"}, "accuracy"):
            model.compile("sgd", loss, names, None, None, None)
            assert model.evaluate({first: x}, {last: y}, verbose=0) == expected
    with pytest.raises(TypeError, match="tinynet does not have the argument: 'loss_weights'"):
        model.compile("sgd", "mse", ["accuracy"], [0.5])


def test_old_arguments_of_fit_are_warned_of(classifier):
    model, x, y = classifier
    with pytest.warns(UserWarning, match="`nb_epoch` argument in `fit` has been renamed `epochs`"):
        assert len(model.fit(x, y, nb_epoch=2, verbose=0).history["loss"]) == 2
    assert model.fit(x, y, epochs=0, verbose=0).history == {}


def test_weights_of_the_wrong_shape_are_refused_again_and_again():
    for _ in range(2):
        model = Sequential([Dense(3, weights=[np.ones((4, 2)), np.ones(3)])])
        model.compile("sgd", "mse")
        for _ in range(2):
            with pytest.raises(ValueError, match="expects weights of shape"):
                model.fit(np.ones((5, 4)), np.ones((5, 3)), verbose=0)
        assert not model.built
        with pytest.raises(ValueError, match="expects weights of shape"):
            Sequential().add(Dense(3, weights=[np.ones((4, 2)), np.ones(3)], input_shape=(4,)))


def test_a_layer_that_cannot_be_built_leaves_the_others_unbuilt():
    def only_four(shape):
        return np.ones((4, 3))

    model = Sequential([Dense(4), Dense(3, kernel_initializer=only_four)])
    wrong = Sequential([Dense(5), Dense(3, kernel_initializer=only_four)])
    with pytest.raises(ValueError, match="the initializer of kernel must return shape"):
        wrong.build((None, 7))
    assert not wrong.layers[0].built and wrong.layers[0].parameters == []
    model.build((None, 7))
    assert model.built


@pytest.mark.parametrize("initializer", [
    lambda s: np.full(s, np.nan), lambda s: np.zeros(s) + 1j, lambda s: np.full(s, "x")])
def test_initial_weights_must_be_finite_numbers(initializer):
    with pytest.raises(ValueError, match="the initializer of kernel must return finite numbers"):
        Sequential([Dense(2, kernel_initializer=initializer, input_shape=(3,))])


def test_layers_may_not_change_while_training_goes_on(classifier):
    model, x, y = classifier
    with pytest.raises(RuntimeError, match="The layers have changed since the model was compiled"):
        model.fit(x, y, epochs=2, verbose=0, callbacks=[
            LambdaCallback(on_epoch_end=lambda epoch, logs: model.add(Dense(2)))])


def test_a_failed_fit_leaves_the_history_of_the_last(classifier):
    model, x, y = classifier
    history = model.fit(x, y, verbose=0)
    for callbacks, error in (([3], TypeError), (5, TypeError)):
        with pytest.raises(error):
            model.fit(x, y, verbose=0, callbacks=callbacks)
        assert model.history is history
    unbuilt = Sequential([Dense(3)])
    unbuilt.compile("sgd", "mse")
    with pytest.raises(TypeError, match="callbacks must be a list of Callback objects, got 3 in it"):
        unbuilt.fit(x, y, verbose=0, callbacks=[3])
    assert not unbuilt.built


def of(penalty, gradient):
    """A regularizer of two functions."""
    methods = {"__call__": lambda self, w: penalty(w), "gradient": lambda self, w: gradient(w)}
    return type("Of", (Regularizer,), methods)()


@pytest.mark.parametrize("options, message", [
    ({"kernel_constraint": lambda w: None}, "constraint of dense_1/kernel:0 must return numbers of its shape"),
    ({"kernel_constraint": lambda w: 1j * w}, "must return numbers of its shape"),
    ({"kernel_constraint": lambda w: 0.5}, "must return numbers of its shape .4, 3., got float of shape None"),
    ({"kernel_regularizer": of(lambda w: w, lambda w: w)}, "and a gradient of shape .4, 3., got shapes .4, 3. and"),
    ({"kernel_regularizer": of(lambda w: w.sum(), lambda w: w[:1])}, "got shapes .. and .1, 3."),
], ids=["None", "complex", "a number", "no number", "a short gradient"])
def test_a_bad_rule_for_weights_is_found_before_any_moves(options, message):
    model = Sequential([Dense(3, input_shape=(4,), **options)])
    with pytest.raises(ValueError, match=message):
        model.compile("sgd", "mse")
    assert model.optimizer is None
    unbuilt = Sequential([Dense(3, name="dense_1", **options)])
    unbuilt.compile("sgd", "mse")
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            unbuilt.fit(np.ones((5, 4)), np.ones((5, 3)), verbose=0)
    assert unbuilt.optimizer.iterations == 0


def test_weights_may_not_become_infinite_by_a_class(classifier):
    model, x, y = classifier
    before = model.get_weights()
    with pytest.raises(ValueError, match="class_weight.0. must be a number|must be finite"):
        model.fit(x, y, verbose=0, class_weight={0: 1e300, 1: 1, 2: 1})
    with pytest.raises(ValueError, match="the product of sample_weight and class_weight must be finite"):
        model.fit(x, y, verbose=0, class_weight={0: 1e30, 1: 1, 2: 1}, sample_weight=np.full(10, 1e30))
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))


@pytest.mark.parametrize("make, error, message", [
    (lambda: Dense(3, input_dim=4, input_shape=(5,)), ValueError, "give one of input_shape=.5,., input_dim=4"),
    (lambda: Sequential([InputLayer(input_shape=(4,)), Dense(3, input_shape=(5,))]), ValueError, "InputLayer before"),
    (lambda: Sequential([InputLayer(input_shape=(4,)), InputLayer(input_shape=(4,))]), ValueError, "must come first"),
    (lambda: Sequential([Dense(3)]).build((None, "a")), ValueError, "build expects the shape of a batch"),
    (lambda: Sequential.from_config({}), ValueError, "from_config expects what get_config returned"),
    (lambda: Reshape(3), ValueError, "target_shape must be a tuple of whole numbers"),
    (lambda: Reshape((None, 4)), ValueError, "target_shape must be a tuple of whole numbers"),
    (lambda: ActivityRegularization(0.1, regularizer="l2"), ValueError, "give l1 and l2, or a regularizer"),
    (lambda: EarlyStopping(mode=None), ValueError, "Unknown mode: None"),
    (lambda: EarlyStopping(monitor=None), TypeError, "monitor must be a name in the logs"),
    (lambda: EarlyStopping(baseline=np.nan), ValueError, "baseline must be a number"),
    (lambda: LearningRateScheduler(3), TypeError, "expects a function of the epoch, got 3"),
    (lambda: LambdaCallback(on_epoch_end=3), TypeError, "expects a function as on_epoch_end, got 3"),
    (lambda: CSVLogger("log.csv", ";;"), ValueError, "separator must be a single character"),
    (lambda: CSVLogger(3), TypeError, "PathLike object, not int"),
    (lambda: SGD(1e300), ValueError, "learning_rate must be a number of at least 0 and below 3.4e.38, got 1e.300"),
    (lambda: Adam(epsilon=1e-300), ValueError, "epsilon must be a number above 0, got 1e-300"),
    (lambda: losses.get(losses.Loss()), ValueError, "needs a function and its derivative"),
    (lambda: losses.MeanSquaredError()([1.0, 2.0], [[1.0], [2.0], [3.0]]), ValueError, "of one shape"),
    (lambda: losses.MeanSquaredError()([], []), ValueError, "at least one sample"),
    (lambda: losses.MeanSquaredError()([[1.0]], [[1.0]], [1.0, 2.0]), ValueError, "Give one weight for each sample"),
    (lambda: losses.SparseCategoricalCrossentropy()([-1], [[0.5, 0.5]]), ValueError, "expects a class number from 0"),
    (lambda: metrics.CategoricalAccuracy()([[0, 1]] * 3, [[0, 1]]), ValueError, "of one shape"),
    (lambda: metrics.Mean()(), TypeError, "mean takes 1 arrays for a batch and sample_weight, got 0"),
    (lambda: metrics.TopKCategoricalAccuracy(1.5), ValueError, "k must be a whole number of at least 1, got 1.5"),
])
def test_bad_arguments_of_callbacks_optimizers_losses_and_metrics(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("metric", ["mse", "binary_accuracy", "categorical_crossentropy", metrics.Precision(),
                                    metrics.RootMeanSquaredError(), metrics.TopKCategoricalAccuracy(2)])
def test_metrics_that_cannot_read_class_numbers(classifier, metric):
    with pytest.raises(ValueError, match="does not read the targets of sparse_categorical_crossentropy"):
        classifier[0].compile("sgd", "sparse_categorical_crossentropy", metrics=[metric])


def test_metrics_that_do_not_fit_a_model(classifier):
    with pytest.raises(ValueError, match="class_id must be below the number of outputs, 3"):
        classifier[0].compile("sgd", "mse", metrics=[metrics.Precision(class_id=9)])
    with pytest.raises(ValueError, match="averages values, and cannot compare"):
        classifier[0].compile("sgd", "mse", metrics=[metrics.Mean()])


@settings(max_examples=2000, deadline=None)
@given(st.integers(0, 2**32))
def test_nonsense_is_refused_with_a_clear_message_and_changes_nothing(seed):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)     # some of it names files
        assert bad_call(random.Random(seed), folder) in ("worked", "refused", "lost", "ended")


@pytest.mark.parametrize("x", [(2, 5), (2, 12), (3, 8)])
def test_a_product_of_shapes_that_do_not_fit_is_refused(x):
    """Also where it is computed in blocks of rows, or by cuBLAS, which reads any memory that it is told to."""
    with pytest.raises(ValueError, match="matmul: the product of .* and .8, 3. cannot be written to .2, 3."):
        matmul(xp.ones(x), xp.ones((8, 3)), out=xp.empty((2, 3)))
