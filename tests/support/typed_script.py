"""A script as typed users write it, for mypy and pyright: each variable `is_...` has the type that editors show."""
from pathlib import Path
from typing import Any

import numpy as np

import tinynet
from tinynet import backend as K
from tinynet import callbacks, losses, metrics, optimizers
from tinynet.datasets import mnist
from tinynet.gradient_check import assert_gradients, check_layer
from tinynet.layers import Activation, BatchNormalization, Dense, Dropout, Layer
from tinynet.models import Model, Sequential, load_model
from tinynet.utils import plot_model, to_categorical


class Scale(Layer):
    def build(self, input_shape: tuple[Any, ...]) -> None:
        self.scale = self.add_weight("scale", input_shape[1:], "ones")

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        self.x = x
        return x * self.scale.value

    def backward(self, dy: np.ndarray) -> np.ndarray:
        self.scale.grad = (dy * self.x).sum(axis=0)
        return dy * self.scale.value


class Stop(callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training = logs["accuracy"] > 0.99


def train(folder: Path) -> float:
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    is_array: np.ndarray = x_train
    model = Sequential([Dense(512, activation="relu", input_shape=(784,)), Dropout(0.2), BatchNormalization(), Scale()])
    model.add(Dense(10))
    model.add(Activation("softmax"))
    loss_function = losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(optimizers.RMSprop(learning_rate=0.001), loss_function, metrics=[
        "accuracy", metrics.AUC(), metrics.BinaryAccuracy(threshold=0.7)])
    history = model.fit(is_array.reshape(-1, 784) / 255, to_categorical(y_train), batch_size=128, epochs=2,
                        validation_split=0.1, callbacks=[callbacks.EarlyStopping(patience=3), Stop()])
    model.fit(((x, x) for x in [is_array]), steps_per_epoch=len(is_array) / 32)
    is_curve: list[float] = history.history["loss"]
    is_prediction: np.ndarray = model.predict(x_test, batch_size=128)
    is_model: Sequential = load_model(folder / "model.safetensors")
    is_layers: list[Layer] = is_model.layers
    is_weights: list[np.ndarray] = model.get_weights()
    is_text: str = model.to_json()
    is_number: int = model.count_params()
    loss, accuracy, *_ = model.evaluate(x_test, y_test, verbose=0)
    model.save(folder / "model.safetensors", overwrite=False)
    K.set_value(model.optimizer.lr, K.mean(is_prediction))
    assert_gradients(check_layer(Scale(), (4, 3)))
    tinynet.utils.set_random_seed(is_number)
    plot_model(model, is_text)
    tinynet.plotting.plot_history(history).savefig(folder / "loss.png")
    return loss + accuracy + sum(is_curve) + len(is_layers) + len(is_weights)


def encoder(model: Model) -> Model:
    return Model(inputs=model.input, outputs=model.layers[1].output)


def mistakes(model: Sequential, x: np.ndarray) -> None:
    """Each line is one that a type checker refuses."""
    model.fit(x, epochs="three")
    model.predict()
    Dense("ten")
    Dropout(rate=None)
    optimizers.Adam(beta_1="0.9")
    callbacks.EarlyStopping(patience=1.5)
    number: int = model.predict(x)
    print(number)
