"""Exercise: the L2 penalty."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.types import Array


def penalty(W: Array, l2: float) -> Array:
    """R = l2 sum of W^2"""
    return l2 * (W ** 2).sum()


def cases(rng: np.random.Generator) -> list[Case]:
    """A matrix of weights, and the gradient of the data's loss with respect to it."""
    example = dict(W=np.array([[1.0, -2.0], [0.5, 0.0]]), l2=0.1, dW=np.array([[0.5, 0.5], [0.0, -1.0]]))
    drawn = [dict(W=rng.normal(size=shape), l2=l2, dW=rng.normal(size=shape)) for shape, l2 in (
        ((4, 3), 0.3), ((3, 3), 0.02), ((1, 5), 1.5))]
    return [example, *drawn]


exercise: Exercise = Exercise(
    "l2", "L2", Text("The L2 penalty", "L2 正则化"),
    Text("""
A penalty on large weights is added to the loss of the data:

    L = L_data + R,    R = l2 sum over i and j of W[i,j]^2

`l2_gradient` is given dW, the gradient of L_data, and returns that of L. It must not change the array dW itself.

Shapes: W, dW (D, U); l2, R numbers.

One number worked out, for the example below: R = 0.1 (1 + 4 + 0.25 + 0) = 0.525. If W[0,1] = -2 grows, its square
shrinks, with the slope 2 times -2: so the gradient there is 0.5 + 0.1 times 2 times -2 = 0.1.
""", """
在数据的损失上再加一项，惩罚过大的权重：

    L = L_data + R，    R = l2 Σ_i Σ_j W[i,j]^2

`l2_gradient` 接收 L_data 的梯度 dW，返回 L 的梯度。不要改变数组 dW 本身。

形状：W、dW 为 (D, U)；l2、R 是标量。

用下面的例子手算一个数：R = 0.1 (1 + 4 + 0.25 + 0) = 0.525。W[0,1] = -2 增大时，平方减小，斜率为 2 × (-2)，所以该处的梯度是
0.5 + 0.1 × 2 × (-2) = 0.1。
"""),
    [Part("l2_penalty", "W, l2", "R", penalty, Text("R = l2 sum of W^2", "R = l2 Σ W^2")),
     Part("l2_gradient", "dW, W, l2", "dW", lambda dW, W, l2: dW + Gradients(penalty, "W", dy=None)(W=W, l2=l2)[0],
          Text("the gradient of L_data + R with respect to W, where dW is that of L_data",
               "L_data + R 对 W 的梯度，其中 dW 是 L_data 的梯度"))],
    cases,
    [Mistake("l2_penalty", "R", lambda W, l2: l2 * (W ** 2).mean(),
             Text("This is the mean of the squares. R has their sum.", "这是平方的平均。R 是求和。")),
     Mistake("l2_penalty", "R", lambda W, l2: l2 * (W ** 2).sum() / 2, Text(
         "This has a factor 1/2, as in some textbooks. Here R has none.", "多了系数 1/2（有些教材这样定义），这里的 R 没有它。")),
     Mistake("l2_penalty", "R", lambda W, l2: l2 * np.sqrt((W ** 2).sum()), Text(
         "This is the norm, with a root. R has the sum of squares, without it.", "这是范数，带有根号。R 是平方和，没有根号。")),
     Mistake("l2_penalty", "R", lambda W, l2: l2 * np.abs(W).sum(),
             Text("This is L1, the sum of |W|. Take squares.", "这是 L1，即 |W| 之和。应取平方。")),
     Mistake("l2_penalty", "R", lambda W, l2: (W ** 2).sum(), Text("The factor l2 is forgotten.", "忘了系数 l2。")),
     Mistake("l2_gradient", "dW", lambda dW, W, l2: dW + l2 * W,
             Text("The derivative of W^2 is 2 W: the factor 2 is missing.", "W^2 的导数是 2 W：缺少系数 2。")),
     Mistake("l2_gradient", "dW", lambda dW, W, l2: 2 * l2 * W, Text(
         "This is the gradient of R alone. Add the dW that is given, of L_data.", "这只是 R 的梯度。还要加上给定的 L_data 的梯度 dW。")),
     Mistake("l2_gradient", "dW", lambda dW, W, l2: dW - 2 * l2 * W, Text(
         "The sign: R is added to the loss, so its gradient is added, too. (The optimizer subtracts later.)",
         "符号错误：R 是加到损失上的，梯度也要加上。（减号在优化器里。）")),
     Mistake("l2_gradient", "dW", lambda dW, W, l2: dW + l2 * np.sign(W), Text(
         "sign(W) is the slope of |W|, that is of L1. That of W^2 is 2 W.", "sign(W) 是 |W| 的斜率，属于 L1。W^2 的斜率是 2 W。")),
     Mistake("l2_gradient", "dW", lambda dW, W, l2: dW + 2 * W, Text("The factor l2 is forgotten.", "忘了系数 l2。")),
     Mistake("l2_gradient", "dW", lambda dW, W, l2: dW,
             Text("The gradient of R is missing: only dW came back.", "缺少 R 的梯度：返回的只是 dW。"))],
    [Text("R is a sum of squares, each of one weight: what is the derivative of l2 W[i,j]^2?",
          "R 是平方和，每一项只含一个权重：l2 W[i,j]^2 的导数是什么？"),
     Text("The gradient of a sum is the sum of the gradients: dW + 2 l2 W.", "和的梯度等于梯度的和：dW + 2 l2 W。")],
    Text("tinynet/regularizers.py has L1 and L2, each with its gradient.", "tinynet/regularizers.py 中有 L1 与 L2 及其梯度。"))
