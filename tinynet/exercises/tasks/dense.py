"""Exercise: a dense layer for a batch."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.exercises.tasks.dense_sample import forward


def cases(rng: np.random.Generator) -> list[Case]:
    """Batches of several shapes; one is square."""
    example = dict(x=np.array([[1.0, 2.0], [0.0, -1.0], [3.0, 1.0]]), W=np.array([[1.0, 0.0], [2.0, -1.0]]),
                   b=np.array([0.5, 0.0]), dy=np.array([[1.0, 0.0], [2.0, -1.0], [0.0, 1.0]]))
    drawn = [dict(x=rng.normal(size=(n, d)), W=rng.normal(size=(d, u)), b=rng.normal(size=u),
                  dy=rng.normal(size=(n, u))) for n, d, u in ((5, 4, 3), (1, 3, 2), (3, 3, 3), (4, 1, 2))]
    return [example, *drawn]


exercise: Exercise = Exercise(
    "dense", "Dense", Text("A dense layer for a batch", "全连接层：一批样本"),
    Text("""
A batch is a matrix with one sample in each row. The same layer, with the same weights, is applied to each row:

    y[n,j] = sum over i of x[n,i] W[i,j] + b[j],    in short y = x W + b, with b added to every row

L depends on all y[n,j]. A weight takes part in every sample, so its gradient is a sum over the batch: what it does
to L through sample 0, plus what it does through sample 1, and so on.

Shapes: x, dx (N, D); W, dW (D, U); b, db (U,); y, dy (N, U).

One number worked out, for the example below: W[0,0] is in y[n,0] = x[n,0] W[0,0] + ... of all three samples, so
dW[0,0] = x[0,0] dy[0,0] + x[1,0] dy[1,0] + x[2,0] dy[2,0] = 1 times 1 + 0 times 2 + 3 times 0 = 1.

Do not divide by N. In the first exercise you computed L, and so you divided. Here L comes later: if it is a mean over
the batch, its 1/N is already inside dy.
""", """
一个批次是一个矩阵，每行一个样本。同一个层、同样的权重作用于每一行：

    y[n,j] = Σ_i x[n,i] W[i,j] + b[j]，    简写为 y = x W + b，b 加到每一行

L 依赖所有的 y[n,j]。每个权重都参与所有样本的计算，所以它的梯度要对批次求和：
通过样本 0 对 L 的影响，加上通过样本 1 的影响，依此类推。

形状：x、dx 为 (N, D)；W、dW 为 (D, U)；b、db 为 (U,)；y、dy 为 (N, U)。

用下面的例子手算一个数：W[0,0] 出现在三个样本的 y[n,0] = x[n,0] W[0,0] + ... 中，所以
dW[0,0] = x[0,0] dy[0,0] + x[1,0] dy[1,0] + x[2,0] dy[2,0] = 1 × 1 + 0 × 2 + 3 × 0 = 1。

