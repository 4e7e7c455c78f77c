"""A record of a training step as a page: the network as a graph, and every number with the sum it came from.

The page is one file, `page.html`, into which the numbers are put. It needs no network.
"""
from __future__ import annotations

import base64
import functools
import html
import json
import re
from pathlib import Path

import numpy as np

from tinynet.explain import sums
from tinynet.language import Text
from tinynet.types import Any, Array

BINS, WIDTH, HEIGHT = 31, 124, 26
FORWARD, BACKWARD = "#1f5fa8", "#e0702d"        # blue and orange, which the colour-blind can tell apart
CELL = "padding:3px 10px;text-align:left;vertical-align:middle;white-space:nowrap"
FORMULA = "display:inline-block;width:34em;font-family:monospace;white-space:normal"

UNITS, SAMPLES, WEIGHTS = 12, 12, 600           # up to which a network is small: every number is shown
PIXELS = 48                                     # the rows and columns of a heat map

WORDS = {
    "title": Text("One training step", "一步训练"),
    "forward": Text("forward", "前向传播"), "backward": Text("backward", "反向传播"), "update": Text("update", "更新"),
    "loss": Text("loss", "损失"), "sample": Text("sample", "样本"),
    "value": Text("value", "值"), "gradient": Text("gradient", "梯度"), "change": Text("change", "改变量"),
    "first": Text("Start", "开始"), "back": Text("Back", "上一步"), "on": Text("Next", "下一步"), "last": Text("End", "结束"),
    "step": Text("step {} of {}", "第 {} 步，共 {} 步"),
    "skipped": Text("skipped: its derivative and that of the loss are taken together",
                    "跳过：它的导数与损失的导数合在一起计算"),
    "unneeded": Text("not needed: no layer before it is trained", "不需要：前面没有要训练的层"),
    "point": Text("Point at a number: here you see the sum it came from. The keys ← and → walk the step.",
                  "把指针放在一个数上：这里会显示它由哪个式子算出。用 ← 和 → 键逐步查看。"),
    "walk": Text("The keys ← and → walk the step. A heat map has samples as rows, or of a weight its rows; each "
                 "histogram reaches from minus to plus the largest number.",
                 "用 ← 和 → 键逐步查看。热图的每一行对应一个样本（权重的热图则对应矩阵的一行）；直方图的范围为正负最大绝对值。"),
    "legend": Text("blue: positive, orange: negative; the upper number is y, the lower one dL/dy; a coloured line is "
                   "a weight",
                   "蓝色为正，橙色为负；上面的数是 y，下面的数是 dL/dy；彩线是权重，灰线只表示连接"),
    "norm": Text("norm", "范数"), "zero": Text("{} are zero", "{} 为零"), "target": Text("target t", "目标 t"),
    "penalty": Text("of which regularization", "其中正则化项"),
    "moves": Text("each weight moves by the change below it, which the optimizer makes of its gradient",
                  "每个权重加上其下方的改变量，改变量由优化器根据梯度算出"),
    "tables": Text("as tables", "表格形式"),
}
# The words of formulas, which stand in the docstrings of the code that runs.
PHRASES = (("y = x; the penalty R(x) is added to the loss, as a sum over the batch, not divided by the number of "
            "samples", "y = x；惩罚项 R(x) 加到损失上，对批次求和，不除以样本数"),
           ("y = x with each sample as one row", "y = x，每个样本展成一行"), ("dy in the shape of x", "dy，形状同 x"),
           ("t smoothed", "t 为平滑后的标签"), ("element by element", "逐元素"), ("row by row", "逐行"),
           ("sum of dy over the batch", "dy 对批次求和"),
           ("with mean m and variance v of x over the batch", "m、v 为 x 在批次上的均值与方差"),
           ("where each m is 0 with probability `rate`, else 1", "每个 m 以概率 rate 为 0，否则为 1"),
           (", which is the Jacobian diag(y) - y y^T applied to dy", "，即雅可比矩阵 diag(y) - y y^T 作用于 dy"),
           ("; y = x in inference", "；推断时 y = x"), (", and zero where", "，且为零，若"), (", which is", "，即"),
           (", along `axis`", "，沿 `axis`"), ("in inference", "（推断时）"), ("of the penalty", "（正则化项）"),
           ("over the batch", "（对批次）"),
           (", of the row dy = ", "，所在行 dy = "), (", of the row ", "，所在行 "), ("the data", "数据"), ("sum of ", "Σ "),
           (" where ", "，若 "), (", else ", "，否则 "))
TITLE = re.compile(r"Step (\d+) of (.+), by (.+), on (\d+) samples?")


def html_of(explanation: Any, lang: str = "en") -> str:
    """The page as HTML."""
    template = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    words = {name: text.said(lang) for name, text in WORDS.items()}
    data = json.dumps(_data(explanation, lang) | {"words": words}, ensure_ascii=False).replace("<", "\\u003c")
    return template.replace("<!--LANG-->", lang).replace("<!--TITLE-->", words["title"]).replace("/*DATA*/null", data)


