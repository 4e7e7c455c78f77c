"""Plots of data, training and predictions; each function returns a matplotlib Figure.

In a notebook `%matplotlib inline` shows them. matplotlib is imported when a plot is drawn.
"""
from __future__ import annotations

import base64
import functools
import io
import os
import re
import sys
from contextlib import suppress

import numpy as np

from tinynet.callbacks import LambdaCallback
from tinynet.callbacks.monitors import higher_is_better
from tinynet.gradient_check import numeric
from tinynet.types import Any, Array, ArrayLike, Function, Path
from tinynet.validation import whole_number

BLUE, ORANGE, GREY = "#1f5fa8", "#e0702d", "#8a8a8a"
# A colour and a marker for each class; by Okabe and Ito, told apart by the colour-blind too.
CLASSES = [(BLUE, "o"), (ORANGE, "s"), ("#009e73", "^"), ("#f0e442", "D"), ("#cc79a7", "v"), ("#56b4e9", "P"),
           ("#000000", "X"), ("#8a8a8a", "*")]
CHINESE = re.compile("[\u2e80-\uffef]")
CHINESE_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN",
                 "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Microsoft YaHei", "SimHei", "PingFang SC", "Heiti TC",
                 "Hiragino Sans GB", "Arial Unicode MS", "Droid Sans Fallback", "AR PL UMing CN")


