"""Functions with hand-written gradients, right and wrong, for tests and for benchmarks/gradient_checks.py.

HONEST[name] = (forward, backward, arrays(rng)); WRONG[name, mistake] is the same with another backward.
forward(*arrays) returns (out, cache), and backward(dout, cache) a gradient for each array of floats.
"""
import numpy as np


# Functions


def dense(x, w, b):
    return x @ w + b, (x, w)


def dense_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)


def relu(x):
    return np.where(x.real > 0, x, 0), x


def relu_backward(dout, x):
    return (dout * (x > 0),)


def leaky_relu(x):
    return np.where(x.real > 0, x, 0.1 * x), x


def leaky_relu_backward(dout, x):
    return (dout * np.where(x > 0, 1, 0.1),)


def sigmoid(x):
    y = 1 / (1 + np.exp(-x))
    return y, y


def sigmoid_backward(dout, y):
    return (dout * y * (1 - y),)


def tanh(x):
    y = np.tanh(x)
    return y, y


def tanh_backward(dout, y):
    return (dout * (1 - y * y),)


def softplus(x):
    return np.log(1 + np.exp(x)), x


def softplus_backward(dout, x):
    return (dout / (1 + np.exp(-x)),)


def gelu(x):
    t = np.tanh(0.8 * (x + 0.044715 * x ** 3))
    return 0.5 * x * (1 + t), (x, t)


def gelu_backward(dout, cache):
    x, t = cache
    return (dout * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.8 * (1 + 0.134145 * x * x)),)


def swish(x, beta):
    s = 1 / (1 + np.exp(-beta * x))
    return x * s, (x, s, beta)


def swish_backward(dout, cache):
    x, s, beta = cache
    return dout * (s + beta * x * s * (1 - s)), (dout * x * x * s * (1 - s)).sum(0)


def absolute(x):
    return np.abs(x), x


def absolute_backward(dout, x):
    return (dout * np.sign(x),)


def prelu(x, alpha):
    return np.where(x.real > 0, x, alpha * x), (x, alpha)


def prelu_backward(dout, cache):
    x, alpha = cache
    return dout * np.where(x > 0, 1, alpha), (dout * np.where(x > 0, 0, x)).sum(0)


def scale(x, gamma):
    return x * gamma, (x, gamma)


def scale_backward(dout, cache):
    x, gamma = cache
    return dout * gamma, (dout * x).sum(0)


def softmax(x):
    e = np.exp(x - x.real.max(-1, keepdims=True))
    y = e / e.sum(-1, keepdims=True)
    return y, y


def softmax_backward(dout, y):
    return (y * (dout - (dout * y).sum(-1, keepdims=True)),)


def log_softmax(x):
    z = x - x.real.max(-1, keepdims=True)
    y = z - np.log(np.exp(z).sum(-1, keepdims=True))
    return y, y


def log_softmax_backward(dout, y):
    return (dout - np.exp(y) * dout.sum(-1, keepdims=True),)


def logsumexp(x):
    y = np.log(np.exp(x).sum(-1))
    return y, (x, y)


def logsumexp_backward(dout, cache):
    x, y = cache
    return (dout[:, None] * np.exp(x - y[:, None]),)


def crossentropy(x, labels):
    p, _ = softmax(x)
    return -np.log(p[np.arange(len(x)), labels]).mean(), (p, labels)


def crossentropy_backward(dout, cache):
    p, labels = cache
    dx = p.copy()
    dx[np.arange(len(p)), labels] -= 1
    return (dout * dx / len(p),)


def squared_error(x, y):
    return ((x - y) ** 2).mean(), (x, y)


def squared_error_backward(dout, cache):
    x, y = cache
    dx = dout * 2 * (x - y) / x.size
    return dx, -dx


def hinge(x, labels):
    rows = np.arange(len(x))
    margins = x - x[rows, labels][:, None] + 1
    margins[rows, labels] = 0
    margins = np.where(margins.real > 0, margins, 0)
    return margins.sum() / len(x), (margins, labels)


