"""Exercise: a network of two layers."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.types import Array


def forward(x: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> Array:
    """y = relu(x W1 + b1) W2 + b2"""
    z = x @ W1 + b1
    return np.where(z.real > 0, z, 0) @ W2 + b2


def hidden(x: Array, W1: Array, b1: Array) -> Array:
    """h in wrong formulas"""
    return np.maximum(x @ W1 + b1, 0)


def first_layer(x: Array, W1: Array, dz: Array) -> dict[str, Array]:
    """The gradients of the first layer, of a wrong dz"""
    return {"dx": dz @ W1.T, "dW1": x.T @ dz, "db1": dz.sum(axis=0)}


def cases(rng: np.random.Generator) -> list[Case]:
    """Networks of several shapes; in one all arrays are square."""
    example = dict(x=np.array([[1.0, 2.0]]), W1=np.array([[1.0, 0.0], [1.0, -1.0]]), b1=np.array([0.0, 1.0]),
                   W2=np.array([[2.0], [3.0]]), b2=np.array([0.5]), dy=np.array([[1.0]]))
    drawn = [dict(x=rng.normal(size=(n, d)), W1=rng.normal(size=(d, h)), b1=rng.normal(size=h),
                  W2=rng.normal(size=(h, u)), b2=rng.normal(size=u), dy=rng.normal(size=(n, u)))
             for n, d, h, u in ((5, 3, 4, 2), (1, 2, 6, 3), (4, 4, 4, 4))]
    return [example, *drawn]


NOTHING_OF_RELU = Text("relu is forgotten on the way back: what does its backward make of dh?",
                       "反向时忘了 relu：它的反向传播会怎样处理 dh？")
exercise: Exercise = Exercise(
    "two_layers", "TwoLayers", Text("A network of two layers", "两层网络"),
    Text("""
Two dense layers with a relu between them:

    z = x W1 + b1,    h = max(z, 0),    y = h W2 + b2

Nothing new is needed: backprop goes through the three in reverse order, and each hands on the gradient with respect to
its own input. The gradient of h is the dx of the second layer; that of z is the dx of relu.

Shapes: x, dx (N, D); W1 (D, H); b1 (H,); h (N, H); W2 (H, U); b2 (U,); y, dy (N, U).  N samples, H hidden units.

One number worked out, for the example below: z = [3, -1], so h = [3, 0] and y = 3 times 2 + 0.5 = 6.5.
On the way back dh = dy W2^T = [2, 3]; the second hidden unit is off, so dz = [2, 0].
And dW1[1,0] = x[0,1] dz[0,0] = 2 times 2 = 4.
""", """
两个全连接层，中间是 relu：

    z = x W1 + b1，    h = max(z, 0)，    y = h W2 + b2

不需要新的公式：反向传播按相反的顺序经过这三步，每一步把对自己输入的梯度交给前一步。h 的梯度就是第二层的 dx，z 的梯度就是 relu 的 dx。

形状：x、dx 为 (N, D)；W1 为 (D, H)；b1 为 (H,)；h 为 (N, H)；W2 为 (H, U)；b2 为 (U,)；y、dy 为 (N, U)。N 个样本，H 个隐藏单元。

用下面的例子手算一个数：z = [3, -1]，所以 h = [3, 0]，y = 3 × 2 + 0.5 = 6.5。反向时 dh = dy W2^T = [2, 3]；第二个隐藏单元未激活，
所以 dz = [2, 0]。于是 dW1[1,0] = x[0,1] dz[0,0] = 2 × 2 = 4。
"""),
    [Part("two_layers_forward", "x, W1, b1, W2, b2", "y", forward, "y = max(x W1 + b1, 0) W2 + b2"),
     Part("two_layers_backward", "dy, x, W1, b1, W2, b2", "dx, dW1, db1, dW2, db2",
          Gradients(forward, "x, W1, b1, W2, b2"))],
    cases,
    [Mistake("two_layers_forward", "y", lambda x, W1, b1, W2, b2: (x @ W1 + b1) @ W2 + b2, Text(
        "relu between the layers is forgotten.", "忘了两层之间的 relu。")),
     Mistake("two_layers_forward", "y", lambda x, W1, b1, W2, b2: np.maximum(hidden(x, W1, b1) @ W2 + b2, 0), Text(
         "There is no relu after the second layer.", "第二层之后没有 relu。")),
     *(Mistake("two_layers_forward", "y", wrong, Text("A bias is forgotten: b1 or b2.", "忘了偏置：b1 或 b2。")) for wrong in (
         lambda x, W1, b1, W2, b2: forward(x, W1, b1, W2, 0 * b2),
         lambda x, W1, b1, W2, b2: forward(x, W1, 0 * b1, W2, b2))),
     *(Mistake("two_layers_backward", name, lambda dy, x, W1, b1, W2, b2, name=name: first_layer(
         x, W1, (dy @ W2.T > 0) * (dy @ W2.T))[name], Text(
         "The sign of dh decides here. That of h must: the gradient passes where the number passed.",
         "这里由 dh 的符号决定。应当由 h 的符号决定：数通过的地方，梯度才通过。")) for name in ("dx", "dW1", "db1")),
     Mistake("two_layers_backward", "dx", lambda dy, x, W1, b1, W2, b2: dy @ W2.T @ W1.T, NOTHING_OF_RELU),
     Mistake("two_layers_backward", "dW1", lambda dy, x, W1, b1, W2, b2: x.T @ (dy @ W2.T), NOTHING_OF_RELU),
     Mistake("two_layers_backward", "db1", lambda dy, x, W1, b1, W2, b2: (dy @ W2.T).sum(axis=0), NOTHING_OF_RELU),
     Mistake("two_layers_backward", "dW2", lambda dy, x, W1, b1, W2, b2: (x @ W1 + b1).T @ dy, Text(
         "The input of the second layer is h, after relu, not z.", "第二层的输入是 relu 之后的 h，不是 z。")),
     Mistake("two_layers_backward", "dW2", lambda dy, x, W1, b1, W2, b2: hidden(x, W1, b1).T @ dy / len(x), Text(
         "Divided by N. The division belongs to the loss, and is already in dy.", "除以了 N。这个除法属于损失函数，已经在 dy 里。")),
     Mistake("two_layers_backward", "dx", lambda dy, x, W1, b1, W2, b2: dy @ W2.T * (hidden(x, W1, b1) > 0) @ W1, Text(
         "W1 must be transposed: dx = dz W1^T.", "W1 要转置：dx = dz W1^T。")),
     Mistake("two_layers_backward", "dW1", lambda dy, x, W1, b1, W2, b2: x.T @ (dy @ W2.T * hidden(x, W1, b1)), Text(
         "dh is multiplied by h. The slope of relu is 1 where h > 0: dz = dh * (h > 0).",
         "dh 乘以了 h。relu 在 h > 0 处的斜率是 1：dz = dh * (h > 0)。"))],
    [Text("Keep z or h: backward needs to know which hidden units were on.", "保留 z 或 h：反向传播需要知道哪些隐藏单元是激活的。"),
     Text("The second layer first: dW2 = h^T dy, db2 = sum of dy, dh = dy W2^T.",
          "先算第二层：dW2 = h^T dy，db2 = Σ dy，dh = dy W2^T。"),
     Text("Then relu: dz = dh * (z > 0). Then the first layer, with dz in the place of dy.",
          "然后是 relu：dz = dh * (z > 0)。最后是第一层，用 dz 代替 dy。")],
    Text("A model of tinynet does this for any number of layers: tinynet/training/step.py.",
         "tinynet 的模型对任意多层做同样的事：tinynet/training/step.py。"))
