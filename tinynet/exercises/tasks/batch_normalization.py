"""Exercise: batch normalization."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.types import Array


def normalized(x: Array, epsilon: float, axis: int = 0) -> Array:
    """z = (x - mean) / sqrt(variance + epsilon)"""
    centred = x - x.mean(axis=axis, keepdims=True)
    return centred / deviation(x, epsilon, axis)


def deviation(x: Array, epsilon: float, axis: int = 0) -> Array:
    """sqrt(variance + epsilon)"""
    return np.sqrt(((x - x.mean(axis=axis, keepdims=True)) ** 2).mean(axis=axis, keepdims=True) + epsilon)


def forward(x: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    """y = gamma z + beta"""
    return gamma * normalized(x, epsilon) + beta


def cases(rng: np.random.Generator) -> list[Case]:
    """Features of different size; a large epsilon, so that it can be seen where it is put."""
    example = dict(x=np.array([[1.0, 0.0], [3.0, 0.0]]), gamma=np.array([2.0, 1.0]), beta=np.array([0.5, -1.0]),
                   epsilon=0.25, dy=np.array([[1.0, 2.0], [0.0, 1.0]]))
    drawn = [dict(x=rng.normal(2, 3, size=(n, d)), gamma=rng.normal(size=d), beta=rng.normal(size=d), epsilon=0.3,
                  dy=rng.normal(size=(n, d))) for n, d in ((5, 3), (4, 4), (6, 2))]
    return [example, *drawn]


exercise: Exercise = Exercise(
    "batch_normalization", "BatchNormalization", Text("Batch normalization", "批量归一化"),
    Text("""
Batch normalization gives each feature (column) the mean 0 and a variance of about 1 over the batch, then a scale and
a shift that are learned:

    z = (x - mean(x)) / sqrt(var(x) + epsilon),    y = gamma z + beta

mean and var are over the batch, var(x) = mean of (x - mean(x))^2. Here is the difficulty: a number x[n,d] is in y[n,d],
but also in the mean and in the variance of its column, and through these in y of all other samples. Follow all paths.

Shapes: x, y, dy, dx (N, D); gamma, beta, dgamma, dbeta (D,); epsilon a number.

One number worked out, for the example below: column 0 is 1 and 3, with mean 2 and variance 1. sqrt(1 + 0.25) = 1.118,
so z = -0.894 and 0.894, and y[0,0] = 2 times -0.894 + 0.5 = -1.289. dgamma[0] = sum over n of dy[n,0] z[n,0] = -0.894.
""", """
批量归一化使每个特征（列）在批次上均值为 0、方差约为 1，再做可学习的缩放和平移：

    z = (x - mean(x)) / sqrt(var(x) + epsilon)，    y = gamma z + beta

mean 与 var 沿批次（轴 0）计算，var(x) = (x - mean(x))^2 的平均。难点在于：x[n,d] 不仅出现在 y[n,d] 中，也出现在它那一列的均值和方差中，
并通过它们影响所有样本的 y。要沿所有路径求和。

形状：x、y、dy、dx 为 (N, D)；gamma、beta、dgamma、dbeta 为 (D,)；epsilon 是标量。

