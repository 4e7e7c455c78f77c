"""Exercise: momentum and RMSprop."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Mistake, Part, Text
from tinynet.types import Array


def momentum(w: Array, dw: Array, v: Array, learning_rate: float, momentum: float) -> tuple[Array, ...]:
    """v = momentum v - learning_rate dw;  w = w + v"""
    v = momentum * v - learning_rate * dw
    return w + v, v


def rmsprop(w: Array, dw: Array, a: Array, learning_rate: float, rho: float, epsilon: float) -> tuple[Array, ...]:
    """a = rho a + (1 - rho) dw^2;  w = w - learning_rate dw / (sqrt(a) + epsilon)"""
    a = rho * a + (1 - rho) * dw ** 2
    return w - learning_rate * dw / (np.sqrt(a) + epsilon), a


def cases(rng: np.random.Generator) -> list[Case]:
    """A large epsilon, so that it can be seen where it is put."""
    example = dict(w=np.array([1.0, -1.0]), dw=np.array([0.5, -2.0]), v=np.array([0.1, 0.0]), a=np.array([0.0, 4.0]),
                   learning_rate=0.1, momentum=0.9, rho=0.9, epsilon=0.01)
    drawn = [dict(w=rng.normal(size=n), dw=rng.normal(size=n), v=rng.normal(size=n), a=rng.random(n) + 0.1,
                  learning_rate=rng.uniform(0.1, 0.9), momentum=rng.uniform(0.3, 0.8), rho=rng.uniform(0.3, 0.8),
                  epsilon=0.2) for n in (4, 7)]
    return [example, *drawn]


exercise: Exercise = Exercise(
    "momentum", "Momentum", Text("Momentum and RMSprop", "动量法与 RMSprop"),
    Text("""
An optimizer moves the weights w against their gradient dw. Plain gradient descent is w = w - learning_rate dw. Two
improvements remember something from step to step. Momentum keeps a velocity v, which evens out gradients that change
their sign:

    v = momentum v - learning_rate dw
    w = w + v

RMSprop keeps a running mean a of the squared gradient and divides by its root, so that every weight moves by about
the same amount, however large its gradient:

    a = rho a + (1 - rho) dw^2
    w = w - learning_rate dw / (sqrt(a) + epsilon)

Each function returns the new w and the new v or a. It does not change the arrays it is given.

Shapes: w, dw, v, a (n,), all weights in one vector; the others are numbers.

One number worked out, for the example below. Momentum: v[0] = 0.9 times 0.1 - 0.1 times 0.5 = 0.04, w[0] = 1.04.
RMSprop: a[0] = 0.9 times 0 + 0.1 times 0.25 = 0.025, whose root is 0.158; w[0] = 1 - 0.05 / 0.168 = 0.703.
""", """
优化器让权重 w 沿负梯度方向移动。最简单的梯度下降是 w = w - learning_rate dw。下面两种改进会在各步之间记住一些量。动量法保存速度 v，
使符号来回变化的梯度相互抵消：

    v = momentum v - learning_rate dw
    w = w + v

RMSprop 保存梯度平方的滑动平均 a，并除以它的平方根，使每个权重的移动量大致相同，与梯度大小无关：

    a = rho a + (1 - rho) dw^2
    w = w - learning_rate dw / (sqrt(a) + epsilon)

每个函数返回新的 w 以及新的 v 或 a，不改变传入的数组。

形状：w、dw、v、a 为 (n,)，所有权重排成一个向量；其余是标量。

