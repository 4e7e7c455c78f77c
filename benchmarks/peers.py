"""The same network in tinynet and in other libraries, each in the best set-up that it offers on a CPU.

Dense layers with relu and dropout 0.2, softmax and cross-entropy, RMSprop (0.001, 0.9, 1e-7), float32, every sample
once an epoch in a new order, the short last batch too, loss and accuracy averaged.  A maker returns (train, predict):
`train(epochs)` goes so often over the data and returns the mean loss of an epoch, `predict(x, size)` the probabilities.

    python benchmarks/peers.py NAME

serves one of them in a process of its own: a line of JSON in, a line of JSON out (benchmarks/compare.py).
"""
import json
import math
import os
import resource
import sys
import time
from typing import Any

import numpy as np

RATE = 0.2
KERAS2 = "Keras 2.3.1 on TensorFlow 2.1"
NO_COMPILER = "tinynet without a compiler"


def tinynet(x, y, sizes, batch):
    from tinynet import utils
    from tinynet.layers import Dense, Dropout
    from tinynet.models import Sequential

    model = Sequential()
    for d, u in zip(sizes[:-2], sizes[1:-1]):
        model.add(Dense(u, activation="relu", input_shape=None if model.layers else (d,)))
        model.add(Dropout(RATE))
    model.add(Dense(sizes[-1], activation="softmax"))
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    one_hot = utils.to_categorical(y, sizes[-1])

    def train(epochs=1):
        return model.fit(x, one_hot, batch_size=batch, epochs=epochs, verbose=0).history["loss"][-1]
    return train, lambda x, size: model.predict(x, batch_size=size)


def products(x, y, sizes, batch):
    """No network: the matrix products of its steps alone, by NumPy's BLAS with the threads it likes."""
    def array(*shape):
        return np.random.random(shape).astype("float32")

    work = []
    for i, (d, u) in enumerate(zip(sizes, sizes[1:])):
        a, w, dy = array(batch, d), array(d, u), array(batch, u)
        work += [(a, w, array(batch, u)), (a.T, dy, array(d, u))] + [(dy, w.T, array(batch, d))] * (i > 0)

    def train(epochs=1):
        for _ in range(epochs * math.ceil(len(x) / batch)):
            for a, b, out in work:
                np.matmul(a, b, out=out)
        return 0.1
    return train, None


def products_in_threads(x, y, sizes, batch):
    """The same, cut and played by tinynet's threads as in a recorded step."""
    from tinynet.backend import matmul
    from tinynet.device.plan import Plan
    from tinynet.device.record import Tape, recorded
    from tinynet.device.threads import workers

    def array(*shape):
        return recorded(np.random.random(shape).astype("float32"))

    layers = [(array(batch, d), array(d, u), array(batch, u)) for d, u in zip(sizes, sizes[1:])]
    with Tape() as tape:
        for a, w, _ in layers:
            matmul(a, w, array(batch, w.shape[1]))
        for a, w, dy in layers[:0:-1]:
            matmul(dy, w.T, array(batch, len(w)))
        for a, w, dy in layers:
            matmul(a.T, dy, array(*w.shape))
    plan = Plan(tape)

    def train(epochs=1):
        with workers():
            for _ in range(epochs * math.ceil(len(x) / batch)):
                plan.play()
        return 0.1
    return train, None


def numpy_lines(x, y, sizes, batch):
    """No training: the lines of NumPy that predict."""
    weights = [(np.random.standard_normal((d, u)).astype("float32") * 0.01, np.zeros(u, "float32"))
               for d, u in zip(sizes, sizes[1:])]

    def predict(x, size):
        results = []
        for i in range(0, len(x), size):
            h = x[i:i + size]
            for w, b in weights[:-1]:
                h = np.maximum(h @ w + b, 0)
            z = h @ weights[-1][0] + weights[-1][1]
            e = np.exp(z - z.max(axis=1, keepdims=True))
            results.append(e / e.sum(axis=1, keepdims=True))
        return np.concatenate(results)
    return lambda epochs=1: 0.1, predict


