"""Each optimizer is its equation: followed here for a few steps in plain Python floats, one number at a time."""
import inspect
import math

import numpy as np
import pytest

from tinynet import backend, optimizers
from tinynet.backend import to_numpy, xp
from tinynet.parameters import Parameter, ParameterVector
from tinynet.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, Nadam, Optimizer, RMSprop

GRADIENTS = [0.3, -2.0, 0.0, 1e-5, 0.7]


def steps(optimizer, start=1.0, gradients=GRADIENTS):
    """Where the optimizer takes a single weight, step by step."""
    p, path = parameters(start), []
    for g in gradients:
        path += updated(optimizer, p, g)
    return path


def parameters(*values):
    return ParameterVector([Parameter("p", xp.asarray(np.array(values, float)))])


def updated(optimizer, p, *gradient):
    """The numbers of p after an update by this gradient."""
    p.grad[...] = xp.asarray(np.array(gradient, float))
    optimizer.update(p)
    return to_numpy(p.value).tolist()


def test_sgd():
    p, path = 1.0, []
    for g in GRADIENTS:
        p -= 0.1 * g
        path.append(p)
    assert steps(SGD(0.1)) == pytest.approx(path, rel=1e-14)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_with_momentum(nesterov):
    p, v, path = 1.0, 0.0, []
    for g in GRADIENTS:
        v = 0.9 * v - 0.1 * g
        p += 0.9 * v - 0.1 * g if nesterov else v
        path.append(p)
    assert steps(SGD(0.1, momentum=0.9, nesterov=nesterov)) == pytest.approx(path, rel=1e-14)


def test_rmsprop_has_epsilon_outside_the_root():
    p, a, path = 1.0, 0.0, []
    for g in GRADIENTS:
        a = 0.8 * a + 0.2 * g * g
        p -= 0.1 * g / (math.sqrt(a) + 1e-4)
        path.append(p)
    assert steps(RMSprop(0.1, rho=0.8, epsilon=1e-4)) == pytest.approx(path, rel=1e-14)


@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam(amsgrad):
    p, m, v, v_max, path = 1.0, 0.0, 0.0, 0.0, []
    for t, g in enumerate(GRADIENTS, start=1):
        m = 0.8 * m + 0.2 * g
        v = 0.7 * v + 0.3 * g * g
        v_max = max(v, v_max)
        root = math.sqrt(v_max if amsgrad else v)
        p -= 0.1 * math.sqrt(1 - 0.7**t) / (1 - 0.8**t) * m / (root + 1e-4)
        path.append(p)
    optimizer = Adam(0.1, beta_1=0.8, beta_2=0.7, amsgrad=amsgrad, epsilon=1e-4)
    assert steps(optimizer) == pytest.approx(path, rel=1e-14)


def test_adagrad():
    p, a, path = 1.0, 0.0, []
    for g in GRADIENTS:
        a += g * g
        p -= 0.1 * g / (math.sqrt(a) + 1e-4)
        path.append(p)
    assert steps(Adagrad(0.1, epsilon=1e-4)) == pytest.approx(path, rel=1e-14)


def test_adadelta_uses_the_old_mean_of_its_steps():
    p, a, d, path = 1.0, 0.0, 0.0, []
    for g in GRADIENTS:
        a = 0.8 * a + 0.2 * g * g
        u = g * math.sqrt(d + 1e-4) / math.sqrt(a + 1e-4)
        p -= 0.5 * u
        d = 0.8 * d + 0.2 * u * u
        path.append(p)
    assert steps(Adadelta(0.5, rho=0.8, epsilon=1e-4)) == pytest.approx(path, rel=1e-14)


def test_adamax():
    p, m, u, path = 1.0, 0.0, 0.0, []
    for t, g in enumerate(GRADIENTS, start=1):
        m = 0.8 * m + 0.2 * g
        u = max(0.7 * u, abs(g))
        p -= 0.1 / (1 - 0.8**t) * m / (u + 1e-4)
        path.append(p)
    assert steps(Adamax(0.1, beta_1=0.8, beta_2=0.7, epsilon=1e-4)) == pytest.approx(path, rel=1e-14)


