"""Trains small networks in many ways and writes down every number, with the real Keras or with tinynet.

    python tests/support/keras_reference.py keras > tests/support/keras_reference.json

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
    def module(name):
        return importlib.import_module(f"{library}.{name}")

    layers, optimizers, utils, losses, metrics = map(module, ("layers", "optimizers", "utils", "losses", "metrics"))
    Sequential, backend = module("models").Sequential, module("backend")
    regularizers, constraints, callbacks = map(module, ("regularizers", "constraints", "callbacks"))
    Dense, SGD, RMSprop = layers.Dense, optimizers.SGD, optimizers.RMSprop
    results = {}

    def network(*stack):
        model = Sequential(list(stack))
        model.set_weights([0.5 * np.cos(np.arange(w.size) + i).reshape(w.shape)
                           for i, w in enumerate(model.get_weights())])
        return model

    def mlp(activation="tanh", last="softmax", units=3, **options):
        return network(Dense(5, activation=activation, input_shape=(4,), **options), Dense(units, activation=last))

    def case(name, model, optimizer, loss, x, y, metrics=("accuracy",), weighted_metrics=None, **options):
        model.compile(optimizer, loss, metrics=list(metrics), weighted_metrics=weighted_metrics)
        np.random.seed(3)
        options = {**dict(batch_size=4, epochs=3, shuffle=False, verbose=0), **options}
        record(name, model, model.fit(x, y, **options), model.evaluate(x, y, batch_size=3, verbose=0), x)

    def record(name, model, history, evaluated, x):
        results[name] = {key: [float(v) for v in values] for key, values in history.history.items()}
        results[name]["evaluate"] = [float(v) for v in np.ravel(evaluated)]
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
    # Regularization, constraints
    l1_l2 = regularizers.l1_l2
    for where in ("kernel_regularizer", "bias_regularizer", "activity_regularizer"):
        for what in ("l1", "l2", "l1_l2", l1_l2(0.03, 0.1)):
            name = what if isinstance(what, str) else "stronger"
            case(f"{where} {name}", mlp(**{where: what}), SGD(0.1), cce, X, Y, validation_split=0.2)
    case("regularized after softmax",
         network(Dense(3, activation="softmax", input_shape=(4,), activity_regularizer=l1_l2(0.02, 0.1))), SGD(0.1),
         cce, X, Y, [cce], sample_weight=WEIGHTS)
    case("regularized after sigmoid",
         network(Dense(3, activation="sigmoid", input_shape=(4,), activity_regularizer="l2")), SGD(0.1), binary, X, Y)
    case("a frozen layer's penalty", mlp(kernel_regularizer=l1_l2(0.1, 0.2), trainable=False), SGD(0.1), cce, X, Y)
    case("clipped after regularization", mlp(kernel_regularizer=l1_l2(0.5, 0.2)), SGD(0.1, clipnorm=0.3), cce, X, Y)
    case("ActivityRegularization", network(Dense(5, input_shape=(4,)), layers.ActivityRegularization(0.01, 0.02),
                                           Dense(3, activation="softmax")), RMSprop(), cce, X, Y)
    for name, constraint in (
            ("max_norm", "max_norm"), ("a smaller max_norm", constraints.MaxNorm(0.7, axis=1)),
            ("unit_norm", "unit_norm"), ("unit_norm of rows", constraints.UnitNorm(axis=1)), ("non_neg", "non_neg"),
            ("min_max_norm", "min_max_norm"), ("a slow min_max_norm", constraints.MinMaxNorm(1.2, 1.5, rate=0.3))):
        case(f"constraint {name}", mlp(kernel_constraint=constraint), SGD(0.1, momentum=0.9), cce, X, Y)
    case("constraint of a bias", mlp(bias_constraint="non_neg", bias_regularizer="l2"), RMSprop(0.01), cce, X, Y)
    case("constraint of a frozen layer", mlp(kernel_constraint="unit_norm", trainable=False), SGD(0.1), cce, X, Y)

    # Optimizers without the racing step counter
    case("Adagrad", mlp(), optimizers.Adagrad(0.05, epsilon=1e-3), cce, X, Y)
    case("Adadelta", mlp(), optimizers.Adadelta(0.8, rho=0.8, epsilon=1e-4, clipvalue=0.1), cce, X, Y)

    # Activations, losses, metrics
    for activation in ("elu", "selu", "softplus", "softsign", "hard_sigmoid", "exponential", "relu", "linear"):
        case(f"activation {activation}", mlp(activation), SGD(0.1), "mse", X * 2, Y)
    for loss in ("mse", "mae", "mape", "msle", "hinge", "squared_hinge", "huber_loss", "kld", "poisson",
                 "cosine_proximity", cce, binary):
        case(f"loss {loss}", mlp(), SGD(0.001 if loss == "mape" else 0.1), loss, X, (Y + 0.1) / 1.3,
             [] if loss in ("huber_loss", "kld") else [loss],
             validation_split=0.2, sample_weight=WEIGHTS)
    case("hinge of -1 and 1", mlp(last="linear"), SGD(0.1), "hinge", X, 2 * Y - 1, ["squared_hinge"])
    case("hinge of 0 and 1", mlp(last="linear"), SGD(0.1), "hinge", X, Y, ["mae"])
    for name, loss in (
            ("smoothed", losses.CategoricalCrossentropy(label_smoothing=0.2)),
            ("sum", losses.CategoricalCrossentropy(reduction="sum")),
            ("none", losses.MeanSquaredError(reduction="none")),
            ("smoothed binary", losses.BinaryCrossentropy(label_smoothing=0.3)),
            ("Huber", losses.Huber(0.3)), ("Huber, sum", losses.Huber(0.3, reduction="sum")),
            ("Huber, none", losses.Huber(0.3, reduction="none"))):
        case(f"loss class {name}", mlp(), SGD(0.03), loss, X, Y, sample_weight=WEIGHTS)
        case(f"loss class {name}, regularized", mlp(kernel_regularizer="l2"), SGD(0.03), loss, X, Y)
    logits = {"from_logits": True}
    case("from logits", mlp(last="linear"), SGD(0.1), losses.CategoricalCrossentropy(**logits), X, Y)
    case("from logits after softmax", mlp(), SGD(0.1), losses.CategoricalCrossentropy(**logits), X, Y)
    case("binary from logits", mlp(last="linear"), SGD(0.1), losses.BinaryCrossentropy(**logits), X, Y)
    case("sparse from logits", mlp(last="linear"), SGD(0.1), losses.SparseCategoricalCrossentropy(**logits), X, CLASSES)
    for cls in ("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError",
                "BinaryCrossentropy", "CategoricalCrossentropy", "Hinge", "SquaredHinge", "Poisson", "KLDivergence",
                "Huber"):
        p = backend.constant(np.abs(X[:3, :3]) / 2 + 0.1)
        results[f"called {cls}"] = {
            f"{reduction}, {weights}": np.ravel(backend.eval(getattr(losses, cls)(reduction=reduction)(
                backend.constant(Y[:3]), p, weights and backend.constant(weights)))).tolist()
            for reduction in ("none", "sum", "sum_over_batch_size") for weights in (None, [1.0, 2.0, 0.5])}
    case("metrics of numbers", mlp(), SGD(0.1), "mse", X, Y,
         ["mse", "mae", "mape", "msle", "poisson", "kullback_leibler_divergence", "cosine_proximity", "hinge",
          "squared_hinge",
          metrics.RootMeanSquaredError(), metrics.MeanSquaredError(name="squares"), metrics.CosineSimilarity()],
         sample_weight=WEIGHTS, validation_split=0.2)
    case("metrics of classes", mlp(units=7), SGD(0.1), cce, X, np.eye(7)[np.arange(10) % 7],
         ["acc", "categorical_accuracy", "binary_accuracy", "ce", metrics.CategoricalAccuracy(name="again"),
          metrics.BinaryAccuracy(threshold=0.2, name="strict"), metrics.Precision(),
          metrics.Precision(0.2, name="more"),
          metrics.Recall(class_id=1), metrics.Recall(0.15, name="most")])
    case("metrics of class numbers", mlp(units=7), SGD(0.1), sparse, X, np.arange(10) % 7,
         ["accuracy", "sparse_categorical_accuracy", sparse])
    case("weighted metrics", mlp(), SGD(0.1), cce, X, Y, ["accuracy", "mse"],
         ["accuracy", metrics.RootMeanSquaredError(), metrics.Recall(0.3)], sample_weight=WEIGHTS, validation_split=0.2,
         class_weight=CLASS_WEIGHT)

    # Layers
    for name, layer in (
            ("LeakyReLU", layers.LeakyReLU()), ("LeakyReLU, steeper", layers.LeakyReLU(0.7)), ("PReLU", layers.PReLU()),
            ("PReLU, regularized", layers.PReLU(alpha_regularizer="l2", alpha_constraint="non_neg")),
            ("PReLU, shared", layers.PReLU(shared_axes=[1])), ("ELU", layers.ELU()), ("ELU, lower", layers.ELU(0.4)),
            ("ThresholdedReLU", layers.ThresholdedReLU(0.3)), ("Softmax", layers.Softmax())):
        case(name, network(Dense(5, input_shape=(4,)), layer, Dense(3, activation="softmax")), SGD(0.1), cce, X, Y)
    case("Reshape", network(layers.Reshape((2, -1), input_shape=(4,)), Dense(3, activation="relu"), layers.PReLU(
        shared_axes=[1]), layers.Flatten(), Dense(3, activation="softmax")), SGD(0.1), cce, X, Y)

    # Generators: evaluation takes a single batch, because of several Keras 2.3.1 returns the last one's loss.
    class Batches(utils.Sequence):
        def __init__(self, size):
            self.size = size

        def __len__(self):
            return -(-10 // self.size)

        def __getitem__(self, i):
            batch = slice(i * self.size, (i + 1) * self.size)
            return X[batch], Y[batch], WEIGHTS[batch]

    def forever():
        while True:
            yield X[:4], Y[:4]
            yield X[4:], Y[4:]

    model = mlp(kernel_regularizer="l2")
    model.compile(SGD(0.1), cce, metrics=["accuracy"])
    record("a Sequence", model, model.fit_generator(
        Batches(3), epochs=3, shuffle=False, verbose=0, validation_data=Batches(10), class_weight=CLASS_WEIGHT,
        workers=0), model.evaluate_generator(Batches(10), workers=0), X)
    model = mlp()
    model.compile(SGD(0.1), cce, metrics=["accuracy"])
    record("a generator", model, model.fit_generator(
        forever(), 3, epochs=3, verbose=0, validation_data=forever(), validation_steps=1, workers=0),
        model.evaluate_generator(forever(), 1, workers=0), X)

    # One optimizer compiled into several models, one after another, and again into the last
    for name, optimizer in (("RMSprop", RMSprop(0.01)), ("SGD", SGD(0.1, momentum=0.9)),
                            ("Adadelta", optimizers.Adadelta())):
        for fold in range(3):
            model = mlp()
            case(f"one {name} for three models, {fold}", model, optimizer, cce, X[fold:fold + 7], Y[fold:fold + 7])
        case(f"one {name} for three models, again", model, optimizer, cce, X, Y)

    # Callbacks
    class Recorder(callbacks.Callback):
        def __init__(self, events):
            super().__init__()
            self.events = events

        def __getattribute__(self, name):
            # Two other names of the batch hooks, and two hooks that only tinynet has
            if not name.startswith("on_") or name in ("on_batch_begin", "on_batch_end", "on_resume", "on_checkpoint"):
                return super().__getattribute__(name)
            return lambda *arguments: self.events.append(
                f"{name} {arguments[0] if len(arguments) > 1 else ''} {sorted(arguments[-1] or [])}")

    recorder = Recorder([])
    case("learning rates", mlp(), SGD(0.5), cce, X, Y, epochs=8, validation_data=(X, Y), callbacks=[
        recorder, callbacks.LearningRateScheduler(lambda epoch: 0.5 if epoch % 3 else 0.4),
        callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=0.02, cooldown=1, min_lr=0.01)])
    results["callbacks"] = {"events": list(recorder.events), "params": sorted(recorder.params)}
    case("rates on a plateau", mlp(), SGD(0.5), cce, X, Y, epochs=12, validation_data=(X, Y), callbacks=[
        callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2, min_delta=0.05, cooldown=2, min_lr=0.1)])
    for mode, options in (("min", {}), ("max", {"monitor": "val_accuracy"}), ("auto", {"monitor": "val_accuracy"}),
                          ("min", {"min_delta": 0.1, "patience": 1}), ("min", {"baseline": 0.5, "patience": 2})):
        case(f"EarlyStopping {mode} {sorted(options)}", mlp(), SGD(0.5), cce, X, Y, epochs=9, validation_data=(X, Y),
             callbacks=[callbacks.EarlyStopping(mode=mode, **options)])

    # What a file holds of a layer
    configs = {}
    for layer in (
            Dense(3, activation="relu", kernel_regularizer="l1_l2", bias_constraint="max_norm", input_shape=(4,),
                  kernel_initializer="he_normal", bias_initializer="ones", activity_regularizer=regularizers.l2(0.5)),
            layers.Dropout(0.25, seed=3), layers.Activation("tanh"), layers.Flatten(), layers.Reshape((2, -1)),
            layers.LeakyReLU(0.5), layers.PReLU(shared_axes=[1]), layers.ELU(0.5), layers.ThresholdedReLU(0.5),
            layers.Softmax(1), layers.ReLU(6.0, 0.5, 0.25), layers.GaussianNoise(0.5), layers.GaussianDropout(0.5),
            layers.BatchNormalization(momentum=0.5, gamma_regularizer="l2")):
        configs[type(layer).__name__] = {k: v for k, v in layer.get_config().items() if k not in ("name", "dtype")}
    results["configs"] = json.loads(json.dumps(configs, default=lambda array: array.tolist()))

    # Some of Keras 2.3.1 works in float32 only.
    backend.set_floatx("float32")
    case("float32: top k", mlp(units=7), SGD(0.1), cce, X, np.eye(7)[np.arange(10) % 7],
         ["top_k_categorical_accuracy", metrics.TopKCategoricalAccuracy(k=2, name="second"),
          metrics.Precision(top_k=2, name="two"), metrics.Recall(0.2, top_k=3, class_id=2, name="both")])
    case("float32: top k of class numbers", mlp(units=7), SGD(0.1), sparse, X, np.arange(10) % 7,
         ["sparse_top_k_categorical_accuracy", metrics.SparseTopKCategoricalAccuracy(k=3, name="third")])
    for loss in ("categorical_hinge", "logcosh"):
        case(f"float32: {loss}", mlp(), SGD(0.1), loss, X, Y, [loss], validation_split=0.2)
    for name, layer in (
            ("plain", layers.BatchNormalization()), ("quick", layers.BatchNormalization(momentum=0.5, epsilon=0.1)),
            ("bare", layers.BatchNormalization(center=False, scale=False, momentum=0.8)),
            ("regularized", layers.BatchNormalization(gamma_regularizer="l2", beta_constraint="non_neg")),
            ("frozen", layers.BatchNormalization(trainable=False, momentum=0.5))):
        model = network(Dense(5, input_shape=(4,)), layer, Dense(3, activation="softmax"))
        weights = model.get_weights()
        weights[-3] = 1 + weights[-3] ** 2      # a variance
        model.set_weights(weights)
        case(f"float32: BatchNormalization, {name}", model, SGD(0.1), cce, X, Y, validation_split=0.2)
    model = network(layers.Reshape((2, 2), input_shape=(4,)), layers.BatchNormalization(axis=1), layers.Flatten(),
                    Dense(3, activation="softmax"))
    weights = model.get_weights()
    weights[3] = 1 + weights[3] ** 2
    model.set_weights(weights)
    case("float32: BatchNormalization of axis 1", model, SGD(0.1), cce, X, Y)
    backend.set_floatx("float64")

    results["utils"] = {
        "to_categorical": utils.to_categorical([[1], [2]]).ravel().tolist(),
        "normalize": utils.normalize(X).ravel().tolist(),
        "normalize by columns, order 1": utils.normalize(X, axis=0, order=1).ravel().tolist(),
        "normalize one vector": utils.normalize(X[0]).ravel().tolist()}
    return results


if __name__ == "__main__":
    importlib.import_module(f"{sys.argv[1]}.backend").set_floatx("float64")
    json.dump(reference(sys.argv[1]), sys.stdout, indent=0)
