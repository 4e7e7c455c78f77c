"""Exercise: layer normalization."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.exercises.tasks.batch_normalization import deviation, normalized
from tinynet.types import Array


def z_of(x: Array, epsilon: float) -> Array:
    """z = (x - mean) / sqrt(variance + epsilon), over the features of each sample"""
    return normalized(x, epsilon, axis=1)


def forward(x: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    """y = gamma z + beta"""
    return gamma * z_of(x, epsilon) + beta


def cases(rng: np.random.Generator) -> list[Case]:
    """Batches of several shapes; one has a single sample."""
    example = dict(x=np.array([[1.0, 3.0], [0.0, 0.0]]), gamma=np.array([2.0, 1.0]), beta=np.array([0.5, -1.0]),
                   epsilon=0.25, dy=np.array([[1.0, 2.0], [0.0, 1.0]]))
    drawn = [dict(x=rng.normal(2, 3, size=(n, d)), gamma=rng.normal(size=d), beta=rng.normal(size=d), epsilon=0.3,
                  dy=rng.normal(size=(n, d))) for n, d in ((5, 3), (4, 4), (1, 6))]
    return [example, *drawn]


def bracket(dz: Array, z: Array) -> Array:
    """dz - mean(dz) - z mean(dz z), over the features"""
    return dz - dz.mean(1, keepdims=True) - z * (dz * z).mean(1, keepdims=True)


exercise: Exercise = Exercise(
    "layer_normalization", "LayerNormalization", Text("Layer normalization", "层归一化"),
    Text("""
Layer normalization does the same as batch normalization along the other axis: each sample (row) gets the mean 0 and
a variance of about 1 over its own features. So samples do not depend on each other, and training and inference are
the same:

    z = (x - mean(x)) / sqrt(var(x) + epsilon),    y = gamma z + beta

mean and var are over the features of a sample. gamma and beta still have one number for each feature.

Shapes: x, y, dy, dx (N, D); gamma, beta, dgamma, dbeta (D,); epsilon a number.

One number worked out, for the example below: row 0 is 1 and 3, with mean 2 and variance 1. sqrt(1 + 0.25) = 1.118, so
z[0] = [-0.894, 0.894] and y[0,0] = 2 times -0.894 + 0.5 = -1.289. dgamma[1] = 2 times 0.894 + 1 times 0 = 1.789.
""", """
层归一化与批量归一化相同，只是沿另一个轴：每个样本（行）在自己的特征上均值为 0、方差约为 1。因此样本之间互不依赖，训练与推断也相同：

    z = (x - mean(x)) / sqrt(var(x) + epsilon)，    y = gamma z + beta

mean 与 var 沿特征（轴 1）计算，每个样本各有一个。gamma 与 beta 仍然每个特征一个数。

形状：x、y、dy、dx 为 (N, D)；gamma、beta、dgamma、dbeta 为 (D,)；epsilon 是标量。