用下面的例子手算一个数。动量法：v[0] = 0.9 × 0.1 - 0.1 × 0.5 = 0.04，w[0] = 1.04。RMSprop：a[0] = 0.9 × 0 + 0.1 × 0.25 = 0.025，
平方根为 0.158；w[0] = 1 - 0.05 / 0.168 = 0.703。
"""),
    [Part("momentum_step", "w, dw, v, learning_rate, momentum", "w, v", momentum,
          "v = momentum v - learning_rate dw;  w = w + v"),
     Part("rmsprop_step", "w, dw, a, learning_rate, rho, epsilon", "w, a", rmsprop,
          "a = rho a + (1 - rho) dw^2;  w = w - learning_rate dw / (sqrt(a) + epsilon)")],
    cases,
    [Mistake("momentum_step", "w", lambda w, dw, v, learning_rate, momentum: w + v, Text(
        "The weight moves by the old v. First update v, then add it.", "更新权重时用了旧的 v。先更新 v，再加上它。")),
     Mistake("momentum_step", "w", lambda w, dw, v, learning_rate, momentum: w - momentum * v + learning_rate * dw,
             Text("The sign: v already points downhill, so w = w + v.", "符号错误：v 已经指向下降方向，所以 w = w + v。")),
     Mistake("momentum_step", "v", lambda w, dw, v, learning_rate, momentum: momentum * v + learning_rate * dw, Text(
         "The sign: v = momentum v - learning_rate dw points against the gradient.",
         "符号错误：v = momentum v - learning_rate dw，与梯度方向相反。")),
     Mistake("momentum_step", "v",
             lambda w, dw, v, learning_rate, momentum: momentum * v - (1 - momentum) * learning_rate * dw,
             Text("A factor 1 - momentum is too many here.", "这里多了因子 1 - momentum。")),
     Mistake("momentum_step", "v", lambda w, dw, v, learning_rate, momentum: momentum * v + dw, Text(
         "This is PyTorch's form, in which the learning rate comes later. Here v = momentum v - learning_rate dw.",
         "这是 PyTorch 的形式，学习率在后面才乘。这里 v = momentum v - learning_rate dw。")),
     Mistake("momentum_step", "v", lambda w, dw, v, learning_rate, momentum: momentum * v - dw, Text(
         "The learning rate is forgotten in v.", "v 中忘了学习率。")),
     Mistake("rmsprop_step", "a", lambda w, dw, a, learning_rate, rho, epsilon: rho * a + dw ** 2, Text(
         "The weight 1 - rho of the new square is missing: without it a is no mean.",
         "新的平方缺少权重 1 - rho：没有它，a 就不是平均值。")),
     Mistake("rmsprop_step", "a", lambda w, dw, a, learning_rate, rho, epsilon: (1 - rho) * a + rho * dw ** 2, Text(
         "rho and 1 - rho are exchanged: the old a has the weight rho.", "rho 与 1 - rho 弄反了：旧的 a 的权重是 rho。")),
     Mistake("rmsprop_step", "a", lambda w, dw, a, learning_rate, rho, epsilon: rho * a + (1 - rho) * dw, Text(
         "The gradient must be squared: dw^2.", "梯度要平方：dw^2。")),
     Mistake("rmsprop_step", "w",
             lambda w, dw, a, learning_rate, rho, epsilon: w - learning_rate * dw / (np.sqrt(a) + epsilon),
             Text("The old a is used. First update a, then w.", "用了旧的 a。先更新 a，再更新 w。")),
     Mistake("rmsprop_step", "w", lambda w, dw, a, learning_rate, rho, epsilon: w - learning_rate * dw / np.sqrt(
         rho * a + (1 - rho) * dw ** 2 + epsilon), Text(
         "epsilon is under the root here. It is added to the root, as in Keras 2.3.1.",
         "epsilon 放在了根号里。它应当加在根号外，与 Keras 2.3.1 相同。")),
     Mistake("rmsprop_step", "w", lambda w, dw, a, learning_rate, rho, epsilon: w - learning_rate * dw / (
         rho * a + (1 - rho) * dw ** 2 + epsilon), Text("The root of a is forgotten.", "忘了对 a 开平方。")),
     Mistake("rmsprop_step", "w", lambda w, dw, a, learning_rate, rho, epsilon: w + learning_rate * dw / (
         np.sqrt(rho * a + (1 - rho) * dw ** 2) + epsilon), Text(
         "The sign: the weights move against the gradient.", "符号错误：权重沿负梯度方向移动。"))],
    [Text("The order matters: the memory (v, a) is updated first, and the new one is used.",
          "顺序很重要：先更新记忆（v、a），再使用新的值。"),
     Text("Two lines each. Write them as they stand above.", "每个函数两行，照上面的式子写即可。")],
    Text("tinynet/optimizers/sgd.py and rmsprop.py have these lines.",
         "tinynet/optimizers/sgd.py 与 rmsprop.py 中就是这些式子。"))