def in_notebook(explanation: Any) -> str:
    """The page in a frame of its own, and the tables, which also show where a notebook may not run scripts."""
    frame = (f"<iframe srcdoc=\"{html.escape(explanation.html(), quote=True)}\" style='width:100%;height:640px;"
             "border:1px solid #ddd'></iframe>")
    return f"{frame}<details><summary>{WORDS['tables'].said(explanation.lang)}</summary>{tables(explanation)}</details>"


def is_small(explanation: Any) -> bool:
    """Whether every number can be shown."""
    arrays = [explanation.x, *(layer.y for layer in explanation.layers)]
    weights = sum(value.size for layer in explanation.layers for value in layer.values.values())
    return weights <= WEIGHTS and len(explanation.x) <= SAMPLES and all(
        value.ndim <= 2 for layer in explanation.layers for value in layer.values.values()) and all(
        array.ndim == 2 and array.shape[1] <= UNITS for array in [*arrays, explanation.loss_dy])


def _data(explanation: Any, lang: str) -> dict[str, Any]:
    """What the page shows: a column for the data, for each layer and for the loss."""
    small = is_small(explanation)

    def said(text):
        for english, chinese in PHRASES if lang == "zh" else ():
            text = text.replace(english, chinese)
        return text

    def array(values, lines=None):
        return None if values is None else _array(values, small) | (
            {"lines": [list(map(said, row)) for row in lines()]} if small and lines else {})
    columns: list[Any] = [{"name": "x", "forward": said("the data"), "backward": "", "y": array(explanation.x),
                           "dy": None, "parameters": [], "dense": False, "why": "unneeded"}]
    layers = explanation.layers
    reached = [k for k, layer in enumerate(layers) if layer.dy is not None]
    for k, (layer, later) in enumerate(zip(layers, [*layers[1:], None])):
        why = "skipped" if reached and k > reached[-1] else "unneeded"

        def of_dy(layer=layer, later=later):
            from_loss = later is None or later.dy is None
            return sums.of_loss(explanation) if from_loss else sums.of_dx(later, layer.dy)
        parameters = [{
            "name": name, "value": array(layer.values[name]),
            "gradient": array(gradient, functools.partial(sums.of_gradient, layer, name)),
            "update": array(layer.updates[name], functools.partial(sums.of_update, layer, name)),
        } for name, gradient in layer.gradients.items()]
        columns.append({
            "name": layer.name, "forward": said(layer.forward), "backward": said(layer.backward),
            "y": array(layer.y, functools.partial(sums.of_y, layer)), "dy": array(layer.dy, of_dy),
            "parameters": parameters, "dense": layer.kind == "Dense", "why": why,
            "each": layer.y.shape == layer.x.shape and layer.kind not in ("softmax", "Softmax")})
    t = sums.targets(explanation)
    title = explanation.title if lang == "en" else TITLE.sub(r"\2 的第 \1 步，优化器 \3，\4 个样本", explanation.title)
    return {"title": title, "small": small, "columns": columns,
            "loss": {"name": explanation.loss_name, "value": float(explanation.loss),
                     "of": sums.of(explanation), "penalty": float(explanation.regularization),
                     "backward": said(explanation.loss_backward),
                     "t": _array(t, small) if t.shape == explanation.y_pred.shape and small else None,
                     "dy": array(explanation.loss_dy, functools.partial(sums.of_loss, explanation))}}


def _array(values: Array, small: bool) -> dict[str, Any]:
    """An array for the page: its numbers, or a heat map of at most PIXELS by PIXELS and a histogram."""
    values = np.asarray(values, float)
    if small:
        return {"shape": list(values.shape),
                "numbers": [[float(f"{v:.7g}") for v in row] for row in np.atleast_2d(values)]}
    finite = np.where(np.isfinite(values), values, 0)
    largest = float(np.abs(finite).max(initial=0.0))
    counts, _ = np.histogram(finite, BINS, (-largest or -1.0, largest or 1.0))
    rows = finite.reshape(len(finite), -1) if finite.ndim > 1 else finite.reshape(1, -1)
    picked = _extremes(_extremes(rows, 0), 1)
    bytes_ = np.clip(np.rint(picked / (largest or 1.0) * 127), -127, 127).astype(np.int8)
    return {"shape": list(values.shape), "largest": largest, "norm": float(np.linalg.norm(finite)),
            "zeros": float(np.mean(values == 0)) if values.size else 0.0, "counts": counts.tolist(),
            "map": {"rows": bytes_.shape[0], "columns": bytes_.shape[1],
                    "bytes": base64.b64encode(bytes_.tobytes()).decode()}}


def _extremes(rows: Array, axis: int) -> Array:
    """At most PIXELS rows (or columns): of each group of neighbours the number that is largest by size."""
    parts = np.array_split(rows, min(PIXELS, max(rows.shape[axis], 1)), axis)
    picked = [np.take_along_axis(part, np.abs(part).argmax(axis, keepdims=True), axis) for part in parts if part.size]
    return np.concatenate(picked, axis) if picked else rows


def tables(explanation: Any) -> str:
    """Forward downwards, then backward upwards, with the distribution of every array."""
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
