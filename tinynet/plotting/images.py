"""Plots of images, and of what was predicted for them."""
from __future__ import annotations

import numpy as np

from tinynet.plotting.figures import GREY, ORANGE, figure_of, grid, with_glyphs
from tinynet.types import Any, Array, ArrayLike


def plot_samples(images: Array, labels: ArrayLike = None, columns: int = 8) -> Any:
    """Images (N, H, W) in rows of `columns`, each below its label."""
    rows = -(-len(images) // columns)
    figure = figure_of(1.1 * columns, 1.3 * rows)
    for i, (axes, image) in enumerate(zip(grid(figure, rows, columns, len(images)), images)):
        axes.imshow(image, cmap="gray_r", interpolation="nearest")
        if labels is not None:
            axes.set_title(f"{labels[i]}", fontsize=11, pad=3)
    return with_glyphs(figure)


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
    figure = figure_of(0.55 * count + 1.5, 0.55 * count + 1.2)
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
    return with_glyphs(figure)


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
    figure = figure_of(1.35 * columns, 1.75 * rows)
    for axes, i in zip(grid(figure, rows, columns, len(worst)), worst):
        axes.imshow(images[i], cmap="gray_r", interpolation="nearest")
        axes.set_title(f"true {y_true[i]}, predicted {y_pred[i]}", fontsize=8, color=ORANGE, pad=3)
        axes.set_xlabel(f"no. {i}", fontsize=7, color=GREY, labelpad=2)
    title = f"{len(wrong)} of {len(images):,} wrong; the {len(worst)} with the lowest probability of the true class"
    figure.suptitle(title, fontsize=12)
    return with_glyphs(figure)
