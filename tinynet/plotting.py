"""Plots of data, training and predictions; each function returns a matplotlib Figure.

In a notebook `%matplotlib inline` shows them. matplotlib is imported when a plot is drawn.
"""
from __future__ import annotations

import numpy as np

from tinynet.callbacks.monitors import higher_is_better
from tinynet.gradient_check import numeric
from tinynet.types import Any, Array, ArrayLike, Function

BLUE, ORANGE, GREY = "#1f5fa8", "#e0702d", "#8a8a8a"


def plot_samples(images: Array, labels: ArrayLike = None, columns: int = 8) -> Any:
    """Images (N, H, W) in rows of `columns`, each below its label."""
    rows = -(-len(images) // columns)
    figure = _figure(1.1 * columns, 1.3 * rows)
    for i, (axes, image) in enumerate(zip(_grid(figure, rows, columns, len(images)), images)):
        axes.imshow(image, cmap="gray_r", interpolation="nearest")
        if labels is not None:
            axes.set_title(f"{labels[i]}", fontsize=11, pad=3)
    return figure


def plot_history(history: Any, name: str = "accuracy") -> Any:
    """A metric or the loss by epoch, for training and, if it is in the history, for validation.

    Parameters
        history: the `History` that fit returned.
        name: "loss", "accuracy" or another metric's name.

    Raises ValueError for a name that is not in the history.
    """
    if isinstance(history, dict):
        raise TypeError("plot_history expects the History that fit returned, not its .history.")
    epochs, values = _curve("The history", history, name)
    figure = _figure(7, 4.5)
    axes = figure.add_subplot()
    marker = "o" if len(epochs) < 10 else None
    axes.plot(epochs, values, color=BLUE, marker=marker, label="train")
    if f"val_{name}" in history.history:
        epochs, values = _curve("The history", history, f"val_{name}")
        best = (np.argmax if higher_is_better(name, history.model) else np.argmin)(values)
        axes.plot(epochs, values, color=ORANGE, marker=marker,
                  label=f"validation, best {values[best]:.4f} in epoch {epochs[best]}")
        axes.plot(epochs[best], values[best], "o", color=ORANGE)
    axes.set(title=f"Model {name}", xlabel="epoch", ylabel=name)
    axes.xaxis.get_major_locator().set_params(integer=True)
    _style(axes)
    axes.legend(frameon=False)
    return figure


def plot_comparison(histories: dict[str, Any], name: str = "loss", columns: int = 4) -> Any:
    """A metric or the loss by epoch of several runs, each in its own plot, with the first one in grey behind it.

    Parameters
        histories: {title: the `History` that fit returned}.
        name: of the metric, which must be in all histories, for training and validation.
        columns: plots in a row.

    Raises ValueError for a name that a history does not have.
    """
    rows = -(-len(histories) // columns)
    figure = _figure(3.1 * columns, 2.7 * rows + 0.5)
    fields = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    titles, first = list(histories), next(iter(histories.values()))
    for axes, (title, history) in zip(fields, histories.items()):
        for run, colours in ((first, (GREY, GREY)), (history, (BLUE, ORANGE))):
            for key, colour, style in zip((name, f"val_{name}"), colours, (":", "-")):
                epochs, values = _curve(f"The history of {title!r}", run, key)
                axes.plot(epochs, values, style, color=colour, linewidth=1 if colour == GREY else 1.8)
        lowest = epochs[int(np.argmin(values))], min(values)
        axes.plot(*lowest, "o", color=ORANGE, markersize=5)
        axes.annotate(f"{lowest[1]:.3f}", lowest, xytext=(0, -16), textcoords="offset points", fontsize=9, color=ORANGE)
        axes.set_title(title, fontsize=10)
        _style(axes)
    for axes in fields[len(histories):]:
        axes.set_visible(False)
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel(name, fontsize=10)
    drawn = fields[0].lines
    figure.legend([drawn[2], drawn[3], drawn[1]], ["train", "validation, with its lowest value", f"of {titles[0]!r}"],
                  loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure


def plot_gradient_flow(model: Any, x: ArrayLike, y: ArrayLike) -> Any:
    """The size of the gradient, layer by layer: with respect to the output y of each layer, and to each weight w.

    The left plot shows, from the data to the loss, the root mean square of dL/dy; the right one
    how |dL/dw| is distributed in each parameter: the middle half, the median, and from the 1st to the 99th hundredth.

    Parameters
        model: compiled; it stays as it is.
        x, y: the samples of one batch.
    """
    explained = model.explain_step(x, y)
    layers = [layer for layer in explained.layers if layer.dy is not None]
    gradients = list(explained.gradients.items())
    figure = _figure(11, 0.42 * max(len(layers), len(gradients)) + 1.6)
    left, right = figure.subplots(1, 2)
    positions = range(len(layers))
    left.plot([np.sqrt(np.mean(layer.dy ** 2)) for layer in layers], positions, "o-", color=BLUE)
    left.set_yticks(positions, [layer.name for layer in layers])
    left.set_xlabel("root mean square of dL/dy")
    for row, (_, gradient) in enumerate(gradients):
        sizes = np.abs(gradient[gradient != 0])
        if sizes.size:
            low, quarter, middle, three_quarters, high = np.percentile(sizes, [1, 25, 50, 75, 99])
            right.plot([low, high], [row, row], color=ORANGE, linewidth=1.5)
            right.plot([quarter, three_quarters], [row, row], color=ORANGE, linewidth=7, solid_capstyle="butt")
            right.plot(middle, row, "|", color="white", markersize=8)
    zeros = [f"  ({np.mean(gradient == 0):.0%} zero)" if np.any(gradient == 0) else "" for _, gradient in gradients]
    right.set_yticks(range(len(gradients)), [name + zero for (name, _), zero in zip(gradients, zeros)])
    right.set_xlabel("|dL/dw|")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter("")
        _style(axes, axis="x", which="both")
    figure.suptitle(f"The gradient in {model.name}, from the loss (top) to the data", fontsize=12)
    return figure


def plot_step_size(f: Function | None = None, x: float = 1.5, derivative: float | None = None) -> Any:
    """The error of f'(x) by the three methods of the gradient check, against the size h of the step.

    From right to left: a shorter step cuts less off the series, h^2 or h^4 of it, until the rounding error of the
    difference of two nearly equal numbers, 1e-16 / h, is larger. The complex step subtracts nothing.

    Parameters
        f: a function of a number, which may be complex; e^x / (sin^3 x + cos^3 x), the example of Squire and Trapp, by
            default.
        derivative: f'(x), if it is known; by default that of the complex step of 1e-30.

    Source: Squire and Trapp, SIAM Review 40 (1998).
    """
    f = f or (lambda x: np.exp(x) / (np.sin(x) ** 3 + np.cos(x) ** 3))
    truth = numeric.complex_step(lambda t: f(x + t)) if derivative is None else derivative
    figure, steps = _figure(7, 4.5), np.logspace(-16, 0, 161)
    axes = figure.add_subplot()
    for name, method, colour in (("central difference", numeric.central, BLUE),
                                 ("Richardson", numeric.richardson, ORANGE),
                                 ("complex step", numeric.complex_step, GREY)):
        errors = [abs(method(lambda t: f(x + t), h) - truth) / (abs(truth) or 1.0) for h in steps]
        axes.plot(steps, np.maximum(errors, 1e-17), color=colour, label=name)
    axes.set(xscale="log", yscale="log", ylim=(5e-18, 10), xlabel="step h", ylabel="relative error of f'(x)",
             title="A long step truncates the series, a short one cancels digits")
    axes.minorticks_off()
    _style(axes)
    axes.legend(frameon=False, loc="upper center")
    return figure


def plot_confusion_matrix(y_true: ArrayLike, y_pred: ArrayLike, classes: list[str] | None = None) -> Any:
    """How often each true class (row) was predicted as each class (column): correct in blue, wrong in orange.

    Parameters
        y_true, y_pred: integer classes (N,).
        classes: names of the classes; their numbers by default.
    """
    for numbers in (y_true, y_pred):
        if np.ndim(numbers) != 1 or np.min(numbers) < 0:
            raise ValueError("plot_confusion_matrix expects integer classes (N,) from 0, got an array of shape "
                             f"{np.shape(numbers)}. Of one-hot rows or probabilities pass the argmax(axis=1).")
    count = int(max(np.max(y_true), np.max(y_pred))) + 1 if classes is None else len(classes)
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (np.asarray(y_true, int), np.asarray(y_pred, int)), 1)
    right = np.eye(count, dtype=bool)
    figure = _figure(0.55 * count + 1.5, 0.55 * count + 1.2)
    axes = figure.add_subplot()
    # Errors are a hundred times rarer than correct predictions: each kind has a colour scale of its own.
    for kind, colours in ((right, "Blues"), (~right, "Oranges")):
        numbers = np.ma.masked_where(~kind | (matrix == 0), matrix)
        axes.imshow(numbers, cmap=colours, vmin=0, vmax=1.6 * max(matrix[kind].max(), 1))
    for i, j in np.argwhere(matrix):
        axes.text(j, i, f"{matrix[i, j]}", ha="center", va="center", fontsize=9)
    names = range(count) if classes is None else classes
    axes.set_xticks(range(count), names)
    axes.set_yticks(range(count), names)
    axes.set(xlabel="predicted", ylabel="true", title=f"{np.trace(matrix):,} of {matrix.sum():,} correct")
    axes.tick_params(length=0)
    axes.spines[:].set_color("#c8c8c8")
    return figure


def plot_mistakes(images: Array, y_true: ArrayLike, probabilities: Array, columns: int = 8, rows: int = 3) -> Any:
    """The images (N, H, W) that were predicted wrong with the least probability for the true class.

    Parameters
        y_true: integer classes (N,).
        probabilities: of the classes (N, C), as predict returns them.
    """
    y_true = np.asarray(y_true, int)
    y_pred = probabilities.argmax(axis=1)
    belief = np.take_along_axis(probabilities, y_true[:, np.newaxis], axis=1)[:, 0]
    wrong = np.flatnonzero(y_pred != y_true)
    worst = wrong[np.argsort(belief[wrong], kind="stable")][:columns * rows]
    figure = _figure(1.35 * columns, 1.75 * rows)
    for axes, i in zip(_grid(figure, rows, columns, len(worst)), worst):
        axes.imshow(images[i], cmap="gray_r", interpolation="nearest")
        axes.set_title(f"true {y_true[i]}, predicted {y_pred[i]}", fontsize=8, color=ORANGE, pad=3)
        axes.set_xlabel(f"no. {i}", fontsize=7, color=GREY, labelpad=2)
    title = f"{len(wrong)} of {len(images):,} wrong; the {len(worst)} with the lowest probability of the true class"
    figure.suptitle(title, fontsize=12)
    return figure


def _curve(what, history, name):
    """(epochs, counted from 1; values) of a name in a history.  Raises ValueError if it is not there."""
    if name not in history.history:
        raise ValueError(f"{what} has no {name!r}. It has: {', '.join(history.history)}.")
    return [epoch + 1 for epoch in history.epochs_of[name]], history.history[name]


def _figure(width, height):
    """A new Figure, in inches, without a window and without pyplot."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('tinynet.plotting draws with matplotlib, which is not installed. Install it with: '
                          'python -m pip install "tinynet-backprop[plot]"') from error
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def _style(axes, **grid):
    """A light grid behind the curves, and no frame at the top and on the right."""
    axes.grid(color="#e4e4e4", **grid)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _grid(figure, rows, columns, used):
    """The first `used` axes of a grid, without ticks."""
    for i in range(used):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        yield axes
