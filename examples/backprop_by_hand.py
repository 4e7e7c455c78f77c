"""Backprop by hand: one step of a network of 2, 3 and 2 units, and then a batch of three and the Jacobians.

    python examples/backprop_by_hand.py [--lang zh]

Every number stands beside its formula, and tinynet does the same. It needs the chain rule only: if L depends on y, and
y on x, then dL/dx = dL/dy dy/dx, summed over all paths from x to L. Here dx is short for dL/dx, for every x.
"""
import math

import numpy as np

from tinynet import language
from tinynet.gradient_check import assert_gradients, check_model
from tinynet.layers import Dense
from tinynet.models import Sequential
from tinynet.optimizers import SGD

_ = language.speaker(language.arguments(__doc__).parse_args().lang)

# Two inputs, and the target: class 1 of 0 and 1.
x = [0.5, -1.0]
t = [0.0, 1.0]

# The weights: W1[i][j] connects input i to hidden unit j, W2[j][k] hidden unit j to output k.
W1 = [[0.1, 0.4, -0.2], [0.3, -0.5, 0.6]]
b1 = [0.0, 0.1, 0.2]
W2 = [[0.7, -0.3], [-0.4, 0.2], [0.5, 0.9]]
b2 = [0.05, -0.05]
rate = 0.1


def say(name, formula, value):
    print(f"    {name:<9} = {formula:<58} = {value: .6f}")
    return value


def terms(pairs):
    """a1 b1 + a2 b2 ... as text."""
    return " + ".join(f"{a:.3g} ({b:.3g})" for a, b in pairs)


print(_(f"""\
Part 1: one sample, number by number.

The data: x = {x}, and t = {t}: class 1 is the true one.
The weights: W1 = {W1}, b1 = {b1},
             W2 = {W2}, b2 = {b2}.

Forward: from the data to the loss.

  Hidden units, z = x W1 + b1 and h = tanh(z):""", f"""\
第一部分：一个样本，逐个数计算。

数据：x = {x}，t = {t}：真实类别是 1。
权重：W1 = {W1}, b1 = {b1},
      W2 = {W2}, b2 = {b2}。

前向传播：从数据到损失。

  隐藏单元 z = x W1 + b1，h = tanh(z)："""))
z, h = [0.0] * 3, [0.0] * 3
for j in range(3):
    pairs = [(x[i], W1[i][j]) for i in range(2)]
    z[j] = say(f"z[{j}]", f"{terms(pairs)} + {b1[j]:.3g}", sum(a * b for a, b in pairs) + b1[j])
    h[j] = say(f"h[{j}]", f"tanh({z[j]:.4f})", math.tanh(z[j]))

print(_("\n  Outputs, o = h W2 + b2, and probabilities, p = exp(o) / sum of exp(o):",
        "\n  输出 o = h W2 + b2，概率 p = exp(o) / Σ exp(o)："))
o = [0.0] * 2
for k in range(2):
    pairs = [(h[j], W2[j][k]) for j in range(3)]
    o[k] = say(f"o[{k}]", f"{terms(pairs)} + {b2[k]:.3g}", sum(a * b for a, b in pairs) + b2[k])
total = sum(math.exp(value) for value in o)
p = [say(f"p[{k}]", f"exp({o[k]:.4f}) / {total:.4f}", math.exp(o[k]) / total) for k in range(2)]

print(_("\n  The loss, the negative log probability of the true class:", "\n  损失，即真实类别的负对数概率："))
L = say("L", f"-log p[1] = -log({p[1]:.4f})", -math.log(p[1]))

print(_("""
Backward: how L changes with each number, from the last to the first.  dW2 is short for dL/dW2, and so for all.

  L = -log p[1] and the softmax together: p[1] = exp(o[1]) / (exp(o[0]) + exp(o[1])), so
  L = -o[1] + log(exp(o[0]) + exp(o[1])).  The first part has the slope -1 in o[1], and 0 in o[0]: that is -t[k].
  The slope of the second in o[k] is exp(o[k]) / (exp(o[0]) + exp(o[1])) = p[k].  Together do[k] = p[k] - t[k]:""", """
反向传播：L 随每个数怎样变化，从最后一个算到第一个。dW2 是 dL/dW2 的简写，其余类推。

  把 L = -log p[1] 与 softmax 合在一起：p[1] = exp(o[1]) / (exp(o[0]) + exp(o[1]))，所以
  L = -o[1] + log(exp(o[0]) + exp(o[1]))。第一项对 o[1] 的偏导数是 -1，对 o[0] 是 0，合写为 -t[k]。
  第二项对 o[k] 的偏导数是 exp(o[k]) / (exp(o[0]) + exp(o[1])) = p[k]。合起来 do[k] = p[k] - t[k]："""))