用下面的例子手算一个数：第 0 列是 1 和 3，均值 2，方差 1。sqrt(1 + 0.25) = 1.118，所以 z = -0.894 与 0.894，
y[0,0] = 2 × (-0.894) + 0.5 = -1.289。dgamma[0] = Σ_n dy[n,0] z[n,0] = -0.894。
"""),
    [Part("batch_normalization_forward", "x, gamma, beta, epsilon", "y", forward, "y = gamma z + beta"),
     Part("batch_normalization_backward", "dy, x, gamma, beta, epsilon", "dx, dgamma, dbeta",
          Gradients(forward, "x, gamma, beta"))],
    cases,
    [Mistake("batch_normalization_forward", "y",
             lambda x, gamma, beta, epsilon: gamma * normalized(x, epsilon, 1) + beta,
             Text("Normalized over the features of a sample (axis 1): that is layer normalization. Here it is over "
                  "the batch, axis 0.", "沿特征（轴 1）归一化了：那是层归一化。这里应沿批次（轴 0）归一化。")),
     Mistake("batch_normalization_forward", "y", lambda x, gamma, beta, epsilon: gamma * (x - x.mean(0)) / (
         x.std(0) + epsilon) + beta,
             Text("epsilon is added to the root here. It is added to the variance, under the root.",
                  "epsilon 加在了根号外。应加在方差上，放在根号里。")),
     Mistake("batch_normalization_forward", "y", lambda x, gamma, beta, epsilon: gamma * (x - x.mean(0)) / np.sqrt(
         x.var(0, ddof=1) + epsilon) + beta, Text("The variance is divided by N - 1 here (ddof=1). Divide by N.",
                                                  "方差除以了 N - 1（ddof=1）。应除以 N。")),
     Mistake("batch_normalization_forward", "y", lambda x, gamma, beta, epsilon: gamma * (x - x.mean(0)) / (
         x.var(0) + epsilon) + beta, Text("The root of the variance is forgotten.", "忘了对方差开平方。")),
     Mistake("batch_normalization_forward", "y", lambda x, gamma, beta, epsilon: gamma * normalized(x, epsilon), Text(
         "beta is forgotten: y = gamma z + beta.", "忘了 beta：y = gamma z + beta。")),
     Mistake("batch_normalization_forward", "y", lambda x, gamma, beta, epsilon: normalized(x, epsilon), Text(
         "gamma and beta are forgotten: y = gamma z + beta.", "忘了 gamma 和 beta：y = gamma z + beta。")),
     Mistake("batch_normalization_backward", "dx",
             lambda dy, x, gamma, beta, epsilon: dy * gamma / deviation(x, epsilon),
             Text("Mean and variance are taken for constants. Both depend on x: two terms are missing.",
                  "把均值和方差当成了常数。两者都依赖 x：缺少两项。")),
     Mistake("batch_normalization_backward", "dx", lambda dy, x, gamma, beta, epsilon: gamma / deviation(x, epsilon) * (
         dy - dy.mean(0)), Text("The path through the variance is missing: - z mean(dz z) in the bracket.",
                                "缺少经过方差的路径：括号里还应有 - z mean(dz z)。")),
     Mistake("batch_normalization_backward", "dx", lambda dy, x, gamma, beta, epsilon: gamma / deviation(x, epsilon) * (
         dy - normalized(x, epsilon) * (dy * normalized(x, epsilon)).mean(0)), Text(
         "The path through the mean is missing: - mean(dz) in the bracket.", "缺少经过均值的路径：括号里还应有 - mean(dz)。")),
     Mistake("batch_normalization_backward", "dx", lambda dy, x, gamma, beta, epsilon: (dy - dy.mean(0) - normalized(
         x, epsilon) * (dy * normalized(x, epsilon)).mean(0)) / deviation(x, epsilon), Text(
         "gamma is forgotten: dz = dy gamma.", "忘了 gamma：dz = dy gamma。")),
     Mistake("batch_normalization_backward", "dx", lambda dy, x, gamma, beta, epsilon: gamma / deviation(x, epsilon) * (
         dy - dy.sum(0) - normalized(x, epsilon) * (dy * normalized(x, epsilon)).sum(0)), Text(
         "Sums where means belong: both come from a mean over the batch, so divide them by N.",
         "该用平均的地方用了求和：两项都来自对批次的平均，要除以 N。")),
     Mistake("batch_normalization_backward", "dgamma", lambda dy, x, gamma, beta, epsilon: (dy * x).sum(0), Text(
         "gamma is multiplied by z, the normalized x: dgamma = sum of dy z.", "gamma 与归一化后的 z 相乘：dgamma = Σ dy z。")),
     Mistake("batch_normalization_backward", "dgamma",
             lambda dy, x, gamma, beta, epsilon: (dy * normalized(x, epsilon)).mean(0),
             Text("This is the mean over the batch. dgamma is the sum.", "这里对批次取了平均。dgamma 应对批次求和。")),
     Mistake("batch_normalization_backward", "dbeta", lambda dy, x, gamma, beta, epsilon: dy.mean(0), Text(
         "This is the mean over the batch. dbeta is the sum.", "这里对批次取了平均。dbeta 应对批次求和。"))],
    [Text("Begin with dbeta, dgamma and dz = dy gamma. Then three paths lead from z to x: directly, by the variance, "
          "by the mean.",
          "先求 dbeta、dgamma 和 dz = dy gamma。然后从 z 到 x 有三条路径：直接的、经过方差的、经过均值的。"),
     Text("Name s = sqrt(var + epsilon), c = x - mean, z = c / s. ds = -(sum of dz c) / s^2, dvar = ds / (2 s), and "
          "the variance is the mean of c^2. So dc = dz / s + 2 c dvar / N, and dx = dc - mean(dc).",
          "记 s = sqrt(var + epsilon)，c = x - mean，z = c / s。ds = -(Σ dz c) / s^2，dvar = ds / (2 s)，方差是 c^2 的平均。所以 dc "
          "= dz / s + 2 c dvar / N，dx = dc - mean(dc)。"),
     Text("All together: dx = (dz - mean(dz) - z mean(dz z)) / s, with means over the batch.",
          "合起来：dx = (dz - mean(dz) - z mean(dz z)) / s，平均都沿批次计算。")],
    Text("tinynet/layers/normalization.py has this, and the running means that inference uses.",
         "tinynet/layers/normalization.py 中有它，以及推断时使用的滑动平均。"))
