"""Exercise: convolution."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.types import Array


def forward(x: Array, W: Array, b: Array) -> Array:
    """y[n,i,j,u] = sum over p, q, c of x[n,i+p,j+q,c] W[p,q,c,u] + b[u]"""
    windows = np.lib.stride_tricks.sliding_window_view(x, W.shape[:2], axis=(1, 2))     # (N, I, J, C, P, Q)
    return np.einsum("nijcpq,pqcu->niju", windows, W) + b


def kernel_gradient(dy: Array, x: Array, W: Array, b: Array) -> Array:
    """dW, for the mistakes"""
    windows = np.lib.stride_tricks.sliding_window_view(x, W.shape[:2], axis=(1, 2))
    return np.einsum("nijcpq,niju->pqcu", windows, dy)


def input_gradient(dy: Array, x: Array, W: Array, b: Array) -> Array:
    """dx, for the mistakes"""
    dx, rows, columns = np.zeros(x.shape), dy.shape[1], dy.shape[2]
    for p, q in np.ndindex(W.shape[:2]):
        dx[:, p:p + rows, q:q + columns] += dy @ W[p, q].T
    return dx


def cases(rng: np.random.Generator) -> list[Case]:
    """Images of one and of several channels; one kernel is square in all axes."""
    example = dict(x=np.arange(9.0).reshape(1, 3, 3, 1), W=np.array([[1.0, 0.0], [0.0, -1.0]]).reshape(2, 2, 1, 1),
                   b=np.array([0.5]), dy=np.array([[1.0, 0.0], [0.0, 2.0]]).reshape(1, 2, 2, 1))
    drawn = [dict(x=rng.normal(size=(n, h, w, c)), W=rng.normal(size=(p, q, c, u)), b=rng.normal(size=u),
                  dy=rng.normal(size=(n, h - p + 1, w - q + 1, u)))
             for n, h, w, c, p, q, u in ((2, 4, 5, 2, 2, 3, 3), (1, 3, 3, 1, 2, 2, 2), (3, 4, 4, 2, 2, 2, 2))]
    return [example, *drawn]


exercise: Exercise = Exercise(
    "convolution", "Convolution", Text("Convolution", "卷积"),
    Text("""
A convolution slides a small kernel W over an image. At each place it is a dense layer of the pixels below it, with the
same weights everywhere:

    y[n,i,j,u] = sum over p, q, c of x[n,i+p,j+q,c] W[p,q,c,u] + b[u]

The kernel is not flipped, as in all deep-learning libraries, and never leaves the image (Keras: padding "valid",
strides 1).

A weight takes part at every place (i, j) of every sample: its gradient is a sum over all of them. A pixel x[n,k,l,c] is
below the kernel at several places: its gradient is a sum over the places whose window has it.

Shapes: x, dx (N, R, S, C), of R rows and S columns; W, dW (P, Q, C, U); b, db (U,); y, dy (N, R-P+1, S-Q+1, U).

One number worked out, for the example below: the image has the rows 0 1 2 / 3 4 5 / 6 7 8, the kernel 1 0 / 0 -1, so
y[0,0,0,0] = 0 - 4 + 0.5 = -3.5. The middle pixel, 4, is below W[1,1] = -1 at place (0,0), where dy is 1, and below
W[0,0] = 1 at place (1,1), where dy is 2 (its other two weights are 0): dx[0,1,1,0] = -1 + 2 = 1.
""", """
卷积让一个小的卷积核 W 在图像上滑动。在每个位置，它相当于以所覆盖的像素为输入的全连接层，各位置共享同一组权重：

    y[n,i,j,u] = Σ_p Σ_q Σ_c x[n,i+p,j+q,c] W[p,q,c,u] + b[u]

卷积核不翻转（各深度学习库都是如此），也不超出图像（Keras：padding "valid"，strides 1）。

每个权重都参与所有样本、所有位置 (i, j) 的计算，所以它的梯度要对所有样本和位置求和。
像素 x[n,k,l,c] 在若干个位置被卷积核覆盖，所以它的梯度要对这些位置求和。

形状：x、dx 为 (N, R, S, C)，R 行 S 列；W、dW 为 (P, Q, C, U)；b、db 为 (U,)；y、dy 为 (N, R-P+1, S-Q+1, U)。

