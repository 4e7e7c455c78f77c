"""A film of a decision boundary while a model learns, as a GIF or as a page."""
from __future__ import annotations

import base64
import io
import os

import numpy as np

from tinynet.callbacks import LambdaCallback
from tinynet.plotting.boundary import draw_boundary, points_of
from tinynet.plotting.figures import figure_of
from tinynet.types import Any, Array, ArrayLike, Path
from tinynet.validation import whole_number


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
    points, ending = points_of(x, y), str(path).rpartition(".")[2].lower()
    if ending not in ("gif", "html"):
        raise ValueError(f"animate_training writes a .gif or an .html, got {str(path)!r}.")
    if not os.access(os.path.dirname(path) or ".", os.W_OK) or os.path.isdir(path):
        raise FileNotFoundError(f"{path} cannot be written: is there such a folder, and may you write into it?")
    figure, pictures = figure_of(5.6, 5), []
    axes = figure.add_subplot()
    shown = {epochs, *np.rint(np.linspace(0, epochs, min(frames, epochs + 1))).astype(int).tolist()}
    drawn: set[int] = set()

    def draw(epoch, logs=None):
        if epoch in shown - drawn:
            drawn.add(epoch)
            axes.clear()
            loss = f", loss {logs['loss']:.3f}" if logs else ""
            draw_boundary(axes, model, points, f"epoch {epoch}{loss}", resolution)
            figure.savefig(picture := io.BytesIO(), format="png", dpi=90)
            pictures.append(picture)
    draw(0)
    callbacks = [*(options.pop("callbacks", None) or ()),
                 LambdaCallback(on_epoch_end=lambda i, logs: draw(i + 1, logs))]
    history = model.fit(x, y, epochs=epochs, callbacks=callbacks, **options)
    shown.add(last := len(history.epoch))       # training may have stopped early
    draw(last, {"loss": history.history["loss"][-1]} if last else None)
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
