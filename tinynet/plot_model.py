"""plot_model: a picture of a model's layers, drawn by matplotlib, or as text for graphviz."""
from __future__ import annotations

import io
import os

from tinynet.registry import class_name
from tinynet.types import Any, Path

ESCAPED = {ord('"'): '\\"', ord("\\"): "\\\\"}
EDGE, FILL, TEXT = "#1f5fa8", "#eef3f9", "#222222"


def plot_model(model: Any, to_file: Path = "model.png", show_shapes: bool = False, show_layer_names: bool = True,
               rankdir: str = "TB", expand_nested: bool = False, dpi: int = 96) -> Any:
    """Write a picture of the layers of a model to a file; returns IPython's Image of a .png, if IPython is installed.

    Parameters
        to_file: its name; the ending is the format: .png, .svg, .pdf, or .dot, the text that graphviz reads.
        show_shapes: whether to show the shape of the input and the output of each layer.
        show_layer_names: whether to show names as well as classes.
        rankdir: "TB", from top to bottom, or "LR", from left to right.
        expand_nested: whether to show the layers of models inside the model.
        dpi: dots per inch.

    Raises ValueError before the model is built, for another rankdir and another ending; ImportError without matplotlib,
    unless the file is a .dot.
    Source: keras/utils/vis_utils.py of Keras 2.3.1.
    """
    to_file = os.fspath(to_file)
    to_file += "" if os.path.splitext(to_file)[1] else ".png"
    dot = model_to_dot(model, show_shapes, show_layer_names, rankdir, expand_nested, dpi)
    dot.write(to_file)
    try:
        from IPython import display
    except ImportError:
        return None
    return display.Image(to_file) if to_file.endswith(".png") else None


def model_to_dot(model: Any, show_shapes: bool = False, show_layer_names: bool = True, rankdir: str = "TB",
                 expand_nested: bool = False, dpi: int = 96) -> Any:
    """The layers of a model as a graph: `to_string()` is text for graphviz, `create(format="svg")` a picture.

    Parameters and errors as for `plot_model`.
    """
    if not hasattr(model, "layers"):
        raise TypeError(f"A model is drawn, got {model!r}.")
    if not model.built:
        raise ValueError("This model has not yet been built. Build it first by calling build((None, D)) or fit() with "
                         "some data, or give the first layer an input_shape.")
    if rankdir not in ("TB", "LR"):
        raise ValueError(f"rankdir must be 'TB' or 'LR', got {rankdir!r}.")
    boxes = []
    for layer in shown_layers(model, expand_nested):
        title = f"{layer.name}: {class_name(layer)}" if show_layer_names else class_name(layer)
        boxes.append((title, (layer.input.shape, layer.output.shape) if show_shapes else None))
    return Dot(model.name, boxes, rankdir, dpi)


def shown_layers(model: Any, expand_nested: bool) -> list[Any]:
    """The layers of a model; with expand_nested those of models inside it in their place, without their inputs."""
    layers: list[Any] = []
    for layer in model.layers:
        inside = shown_layers(layer.model, True) if expand_nested and hasattr(layer, "model") else [layer]
        layers += [each for each in inside if not layers or class_name(each) != "InputLayer"]
    return layers


class Dot:
    """Boxes in a row, each with an arrow to the next one.

    >>> Dot("model", [("dense_1: Dense", None)], "TB", 96).to_string().splitlines()[0]
    'digraph "model" {'
    """

    def __init__(self, name: str, boxes: list[Any], rankdir: str, dpi: int):
        self.name, self.boxes, self.rankdir, self.dpi = name, boxes, rankdir, dpi

    def to_string(self) -> str:
        """The graph in graphviz's language."""
        lines = [f'digraph "{self.name.translate(ESCAPED)}" {{', f"  rankdir={self.rankdir}; node [shape=record];"]
        for i, (title, shapes) in enumerate(self.boxes):
            label = title if shapes is None else f"{title}|{{input:|output:}}|{{{{{shapes[0]}}}|{{{shapes[1]}}}}}"
            lines.append(f'  {i} [label="{label.translate(ESCAPED)}"];')
        lines += [f"  {i} -> {i + 1};" for i in range(len(self.boxes) - 1)]
        return "\n".join([*lines, "}", ""])

    def create(self, prog: str | None = None, format: str = "svg") -> bytes:
        """The picture as the bytes of a file of this format; prog is Keras's and not needed."""
        if format in ("dot", "raw", "gv"):
            return self.to_string().encode()
        memory = io.BytesIO()
        self._drawn().savefig(memory, format=format, dpi=self.dpi)
        return memory.getvalue()

    def write(self, path: Path, prog: Any = None, format: Any = None) -> None:
        """Write the picture to a file; the format is its ending, or given."""
        with open(path, "wb") as file:
            file.write(self.create(format=format or os.path.splitext(path)[1][1:] or "dot"))

    def _drawn(self):
        """A figure of matplotlib."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise ImportError("plot_model draws by matplotlib: python -m pip install matplotlib. A name that ends in "
                              ".dot needs none.") from None
        texts = [title if shapes is None else f"{title}\ninput: {shapes[0]}\noutput: {shapes[1]}"
                 for title, shapes in self.boxes]
        wide = max(len(line) for text in texts for line in text.splitlines()) * 0.088 + 0.4     # inches
        high = max(text.count("\n") + 1 for text in texts) * 0.2 + 0.2
        down, gap = self.rankdir == "TB", 0.35
        step = (high if down else wide) + gap
        width, height = (wide, step * len(texts) - gap) if down else (step * len(texts) - gap, high)
        figure = Figure(figsize=(width + 0.2, height + 0.2), facecolor="white")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-0.1, width + 0.1), ylim=(-0.1, height + 0.1))
        axes.axis("off")
        for i, text in enumerate(texts):
            x, y = (wide / 2, height - high / 2 - i * step) if down else (wide / 2 + i * step, high / 2)
            axes.add_patch(_box(x - wide / 2, y - high / 2, wide, high))
            axes.text(x, y, text, ha="center", va="center", family="monospace", fontsize=9, color=TEXT, linespacing=1.4)
            if i:
                end = (x, y + high / 2) if down else (x - wide / 2, y)
                start = (x, end[1] + gap) if down else (end[0] - gap, y)
                axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": EDGE, "shrinkA": 0,
                                                          "shrinkB": 0})
        return figure


def _box(x, y, width, height):
    from matplotlib.patches import FancyBboxPatch
    return FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=0.06", facecolor=FILL,
                          edgecolor=EDGE, linewidth=1.2)
