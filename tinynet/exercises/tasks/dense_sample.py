"""Exercise: a dense layer for one sample."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.types import Array


def forward(x: Array, W: Array, b: Array) -> Array:
    """y = x W + b"""
    return x @ W + b


def cases(rng: np.random.Generator) -> list[Case]:
    """Layers of several shapes; one is square, where a transposed matrix still fits."""
    example = dict(x=np.array([1.0, 2.0, -1.0]), W=np.array([[1.0, 0.0], [2.0, 1.0], [0.5, -1.0]]),
                   b=np.array([0.5, -0.5]), dy=np.array([1.0, 3.0]))
    drawn = [dict(x=rng.normal(size=d), W=rng.normal(size=(d, u)), b=rng.normal(size=u), dy=rng.normal(size=u))
             for d, u in ((4, 3), (3, 3), (1, 5), (5, 1))]
    return [example, *drawn]


exercise: Exercise = Exercise(
    "dense_sample", "DenseSample", Text("A dense layer for one sample", "全连接层：一个样本"),
    Text("""
A dense layer has U units. Each of them adds up all inputs, each times a weight of its own, and a bias:

    y[j] = sum over i of x[i] W[i,j] + b[j],    in short y = x W + b

The gradients ask: if x[i], or W[i,j], or b[j] grows by a little, how much does the loss L grow? L depends on them only
through y, and dy[j] = dL/dy[j] is given.

Shapes: x, dx (D,); W, dW (D, U); b, db, y, dy (U,).  A gradient always has the shape of its array.

One number worked out, for the example below: W[1,0] is in y[0] only, where it is multiplied by x[1] = 2.
So dW[1,0] = x[1] dy[0] = 2 times 1 = 2.  And x[0] is in y[0] and in y[1]: dx[0] = W[0,0] dy[0] + W[0,1] dy[1] = 1.
""", """
全连接层有 U 个单元。每个单元把各个输入分别乘以对应的权重后相加，再加上偏置：

    y[j] = Σ_i x[i] W[i,j] + b[j]，    简写为 y = x W + b

梯度回答的是：x[i]、W[i,j] 或 b[j] 稍微增大时，损失 L 增大多少？L 只通过 y 依赖它们，而 dy[j] = dL/dy[j] 是给定的。

形状：x、dx 为 (D,)；W、dW 为 (D, U)；b、db、y、dy 为 (U,)。梯度的形状总与对应的数组相同。

用下面的例子手算一个数：W[1,0] 只出现在 y[0] 中，与 x[1] = 2 相乘，所以 dW[1,0] = x[1] dy[0] = 2 × 1 = 2。
x[0] 同时出现在 y[0] 和 y[1] 中：dx[0] = W[0,0] dy[0] + W[0,1] dy[1] = 1。
"""),
    [Part("dense_sample_forward", "x, W, b", "y", forward, "y = x W + b"),
     Part("dense_sample_backward", "dy, x, W, b", "dx, dW, db", Gradients(forward, "x, W, b"))],
    cases,
    [Mistake("dense_sample_forward", "y", lambda x, W, b: x @ W, Text("The bias is forgotten.", "忘了加偏置 b。")),
     Mistake("dense_sample_forward", "y", lambda x, W, b: x @ W - b,
             Text("The bias is added, not subtracted.", "偏置应当加上，而不是减去。")),
     Mistake("dense_sample_backward", "dx", lambda dy, x, W, b: W.sum(axis=1), Text(
         "dy is forgotten: each weight counts as much as the output that it leads to.", "忘了 dy：每个权重要乘以它所通向的输出的 dy。")),
     Mistake("dense_sample_backward", "dx", lambda dy, x, W, b: W @ dy + b.sum(), Text(
         "b is not in dx: adding b shifts y, whatever x is.", "dx 中没有 b：无论 x 是多少，b 只是平移 y。")),
     Mistake("dense_sample_backward", "dW", lambda dy, x, W, b: np.outer(dy, x), Text(
         "Transposed: W has a row for each input and a column for each unit, so dW[i,j] = x[i] dy[j].",
         "转置了：W 的每一行对应一个输入，每一列对应一个单元，所以 dW[i,j] = x[i] dy[j]。")),
     Mistake("dense_sample_backward", "dW", lambda dy, x, W, b: np.outer(x, np.ones_like(dy)), Text(
         "dy is forgotten: dW[i,j] = x[i] dy[j].", "忘了 dy：dW[i,j] = x[i] dy[j]。")),
     Mistake("dense_sample_backward", "dW", lambda dy, x, W, b: W * dy, Text(
         "W is multiplied by x, so its slope is x, not W.", "W 与 x 相乘，所以它的斜率是 x，而不是 W。")),
     Mistake("dense_sample_backward", "dW", lambda dy, x, W, b: np.ones_like(W) * dy, Text(
         "x is forgotten: W[i,j] is multiplied by x[i], so dW[i,j] is, too.",
         "忘了 x：W[i,j] 与 x[i] 相乘，所以 dW[i,j] 中也有 x[i]。")),
     Mistake("dense_sample_backward", "db", lambda dy, x, W, b: np.ones_like(b), Text(
         "dy is forgotten: y[j] changes as much as b[j], and L by dy[j] times that.",
         "忘了 dy：y[j] 与 b[j] 变化相同，而 L 的变化是它的 dy[j] 倍。")),
     Mistake("dense_sample_backward", "db", lambda dy, x, W, b: b * dy, Text(
         "b is added, so its slope is 1, not b.", "b 是加上去的，斜率为 1，而不是 b。"))],
    [Text("Write y[0] and y[1] out in full for three inputs. Where does W[1,0] stand, and what is beside it?",
          "对三个输入写出 y[0] 和 y[1] 的完整式子。W[1,0] 出现在哪里？它旁边是什么？"),
     Text("dW[i,j] = x[i] dy[j], for all i and j: np.outer makes such a matrix.",
          "dW[i,j] = x[i] dy[j]，对所有 i、j：np.outer 就生成这样的矩阵。"),
     Text("x[i] reaches L along all units: dx[i] = sum over j of W[i,j] dy[j], which is W @ dy.",
          "x[i] 经过所有单元到达 L：dx[i] = Σ_j W[i,j] dy[j]，即 W @ dy。")],
    Text("The next exercise does the same for many samples at once.", "下一个练习对一批样本做同样的事。"))
