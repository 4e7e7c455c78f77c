"""Where each number of a small step comes from, as a line of arithmetic with the numbers put in."""
from __future__ import annotations

import numpy as np

from tinynet.types import Any, Array, Function

Lines = list[list[str]]         # one for each number of an array (N, D); of a bias (U,) as a single row

# y and dx of the activation functions and layers that work number by number, with x, y, dy and m put in.
FORWARD = {
    "linear": "x = {x}", "relu": "max(x, 0) = max({x}, 0)", "sigmoid": "1 / (1 + exp(-x)) = 1 / (1 + exp(-({x})))",
    "tanh": "tanh(x) = tanh({x})", "Dropout": "x m / (1 - rate) = {x} ({m})",
}
BACKWARD = {
    "linear": "dy = {dy}", "relu": "dy where y > 0, else 0 = {dy} where {y} > 0, else 0",
    "sigmoid": "dy y (1 - y) = {dy} ({y}) (1 - {y})", "tanh": "dy (1 - y^2) = {dy} (1 - ({y})^2)",
    "Dropout": "dy m / (1 - rate) = {dy} ({m})",
}


def number(value: Any) -> str:
    """A number as it is shown, of four digits.

    >>> number(0.123456), number(-2.0), number(1.5e-9)
    ('0.1235', '-2', '1.5e-09')
    """
    return f"{float(value):.4g}"


def lines_of(array: Array, line: Function) -> Lines:
    """line(n, j) for each number of an array, as rows."""
    rows = np.atleast_2d(array)
    return [[line(n, j) for j in range(rows.shape[1])] for n in range(rows.shape[0])]


def terms(pairs: Any) -> str:
    """a1 (b1) + a2 (b2) ...

    >>> terms([(0.5, -1), (2, 3)])
    '0.5 (-1) + 2 (3)'
    """
    return " + ".join(f"{number(a)} ({number(b)})" for a, b in pairs)


def of_y(record: Any) -> Lines:
    """Where the outputs of a layer come from."""
    x, y = record.x, record.y
    if record.kind == "Dense":
        W, b = kernel_and_bias(record)

        def dense(n, j):
            names = " + ".join(f"x[{n},{i}] W[{i},{j}]" for i in range(len(W)))
            name, bias = (f" + b[{j}]", f" + {number(b[j])}") if b is not None else ("", "")
            return f"y[{n},{j}] = {names}{name} = {terms(zip(x[n], W[:, j]))}{bias} = {number(y[n, j])}"
        return lines_of(y, dense)
    if record.kind in ("softmax", "Softmax"):
        return lines_of(y, lambda n, j: (
            f"y[{n},{j}] = exp(x[{n},{j}]) / sum of exp(x[{n}]) = exp({number(x[n, j])}) / "
            f"({' + '.join(f'exp({number(v)})' for v in x[n])}) = {number(y[n, j])}"))
    if record.kind in FORWARD:
        return lines_of(y, lambda n, j: f"y[{n},{j}] = " + FORWARD[record.kind].format(
            x=number(x[n, j]), m=factor(y[n, j], x[n, j])) + f" = {number(y[n, j])}")
    return lines_of(y, lambda n, j: f"{record.forward};  y[{n},{j}] = {number(y[n, j])}, of the row {row(x[n])}")


def of_dx(record: Any, dx: Array) -> Lines:
    """Where the gradient with respect to the input of a layer comes from."""
    y, dy = record.y, record.dy
    if record.kind == "Dense":
        W, _ = kernel_and_bias(record)
        return lines_of(dx, lambda n, i: (
            f"dx[{n},{i}] = " + " + ".join(f"dy[{n},{j}] W[{i},{j}]" for j in range(W.shape[1])) +
            f" = {terms(zip(dy[n], W[i]))} = {number(dx[n, i])}"))
    if record.kind in BACKWARD:
        return lines_of(dx, lambda n, j: f"dx[{n},{j}] = " + BACKWARD[record.kind].format(
            dy=number(dy[n, j]), y=number(y[n, j]), m=factor(dx[n, j], dy[n, j])) + f" = {number(dx[n, j])}")
    if record.kind in ("softmax", "Softmax"):
        return lines_of(dx, lambda n, j: (
            f"dx[{n},{j}] = y[{n},{j}] (dy[{n},{j}] - sum of dy[{n}] y[{n}]) = {number(y[n, j])} ({number(dy[n, j])} - "
            f"({terms(zip(dy[n], y[n]))})) = {number(dx[n, j])}"))
    return lines_of(dx, lambda n, j: f"{record.backward};  dx[{n},{j}] = {number(dx[n, j])}, of the row dy = "
                                     f"{row(dy[n])}")