do = [say(f"do[{k}]", f"p[{k}] - t[{k}] = {p[k]:.4f} - {t[k]:.0f}", p[k] - t[k]) for k in range(2)]

print(_("""
  o[k] = sum of h[j] W2[j][k] + b2[k].  Move W2[j][k] by a little, and o[k] moves h[j] times as much.  So by the
  chain rule dL/dW2[j][k] = dL/do[k] h[j], in short dW2[j][k] = h[j] do[k], and likewise db2[k] = do[k]:""", """
  o[k] = Σ h[j] W2[j][k] + b2[k]。W2[j][k] 改变一点，o[k] 的改变量是它的 h[j] 倍。所以由链式法则
  dL/dW2[j][k] = dL/do[k] h[j]，简写为 dW2[j][k] = h[j] do[k]；同理 db2[k] = do[k]："""))
dW2 = [[say(f"dW2[{j}][{k}]", f"h[{j}] do[{k}] = {h[j]:.4f} ({do[k]:.4f})", h[j] * do[k]) for k in range(2)]
       for j in range(3)]
db2 = [say(f"db2[{k}]", f"do[{k}]", do[k]) for k in range(2)]

print(_("\n  h[j] reaches L through both outputs: dh[j] = sum over k of W2[j][k] do[k]:",
        "\n  h[j] 通过两个输出影响 L：dh[j] = Σ_k W2[j][k] do[k]："))
dh = [say(f"dh[{j}]", terms((W2[j][k], do[k]) for k in range(2)), sum(W2[j][k] * do[k] for k in range(2)))
      for j in range(3)]

print(_("\n  h = tanh(z) has the slope 1 - h^2: dz[j] = dh[j] (1 - h[j]^2):",
        "\n  h = tanh(z) 的斜率是 1 - h^2：dz[j] = dh[j] (1 - h[j]^2)："))
dz = [say(f"dz[{j}]", f"{dh[j]:.4f} (1 - ({h[j]:.4f})^2)", dh[j] * (1 - h[j] ** 2)) for j in range(3)]

print(_("\n  z[j] = sum of x[i] W1[i][j] + b1[j].  So dW1[i][j] = x[i] dz[j], and db1[j] = dz[j]:",
        "\n  z[j] = Σ x[i] W1[i][j] + b1[j]。所以 dW1[i][j] = x[i] dz[j]，db1[j] = dz[j]："))
dW1 = [[say(f"dW1[{i}][{j}]", f"x[{i}] dz[{j}] = {x[i]:.4f} ({dz[j]:.4f})", x[i] * dz[j]) for j in range(3)]
       for i in range(2)]
db1 = [say(f"db1[{j}]", f"dz[{j}]", dz[j]) for j in range(3)]

print(_(f"\nOne step of gradient descent moves each weight against its gradient, w - {rate} dw, for example:",
        f"\n一步梯度下降让每个权重沿负梯度方向移动，w - {rate} dw，例如："))
for i, j in ((0, 0), (1, 2)):
    say(f"W1[{i}][{j}]", f"{W1[i][j]} - {rate} ({dW1[i][j]:.4f})", W1[i][j] - rate * dW1[i][j])

