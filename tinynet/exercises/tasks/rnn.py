"""Exercise: a recurrent network over time."""
import numpy as np

from tinynet.exercises.exercise import Case, Exercise, Gradients, Mistake, Part, Text
from tinynet.types import Any, Array


def forward(x: Array, h0: Array, Wx: Array, Wh: Array, b: Array) -> Array:
    """h[t] = tanh(x[t] Wx + h[t-1] Wh + b)"""
    h, states = h0, []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ Wx + h @ Wh + b)
        states.append(h)
    return np.stack(states, axis=1)


def backward(dh: Array, x: Array, h0: Array, Wx: Array, Wh: Array, b: Array, through_time: bool = True,
             slope: bool = True, last_only: bool = False, transposed: bool = True,
             all_steps: bool = True) -> dict[str, Array]:
    """The gradients by name, for the mistakes with one thing or another left out"""
    h = forward(x, h0, Wx, Wh, b)
    found = {"dx": np.zeros(x.shape), "dWx": np.zeros(Wx.shape), "dWh": np.zeros(Wh.shape), "db": np.zeros(b.shape)}
    later = np.zeros(h0.shape)
    for t in reversed(range(x.shape[1])):
        dy = (dh[:, t] if not last_only or t == x.shape[1] - 1 else 0) + (later if through_time else 0)
        dz = dy * (1 - h[:, t] ** 2) if slope else dy + 0 * later
        before = h[:, t - 1] if t else h0
        found["dx"][:, t] = dz @ Wx.T
        found["dWx"] = x[:, t].T @ dz + (found["dWx"] if all_steps else 0)
        found["dWh"] = before.T @ dz + (found["dWh"] if all_steps else 0)
        found["db"] = dz.sum(axis=0) + (found["db"] if all_steps else 0)
        later = dz @ (Wh.T if transposed else Wh)
    return found | {"dh0": later}


def cases(rng: np.random.Generator) -> list[Case]:
    """Several samples and steps in time."""
    example = dict(x=np.array([[[1.0], [0.0]]]), h0=np.array([[0.0]]), Wx=np.array([[0.5]]), Wh=np.array([[2.0]]),
                   b=np.array([0.0]), dh=np.array([[[0.0], [1.0]]]))
    drawn = [dict(x=rng.normal(size=(n, t, d)), h0=rng.normal(size=(n, u)), Wx=rng.normal(size=(d, u)),
                  Wh=rng.normal(size=(u, u)), b=rng.normal(size=u), dh=rng.normal(size=(n, t, u)))
             for n, t, d, u in ((3, 4, 2, 3), (1, 2, 3, 2), (2, 3, 2, 2))]
    return [example, *drawn]


def without(*names: Any, **options: Any) -> list[Mistake]:
    """The mistakes of all results in which an option of backward shows."""
    hint = options.pop("hint")
    return [Mistake("rnn_backward", name, lambda name=name, **case: backward(**case, **options)[name], hint)
            for name in names]