def torch_eager(x, y, sizes, batch):
    import torch
    from torch import nn

    torch.set_num_threads(cores())
    layers: list = []
    for d, u in zip(sizes[:-2], sizes[1:-1]):
        layers += [nn.Linear(d, u), nn.ReLU(), nn.Dropout(RATE)]
    network = nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))
    optimizer = torch.optim.RMSprop(network.parameters(), lr=1e-3, alpha=0.9, eps=1e-7, foreach=True)
    data, targets = torch.from_numpy(x), torch.from_numpy(y)

    def epoch():
        order, total, right = torch.randperm(len(x)), torch.zeros(()), torch.zeros((), dtype=torch.long)
        for start in range(0, len(x), batch):
            rows = order[start:start + batch]
            t = targets[rows]
            logits = network(data[rows])
            loss = nn.functional.cross_entropy(logits, t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
            right += (logits.argmax(1) == t).sum()
        return float(total) / len(x)

    def train(epochs=1):
        network.train()
        return [epoch() for _ in range(epochs)][-1]

    def predict(x, size):
        network.eval()
        with torch.inference_mode():
            return torch.cat([network(part).softmax(1) for part in torch.from_numpy(x).split(size)]).numpy()
    return train, predict


def jax_scan(x, y, sizes, batch):
    """One jitted lax.scan over the batches of an epoch."""
    import jax
    from jax import numpy as jnp

    data, targets = jnp.asarray(x), jnp.asarray(y)
    keys = jax.random.split(jax.random.key(0), len(sizes))
    weights = [(jax.random.uniform(key, (d, u), minval=-1, maxval=1) * (6 / (d + u)) ** 0.5, jnp.zeros(u))
               for key, d, u in zip(keys, sizes, sizes[1:])]
    state: list[Any] = [(weights, jax.tree.map(jnp.zeros_like, weights), jax.random.key(1)), jax.random.key(2)]

    def logits(weights, h, key=None):
        for i, (w, b) in enumerate(weights):
            h = h @ w + b
            if i < len(weights) - 1:
                h = jax.nn.relu(h)
                if key is not None:
                    keep = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - RATE, h.shape)
                    h = jnp.where(keep, h / (1 - RATE), 0)
        return h

    def loss_of(weights, rows, key):
        z = logits(weights, data[rows], key)
        picked = jnp.take_along_axis(jax.nn.log_softmax(z), targets[rows, None], 1)
        return -picked.mean(), (z.argmax(1) == targets[rows]).sum()

    def step(state, rows):
        weights, squares, key = state
        key, mask_key = jax.random.split(key)
        (loss, right), g = jax.value_and_grad(loss_of, has_aux=True)(weights, rows, mask_key)
        squares = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g * g, squares, g)
        weights = jax.tree.map(lambda w, a, g: w - 1e-3 * g / (jnp.sqrt(a) + 1e-7), weights, squares, g)
        return (weights, squares, key), (loss * len(rows), right)

    @jax.jit
    def one_epoch(state, key):
        order = jax.random.permutation(key, len(x))
        whole = len(x) // batch * batch
        state, (losses, rights) = jax.lax.scan(step, state, order[:whole].reshape(-1, batch))
        rest = (0.0, 0)
        if whole < len(x):
            state, rest = step(state, order[whole:])
        return state, (losses.sum() + rest[0]) / len(x), (rights.sum() + rest[1]) / len(x)

    def train(epochs=1):
        for _ in range(epochs):
            state[1], key = jax.random.split(state[1])
            state[0], loss, accuracy = one_epoch(state[0], key)
            assert 0 < float(accuracy) <= 1
        return float(loss)

    probabilities = jax.jit(lambda weights, x: jax.nn.softmax(logits(weights, x)))

    def predict(x, size):
        return np.concatenate([np.asarray(probabilities(state[0][0], x[i:i + size])) for i in range(0, len(x), size)])
    return train, predict


def keras3(backend):
    def maker(x, y, sizes, batch):
        os.environ["KERAS_BACKEND"] = backend
        import keras

        layers: list = [keras.Input((sizes[0],))]
        for u in sizes[1:-1]:
            layers += [keras.layers.Dense(u, activation="relu"), keras.layers.Dropout(RATE)]
        model = keras.Sequential([*layers, keras.layers.Dense(sizes[-1], activation="softmax")])
        model.compile(optimizer=keras.optimizers.RMSprop(0.001, rho=0.9, epsilon=1e-7), loss="categorical_crossentropy",
                      metrics=["accuracy"])
        one_hot = keras.utils.to_categorical(y, sizes[-1])

        def train(epochs=1):
            return model.fit(x, one_hot, batch_size=batch, epochs=epochs, verbose=0).history["loss"][-1]
        return train, lambda x, size: model.predict(x, batch_size=size, verbose=0)
    return maker


