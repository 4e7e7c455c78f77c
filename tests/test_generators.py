"""A generator or a Sequence trains like the same data in an array, and is held to what it promised."""
import numpy as np
import pytest

from tinynet.callbacks import Callback
from tinynet.layers import Dense
from tinynet.models import Sequential
from tinynet.optimizers import SGD
from tinynet.utils import Sequence

X = np.sin(np.arange(40.0)).reshape(10, 4)
Y = np.eye(3)[np.arange(10) % 3]


class Batches(Sequence):
    def __init__(self, size=4, weights=None):
        self.size, self.weights, self.passes, self.asked = size, weights, 0, []

    def __len__(self):
        return -(-10 // self.size)

    def __getitem__(self, i):
        self.asked.append(i)
        part = slice(i * self.size, (i + 1) * self.size)
        return (X[part], Y[part]) if self.weights is None else (X[part], Y[part], self.weights[part])

    def on_epoch_end(self):
        self.passes += 1


def forever(size=4):
    while True:
        for i in range(0, 10, size):
            yield X[i:i + size], Y[i:i + size]


def network(built=True):
    model = Sequential([Dense(5, "relu", **({"input_shape": (4,)} if built else {})), Dense(3, "softmax")])
    if built:
        model.set_weights([np.cos(np.arange(w.size)).reshape(w.shape) / 2 for w in model.get_weights()])
    model.compile(SGD(0.1), "categorical_crossentropy", metrics=["accuracy"])
    return model


def trained_on_arrays(**options):
    model = network()
    history = model.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0, validation_data=(X, Y), **options)
    return model, history.history


@pytest.mark.parametrize("source, options", [
    (lambda: Batches(), {}), (lambda: forever(), {"steps_per_epoch": 3})], ids=["Sequence", "generator"])
def test_it_trains_like_arrays_bit_for_bit(source, options):
    expected, history = trained_on_arrays()
    model = network()
    ours = model.fit(source(), epochs=3, shuffle=False, verbose=0, validation_data=Batches(), **options)
    assert ours.history == history
    assert all((a == b).all() for a, b in zip(model.get_weights(), expected.get_weights()))


def test_weights_and_class_weights_count(float64):
    weights, by_class = np.linspace(0, 1, 10), {0: 1, 1: 2, 2: 0.5}
    _, history = trained_on_arrays(sample_weight=weights, class_weight=by_class)
    model = network()
    ours = model.fit(Batches(weights=weights), epochs=3, shuffle=False, verbose=0, class_weight=by_class)
    assert ours.history["loss"] == pytest.approx(history["loss"], rel=1e-14)


def test_evaluate_and_predict_take_the_mean_and_the_order_of_all_batches():
    """Keras 2.3.1's evaluate returns the loss of the last batch."""
    model = network()
    for steps, source in ((None, Batches()), (3, forever())):
        assert model.evaluate(source, steps=steps, verbose=0) == pytest.approx(model.evaluate(X, Y, verbose=0))
    assert model.predict(Batches()) == pytest.approx(model.predict(X))
    assert model.predict((x for x, _ in forever()), steps=3) == pytest.approx(model.predict(X))
    assert model.evaluate_generator(Batches()) == model.evaluate(Batches(), verbose=0)
    assert (model.predict_generator(Batches()) == model.predict(Batches())).all()


def test_fit_generator_is_fit():
    one, two = network(), network()
    one.fit_generator(Batches(), epochs=2, shuffle=False, verbose=0, workers=4, use_multiprocessing=True)
    two.fit(Batches(), epochs=2, shuffle=False, verbose=0)
    assert one.history.history == two.history.history


def test_batches_of_a_sequence_are_shuffled_anew_before_each_pass():
    source = Batches(1)
    network().fit(source, epochs=2, verbose=0)
    assert sorted(source.asked[:10]) == sorted(source.asked[10:]) == list(range(10))
    assert source.asked[:10] != source.asked[10:] and source.asked[:10] != list(range(10))
    np.random.seed(0)
    again = Batches(1)
    network().fit(again, epochs=2, verbose=0)
    assert again.passes == 2


def test_a_sequence_hears_of_the_end_of_each_pass_and_may_change_its_length():
    class Growing(Batches):
        def __len__(self):
            return 1 + self.passes

    source = Growing(4)
    network().fit(source, epochs=3, shuffle=False, verbose=0)
    assert source.asked == [0, 0, 1, 0, 1, 2] and source.passes == 3


def test_fewer_steps_than_batches_go_on_where_the_last_epoch_ended():
    source = Batches(2)
    network().fit(source, steps_per_epoch=3, epochs=2, shuffle=False, verbose=0)
    assert source.asked == [0, 1, 2, 3, 4, 0] and source.passes == 1


