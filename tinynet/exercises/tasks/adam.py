"""Exercise: Adam."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Mistake, Part, Text
from tinynet.types import Array, Function


def step(w: Array, dw: Array, m: Array, v: Array, t: int, learning_rate: float, beta_1: float, beta_2: float,
         epsilon: float) -> tuple[Array, ...]:
    """The algorithm of Kingma and Ba, arXiv:1412.6980"""
    m = beta_1 * m + (1 - beta_1) * dw
    v = beta_2 * v + (1 - beta_2) * dw ** 2
    return moved(w, m / (1 - beta_1 ** t), v / (1 - beta_2 ** t), learning_rate, epsilon), m, v


def moved(w: Array, m: Array, v: Array, learning_rate: float, epsilon: float) -> Array:
    """w = w - learning_rate m / (sqrt(v) + epsilon)"""
    return w - learning_rate * m / (np.sqrt(v) + epsilon)


def means(dw: Array, m: Array, v: Array, beta_1: float, beta_2: float) -> tuple[Array, ...]:
    """m and v in wrong formulas"""
    return beta_1 * m + (1 - beta_1) * dw, beta_2 * v + (1 - beta_2) * dw ** 2


def cases(rng: np.random.Generator) -> list[Case]:
    """The first step, and later ones; a large epsilon, so that it can be seen where it is put."""
    example = dict(w=np.array([1.0, -1.0]), dw=np.array([0.5, -2.0]), m=np.zeros(2), v=np.zeros(2), t=1,
                   learning_rate=0.1, beta_1=0.9, beta_2=0.999, epsilon=0.01)
    drawn = [dict(w=rng.normal(size=n), dw=rng.normal(size=n), m=rng.normal(size=n), v=rng.random(n) + 0.1, t=t,
                  learning_rate=rng.uniform(0.1, 0.9), beta_1=rng.uniform(0.5, 0.8), beta_2=rng.uniform(0.85, 0.95),
                  epsilon=0.2) for n, t in ((4, 3), (6, 2))]
    return [example, *drawn]


def wrong(formula: Function) -> Function:
    """w of a wrong formula of w, m, v (both updated), t and the numbers"""
    def of_case(w, dw, m, v, t, learning_rate, beta_1, beta_2, epsilon):
        old = m, v
        m, v = means(dw, m, v, beta_1, beta_2)
        return formula(w, m, v, t, learning_rate, beta_1, beta_2, epsilon, *old)
    return of_case


exercise: Exercise = Exercise(
    "adam", "Adam", Text("Adam", "Adam"),
    Text("""
Adam joins both ideas: a running mean m of the gradient, and a running mean v of its square (the a of RMSprop). Both
begin at zero and
would be too close to zero in the first steps; dividing by 1 - beta^t, with t = 1 in the first step, corrects that:

    m = beta_1 m + (1 - beta_1) dw
    v = beta_2 v + (1 - beta_2) dw^2
    m' = m / (1 - beta_1^t),    v' = v / (1 - beta_2^t)
    w = w - learning_rate m' / (sqrt(v') + epsilon)

Return the new w, and m and v before the correction: these are what the next step starts from.

Shapes: w, dw, m, v (n,); t a whole number from 1; the others are numbers.

One number worked out, for the example below, in the first step: m[0] = 0.1 times 0.5 = 0.05, and m' = 0.05 / 0.1 = 0.5,
the gradient itself. v' = 0.25 likewise, and w[0] = 1 - 0.1 times 0.5 / (0.5 + 0.01) = 0.902.
""", """
Adam 结合了两种想法：梯度的滑动平均 m，以及梯度平方的滑动平均 v（即 RMSprop 的 a）。两者从零开始，在最初几步会偏向零；除以 1 - beta^t（第一步 t = 1）
可以校正这个偏差：

    m = beta_1 m + (1 - beta_1) dw
    v = beta_2 v + (1 - beta_2) dw^2
    m' = m / (1 - beta_1^t)，    v' = v / (1 - beta_2^t)
    w = w - learning_rate m' / (sqrt(v') + epsilon)

返回新的 w，以及校正之前的 m 和 v：下一步从它们开始。

形状：w、dw、m、v 为 (n,)；t 是从 1 开始的整数；其余是标量。