def of_gradient(record: Any, name: str) -> Lines:
    """Where the gradient of a parameter comes from; what is left over is that of its penalty."""
    gradient, x, dy = record.gradients[name], record.x, record.dy
    if record.kind == "Dense" and gradient.ndim == 2:
        plain = x.T @ dy

        def kernel(i, j):
            names = " + ".join(f"x[{n},{i}] dy[{n},{j}]" for n in range(len(x)))
            rest = penalty(gradient[i, j], plain[i, j])
            return f"dW[{i},{j}] = {names} = {terms(zip(x[:, i], dy[:, j]))}{rest} = {number(gradient[i, j])}"
        return lines_of(gradient, kernel)
    if record.kind == "Dense":
        plain = dy.sum(axis=0)
        return lines_of(gradient, lambda _, j: (
            f"db[{j}] = " + " + ".join(f"dy[{n},{j}]" for n in range(len(dy))) + " = " +
            " + ".join(map(number, dy[:, j])) + f"{penalty(gradient[j], plain[j])} = {number(gradient[j])}"))
    rows = np.atleast_2d(gradient)
    return lines_of(gradient, lambda i, j: f"{record.backward};  {number(rows[i, j])}")


def of_update(record: Any, name: str) -> Lines:
    """From the old weight to the new one."""
    value, update = (np.atleast_2d(a[name]) for a in (record.values, record.updates))
    short, vector = name.split("/")[-1].split(":")[0], record.values[name].ndim == 1
    return lines_of(value, lambda i, j: (
        f"{short}[{j if vector else f'{i},{j}'}]: {number(value[i, j])} + ({number(update[i, j])}) = "
        f"{number(value[i, j] + update[i, j])}"))


def of_loss(explanation: Any) -> Lines:
    """Where the gradient of the loss comes from: (p - t) times a share, where its formula is that, else the formula."""
    t, p, dz = targets(explanation), explanation.y_pred, explanation.loss_dy
    text = explanation.loss_backward
    if t.shape == p.shape == dz.shape and any(part in text for part in ("softmax(z) - ", "sigmoid(z) - t", "2 e / C")):
        for above, below in ((1, len(dz)), (1, dz.size), (2, dz.size)):
            if np.allclose(dz, (p - t) * above / below, rtol=1e-4, atol=1e-6 * np.abs(dz).max(initial=0)):
                share = f"{above} / {below}".removeprefix("1 ")
                return lines_of(dz, lambda n, j: (
                    f"{of(explanation)}[{n},{j}] = (p - t) {share} = ({number(p[n, j])} - {number(t[n, j])}) {share} = "
                    f"{number(dz[n, j])}"))
    return lines_of(dz, lambda n, j: f"{text}:  {number(dz[n, j])}")


def targets(explanation: Any) -> Array:
    """The targets, integer classes as one-hot rows."""
    t, p = explanation.y_true, explanation.y_pred
    if t.size == len(p) and p.ndim == 2 and p.shape[1] > 1 and "one_hot" in explanation.loss_backward:
        return np.eye(p.shape[1])[t.ravel().astype(int)]
    return t


def of(explanation: Any) -> str:
    """What the gradient of the loss is with respect to: "dz" of logits, "dp" of the prediction."""
    return "dz" if "dl/dz" in explanation.loss_backward else "dp"


def kernel_and_bias(record: Any) -> tuple[Array, Any]:
    """The weights of a Dense layer before the step."""
    weights = list(record.weights.values())
    return weights[0], weights[1] if len(weights) > 1 else None


def penalty(gradient: Any, plain: Any) -> str:
    """What a penalty adds to a gradient, if it does."""
    rest = gradient - plain
    return f" + {number(rest)} of the penalty" if abs(rest) > 1e-5 * max(abs(gradient), abs(plain), 1e-6) else ""


def factor(y: Any, x: Any) -> str:
    """m / (1 - rate), by which dropout has multiplied x; of 0 it cannot be told."""
    return number(y / x) if x else "m / (1 - rate)"


def row(values: Array) -> str:
    """[0.5, -1]"""
    return f"[{', '.join(map(number, np.ravel(values)))}]"
