"""A history and a model as HTML, for a notebook."""
from __future__ import annotations

import html
import math

from tinynet.text_width import counted
from tinynet.types import Any

WIDTH, HEIGHT, COLOUR = 120, 22, "#1f5fa8"
TEXT, NUMBER = "padding:3px 12px;text-align:left", "padding:3px 12px;text-align:right"


def history_table(history: Any) -> str:
    """A row for the loss and each metric: its curve, its first, last and best value, and the epoch of the best."""
    rows = [_row("th", "", "by epoch", "first", "last", "best", "in epoch")]
    for name, first, last, best, epoch in history.overview():
        rows.append(_row("td", html.escape(name), curve(history.means(name)), first, last, best, epoch))
    return f"<div><b>History of {counted(len(history.epoch), 'epoch')}</b><table>{''.join(rows)}</table></div>"


def model_table(model: Any) -> str:
    """A row for each layer, and what the model is compiled with."""
    rows = [_row("th", "layer", "type", "output shape", "parameters", texts=2)]
    for layer in model.layers:
        shape = str(layer.output_shape) if layer.built else "not yet known"
        rows.append(_row("td", html.escape(layer.name), html.escape(type(layer).__name__), shape,
                         f"{layer.count_params():,}" if layer.built else "", texts=2))
    rows.append(_row("td", "", "", "", f"<b>{model.count_params():,}</b>", texts=2))
    with_ = "not compiled" if model.optimizer is None else (
        f"loss {html.escape(str(model.loss.name))}, optimizer {html.escape(repr(model.optimizer))}")
    return f"<div><b>{html.escape(model.name)}</b>: {with_}<table>{''.join(rows)}</table></div>"


def curve(values: list[float]) -> str:
    """An SVG of the values, one after the other, from the lowest to the highest."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    low, high = min(finite), max(finite)
    points = " ".join(f"{2 + i * (WIDTH - 4) / (len(finite) - 1):.1f},"
                      f"{HEIGHT - 2 - (HEIGHT - 4) * ((value - low) / (high - low) if high > low else 0.5):.1f}"
                      for i, value in enumerate(finite))
    return (f"<svg width='{WIDTH}' height='{HEIGHT}' style='vertical-align:middle'>"
            f"<polyline points='{points}' fill='none' stroke='{COLOUR}' stroke-width='1.5'/></svg>")


def _row(tag, *cells, texts=1) -> str:
    """The first cells are texts, the others numbers."""
    return "<tr>" + "".join(f"<{tag} style='{TEXT if i < texts else NUMBER}'>{cell}</{tag}>"
                            for i, cell in enumerate(cells)) + "</tr>"
