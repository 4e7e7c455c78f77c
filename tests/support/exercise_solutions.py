"""Model solutions of all exercises, as functions; each is graded right, and with a mistake put in, wrong."""
import numpy as np


def line_loss(w, b, x, t):
    return np.mean((w * x + b - t) ** 2)


def line_gradient(w, b, x, t):
    e = w * x + b - t
    dw = np.mean(2 * e * x)
    db = np.mean(2 * e)
    return dw, db


def sigmoid_forward(x):
    y = 1 / (1 + np.exp(-x))
    return y


def sigmoid_backward(dy, x):
    y = sigmoid_forward(x)
    return dy * y * (1 - y)


def dense_sample_forward(x, W, b):
    y = x @ W + b
    return y


def dense_sample_backward(dy, x, W, b):
    dx = W @ dy
    dW = np.outer(x, dy)
    db = dy
    return dx, dW, db


def dense_forward(x, W, b):
    y = x @ W + b
    return y


def dense_backward(dy, x, W, b):
    dx = dy @ W.T
    dW = x.T @ dy
    db = dy.sum(axis=0)
    return dx, dW, db


def relu_forward(x):
    return np.maximum(x, 0)


def relu_backward(dy, x):
    return dy * (x > 0)


def softmax_forward(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_jacobian(row):
    y = softmax_forward(row[np.newaxis])[0]
    return np.diag(y) - np.outer(y, y)


def softmax_backward(dy, x):
    y = softmax_forward(x)
    return y * (dy - (dy * y).sum(axis=1, keepdims=True))


def log_probabilities(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def cross_entropy_forward(z, t):
    return -np.sum(t * log_probabilities(z)) / len(z)


def cross_entropy_backward(z, t):
    p = np.exp(log_probabilities(z))
    return (p - t) / len(z)


def two_layers_forward(x, W1, b1, W2, b2):
    h = np.maximum(x @ W1 + b1, 0)
    return h @ W2 + b2


def two_layers_backward(dy, x, W1, b1, W2, b2):
    h = np.maximum(x @ W1 + b1, 0)
    dW2 = h.T @ dy
    db2 = dy.sum(axis=0)
    dz = dy @ W2.T * (h > 0)
    dW1 = x.T @ dz
    db1 = dz.sum(axis=0)
    dx = dz @ W1.T
    return dx, dW1, db1, dW2, db2


def dropout_forward(x, u, rate, training):
    if not training:
        return x
    return x * (u >= rate) / (1 - rate)


def dropout_backward(dy, u, rate, training):
    if not training:
        return dy
    return dy * (u >= rate) / (1 - rate)


def l2_penalty(W, l2):
    return l2 * np.sum(W ** 2)


def l2_gradient(dW, W, l2):
    return dW + 2 * l2 * W


def momentum_step(w, dw, v, learning_rate, momentum):
    v = momentum * v - learning_rate * dw
    w = w + v
    return w, v


def rmsprop_step(w, dw, a, learning_rate, rho, epsilon):
    a = rho * a + (1 - rho) * dw ** 2
    w = w - learning_rate * dw / (np.sqrt(a) + epsilon)
    return w, a


def adam_step(w, dw, m, v, t, learning_rate, beta_1, beta_2, epsilon):
    m = beta_1 * m + (1 - beta_1) * dw
    v = beta_2 * v + (1 - beta_2) * dw ** 2
    corrected_m = m / (1 - beta_1 ** t)
    corrected_v = v / (1 - beta_2 ** t)
    w = w - learning_rate * corrected_m / (np.sqrt(corrected_v) + epsilon)
    return w, m, v


def batch_normalization_forward(x, gamma, beta, epsilon):
    s = np.sqrt(x.var(axis=0) + epsilon)
    z = (x - x.mean(axis=0)) / s
    return gamma * z + beta


def batch_normalization_backward(dy, x, gamma, beta, epsilon):
    s = np.sqrt(x.var(axis=0) + epsilon)
    z = (x - x.mean(axis=0)) / s
    dz = dy * gamma
    dx = (dz - dz.mean(axis=0) - z * (dz * z).mean(axis=0)) / s
    dgamma = (dy * z).sum(axis=0)
    dbeta = dy.sum(axis=0)
    return dx, dgamma, dbeta


def layer_normalization_forward(x, gamma, beta, epsilon):
    s = np.sqrt(x.var(axis=1, keepdims=True) + epsilon)
    z = (x - x.mean(axis=1, keepdims=True)) / s
    return gamma * z + beta


def layer_normalization_backward(dy, x, gamma, beta, epsilon):
    s = np.sqrt(x.var(axis=1, keepdims=True) + epsilon)
    z = (x - x.mean(axis=1, keepdims=True)) / s
    dz = dy * gamma
    dx = (dz - dz.mean(axis=1, keepdims=True) - z * (dz * z).mean(axis=1, keepdims=True)) / s
    dgamma = (dy * z).sum(axis=0)
    dbeta = dy.sum(axis=0)
    return dx, dgamma, dbeta


def convolution_forward(x, W, b):
    P, Q, C, U = W.shape
    y = np.zeros((len(x), x.shape[1] - P + 1, x.shape[2] - Q + 1, U))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            patch = x[:, i:i + P, j:j + Q]
            y[:, i, j] = np.tensordot(patch, W, 3) + b
    return y


def convolution_backward(dy, x, W, b):
    P, Q, C, U = W.shape
    dx, dW = np.zeros(x.shape), np.zeros(W.shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            patch = x[:, i:i + P, j:j + Q]
            dW += np.tensordot(patch, dy[:, i, j], (0, 0))
            dx[:, i:i + P, j:j + Q] += np.tensordot(dy[:, i, j], W, (1, 3))
    db = dy.sum(axis=(0, 1, 2))
    return dx, dW, db


def max_pooling_forward(x):
    N, H, W, C = x.shape
    y = np.zeros((N, H // 2, W // 2, C))
    for i in range(H // 2):
        for j in range(W // 2):
            y[:, i, j] = x[:, 2 * i:2 * i + 2, 2 * j:2 * j + 2].max(axis=(1, 2))
    return y


def max_pooling_backward(dy, x):
    dx = np.zeros(x.shape)
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = x[:, 2 * i:2 * i + 2, 2 * j:2 * j + 2]
            mask = window == window.max(axis=(1, 2), keepdims=True)
            dx[:, 2 * i:2 * i + 2, 2 * j:2 * j + 2] = mask * dy[:, i:i + 1, j:j + 1]
    return dx


def rnn_forward(x, h0, Wx, Wh, b):
    h, states = h0, []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ Wx + h @ Wh + b)
        states.append(h)
    return np.stack(states, axis=1)


def rnn_backward(dh, x, h0, Wx, Wh, b):
    h = rnn_forward(x, h0, Wx, Wh, b)
    dx, dWx, dWh, db = (np.zeros(a.shape) for a in (x, Wx, Wh, b))
    later = np.zeros(h0.shape)
    for t in reversed(range(x.shape[1])):
        before = h[:, t - 1] if t > 0 else h0
        dy = dh[:, t] + later
        dz = dy * (1 - h[:, t] ** 2)
        dx[:, t] = dz @ Wx.T
        dWx += x[:, t].T @ dz
        dWh += before.T @ dz
        db += dz.sum(axis=0)
        later = dz @ Wh.T
    return dx, later, dWx, dWh, db


def attention_weights(q, k):
    s = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[2])
    e = np.exp(s - s.max(axis=2, keepdims=True))
    return e / e.sum(axis=2, keepdims=True)


def attention_forward(q, k, v):
    return attention_weights(q, k) @ v


def attention_backward(dy, q, k, v):
    p = attention_weights(q, k)
    dv = p.swapaxes(1, 2) @ dy
    dp = dy @ v.swapaxes(1, 2)
    ds = p * (dp - (dp * p).sum(axis=2, keepdims=True))
    dq = ds @ k / np.sqrt(q.shape[2])
    dk = ds.swapaxes(1, 2) @ q / np.sqrt(q.shape[2])
    return dq, dk, dv
