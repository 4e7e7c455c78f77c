"""How a gradient check works: the size of the step against the error, the complex step, kinks, and what it cannot see.

    python -m pip install -e ".[plot]" && python examples/how_the_check_works.py [--lang zh]

Writes step_size.png, the error of three methods against the size of the step, into how_the_check_works_output/.
"""
from pathlib import Path

import numpy as np

from tinynet import language, plotting
from tinynet.gradient_check import central, check_layer, complex_step, richardson
from tinynet.layers import Activation, Layer

_ = language.speaker(language.arguments(__doc__).parse_args().lang)


def f(x):
    """The example of Squire and Trapp, SIAM Review 40 (1998)"""
    return np.exp(x) / (np.sin(x) ** 3 + np.cos(x) ** 3)


TRUTH = 3.6220337007163259      # f'(1.5), by the quotient rule in fifty digits

print(_("""\
1. The size of the step.

A gradient check compares what backward computes with what happens when a number is moved a little: the derivative of
f at x is about (f(x + h) - f(x - h)) / 2h, the central difference.  How small should h be?  Here is f(x) = e^x /
(sin^3 x + cos^3 x) at x = 1.5, whose derivative is 3.6220337007163259.  Columns are the number of right digits:
""", """\
1. 步长的大小。

梯度检验把 backward 算出的值，与把一个数移动一点之后的变化相比较：f 在 x 处的导数约为 (f(x + h) - f(x - h)) / 2h，即中心差分。
h 应当多小？下面是 f(x) = e^x / (sin^3 x + cos^3 x) 在 x = 1.5 处的结果，其导数为 3.6220337007163259。各列是正确的位数：
"""))


def digits(value):
    """How many digits of a derivative are right; float64 has sixteen at most."""
    error = abs(value - TRUTH) / TRUTH
    return "16" if error < 1e-16 else f"{-np.log10(error):.0f}"


names = _(["central", "Richardson", "complex step"], ["中心差分", "Richardson", "复数步长"])
print(f"    {'h':>8}   " + "   ".join(names))
for exponent in (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 30, 100):
    h = 10.0 ** -exponent
    found = [digits(method(lambda t: f(1.5 + t), h)) for method in (central, richardson, complex_step)]
    if exponent > 14:
        found[:2] = ["-", "-"]          # 1.5 + h is 1.5
    print(f"    {h:8.0e}   " + "   ".join(f"{value:>{len(name.encode('gbk'))}}" for name, value in zip(names, found)))

print(_("""
Two errors work against each other.  A long step cuts off the rest of the Taylor series, h^2 f''' / 6.  A short one
subtracts two numbers that are nearly equal: 16 digits minus those that they share.  At the best h, about 1e-5, ten
digits are left.  Richardson takes two steps whose errors of h^2 cancel, and wins three digits.
""", """
两种误差此消彼长。步长太大，截断误差大：舍去的泰勒余项约为 h^2 f''' / 6；步长太小，舍入误差大：相减的两个数几乎相等：16 位有效数字减去它们相同的
位数。最好的 h 约为 1e-5，剩下十位。Richardson 用两个步长使 h^2 的误差相消，多得三位。
"""))

print(_("""\
2. The complex step.

f(x + ih) = f(x) + ih f'(x) - h^2 f''(x) / 2 - ...  The derivative stands alone in the imaginary part: nothing is
subtracted, so h may be 1e-30 or 1e-100, and h^2 is nothing.  All sixteen digits are right, as far as f itself is.
""", """\
2. 复数步长。

f(x + ih) = f(x) + ih f'(x) - h^2 f''(x) / 2 - ...  导数单独出现在虚部：没有减法，所以 h 可以取 1e-30 甚至 1e-100，h^2 可以忽略。
十六位都是对的，只要 f 本身算得对。
"""))
print(f"    f(1.5 + 1e-30 i) = {f(1.5 + 1e-30j):.16g}")
print(f"    Im f / h         = {complex_step(lambda t: f(1.5 + t)):.16g}")
print(_("""
It asks one thing of f: that it is analytic.  |x| is not, np.abs throws the imaginary part away, and the derivative
seems to be zero.  sqrt(x * x) would do, or x * np.sign(x.real).  The check of tinynet notices: it compares with real
differences in a random direction, and says so.
""", """
它对 f 只有一个要求：解析。|x| 不是解析的，np.abs 丢掉虚部，导数看起来为零。可以用 sqrt(x * x)，或 x * np.sign(x.real)。
tinynet 的检验会发现这一点：它在一个随机方向上与实数差分比较，并加以说明。
"""))
print(f"    np.abs:          {complex_step(lambda t: np.abs(2 + t)):g}")
print(f"    sqrt(x * x):     {complex_step(lambda t: np.sqrt((2 + t) ** 2)):g}")


