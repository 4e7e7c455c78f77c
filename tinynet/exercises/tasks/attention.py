"""Exercise: attention."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.exercises.tasks.softmax import backward as softmax_backward
from tinynet.exercises.tasks.softmax import forward as softmax
from tinynet.types import Array, Function


def scores(q: Array, k: Array) -> Array:
    """s = q k^T / sqrt(D)"""
    return q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])


def forward(q: Array, k: Array, v: Array) -> Array:
    """y = softmax(q k^T / sqrt(D)) v"""
    return softmax(scores(q, k)) @ v


def through_scores(dy: Array, q: Array, k: Array, v: Array, backward: Function = softmax_backward) -> Array:
    """ds in wrong formulas"""
    return backward(dy @ v.swapaxes(1, 2), scores(q, k))


def diagonal_only(dp: Array, s: Array) -> Array:
    """ds of a softmax that is taken for a sigmoid"""
    return dp * softmax(s) * (1 - softmax(s))


def cases(rng: np.random.Generator) -> list[Case]:
    """Sequences of different lengths for queries and keys; one is square."""
    example = dict(q=np.array([[[1.0, 0.0]]]), k=np.array([[[1.0, 0.0], [0.0, 1.0]]]), v=np.array([[[1.0], [3.0]]]),
                   dy=np.array([[[1.0]]]))
    drawn = [dict(q=rng.normal(size=(n, t, d)), k=rng.normal(size=(n, s, d)), v=rng.normal(size=(n, s, u)),
                  dy=rng.normal(size=(n, t, u))) for n, t, s, d,
             u in ((2, 3, 4, 2, 3), (1, 2, 3, 4, 2), (2, 3, 3, 3, 3))]
    return [example, *drawn]


SCALE = Text("The division by sqrt(D) is in the slope, too.", "梯度中也要除以 sqrt(D)。")
DIAGONAL = Text("The backward of softmax needs its whole Jacobian: ds = p (dp - sum of dp p), over the row.",
                "softmax 的反向传播需要完整的雅可比矩阵：ds = p (dp - Σ dp p)，其中 Σ 沿该行求和。")
NO_SOFTMAX = Text("softmax is skipped on the way back: go from dp to ds by its backward.",
                  "反向时跳过了 softmax：要用它的反向传播从 dp 得到 ds。")
exercise: Exercise = Exercise(
    "attention", "Attention", Text("Attention", "注意力机制"),
    Text("""
Attention lets each of T queries look at S places. How much it looks at each is a softmax of products of the query with
the keys; what it sees there are the values:

    s = q k^T / sqrt(D),    p = softmax(s) over the S places,    y = p v

for each sample by itself. It is the heart of a transformer, and made of parts that you know: two products and a
softmax.

Shapes: q, dq (N, T, D); k, dk (N, S, D); v, dv (N, S, U); s, p (N, T, S); y, dy (N, T, U).

One number worked out, for the example below: s = [1, 0] / sqrt(2) = [0.707, 0], p = [0.670, 0.330] and
y = 0.670 times 1 + 0.330 times 3 = 1.660. dv = p^T dy = [0.670, 0.330]. dp = dy v^T = [1, 3], of which softmax makes
ds = p (dp - 1.660) = [-0.442, 0.442]: to look more at the second place makes y larger.
""", """
注意力机制让 T 个查询（query）各自关注 S 个位置。对每个位置的关注程度（注意力权重）由查询与各个键（key）的内积
经 softmax 得到；从该位置取得的内容是值（value）：

    s = q k^T / sqrt(D)，    p = softmax(s)（对 S 个位置），    y = p v

各样本互不影响。它是 Transformer 的核心，由你已经熟悉的部分组成：两个乘积和一个 softmax。

形状：q、dq 为 (N, T, D)；k、dk 为 (N, S, D)；v、dv 为 (N, S, U)；s、p 为 (N, T, S)；y、dy 为 (N, T, U)。

