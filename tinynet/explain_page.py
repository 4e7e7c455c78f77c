"""A record of a training step as HTML: forward downwards, backward upwards, with the distribution of every array."""
from __future__ import annotations

import html

import numpy as np

from tinynet.types import Any, Array


BINS, WIDTH, HEIGHT = 31, 124, 26
FORWARD, BACKWARD = "#1f5fa8", "#e0702d"        # blue and orange, which the colour-blind can tell apart
CELL = "padding:3px 10px;text-align:left;vertical-align:middle;white-space:nowrap"
FORMULA = "display:inline-block;width:34em;font-family:monospace;white-space:normal"


def page(explanation: Any) -> str:
    """The tables of an `Explanation`."""
    rows = [_row("x", "the data", explanation.x, FORWARD)]
    rows += [_row(layer.name, layer.forward, layer.y, FORWARD) for layer in explanation.layers]
    penalty = f", of which regularization {explanation.regularization:.4g}" if explanation.regularization else ""
    rows.append(_line("loss", explanation.loss_name, "", f"{explanation.loss:.6g}{penalty}", ""))
    forward = _table(("forward", "", "shape", "norm of y", "distribution of y"), rows)
    rows = [_row("loss", explanation.loss_backward, explanation.loss_dy, BACKWARD)]
    for layer in reversed(explanation.layers):
        if layer.dy is None:
            rows.append(_line(layer.name, "(skipped)", "", "", ""))
            continue
        rows.append(_row(layer.name, layer.backward, layer.dy, BACKWARD))
        for name, gradient in layer.gradients.items():
            update, value = (float(np.linalg.norm(a[name])) for a in (layer.updates, layer.values))
            share = f"; |update| = {update / value:.2g} |w|" if value else ""
            rows.append(_row(f"\u00a0\u00a0{name}", f"gradient{share}", gradient, BACKWARD))
    backward = _table(("backward", "", "shape", "norm of dy", "distribution of dy"), rows)
    return f"<div><b>{html.escape(explanation.title)}</b>{forward}{backward}</div>"


def _row(name, formula, array, colour) -> str:
    return _line(name, formula, str(array.shape), f"{np.linalg.norm(array):.4g}", histogram(array, colour))


def _line(name, formula, shape, size, drawing) -> str:
    cells = (html.escape(name), f"<span style='{FORMULA}'>{html.escape(formula)}</span>", shape, size, drawing)
    return "<tr>" + "".join(f"<td style='{CELL}'>{cell}</td>" for cell in cells) + "</tr>"


def _table(titles, rows) -> str:
    head = "".join(f"<th style='{CELL}'>{title}</th>" for title in titles)
    return f"<table style='margin-top:8px'><tr>{head}</tr>{''.join(rows)}</table>"


def histogram(array: Array, colour: str) -> str:
    """An SVG of how the numbers are distributed between -m and m, where m is the largest of them; a line is at 0."""
    numbers = array[np.isfinite(array)]
    largest = float(np.abs(numbers).max(initial=0.0))
    if not largest:
        return "all zero" if numbers.size else "none is finite"
    counts, _ = np.histogram(numbers, BINS, (-largest, largest))
    step = WIDTH / BINS
    bars = "".join(f"<rect x='{i * step:.1f}' y='{HEIGHT - HEIGHT * share:.1f}' width='{step - 1:.1f}' "
                   f"height='{HEIGHT * share:.1f}' fill='{colour}'/>"
                   for i, share in enumerate(np.sqrt(counts / counts.max())) if share)
    zeros = np.mean(array == 0)
    note = f", {zeros:.0%} are zero" if zeros else ""
    return (f"<svg width='{WIDTH}' height='{HEIGHT}' style='vertical-align:middle'><title>from {numbers.min():.3g} to "
            f"{numbers.max():.3g}{note}</title>{bars}<line x1='{WIDTH / 2}' x2='{WIDTH / 2}' y1='0' y2='{HEIGHT}' "
            f"stroke='#888' stroke-width='0.5'/></svg>&nbsp; &plusmn;{largest:.2g}")
