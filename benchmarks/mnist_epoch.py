"""How long an epoch of examples/mnist_dnn.py takes, and how long its matrix products alone take on the same machine.

    python benchmarks/mnist_epoch.py [--epochs 7]

A step of the network 784-512-512-10 on 128 samples has eight products: three forward, five back.  Whatever an epoch
takes beyond them is what tinynet adds.  Epochs and products take turns, so that noise of the machine hits both alike.
"""
import argparse
import statistics
import time

import numpy as np

import tinynet
from tinynet.backend import matmul, threads
from tinynet.datasets import mnist
from tinynet.layers import Dense, Dropout
from tinynet.models import Sequential
from tinynet.optimizers import RMSprop
from tinynet.device.threads import workers

BATCH, SIZES = 128, (784, 512, 512, 10)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--epochs", type=int, default=7, help="how often each is timed (default 7)")
    rounds = parser.parse_args().epochs

    (x, y), _ = mnist.load_data()
    x, y = x.reshape(-1, 784).astype("float32") / 255, tinynet.utils.to_categorical(y, 10)
    model = tutorial_model()
    steps = -(-len(x) // BATCH)
    products = matrix_products()

    def epoch():
        model.fit(x, y, batch_size=BATCH, verbose=0)

    def products_by_tinynet():
        with workers():
            for _ in range(steps):
                for a, b, out in products:
                    matmul(a, b, out)

    def products_by_blas():
        for _ in range(steps):
            for a, b, out in products:
                np.matmul(a, b, out=out)

    contenders = {"an epoch": epoch, f"its products, tinynet's {threads()} threads": products_by_tinynet,
                  "its products, BLAS's own threads": products_by_blas}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for run in contenders.values():
        run()       # the first time pays for memory and threads
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)

    print(f"{'seconds':<42}  median     min     max")
    for name, times in seconds.items():
        print(f"{name:<42} {statistics.median(times):7.3f} {min(times):7.3f} {max(times):7.3f}")
    medians = [statistics.median(times) for times in seconds.values()]
    print(f"ratio of an epoch to the faster products: {medians[0] / min(medians[1:]):.2f} of the medians")


def tutorial_model():
    """The network of examples/mnist_dnn.py, compiled."""
    model = Sequential([
        Dense(512, activation="relu", input_shape=(784,)), Dropout(0.2),
        Dense(512, activation="relu"), Dropout(0.2),
        Dense(10, activation="softmax")])
    model.compile(loss="categorical_crossentropy", optimizer=RMSprop(), metrics=["accuracy"])
    return model


def matrix_products():
    """The eight products of a step, as (a, b, out) arrays of their shapes: y = x W, dW = x^T dy, dx = dy W^T."""
    def array(*shape):
        return np.random.random(shape).astype("float32")

    products = []
    for d, u in zip(SIZES, SIZES[1:]):
        x, w, dy = array(BATCH, d), array(d, u), array(BATCH, u)
        products += [(x, w, array(BATCH, u)), (x.T, dy, array(d, u))]
        if d != SIZES[0]:       # nobody needs the gradient of the data
            products.append((dy, w.T, array(BATCH, d)))
    return products


if __name__ == "__main__":
    main()
