"""Exercise: a line through points, by least squares."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.types import Any, Array


def loss(w: float, b: float, x: Array, t: Array) -> Any:
    """L = 1/N sum of (w x + b - t)^2"""
    return ((w * x + b - t) ** 2).mean()


def cases(rng: np.random.Generator) -> list[Case]:
    """Points near a line."""
    example = dict(w=2.0, b=1.0, x=np.array([1.0, 2.0, 4.0]), t=np.array([3.0, 4.0, 8.0]))
    drawn = [dict(w=rng.normal(), b=rng.normal(), x=rng.normal(size=n), t=rng.normal(size=n)) for n in (5, 1, 8)]
    return [example, *drawn]


exercise: Exercise = Exercise(
    "line", "Line", Text("A line by least squares", "用最小二乘法拟合直线"),
    Text("""
A line w x + b should pass near the points (x[n], t[n]). How far it misses them is measured by the loss, the mean of the
squared errors:

    L = 1/N sum over n of (w x[n] + b - t[n])^2

Backprop is about one question: by how much does L change if one of the numbers in it changes a little? Here the numbers
are w and b. Write dw for dL/dw, and db for dL/db.

Shapes: w, b numbers; x, t (N,); L, dw, db numbers.

One number worked out, for the example below: the errors w x + b - t are 0, 1, 1, so L = (0 + 1 + 1) / 3 = 2/3.
If b grows by a little, every error grows as much, and each square by 2 times its error times that:
db = 2/3 (0 + 1 + 1) = 4/3.
""", """
让直线 w x + b 尽量靠近各点 (x[n], t[n])。偏离的程度用损失来衡量，即误差平方的平均值：

    L = 1/N Σ_n (w x[n] + b - t[n])^2

反向传播只回答一个问题：L 所依赖的某个数稍微改变时，L 改变多少？这里的数是 w 和 b。把 dL/dw 简写为 dw，dL/db 简写为 db。

形状：w、b 是标量；x、t 为 (N,)；L、dw、db 是标量。

用下面的例子手算一个数：误差 w x + b - t 为 0、1、1，所以 L = (0 + 1 + 1) / 3 = 2/3。b 稍微增大时，每个误差增大同样多，
每个平方的增量等于 b 的增量乘以 2 倍的该误差：db = 2/3 (0 + 1 + 1) = 4/3。
"""),
    [Part("line_loss", "w, b, x, t", "L", loss, Text("L = 1/N sum of (w x + b - t)^2", "L = 1/N Σ (w x + b - t)^2")),
     Part("line_gradient", "w, b, x, t", "dw, db", Gradients(loss, "w, b", dy=None))],
    cases,
    [Mistake("line_loss", "L", lambda w, b, x, t: ((w * x + b - t) ** 2).sum(), Text(
        "This is the sum of the squares. L is their mean: divide by N.", "这是平方和。L 是平均值：要除以 N。")),
     Mistake("line_loss", "L", lambda w, b, x, t: ((w * x + b - t) ** 2).mean() / 2, Text(
         "This has a factor 1/2, as in some textbooks. Here L has none.", "多了系数 1/2（有些教材这样定义），这里的 L 没有它。")),
     Mistake("line_loss", "L", lambda w, b, x, t: abs(w * x + b - t).mean(), Text(
         "This is the mean of |error|. Square the errors.", "这是误差绝对值的平均。应当先平方。")),
     Mistake("line_gradient", "dw", lambda w, b, x, t: 2 * (w * x + b - t).mean(), Text(
         "The factor x is missing: w is multiplied by x[n], so the error changes by x[n] times as much as w.",
         "缺少因子 x：w 与 x[n] 相乘，所以误差的变化是 w 的变化的 x[n] 倍。")),
     Mistake("line_gradient", "dw", lambda w, b, x, t: ((w * x + b - t) * x).mean(), Text(
         "The derivative of e^2 is 2 e: the factor 2 is missing.", "e^2 的导数是 2 e：缺少系数 2。")),
     Mistake("line_gradient", "dw", lambda w, b, x, t: 2 * ((w * x + b - t) * x).sum(), Text(
         "L is a mean, so its derivative is one, too: divide by N.", "L 是平均值，它的导数也是平均值：要除以 N。")),
     Mistake("line_gradient", "dw", lambda w, b, x, t: -2 * ((w * x + b - t) * x).mean(), Text(
         "The sign is wrong: the error is w x + b - t, in which w x has a plus.", "符号错误：误差是 w x + b - t，w x 前面是正号。")),
     *(Mistake("line_gradient", name, lambda w, b, x, t, name=name: 2 * ((w * x + b - t) * (
         x if name == "dw" else 1)).mean() / len(x), Text("Divided by N twice: a mean has its division already.",
                                                          "除以了两次 N：平均值已经包含这个除法。")) for name in ("dw", "db")),
     Mistake("line_gradient", "db", lambda w, b, x, t: (w * x + b - t).mean(), Text(
         "The derivative of e^2 is 2 e: the factor 2 is missing.", "e^2 的导数是 2 e：缺少系数 2。")),
     Mistake("line_gradient", "db", lambda w, b, x, t: 2 * (w * x + b - t).sum(), Text(
         "L is a mean, so its derivative is one, too: divide by N.", "L 是平均值，它的导数也是平均值：要除以 N。")),
     Mistake("line_gradient", "db", lambda w, b, x, t: 2 * ((w * x + b - t) * x).mean(), Text(
         "This is dw. b is not multiplied by x, so the error changes exactly as much as b.",
         "这是 dw。b 没有与 x 相乘，所以误差的变化与 b 的变化相等。"))],
    [Text("Name the errors: e = w * x + b - t. Then L is the mean of e^2.",
          "先给误差起名：e = w * x + b - t，于是 L 是 e^2 的平均值。"),
     Text("The chain rule: dL/dw = sum over n of dL/de[n] de[n]/dw. What is de[n]/dw?",
          "链式法则：dL/dw = Σ_n dL/de[n] · de[n]/dw。de[n]/dw 是什么？"),
     Text("dL/de[n] = 2 e[n] / N, and de[n]/dw = x[n], de[n]/db = 1.",
          "dL/de[n] = 2 e[n] / N，de[n]/dw = x[n]，de[n]/db = 1。")],
    Text("A network is a longer chain of the same kind: tinynet/losses/regression.py has this loss.",
         "神经网络只是更长的链：这个损失函数在 tinynet/losses/regression.py 中。"))
