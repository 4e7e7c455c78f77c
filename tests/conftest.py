"""What several test files share: float64 for exact comparisons, and two small models."""
import importlib.util
import os
import sys

import numpy as np
import pytest
from hypothesis import settings

# The suite is about NumPy; `-m gpu` is about a GPU if there is one.
asked_for_gpu = any(arg.startswith("-m") for arg in sys.argv) and "gpu" in " ".join(sys.argv)
installed = importlib.util.find_spec("cupy") is not None
os.environ.setdefault("TINYNET_BACKEND", "cupy" if asked_for_gpu and installed else "numpy")
collect_ignore = ["cudacpu"]        # for an environment with CuPy; test_cudacpu.py runs it

from tinynet import backend                # noqa: E402
from tinynet.device import threads         # noqa: E402
from tinynet.layers import Dense           # noqa: E402
from tinynet.models import Sequential      # noqa: E402


settings.register_profile("tinynet", deadline=None)     # a busy machine is no failure
settings.load_profile("tinynet")


@pytest.fixture(autouse=True)
def same_state_before_every_test():
    """Every test starts from seed 0, float32, layer names from 1 and the threads the process began with."""
    floatx, epsilon, before = backend.floatx(), backend.epsilon(), threads.threads()
    np.random.seed(0)
    backend._uids.clear()
    yield
    backend.set_floatx(floatx)
    backend.set_epsilon(epsilon)
    threads.set_threads(before)


@pytest.fixture
def rng():
    """A random generator of the test's own, so that its numbers do not depend on the tests before it."""
    return np.random.default_rng(0)


@pytest.fixture
def float64():
    backend.set_floatx("float64")


@pytest.fixture
def model():
    """A model of all kinds of state, trained for two steps."""
    from harm import small_model        # here, because it needs a Unix system
    return small_model()


@pytest.fixture
def path(tmp_path):
    """Where a model file may be written."""
    return tmp_path / "model.safetensors"


@pytest.fixture
def classifier():
    """4 inputs, 5 hidden units, 3 classes, and 10 samples for it."""
    model = Sequential([Dense(5, activation="relu", input_shape=(4,)), Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    return model, rng.standard_normal((10, 4)), np.eye(3)[np.arange(10) % 3]
