"""Plots of metrics by epoch, of one run and of several."""
from __future__ import annotations

import numpy as np

from tinynet.callbacks.monitors import higher_is_better
from tinynet.plotting.figures import BLUE, GREY, ORANGE, figure_of, style, with_glyphs
from tinynet.types import Any


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
    figure = figure_of(7, 4.5)
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
    style(axes)
    axes.legend(frameon=False)
    return with_glyphs(figure)


def plot_comparison(histories: dict[str, Any], name: str = "loss", columns: int = 4) -> Any:
    """A metric or the loss by epoch of several runs, each in its own plot, with the first one in grey behind it.

    Parameters
        histories: {title: the `History` that fit returned}.
        name: of the metric, which must be in all histories, for training and validation.
        columns: plots in a row.

    Raises ValueError for a name that a history does not have.
    """
    rows = -(-len(histories) // columns)
    figure = figure_of(3.1 * columns, 2.7 * rows + 0.5)
    fields = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    titles, first = list(histories), next(iter(histories.values()))
    for axes, (title, history) in zip(fields, histories.items()):
        for run, colours in ((first, (GREY, GREY)), (history, (BLUE, ORANGE))):
            for key, colour, dashes in zip((name, f"val_{name}"), colours, (":", "-")):
                epochs, values = _curve(f"The history of {title!r}", run, key)
                axes.plot(epochs, values, dashes, color=colour, linewidth=1 if colour == GREY else 1.8)
        lowest = epochs[int(np.argmin(values))], min(values)
        axes.plot(*lowest, "o", color=ORANGE, markersize=5)
        axes.annotate(f"{lowest[1]:.3f}", lowest, xytext=(0, -16), textcoords="offset points", fontsize=9, color=ORANGE)
        axes.set_title(title, fontsize=10)
        style(axes)
    for axes in fields[len(histories):]:
        axes.set_visible(False)
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel(name, fontsize=10)
    drawn = fields[0].lines
    figure.legend([drawn[2], drawn[3], drawn[1]], ["train", "validation, with its lowest value", f"of {titles[0]!r}"],
                  loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return with_glyphs(figure)


def _curve(what, history, name):
    """(epochs, counted from 1; values) of a name in a history.  Raises ValueError if it is not there."""
    if name not in history.history:
        raise ValueError(f"{what} has no {name!r}. It has: {', '.join(history.history)}.")
    return [epoch + 1 for epoch in history.epochs_of[name]], history.history[name]
