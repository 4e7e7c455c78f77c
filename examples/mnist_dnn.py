"""Handwritten digits with a deep network: the Keras tutorial's program on tinynet.

    python examples/mnist_dnn.py [--epochs 32] [--batch-size 128] [--seed N] [--output-dir mnist_dnn_output]
                                 [--checkpoint-dir FOLDER]
    mpiexec -n 4 python -m mpi4py examples/mnist_dnn.py ...

Prints the shapes of the data, the network, the progress and the result; writes five plots. With a checkpoint folder the
same command continues a run that was stopped by Ctrl-C or a crash. Under mpiexec all processes train one network, and
the first of them prints and draws.
"""
import argparse
from pathlib import Path

import tinynet
from tinynet import distributed, plotting
from tinynet.callbacks import BackupAndRestore
from tinynet.datasets import mnist
from tinynet.layers import Dense, Dropout
from tinynet.models import Sequential
from tinynet.optimizers import RMSprop

parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
parser.add_argument("--epochs", type=int, default=32)
parser.add_argument("--batch-size", type=int, default=128)
parser.add_argument("--seed", type=int, help="of all random numbers; a new one each time by default")
parser.add_argument("--output-dir", type=Path, default=Path("mnist_dnn_output"), help="for the plots")
parser.add_argument("--checkpoint-dir", help="for backups, from which the same command continues")
args = parser.parse_args()
if distributed.launched():
    distributed.init()
if args.seed is not None:
    tinynet.utils.set_random_seed(args.seed)

# The data: 60,000 training images and 10,000 test images.
(x_train, y_train), (x_test, y_test) = mnist.load_data()
print(x_train.shape, "x_train samples")
print(x_test.shape, "x_test samples")
print(y_train.shape, "y_train samples")
print(y_test.shape, "y_test samples")
images, digits, samples = x_test, y_test, (x_train[:48], y_train[:48])
args.output_dir.mkdir(parents=True, exist_ok=True)

# Each image becomes a row of 784 numbers from 0 to 1, each digit a one-hot row of ten.
x_train = x_train.reshape(60000, 784).astype("float32") / 255
x_test = x_test.reshape(10000, 784).astype("float32") / 255
y_train = tinynet.utils.to_categorical(y_train, 10)
y_test = tinynet.utils.to_categorical(y_test, 10)

# The network: 784 inputs, two hidden layers, ten probabilities.
model = Sequential()
model.add(Dense(512, activation="relu", input_shape=(784,)))
model.add(Dropout(0.2))
model.add(Dense(512, activation="relu"))
model.add(Dropout(0.2))
model.add(Dense(10, activation="softmax"))
model.summary()

model.compile(loss="categorical_crossentropy", optimizer=RMSprop(), metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=args.batch_size, epochs=args.epochs, verbose=1,
                    validation_data=(x_test, y_test),
                    callbacks=[BackupAndRestore(args.checkpoint_dir)] if args.checkpoint_dir else None)

score = model.evaluate(x_test, y_test, verbose=0)
print("Test loss:", score[0])
print("Test accuracy:", score[1])

# Plots of the data, of training, and of what the network still predicts wrong.
if distributed.rank() == 0:
    probabilities = model.predict(x_test)
    plots = {"samples": plotting.plot_samples(*samples),
             "accuracy": plotting.plot_history(history, "accuracy"),
             "loss": plotting.plot_history(history, "loss"),
             "confusion_matrix": plotting.plot_confusion_matrix(digits, probabilities.argmax(axis=1)),
             "mistakes": plotting.plot_mistakes(images, digits, probabilities)}
    for name, plot in plots.items():
        plot.savefig(args.output_dir / f"{name}.png")
    print(f"Wrote {', '.join(plots)} (.png) into {args.output_dir}/")