用下面的例子手算一个数，第一步：m[0] = 0.1 × 0.5 = 0.05，m' = 0.05 / 0.1 = 0.5，正是梯度本身。同样 v' = 0.25，
w[0] = 1 - 0.1 × 0.5 / (0.5 + 0.01) = 0.902。
"""),
    [Part("adam_step", "w, dw, m, v, t, learning_rate, beta_1, beta_2, epsilon", "w, m, v", step,
          Text("the new w, m and v", "新的 w、m 和 v"))],
    cases,
    [Mistake("adam_step", "w", wrong(lambda w, m, v, t, rate, b1, b2, e, *old: moved(w, m, v, rate, e)), Text(
        "The corrections are forgotten: divide m by 1 - beta_1^t and v by 1 - beta_2^t.",
        "忘了偏差校正：m 除以 1 - beta_1^t，v 除以 1 - beta_2^t。")),
     Mistake("adam_step", "w",
             wrong(lambda w, m, v, t, rate, b1, b2, e, *old: moved(w, m / (1 - b1), v / (1 - b2), rate, e)),
             Text("The power t is forgotten: 1 - beta^t, not 1 - beta.", "忘了 t 次方：是 1 - beta^t，不是 1 - beta。")),
     Mistake("adam_step", "w", wrong(lambda w, m, v, t, rate, b1, b2, e, *old: moved(
         w, m / (1 - b1 ** (t + 1)), v / (1 - b2 ** (t + 1)), rate, e)), Text(
         "t is counted one too far: it is 1 in the first step already.", "t 多加了 1：第一步时 t 就是 1。")),
     Mistake("adam_step", "w", wrong(lambda w, m, v, t, rate, b1, b2, e, *old: moved(w, m / (1 - b1 ** t), v, rate, e)),
             Text(
         "Only m is corrected. Divide v by 1 - beta_2^t, too.", "只校正了 m。v 也要除以 1 - beta_2^t。")),
     Mistake("adam_step", "w", wrong(lambda w, m, v, t, rate, b1, b2, e, *old: w - rate * m / (1 - b1 ** t) / np.sqrt(
         v / (1 - b2 ** t) + e)),
             Text("epsilon is under the root here. It is added to the root.", "epsilon 放在了根号里。它应当加在根号外。")),
     Mistake("adam_step", "w", wrong(lambda w, m, v, t, rate, b1, b2, e, *old: w - rate * m / (1 - b1 ** t) / (
         v / (1 - b2 ** t) + e)), Text("The root of v is forgotten.", "忘了对 v 开平方。")),
     Mistake("adam_step", "w", wrong(lambda w, m, v, t, rate, b1, b2, e, *old: w - rate * (1 - b2 ** t) ** 0.5 / (
         1 - b1 ** t) * m / (np.sqrt(v) + e)), Text(
         "This is Keras's order, in which epsilon is added before the correction. Here it is added to sqrt(v').",
         "这是 Keras 的写法，epsilon 在校正之前加上。这里它加在 sqrt(v') 上。")),
     Mistake("adam_step", "w", wrong(lambda w, m, v, t, rate, b1, b2, e, *old: moved(
         w, -m / (1 - b1 ** t), v / (1 - b2 ** t), rate, e)), Text(
         "The sign: the weights move against the gradient.", "符号错误：权重沿负梯度方向移动。")),
     Mistake("adam_step", "w", wrong(lambda w, m, v, t, rate, b1, b2, e, *old: moved(w, m, v / (1 - b2 ** t), rate, e)),
             Text(
         "Only v is corrected. Divide m by 1 - beta_1^t, too.", "只校正了 v。m 也要除以 1 - beta_1^t。")),
     Mistake("adam_step", "m", lambda w, dw, m, v, t, learning_rate, beta_1, beta_2, epsilon: beta_1 * m + dw, Text(
         "The weight 1 - beta_1 of the new gradient is missing.", "新的梯度缺少权重 1 - beta_1。")),
     Mistake("adam_step", "m", lambda w, dw, m, v, t, learning_rate, beta_1, beta_2, epsilon:
             means(dw, m, v, beta_1, beta_2)[0] / (1 - beta_1 ** t), Text(
                 "This is m', after the correction. Return m from before it: the next step goes on from there.",
                 "这是校正之后的 m'。应返回校正之前的 m：下一步从它继续。")),
     Mistake("adam_step", "v", lambda w, dw, m, v, t, learning_rate, beta_1, beta_2, epsilon:
             means(dw, m, v, beta_1, beta_2)[1] / (1 - beta_2 ** t), Text(
                 "This is v', after the correction. Return v from before it: the next step goes on from there.",
                 "这是校正之后的 v'。应返回校正之前的 v：下一步从它继续。")),
     Mistake("adam_step", "m", lambda w, dw, m, v, t, learning_rate, beta_1, beta_2, epsilon:
             (1 - beta_1) * m + beta_1 * dw,
             Text("beta_1 and 1 - beta_1 are exchanged: the old m has the weight beta_1.",
                  "beta_1 与 1 - beta_1 弄反了：旧的 m 的权重是 beta_1。")),
     Mistake("adam_step", "v", lambda w, dw, m, v, t, learning_rate, beta_1, beta_2, epsilon:
             beta_2 * v + (1 - beta_2) * dw, Text("The gradient must be squared: dw^2.", "梯度要平方：dw^2。"))],
    [Text("Name the corrected means differently from m and v: m and v themselves are returned.",
          "给校正后的平均另起名字：要返回的是 m 和 v 本身。"),
     Text("beta ** t is the power in Python; beta ^ t is something else.", "Python 中乘方是 beta ** t；beta ^ t 是别的运算。")],
    Text("tinynet/optimizers/adam.py, which follows Keras: there epsilon is added before the correction.",
         "见 tinynet/optimizers/adam.py，它遵循 Keras：epsilon 在校正之前加上。"))
