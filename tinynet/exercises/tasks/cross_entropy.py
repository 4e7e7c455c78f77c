"""Exercise: softmax with cross-entropy."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.exercises.tasks.softmax import forward as softmax
from tinynet.types import Array


def forward(z: Array, t: Array) -> Array:
    """L = 1/N sum of -t log softmax(z), without overflow"""
    shifted = z - z.real.max(axis=1, keepdims=True)
    return -(t * (shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))).sum() / len(z)


def cases(rng: np.random.Generator) -> list[Case]:
    """Logits and one-hot targets; also logits that are very different."""
    example = dict(z=np.array([[0.0, 0.0, 0.0], [1.0, -1.0, 0.0]]), t=np.eye(3)[[1, 0]])
    drawn = [dict(z=2 * rng.normal(size=(n, c)), t=np.eye(c)[rng.integers(0, c, n)]) for n,
             c in ((5, 3), (1, 4), (4, 4))]
    large = dict(z=np.array([[900.0, 0.0, -900.0], [-2000.0, -800.0, -790.0]]), t=np.eye(3)[[1, 2]])
    return [example, *drawn, large]


exercise: Exercise = Exercise(
    "cross_entropy", "CrossEntropy", Text("softmax with cross-entropy", "softmax 与交叉熵"),
    Text("""
A classifier ends with logits z, one for each class. softmax makes probabilities p of them, and the cross-entropy is the
mean of the negative log probabilities of the true classes, which a one-hot row t marks with a 1:

    p = softmax(z),    L = 1/N sum over n and c of -t[n,c] log p[n,c]

Work out the gradient of both together: it is far simpler than that of each, and it never divides by p.

Shapes: z, t, p, dz (N, C); L a number.

Here L is the end of the network, so there is no dy: dz = dL/dz is where backprop begins. It must work for large z too.

One number worked out, for the example below: p[0] = [1/3, 1/3, 1/3], and class 1 is true, so sample 0 has the loss
-log 1/3 = 1.099. Its dz[0] = [0.167, -0.333, 0.167]: raising the logit of a wrong class raises the loss. The three add
up to 0, because softmax does not change if all logits grow equally.
""", """
分类器最后输出 logits z（未归一化的得分），每个类别一个。softmax 把它们变成概率 p；交叉熵是真实类别的负对数概率的
平均值；t 的每一行是一个独热（one-hot）向量，用 1 标出真实类别：

    p = softmax(z)，    L = 1/N Σ_n Σ_c -t[n,c] log p[n,c]

请推导两者合在一起的梯度：它比各自的梯度简单得多，而且不会除以 p。

L 是网络的终点，所以没有 dy：反向传播从 dz = dL/dz 开始。z 很大时也要正确。

形状：z、t、p、dz 为 (N, C)；L 是标量。