def test_nadam():
    def momentum(t):
        return 0.8 * (1 - 0.5 * 0.96 ** (t * 0.1))

    p, m, v, schedule, path = 1.0, 0.0, 0.0, 1.0, []
    for t, g in enumerate(GRADIENTS, start=1):
        schedule *= momentum(t)
        m = 0.8 * m + 0.2 * g
        v = 0.7 * v + 0.3 * g * g
        ahead = (1 - momentum(t)) * g / (1 - schedule) + momentum(t + 1) * m / (1 - schedule * momentum(t + 1))
        p -= 0.1 * ahead / (math.sqrt(v / (1 - 0.7**t)) + 1e-4)
        path.append(p)
    optimizer = Nadam(0.1, beta_1=0.8, beta_2=0.7, epsilon=1e-4, schedule_decay=0.1)
    assert steps(optimizer) == pytest.approx(path, rel=1e-13)


def test_the_rate_may_be_set_as_scripts_for_keras_do():
    optimizer = RMSprop(0.5)
    backend.set_value(optimizer.lr, 0.25)
    assert backend.get_value(optimizer.lr) == 0.25 == float(optimizer.learning_rate)
    backend.set_value(optimizer.lr, optimizer.lr * 0.1)
    assert optimizer.lr == pytest.approx(0.025)
    with pytest.raises(ValueError, match="learning_rate must be a number"):
        backend.set_value(optimizer.lr, -1)


def test_defaults_are_keras():
    shown = {cls.__name__: {name: p.default for name, p in inspect.signature(cls).parameters.items()
                            if p.kind is p.POSITIONAL_OR_KEYWORD}
             for cls in (SGD, RMSprop, Adagrad, Adadelta, Adam, Adamax, Nadam)}
    assert shown == {
        "Adagrad": dict(learning_rate=0.01, epsilon=None),
        "Adadelta": dict(learning_rate=1.0, rho=0.95, epsilon=None),
        "Adamax": dict(learning_rate=0.002, beta_1=0.9, beta_2=0.999, epsilon=None),
        "Nadam": dict(learning_rate=0.002, beta_1=0.9, beta_2=0.999, epsilon=None, schedule_decay=0.004),
        "SGD": dict(learning_rate=0.01, momentum=0.0, nesterov=False),
        "RMSprop": dict(learning_rate=0.001, rho=0.9, epsilon=None),
        "Adam": dict(learning_rate=0.001, beta_1=0.9, beta_2=0.999, amsgrad=False, epsilon=None)}
    assert Adam().epsilon == 1e-7 and Adam().decay == 0


def test_decay_counts_steps_from_zero():
    path = np.cumsum([-1.0, -1 / 2, -1 / 3])
    assert steps(SGD(1.0, decay=1.0), start=0.0, gradients=[1.0, 1.0, 1.0]) == pytest.approx(path, rel=1e-14)


def test_clipnorm_is_the_norm_of_all_gradients_together():
    assert updated(SGD(1.0, clipnorm=1.0), parameters(0, 0, 0, 0), 3, 3, 3, 3) == pytest.approx([-0.5] * 4)


def test_a_short_gradient_is_not_clipped():
    assert updated(SGD(1.0, clipnorm=1.0, clipvalue=0.5), parameters(0, 0), 0.3, -0.4) == [-0.3, 0.4]


def test_no_gradient_at_all_is_not_clipped_either():
    assert updated(SGD(1.0, clipnorm=1.0), parameters(1, 2), 0, 0) == [1, 2]


def test_clipvalue_clips_each_number():
    assert updated(SGD(1.0, clipvalue=0.5), parameters(0, 0, 0), 3, -3, 0.2) == [-0.5, 0.5, -0.2]