# The same network in tinynet.  A weight is a matrix, and a batch has one row for each sample: here a single one.
model = Sequential([Dense(3, activation="tanh", input_shape=(2,)), Dense(2, activation="softmax")])
model.compile(SGD(rate), "categorical_crossentropy")
model.set_weights([np.array(w) for w in (W1, b1, W2, b2)])
print(_("""
The same by tinynet.  There each layer calls what goes in x, what comes out y, and the gradients of these dx
and dy: our h is the y of dense_1/tanh and the x of dense_2.  For the softmax and the loss together z are the
logits, our o, and N is the number of samples.  What follows a formula is the length of the whole array, the root
of its sum of squares.
""", """
用 tinynet 做同样的计算。那里每层的输入叫 x，输出叫 y，它们的梯度叫 dx 和 dy：我们的 h 是 dense_1/tanh 的 y，
也是 dense_2 的 x。对于合在一起的 softmax 与损失，z 是 logits，即我们的 o；N 是样本数。公式后面的数是整个数组的
范数，即平方和的平方根。
"""))
print(model.explain_step([x], [t]))
ours = [np.array(gradient) for gradient in (dW1, db1, dW2, db2)]
theirs = list(model.gradients([x], [t]).values())
difference = max(np.abs(a - b).max() for a, b in zip(ours, theirs))
print(_(f"\nLargest difference from the gradients worked out above: {difference:.1e} (tinynet computes in float32)",
        f"\n与上面手算的梯度的最大差：{difference:.1e}（tinynet 以 float32 计算）"))

before = model.evaluate([x], [t], verbose=0)
model.train_on_batch([x], [t])
after = model.evaluate([x], [t], verbose=0)
print(_(f"The loss before the step: {before:.6f}, and after it: {after:.6f}",
        f"这一步之前的损失：{before:.6f}，之后：{after:.6f}"))

print(_("""
And is each of these formulas right?  Move each number a little and see what happens: to the loss, in the rows of
the whole model, and for a layer alone to the sum of its outputs, each times a number drawn at random.
""", """
这些公式都对吗？把每个数移动一点，看看会怎样：“whole model” 各行看损失的变化；单独检验一层时，看其输出以随机数加权求和后的
变化。这就是梯度检验。
"""))
report = check_model(model, [x], [t])
print(report)
assert_gradients(report)
assert abs(before - L) < 1e-6 and difference < 1e-6


# Part 2.  Matrices: X has a row for each sample, and so have Z, H, O, P and T.

def show(name, array, note=""):
    """A matrix with its name, and a note beside its first row."""
    rows = [" ".join(f"{value:8.4f}" for value in row) for row in np.atleast_2d(array) + 0.0]
    print(f"    {name:<5} = [{rows[0]} ]   {note}".rstrip())
    for row in rows[1:]:
        print(f"            [{row} ]")
    return array


X = np.array([[0.5, -1.0], [1.0, 2.0], [-1.0, 0.5]])
T = np.eye(3)[[1, 0, 2]]
V1, c1 = np.array(W1), np.array(b1)
V2, c2 = np.array([[0.7, -0.3, 0.1], [-0.4, 0.2, 0.3], [0.5, 0.9, -0.6]]), np.array([0.05, -0.05, 0.0])
N = len(X)

print(_("""

Part 2: a batch of three samples, three classes, and relu in the place of tanh.

A batch is a matrix with a row for each sample, and the same formulas work on whole matrices.  L is now the mean
of the three losses, and so a third of each sample's gradient counts.
""", """

第二部分：一批三个样本，三个类别，用 relu 代替 tanh。

一个批次是一个矩阵，每行一个样本，同样的公式作用于整个矩阵。现在 L 是三个样本损失的平均，所以每个样本的梯度都乘以三分之一。
"""))
Z = show("Z", X @ V1 + c1, "X V1 + c1")
H = show("H", np.maximum(Z, 0), "max(Z, 0)")
O = show("O", H @ V2 + c2, "H V2 + c2")         # noqa: E741: the matrix of the o above
P = show("P", np.exp(O) / np.exp(O).sum(axis=1, keepdims=True), _("softmax of each row", "逐行 softmax"))
loss = -(T * np.log(P)).sum() / N
print(_(f"\n    L = mean of -log P[n, true class of n] = {loss:.6f}",
        f"\n    L = -log P[n, 样本 n 的真实类别] 的平均 = {loss:.6f}"))

