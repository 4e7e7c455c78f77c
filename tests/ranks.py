"""mpiexec -n 2 python ranks.py FOLDER KIND WHEN WHO

One of the ranks that tests/test_distributed.py starts: train, print a hash of all that came of it, and on the way do
what KIND says, on rank WHO, after WHEN batches.
"""
import hashlib
import itertools
import os
import signal
import sys

import numpy as np

from tinynet import distributed
from tinynet.callbacks import BackupAndRestore, CSVLogger, LambdaCallback, ModelCheckpoint, ReduceLROnPlateau
from tinynet.layers import BatchNormalization, Dense, Dropout, GaussianNoise
from tinynet.models import Sequential

FAULTS = {
    "exception": lambda: 1 / 0,
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "Ctrl-C": lambda: os.kill(os.getpid(), signal.SIGINT),
    "exit": lambda: sys.exit(3),
    "nothing": lambda: None,
}


def network():
    model = Sequential([Dense(16, activation="relu", input_shape=(10,)), Dropout(0.3), GaussianNoise(0.1),
                        BatchNormalization(), Dense(16, activation="relu", kernel_regularizer="l2",
                                                    activity_regularizer="l1"), Dense(3, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy", "data_loss"])
    return model


def main():
    folder, kind, when, who = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    distributed.init()
    np.random.seed(distributed.rank())      # rank 0's numbers count
    model = network()
    data = np.random.RandomState(5)
    x, y = data.random_sample((203, 10)), np.eye(3)[data.randint(0, 3, 203)]
    batches = itertools.count(1)

    def fault(batch, logs):
        if next(batches) == when and distributed.rank() == who:
            FAULTS[kind]()

    history = model.fit(x, y, batch_size=32, epochs=4, verbose=2, validation_split=0.2, callbacks=[
        LambdaCallback(on_batch_end=fault), ReduceLROnPlateau("loss", patience=1), BackupAndRestore(folder, 2),
        ModelCheckpoint(os.path.join(folder, "best.safetensors"), save_best_only=True),
        CSVLogger(os.path.join(folder, "log.csv"))])
    arrays = [*model.get_weights(), *model.optimizer.slots, model.optimizer.clock, model.predict(x)]
    lines = open(os.path.join(folder, "log.csv")).read()
    print("SHA-256", hashlib.sha256(b"".join(a.tobytes() for a in arrays) +
                                    f"{history.history}{lines}".encode()).hexdigest())


if __name__ == "__main__":
    main()
