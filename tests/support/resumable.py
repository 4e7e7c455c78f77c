"""python resumable.py FOLDER KILL EVERY [OPTIMIZER]

Train with a backup every EVERY batches and print a hash of all that came of it; SIGKILL after KILL batches (0: never).
"""
import hashlib
import itertools
import os
import signal
import sys

import numpy as np

from tinynet.callbacks import (BackupAndRestore, CSVLogger, EarlyStopping, LambdaCallback, LearningRateScheduler,
                               ReduceLROnPlateau)
from tinynet.layers import BatchNormalization, Dense, Dropout, GaussianNoise
from tinynet.models import Sequential


def main():
    folder, kill, every = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    np.random.seed(0 if folder.endswith("whole") else kill)        # a later start must not depend on its own draws
    if not os.path.exists(folder):
        np.random.seed(0)
    model = Sequential([Dense(16, activation="relu", input_shape=(10,)), Dropout(0.3), GaussianNoise(0.1),
                        BatchNormalization(), Dense(3, activation="softmax")])
    model.compile(sys.argv[4] if len(sys.argv) > 4 else "adam", "categorical_crossentropy", metrics=["accuracy"])
    data = np.random.RandomState(5)
    x, y = data.random_sample((200, 10)), np.eye(3)[data.randint(0, 3, 200)]
    batches = itertools.count(1)

    def count(batch, logs):
        if next(batches) == kill:
            os.kill(os.getpid(), signal.SIGKILL)

    history = model.fit(x, y, batch_size=32, epochs=7, verbose=0, validation_split=0.2, callbacks=[
        EarlyStopping(patience=3, restore_best_weights=True), ReduceLROnPlateau("loss", patience=1),
        LearningRateScheduler(lambda epoch, rate: rate * 0.9), LambdaCallback(on_batch_end=count),
        BackupAndRestore(folder, every if every == "epoch" else int(every)), CSVLogger(folder + ".csv")])
    arrays = [*model.get_weights(), *model.parameters.slots.values(), model.optimizer.step_state]
    lines = open(folder + ".csv").read()
    print(hashlib.sha256(b"".join(a.tobytes() for a in arrays) + f"{history.history}{lines}".encode()).hexdigest())


if __name__ == "__main__":
    main()
