"""Plots of gradients: their size in each layer, and the error of numeric ones."""
from __future__ import annotations

import numpy as np

from tinynet.gradient_check import numeric
from tinynet.plotting.figures import BLUE, GREY, ORANGE, figure_of, plain, style, with_glyphs
from tinynet.types import Any, ArrayLike, Function


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
    figure = figure_of(11, 0.36 * sum(heights) + 1.9)
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
        style(axes, axis="x")
    right.tick_params(left=False)
    figure.suptitle(plain(f"The gradient in {model.name}, from the loss (top) to the data"), fontsize=12)
    return with_glyphs(figure)


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
    figure, steps = figure_of(7, 4.5), np.logspace(-16, 0, 161)
    axes = figure.add_subplot()
    for name, method, colour in (("central difference", numeric.central, BLUE),
                                 ("Richardson", numeric.richardson, ORANGE),
                                 ("complex step", numeric.complex_step, GREY)):
        errors = [abs(method(lambda t: f(x + t), h) - truth) / (abs(truth) or 1.0) for h in steps]
        axes.plot(steps, np.maximum(errors, 1e-17), color=colour, label=name)
    axes.set(xscale="log", yscale="log", ylim=(5e-18, 10), xlabel="step h", ylabel="relative error of f'(x)",
             title="A long step truncates the series, a short one cancels digits")
    axes.minorticks_off()
    style(axes)
    axes.legend(frameon=False, loc="upper center")
    return figure
