"""Exercise: relu."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.types import Array


def forward(x: Array) -> Array:
    """y = x where x > 0, else 0"""
    return np.where(x.real > 0, x, 0)


def cases(rng: np.random.Generator) -> list[Case]:
    """Numbers on both sides of zero."""
    example = dict(x=np.array([[1.0, -2.0, 0.5], [-0.5, 3.0, -1.0]]), dy=np.array([[2.0, 4.0, -1.0], [3.0, 1.0, 2.0]]))
    drawn = [dict(x=rng.normal(size=shape), dy=rng.normal(size=shape)) for shape in ((4, 3), (1, 8), (5, 5))]
    return [example, *drawn]


exercise: Exercise = Exercise(
    "relu", "Relu", Text("relu", "relu 激活函数"),
    Text("""
relu lets positive numbers pass and makes zero of all others:

    y = max(x, 0)

It has a kink at x = 0, where it has no slope: 0 is usual there, and the check leaves this point out.

Shapes: x, y, dy, dx (N, D).

One number worked out, for the example below: x[0,1] = -2 is below zero, so y[0,1] = 0. If x[0,1] changes by a little,
y[0,1] stays 0, and L does not change: dx[0,1] = 0, although dy[0,1] = 4.
""", """
relu 让正数通过，其余的数变为零：

    y = max(x, 0)

它的图像在 x = 0 处有一个折角，那里不可导：通常取 0，评分时不检查这一点。

形状：x、y、dy、dx 均为 (N, D)。

用下面的例子手算一个数：x[0,1] = -2 小于零，所以 y[0,1] = 0。x[0,1] 稍微改变时，y[0,1] 仍是 0，L 不变：dx[0,1] = 0，
尽管 dy[0,1] = 4。
"""),
    [Part("relu_forward", "x", "y", forward, "y = max(x, 0)"),
     Part("relu_backward", "dy, x", "dx", Gradients(forward, "x"))],
    cases,
    [Mistake("relu_forward", "y", lambda x: np.abs(x),
             Text("This is |x|. Negative numbers become 0.", "这是 |x|。负数应当变为 0。")),
     Mistake("relu_forward", "y", lambda x: np.minimum(x, 0),
             Text("This is min(x, 0). relu is max(x, 0).", "这是 min(x, 0)。relu 是 max(x, 0)。")),
     Mistake("relu_forward", "y", lambda x: (x > 0) * 1.0, Text(
         "This is 1 where x > 0. relu keeps the number itself there.", "x > 0 处给出了 1。relu 在那里保留原来的数。")),
     *(Mistake("relu_forward", "y", largest, Text(
         "np.max(x) is the largest of many numbers. np.maximum(x, 0) compares each number with 0.",
         "np.max(x) 是许多数中最大的一个。np.maximum(x, 0) 才把每个数与 0 比较。"))
       for largest in (lambda x: x.max(), lambda x: x.max(axis=0))),
     Mistake("relu_backward", "dx", lambda dy, x: dy * ((x > 0) & (dy > 0)), Text(
         "Too much is masked: the sign of dy plays no part. The gradient passes where x > 0, be it positive or "
         "negative.",
         "掩去得太多：与 dy 的符号无关。x > 0 处梯度都通过，无论正负。")),
     Mistake("relu_backward", "dx", lambda dy, x: dy * np.sign(x), Text(
         "sign(x) is -1 where x < 0. There relu is constant: its slope is 0.",
         "x < 0 处 sign(x) 是 -1。那里 relu 是常数，斜率为 0。")),
     Mistake("relu_backward", "dx", lambda dy, x: dy * (x > 0) / len(x), Text(
         "Divided by N. Each dx belongs to one sample: nothing is averaged.", "除以了 N。每个 dx 只属于一个样本：没有什么要平均。")),
     Mistake("relu_backward", "dx", lambda dy, x: np.where(dy > 0, dy, 0), Text(
         "The sign of dy decides here. The sign of x must: the gradient passes where the number passed.",
         "这里由 dy 的符号决定。应当由 x 的符号决定：数通过的地方，梯度才通过。")),
     Mistake("relu_backward", "dx", lambda dy, x: (x > 0) * 1.0, Text(
         "This is the slope of relu alone. By the chain rule dx is dy times the slope.",
         "这只是 relu 的斜率。由链式法则，dx 等于 dy 乘以斜率。")),
     Mistake("relu_backward", "dx", lambda dy, x: np.where(x > 0, x, 0) * dy, Text(
         "dy is multiplied by y. The slope is 1 where x > 0, not y.", "dy 乘以了 y。x > 0 处的斜率是 1，不是 y。")),
     Mistake("relu_backward", "dx", lambda dy, x: dy * (x < 0), Text(
         "The wrong half: the gradient passes where x > 0.", "弄反了：梯度在 x > 0 处通过。")),
     Mistake("relu_backward", "dx", lambda dy, x: dy, Text(
         "dy passes everywhere. Where x < 0, y is constant, and dx is 0.", "dy 处处通过了。x < 0 处 y 是常数，dx 为 0。")),
     Mistake("relu_backward", "dx", lambda dy, x: np.maximum(dy, x), Text(
         "max(dy, x) compares two things that have nothing to do with each other. Where x > 0 dx is dy.",
         "max(dy, x) 比较了两个无关的量。x > 0 处 dx 等于 dy。"))],
    [Text("What is the slope of y = x? And of y = 0?", "y = x 的斜率是多少？y = 0 呢？"),
     Text("A mask, x > 0, is 1 (True) where the slope is 1, and 0 (False) elsewhere.",
          "掩码 x > 0 在斜率为 1 处是 1（True），其余处是 0（False）。"),
     Text("dx = dy * (x > 0).", "dx = dy * (x > 0)。")],
    Text("tinynet/activations.py takes the mask from y, which saves an array: y > 0 exactly where x > 0.",
         "tinynet/activations.py 由 y 得到掩码，省去一个数组：y > 0 当且仅当 x > 0。"))