用下面的例子手算一个数：p[0] = [1/3, 1/3, 1/3]，真实类别是 1，所以样本 0 的损失是 -log 1/3 = 1.099。它的 dz[0] = [0.167, -0.333, 0.167]：
提高错误类别的 logit，损失增大。三个数之和为 0，因为所有 logit 同时增大时 softmax 不变。
"""),
    [Part("cross_entropy_forward", "z, t", "L", forward,
          Text("L = 1/N sum of -t log softmax(z)", "L = 1/N Σ -t log softmax(z)")),
     Part("cross_entropy_backward", "z, t", "dz", Gradients(forward, "z", dy=None))],
    cases,
    [Mistake("cross_entropy_forward", "L", lambda z, t: forward(z, t) * len(z), Text(
        "This is the sum over the batch. L is the mean: divide by N.", "这是对批次的求和。L 是平均值：要除以 N。")),
     Mistake("cross_entropy_forward", "L", lambda z, t: -forward(z, t), Text(
         "The sign: the log of a probability is negative, and the loss is positive.", "符号错误：概率的对数为负，而损失为正。")),
     Mistake("cross_entropy_forward", "L", lambda z, t: forward(z, t) / z.shape[1], Text(
         "Divided by N C, as np.mean does. Divide by the number N of samples only.",
         "除以了 N·C（np.mean 就是这样）。只应除以样本数 N。")),
     Mistake("cross_entropy_forward", "L", lambda z, t: -(t * np.log2(np.maximum(softmax(z), 1e-300))).sum() / len(z),
             Text(
         "This is the logarithm to base 2. Cross-entropy takes the natural one, np.log.",
         "这是以 2 为底的对数。交叉熵用自然对数 np.log。")),
     Mistake("cross_entropy_forward", "L", lambda z, t: -(t * z).sum() / len(z), Text(
         "softmax is forgotten: -log p[true] = log(sum of exp(z)) - z[true].",
         "忘了 softmax：-log p[真实类别] = log(Σ exp(z)) - z[真实类别]。")),
     Mistake("cross_entropy_backward", "dz", lambda z, t: softmax(z) - t, Text(
         "The division by N is missing: L is the mean over the batch.", "缺少除以 N：L 是对批次的平均。")),
     Mistake("cross_entropy_backward", "dz", lambda z, t: (t - softmax(z)) / len(z), Text(
         "The sign is wrong: it is p - t. Raising the logit of the true class lowers the loss.",
         "符号错误：应为 p - t。提高真实类别的 logit，损失减小。")),
     Mistake("cross_entropy_backward", "dz", lambda z, t: (softmax(z) - t) / z.size, Text(
         "Divided by N C. Divide by the number N of samples only.", "除以了 N·C。只应除以样本数 N。")),
     Mistake("cross_entropy_backward", "dz", lambda z, t: -t / np.maximum(softmax(z), 1e-300) / len(z), Text(
         "This is dL/dp, the gradient with respect to the probabilities. Go on to the logits, through the softmax.",
         "这是 dL/dp，即对概率的梯度。还要经过 softmax 继续求到 logits。")),
     Mistake("cross_entropy_backward", "dz", lambda z, t: t * (softmax(z) - t) / len(z), Text(
         "Only the true class is right. The others have a gradient, too: p / N.", "只有真实类别是对的。其他类别也有梯度：p / N。")),
     Mistake("cross_entropy_backward", "dz", lambda z, t: softmax(z) / len(z), Text(
         "t is forgotten: (p - t) / N.", "忘了 t：(p - t) / N。")),
     Mistake("cross_entropy_backward", "dz", lambda z, t: (z - t) / len(z), Text(
         "softmax is forgotten: it is p - t with p = softmax(z), not z - t.",
         "忘了 softmax：是 p - t，其中 p = softmax(z)，不是 z - t。"))],
    [Text("log p[c] = z[c] - log(sum over k of exp(z[k])). Put that in before you differentiate.",
          "log p[c] = z[c] - log(Σ_k exp(z[k]))。先代入，再求导。"),
     Text("The derivative of log(sum of exp(z[k])) with respect to z[c] is p[c].",
          "log(Σ exp(z[k])) 对 z[c] 的导数是 p[c]。"),
     Text("For very different logits some p underflow to 0, and log 0 is minus infinity. Subtract the largest logit "
          "of each row first, and do not take the log of p.",
          "logits 相差很大时，有的 p 会下溢为 0，而 log 0 是负无穷大。先减去每行的最大 logit，并且不要对 p 取对数。"),
     Text("dz = (softmax(z) - t) / N.", "dz = (softmax(z) - t) / N。")],
    Text("tinynet/losses/fused.py joins the two in the same way.", "tinynet/losses/fused.py 用同样的方式把两者合在一起。"),
    Text("NaN or infinity: for very different logits some p underflow to 0, and log 0 is minus infinity. Subtract the "
         "largest logit of each row, and compute log p as z - log(sum of exp(z)).",
         "出现 NaN 或无穷大：logits 相差很大时，有的 p 下溢为 0，而 log 0 是负无穷大。先减去每行的最大 logit，"
         "再用 z - log(Σ exp(z)) 计算 log p。"))