def hinge_backward(dout, cache):
    margins, labels = cache
    dx = (margins > 0).astype(float)
    dx[np.arange(len(dx)), labels] = -dx.sum(1)
    return (dout * dx / len(dx),)


def normalized(x, axis):
    mean = x.mean(axis, keepdims=True)
    s = np.sqrt(((x - mean) ** 2).mean(axis, keepdims=True) + 1e-3)
    return (x - mean) / s, s


def normalized_backward(dz, z, s, axis):
    return (dz - dz.mean(axis, keepdims=True) - z * (dz * z).mean(axis, keepdims=True)) / s


def scaled_norm(x, gamma, beta, axis):
    z, s = normalized(x, axis)
    return gamma * z + beta, (z, s, gamma)


def scaled_norm_backward(dout, cache, axis):
    z, s, gamma = cache
    return normalized_backward(dout * gamma, z, s, axis), (dout * z).sum(0), dout.sum(0)


def layer_norm(x, gamma, beta):
    return scaled_norm(x, gamma, beta, 1)


def layer_norm_backward(dout, cache):
    return scaled_norm_backward(dout, cache, 1)


def batch_norm(x, gamma, beta):
    return scaled_norm(x, gamma, beta, 0)


def batch_norm_backward(dout, cache):
    return scaled_norm_backward(dout, cache, 0)


def rms_norm(x, gamma):
    r = np.sqrt((x * x).mean(1, keepdims=True))
    return gamma * x / r, (x, r, gamma)


def rms_norm_backward(dout, cache):
    x, r, gamma = cache
    dz = dout * gamma
    return dz / r - x * (dz * x).mean(1, keepdims=True) / r ** 3, (dout * x / r).sum(0)


def unit_rows(x):
    r = np.sqrt((x * x).sum(1, keepdims=True))
    return x / r, (x / r, r)


def unit_rows_backward(dout, cache):
    y, r = cache
    return ((dout - y * (dout * y).sum(1, keepdims=True)) / r,)


def cosine(x, y):
    a, b = np.sqrt((x * x).sum(1)), np.sqrt((y * y).sum(1))
    c = (x * y).sum(1) / (a * b)
    return c, (x, y, a, b, c)


def cosine_backward(dout, cache):
    x, y, a, b, c = (v if v.ndim == 2 else v[:, None] for v in cache)
    dout = dout[:, None]
    return dout * (y / (a * b) - c * x / a ** 2), dout * (x / (a * b) - c * y / b ** 2)