def keras2(x, y, sizes, batch):
    """Keras 2.3.1, which needs Python 3.7 or older."""
    import keras

    model = keras.Sequential()
    for d, u in zip(sizes[:-2], sizes[1:-1]):
        model.add(keras.layers.Dense(u, activation="relu", input_shape=(d,)))
        model.add(keras.layers.Dropout(RATE))
    model.add(keras.layers.Dense(sizes[-1], activation="softmax"))
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    one_hot = keras.utils.to_categorical(y, sizes[-1])

    def train(epochs=1):
        return model.fit(x, one_hot, batch_size=batch, epochs=epochs, verbose=0).history["loss"][-1]
    return train, lambda x, size: model.predict(x, batch_size=size)


def scikit_learn(x, y, sizes, batch):
    """MLPClassifier has neither dropout nor RMSprop: without the one, and with Adam for the other."""
    import warnings

    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(sizes[1:-1], batch_size=batch, warm_start=True, alpha=0, n_iter_no_change=1000,
                          random_state=0)
    warnings.simplefilter("ignore")     # that so few epochs have not converged

    def train(epochs=1):
        model.set_params(max_iter=epochs).fit(x, y)
        return model.loss_
    return train, lambda x, size: model.predict_proba(x)


OURS = ["numpy", "tqdm", "threadpoolctl", "platformdirs", "safetensors"]
# name: (maker, package to import, distributions that have to be installed)
PEERS: dict = {
    "tinynet": (tinynet, "tinynet", OURS), NO_COMPILER: (tinynet, "tinynet", OURS),
    "JAX jit(scan)": (jax_scan, "jax", ["jax", "jaxlib", "numpy", "ml_dtypes", "opt_einsum", "scipy"]),
    "PyTorch eager": (torch_eager, "torch", ["torch", "numpy"]),
    "Keras 3 on JAX": (keras3("jax"), "keras", ["keras", "jax", "jaxlib", "numpy", "h5py", "ml_dtypes", "scipy"]),
    "Keras 3 on PyTorch": (keras3("torch"), "keras", ["keras", "torch", "numpy", "h5py", "ml_dtypes"]),
    "Keras 3 on TensorFlow": (keras3("tensorflow"), "tensorflow",
                              ["keras", "tensorflow", "tensorflow_cpu", "numpy", "h5py", "ml_dtypes", "protobuf"]),
    KERAS2: (keras2, "keras", ["keras", "tensorflow", "numpy", "h5py", "scipy"]),
    "scikit-learn": (scikit_learn, "sklearn", ["scikit-learn", "scipy", "joblib", "threadpoolctl", "numpy"]),
    "matrix products alone": (products, "numpy", ["numpy"]),
    "matrix products, tinynet's threads": (products_in_threads, "numpy", ["numpy"]),
}
OTHERS: dict = {"lines of NumPy": (numpy_lines, "numpy", [])}


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory() -> float:
    """The most memory that this process has held, in MB."""
    if os.path.exists("/proc/self/status"):     # there getrusage counts the process that started this one
        with open("/proc/self/status") as status:
            return next(float(line.split()[1]) / 1e3 for line in status if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def serve(name):
    """Answer commands: build a network for some data, train, predict; seconds are those of an epoch."""
    replies, sys.stdout = sys.stdout, sys.stderr        # whatever a library prints is no reply
    if name == NO_COMPILER:
        os.environ["TINYNET_COMPILE"] = "off"
    train: Any = None
    predict: Any = None
    x: Any = None
    for line in sys.stdin:
        command = json.loads(line)
        start = time.perf_counter()
        reply = {}
        if command["do"] == "build":
            x, y = np.load(command["x"], mmap_mode="r")[:command["samples"]], np.load(command["y"])[:command["samples"]]
            if command.get("columns"):      # a small table, of two classes
                x, y = x[:, 300:300 + command["columns"]], y % 2
            x = np.ascontiguousarray(x)
            train, predict = {**PEERS, **OTHERS}[name][0](x, y, tuple(command["sizes"]), command["batch"])
        elif command["do"] == "train":
            reply["loss"] = train(command["epochs"])
        else:
            predict(x[:command["samples"]], command["batch"])
        reply.update(seconds=(time.perf_counter() - start) / command.get("epochs", 1), peak=peak_memory())
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
