"""Plots of decision boundaries: what a classifier of points in the plane predicts where."""
from __future__ import annotations

import numpy as np

from tinynet.plotting.figures import CLASSES, figure_of, plain, rgb, with_glyphs
from tinynet.types import Any, Array, ArrayLike


def plot_boundary(model: Any, x: Array, y: ArrayLike, title: str = "", resolution: int = 200) -> Any:
    """What a classifier of points in the plane predicts where: one colour for each class, stronger where it is surer.

    Parameters
        model: of inputs (N, 2); its output is one probability (N, 1), or one for each class (N, C).
        x: points (N, 2), drawn with a marker for each class.
        y: their classes: integers (N,) or (N, 1), or one-hot rows (N, C).
        resolution: points of the grid along each axis.

    Raises ValueError for inputs that are not points in the plane, and for other outputs.
    """
    figure = figure_of(5.6, 5)
    draw_boundary(figure.add_subplot(), model, points_of(x, y), title, resolution)
    return with_glyphs(figure)


def plot_boundaries(models: dict[str, Any], x: Array, y: ArrayLike, resolution: int = 200) -> Any:
    """The decision boundaries of several models side by side: {title: model}; else as `plot_boundary`."""
    figure = figure_of(4.4 * len(models), 4.4)
    for i, (title, model) in enumerate(models.items()):
        draw_boundary(figure.add_subplot(1, len(models), i + 1), model, points_of(x, y), title, resolution)
    return with_glyphs(figure)


def points_of(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """(points (N, 2), classes (N,)).  Raises ValueError for others."""
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 2 or x.shape[1] != 2 or len(x) != len(y):
        raise ValueError("A boundary is drawn in the plane: x must have the shape (N, 2), and y N classes, got "
                         f"{x.shape} and {y.shape}.")
    labels = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.ravel()
    if labels.dtype.kind not in "biuf" or (labels != np.rint(labels)).any() or labels.min(initial=0) < 0:
        raise ValueError(f"The classes of the points must be whole numbers from 0, or one-hot rows, got {labels[:5]}.")
    return x, labels.astype(int)


def draw_boundary(axes: Any, model: Any, points: tuple[Array, Array], title: str, resolution: int) -> None:
    """The prediction on a grid, and the points."""
    x, labels = points
    low, high = x.min(axis=0), x.max(axis=0)
    margin = 0.08 * (high - low) + 1e-6
    across, up = (np.linspace(a - m, b + m, resolution) for a, b, m in zip(low, high, margin))
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    p = np.asarray(model.predict(grid, batch_size=len(grid)))
    if p.ndim != 2 or not len(CLASSES) >= p.shape[1] >= 1:
        raise ValueError(f"A boundary needs a model that predicts (N, C), C from 1 to {len(CLASSES)}, got {p.shape}.")
    if not (p.min() >= -1e-6 and p.max() <= 1 + 1e-6):
        raise ValueError(f"A boundary needs probabilities, got numbers from {p.min():.3g} to {p.max():.3g}. End the "
                         "model with a sigmoid or a softmax.")
    p = np.concatenate([1 - p, p], axis=1) if p.shape[1] == 1 else p
    if labels.max(initial=0) >= p.shape[1]:
        raise ValueError(f"The model predicts {p.shape[1]} classes, from 0, but a point has the class {labels.max()}.")
    p = p.reshape(resolution, resolution, -1)
    colours = np.array([rgb(colour) for colour, _ in CLASSES[:p.shape[2]]])
    sure = np.clip((p.max(axis=2) - 1 / p.shape[2]) / (1 - 1 / p.shape[2]), 0, 1)[..., np.newaxis]
    axes.imshow(1 - 0.45 * sure * (1 - colours[p.argmax(axis=2)]), origin="lower", aspect="auto",
                extent=(across[0], across[-1], up[0], up[-1]))
    for label, (colour, marker) in enumerate(CLASSES[:p.shape[2]]):
        one = p[..., label] - np.delete(p, label, axis=2).max(axis=2)
        if one.min() < 0 < one.max():
            axes.contour(across, up, one, levels=[0], colors="black", linewidths=1)
        axes.plot(*x[labels == label].T, marker, color=colour, markersize=4.5, markeredgecolor="white",
                  markeredgewidth=0.6, label=f"class {label}")
    axes.set_title(plain(title), fontsize=11)
    axes.legend(loc="upper right", fontsize=8, framealpha=0.9)