def convolution(x, w, b):
    """(N, H, W, C), 3 x 3, as many rows and columns as before."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = sum(padded[:, i:i + x.shape[1], j:j + x.shape[2]] @ w[i, j] for i in range(3) for j in range(3))
    return out + b, (padded, w)


def convolution_backward(dout, cache):
    padded, w = cache
    _, h, v, _ = dout.shape
    dpadded, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for i in range(3):
        for j in range(3):
            dw[i, j] = np.tensordot(padded[:, i:i + h, j:j + v], dout, ((0, 1, 2), (0, 1, 2)))
            dpadded[:, i:i + h, j:j + v] += dout @ w[i, j].T
    return dpadded[:, 1:-1, 1:-1], dw, dout.sum((0, 1, 2))


def windows(x):
    n, h, v, c = x.shape
    return x.reshape(n, h // 2, 2, v // 2, 2, c).transpose(0, 1, 3, 5, 2, 4).reshape(n, h // 2, v // 2, c, 4)


def unwindowed(w):
    n, h, v, c, _ = w.shape
    return w.reshape(n, h, v, c, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, 2 * h, 2 * v, c)


def max_pool(x):
    w = windows(x)
    at = w.real.argmax(-1)
    return np.take_along_axis(w, at[..., None], -1)[..., 0], (w.shape, at)


def max_pool_backward(dout, cache):
    shape, at = cache
    dw = np.zeros(shape)
    np.put_along_axis(dw, at[..., None], dout[..., None], -1)
    return (unwindowed(dw),)


def average_pool(x):
    w = windows(x)
    return w.mean(-1), w.shape


def average_pool_backward(dout, shape):
    return (unwindowed(np.repeat(dout[..., None] / 4, 4, -1)),)


def global_average(x):
    return x.mean((1, 2)), x.shape


def global_average_backward(dout, shape):
    return (np.broadcast_to(dout[:, None, None] / (shape[1] * shape[2]), shape).copy(),)


def embedding(rows, table):
    return table[rows], (rows, table.shape)


def embedding_backward(dout, cache):
    rows, shape = cache
    dtable = np.zeros(shape)
    np.add.at(dtable, rows, dout)
    return (dtable,)


def rnn(x, wx, wh, b):
    """(N, T, D): h = tanh(x wx + h wh + b); all h."""
    h, states = np.zeros((len(x), len(wh))), []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ wx + h @ wh + b)
        states.append(h)
    return np.stack(states, 1), (x, wx, wh, states)


def rnn_backward(dout, cache):
    x, wx, wh, states = cache
    dx, dwx, dwh, db, dh = np.zeros(x.shape), np.zeros(wx.shape), np.zeros(wh.shape), np.zeros(len(wh)), 0
    for t in reversed(range(x.shape[1])):
        dz = (dout[:, t] + dh) * (1 - states[t] ** 2)
        before = states[t - 1] if t else np.zeros(states[0].shape)
        dx[:, t], dwx, dwh, db, dh = dz @ wx.T, dwx + x[:, t].T @ dz, dwh + before.T @ dz, db + dz.sum(0), dz @ wh.T
    return dx, dwx, dwh, db


def lstm(x, wx, wh, b):
    """(N, T, D), gates in the order i, f, o, g; all h."""
    size = len(wh)
    h = c = np.zeros((len(x), size))
    steps, outs = [], []
    for t in range(x.shape[1]):
        z = x[:, t] @ wx + h @ wh + b
        i, f, o = np.split(1 / (1 + np.exp(-z[:, :3 * size])), 3, axis=1)
        g, before = np.tanh(z[:, 3 * size:]), (h, c)
        c = f * c + i * g
        h = o * np.tanh(c)
        steps.append((i, f, o, g, c, *before))
        outs.append(h)
    return np.stack(outs, 1), (x, wx, wh, steps)


def lstm_backward(dout, cache, forget=True, carry=True):
    x, wx, wh, steps = cache
    dx, dwx, dwh, db = np.zeros(x.shape), np.zeros(wx.shape), np.zeros(wh.shape), np.zeros(wx.shape[1])
    dh = dc = np.zeros((len(x), len(wh)))
    for t in reversed(range(x.shape[1])):
        i, f, o, g, c, h_before, c_before = steps[t]
        dh, tc = dout[:, t] + dh, np.tanh(c)
        dc = dc * carry + dh * o * (1 - tc ** 2)
        dz = np.concatenate([dc * g * i * (1 - i), forget * dc * c_before * f * (1 - f), dh * tc * o * (1 - o),
                             dc * i * (1 - g ** 2)], axis=1)
        dx[:, t], dwx, dwh, db = dz @ wx.T, dwx + x[:, t].T @ dz, dwh + h_before.T @ dz, db + dz.sum(0)
        dh, dc = dz @ wh.T, dc * f
    return dx, dwx, dwh, db


def attention(q, k, v):
    p, _ = softmax(q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]))
    return p @ v, (q, k, v, p)


def attention_backward(dout, cache):
    q, k, v, p = cache
    ds = softmax_backward(dout @ v.swapaxes(1, 2), p)[0] / np.sqrt(q.shape[-1])
    return ds @ k, ds.swapaxes(1, 2) @ q, p.swapaxes(1, 2) @ dout


def bilinear(x, w, y):
    return ((x @ w) * y).sum(1), (x, w, y)


def bilinear_backward(dout, cache):
    x, w, y = cache
    return dout[:, None] * (y @ w.T), x.T @ (dout[:, None] * y), dout[:, None] * (x @ w)


def residual(x, w):
    h = x @ w
    return x + np.where(h.real > 0, h, 0), (x, w, h)


def residual_backward(dout, cache):
    x, w, h = cache
    dh = dout * (h > 0)
    return dout + dh @ w.T, x.T @ dh


def cumulative(x):
    return np.cumsum(x, 1), x.shape


def cumulative_backward(dout, shape):
    return (np.cumsum(dout[:, ::-1], 1)[:, ::-1].copy(),)


def ordered(x):
    order = np.argsort(x.real, 1, kind="stable")
    return np.take_along_axis(x, order, 1), order


def ordered_backward(dout, order):
    dx = np.zeros(dout.shape)
    np.put_along_axis(dx, order, dout, 1)
    return (dx,)


def dropped(x, kept):
    return x * kept / 0.75, kept


def dropped_backward(dout, kept):
    return (dout * kept / 0.75,)


# Their arguments


def normal(*shapes):
    return lambda rng: [rng.standard_normal(shape) for shape in shapes]


def sparse(*shapes):
    """With zeros, as a relu leaves them."""
    return lambda rng: [np.maximum(rng.standard_normal(shape), 0) for shape in shapes]


def labelled(n, classes):
    return lambda rng: [rng.standard_normal((n, classes)), rng.integers(0, classes, n)]


def small(*shapes):
    return lambda rng: [1e-3 * rng.standard_normal(shape) for shape in shapes]


def apart(shape):
    """Numbers no two of which are close."""
    return lambda rng: [rng.permutation(int(np.prod(shape))).reshape(shape) / 7.0 - 1]


MATRICES = [normal((4, 4)), normal((3, 6)), sparse((5, 4)), small((4, 3))]
IMAGES = [apart((2, 4, 4, 3)), apart((3, 2, 4, 1)), normal((2, 4, 4, 2))]
FUNCTIONS = {
    dense: (dense_backward, [normal((4, 4), (4, 4), (4,)), sparse((5, 3), (3, 2), (2,)), normal((3, 2), (2, 6), (6,))]),
    relu: (relu_backward, MATRICES), leaky_relu: (leaky_relu_backward, MATRICES),
    sigmoid: (sigmoid_backward, MATRICES), tanh: (tanh_backward, MATRICES), softplus: (softplus_backward, MATRICES),
    gelu: (gelu_backward, MATRICES), absolute: (absolute_backward, MATRICES), softmax: (softmax_backward, MATRICES),
    log_softmax: (log_softmax_backward, MATRICES), logsumexp: (logsumexp_backward, MATRICES),
    cumulative: (cumulative_backward, MATRICES), ordered: (ordered_backward, [apart((4, 4)), apart((3, 6))]),
    unit_rows: (unit_rows_backward, [normal((4, 4)), normal((3, 6)), small((4, 3))]),
    swish: (swish_backward, [normal((4, 4), (4,)), sparse((3, 5), (5,)), normal((5, 3), (3,))]),
    prelu: (prelu_backward, [normal((4, 4), (4,)), normal((3, 5), (5,)), sparse((5, 3), (3,))]),
    scale: (scale_backward, [normal((4, 4), (4,)), sparse((3, 5), (5,)), normal((5, 3), (3,))]),
    crossentropy: (crossentropy_backward, [labelled(4, 4), labelled(5, 3), labelled(3, 7)]),
    hinge: (hinge_backward, [labelled(4, 4), labelled(5, 3), labelled(3, 7)]),
    squared_error: (squared_error_backward, [normal((4, 4), (4, 4)), normal((3, 5), (3, 5))]),
    layer_norm: (layer_norm_backward, [normal((4, 4), (4,), (4,)), normal((3, 6), (6,), (6,)),
                                       sparse((5, 4), (4,), (4,))]),
    batch_norm: (batch_norm_backward, [normal((4, 4), (4,), (4,)), normal((6, 3), (3,), (3,)),
                                       sparse((5, 4), (4,), (4,))]),
    rms_norm: (rms_norm_backward, [normal((4, 4), (4,)), normal((3, 6), (6,))]),
    cosine: (cosine_backward, [normal((4, 4), (4, 4)), normal((3, 6), (3, 6))]),
    convolution: (convolution_backward, [normal((2, 4, 4, 3), (3, 3, 3, 3), (3,)),
                                         normal((3, 3, 5, 1), (3, 3, 1, 2), (2,)),
                                         sparse((2, 4, 4, 2), (3, 3, 2, 2), (2,))]),
    max_pool: (max_pool_backward, IMAGES), average_pool: (average_pool_backward, IMAGES),
    global_average: (global_average_backward, IMAGES),
    embedding: (embedding_backward, [lambda rng: [np.array([1, 3, 3, 0]), rng.standard_normal((5, 3))],
                                     lambda rng: [np.array([[1, 1], [0, 2]]), rng.standard_normal((3, 4))]]),
    rnn: (rnn_backward, [normal((2, 3, 4), (4, 4), (4, 4), (4,)), normal((3, 4, 2), (2, 3), (3, 3), (3,))]),
    lstm: (lstm_backward, [normal((2, 3, 4), (4, 16), (4, 16), (16,)), normal((3, 4, 2), (2, 12), (3, 12), (12,))]),
    attention: (attention_backward, [normal((2, 3, 4), (2, 3, 4), (2, 3, 4)), normal((1, 5, 2), (1, 4, 2), (1, 4, 3))]),
    bilinear: (bilinear_backward, [normal((4, 4), (4, 4), (4, 4)), normal((3, 2), (2, 5), (3, 5))]),
    residual: (residual_backward, [normal((4, 4), (4, 4)), normal((3, 5), (5, 5))]),
    dropped: (dropped_backward, [lambda rng: [rng.standard_normal((4, 4)), rng.integers(0, 2, (4, 4))],
                                 lambda rng: [rng.standard_normal((3, 5)), rng.integers(0, 2, (3, 5))]]),
}
HONEST = {f"{forward.__name__} {i + 1}": (forward, backward, arrays)
          for forward, (backward, kinds) in FUNCTIONS.items() for i, arrays in enumerate(kinds)}


# Mistakes: (function, mistake, what is done instead, given dout, the cache and the right gradients)


def at(i, change):
    """Another gradient in place of the one at i."""
    def changed(dout, cache, right):
        return [change(g, dout, cache) if k == i else g for k, g in enumerate(right)]
    return changed


def alone(change):
    """The only gradient, by dout and cache."""
    return lambda dout, cache, right: [change(dout, cache)]


def last_row(g, *_):
    out = np.zeros(g.shape)
    out[-1] = g[-1]
    return out


def convolution_wrong(dout, cache, right):
    padded, w = cache
    return [convolution_backward(dout, (padded, w[::-1, ::-1]))[0], *right[1:]]


def pool_everywhere(dout, cache):
    shape, _ = cache
    return unwindowed(np.broadcast_to(dout[..., None], shape))


def assigned(dout, cache):
    rows, shape = cache
    dtable = np.zeros(shape)
    dtable[rows] = dout
    return dtable


def rnn_last(dout, cache, right):
    zero = dout.copy()
    zero[:, :-1] = 0
    return rnn_backward(zero, cache)


def rnn_without_h(dout, cache, right):
    x, wx, wh, states = cache
    return rnn_backward(dout, (x, wx, 0 * wh, states))


SPECIAL = [
    (dense, "dw not transposed", at(1, lambda g, dout, cache: dout.T @ cache[0])),
    (dense, "dw of the first sample", at(1, lambda g, dout, cache: np.outer(cache[0][0], dout[0]))),
    (dense, "dx by w, not its transpose", at(0, lambda g, dout, cache: dout @ cache[1])),
    (dense, "db a mean", at(2, lambda g, dout, cache: dout.mean(0))),
    (dense, "db of the last sample", at(2, lambda g, dout, cache: dout[-1].copy())),
    (dense, "db along the wrong axis", at(2, lambda g, dout, cache: dout.sum(1))),
    (dense, "dw with weight decay", at(1, lambda g, dout, cache: g + 0.1 * cache[1])),
    (dense, "dw a mean", at(1, lambda g, dout, cache: g / len(dout))),
    (relu, "everything passes", alone(lambda dout, x: dout)),
    (relu, "the wrong side", alone(lambda dout, x: dout * (x < 0))),
    (relu, "of dout", alone(lambda dout, x: dout * (dout > 0))),
    (leaky_relu, "no slope", alone(lambda dout, x: dout * (x > 0))),
    (leaky_relu, "slope 0.01", alone(lambda dout, x: dout * np.where(x > 0, 1, 0.01))),
    (sigmoid, "1 - y", alone(lambda dout, y: dout * (1 - y))),
    (sigmoid, "y (1 + y)", alone(lambda dout, y: dout * y * (1 + y))),
    (sigmoid, "of y", alone(lambda dout, y: dout / (1 + np.exp(-y)) * (1 - 1 / (1 + np.exp(-y))))),
    (tanh, "1 - y", alone(lambda dout, y: dout * (1 - y))),
    (tanh, "of y", alone(lambda dout, y: dout * (1 - np.tanh(y) ** 2))),
    (tanh, "1 + y^2", alone(lambda dout, y: dout * (1 + y * y))),
    (softplus, "exp(x)", alone(lambda dout, x: dout * np.exp(x))),
    (softplus, "1 - sigmoid", alone(lambda dout, x: dout / (1 + np.exp(x)))),
    (gelu, "without the second term", alone(lambda dout, c: dout * 0.5 * (1 + c[1]))),
    (gelu, "0.0447 for 0.134", alone(lambda dout, c: dout * (0.5 * (1 + c[1]) + 0.5 * c[0] * (1 - c[1] ** 2) * 0.8 * (
        1 + 0.044715 * c[0] ** 2)))),
    (absolute, "no sign", alone(lambda dout, x: dout)),
    (absolute, "x for its sign", alone(lambda dout, x: dout * x)),
    (softmax, "the diagonal alone", alone(lambda dout, y: dout * y * (1 - y))),
    (softmax, "no sum", alone(lambda dout, y: dout * y)),
    (softmax, "the wrong axis", alone(lambda dout, y: y * (dout - (dout * y).sum(0)))),
    (softmax, "sum without y", alone(lambda dout, y: y * (dout - dout.sum(-1, keepdims=True)))),
    (log_softmax, "no sum", alone(lambda dout, y: dout - np.exp(y) * dout)),
    (log_softmax, "y for exp(y)", alone(lambda dout, y: dout - y * dout.sum(-1, keepdims=True))),
    (logsumexp, "not divided", alone(lambda dout, c: dout[:, None] * np.exp(c[0]))),
    (crossentropy, "no mean", alone(lambda dout, c: len(c[0]) * crossentropy_backward(dout, c)[0])),
    (crossentropy, "nothing subtracted", alone(lambda dout, c: dout * c[0] / len(c[0]))),
    (crossentropy, "the last sample only", alone(lambda dout, c: last_row(crossentropy_backward(dout, c)[0]))),
    (squared_error, "no 2", at(0, lambda g, *_: g / 2)),
    (squared_error, "the sign of the target's", at(1, lambda g, *_: -g)),
    (squared_error, "a mean over samples", at(0, lambda g, dout, c: g * c[0].shape[1])),
    (hinge, "the right class forgotten", alone(lambda dout, c: dout * (c[0] > 0) / len(c[0]))),
    (hinge, "counts once", alone(lambda dout, c: np.maximum(hinge_backward(dout, c)[0], -abs(dout) / len(c[0])) + 0.1)),
    (layer_norm, "mean held constant", at(0, lambda g, dout, c: (
        dout * c[2] - c[0] * (dout * c[2] * c[0]).mean(1, keepdims=True)) / c[1])),
    (layer_norm, "deviation held constant", at(0, lambda g, dout, c: (
        dout * c[2] - (dout * c[2]).mean(1, keepdims=True)) / c[1])),
    (layer_norm, "both held constant", at(0, lambda g, dout, c: dout * c[2] / c[1])),
    (layer_norm, "gamma forgotten", at(0, lambda g, dout, c: normalized_backward(dout, c[0], c[1], 1))),
    (layer_norm, "gamma's without z", at(1, lambda g, dout, c: dout.sum(0))),
    (batch_norm, "mean held constant", at(0, lambda g, dout, c: (
        dout * c[2] - c[0] * (dout * c[2] * c[0]).mean(0)) / c[1])),
    (batch_norm, "as in inference", at(0, lambda g, dout, c: dout * c[2] / c[1])),
    (batch_norm, "the wrong axis", at(0, lambda g, dout, c: normalized_backward(dout * c[2], c[0], c[1], 1))),
    (batch_norm, "gamma forgotten", at(0, lambda g, dout, c: normalized_backward(dout, c[0], c[1], 0))),
    (batch_norm, "variance for deviation", at(0, lambda g, dout, c: g / c[1])),
    (rms_norm, "r held constant", at(0, lambda g, dout, c: dout * c[2] / c[1])),
    (rms_norm, "r squared", at(0, lambda g, dout, c: dout * c[2] / c[1] - c[0] * (
        dout * c[2] * c[0]).mean(1, keepdims=True) / c[1] ** 2)),
    (unit_rows, "r held constant", alone(lambda dout, c: dout / c[1])),
    (cosine, "the second term forgotten", at(0, lambda g, dout, c: dout[:, None] * c[1] / (c[2] * c[3])[:, None])),
    (convolution, "kernel turned", convolution_wrong),
    (convolution, "dw of the first sample", at(1, lambda g, dout, c: convolution_backward(
        dout[:1], (c[0][:1], c[1]))[1])),
    (convolution, "db not over columns", at(2, lambda g, dout, c: dout.sum((0, 1))[0])),
    (convolution, "dx one pixel off", at(0, lambda g, *_: np.roll(g, 1, 1))),
    (convolution, "border forgotten", at(0, lambda g, *_: np.pad(g[:, 1:-1, 1:-1], ((0, 0), (1, 1), (1, 1), (0, 0))))),
    (max_pool, "everywhere", alone(pool_everywhere)),
    (max_pool, "shared out", alone(lambda dout, c: pool_everywhere(dout / 4, c))),
    (max_pool, "rows and columns exchanged", alone(
        lambda dout, c: max_pool_backward(dout, (c[0], np.array([0, 2, 1, 3])[c[1]]))[0])),
    (average_pool, "not divided", alone(lambda dout, shape: 4 * average_pool_backward(dout, shape)[0])),
    (average_pool, "divided by 2", alone(lambda dout, shape: 2 * average_pool_backward(dout, shape)[0])),
    (global_average, "not divided", alone(lambda dout, shape: np.broadcast_to(dout[:, None, None], shape).copy())),
    (embedding, "assigned, not added", alone(assigned)),
    (rnn, "of the last step only", rnn_last), (rnn, "not through time", rnn_without_h),
    (rnn, "1 - h", lambda dout, c, right: rnn_backward(dout, (c[0], c[1], c[2], [np.sqrt(abs(h)) for h in c[3]]))),
    (rnn, "db of the last step", at(3, lambda g, dout, c: (dout[:, -1] * (1 - c[3][-1] ** 2)).sum(0))),
    (lstm, "the forget gate's gradient", lambda dout, c, right: lstm_backward(dout, c, forget=False)),
    (lstm, "the cell's gradient not carried", lambda dout, c, right: lstm_backward(dout, c, carry=False)),
    (lstm, "of the last step only", lambda dout, c, right: lstm_backward(
        dout * (np.arange(dout.shape[1]) == dout.shape[1] - 1)[:, None], c)),
    (attention, "scale forgotten in dq", at(0, lambda g, *_: g * 2)),
    (attention, "no softmax", lambda dout, c, right: [
        (dout @ c[2].swapaxes(1, 2)) @ c[1] / 2, right[1], right[2]]),
    (attention, "k not transposed", at(1, lambda g, *_: g[:, ::-1].copy())),
    (attention, "dv by p, not its transpose", at(2, lambda g, dout, c: c[3] @ dout)),
    (swish, "beta forgotten in dx", at(0, lambda g, dout, c: dout * (c[1] + c[0] * c[1] * (1 - c[1])))),
    (swish, "beta's by x once", at(1, lambda g, dout, c: (dout * c[0] * c[1] * (1 - c[1])).sum(0))),
    (prelu, "alpha forgotten in dx", at(0, lambda g, dout, c: dout * (c[0] > 0))),
    (prelu, "alpha's everywhere", at(1, lambda g, dout, c: (dout * c[0]).sum(0))),
    (scale, "gamma forgotten in dx", at(0, lambda g, dout, c: dout.copy())),
    (scale, "gamma's without x", at(1, lambda g, dout, c: dout.sum(0))),
    (bilinear, "y forgotten", at(1, lambda g, dout, c: c[0].T @ np.repeat(dout[:, None], c[2].shape[1], 1))),
    (residual, "the way around forgotten", at(0, lambda g, dout, c: g - dout)),
    (residual, "no relu", at(0, lambda g, dout, c: dout + dout @ c[1].T)),
    (cumulative, "forwards", alone(lambda dout, shape: np.cumsum(dout, 1))),
    (ordered, "passed on", alone(lambda dout, order: dout)),
    (ordered, "ordered again", alone(lambda dout, order: np.take_along_axis(dout, order, 1))),
    (dropped, "mask forgotten", alone(lambda dout, kept: dout / 0.75)),
    (dropped, "factor forgotten", alone(lambda dout, kept: dout * kept)),
]
PLAIN = [("sign", lambda g: -g), ("1 % too large", lambda g: 1.01 * g), ("forgotten", lambda g: 0 * g),
         ("the last row only", last_row),
         ("a number forgotten", lambda g: g * (abs(g) != abs(g).max())), ("0.01 % too large", lambda g: 1.0001 * g),
         ("rounded to float32", lambda g: g.astype("float32").astype(float)), ("clipped", lambda g: g.clip(-5, 5))]


def _wrong(forward, instead):
    right = FUNCTIONS[forward][0]
    return lambda dout, cache: instead(dout, cache, right(dout, cache))


def _plain(forward, change):
    """The last gradient changed."""
    right = FUNCTIONS[forward][0]

    def backward(dout, cache):
        *others, last = right(dout, cache)
        return [*others, change(last)]
    return backward


WRONG = {(forward.__name__, mistake): (forward, _wrong(forward, instead), FUNCTIONS[forward][1][0])
         for forward, mistake, instead in SPECIAL}
WRONG |= {(forward.__name__, mistake): (forward, _plain(forward, change), FUNCTIONS[forward][1][0])
          for i, forward in enumerate(FUNCTIONS) for mistake, change
          in (PLAIN[i % 8], PLAIN[(i + 2) % 8], PLAIN[(i + 5) % 8])}
