"""Exercise: sigmoid."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.types import Array


def forward(x: Array) -> Array:
    """y = 1 / (1 + exp(-x)), without overflow"""
    small = np.exp(-np.where(x.real < 0, -x, x))
    return np.where(x.real < 0, small, 1) / (1 + small)


def s(x: Array) -> Array:
    """sigmoid in a wrong formula"""
    return 1 / (1 + np.exp(-x))


def cases(rng: np.random.Generator) -> list[Case]:
    """Numbers around zero, and far from it."""
    example = dict(x=np.array([[0.0, 1.0], [-2.0, 3.0]]), dy=np.array([[1.0, 2.0], [-1.0, 0.5]]))
    drawn = [dict(x=rng.normal(size=shape), dy=rng.normal(size=shape)) for shape in ((4, 3), (1, 5), (6, 2))]
    large = dict(x=np.array([[-800.0, -50.0, 50.0, 800.0]]), dy=rng.normal(size=(1, 4)))
    return [example, *drawn, large]


exercise: Exercise = Exercise(
    "sigmoid", "Sigmoid", Text("sigmoid", "sigmoid 激活函数"),
    Text("""
The sigmoid function turns each number into one between 0 and 1:

    y = 1 / (1 + exp(-x))

forward computes y from x. backward is given dy, which is short for dL/dy: how the loss L, whatever comes after y,
changes with each y. It returns dx, short for dL/dx. Each y depends on its own x only, so by the chain rule dL/dx is
dL/dy times the slope y'(x) of the function. It must work for large x too, such as 800 and -800.

Shapes: x, y, dy, dx (N, D).

One number worked out: for x = 0, y = 1 / (1 + 1) = 0.5. The slope there, which you will work out, is 0.25, so dy = 1
becomes dx = 0.25.
""", """
sigmoid 函数把每个数变成 0 与 1 之间的数：

    y = 1 / (1 + exp(-x))

forward 由 x 计算 y。backward 接收 dy，即 dL/dy 的简写：不论 y 之后还有什么计算，损失 L 随每个 y 怎样变化；它返回 dx = dL/dx。每个 y 只依赖
与它对应的 x，所以由链式法则，dL/dx 等于 dL/dy 乘以函数的斜率 y'(x)。
x 很大时也要正确，例如 800 和 -800。

形状：x、y、dy、dx 均为 (N, D)。

手算一个数：x = 0 时，y = 1 / (1 + 1) = 0.5，该处的斜率（由你推导）为 0.25，所以 dy = 1 变为 dx = 0.25。
"""),
    [Part("sigmoid_forward", "x", "y", forward, "y = 1 / (1 + exp(-x))"),
     Part("sigmoid_backward", "dy, x", "dx", Gradients(forward, "x"))],
    cases,
    [Mistake("sigmoid_forward", "y", lambda x: 1 / (1 + np.exp(x)), Text(
        "The sign of the exponent is wrong: exp(-x). This falls where sigmoid rises.",
        "指数的符号错了：应为 exp(-x)。现在函数是递减的，而 sigmoid 是递增的。")),
     Mistake("sigmoid_forward", "y", lambda x: np.tanh(x), Text(
         "This is tanh, from -1 to 1. sigmoid goes from 0 to 1.", "这是 tanh，取值 -1 到 1。sigmoid 取值 0 到 1。")),
     Mistake("sigmoid_backward", "dx", lambda dy, x: s(x) * (1 - s(x)), Text(
         "This is the slope of sigmoid alone. By the chain rule dx is dy times the slope.",
         "这只是 sigmoid 的斜率。由链式法则，dx 等于 dy 乘以斜率。")),
     Mistake("sigmoid_backward", "dx", lambda dy, x: dy * (1 - s(x)), Text(
         "A factor is missing: differentiate 1 / (1 + exp(-x)) once more, with the quotient rule.",
         "缺少一个因子：请用商的求导法则再求一次 1 / (1 + exp(-x)) 的导数。")),
     Mistake("sigmoid_backward", "dx", lambda dy, x: dy * s(x), Text(
         "This is dy y, as if the function were exp. What does the denominator add?",
         "这是 dy 乘以 y，相当于把函数当成了 exp。分母还会带来什么？")),
     Mistake("sigmoid_backward", "dx", lambda dy, x: dy * x * (1 - x), Text(
         "The slope y (1 - y) is written in the output y, not in the input x.", "斜率 y (1 - y) 中的 y 是输出，不是输入 x。")),
     Mistake("sigmoid_backward", "dx", lambda dy, x: dy * (1 - s(x) ** 2), Text(
         "1 - y^2 is the slope of tanh. sigmoid has another one.", "1 - y^2 是 tanh 的斜率。sigmoid 的斜率不同。")),
     Mistake("sigmoid_backward", "dx", lambda dy, x: -dy * s(x) * (1 - s(x)), Text(
         "The sign is wrong: sigmoid rises, so its slope is positive. The derivative of exp(-x) brings a second minus.",
         "符号错误：sigmoid 递增，斜率为正。exp(-x) 求导会带来第二个负号。")),
     Mistake("sigmoid_backward", "dx", lambda dy, x: dy * s(x) * (1 - s(x)) / len(x), Text(
         "Divided by N. Each dx belongs to one sample: nothing is averaged.", "除以了 N。每个 dx 只属于一个样本：没有什么要平均。")),
     Mistake("sigmoid_backward", "dx", lambda dy, x: -s(x) * (1 - s(x)), Text(
         "The sign is wrong, and dy is forgotten: by the chain rule dx is dy times the slope.",
         "符号错误，而且忘了 dy：由链式法则，dx 等于 dy 乘以斜率。")),
     Mistake("sigmoid_backward", "dx", lambda dy, x: dy, Text(
         "This is dy itself: the slope of the function is missing.", "这只是 dy 本身：缺少函数的斜率。"))],
    [Text("The derivative of 1/u is -u'/u^2, here with u = 1 + exp(-x).", "1/u 的导数是 -u'/u^2，这里 u = 1 + exp(-x)。"),
     Text("dy/dx = exp(-x) / (1 + exp(-x))^2. Can it be written with y alone?",
          "dy/dx = exp(-x) / (1 + exp(-x))^2。能否只用 y 表示？"),
     Text("exp(-x) / (1 + exp(-x)) = 1 - y. So dy/dx = y (1 - y).",
          "exp(-x) / (1 + exp(-x)) = 1 - y，所以 dy/dx = y (1 - y)。"),
     Text("NaN for x = -800? exp(800) is infinite, and infinity / infinity is NaN. y (1 - y) has no such quotient.",
          "x = -800 时得到 NaN？exp(800) 是无穷大，无穷大除以无穷大是 NaN。y (1 - y) 中没有这样的商。")],
    Text("tinynet/activations.py has sigmoid and its backward side by side.",
         "tinynet/activations.py 中 sigmoid 与它的反向传播写在一起。"),
    Text("NaN or infinity: exp(800) overflows, and infinity / infinity is NaN. y (1 - y) has no such quotient.",
         "出现 NaN 或无穷大：exp(800) 溢出，无穷大除以无穷大是 NaN。y (1 - y) 中没有这样的商。"))
