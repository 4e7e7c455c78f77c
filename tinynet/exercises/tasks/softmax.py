"""Exercise: softmax and its Jacobian."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.types import Array


def forward(x: Array) -> Array:
    """y = exp(x) / sum of exp(x), over the last axis, without overflow"""
    e = np.exp(x - x.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def exp_of_row(x: Array) -> Array:
    """exp(x), without overflow, in wrong formulas"""
    return np.exp(x - x.max(axis=1, keepdims=True))


def jacobian(x: Array) -> Array:
    """J[i,j] of one row, column by column by the complex step"""
    return np.stack([forward(x + 1e-30j * unit).imag / 1e-30 for unit in np.eye(len(x))], axis=1)


def backward(dy: Array, x: Array) -> Array:
    """dx = y (dy - sum of dy y), for the mistakes of attention"""
    y = forward(x)
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


def cases(rng: np.random.Generator) -> list[Case]:
    """Rows of numbers around zero, and far from it; `row` is for the Jacobian."""
    example = dict(x=np.array([[0.0, 1.0, 2.0], [1.0, 1.0, 1.0]]), dy=np.array([[1.0, 0.0, 0.0], [0.0, 3.0, 0.0]]),
                   row=np.array([1.0, 1.0, 1.0]))
    drawn = [dict(x=rng.normal(size=shape), dy=rng.normal(size=shape), row=rng.normal(size=shape[1]))
             for shape in ((4, 3), (1, 5), (5, 5))]
    large = dict(x=np.array([[800.0, 801.0, 799.0], [-801.0, -800.0, -800.0]]), dy=rng.normal(size=(2, 3)),
                 row=np.array([801.0, 800.0, 799.0]))
    return [example, *drawn, large]


OVERFLOW = Text("NaN or infinity: exp(800) overflows. Subtract the largest number of each row first; softmax stays "
                "the same.",
                "出现 NaN 或无穷大：exp(800) 溢出了。先减去每行的最大值，softmax 不变。")
WHOLE = Text("Divided by the sum over the whole batch. Each row has a sum of its own: axis=1, keepdims=True.",
             "除以了整个批次的和。每一行有自己的和：axis=1, keepdims=True。")
AXIS = Text("Divided by sums over the batch (axis 0). The probabilities of a row add up to 1: axis 1.",
            "除以了沿批次（轴 0）的和。每一行的概率之和应为 1：沿轴 1 求和。")
exercise: Exercise = Exercise(
    "softmax", "Softmax", Text("softmax and its Jacobian", "softmax 与它的雅可比矩阵"),
    Text("""
softmax turns each row of numbers into probabilities, which are positive and add up to 1:

    y[i] = exp(x[i]) / sum over k of exp(x[k])

Here every output depends on every input of its row. All these slopes together are a matrix, the Jacobian:

    J[i,j] = the slope of y[i] in x[j], its partial derivative

By the chain rule dx[j] = sum over i of dy[i] J[i,j], where dy[i] is short for dL/dy[i]. This sum has a closed form,
which needs no matrix. It must work for large x too, such as 800 and -800 in one batch.

Shapes: x, y, dy, dx (N, C), each row by itself; for the Jacobian row (C,) and J (C, C).

One number worked out, for the row [1, 1, 1]: y = [1/3, 1/3, 1/3]. If x[0] grows, y[0] grows by y[0] (1 - y[0]) = 2/9
times as much. The sum stays 1, so y[1] and y[2] shrink, by symmetry equally: by 1/9 times as much each.
So J[0,0] = 2/9 and J[1,0] = -1/9. And dy = [0, 3, 0] gives dx[1] = 3 times 2/9 = 2/3, dx[0] = 3 times -1/9 = -1/3.
""", """
softmax 把每一行数变成概率：都为正，总和为 1：

    y[i] = exp(x[i]) / Σ_k exp(x[k])

这里每个输出都依赖同一行的每个输入。所有这些斜率构成一个矩阵，即雅可比矩阵：

    J[i,j] = y[i] 对 x[j] 的偏导数

由链式法则 dx[j] = Σ_i dy[i] J[i,j]，其中 dy[i] 是 dL/dy[i] 的简写。这个求和可以化简，不需要矩阵。x 很大时也要正确，
例如同一批次中有 800 和 -800。

形状：x、y、dy、dx 为 (N, C)，各行互不影响；雅可比矩阵的输入 row 为 (C,)，J 为 (C, C)。

