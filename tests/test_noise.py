"""Noise is what its equation says, and a function of the seed alone."""
import math

import numpy as np
import pytest

from tinynet.backend import to_numpy, xp
from tinynet.layers import AlphaDropout, Dense, Dropout, GaussianDropout, GaussianNoise
from tinynet.models import Sequential
from tinynet.random import MaskStream


def outputs(layer, x, training=True):
    """The layer's output for x, as a NumPy array."""
    layer.build_once((None, *x.shape[1:]))
    return to_numpy(layer.forward(xp.asarray(x), training))


def test_normal_numbers_are_normal_and_independent():
    u = to_numpy(MaskStream(1).normal((1000, 1000), np.float64))
    assert u.mean() == pytest.approx(0, abs=0.004) and u.var() == pytest.approx(1, rel=0.006)
    for limit in (0.5, 1, 2, 3):        # how often |u| is above it
        assert (np.abs(u) > limit).mean() == pytest.approx(math.erfc(limit / math.sqrt(2)), rel=0.03)
    assert (u[:, 1:] * u[:, :-1]).mean() == pytest.approx(0, abs=0.004)
    assert len(np.unique(u)) > 0.999 * u.size


def test_normal_numbers_depend_on_seed_step_and_place_only():
    one, two = MaskStream(5), MaskStream(5)
    first = to_numpy(one.normal((4, 6), np.float32))
    assert first.dtype == np.float32
    assert (to_numpy(two.normal((2, 6), np.float32)) == first[:2]).all()
    assert (to_numpy(one.normal((4, 6), np.float32)) != first).all()
    two.step = 0
    assert (to_numpy(two.normal((4, 6), np.float32)) == first).all()
    two.step, two.first_row = 0, 3
    assert (to_numpy(two.normal((1, 6), np.float32)) == first[3:]).all()
    assert (to_numpy(MaskStream(6).normal((4, 6), np.float32)) != first).all()


def test_gaussian_noise_is_added():
    x = np.full((500, 500), 7.0, np.float32)
    y = outputs(GaussianNoise(0.5), x)
    assert y.mean() == pytest.approx(7, abs=0.01) and y.std() == pytest.approx(0.5, rel=0.01)


def test_gaussian_dropout_is_as_noisy_as_dropout():
    x = np.full((500, 500), 2.0, np.float32)
    y, dropped = outputs(GaussianDropout(0.2), x), outputs(Dropout(0.2), x)
    assert y.mean() == pytest.approx(2, rel=0.01)
    assert y.std() == pytest.approx(dropped.std(), rel=0.02)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(rate):
    x = np.random.default_rng(0).standard_normal((1000, 500))
    y = outputs(AlphaDropout(rate), x)
    assert y.mean() == pytest.approx(0, abs=0.01) and y.var() == pytest.approx(1, rel=0.02)


def test_alpha_dropout_gives_what_is_dropped_one_value():
    y = outputs(AlphaDropout(0.5, noise_shape=(None, 1), seed=3), np.zeros((200, 4)))
    low, high = np.unique(y.round(9))
    alpha = -1.7580993408473766
    a = (0.5 * (1 + 0.5 * alpha**2)) ** -0.5
    assert (low, high) == pytest.approx((a * alpha * 0.5, -a * alpha * 0.5))
    assert (y == y[:, :1]).all()


@pytest.mark.parametrize("make", [lambda: GaussianNoise(0.5), lambda: GaussianDropout(0.5), lambda: AlphaDropout(0.5)])
def test_noise_is_for_training_only_and_one_seed_fixes_it(make):
    x = np.random.default_rng(0).standard_normal((10, 4)).astype("float32")
    assert (outputs(make(), x, training=False) == x).all()
    losses = []
    for _ in range(2):
        np.random.seed(3)
        model = Sequential([make(), Dense(1)])
        model.compile("sgd", "mse")
        losses.append(model.fit(x, x[:, 0], epochs=3, batch_size=4, verbose=0).history["loss"])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("make, message", [
    (lambda: GaussianNoise(-1), "stddev must be a number of at least 0, got -1"),
    (lambda: GaussianDropout(1), "rate must be a number of at least 0 and below 1, got 1"),
    (lambda: AlphaDropout(-0.5), "rate, the fraction of inputs to drop, must be a number of at least 0 and below"),
])
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