def plot_samples(images: Array, labels: ArrayLike = None, columns: int = 8) -> Any:
    """Images (N, H, W) in rows of `columns`, each below its label."""
    rows = -(-len(images) // columns)
    figure = _figure(1.1 * columns, 1.3 * rows)
    for i, (axes, image) in enumerate(zip(_grid(figure, rows, columns, len(images)), images)):
        axes.imshow(image, cmap="gray_r", interpolation="nearest")
        if labels is not None:
            axes.set_title(f"{labels[i]}", fontsize=11, pad=3)
    return _with_glyphs(figure)


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
    return _with_glyphs(figure)


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
    return _with_glyphs(figure)


def plot_gradient_flow(model: Any, x: ArrayLike, y: ArrayLike) -> Any:
    """The size of the gradient, layer by layer: with respect to the output y of each layer, and to each weight w.

    Each row is a layer, from the data (bottom) to the loss. The left plot shows the root mean square of dL/dy, the
    right one how |dL/dw| is distributed in each parameter: the middle half, the median, and from the 1st to the 99th
    percentile. Gradients that are exactly zero have no place on a logarithmic axis, and are counted beside it: those of
    weights whose input, or whose unit after relu, was zero for every sample of the batch.

    Parameters
        model: compiled; it stays as it is.
        x, y: the samples of one batch.
    """
    explained = model.explain_step(x, y)
    layers = [layer for layer in explained.layers if layer.dy is not None]
    heights = [max(1, len(layer.gradients)) for layer in layers]
    figure = _figure(11, 0.36 * sum(heights) + 1.9)
    left, right = figure.subplots(1, 2, sharey=True)
    bottoms = np.cumsum([0, *heights[:-1]])
    middles = bottoms + (np.array(heights) - 1) / 2
    left.plot([np.sqrt(np.mean(layer.dy.astype(float) ** 2)) for layer in layers], middles, "o-", color=BLUE)
    left.set_ylim(-0.6, sum(heights) - 0.4)
    left.set_yticks(middles, [layer.name for layer in layers])
    rows = [(bottom + heights[i] - 1 - k, name, gradient) for i, (bottom, layer) in enumerate(zip(bottoms, layers))
            for k, (name, gradient) in enumerate(layer.gradients.items())]
    zeros = False
    for row, name, gradient in rows:
        sizes = np.abs(gradient[gradient != 0])
        label = name.split("/")[-1].split(":")[0]
        if (share := np.mean(gradient == 0)) >= 0.005:
            zeros, label = True, f"{label}, {share:.0%} zero"
        if sizes.size:
            low, quarter, middle, three_quarters, high = np.percentile(sizes, [1, 25, 50, 75, 99])
            right.plot([low, high], [row, row], color=ORANGE, linewidth=1.5)
            right.plot([quarter, three_quarters], [row, row], color=ORANGE, linewidth=7, solid_capstyle="butt")
            right.plot(middle, row, "|" if low < high else "o", color="white" if low < high else ORANGE, markersize=7)
        right.annotate(label, (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    left.set_xlabel("root mean square of dL/dy")
    right.set_xlabel("|dL/dw|" + ", without the gradients that are exactly zero" * zeros)
    if not any((gradient != 0).any() for _, _, gradient in rows):
        right.set_xlim(1e-8, 1)         # nothing is drawn, and the labels say why
    for axes in (left, right):
        for edge in bottoms[1:] - 0.5:
            axes.axhline(edge, color="#e4e4e4", linewidth=0.8, zorder=0)
        axes.set_xscale("log")
        _label_decades(axes)
        _style(axes, axis="x")
    right.tick_params(left=False)
    figure.suptitle(_plain(f"The gradient in {model.name}, from the loss (top) to the data"), fontsize=12)
    return _with_glyphs(figure)


def plot_boundary(model: Any, x: Array, y: ArrayLike, title: str = "", resolution: int = 200) -> Any:
    """What a classifier of points in the plane predicts where: one colour for each class, stronger where it is surer.

    Parameters
        model: of inputs (N, 2); its output is one probability (N, 1), or one for each class (N, C).
        x: points (N, 2), drawn with a marker for each class.
        y: their classes: integers (N,) or (N, 1), or one-hot rows (N, C).
        resolution: points of the grid along each axis.

    Raises ValueError for inputs that are not points in the plane, and for other outputs.
    """
    figure = _figure(5.6, 5)
    _draw_boundary(figure.add_subplot(), model, _points(x, y), title, resolution)
    return _with_glyphs(figure)


def plot_boundaries(models: dict[str, Any], x: Array, y: ArrayLike, resolution: int = 200) -> Any:
    """The decision boundaries of several models side by side: {title: model}; else as `plot_boundary`."""
    figure = _figure(4.4 * len(models), 4.4)
    for i, (title, model) in enumerate(models.items()):
        _draw_boundary(figure.add_subplot(1, len(models), i + 1), model, _points(x, y), title, resolution)
    return _with_glyphs(figure)


def animate_training(model: Any, x: Array, y: ArrayLike, path: Path, epochs: int = 100, frames: int = 50,
                     resolution: int = 100, **options: Any) -> Any:
    """Train a classifier of points in the plane, and write a film of its decision boundary; returns the History.

    Parameters
        model: compiled; see `plot_boundary`.
        x, y: as for fit; y integers for sparse_categorical_crossentropy or binary_crossentropy, else one-hot rows.
        path: "training.gif" is a GIF, "training.html" a page with buttons to play it, which needs no network.
        epochs, options: as for fit.
        frames: how many pictures, at equal distances in time.

    Raises ValueError for another ending, and like `plot_boundary` and `fit`.
    """
    epochs, frames = whole_number("epochs", epochs, least=0), whole_number("frames", frames, least=1)
    points, ending = _points(x, y), str(path).rpartition(".")[2].lower()
    if ending not in ("gif", "html"):
        raise ValueError(f"animate_training writes a .gif or an .html, got {str(path)!r}.")
    if not os.access(os.path.dirname(path) or ".", os.W_OK) or os.path.isdir(path):
        raise FileNotFoundError(f"{path} cannot be written: is there such a folder, and may you write into it?")
    figure, pictures = _figure(5.6, 5), []
    axes = figure.add_subplot()
    shown, drawn = {epochs, *np.rint(np.linspace(0, epochs, min(frames, epochs + 1))).astype(int).tolist()}, []

    def draw(epoch, logs=None, always=False):
        if (epoch in shown or always) and epoch not in drawn:
            drawn.append(epoch)
            axes.clear()
            loss = f", loss {logs['loss']:.3f}" if logs else ""
            _draw_boundary(axes, model, points, f"epoch {epoch}{loss}", resolution)
            figure.savefig(picture := io.BytesIO(), format="png", dpi=90)
            pictures.append(picture)
    draw(0)
    callbacks = [*(options.pop("callbacks", None) or ()),
                 LambdaCallback(on_epoch_end=lambda i, logs: draw(i + 1, logs))]
    history = model.fit(x, y, epochs=epochs, callbacks=callbacks, **options)
    draw(len(history.epoch), {"loss": history.history["loss"][-1]} if history.epoch else None, always=True)
    with open(path, "wb") as file:
        file.write(_gif(pictures) if ending == "gif" else _player(pictures))
    return history


def _gif(pictures):
    """A GIF that repeats, of pictures in PNG."""
    from PIL import Image       # which matplotlib brings
    images = [Image.open(picture).convert("RGB").quantize(256) for picture in pictures]
    images[0].save(file := io.BytesIO(), "GIF", save_all=True, append_images=images[1:], loop=0,
                   duration=[80] * (len(images) - 1) + [1500])
    return file.getvalue()


def _player(pictures):
    """A page that plays pictures in PNG."""
    frames = ",".join(f'"{base64.b64encode(picture.getvalue()).decode()}"' for picture in pictures)
    return f"""<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Training</title>
<img id="picture" style="max-width:100%"><br><button id="play">\u25b6 / \u275a\u275a</button>
<input id="at" type="range" min="0" max="{len(pictures) - 1}" value="0" style="width:26em">
<script>
const frames = [{frames}], at = document.getElementById("at");
let timer = null;
const show = () => {{ document.getElementById("picture").src = "data:image/png;base64," + frames[at.value]; }};
const stop = () => {{ clearInterval(timer); timer = null; }};
const play = () => {{
  if (at.value == frames.length - 1) at.value = 0;
  timer = setInterval(() => {{ at.value++; show(); if (at.value == frames.length - 1) stop(); }}, 80);
}};
at.addEventListener("input", () => {{ stop(); show(); }});
document.getElementById("play").addEventListener("click", () => timer ? stop() : play());
show(); play();
</script></html>
""".encode()


def _points(x, y):
    """(points (N, 2), classes (N,)).  Raises ValueError for others."""
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 2 or x.shape[1] != 2 or len(x) != len(y):
        raise ValueError("A boundary is drawn in the plane: x must have the shape (N, 2), and y N classes, got "
                         f"{x.shape} and {y.shape}.")
    labels = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.ravel()
    if labels.dtype.kind not in "biuf" or (labels != np.rint(labels)).any() or labels.min(initial=0) < 0:
        raise ValueError(f"The classes of the points must be whole numbers from 0, or one-hot rows, got {labels[:5]}.")
    return x, labels.astype(int)


def _draw_boundary(axes, model, points, title, resolution):
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
    colours = np.array([_rgb(colour) for colour, _ in CLASSES[:p.shape[2]]])
    sure = np.clip((p.max(axis=2) - 1 / p.shape[2]) / (1 - 1 / p.shape[2]), 0, 1)[..., np.newaxis]
    axes.imshow(1 - 0.45 * sure * (1 - colours[p.argmax(axis=2)]), origin="lower", aspect="auto",
                extent=(across[0], across[-1], up[0], up[-1]))
    for label, (colour, marker) in enumerate(CLASSES[:p.shape[2]]):
        one = p[..., label] - np.delete(p, label, axis=2).max(axis=2)
        if one.min() < 0 < one.max():
            axes.contour(across, up, one, levels=[0], colors="black", linewidths=1)
        axes.plot(*x[labels == label].T, marker, color=colour, markersize=4.5, markeredgecolor="white",
                  markeredgewidth=0.6, label=f"class {label}")
    axes.set_title(_plain(title), fontsize=11)
    axes.legend(loc="upper right", fontsize=8, framealpha=0.9)


def _plain(text):
    """A text whose dollar signs are no mathematics."""
    return text.replace("$", r"\$")


def _rgb(colour):
    """"#ff8000" as (1, 0.5, 0)"""
    return [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]


def _label_decades(axes):
    """Labels on a logarithmic axis that also help where it spans less than two decades."""
    low, high = axes.get_xlim()
    axes.xaxis.set_minor_formatter("")
    if high / low < 100:
        from matplotlib.ticker import MaxNLocator
        steps = (m * 10.0 ** e for e in range(-300, 300) for m in (1, 2, 5)) if high / low > 5 else (
            MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high))
        ticks = [step for step in steps if low <= step <= high]
        axes.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
        axes.set_xlim(low, high)


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
    return _with_glyphs(figure)


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
    return _with_glyphs(figure)


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


def has_chinese_glyphs() -> bool:
    """Whether matplotlib finds a font with Chinese characters."""
    return bool(_chinese_fonts())


@functools.cache
def _chinese_fonts():
    """The names of the fonts with Chinese characters that are installed."""
    from matplotlib import font_manager
    if not any(font.name in CHINESE_FONTS for font in font_manager.fontManager.ttflist):
        for path in font_manager.findSystemFonts():     # one that came after matplotlib has made its list
            if any(word in path.lower() for word in ("cjk", "wqy", "hansans", "msyh", "simhei", "pingfang",
                                                     "notosanssc")):
                with suppress(Exception):               # of a font that matplotlib cannot read
                    font_manager.fontManager.addfont(path)
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in CHINESE_FONTS if name in installed]


def _with_glyphs(figure):
    """The figure: what is Chinese in it gets a font that has its characters; if there is none, boxes and a sentence."""
    import matplotlib
    from matplotlib.text import Text
    foreign = [text for text in figure.findobj(Text) if CHINESE.search(text.get_text())]
    if foreign and not has_chinese_glyphs():
        print(f"No font for {foreign[0].get_text()!r} is installed, so boxes stand in the picture. Noto Sans CJK has "
              "one (on Debian: apt install fonts-noto-cjk).", file=sys.stderr)
    family = [*matplotlib.rcParams["font.family"], *_chinese_fonts()]
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        labels = [label.get_text() for label in axis.get_ticklabels()]
        if CHINESE.search("".join(labels)):     # which are made anew when the figure is drawn
            axis.set_tick_params(labelfontfamily=family)
            if not has_chinese_glyphs():
                axis.set_ticks(axis.get_ticklocs(), [CHINESE.sub("\u25a1", label) for label in labels])
    for text in foreign:
        text.set_fontfamily(family)
        if not has_chinese_glyphs():
            text.set_text(CHINESE.sub("\u25a1", text.get_text()))
    return figure


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