用下面的例子手算一个数：图像是 0 1 2 / 3 4 5 / 6 7 8（/ 分隔各行），卷积核是 1 0 / 0 -1，所以 y[0,0,0,0] = 0 - 4 + 0.5 = -3.5。中间的像素 4 在
位置 (0,0) 处对应 W[1,1] = -1，那里 dy 为 1；在位置 (1,1) 处对应 W[0,0] = 1，那里 dy 为 2（另两处的权重为 0）：dx[0,1,1,0] = -1 + 2 = 1。
"""),
    [Part("convolution_forward", "x, W, b", "y", forward,
          Text("y[n,i,j,u] = sum over p, q, c of x[n,i+p,j+q,c] W[p,q,c,u] + b[u]",
               "y[n,i,j,u] = Σ_p Σ_q Σ_c x[n,i+p,j+q,c] W[p,q,c,u] + b[u]")),
     Part("convolution_backward", "dy, x, W, b", "dx, dW, db", Gradients(forward, "x, W, b"))],
    cases,
    [Mistake("convolution_forward", "y", lambda x, W, b: forward(x, W[::-1, ::-1], b), Text(
        "The kernel is flipped, as in mathematics. Here W[p,q] is at the pixel x[i+p,j+q].",
        "卷积核被翻转了（数学中的卷积）。这里 W[p,q] 对应像素 x[i+p,j+q]。")),
     Mistake("convolution_forward", "y", lambda x, W, b: forward(x, W, 0 * b),
             Text("The bias is forgotten.", "忘了加偏置 b。")),
     Mistake("convolution_forward", "y", lambda x, W, b: forward(x[..., :1], W[:, :, :1], b), Text(
         "Only the first channel of the image is used. Sum over all channels c.", "只用了图像的第一个通道。要对所有通道 c 求和。")),
     Mistake("convolution_backward", "dx", lambda dy, x, W, b: input_gradient(dy, x, W[::-1, ::-1], b), Text(
         "The kernel is flipped. Going back each dy[i,j] gives W[p,q] of itself to the pixel [i+p,j+q].",
         "卷积核翻转了。反向时每个 dy[i,j] 乘以 W[p,q]，加到像素 [i+p,j+q] 的梯度上。")),
     Mistake("convolution_backward", "dx", lambda dy, x, W, b: overwritten(dy, x, W), Text(
         "Windows overlap: add to dx (+=). Here a later window overwrites what an earlier one has put there.",
         "窗口相互重叠：对 dx 要累加（+=）。这里后面的窗口覆盖了前面写入的值。")),
     Mistake("convolution_backward", "dW", lambda dy, x, W, b: kernel_gradient(dy, x, W, b) / len(x), Text(
         "Divided by N. The division belongs to the loss, and is already in dy.", "除以了 N。这个除法属于损失函数，已经在 dy 里。")),
     Mistake("convolution_backward", "dW", lambda dy, x, W, b: kernel_gradient(dy[:1], x[:1], W, b), Text(
         "Only the first sample counts. Sum over the batch.", "只算了第一个样本。要对批次求和。")),
     Mistake("convolution_backward", "dW", lambda dy, x, W, b: kernel_gradient(dy, x, W, b)[::-1, ::-1], Text(
         "The kernel's gradient is flipped: dW[p,q] goes with the pixel x[i+p,j+q].",
         "卷积核的梯度翻转了：dW[p,q] 对应像素 x[i+p,j+q]。")),
     Mistake("convolution_backward", "db", lambda dy, x, W, b: dy.sum(axis=0), Text(
         "Summed over the batch only. b is added at every place, too: sum over axes 0, 1 and 2.",
         "只对批次求和了。b 还加到每个位置：对轴 0、1、2 求和。")),
     Mistake("convolution_backward", "db", lambda dy, x, W, b: dy.mean(axis=(0, 1, 2)), Text(
         "This is a mean. db is the sum over samples and places.", "这是平均。db 是对样本和位置求和。"))],
    [Text("Write forward with two loops, over i and j: y[:, i, j] is a dense layer of the patch x[:, i:i+P, j:j+Q].",
          "用 i、j 两重循环写 forward：y[:, i, j] 是对小块 patch = x[:, i:i+P, j:j+Q] 做全连接的结果。"),
     Text("Backward has the same loops. In each, the dense formulas: dW += patch^T dy[:, i, j], and the patch of dx += "
          "dy[:, i, j] W^T.", "backward 用同样的循环，循环内用全连接层的公式：dW += patch^T dy[:, i, j]，dx 中对应的小块 += dy[:, i, j] W^T。"),
     Text("np.tensordot(patch, W, 3) sums over p, q and c; np.tensordot(patch, dy[:, i, j], (0, 0)) over the "
          "batch; np.tensordot(dy[:, i, j], W, (1, 3)) over the units.",
          "np.tensordot(patch, W, 3) 对 p、q、c 求和；np.tensordot(patch, dy[:, i, j], (0, 0)) 对批次求和；"
          "np.tensordot(dy[:, i, j], W, (1, 3)) 对单元求和。")],
    Text("tinynet itself has no convolutions: with this exercise and tinynet.layers.Layer you can add one.",
         "tinynet 没有卷积层：借助这个练习和 tinynet.layers.Layer，你可以自己实现一个。"))


def overwritten(dy: Array, x: Array, W: Array) -> Array:
    """dx of a loop that assigns in place of adding"""
    dx = np.zeros(x.shape)
    for i, j in np.ndindex(dy.shape[1:3]):
        dx[:, i:i + W.shape[0], j:j + W.shape[1]] = np.tensordot(dy[:, i, j], W, (1, 3))
    return dx
