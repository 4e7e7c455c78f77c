"""A layer of your own with a bug in its backward: how the gradient check finds it, and what the corrected layer learns.

    python examples/write_your_own_layer.py [--lang zh]

The layer is Swish, a smooth relu whose steepness is learned for each unit: y = x s, with s = sigmoid(beta x). With a
large beta it is relu; with beta = 0 it is linear. Source: Ramachandran et al., arXiv:1710.05941.
"""
import numpy as np

from tinynet import language, utils
from tinynet.activations import sigmoid
from tinynet.gradient_check import assert_gradients, check_layer, check_model
from tinynet.layers import Dense, Layer
from tinynet.models import Sequential

_ = language.speaker(language.arguments(__doc__).parse_args().lang)


class Swish(Layer):
    """y = x s, s = sigmoid(beta x), with a weight beta for each unit"""

    def build(self, input_shape):
        self.beta = self.add_weight("beta", input_shape[1:], "ones")

    def forward(self, x, training=False):
        self.x = x                                      # backward will need x and s: keep them
        self.s = sigmoid(self.beta.value * x)
        return x * self.s

    def backward(self, dy):
        """dbeta = sum of dy x^2 s (1 - s);  dx = dy s"""
        x, s = self.x, self.s
        self.beta.grad = (dy * x * x * s * (1 - s)).sum(axis=0)
        return dy * s                                   # the bug: x is in s, too


print(_("1. Check the layer by itself, on random inputs of shape (4, 3):\n",
        "1. 单独检验这一层，输入为形状 (4, 3) 的随机数：\n"))
report = check_layer(Swish(), (4, 3))
print(report)
assert report.blamed == [report.entries[0].name]

print(_("""
The gradient of beta is right. The gradient with respect to the input is wrong everywhere.
y = x s(beta x) is a product, and both factors depend on x: dy/dx = s + x s' beta = s + beta x s (1 - s).
""", """
beta 的梯度是对的，对输入的梯度处处是错的。
y = x s(beta x) 是乘积，两个因子都依赖 x：dy/dx = s + x s' beta = s + beta x s (1 - s)。
"""))


class CorrectSwish(Swish):
    """y = x s, s = sigmoid(beta x), with a weight beta for each unit"""

    def backward(self, dy):
        """dbeta = sum of dy x^2 s (1 - s);  dx = dy (s + beta x s (1 - s))"""
        x, s, beta = self.x, self.s, self.beta.value
        self.beta.grad = (dy * x * x * s * (1 - s)).sum(axis=0)
        return dy * (s + beta * x * s * (1 - s))


print(_("2. Check the corrected layer:\n", "2. 检验改正后的层：\n"))
report = check_layer(CorrectSwish(), (4, 3))
print(report)
assert_gradients(report)


# Two spirals around each other: classify to which of them a point belongs.
def spirals(n, rng):
    angle = rng.uniform(0.5, 2.5, n) * np.pi
    label = rng.integers(0, 2, n)
    points = np.stack([np.cos(angle + np.pi * label), np.sin(angle + np.pi * label)], axis=1) * angle[:, None] / 8
    return points + rng.normal(0, 0.02, points.shape), label


def network(activation):
    utils.set_random_seed(1)
    model = Sequential([Dense(16, input_shape=(2,)), activation(), Dense(16), activation(), Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


rng = np.random.default_rng(0)
(x, y), (x_test, y_test) = spirals(1000, rng), spirals(1000, rng)

print(_("\n3. In a network the check names the layers that have the bug, and no others:\n",
        "\n3. 在网络中，检验只指出有错误的层：\n"))
print(_("   wrong:", "   错误："), ", ".join(check_model(network(Swish), x[:4], y[:4]).blamed))
assert_gradients(check_model(network(CorrectSwish), x[:4], y[:4]))

print(_("\n4. A network with the bug learns too, but worse: that is why a check is needed.\n",
        "\n4. 有错误的网络也能学习，只是效果更差：所以需要检验。\n"))
for layer in (Swish, CorrectSwish):
    model = network(layer)
    model.fit(x, y, batch_size=32, epochs=100, verbose=0)
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    beta = model.layers[1].get_weights()[0]
    print(_(f"   {layer.__name__:<12} test loss {loss:.4f}, accuracy {accuracy:.1%}, beta from {beta.min():.2f} to "
            f"{beta.max():.2f}",
            f"   {layer.__name__:<12} 测试损失 {loss:.4f}，准确率 {accuracy:.1%}，beta 从 {beta.min():.2f} 到 {beta.max():.2f}"))
