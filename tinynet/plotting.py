"""Pictures of data, of training and of mistakes; each function returns a matplotlib Figure, and changes no model.

In a notebook, `%matplotlib inline` shows them.  matplotlib is imported when a picture is drawn, never before.
"""
from __future__ import annotations

import numpy as np

__all__ = ["plot_comparison", "plot_confusion_matrix", "plot_gradient_flow", "plot_history", "plot_mistakes",
           "plot_samples"]

BLUE, ORANGE, GREY = "#1f5fa8", "#e0702d", "#8a8a8a"


def plot_samples(images, labels=None, columns=8):
    """The pictures (N, H, W) in rows of `columns`, each under its label."""
    rows = -(-len(images) // columns)
    figure = _figure(1.1 * columns, 1.3 * rows)
    for i, (axes, image) in enumerate(zip(_grid(figure, rows, columns, len(images)), images)):
        axes.imshow(image, cmap="gray_r", interpolation="nearest")
        if labels is not None:
            axes.set_title(f"{labels[i]}", fontsize=11, pad=3)
    return figure


def plot_history(history, name="accuracy"):
    """A metric or the loss by epoch, for the training samples and, where the history has it, for the validation's.

    Parameters
        history: the `History` that fit returned.
        name: "loss", "accuracy" or another metric's name.

    Raises ValueError for a name that is not in the history.
    """
    if isinstance(history, dict):
        raise TypeError("plot_history expects the History that fit returned, not its .history.")
    curves = history.history
    if name not in curves:
        raise ValueError(f"The history has no {name!r}. It has: {', '.join(curves)}.")
    figure = _figure(7, 4.5)
    axes = figure.add_subplot()
    epochs = [epoch + 1 for epoch in history.epochs_of[name]]
    marker = "o" if len(epochs) < 10 else None
    axes.plot(epochs, curves[name], color=BLUE, marker=marker, label="train")
    if f"val_{name}" in curves:
        values = curves[f"val_{name}"]
        validated = [epoch + 1 for epoch in history.epochs_of[f"val_{name}"]]
        best = (np.argmax if "acc" in name else np.argmin)(values)
        axes.plot(validated, values, color=ORANGE, marker=marker,
                  label=f"validation, best {values[best]:.4f} in epoch {validated[best]}")
        axes.plot(validated[best], values[best], "o", color=ORANGE)
    axes.set_title(f"Model {name}")
    axes.set_xlabel("epoch")
    axes.set_ylabel(name)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(color="#e4e4e4")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def plot_comparison(histories, name="loss", columns=4):
    """A metric or the loss by epoch, of several runs: each in a field of its own, the first also in grey behind all.

    Parameters
        histories: {title: the `History` that fit returned}.
        name: what to draw, for the training samples and the validation's; both must be in all histories.
        columns: fields in a row.

    Raises ValueError for a name that a history does not have.
    """
    for title, history in histories.items():
        for key in (name, f"val_{name}"):
            if key not in history.history:
                raise ValueError(f"The history of {title!r} has no {key!r}. It has: {', '.join(history.history)}.")
    rows = -(-len(histories) // columns)
    figure = _figure(3.1 * columns, 2.7 * rows + 0.5)
    fields = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    titles, first = list(histories), next(iter(histories.values()))
    for axes, (title, history) in zip(fields, histories.items()):
        for run, colours in ((first, (GREY, GREY)), (history, (BLUE, ORANGE))):
            for key, colour, style in zip((name, f"val_{name}"), colours, (":", "-")):
                epochs = [epoch + 1 for epoch in run.epochs_of[key]]
                axes.plot(epochs, run.history[key], style, color=colour, linewidth=1 if colour == GREY else 1.8)
        values = history.history[f"val_{name}"]
        lowest = history.epochs_of[f"val_{name}"][int(np.argmin(values))] + 1, min(values)
        axes.plot(*lowest, "o", color=ORANGE, markersize=5)
        axes.annotate(f"{lowest[1]:.3f}", lowest, xytext=(0, -16), textcoords="offset points", fontsize=9, color=ORANGE)
        axes.set_title(title, fontsize=10)
        axes.grid(color="#e4e4e4")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in fields[len(histories):]:
        axes.set_visible(False)
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel(name, fontsize=10)
    drawn = fields[0].lines
    figure.legend([drawn[2], drawn[3], drawn[1]], ["train", "validation, with its lowest value", f"of {titles[0]!r}"],
                  loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure


def plot_gradient_flow(model, x, y):
    """How large the gradient is on its way back: of what each link puts out, and of each weight.

    The left field shows, link by link from the data to the loss, the root of the mean square of dL/dy; the right one
    how |dL/dw| is distributed in each parameter: the middle half, the median, and from the 1st to the 99th hundredth.

    Parameters
        model: compiled; it stays as it is.
        x, y: the samples of one batch.
    """
    explained = model.explain_step(x, y)
    links = [link for link in explained.links if link.dy is not None]
    gradients = list(explained.gradients.items())
    figure = _figure(11, 0.42 * max(len(links), len(gradients)) + 1.6)
    left, right = figure.subplots(1, 2)
    places = range(len(links))
    left.plot([np.sqrt(np.mean(link.dy ** 2)) for link in links], places, "o-", color=BLUE)
    left.set_yticks(places, [link.name for link in links])
    left.set_xlabel("root mean square of dL/dy")
    for place, (_, gradient) in enumerate(gradients):
        sizes = np.abs(gradient[gradient != 0])
        if sizes.size:
            low, quarter, middle, three_quarters, high = np.percentile(sizes, [1, 25, 50, 75, 99])
            right.plot([low, high], [place, place], color=ORANGE, linewidth=1.5)
            right.plot([quarter, three_quarters], [place, place], color=ORANGE, linewidth=7, solid_capstyle="butt")
            right.plot(middle, place, "|", color="white", markersize=8)
    zeros = [f"  ({np.mean(gradient == 0):.0%} zero)" if np.any(gradient == 0) else "" for _, gradient in gradients]
    right.set_yticks(range(len(gradients)), [name + zero for (name, _), zero in zip(gradients, zeros)])
    right.set_xlabel("|dL/dw|")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter("")
        axes.grid(color="#e4e4e4", axis="x", which="both")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"The gradient in {model.name}, from the loss (top) to the data", fontsize=12)
    return figure


def plot_confusion_matrix(y_true, y_pred, classes=None):
    """How often each true class (row) was taken for each class (column); right answers are blue, mistakes orange.

    Parameters
        y_true, y_pred: class numbers (N,).
        classes: names of the classes; their numbers by default.
    """
    for numbers in (y_true, y_pred):
        if np.ndim(numbers) != 1 or np.min(numbers) < 0:
            raise ValueError("plot_confusion_matrix expects class numbers (N,) from 0, got an array of shape "
                             f"{np.shape(numbers)}. Of one-hot rows or probabilities hand over the argmax(axis=1).")
    count = int(max(np.max(y_true), np.max(y_pred))) + 1 if classes is None else len(classes)
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (np.asarray(y_true, int), np.asarray(y_pred, int)), 1)
    right = np.eye(count, dtype=bool)
    figure = _figure(0.55 * count + 1.5, 0.55 * count + 1.2)
    axes = figure.add_subplot()
    # Mistakes are a hundred times rarer than right answers: each kind is shaded against its own largest number.
    for kind, colours in ((right, "Blues"), (~right, "Oranges")):
        numbers = np.ma.masked_where(~kind | (matrix == 0), matrix)
        axes.imshow(numbers, cmap=colours, vmin=0, vmax=1.6 * max(matrix[kind].max(), 1))
    for i, j in np.argwhere(matrix):
        axes.text(j, i, f"{matrix[i, j]}", ha="center", va="center", fontsize=9)
    names = range(count) if classes is None else classes
    axes.set_xticks(range(count), names)
    axes.set_yticks(range(count), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"{np.trace(matrix):,} of {matrix.sum():,} right")
    axes.tick_params(length=0)
    axes.spines[:].set_color("#c8c8c8")
    return figure


def plot_mistakes(images, y_true, probabilities, columns=8, rows=3):
    """The pictures (N, H, W) whose true class was given the least probability among all that were predicted wrong.

    Parameters
        y_true: class numbers (N,).
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
        axes.set_title(f"is {y_true[i]}, said {y_pred[i]}", fontsize=9, color=ORANGE, pad=3)
        axes.set_xlabel(f"no. {i}", fontsize=7, color=GREY, labelpad=2)
    figure.suptitle(f"{len(wrong)} of {len(images):,} wrong; the {len(worst)} furthest from the truth", fontsize=12)
    return figure


def _figure(width, height):
    """A Figure of its own, in inches: no window opens, and pyplot's state stays as it is."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('tinynet.plotting draws with matplotlib, which is not installed. Install it with: '
                          'python -m pip install "tinynet[plot]"') from error
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def _grid(figure, rows, columns, used):
    """The first `used` axes of a grid, without ticks; the others are left out."""
    for i in range(used):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        yield axes