用行 [1, 1, 1] 手算一个数：y = [1/3, 1/3, 1/3]。x[0] 增大时，y[0] 的增量是 x[0] 增量的 y[0] (1 - y[0]) = 2/9；总和仍为 1，
所以 y[1]、y[2] 各减小该增量的 1/9。于是 J[0,0] = 2/9，J[1,0] = -1/9。dy = [0, 3, 0] 得 dx[1] = 3 × 2/9 = 2/3，
dx[0] = 3 × (-1/9) = -1/3。
"""),
    [Part("softmax_forward", "x", "y", forward,
          Text("y = exp(x) / sum of exp(x), for each row", "y = exp(x) / Σ exp(x)，逐行计算")),
     Part("softmax_jacobian", "row", "J", lambda row: jacobian(row),
          Text("J[i,j]: the slope of y[i] in x[j], of a single row x", "J[i,j]：y[i] 对 x[j] 的偏导数，只对一行 x")),
     Part("softmax_backward", "dy, x", "dx", Gradients(forward, "x"))],
    cases,
    [Mistake("softmax_forward", "y", lambda x: np.exp(x) / np.exp(x).sum(), WHOLE),
     Mistake("softmax_forward", "y", lambda x: exp_of_row(x) / exp_of_row(x).sum(), WHOLE),
     Mistake("softmax_forward", "y", lambda x: np.exp(x) / np.exp(x).sum(axis=0), AXIS),
     Mistake("softmax_forward", "y", lambda x: exp_of_row(x) / exp_of_row(x).sum(axis=0), AXIS),
     Mistake("softmax_forward", "y", lambda x: np.exp(x), Text(
         "Not divided by the sum: the numbers of a row must add up to 1.", "没有除以总和：每一行的数相加必须等于 1。")),
     Mistake("softmax_jacobian", "J", lambda row: np.diag(forward(row) * (1 - forward(row))), Text(
         "Only the diagonal is there. Every y[i] depends on every x[j] through the sum below: -y[i] y[j] elsewhere.",
         "只有对角线。每个 y[i] 通过分母依赖每个 x[j]：对角线以外是 -y[i] y[j]。")),
     Mistake("softmax_jacobian", "J", lambda row: -np.outer(forward(row), forward(row)), Text(
         "The diagonal lacks its y[i]: J[i,i] = y[i] - y[i]^2, from the exp above the line.",
         "对角线缺少 y[i]：J[i,i] = y[i] - y[i]^2，来自分子的 exp。")),
     Mistake("softmax_jacobian", "J", lambda row: np.diag(forward(row)) + np.outer(forward(row), forward(row)), Text(
         "A sign: J = diag(y) - y y^T. Its columns must add up to 0, since the probabilities always add up to 1.",
         "符号错误：J = diag(y) - y y^T。每列之和必须为 0，因为概率之和始终为 1。")),
     Mistake("softmax_jacobian", "J", lambda row: np.diag(forward(row)), Text(
         "- y y^T is missing: every y[i] depends on every x[j] through the sum in the denominator.",
         "缺少 - y y^T：每个 y[i] 都通过分母依赖每个 x[j]。")),
     Mistake("softmax_jacobian", "J", lambda row: np.eye(len(row)) - np.outer(forward(row), forward(row)), Text(
         "The diagonal begins with y[i], not with 1: diag(y), not the identity.",
         "对角线的第一项是 y[i]，不是 1：用 diag(y)，而不是单位矩阵。")),
     Mistake("softmax_backward", "dx", lambda dy, x: 0 * x, Text(
         "Everywhere zero: is dy forgotten? The columns of the Jacobian add up to 0.", "各处为零：是不是忘了 dy？雅可比矩阵每列之和为 0。")),
     Mistake("softmax_backward", "dx", lambda dy, x: forward(x) * (dy - (dy * forward(x)).sum(axis=0)), Text(
         "The sum goes over the batch (axis 0). Each row has its own: axis=1, keepdims=True.",
         "沿批次（轴 0）求和了。每一行有自己的和：axis=1, keepdims=True。")),
     Mistake("softmax_backward", "dx", lambda dy, x: forward(x) * (dy + (dy * forward(x)).sum(axis=1, keepdims=True)),
             Text(
         "A sign: the sum is subtracted from dy.", "符号错误：应从 dy 中减去这个和。")),
     Mistake("softmax_backward", "dx", lambda dy, x: dy * forward(x) * (1 - forward(x)), Text(
         "Only the diagonal of the Jacobian is used, as for sigmoid. Each x also moves the other outputs of its row.",
         "只用了雅可比矩阵的对角线，好像是 sigmoid。每个 x 还会改变同一行的其他输出。")),
     Mistake("softmax_backward", "dx", lambda dy, x: dy * forward(x), Text(
         "The sum is missing: dx = y (dy - sum of dy y), with the sum over the row.",
         "缺少求和项：dx = y (dy - Σ dy y)，其中 Σ 沿该行求和。")),
     Mistake("softmax_backward", "dx", lambda dy, x: forward(x) * (dy - (dy * forward(x)).sum()), Text(
         "The sum goes over the whole batch. Each row has its own: axis=1, keepdims=True.",
         "对整个批次求和了。每一行有自己的和：axis=1, keepdims=True。")),
     Mistake("softmax_backward", "dx", lambda dy, x: forward(x) * (dy - dy.sum(axis=1, keepdims=True)), Text(
         "In the sum y is missing: dx = y (dy - sum of dy y).", "求和里缺少 y：dx = y (dy - Σ dy y)。")),
     Mistake("softmax_backward", "dx", lambda dy, x: dy - (dy * forward(x)).sum(axis=1, keepdims=True), Text(
         "The factor y in front is missing: dx = y (dy - sum of dy y).", "前面缺少因子 y：dx = y (dy - Σ dy y)。")),
     Mistake("softmax_backward", "dx", lambda dy, x: forward(x) - dy, Text(
         "y - t is the gradient of softmax and cross-entropy together. Here dy comes from any loss.",
         "y - t 是 softmax 与交叉熵合在一起的梯度。这里的 dy 来自任意损失。"))],
    [Text("exp(800) is infinite. But softmax does not change if the same number is subtracted from a whole row: "
          "subtract the largest.", "exp(800) 是无穷大。但整行减去同一个数，softmax 不变：减去最大值。"),
     Text("The quotient rule, for j = i and for j other than i: y[i] - y[i]^2, and -y[i] y[j].",
          "用商的求导法则，分 j = i 与 j ≠ i：y[i] - y[i]^2 与 -y[i] y[j]。"),
     Text("dx[j] = sum over i of dy[i] J[i,j] = dy[j] y[j] - y[j] times (sum over i of dy[i] y[i]).",
          "dx[j] = Σ_i dy[i] J[i,j] = dy[j] y[j] - y[j] Σ_i dy[i] y[i]。")],
    Text("tinynet/activations.py has this backward, in one line.", "tinynet/activations.py 中的反向传播只有一行。"),
    OVERFLOW)
