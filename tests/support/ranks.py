"""mpiexec -n 2 python ranks.py SCENARIO ...

What the ranks do that tests/test_distributed.py starts.  Every scenario that trains to the end prints a hash of all
that came of it.
"""
import hashlib
import itertools
import json
import multiprocessing
import os
import signal
import sys
import time

import numpy as np

from tinynet import backend, distributed
from tinynet.device import launcher, threads as parallel
from tinynet.backend import to_numpy
from tinynet.callbacks import BackupAndRestore, Callback, CSVLogger, LambdaCallback, ModelCheckpoint, ReduceLROnPlateau
from tinynet.training.dataset import Sequence
from tinynet.layers import BatchNormalization, Dense, Dropout, GaussianNoise, Layer
from tinynet.models import Sequential, load_model

random = np.random.RandomState(5)
X, Y = random.random_sample((203, 10)), np.eye(3)[random.randint(0, 3, 203)]


def first() -> bool:
    return distributed.rank() == 0


def network(units=16):
    model = Sequential([
        Dense(units, activation="relu", input_shape=(10,)), Dropout(0.3), Dropout(0.1, noise_shape=(1, None)),
        GaussianNoise(0.1), BatchNormalization(), Dense(16, activation="relu", kernel_regularizer="l2",
                                                        activity_regularizer="l1"), Dense(3, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy", "data_loss", "regularization"])
    return model


def report(model, history, text="", x=X):
    """Print a hash of weights, what the optimizer keeps, history and predictions, in stdout and so once."""
    slots = map(to_numpy, model.parameters.slots.values())
    arrays = [*model.get_weights(), *slots, to_numpy(model.optimizer.step_state), model.predict(x)]
    print("SHA-256", hashlib.sha256(b"".join(a.tobytes() for a in arrays) + f"{history.history}{text}".encode())
          .hexdigest())


FAULTS = {
    "exception": lambda: 1 / 0,
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "Ctrl-C": lambda: os.kill(os.getpid(), signal.SIGINT),
    "exit": lambda: sys.exit(3),
    "os._exit(0)": lambda: os._exit(0),
    "Ctrl-C of mpiexec": lambda: time.sleep(0.5),       # in which the test interrupts mpiexec
}


def backed_up(folder, kind="", when="0", who="0"):
    """Train with backups; on rank `who`, after `when` batches, something happens."""
    distributed.init()
    np.random.seed(distributed.rank())      # rank 0's numbers count
    model, batches = network(), itertools.count(1)

    def fault(batch, logs):
        if next(batches) == int(when) and distributed.rank() == int(who):
            with open(os.path.join(folder, "time"), "w") as file:
                file.write(str(time.time()))
            FAULTS[kind]()

    history = model.fit(X, Y, batch_size=32, epochs=4, verbose=2, validation_split=0.2, callbacks=[
        LambdaCallback(on_batch_end=fault), ReduceLROnPlateau("loss", patience=1), BackupAndRestore(folder, 2),
        ModelCheckpoint(os.path.join(folder, "best.safetensors"), save_best_only=True),
        CSVLogger(os.path.join(folder, "log.csv"))])
    report(model, history, open(os.path.join(folder, "log.csv")).read())


def options(text):
    """Train with init's options as JSON, on batches larger and smaller than there are shards, with weights."""
    distributed.init(**json.loads(text))
    np.random.seed(0)
    model = network()
    history = model.fit(X, Y, batch_size=67, epochs=3, verbose=0, sample_weight=np.arange(203) / 100,
                        validation_data=(X[:50], Y[:50]))
    report(model, history)
    model = network()
    report(model, model.fit(X[:20], Y[:20], batch_size=3, epochs=2, verbose=0))     # fewer rows than shards


def any_order(*given):
    """The sum of all weights, in float64, of a network whose gradient does not depend on how a batch is cut."""
    if given:
        distributed.init(**json.loads(given[0]))
    backend.set_floatx("float64")
    np.random.seed(0)
    model = Sequential([Dense(16, activation="relu", input_shape=(10,)), Dropout(0.3), Dense(3, activation="softmax")])
    model.compile("rmsprop", "categorical_crossentropy")
    model.fit(X, Y, batch_size=50, epochs=3, verbose=0)
    print(np.abs(to_numpy(model.parameters.value)).sum())


def tutorial():
    """Five thousand samples for the tutorial's network, two threads in each rank."""
    distributed.init()
    parallel.set_threads(2)
    np.random.seed(0)
    model = Sequential([Dense(512, activation="relu", input_shape=(784,)), Dropout(0.2),
                        Dense(512, activation="relu"), Dropout(0.2), Dense(10, activation="softmax")])
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x = np.random.random((5000, 784))
    report(model, model.fit(x, np.arange(5000) % 10, batch_size=128, verbose=0), x=x)


class Batches(Sequence):
    def __len__(self):
        return 6

    def __getitem__(self, i):
        return X[i * 30:i * 30 + 30], Y[i * 30:i * 30 + 30]


def sequence():
    """Batches of a Sequence, and of a generator, that every rank makes for itself."""
    distributed.init()
    np.random.seed(0)
    model = network()
    report(model, model.fit(Batches(), epochs=3, verbose=0, validation_data=Batches()))
    endless = itertools.cycle([(X[:33], Y[:33]), (X[33:40], Y[33:40])])
    report(model, model.fit(endless, steps_per_epoch=5, epochs=2, verbose=0))


def saved(folder):
    """Rank 0 writes, all read: the model that is loaded is the one that was saved, and goes on like it."""
    distributed.init()
    model = network()
    path = os.path.join(folder, "model.safetensors")
    model.fit(X, Y, verbose=0)
    model.save(path)
    assert (load_model(path).predict(X) == model.predict(X)).all()
    if not first():
        model.load_weights("no folder of this name/model.safetensors")      # only rank 0 looks
    else:
        model.load_weights(path)
    try:
        model.save(path, overwrite=False)
    except FileExistsError as error:
        print(error)
    try:
        model.save(os.path.join(folder, "missing", "x"))
    except FileNotFoundError as error:
        print(error)
    if distributed.size() > 1 and not first():
        model.set_weights([0 * w for w in model.get_weights()])     # rank 0's count
    report(model, model.fit(X, Y, verbose=0))


# What is wrong, and is said in words


def different(what):
    """Rank 1 does something else."""
    distributed.init(timeout=20)
    if what == "shards" and not first():
        distributed.init(shards=8)
    x = X if first() or what != "data" else X + 1e-9
    model = network(16 if first() or what != "layers" else 17)
    if what == "optimizer" and not first():
        model.compile("sgd", "categorical_crossentropy", metrics=["accuracy", "data_loss", "regularization"])
    if what == "activation":
        model = Sequential([Dense(3, activation="relu" if first() else "tanh", input_shape=(10,))])
    if what == "regularizer":
        model = Sequential([Dense(3, kernel_regularizer="l1" if first() else "l2", input_shape=(10,))])
    if what in ("activation", "regularizer", "loss"):
        model.compile("sgd", "mae" if what == "loss" and first() else "mse")
    if what == "trainable" and not first():
        model.layers[0].trainable = False
    if what == "epsilon" and not first():
        model.optimizer.epsilon = 1e-6
    if what == "a save" and first():
        model.save(os.path.join(os.environ["FOLDER"], "x"))
    callbacks = []
    if not first():
        callbacks = {"weights": [LambdaCallback(on_batch_end=lambda batch, logs: model.set_weights(
                         [w + 1e-7 for w in model.get_weights()]))],
                     "learning rate": [LambdaCallback(on_epoch_begin=lambda e, logs: model.optimizer.lr.assign(0.5))],
                     "random": [LambdaCallback(on_epoch_begin=lambda e, logs: np.random.rand(999))],
                     "stuck": [LambdaCallback(on_batch_end=lambda batch, logs: time.sleep(100))]}.get(what, [])
    if what in ("weights", "learning rate", "random", "stuck") and first():
        callbacks = [LambdaCallback()]
    if what == "stuck":
        distributed.init(timeout=1)
    if what == "batch":
        size = 30 if first() else 31
        return model.fit(itertools.cycle([(X[:size], Y[:size])]), steps_per_epoch=5, verbose=0)
    if what == "batches":
        np.random.seed(distributed.rank())
        same = itertools.cycle([(X[:30] + (0 if first() else 1e-3), Y[:30])])
        return model.fit(same, steps_per_epoch=5, verbose=0)
    if what == "no fit" and not first():
        return
    model.fit(x, Y, batch_size=32 if first() or what != "batch_size" else 33, verbose=0, callbacks=callbacks,
              epochs=1 if what != "weights" and what != "learning rate" else 20)


class Noise(Layer):
    def forward(self, x, training=False):
        return x + np.random.rand(*x.shape)

    def backward(self, dy):
        return dy


def odd(what):
    """Odd things that a program may do."""
    if what == "early":
        distributed.init(shards=4 if launcher.rank() == 0 else 3)
    distributed.init()
    if what == "spawn":     # a child is no rank
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.map(abs, [-1]))
    if what == "deaf":      # stdout that cannot be flushed must not keep an error from ending all
        sys.stdout = type("Deaf", (), {"write": lambda self, text: None})()
    model = Sequential([Noise(input_shape=(10,)), Dense(3)]) if what == "noise" else network()
    model.compile("sgd", "mse")
    callbacks = {"deaf": [LambdaCallback(on_batch_end=lambda batch, logs: first() or 1 / 0)],
                 "validation": [LambdaCallback(on_test_begin=lambda logs: first() or sys.exit())],
                 "order": [LambdaCallback(on_epoch_begin=lambda e, logs: first() or np.random.rand(99))]}.get(what, [])
    if what == "order":
        model.fit(Batches(), verbose=0, callbacks=callbacks)
    model.fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=callbacks)


def caught():
    """Rank 1 is interrupted while it waits for rank 0, and goes on as if nothing had been."""
    distributed.init(timeout=20)
    model = network()
    if first():
        time.sleep(1)
    else:
        signal.signal(signal.SIGALRM, lambda *_: 1 / 0)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            model.fit(X, Y, verbose=0)
        except ZeroDivisionError:
            pass
    model.fit(X, Y, verbose=0)


def endless(folder):
    """Train until something happens; each rank writes down its process."""
    distributed.init(timeout=5)
    np.random.seed(0)
    with open(os.path.join(folder, str(distributed.rank())), "w") as file:
        file.write(str(os.getpid()))
    model = Sequential([Dense(16, activation="relu", input_shape=(10,)), Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy")
    model.fit(X, Y, epochs=10**6, verbose=0)


def unasked():
    """Nobody calls init."""
    print(distributed.active(), distributed.size())


def forgotten():
    """Nobody calls init, and all train."""
    for _ in range(2):
        network().fit(X, Y, verbose=0)


def exits():
    """All ranks end by os._exit(0) when all is done."""
    distributed.init()
    network().fit(X, Y, verbose=0)
    os._exit(0)


def interrupted(folder):
    """Rank 1 alone gets Ctrl-C between two epochs, and all end after the backup."""
    distributed.init()
    network().fit(X, Y, epochs=3, verbose=0, callbacks=[
        BackupAndRestore(folder), LambdaCallback(on_epoch_end=lambda e, logs: first() or FAULTS["Ctrl-C"]())])


def backup_of_rank_0(folder):
    """Each rank has a folder of its own, as on machines without a common disk, and only that of rank 0 holds a backup.
    """
    distributed.init()
    np.random.seed(0)
    model = network()
    report(model, model.fit(X, Y, epochs=2, verbose=0, callbacks=[
        BackupAndRestore(os.path.join(folder, str(distributed.rank())))]))


def stopped():
    """One rank alone wants to stop after a batch, and all do."""
    distributed.init()
    model, seen = network(), []

    class Stop(Callback):
        def on_batch_end(self, batch, logs=None):
            seen.append(batch)
            if batch == 2 and not first() or distributed.size() == 1 and batch == 2:
                self.model.stop_training = True

    history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[Stop()])
    assert len(seen) == 3 and len(history.epoch) == 1, seen
    print("stopped by all")


def alone():
    """What rank 0 does alone, without the others: it needs none of them."""
    distributed.init()
    model = network()
    model.fit(X, Y, verbose=0)
    if first():
        model.evaluate(X, Y, verbose=0)
    model.fit(X, Y, verbose=0)      # what rank 0 did alone must not matter
    if first():
        print("accuracy", model.evaluate(X, Y, verbose=0)[1], model.predict(X).shape)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
