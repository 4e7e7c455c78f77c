"""What regularizers, constraints, noise, normalization, callbacks and class weights do to a network that overfits.

    python examples/regularized_mnist.py [--epochs 40] [--seed 0] [--output-dir regularized_mnist_output]
                                         [--lang zh]

A network of 270,000 weights is trained on 2,460 digits, of which few are 8 or 9: it overfits soon. One thing at a time
is changed. Prints a table, and plots the loss on these digits and on 5,000 others by epoch.
"""
from pathlib import Path

import numpy as np

import tinynet
from tinynet import language, plotting
from tinynet.callbacks import EarlyStopping, ReduceLROnPlateau
from tinynet.constraints import max_norm
from tinynet.datasets import mnist
from tinynet.layers import Activation, BatchNormalization, Dense, Dropout
from tinynet.models import Sequential
from tinynet.optimizers import Adam
from tinynet.regularizers import l1, l2

parser = language.arguments(__doc__)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--output-dir", type=Path, default=Path("regularized_mnist_output"), help="for the plot")
args = parser.parse_args()
_ = language.speaker(args.lang)

(images, digits), (test_images, test_digits) = mnist.load_data()
few = np.concatenate([np.flatnonzero(digits == d)[:30 if d in (8, 9) else 300] for d in range(10)])
x, y = images[few].reshape(-1, 784) / 255, tinynet.utils.to_categorical(digits[few], 10)
x_test, y_test = test_images[:5000].reshape(-1, 784) / 255, tinynet.utils.to_categorical(test_digits[:5000], 10)
rare = np.isin(test_digits[:5000], (8, 9))


def hidden(**options):
    """A hidden layer with one more argument: a regularizer or a constraint."""
    return [Dense(256, activation="relu", **options)]


def normalized():
    """Dense, BatchNormalization, relu: the bias is BatchNormalization's beta."""
    return [Dense(256, use_bias=False), BatchNormalization(momentum=0.9), Activation("relu")]


# name: (a function that makes a hidden layer, arguments of fit)
VARIANTS: dict = {
    "nothing": (hidden, {}),
    "kernel_regularizer l2(0.001)": (lambda: hidden(kernel_regularizer=l2(1e-3)), {}),
    "kernel_regularizer l1(0.0001)": (lambda: hidden(kernel_regularizer=l1(1e-4)), {}),
    "kernel_constraint max_norm(0.5)": (lambda: hidden(kernel_constraint=max_norm(0.5)), {}),
    "Dropout(0.5)": (lambda: [*hidden(), Dropout(0.5)], {}),
    "BatchNormalization": (normalized, {}),
    "class_weight 10 for 8 and 9": (hidden, {"class_weight": {d: 10 if d in (8, 9) else 1 for d in range(10)}}),
    "ReduceLROnPlateau, EarlyStopping": (hidden, {"callbacks": [
        ReduceLROnPlateau("val_crossentropy", factor=0.2, patience=1),
        EarlyStopping("val_crossentropy", patience=5, restore_best_weights=True)]}),
}

histories = {}
print(_("""\
A network of 270,000 weights learns 2,460 digits by heart, unless something holds it back.  One thing at a time is
changed.  The loss is the cross-entropy without penalties, so that all can be compared; the last columns are the
accuracy of the rare digits 8 and 9, and how many weights of the first layer are within 0.001 of zero.
""", """\
有 27 万个权重的网络会把 2,460 个数字背下来（过拟合），除非有什么约束它。每次只改变一项。损失是不含惩罚项的交叉熵，便于比较；
最后两列是样本很少的数字 8 和 9 的准确率，以及第一层中绝对值小于 0.001 的权重所占的比例。
"""))
print(_(f"{'':34}epochs  train loss  validation loss   accuracy  of 8 and 9  weights near 0",
        f"{'':34}  轮数    训练损失         验证损失     准确率      8 和 9    接近零的权重"))
for name, (make, options) in VARIANTS.items():
    tinynet.utils.set_random_seed(args.seed)
    model = Sequential([*make(), *make(), Dense(10, activation="softmax")])
    # "crossentropy" is the loss without penalties and weights, so that all can be compared.
    model.compile(Adam(), "categorical_crossentropy", metrics=["crossentropy", "accuracy"])
    history = histories[name] = model.fit(x, y, batch_size=64, epochs=args.epochs, verbose=0,
                                          validation_data=(x_test, y_test), **options)
    train = model.evaluate(x, y, verbose=0)
    test = model.evaluate(x_test, y_test, verbose=0)
    hits = model.predict_classes(x_test) == test_digits[:5000]
    near_zero = np.mean(np.abs(model.layers[0].get_weights()[0]) < 1e-3)
    print(f"{name:34}{len(history.epoch):6}{train[1]:12.4f}{test[1]:17.4f}{test[2]:11.2%}{hits[rare].mean():12.2%}"
          f"{near_zero:16.0%}")

args.output_dir.mkdir(parents=True, exist_ok=True)
picture = args.output_dir / "comparison.png"
plotting.plot_comparison(histories, "crossentropy").savefig(picture)
print(_(f"Wrote {picture}", f"已写入 {picture}"))