不要除以 N。第一个练习里 L 由你计算，所以由你来除。这里 L 在后面才算：如果它是对批次的平均，1/N 已经包含在 dy 里了。
"""),
    [Part("dense_forward", "x, W, b", "y", forward, "y = x W + b"),
     Part("dense_backward", "dy, x, W, b", "dx, dW, db", Gradients(forward, "x, W, b"))],
    cases,
    [Mistake("dense_forward", "y", lambda x, W, b: x @ W, Text("The bias is forgotten.", "忘了加偏置 b。")),
     Mistake("dense_forward", "y", lambda x, W, b: x @ W - b,
             Text("The bias is added, not subtracted.", "偏置应当加上，而不是减去。")),
     Mistake("dense_backward", "dx", lambda dy, x, W, b: dy @ W, Text(
         "dx = dy W^T: W is transposed on the way back. dy W fits only because W is square here.",
         "dx = dy W^T：反向时要用 W 的转置。dy W 能相乘只是因为这里的 W 是方阵。")),
     Mistake("dense_backward", "dx", lambda dy, x, W, b: np.ones_like(dy) @ W.T, Text(
         "dy is forgotten: dx = dy W^T.", "忘了 dy：dx = dy W^T。")),
     Mistake("dense_backward", "dW", lambda dy, x, W, b: x.T @ dy / len(x), Text(
         "Divided by N. The division belongs to the loss, and is already in dy: dW is the sum over the batch.",
         "除以了 N。这个除法属于损失函数，已经在 dy 里：dW 是对批次的求和。")),
     Mistake("dense_backward", "dW", lambda dy, x, W, b: dy.T @ x, Text(
         "Transposed: dW has the shape of W, (D, U), so it is x^T dy and not dy^T x.",
         "转置了：dW 的形状与 W 相同，为 (D, U)，所以是 x^T dy，而不是 dy^T x。")),
     Mistake("dense_backward", "dW", lambda dy, x, W, b: np.outer(x[0], dy[0]), Text(
         "Only the first sample counts. Sum over the batch: x^T dy.", "只算了第一个样本。要对批次求和：x^T dy。")),
     Mistake("dense_backward", "dW", lambda dy, x, W, b: np.outer(x[-1], dy[-1]), Text(
         "Only the last sample counts: does a loop over the batch assign, where it should add? dW is the sum, x^T dy.",
         "只算了最后一个样本：循环里是否用了赋值，而不是累加？dW 是求和，即 x^T dy。")),
     Mistake("dense_backward", "dW", lambda dy, x, W, b: np.outer(x.sum(0), dy.sum(0)), Text(
         "Sums of x and of dy are multiplied. Multiply x[n] and dy[n] of the same sample first, then sum: x^T dy.",
         "先求和再相乘了。应当先把同一样本的 x[n] 与 dy[n] 相乘，再求和：x^T dy。")),
     Mistake("dense_backward", "dW", lambda dy, x, W, b: x.T @ np.ones_like(dy), Text(
         "dy is forgotten: dW = x^T dy.", "忘了 dy：dW = x^T dy。")),
     Mistake("dense_backward", "dW", lambda dy, x, W, b: np.ones_like(W) * dy.sum(0), Text(
         "x is forgotten: dW = x^T dy.", "忘了 x：dW = x^T dy。")),
     Mistake("dense_backward", "dW", lambda dy, x, W, b: np.outer(x.mean(0), dy.mean(0)), Text(
         "Means of x and of dy are multiplied. Multiply x[n] and dy[n] of the same sample first, then sum: x^T dy.",
         "先取平均再相乘了。应当先把同一样本的 x[n] 与 dy[n] 相乘，再求和：x^T dy。")),
     Mistake("dense_backward", "db", lambda dy, x, W, b: np.ones_like(b) * len(x), Text(
         "dy is forgotten: db is the sum of dy over the batch.", "忘了 dy：db 是 dy 对批次的求和。")),
     Mistake("dense_backward", "db", lambda dy, x, W, b: np.ones_like(b), Text(
         "dy is forgotten: db is the sum of dy over the batch.", "忘了 dy：db 是 dy 对批次的求和。")),
     Mistake("dense_backward", "db", lambda dy, x, W, b: dy[-1], Text(
         "Only the last sample counts: does a loop over the batch assign, where it should add?",
         "只算了最后一个样本：循环里是否用了赋值，而不是累加？")),
     Mistake("dense_backward", "db", lambda dy, x, W, b: dy, Text(
         "b is added to every row, so db is the sum of dy over the batch, of shape (U,).",
         "b 加到每一行，所以 db 是 dy 对批次的求和，形状为 (U,)。")),
     Mistake("dense_backward", "db", lambda dy, x, W, b: dy.mean(axis=0), Text(
         "This is the mean over the batch. db is the sum: the division by N is already in dy.",
         "这里对批次取了平均。db 应对批次求和：除以 N 这一步已经包含在 dy 里。")),
     Mistake("dense_backward", "db", lambda dy, x, W, b: dy.sum(axis=1), Text(
         "Summed over the units (axis 1). Sum over the batch (axis 0): db has one number for each unit.",
         "对单元（轴 1）求和了。应当对批次（轴 0）求和：每个单元一个数。")),
     Mistake("dense_backward", "db", lambda dy, x, W, b: dy.sum(), Text(
         "Summed over everything. db has one number for each unit: sum over the batch (axis 0) only.",
         "对所有数求和了。db 每个单元一个数：只对批次（轴 0）求和。"))],
    [Text("For one sample dW = outer product of x[n] and dy[n]. Add these matrices for all n.",
          "对一个样本，dW 是 x[n] 与 dy[n] 的外积。把所有 n 的矩阵相加。"),
     Text("dW[i,j] = sum over n of x[n,i] dy[n,j]. Which product of matrices has this sum in it? Where is n in it?",
          "dW[i,j] = Σ_n x[n,i] dy[n,j]。哪个矩阵乘积含有这个求和？n 在什么位置？"),
     Text("A product sums over the columns of its left and the rows of its right factor, so n must be a column there: "
          "x^T dy.",
          "矩阵乘积对左矩阵的列下标（即右矩阵的行下标）求和，所以 n 必须是左矩阵的列下标：x^T dy。"),
     Text("dx[n,i] = sum over j of dy[n,j] W[i,j]: here the columns of W are summed over, so dx = dy W^T.",
          "dx[n,i] = Σ_j dy[n,j] W[i,j]：这里求和的 j 是 W 的列下标，所以 dx = dy W^T。")],
    Text("This is the whole backward of tinynet/layers/dense.py. Compare yours with it.",
         "这就是 tinynet/layers/dense.py 的全部反向传播。可以与你的答案对照。"))
