"""Trains small networks in many ways and writes down every number, with the real Keras or with tinynet.

    python tests/keras_reference.py keras > tests/keras_reference.json

made the file beside this one, with Keras 2.3.1 on TensorFlow 2.1 (tests/test_keras_parity.py says how to install
them).  The same program under tinynet must give the same numbers.  Everything is float64 and starts from fixed weights.
"""
import importlib
import json
import sys

import numpy as np

X = np.sin(np.arange(1, 41)).reshape(10, 4)
CLASSES = np.arange(10) % 3
Y = np.eye(3)[CLASSES]
PAIRS = X.reshape(10, 2, 2)
WEIGHTS = np.linspace(0.1, 1, 10)
CLASS_WEIGHT = {0: 1.0, 1: 2.0, 2: 0.5}


def reference(library):
    """{case: {what: numbers}} of all cases."""
    layers = importlib.import_module(f"{library}.layers")
    optimizers = importlib.import_module(f"{library}.optimizers")
    Sequential = importlib.import_module(f"{library}.models").Sequential
    utils = importlib.import_module(f"{library}.utils")
    Dense, SGD, RMSprop = layers.Dense, optimizers.SGD, optimizers.RMSprop
    results = {}

    def network(*stack):
        model = Sequential(list(stack))
        model.set_weights([0.5 * np.cos(np.arange(w.size) + i).reshape(w.shape)
                           for i, w in enumerate(model.get_weights())])
        return model

    def mlp(activation="tanh", last="softmax", units=3):
        return network(Dense(5, activation=activation, input_shape=(4,)), Dense(units, activation=last))

    def case(name, model, optimizer, loss, x, y, metrics=("accuracy",), **options):
        model.compile(optimizer, loss, metrics=list(metrics))
        np.random.seed(3)
        options = {**dict(batch_size=4, epochs=3, shuffle=False, verbose=0), **options}
        history = model.fit(x, y, **options).history
        results[name] = {key: [float(v) for v in values] for key, values in history.items()}
        results[name]["evaluate"] = [float(v) for v in np.ravel(model.evaluate(x, y, batch_size=3, verbose=0))]
        results[name]["predict"] = model.predict(x).ravel().tolist()
        results[name]["weights"] = np.concatenate([w.ravel() for w in model.get_weights()]).tolist()

    cce, sparse, binary = "categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy"
    case("class_weight and validation_split", mlp(), SGD(0.1), cce, X, Y,
         validation_split=0.25, class_weight=CLASS_WEIGHT)
    case("class_weight, sample_weight and validation_split", mlp(), SGD(0.1), cce, X, Y, ["acc"],
         validation_split=0.3, class_weight=CLASS_WEIGHT, sample_weight=WEIGHTS)
    case("class numbers, weighted validation", mlp(), SGD(0.1, momentum=0.9), sparse, X, CLASSES, shuffle=True,
         validation_data=(X, CLASSES, WEIGHTS))
    case("class numbers in a column, class_weight", mlp(), RMSprop(), sparse, X, CLASSES.reshape(-1, 1),
         class_weight=CLASS_WEIGHT)
    case("shuffled batches, rare validation", mlp(), RMSprop(0.01), "mse", X, Y, ["accuracy", "mse"],
         shuffle="batch", epochs=5, validation_data=(X, Y), validation_freq=2)
    case("one sigmoid, clipvalue", mlp("relu", "sigmoid", 1), SGD(0.1, clipvalue=0.01), binary, X, CLASSES % 2,
         shuffle=True, validation_split=0.2)
    case("three sigmoids", mlp("relu", "sigmoid"), SGD(0.1), binary, X, Y, validation_split=0.2)
    case("binary_crossentropy of anything", mlp("sigmoid", "linear"), SGD(0.1), binary, X, Y)
    case("categorical_crossentropy after sigmoid", mlp("sigmoid", "sigmoid"), SGD(0.1), cce, X, Y)
    case("sparse_categorical_crossentropy after sigmoid", mlp("sigmoid", "sigmoid"), SGD(0.1), sparse, X, CLASSES)
    case("three axes", network(Dense(3, activation="tanh", input_shape=(2, 2)), Dense(2)), SGD(0.1), "mse", PAIRS,
         np.cos(PAIRS), ["mse"], validation_split=0.2, sample_weight=WEIGHTS)
    case("softmax over three axes",
         network(Dense(3, activation="tanh", input_shape=(2, 2)), Dense(2, activation="softmax")), SGD(0.1), cce, PAIRS,
         np.eye(2)[np.arange(20) % 2].reshape(10, 2, 2), validation_split=0.2)
    case("Flatten, Activation, Softmax, no bias",
         network(layers.Flatten(input_shape=(2, 2)), Dense(3, use_bias=False), layers.Activation("relu"), Dense(3),
                 layers.Softmax()), RMSprop(), cce, PAIRS, Y, ["categorical_accuracy"])
    case("Softmax(axis=1)", network(Dense(3, input_shape=(4,)), layers.Softmax(axis=1)), RMSprop(), cce, X, Y)
    case("ReLU with all arguments",
         network(Dense(6, input_shape=(4,)), layers.ReLU(max_value=0.6, negative_slope=0.1, threshold=0.05), Dense(3)),
         SGD(0.05), "mse", X, Y, ["mse"])
    case("ReLU with a negative threshold",
         network(Dense(6, input_shape=(4,)), layers.ReLU(max_value=0.3, threshold=-0.2), Dense(3)),
         SGD(0.05), "mse", X, Y, ["mse"])
    case("a frozen layer, both clips, Nesterov",
         network(Dense(5, activation="relu", input_shape=(4,), trainable=False), Dense(3, activation="softmax")),
         SGD(0.1, momentum=0.5, nesterov=True, clipnorm=0.3, clipvalue=0.05), cce, X, Y, [])
    case("logits in the hundreds", mlp("relu"), SGD(5.0), cce, X * 20, Y, [])
    case("soft targets", mlp(), SGD(0.1), cce, X, (Y + 0.1) / 1.3)
    case("accuracy of one output", mlp("tanh", "linear", 1), SGD(0.05), "mse", X, (CLASSES % 2).astype(float))
    case("initial_epoch", mlp(), SGD(0.1), "mse", X, Y, initial_epoch=1)

    model = mlp()
    model.compile(SGD(0.1), cce, metrics=["accuracy"])
    results["single batches"] = {
        "sample_weight": [float(v) for v in model.train_on_batch(X, Y, sample_weight=WEIGHTS)],
        "class_weight": [float(v) for v in model.train_on_batch(X, Y, class_weight=CLASS_WEIGHT)],
        "test": [float(v) for v in model.test_on_batch(X, Y)],
        "kept metrics": [float(v) for v in model.train_on_batch(X[:3], Y[:3], reset_metrics=False)],
        "added metrics": [float(v) for v in model.train_on_batch(X, Y)],
        "reset metrics": [float(v) for v in model.train_on_batch(X[:3], Y[:3])]}
    results["utils"] = {
        "to_categorical": utils.to_categorical([[1], [2]]).ravel().tolist(),
        "normalize": utils.normalize(X).ravel().tolist(),
        "normalize by columns, order 1": utils.normalize(X, axis=0, order=1).ravel().tolist(),
        "normalize one vector": utils.normalize(X[0]).ravel().tolist()}
    return results


if __name__ == "__main__":
    importlib.import_module(f"{sys.argv[1]}.backend").set_floatx("float64")
    json.dump(reference(sys.argv[1]), sys.stdout, indent=0)