@pytest.mark.parametrize("make", [SGD, lambda: SGD(momentum=0.9), RMSprop, Adam, lambda: Adam(amsgrad=True), Adagrad,
                                  Adadelta, Adamax, Nadam])
def test_a_long_vector_moves_in_blocks_like_many_short_ones(make):
    rng = np.random.default_rng(0)
    p, gradients = rng.standard_normal(100_000).astype("float32"), rng.standard_normal((3, 100_000)).astype("float32")
    whole, one = (ParameterVector([Parameter("p", xp.asarray(part))]) for part in (p, p[77_777:77_778]))
    optimizer, single = make(), make()
    for g in gradients:
        moved, alone = updated(optimizer, whole, *g), updated(single, one, g[77_777])
    assert whole.value.dtype == np.float32
    assert moved[77_777] == pytest.approx(alone[0], rel=1e-6)


def test_an_optimizer_takes_keras_short_names():
    optimizer = RMSprop(lr=0.5)
    optimizer.lr = 0.25
    assert optimizer.learning_rate == 0.25
    assert isinstance(optimizers.get("adam"), Adam) and isinstance(optimizers.get("RMSprop"), RMSprop)
    assert RMSprop().epsilon == backend.epsilon()


def test_repr_builds_the_optimizer_again():
    assert repr(eval(repr(SGD(0.1, momentum=0.9, clipnorm=1.0)))) == "SGD(0.1, momentum=0.9, clipnorm=1.0)"


def test_an_optimizer_of_ones_own_is_an_equation():
    class SignSGD(Optimizer):
        def step(self, p, g, lr):
            p -= lr * xp.sign(g)

    assert steps(SignSGD(0.5), gradients=[3.0, -0.1]) == [0.5, 1.0]


def test_one_optimizer_keeps_slots_for_each_of_several_models_and_counts_the_steps_of_all():
    optimizer, first, second = Adam(), parameters(0, 0, 0), parameters(0)
    updated(optimizer, first, 1, 1, 1)
    mean, _ = map(to_numpy, optimizer.bind(first))
    updated(optimizer, second, 1)
    assert to_numpy(first.slots[optimizer, "mean"]).tolist() == mean.tolist() == [1 - 0.9] * 3
    assert to_numpy(second.slots[optimizer, "mean"]).tolist() == [1 - 0.9]
    assert optimizer.iterations == 2
    updated(optimizer, first, 1, 1, 1)
    assert to_numpy(first.slots[optimizer, "mean"]) == pytest.approx(1 - 0.9**2)


@pytest.mark.parametrize("make, error, message", [
    (lambda: RMSprop(foo=1), TypeError,
     "Unexpected keyword argument passed to optimizer: 'foo'. RMSprop takes: learning_rate, rho"),
    (lambda: SGD(-1), ValueError, "learning_rate must be a number of at least 0, got -1"),
    (lambda: SGD(float("nan")), ValueError, "learning_rate"),
    (lambda: SGD(clipnorm=-1), ValueError, "clipnorm"),
    (lambda: SGD(momentum=1), ValueError, "momentum must be a number of at least 0 and below 1, got 1"),
    (lambda: RMSprop(rho=-0.1), ValueError, "rho"),
    (lambda: Adam(beta_2=1.5), ValueError, "beta_2"),
    (lambda: RMSprop(epsilon=0), ValueError, "epsilon must be a number above 0, got 0"),
    (lambda: SGD(lr="0.1"), ValueError, "learning_rate must be a number of at least 0, got '0.1'"),
    (lambda: setattr(SGD(), "lr", float("nan")), ValueError, "learning_rate must be a number"),
    (lambda: optimizers.get("rmsprp"), ValueError, "Unknown optimizer: rmsprp. Did you mean 'rmsprop'.* Known: Ada"),
    (lambda: optimizers.get(3), TypeError, "got 3"),
])
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()