用下面的例子手算一个数：s = [1, 0] / sqrt(2) = [0.707, 0]，p = [0.670, 0.330]，y = 0.670 × 1 + 0.330 × 3 = 1.660。
dv = p^T dy = [0.670, 0.330]。dp = dy v^T = [1, 3]，经 softmax 的反向传播得 ds = p (dp - 1.660) = [-0.442, 0.442]：增加对第二个位置的关注，y
会变大。
"""),
    [Part("attention_forward", "q, k, v", "y", forward, "y = softmax(q k^T / sqrt(D)) v"),
     Part("attention_backward", "dy, q, k, v", "dq, dk, dv", Gradients(forward, "q, k, v"))],
    cases,
    [Mistake("attention_forward", "y", lambda q, k, v: softmax(q @ k.swapaxes(1, 2)) @ v, Text(
        "The division by sqrt(D) is forgotten.", "忘了除以 sqrt(D)。")),
     Mistake("attention_forward", "y", lambda q, k, v: softmax(scores(q, k).swapaxes(1, 2)).swapaxes(1, 2) @ v, Text(
         "softmax goes over the queries here. The probabilities of each query add up to 1 over the S places: axis 2.",
         "softmax 沿查询（轴 1）计算了。每个查询在 S 个位置上的概率之和应为 1：沿轴 2 计算。")),
     Mistake("attention_forward", "y", lambda q, k, v: scores(q, k) @ v, Text("softmax is forgotten.", "忘了 softmax。")),
     Mistake("attention_forward", "y", lambda q, k, v: softmax(q @ k.swapaxes(1, 2) / q.shape[-1]) @ v, Text(
         "Divided by D. Divide by its root.", "除以了 D。应除以它的平方根。")),
     Mistake("attention_backward", "dq", lambda dy, q, k, v: through_scores(dy, q, k, v) @ k, SCALE),
     Mistake("attention_backward", "dk", lambda dy, q, k, v: through_scores(dy, q, k, v).swapaxes(1, 2) @ q, SCALE),
     Mistake("attention_backward", "dq", lambda dy, q, k, v: through_scores(
         dy, q, k, v, diagonal_only) @ k / np.sqrt(q.shape[-1]), DIAGONAL),
     Mistake("attention_backward", "dk",
             lambda dy, q, k, v: through_scores(dy, q, k, v, diagonal_only).swapaxes(1, 2) @ q / np.sqrt(q.shape[-1]),
             DIAGONAL),
     Mistake("attention_backward", "dq", lambda dy, q, k, v: dy @ v.swapaxes(1, 2) @ k / np.sqrt(q.shape[-1]),
             NO_SOFTMAX),
     Mistake("attention_backward", "dk", lambda dy, q, k, v: (dy @ v.swapaxes(1, 2)).swapaxes(1, 2) @ q / np.sqrt(
         q.shape[-1]), NO_SOFTMAX),
     Mistake("attention_backward", "dk", lambda dy, q, k, v: through_scores(dy, q, k, v) @ q / np.sqrt(q.shape[-1]),
             Text(
         "ds must be transposed: dk = ds^T q / sqrt(D). It fits without only because T = S here.",
         "ds 要转置：dk = ds^T q / sqrt(D)。不转置也能相乘，只是因为这里 T = S。")),
     Mistake("attention_backward", "dv", lambda dy, q, k, v: softmax(scores(q, k)) @ dy, Text(
         "p must be transposed: dv = p^T dy. It fits without only because T = S here.",
         "p 要转置：dv = p^T dy。不转置也能相乘，只是因为这里 T = S。")),
     Mistake("attention_backward", "dv", lambda dy, q, k, v: scores(q, k).swapaxes(1, 2) @ dy, Text(
         "v is multiplied by p, after softmax, not by s: dv = p^T dy.", "v 与 softmax 之后的 p 相乘，不是 s：dv = p^T dy。"))],
    [Text("Three steps, so three steps back: y = p v, then softmax, then s = q k^T / sqrt(D).",
          "前向三步，反向也三步：y = p v，然后 softmax，然后 s = q k^T / sqrt(D)。"),
     Text("x.swapaxes(1, 2) transposes each sample's matrix, and @ multiplies them sample by sample.",
          "x.swapaxes(1, 2) 转置每个样本的矩阵，@ 逐个样本相乘。"),
     Text("dv = p^T dy, dp = dy v^T, ds = p (dp - sum of dp p), dq = ds k / sqrt(D), dk = ds^T q / sqrt(D).",
          "dv = p^T dy，dp = dy v^T，ds = p (dp - Σ dp p)，dq = ds k / sqrt(D)，dk = ds^T q / sqrt(D)。")],
    Text("Source: Vaswani et al., Attention is all you need, arXiv:1706.03762.",
         "出处：Vaswani 等，Attention is all you need，arXiv:1706.03762。"))