print(_("""
The Jacobian of softmax.  In a row of P every number depends on every number of O: J[i,j] is the slope of p[i] in
o[j].  The quotient rule gives p[i] - p[i]^2 for i = j, and -p[i] p[j] else, in short J = diag(p) - p p^T.  Of the
first sample:
""", """
softmax 的雅可比矩阵。P 的一行中每个数都依赖 O 的同一行的每个数：J[i,j] 是 p[i] 对 o[j] 的偏导数。由商的求导法则，
i = j 时为 p[i] - p[i]^2，否则为 -p[i] p[j]，即 J = diag(p) - p p^T。第一个样本的雅可比矩阵：
"""))
J = show("J", np.diag(P[0]) - np.outer(P[0], P[0]), _("its columns add up to 0: P always adds up to 1",
                                                      "每列之和为 0：概率之和始终为 1"))
dP = -T / P / N
print(_("\nL = -log p of the true class, divided by N: dL/dp is -1 / (N p) there, and 0 else.  By the chain rule do = "
        "J^T dp:\n",
        "\nL = -log p[真实类别] 除以 N：该处 dL/dp 为 -1 / (N p)，其余为 0。由链式法则 do = J^T dp：\n"))
show("dp", dP[0])
show("do", J.T @ dP[0], "J^T dp")
show("", (P[0] - T[0]) / N, _("(p - t) / N: the same, without a matrix", "(p - t) / N：相同，而且不需要矩阵"))
dO = (P - T) / N

print(_("""
The batch of a dense layer.  V2[j,k] takes part in all three samples, so its gradient is the sum of what it does in
each: dV2[j,k] = H[0,j] dO[0,k] + H[1,j] dO[1,k] + H[2,j] dO[2,k].  All of these sums together are one product of
matrices, H^T dO.  Nothing is divided by N here: that has been done, in dO.  For example:
""", """
一个批次的全连接层。V2[j,k] 参与全部三个样本，所以它的梯度是在各样本中的影响之和：
dV2[j,k] = H[0,j] dO[0,k] + H[1,j] dO[1,k] + H[2,j] dO[2,k]。所有这些和合起来就是一个矩阵乘积 H^T dO。
这里不再除以 N：dO 中已经除过。例如：
"""))
for j, k in ((0, 0), (2, 1)):
    say(f"dV2[{j},{k}]", terms((H[n, j], dO[n, k]) for n in range(N)), sum(H[n, j] * dO[n, k] for n in range(N)))
print()
dV2 = show("dV2", H.T @ dO, "H^T dO")
dc2 = show("dc2", dO.sum(axis=0), _("the sum of the rows of dO", "dO 各行之和"))
dH = show("dH", dO @ V2.T, "dO V2^T")

print(_("""
The Jacobian of relu.  h[i] depends on its own z[i] only: the slope is 1 where z > 0, else 0, and J is diagonal.  Of the
first sample:
""", """
relu 的雅可比矩阵。h[i] 只依赖自己的 z[i]：z > 0 处斜率为 1，否则为 0，所以 J 是对角矩阵。第一个样本：
"""))
J = show("J", np.diag((Z[0] > 0) * 1.0))
print(_("\nJ^T dh only sets some numbers to zero, so nobody makes the matrix: dz = dh where z > 0, else 0.\n",
        "\nJ^T dh 只是把一些数置为零，所以不必构造这个矩阵：z > 0 处 dz = dh，否则为 0。\n"))
dZ = show("dZ", dH * (Z > 0))
assert np.allclose(dZ[0], J.T @ dH[0])
dV1 = show("dV1", X.T @ dZ, "X^T dZ")
dc1 = show("dc1", dZ.sum(axis=0), _("the sum of the rows of dZ", "dZ 各行之和"))

model = Sequential([Dense(3, activation="relu", input_shape=(2,)), Dense(3, activation="softmax")])
model.compile(SGD(rate), "categorical_crossentropy")
model.set_weights([V1, c1, V2, c2])
difference = max(np.abs(a - b).max() for a, b in zip((dV1, dc1, dV2, dc2), model.gradients(X, T).values()))
print(_(f"\nLargest difference from tinynet's gradients of the same batch: {difference:.1e}",
        f"\n与 tinynet 对同一批次算出的梯度的最大差：{difference:.1e}"))
assert_gradients(check_model(model, X, T))
assert difference < 1e-6
print(_('model.explain_step(X, T).save("step.html") shows the same step as a page, each number with its sum.',
        'model.explain_step(X, T).save("step.html", lang="zh") 把同样的一步写成网页，每个数都附有它的算式。'))