EVERY = ("dx", "dh0", "dWx", "dWh", "db")
exercise: Exercise = Exercise(
    "rnn", "RNN", Text("A recurrent network over time", "循环神经网络（随时间反向传播）"),
    Text("""
A recurrent network reads a sequence step by step, and keeps a state h, which it computes from the input and from its
own state before:

    h[t] = tanh(x[t] Wx + h[t-1] Wh + b),    for t = 0, 1, ... T-1, where x[t] is x[:, t]; before h[0] comes h0

It is a deep network with the same weights in every layer. Backprop goes from the last step to the first. h[t] reaches L
in two ways: directly, by dh[:,t], and through h[t+1]. The weights take part in every step: their gradients add up.

Shapes: x, dx (N, T, D); h0, dh0 (N, U); Wx (D, U); Wh (U, U); b (U,); h, dh (N, T, U), the states h[0] to h[T-1].

One number worked out, for the example below: h[0] = tanh(0.5) = 0.462, h[1] = tanh(2 times 0.462) = 0.728. dh is 1 at
the last step only. Write z[t] for what tanh is applied to:
dz[1] = 1 - 0.728^2 = 0.470, and it reaches h[0] by Wh: 0.470 times 2 = 0.940, so
dz[0] = 0.940 (1 - 0.462^2) = 0.739, and dx[0] = 0.739 times 0.5 = 0.370: an early input, felt late.
""", """
循环神经网络一步一步地读入序列，并保存状态 h，它由当前输入 x[t]（即 x[:, t]）和前一步的状态计算得到：

    h[t] = tanh(x[t] Wx + h[t-1] Wh + b)，    t = 0, 1, ..., T-1，h[0] 之前是 h0

它相当于一个各层权重都相同的深度网络。反向传播从最后一步走到第一步。h[t] 通过两条路到达 L：直接通过 dh[:,t]，以及间接通过 h[t+1]。
权重参与每一步：各步的梯度相加。

形状：x、dx 为 (N, T, D)；h0、dh0 为 (N, U)；Wx 为 (D, U)；Wh 为 (U, U)；b 为 (U,)；h、dh 为 (N, T, U)，即 h[0] 到 h[T-1]。

用下面的例子手算一个数：h[0] = tanh(0.5) = 0.462，h[1] = tanh(2 × 0.462) = 0.728。dh 只在最后一步为 1，其余为 0。记 tanh 的自变量为 z[t]：dz[1] = 1 -
0.728^2 = 0.470，经过 Wh 到达 h[0]：0.470 × 2 = 0.940，所以 dz[0] = 0.940 (1 - 0.462^2) = 0.739，dx[0] = 0.739 × 0.5 = 0.370：
早期的输入，到后来仍有影响。
"""),
    [Part("rnn_forward", "x, h0, Wx, Wh, b", "h", forward,
          Text("h[t] = tanh(x[t] Wx + h[t-1] Wh + b), of all steps", "h[t] = tanh(x[t] Wx + h[t-1] Wh + b)，所有步")),
     Part("rnn_backward", "dh, x, h0, Wx, Wh, b", "dx, dh0, dWx, dWh, db",
          Gradients(forward, "x, h0, Wx, Wh, b", "dh"))],
    cases,
    [Mistake("rnn_forward", "h", lambda x, h0, Wx, Wh, b: np.tanh(x @ Wx + (h0 @ Wh)[:, None] + b), Text(
        "Every step starts from h0. Each must start from the state of the step before: h = the new h.",
        "每一步都从 h0 开始了。应从前一步的状态开始：h = 新的 h。")),
     Mistake("rnn_forward", "h", lambda x, h0, Wx, Wh, b: np.tanh(x @ Wx + b), Text(
         "The state before is forgotten: h[t-1] Wh.", "忘了前一步的状态：h[t-1] Wh。")),
     Mistake("rnn_forward", "h", lambda x, h0, Wx, Wh, b: forward(x, h0, Wx, Wh, b)[:, -1], Text(
         "This is the last state. Return those of all steps, (N, T, U).", "这是最后一个状态。要返回所有步的状态，(N, T, U)。")),
     Mistake("rnn_forward", "h", lambda x, h0, Wx, Wh, b: forward(x, h0, Wx, Wh, b).swapaxes(0, 1), Text(
         "The axes are exchanged: h has the samples first, (N, T, U).", "轴的顺序反了：h 的第一个轴是样本，(N, T, U)。")),
     Mistake("rnn_forward", "h", lambda x, h0, Wx, Wh, b: forward(x, h0, Wx, Wh, 0 * b),
             Text("The bias is forgotten.", "忘了加偏置 b。")),
     Mistake("rnn_forward", "h", lambda x, h0, Wx, Wh, b: forward(x, 0 * h0, Wx, Wh, b), Text(
         "The first step must start from h0, not from zero.", "第一步应从 h0 开始，而不是从零开始。")),
     *without(*EVERY, through_time=False, hint=Text(
         "The gradient does not go back in time: h[t] also reaches L through h[t+1]. Add dz[t+1] Wh^T to dh[:,t].",
         "梯度没有沿时间反向传播：h[t] 还经过 h[t+1] 到达 L。要把 dz[t+1] Wh^T 加到 dh[:,t] 上。")),
     *without(*EVERY, slope=False, hint=Text("The slope of tanh, 1 - h^2, is missing.", "缺少 tanh 的斜率 1 - h^2。")),
     *without(*EVERY, last_only=True, hint=Text(
         "Only the dh of the last step is used. Every step has its own: add dh[:,t] at each.",
         "只用了最后一步的 dh。每一步都有自己的 dh[:,t]，都要加上。")),
     *without(*EVERY, transposed=False, hint=Text(
         "Wh must be transposed on the way back: dz[t+1] Wh^T.", "反向时 Wh 要转置：dz[t+1] Wh^T。")),
     *without("dWx", "dWh", "db", all_steps=False, hint=Text(
         "Only one step in time counts. The weights take part in every step: add up (+=).",
         "只算了一个时间步。权重参与每一步：要累加（+=）。")),
     Mistake("rnn_backward", "dWh", lambda dh, x, h0, Wx, Wh, b: using_new_state(dh, x, h0, Wx, Wh, b), Text(
         "Wh is multiplied by the state before, h[t-1], not by h[t].", "Wh 与前一步的状态 h[t-1] 相乘，不是 h[t]。"))],
    [Text("Keep all states. Go back with a loop: for t in reversed(range(T)).",
          "保存所有状态。用循环反向：for t in reversed(range(T))。"),
     Text("In the loop: dy = dh[:, t] + later; dz = dy * (1 - h[:, t] ** 2); later = dz @ Wh.T.",
          "循环中：dy = dh[:, t] + later；dz = dy * (1 - h[:, t] ** 2)；later = dz @ Wh.T。"),
     Text("later begins as zeros, and is dh0 at the end. dWx += x[:, t].T @ dz, dWh += h[:, t-1].T @ dz (for t = 0 "
          "with h0).",
          "later 从零开始，最后就是 dh0。dWx += x[:, t].T @ dz，dWh += h[:, t-1].T @ dz（t = 0 时用 h0）。")],
    Text("Source: Werbos, Backpropagation through time, Proc. IEEE 78 (1990).",
         "出处：Werbos，Backpropagation through time，Proc. IEEE 78 (1990)。"))


def using_new_state(dh: Array, x: Array, h0: Array, Wx: Array, Wh: Array, b: Array) -> Array:
    """dWh with h[t] in the place of h[t-1]"""
    h, later, dWh = forward(x, h0, Wx, Wh, b), 0 * h0, 0 * Wh
    for t in reversed(range(x.shape[1])):
        dz = (dh[:, t] + later) * (1 - h[:, t] ** 2)
        dWh, later = dWh + h[:, t].T @ dz, dz @ Wh.T
    return dWh
