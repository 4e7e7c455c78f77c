"""Calls what scripts call of Keras, by its names and defaults, and writes down what the real Keras or tinynet returns.

    python tests/support/keras_names.py keras > tests/support/keras_names.json

made the file beside this one, with Keras 2.3.1 on TensorFlow 2.1 (tests/test_keras_parity.py says how to install
them).  The same program under tinynet must give the same values, types, shapes and words.
"""
import importlib
import json
import sys
import warnings

import numpy as np

X = np.sin(np.arange(1, 25)).reshape(6, 4)
Y = np.eye(3)[np.arange(6) % 3]
CLASSES = np.arange(6) % 3


def reference(library):
    """{case: what came of it}"""
    def module(name):
        return importlib.import_module(library + "." + name)

    K, layers, models, metrics, losses = map(module, ("backend", "layers", "models", "metrics", "losses"))
    callbacks, optimizers = map(module, ("callbacks", "optimizers"))
    Dense, Sequential = layers.Dense, models.Sequential
    results = {}

    def numbers(x):
        if isinstance(x, (np.ndarray, np.generic)) and library == "keras":
            return np.asarray(x)
        return np.asarray(x.numpy() if hasattr(x, "numpy") else K.eval(x))

    # Functions of arrays: value, type, shape

    a = np.array([[0.5, -1.5, 2.5], [-0.25, 3.0, 0.0]], "float32")
    b = np.array([[1.0, -1.5, 0.5], [2.0, -3.0, 4.0]], "float32")
    p = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]], "float32")
    n = np.array([[1, 5, 2], [7, 0, 3]], "int32")
    t = np.array([[True, False, True], [False, False, True]])
    c = np.arange(24, dtype="float32").reshape(2, 3, 4)
    calls = [
        ("abs", [a]), ("all", [t]), ("all", [t], dict(axis=1)), ("any", [t], dict(axis=0, keepdims=True)),
        ("any", [t]), ("arange", [5]), ("arange", [1, 7, 2]), ("arange", [3], dict(dtype="float32")), ("argmax", [a]),
        ("argmin", [a]), ("argmax", [a, 0]), ("argmin", [c], dict(axis=1)), ("batch_flatten", [c]),
        ("binary_crossentropy", [p, p]), ("binary_crossentropy", [p, a], dict(from_logits=True)),
        ("cast", [a, "int32"]), ("cast", [t, "float32"]), ("categorical_crossentropy", [p, p]),
        ("categorical_crossentropy", [p, a], dict(from_logits=True)), ("clip", [a, -1, 1]), ("clip", [a, 0, None]),
        ("concatenate", [[a, b]]), ("concatenate", [[a, b], 0]), ("constant", [1.5]), ("constant", [[1, 2, 3]]),
        ("constant", [2], dict(shape=(2, 3))), ("constant", [[1, 2, 3, 4]], dict(shape=(2, 2))),
        ("constant", [3], dict(dtype="int32")), ("cos", [a]), ("cumprod", [a]), ("cumsum", [a]),
        ("cumsum", [a], dict(axis=1)), ("dot", [a, b.T]), ("dot", [c, b.T[:, :1].repeat(2, 1)[[0, 1, 2, 0]]]),
        ("batch_dot", [c, c], dict(axes=2)), ("batch_dot", [a, b]), ("elu", [a]), ("elu", [a], dict(alpha=0.5)),
        ("equal", [a, b]), ("exp", [a]), ("expand_dims", [a]), ("expand_dims", [a, 0]), ("eye", [3]), ("flatten", [c]),
        ("gather", [a, np.array([1, 0, 1])]), ("greater", [a, b]), ("greater_equal", [a, b]), ("hard_sigmoid", [a]),
        ("identity", [a]), ("in_top_k", [p, np.array([2, 0]), 2]), ("in_top_k", [p, np.array([0, 2]), 1]),
        ("int_shape", [c]), ("l2_normalize", [a]), ("l2_normalize", [a], dict(axis=1)), ("less", [a, b]),
        ("less_equal", [a, b]), ("log", [p]), ("logsumexp", [a]), ("logsumexp", [a], dict(axis=1, keepdims=True)),
        ("max", [a]), ("max", [a], dict(axis=1)), ("max", [c], dict(axis=[1, 2])), ("maximum", [a, b]),
        ("maximum", [a, 0.0]), ("mean", [a]), ("mean", [t]), ("mean", [t], dict(axis=-1)),
        ("mean", [a], dict(axis=0, keepdims=True)), ("mean", [c], dict(axis=[0, 2])), ("min", [a], dict(axis=0)),
        ("minimum", [a, b]), ("ndim", [c]), ("not_equal", [a, b]), ("one_hot", [n % 3, 3]), ("ones", [(2, 3)]),
        ("ones_like", [a]), ("permute_dimensions", [c, (0, 2, 1)]), ("pow", [a, 2]), ("prod", [a], dict(axis=1)),
        ("relu", [a]), ("relu", [a], dict(alpha=0.1, max_value=2.0)), ("repeat", [a, 2]),
        ("repeat_elements", [a, 2, 1]), ("reshape", [c, (2, -1)]), ("reverse", [a, 1]), ("round", [a]), ("shape", [c]),
        ("sigmoid", [a]), ("sign", [a]), ("sin", [a]), ("slice", [c, (0, 1, 1), (2, 2, 2)]), ("softmax", [a]),
        ("softplus", [a]), ("softsign", [a]), ("sparse_categorical_crossentropy", [np.array([1, 0]), p]),
        ("sqrt", [a]), ("square", [a]), ("squeeze", [c[:, :1], 1]), ("stack", [[a, b]]), ("std", [a]),
        ("std", [a], dict(axis=1)), ("sum", [a]), ("sum", [n]), ("sum", [n], dict(axis=0)),
        ("sum", [a], dict(axis=1, keepdims=True)), ("switch", [t, a, b]), ("tanh", [a]), ("tile", [a, (2, 1)]),
        ("transpose", [a]), ("var", [a]), ("var", [a], dict(axis=0)), ("zeros", [(2, 2)]),
        ("zeros", [2], dict(dtype="int32")), ("zeros_like", [n]), ("epsilon", []), ("floatx", []),
        ("image_data_format", [])]
    for i, (name, arguments, *options) in enumerate(calls):
        given = [K.variable(x, dtype=str(x.dtype)) if isinstance(x, np.ndarray) and x.dtype.kind in "fi" else
                 K.constant(x, dtype="bool") if isinstance(x, np.ndarray) else
                 [K.variable(y) for y in x] if name in ("concatenate", "stack") and isinstance(x, list) else x
                 for x in arguments]
        value = getattr(K, name)(*given, **(options[0] if options else {}))
        if not isinstance(value, (int, float, str, tuple)):
            value = numbers(value)
            value = [value.dtype.name, list(value.shape), value.ravel().tolist()]
        results["K.%s, %d" % (name, i)] = value

    # Metrics by hand, with weights of every shape

    probable = np.exp(X[:, :3]) / np.exp(X[:, :3]).sum(axis=1, keepdims=True)
    six = np.linspace(0.5, 2, 6)
    one = (np.arange(6) % 2).astype(float)
    score = np.array([0.1, 0.6, 0.35, 0.8, 0.5, 0.7])
    many = [
        (metrics.Accuracy, {}, CLASSES, np.array([0, 2, 2, 0, 1, 1])),
        (metrics.BinaryAccuracy, {}, one[:, None], score[:, None]),
        (metrics.BinaryAccuracy, dict(threshold=0.3), one[:, None], score[:, None]),
        (metrics.CategoricalAccuracy, {}, Y, probable), (metrics.SparseCategoricalAccuracy, {}, CLASSES, probable),
        (metrics.TopKCategoricalAccuracy, dict(k=2), Y, probable),
        (metrics.SparseTopKCategoricalAccuracy, dict(k=2), CLASSES, probable),
        (metrics.MeanSquaredError, {}, Y, probable), (metrics.MeanAbsoluteError, {}, Y, probable),
        (metrics.MeanAbsolutePercentageError, {}, Y + 1, probable),
        (metrics.MeanSquaredLogarithmicError, {}, Y, probable), (metrics.RootMeanSquaredError, {}, Y, probable),
        (metrics.LogCoshError, {}, Y, probable), (metrics.Poisson, {}, Y, probable),
        (metrics.KLDivergence, {}, Y, probable), (metrics.CosineSimilarity, {}, Y, probable),
        (metrics.Hinge, {}, 2 * Y - 1, probable), (metrics.SquaredHinge, {}, 2 * Y - 1, probable),
        (metrics.CategoricalHinge, {}, Y, probable), (metrics.BinaryCrossentropy, {}, Y, probable),
        (metrics.CategoricalCrossentropy, dict(label_smoothing=0.1), Y, probable),
        (metrics.SparseCategoricalCrossentropy, {}, CLASSES, probable)]
    for metric, options, y_true, y_pred in many:
        for weights in (None, six, six[:, None]):       # of one number Keras 2.3.1 makes an accuracy of 4
            results["%s%s, weights %s" % (metric.__name__, sorted(options), np.shape(weights))] = float(numbers(
                metric(**options)(K.constant(y_true), K.constant(y_pred), sample_weight=weights)))
    for metric, options in (
            (metrics.Precision, {}), (metrics.Recall, {}), (metrics.Precision, dict(thresholds=[0.3, 0.55])),
            (metrics.Recall, dict(thresholds=[0.3, 0.55])), (metrics.TruePositives, {}), (metrics.FalsePositives, {}),
            (metrics.TrueNegatives, {}), (metrics.FalseNegatives, dict(thresholds=[0.2, 0.6, 0.7])), (metrics.AUC, {}),
            (metrics.AUC, dict(curve="PR")), (metrics.AUC, dict(num_thresholds=5, summation_method="minoring")),
            (metrics.AUC, dict(thresholds=[0.4, 0.6], curve="PR", summation_method="majoring")),
            (metrics.SensitivityAtSpecificity, dict(specificity=0.5)),
            (metrics.SpecificityAtSensitivity, dict(sensitivity=0.6, num_thresholds=7))):
        for weights in (None, six):
            value = metric(**options)(K.constant(one), K.constant(score), sample_weight=weights)
            name = "%s%s, weights %s" % (metric.__name__, sorted(options.items()), np.shape(weights))
            results[name] = np.ravel(numbers(value)).tolist()
    for weights in (None, six, six[:, None], X * 0 + six[:, None]):
        for metric in (metrics.Mean, metrics.Sum):
            results["%s, weights %s" % (metric.__name__, np.shape(weights))] = float(numbers(
                metric()(np.float32(X), sample_weight=weights)))

    # Losses by name and by class

    for name in ("mse", "mae", "binary_crossentropy", "categorical_crossentropy", "kld", "hinge", "poisson"):
        results["losses.get(%s)" % name] = np.ravel(numbers(losses.get(name)(
            K.constant(Y), K.constant(probable)))).tolist()
    for weights in (None, 2.0, six, six[:, None]):
        for reduction in ("none", "sum", "sum_over_batch_size"):
            loss = losses.MeanSquaredError(reduction=reduction)
            results["MeanSquaredError(%s), weights %s" % (reduction, np.shape(weights))] = np.ravel(numbers(
                loss(K.constant(Y), K.constant(probable), sample_weight=weights))).tolist()

    # Chains

    def filled(model):
        model.set_weights([0.5 * np.cos(np.arange(w.size) + i).reshape(w.shape)
                           for i, w in enumerate(model.get_weights())])
        return model

    def printed(model):
        lines = []
        model.summary(print_fn=lines.append)
        return [line.rstrip() for line in lines]

    K.clear_session()
    x = layers.Input(shape=(4,))
    code = Dense(3, activation="tanh", activity_regularizer="l2")(x)
    code = layers.Dropout(0.25)(code)
    y = Dense(4, activation="sigmoid", kernel_regularizer="l1")(code)
    autoencoder, encoder = models.Model(x, y), models.Model(inputs=[x], outputs=[code])
    inner = layers.Input(shape=(3,))
    decoder = models.Model(inner, autoencoder.layers[-1](inner), name="decoder")
    filled(autoencoder)
    autoencoder.compile(optimizers.SGD(0.1), "mse")
    results["summary of a chain"] = printed(autoencoder)
    results["evaluate of a chain"] = float(autoencoder.evaluate(X, 0.5 + X / 2, verbose=0))
    results["number of losses"] = len(autoencoder.losses)
    results["layers"] = [[layer.name, str(layer.output_shape)] for layer in autoencoder.layers]
    for name, model, given in (
            ("autoencoder", autoencoder, X), ("encoder", encoder, X), ("decoder", decoder, X[:, :3])):
        results["predict of the " + name] = np.ravel(model.predict(given)).tolist()
    K.clear_session()
    stack = filled(Sequential([Dense(3, activation="relu", input_dim=4), layers.Dropout(0.5), Dense(2, name="last")]))
    hidden = models.Model(inputs=stack.input, outputs=stack.layers[0].output)
    results["hidden layer"] = np.ravel(hidden.predict(X)).tolist()
    function = K.function([stack.input, K.learning_phase()], [stack.layers[0].output, stack.get_layer("last").output])
    results["K.function"] = [np.ravel(array).tolist() for array in function([X, 0])]
    longer = models.Model(stack.input, Dense(3, activation="softmax")(stack.output))
    results["summary of a longer model"] = printed(longer)
    generator, discriminator = filled(Sequential([Dense(4, input_dim=3)])), filled(Sequential([
        Dense(3, activation="tanh", input_dim=4), Dense(1, activation="sigmoid")]))
    discriminator.compile(optimizers.SGD(0.1), "binary_crossentropy")
    discriminator.trainable = False
    both = Sequential([generator, discriminator])
    both.compile(optimizers.SGD(0.5), "binary_crossentropy")
    noise = X[:, :3]
    found = []
    for _ in range(3):
        discriminator.trainable = True
        found.append(float(discriminator.train_on_batch(X, np.ones((6, 1)))))
        found.append(float(discriminator.train_on_batch(generator.predict(noise), np.zeros((6, 1)))))
        discriminator.trainable = False
        found.append(float(both.train_on_batch(noise, np.ones((6, 1)))))
    results["generator and discriminator"] = found
    results["summary of two models"] = printed(both)

    # Names of Keras 1, with their warnings

    for name, call in (
            ("Dense", lambda: Dense(output_dim=3, init="uniform", W_regularizer="l2", bias=False)),
            ("Dense and new names", lambda: Dense(4, init="he_normal", activation="relu", input_dim=3)),
            ("Dropout", lambda: layers.Dropout(p=0.25)), ("GaussianNoise", lambda: layers.GaussianNoise(sigma=0.5)),
            ("GaussianDropout", lambda: layers.GaussianDropout(p=0.5)), ("PReLU", lambda: layers.PReLU(init="ones")),
            ("BatchNormalization", lambda: layers.BatchNormalization(mode=0, beta_init="ones", epsilon=1e-5)),
            ("both", lambda: Dense(output_dim=3, units=3)), ("mode", lambda: layers.BatchNormalization(mode=2))):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            try:
                layer = call()
                config = {key: value for key, value in layer.get_config().items() if key in (
                    "units", "rate", "stddev", "use_bias", "epsilon")}
            except TypeError as error:
                config = str(error)
        results["Keras 1: " + name] = [config, [str(w.message) for w in seen if "Keras 2" in str(w.message)]]

    def batches(size=2):
        while True:
            for start in range(0, 6, size):
                yield X[start:start + size], Y[start:start + size]

    for name, call in (
            ("fit", lambda model: model.fit(X, Y, batch_size=2, nb_epoch=2, verbose=0, shuffle=False)),
            ("fit_generator", lambda model: model.fit_generator(
                batches(), samples_per_epoch=3, nb_epoch=2, verbose=0))):
        model = filled(Sequential([Dense(3, activation="softmax", input_dim=4)]))
        model.compile(optimizers.SGD(0.1), "categorical_crossentropy")
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            history = call(model).history
        results["Keras 1: " + name] = [{key: [float(v) for v in values] for key, values in history.items()}, sorted(
            str(w.message) for w in seen if "Keras" in str(w.message) and "generator (" not in str(w.message)
            and "Call" not in str(w.message) or "nb_epoch" in str(w.message))]

    # What callbacks after EarlyStopping see

    class Seen(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.weights.append(float(self.model.get_weights()[0][0, 0]))

        def on_train_end(self, logs=None):
            self.weights.append(float(self.model.get_weights()[0][0, 0]))

    seen, model = Seen(), filled(Sequential([Dense(3, activation="softmax", input_dim=4)]))
    seen.weights = []
    model.compile(optimizers.SGD(4.0), "categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, Y, batch_size=2, epochs=9, verbose=0, shuffle=False, validation_data=(X[::-1], Y), callbacks=[
        callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True), seen])
    results["weights after EarlyStopping"] = seen.weights
    return results


if __name__ == "__main__":
    json.dump(reference(sys.argv[1]), sys.stdout, indent=0)
