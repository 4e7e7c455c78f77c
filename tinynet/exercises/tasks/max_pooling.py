"""Exercise: max-pooling."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.types import Array


def windows(x: Array) -> Array:
    """(N, H, W, C) as (N, H/2, W/2, C, 4): the four numbers of each window"""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, w // 2, c, 4)


def images(four: Array) -> Array:
    """The inverse of windows"""
    n, h, w, c, _ = four.shape
    return four.reshape(n, h, w, c, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, 2 * h, 2 * w, c)


def forward(x: Array) -> Array:
    """y = the largest of each window of 2 by 2"""
    four = windows(x)
    return np.take_along_axis(four, four.real.argmax(-1)[..., None], -1)[..., 0]


def largest(x: Array) -> Array:
    """1 at the largest number of each window, else 0"""
    four = windows(x)
    return images((np.arange(4) == four.argmax(-1)[..., None]) * 1.0)


def spread(dy: Array) -> Array:
    """Each number at all four places of its window"""
    return dy.repeat(2, axis=1).repeat(2, axis=2)


def cases(rng: np.random.Generator) -> list[Case]:
    """Images of one and of several channels, also of negative numbers only."""
    example = dict(x=np.array([[1.0, 2.0, 5.0, 0.0], [4.0, 3.0, -1.0, 6.0]]).reshape(1, 2, 4, 1),
                   dy=np.array([10.0, 20.0]).reshape(1, 1, 2, 1))
    drawn = [dict(x=rng.normal(size=(n, h, w, c)), dy=rng.normal(size=(n, h // 2, w // 2, c)))
             for n, h, w, c in ((2, 4, 6, 2), (1, 2, 2, 3))]
    negative = dict(x=-1 - rng.random((2, 4, 4, 1)), dy=rng.normal(size=(2, 2, 2, 1)))
    return [example, *drawn, negative]


exercise: Exercise = Exercise(
    "max_pooling", "MaxPooling", Text("Max-pooling", "最大池化"),
    Text("""
Max-pooling makes an image half as high and half as wide: of each window of 2 by 2 pixels the largest is kept. Windows
do not overlap, and each channel is by itself:

    y[n,i,j,c] = the largest of x[n, 2i:2i+2, 2j:2j+2, c]

Shapes: x, dx (N, H, W, C), with H and W even; y, dy (N, H/2, W/2, C).

One number worked out, for the example below: the first window is 1 2 / 4 3, so y[0,0,0,0] = 4. Only the 4 has an
influence: it gets the whole dy, 10, and the other three get 0.
""", """
最大池化把图像的高和宽各减半：每个 2 × 2 的窗口只保留最大的像素。窗口互不重叠，各通道独立：

    y[n,i,j,c] = x[n, 2i:2i+2, 2j:2j+2, c] 中最大的数

形状：x、dx 为 (N, H, W, C)，H、W 为偶数；y、dy 为 (N, H/2, W/2, C)。

用下面的例子手算一个数：第一个窗口是 1 2 / 4 3，所以 y[0,0,0,0] = 4。只有 4 影响 y：它得到全部的 dy，即 10，其余三个得到 0。
"""),
    [Part("max_pooling_forward", "x", "y", forward, Text("the largest of each window of 2 by 2", "每个 2 × 2 窗口中最大的数")),
     Part("max_pooling_backward", "dy, x", "dx", Gradients(forward, "x"))],
    cases,
    [Mistake("max_pooling_forward", "y", lambda x: windows(x).mean(-1), Text(
        "This is the mean of each window. Take the largest.", "这是每个窗口的平均。应取最大值。")),
     Mistake("max_pooling_forward", "y", lambda x: np.maximum(windows(x).max(-1), 0), Text(
         "Never below 0 here: does the search begin with 0? The largest of negative numbers is negative.",
         "结果从不小于 0：是不是从 0 开始比较？都是负数时，最大值也是负数。")),
     Mistake("max_pooling_forward", "y", lambda x: x[:, ::2, ::2], Text(
         "This is the first pixel of each window. Take the largest.", "这是每个窗口的第一个像素。应取最大值。")),
     Mistake("max_pooling_forward", "y", lambda x: np.abs(windows(x)).max(-1), Text(
         "This is the largest |x|. Take the largest x.", "这是 |x| 的最大值。应取 x 的最大值。")),
     Mistake("max_pooling_backward", "dx", lambda dy, x: spread(dy), Text(
         "All four pixels get dy. Only the largest has an influence; the others get 0.",
         "四个像素都得到了 dy。只有最大的有影响，其余得到 0。")),
     Mistake("max_pooling_backward", "dx", lambda dy, x: spread(dy) / 4, Text(
         "dy is divided among the four pixels: that is average pooling. The largest gets all of it.",
         "dy 被平均分给了四个像素：那是平均池化。最大的像素得到全部。")),
     Mistake("max_pooling_backward", "dx", lambda dy, x: largest(x), Text(
         "This is 1 at the largest pixels. By the chain rule it is dy there.", "最大的像素处给出了 1。由链式法则，那里应为 dy。")),
     Mistake("max_pooling_backward", "dx", lambda dy, x: spread(dy) * x * largest(x), Text(
         "dy is multiplied by the pixel. The slope of the largest is 1.", "dy 乘以了像素的值。最大像素的斜率是 1。")),
     Mistake("max_pooling_backward", "dx", lambda dy, x: spread(dy) * (images(np.eye(4)[0] * np.ones_like(windows(x)))),
             Text(
         "dy goes to the first pixel of each window. It belongs to the largest.", "dy 交给了每个窗口的第一个像素。应交给最大的像素。"))],
    [Text("A window of all samples and channels: x[:, 2*i:2*i+2, 2*j:2*j+2]. Its largest numbers: .max(axis=(1, 2)).",
          "所有样本和通道的一个窗口：x[:, 2*i:2*i+2, 2*j:2*j+2]。最大值：.max(axis=(1, 2))。"),
     Text("A mask, window == window.max(axis=(1, 2), keepdims=True), tells where dy goes.",
          "掩码 window == window.max(axis=(1, 2), keepdims=True) 指出 dy 应交给哪个像素。"),
     Text("dx[:, 2*i:2*i+2, 2*j:2*j+2] = mask * dy[:, i:i+1, j:j+1].",
          "dx[:, 2*i:2*i+2, 2*j:2*j+2] = mask * dy[:, i:i+1, j:j+1]。")],
    Text("It is relu's idea again: the gradient goes where the number went.", "这与 relu 的道理相同：数通过的地方，梯度才通过。"))