def test_validation_may_come_from_a_generator_too():
    model = network()
    history = model.fit(Batches(), epochs=2, shuffle=False, verbose=0, validation_data=forever(), validation_steps=3)
    _, expected = trained_on_arrays()
    assert history.history["val_loss"] == pytest.approx(expected["val_loss"][:2], rel=1e-6)
    model.fit(X, Y, verbose=0, validation_data=Batches())
    assert "val_accuracy" in model.history.history


def test_a_model_without_a_shape_is_built_by_the_first_batch_which_is_still_trained_on():
    model, batches = network(built=False), []

    def counted():
        for batch in forever():
            batches.append(batch)
            yield batch

    model.fit(counted(), steps_per_epoch=3, verbose=0)
    assert len(batches) == 3 and model.built
    assert network(built=False).fit(Batches(), verbose=0).history["loss"]
    assert network(built=False).predict(Batches()).shape == (10, 3)


def test_callbacks_see_steps_instead_of_samples(capsys):
    seen = {}

    class Look(Callback):
        def on_train_begin(self, logs=None):
            seen.update(self.params)

    network().fit(Batches(), callbacks=[Look()], validation_data=(X, Y))
    assert seen["steps"] == 3 and seen["samples"] is None
    assert capsys.readouterr().out.startswith("Epoch 1/1 - 0s - loss: ")


def bad(item):
    while True:
        yield item


@pytest.mark.parametrize("call, message", [
    (lambda m: m.fit(forever()), "`steps_per_epoch=None` is only valid for a generator based on the `Sequence` class"),
    (lambda m: m.evaluate(forever()), "`steps=None` is only valid"),
    (lambda m: m.predict(forever()), "`steps=None` is only valid"),
    (lambda m: m.fit(X, Y, validation_data=forever()), "`validation_steps=None` is only valid"),
    (lambda m: m.fit(forever(), Y, steps_per_epoch=1), "The `y` argument must not be specified"),
    (lambda m: m.fit(forever(), batch_size=3, steps_per_epoch=1), "The `batch_size` argument must not be specified"),
    (lambda m: m.predict(forever(), batch_size=3, steps=1), "The `batch_size` argument must not be specified"),
    (lambda m: m.fit(forever(), steps_per_epoch=1, sample_weight=np.ones(4)), "The `sample_weight` argument must not"),
    (lambda m: m.fit(forever(), steps_per_epoch=1, validation_split=0.5), "with a generator or Sequence give"),
    (lambda m: m.fit(forever(), steps_per_epoch=0), "steps_per_epoch must be a whole number of at least 1, got 0"),
    (lambda m: m.fit(X, Y, steps_per_epoch=3), "`steps_per_epoch` is for a generator or Sequence; arrays are"),
    (lambda m: m.evaluate(X, Y, steps=3), "`steps` is for a generator or Sequence"),
    (lambda m: m.predict(X, steps=3), "`steps` is for a generator or Sequence"),
    (lambda m: m.fit(bad(X), steps_per_epoch=1), r"a tuple `\(x, y, sample_weight\)` or `\(x, y\)`. Found: ndarray"),
    (lambda m: m.fit(bad((X,)), steps_per_epoch=1), "Found: tuple of 1"),
    (lambda m: m.fit(bad((X[:, :3], Y)), steps_per_epoch=1), r"to have shape \(4,\) but got array with shape \(3,\)"),
    (lambda m: m.fit(bad((X, Y * np.nan)), steps_per_epoch=1), "must be finite"),
    (lambda m: m.fit(iter([(X, Y)]), steps_per_epoch=1, epochs=2), "The generator has ended before training has"),
    (lambda m: m.fit(iter([(X, Y), (X, Y, np.ones(10))]), steps_per_epoch=2), "or none"),
])
def test_bad_generators(call, message):
    with pytest.raises(ValueError, match=message):
        call(network())


def test_a_sequence_without_batches_is_refused():
    class Empty(Batches):
        def __len__(self):
            return 0

    for call in (lambda m: m.fit(Empty()), lambda m: m.evaluate(Empty()), lambda m: m.predict(Empty()),
                 lambda m: m.fit(Empty(), steps_per_epoch=3), lambda m: m.fit(X, Y, validation_data=Empty())):
        with pytest.raises(ValueError, match="Empty has no batches"):
            call(network())


def test_validation_comes_after_a_pass_that_changed_the_length():
    class Growing(Batches):
        def __len__(self):
            return 1 + self.passes

    history = network().fit(Growing(), epochs=3, verbose=0, validation_data=(X, Y)).history
    assert len(history["val_loss"]) == 3


def test_weights_in_some_batches_only_are_refused_whatever_their_sizes():
    with pytest.raises(ValueError, match="or none"):
        network().fit(iter([(X, Y), (X[:3], Y[:3], np.ones(3))]), steps_per_epoch=2, verbose=0)