class Absolute(Layer):
    """y = |x|"""

    def forward(self, x, training=False):
        self.x = x
        return np.abs(x)

    def backward(self, dy):
        """dx = dy sign(x)"""
        return dy * np.sign(self.x)


print()
print(check_layer(Absolute(), (3, 4)))

print(_("""
3. Kinks.

relu has a slope of 0 to the left of zero and of 1 to the right.  At zero itself there is none; a central difference
says 1/2, which is the mean of both, and no mistake of backward.  Near a kink it is worse: a step that jumps over it
gives anything between.
""", """
3. 折点（不可导的点）。

relu 在零的左边斜率为 0，右边为 1。在零处没有导数；中心差分得到 1/2，即两者的平均，这并不是 backward 的错误。折点附近更糟：
跨过折点的步长给出介于两者之间的任何值。
"""))


def relu(x):
    return x * (np.real(x) > 0)


print(f"    {'x':>6}   " + _("central, h = 1e-3    complex step", "中心差分 h = 1e-3        复数步长"))
for x in (0.0, 0.0001, 0.0005, 0.01):
    print(f"    {x:6g}   {central(lambda t: relu(x + t), 1e-3):17.3f}   {complex_step(lambda t: relu(x + t)):13.0f}")
print(_("""
The complex step does not move x to the other side, so it needs no luck.  Exactly at the kink the check accepts any
slope between the two, and counts the number in the column `kinks`.  Half of these inputs are exactly zero:
""", """
复数步长不会把 x 移到另一边，所以不必碰运气。恰好在折点处，检验接受两个斜率之间的任何值，并在 kinks 一列计数。
下面的输入有一半恰好为零：
"""))
inputs = np.array([[0.0, 1.0, 0.0, -1.0], [2.0, 0.0, -2.0, 0.0]])
report = check_layer(Activation("relu"), inputs)
print(report)
assert report.passed and report.entries[0].kinks == 4

print(_("""
4. What hides from a check, and what no check can see.

Ones and zeros hide mistakes: with W = 1 a forgotten W is not seen, nor with a batch of one a mean in the place of a
sum.  So tinynet draws numbers at random, and checks again with other weights and another batch.  Here dscale is
divided by the number of samples; with a single sample that is right.
""", """
4. 哪些错误会躲过检验，哪些任何检验都发现不了。

1 和 0 会掩盖错误：W = 1 时看不出忘了 W；批次只有一个样本时，看不出该求和处用了平均。所以 tinynet 用随机数，并换用其他权重和
其他批次再检验。下面的 dscale 除以了样本数；只有一个样本时，这恰好是对的。
"""))


class Careless(Layer):
    """y = x s"""

    def build(self, input_shape):
        self.scale = self.add_weight("scale", input_shape[1:], "ones")

    def forward(self, x, training=False):
        self.x = x
        return x * self.scale.value

    def backward(self, dy):
        """ds = mean of dy x, which is wrong: it must be the sum;  dx = dy s"""
        self.scale.grad = (dy * self.x).mean(axis=0)
        return dy * self.scale.value


report = check_layer(Careless(), (1, 3))
print(report)
assert not report.passed and "(2 samples)" in report.blamed[0]
print(_("""
And no check sees a wrong forward: if it computes x + s where you meant x s, the gradient of that is right, and the
network learns something else.  A gradient check proves that backward belongs to forward, nothing more.
""", """
任何检验都看不到错误的 forward：如果你想写 x s，却写成了 x + s，那么它的梯度是对的，只是网络学的是别的东西。
梯度检验只证明 backward 与 forward 一致，仅此而已。
"""))

folder = Path("how_the_check_works_output")
folder.mkdir(exist_ok=True)
plotting.plot_step_size().savefig(folder / "step_size.png")
print(_(f"Wrote {folder / 'step_size.png'}: the error of the three methods against the step.",
        f"已写入 {folder / 'step_size.png'}：三种方法的误差随步长的变化。"))
