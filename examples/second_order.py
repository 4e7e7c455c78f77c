"""Second-order training: L-BFGS trains a small network on all samples at once, beside SGD and Adam.

    python -m pip install -e ".[lessons]" && python examples/second_order.py [--lang zh]

Gradient descent uses the gradient. Newton's method also uses the Hessian, the matrix of second derivatives, which for n
weights has n^2 numbers; L-BFGS approximates it from the last ten gradients. scipy.optimize.minimize has it, and to it a
model is a function of one vector: `model.loss_and_gradient(theta, x, y)`.
"""
import time

import numpy as np
from scipy.optimize import minimize

from tinynet import backend, language, utils
from tinynet.datasets import mnist
from tinynet.layers import Dense
from tinynet.models import Sequential

_ = language.speaker(language.arguments(__doc__).parse_args().lang)
backend.set_floatx("float64")           # L-BFGS compares losses that hardly differ
(images, digits), (test_images, test_digits) = mnist.load_data()
x, y = images[:2000].reshape(-1, 784) / 255, utils.to_categorical(digits[:2000], 10)
x_test, y_test = test_images.reshape(-1, 784) / 255, utils.to_categorical(test_digits, 10)


def network(optimizer):
    utils.set_random_seed(0)
    model = Sequential([Dense(32, "tanh", input_shape=(784,), kernel_regularizer="l2"),
                        Dense(10, "softmax", kernel_regularizer="l2")])
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


print(_("""\
Gradient descent follows the gradient.  Near a valley's floor it crosses from side to side, since the gradient does not
tell how soon the slope will turn.  Newton's method also uses the second derivatives, the Hessian, and jumps to where
the slope is zero; L-BFGS approximates it from the last ten gradients.  To it a model is a function of one vector, all
weights end to end: loss, gradient = model.loss_and_gradient(theta, x, y).
""", """\
梯度下降沿着梯度走。接近谷底时它会来回振荡，因为梯度不反映斜率变化的快慢。牛顿法还使用二阶导数，即海森矩阵，直接跳到斜率为零处；
L-BFGS 由最近十个梯度近似它。对它来说，模型是一个向量的函数，所有权重首尾相接：loss, gradient =
model.loss_and_gradient(theta, x, y)。
"""))
print(_(f"{'':10}{'gradients':>10}{'seconds':>9}{'loss':>10}{'norm of gradient':>18}{'test accuracy':>15}",
        "            梯度次数       秒      损失          梯度范数     测试准确率"))
for name in ("sgd", "adam", "L-BFGS"):
    model, start = network("sgd" if name == "L-BFGS" else name), time.perf_counter()
    if name == "L-BFGS":
        result = minimize(model.loss_and_gradient, backend.to_numpy(model.parameters.value), args=(x, y), jac=True,
                          method="L-BFGS-B", options={"maxiter": 300})
        theta, gradients = result.x, result.nfev
    else:
        model.fit(x, y, batch_size=len(x), epochs=300, verbose=0)
        theta, gradients = backend.to_numpy(model.parameters.value), 300
    seconds = time.perf_counter() - start
    loss, gradient = model.loss_and_gradient(theta, x, y)
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"{name:10}{gradients:10}{seconds:9.1f}{loss:10.4f}{np.linalg.norm(gradient):18.1e}{accuracy:15.2%}")
