"""Exercise: dropout."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.types import Array


def forward(x: Array, u: Array, rate: float, training: bool) -> Array:
    """y = x where u >= rate, divided by 1 - rate, else 0; in inference y = x"""
    return x * (u >= rate) / (1 - rate) if training else x


def cases(rng: np.random.Generator) -> list[Case]:
    """In training, and in inference, with several rates."""
    example = dict(x=np.array([[1.0, 2.0, 3.0, 4.0]]), u=np.array([[0.9, 0.1, 0.6, 0.3]]), rate=0.5, training=True,
                   dy=np.array([[1.0, 1.0, -1.0, 2.0]]))
    kinds = (((4, 5), 0.3, True), ((3, 4), 0.6, True), ((3, 4), 0.3, False))
    drawn: list[Case] = [dict(x=rng.normal(size=shape), u=rng.random(shape), rate=rate, training=training,
                              dy=rng.normal(size=shape)) for shape, rate, training in kinds]
    drawn[0]["u"][0, 0] = drawn[0]["rate"]      # the border, where x is kept
    return [example, *drawn]


INFERENCE = Text("Right in training. In inference, training=False, y is x, and dx is dy.",
                 "训练时是对的。推断时（training=False）y 等于 x，dx 等于 dy。")
exercise: Exercise = Exercise(
    "dropout", "Dropout", Text("Dropout", "随机失活（dropout）"),
    Text("""
In training dropout sets each number to zero with probability `rate`, so that no unit can rely on another one. What
is left is divided by 1 - rate, so that the sum stays the same on average. In inference it does nothing:

    y = x / (1 - rate) where u >= rate, else 0        in training
    y = x                                             in inference

u are random numbers from 0 to 1, one for each x. They are given, so that your results can be compared; usually you
would draw them. backward must use the same ones as forward.

Shapes: x, u, y, dy, dx (N, D); rate a number from 0 to below 1; training True or False.

One number worked out, for the example below, with rate 0.5: u[0,0] = 0.9 is at least 0.5, so x[0,0] = 1 is kept, and
y[0,0] = 1 / 0.5 = 2. The slope is 2, so dx[0,0] = 2 dy[0,0] = 2. x[0,1] is dropped: y[0,1] = 0 and dx[0,1] = 0.
""", """
训练时，dropout 以概率 rate 把每个数置为零，使任何单元都不能依赖别的单元。保留下来的数除以 1 - rate，使总和的期望不变。推断时什么也不做：

    训练时：若 u >= rate，y = x / (1 - rate)；否则 y = 0
    推断时：y = x

u 是 0 到 1 之间的随机数，与 x 的元素一一对应。这里给定 u 以便核对结果；通常要自己生成。backward 必须使用与 forward 相同的 u。

形状：x、u、y、dy、dx 为 (N, D)；rate 是 0 到 1（不含 1）的数；training 为 True 或 False。