用下面的例子手算一个数：第 0 行是 1 和 3，均值 2，方差 1。sqrt(1 + 0.25) = 1.118，所以 z[0] = [-0.894, 0.894]，
y[0,0] = 2 × (-0.894) + 0.5 = -1.289。dgamma[1] = 2 × 0.894 + 1 × 0 = 1.789。
"""),
    [Part("layer_normalization_forward", "x, gamma, beta, epsilon", "y", forward, "y = gamma z + beta"),
     Part("layer_normalization_backward", "dy, x, gamma, beta, epsilon", "dx, dgamma, dbeta",
          Gradients(forward, "x, gamma, beta"))],
    cases,
    [Mistake("layer_normalization_forward", "y", lambda x, gamma, beta, epsilon: gamma * normalized(x, epsilon) + beta,
             Text(
        "Normalized over the batch (axis 0): that is batch normalization. Here it is over the features, axis 1.",
        "沿批次（轴 0）归一化了：那是批量归一化。这里应沿特征（轴 1）归一化。")),
     Mistake("layer_normalization_forward", "y", lambda x, gamma, beta, epsilon: gamma * (x - x.mean()) / np.sqrt(
         x.var() + epsilon) + beta,
             Text("One mean of the whole batch is taken. Each row has its own: axis=1, keepdims=True.",
                  "对整个批次取了一个均值。每一行有自己的均值：axis=1, keepdims=True。")),
     Mistake("layer_normalization_forward", "y",
             lambda x, gamma, beta, epsilon: gamma * (x - x.mean(1, keepdims=True)) / (
                 x.std(1, keepdims=True) + epsilon) + beta,
             Text("epsilon is added to the root here. It is added to the variance, under the root.",
                  "epsilon 加在了根号外。应加在方差上，放在根号里。")),
     Mistake("layer_normalization_forward", "y", lambda x, gamma, beta, epsilon: gamma * z_of(x, epsilon), Text(
         "beta is forgotten: y = gamma z + beta.", "忘了 beta：y = gamma z + beta。")),
     Mistake("layer_normalization_backward", "dx", lambda dy, x, gamma, beta, epsilon: bracket(
         (dy * gamma).T, z_of(x, epsilon).T).T / deviation(x, epsilon, 1), Text(
         "The means go over the batch (axis 0) here. Each sample has its own: axis=1, keepdims=True.",
         "平均沿批次（轴 0）计算了。每个样本有自己的平均：axis=1, keepdims=True。")),
     Mistake("layer_normalization_backward", "dx", lambda dy, x, gamma, beta, epsilon: gamma * bracket(
         dy, z_of(x, epsilon)) / deviation(x, epsilon, 1), Text(
         "gamma is outside the means. It differs between the features that are averaged, so it must be inside: dz = "
         "dy gamma first.",
         "gamma 放在了平均之外。被平均的各特征的 gamma 不同，必须放在里面：先算 dz = dy gamma。")),
     Mistake("layer_normalization_backward", "dx",
             lambda dy, x, gamma, beta, epsilon: dy * gamma / deviation(x, epsilon, 1),
             Text("Mean and variance are taken for constants. Both depend on x: two terms are missing.",
                  "把均值和方差当成了常数。两者都依赖 x：缺少两项。")),
     Mistake("layer_normalization_backward", "dx", lambda dy, x, gamma, beta, epsilon: bracket(
         dy, z_of(x, epsilon)) / deviation(x, epsilon, 1),
             Text("gamma is forgotten: dz = dy gamma.", "忘了 gamma：dz = dy gamma。")),
     Mistake("layer_normalization_backward", "dx", lambda dy, x, gamma, beta, epsilon: (
         dy * gamma - (dy * gamma).mean(1, keepdims=True)) / deviation(x, epsilon, 1), Text(
         "The path through the variance is missing: - z mean(dz z) in the bracket.",
         "缺少经过方差的路径：括号里还应有 - z mean(dz z)。")),
     Mistake("layer_normalization_backward", "dgamma",
             lambda dy, x, gamma, beta, epsilon: (dy * z_of(x, epsilon)).sum(1),
             Text("Summed over the features (axis 1). gamma has one number for each feature: sum over the batch, "
                  "axis 0.", "对特征（轴 1）求和了。gamma 每个特征一个数：对批次（轴 0）求和。")),
     Mistake("layer_normalization_backward", "dgamma", lambda dy, x, gamma, beta, epsilon: (dy * x).sum(0), Text(
         "gamma is multiplied by z, the normalized x: dgamma = sum of dy z.", "gamma 与归一化后的 z 相乘：dgamma = Σ dy z。")),
     Mistake("layer_normalization_backward", "dbeta", lambda dy, x, gamma, beta, epsilon: dy.sum(1), Text(
         "Summed over the features (axis 1). beta has one number for each feature: sum over the batch, axis 0.",
         "对特征（轴 1）求和了。beta 每个特征一个数：对批次（轴 0）求和。"))],
    [Text("dx is that of batch normalization with axis 1 in the place of axis 0. dgamma and dbeta stay as they were.",
          "dx 与批量归一化相同，只把轴 0 换成轴 1。dgamma 与 dbeta 不变。"),
     Text("keepdims=True keeps the means as a column (N, 1), which fits (N, D).",
          "keepdims=True 使均值保持为列 (N, 1)，可与 (N, D) 运算。"),
     Text("dx = (dz - mean(dz) - z mean(dz z)) / s with dz = dy gamma and means over the features.",
          "dx = (dz - mean(dz) - z mean(dz z)) / s，其中 dz = dy gamma，平均都沿特征计算。")],
    Text("Source: Ba et al., arXiv:1607.06450. Transformers use it in every block.",
         "出处：Ba 等，arXiv:1607.06450。Transformer 的每个模块都用它。"))