用下面的例子手算一个数，rate 为 0.5：u[0,0] = 0.9 不小于 0.5，所以 x[0,0] = 1 被保留，y[0,0] = 1 / 0.5 = 2。斜率是 2，
所以 dx[0,0] = 2 dy[0,0] = 2。x[0,1] 被丢弃：y[0,1] = 0，dx[0,1] = 0。
"""),
    [Part("dropout_forward", "x, u, rate, training", "y", forward,
          Text("y = x / (1 - rate) where u >= rate, else 0; in inference y = x",
               "训练时：若 u >= rate，y = x / (1 - rate)，否则 y = 0；推断时 y = x")),
     Part("dropout_backward", "dy, u, rate, training", "dx",
          lambda dy, u, rate,
          training: Gradients(forward, "x")(dy=dy, x=np.ones_like(dy), u=u, rate=rate, training=training),
          Text("dx = dL/dx, from dy = dL/dy", "dx = dL/dx，由 dy = dL/dy 求出"))],
    cases,
    [Mistake("dropout_forward", "y", lambda x, u, rate, training: x * (u >= rate) if training else x, Text(
        "What is kept must be divided by 1 - rate, so that the mean stays the same.", "保留的数要除以 1 - rate，使均值不变。")),
     Mistake("dropout_forward", "y", lambda x, u, rate, training: x * (u >= rate) / (1 - rate), Text(
         "Right in training. In inference, training=False, y is x.", "训练时是对的。推断时（training=False）y 等于 x。")),
     Mistake("dropout_forward", "y", lambda x, u, rate, training: x * (u < rate) / (1 - rate) if training else x, Text(
         "The wrong part is kept: a share `rate` is dropped, so keep where u >= rate.",
         "保留反了：要丢弃比例 rate，所以保留 u >= rate 的数。")),
     Mistake("dropout_forward", "y", lambda x, u, rate, training: x * (u > rate) / (1 - rate) if training else x, Text(
         "At the border, u = rate, x is kept: u >= rate. So exactly the share rate of all u from 0 to below 1 is "
         "dropped.",
         "在边界 u = rate 处保留 x：u >= rate。这样 [0, 1) 中恰有比例 rate 的 u 被丢弃。")),
     Mistake("dropout_forward", "y", lambda x, u, rate, training: x * (u >= rate) / rate if training else x, Text(
         "Divided by rate, the share that is dropped. Divide by 1 - rate, the share that is kept.",
         "除以了丢弃的比例 rate。应除以保留的比例 1 - rate。")),
     Mistake("dropout_forward", "y", lambda x, u, rate, training: x * (u >= rate) if training else x * (1 - rate), Text(
         "This is the original dropout, which scales in inference. Here (inverted dropout) training scales by "
         "1 / (1 - rate), and inference does nothing.",
         "这是最初的 dropout，在推断时缩放。这里（inverted dropout）训练时乘以 1 / (1 - rate)，推断时什么也不做。")),
     Mistake("dropout_forward", "y", lambda x, u, rate, training: x * (u >= rate) / (1 - rate) if training else (
         x * (1 - rate)), Text("Right in training. In inference nothing is scaled: y is x.", "训练时是对的。推断时不缩放：y 等于 x。")),
     *(Mistake("dropout_backward", "dx", wrong, INFERENCE) for wrong in (
         lambda dy, u, rate, training: dy * (u >= rate) / (1 - rate) if training else 0 * dy,
         lambda dy, u, rate, training: dy * (u >= rate) / (1 - rate) if training else dy * (1 - rate),
         lambda dy, u, rate, training: dy * (u >= rate) / (1 - rate))),
     Mistake("dropout_backward", "dx", lambda dy, u, rate, training: dy * (u < rate) / (1 - rate) if training else dy,
             Text("The mask is inverted: the gradient passes where x was kept, u >= rate.",
                  "掩码反了：梯度在保留 x 之处（u >= rate）通过。")),
     Mistake("dropout_backward", "dx", lambda dy, u, rate, training: dy * (u >= rate) if training else dy, Text(
         "The factor 1 / (1 - rate) is in the slope, too.", "斜率中也有因子 1 / (1 - rate)。")),
     Mistake("dropout_backward", "dx", lambda dy, u, rate, training: dy / (1 - rate) if training else dy, Text(
         "The mask is forgotten: what was dropped has no influence, so its gradient is 0.",
         "忘了掩码：被丢弃的数没有影响，梯度为 0。")),
     Mistake("dropout_backward", "dx", lambda dy, u, rate, training: dy, Text(
         "dy passes everywhere. It passes as the numbers did: times the same mask, divided by 1 - rate.",
         "dy 处处通过了。它应与数一样通过：乘以同一个掩码，除以 1 - rate。"))],
    [Text("y is x times a number that does not depend on x. What is its slope?", "y 等于 x 乘以一个与 x 无关的数。斜率是什么？"),
     Text("m = (u >= rate) / (1 - rate); then y = x m and dx = dy m.",
          "m = (u >= rate) / (1 - rate)，于是 y = x m，dx = dy m。")],
    Text("tinynet/layers/dropout.py draws its masks from a counted random stream, so that a run can be repeated.",
         "tinynet/layers/dropout.py 从计数的随机流中抽取掩码，所以训练可以重现。"))
