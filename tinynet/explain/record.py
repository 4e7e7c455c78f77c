"""explain_step: a record of one training step, with each formula, shape and size.

The step is taken by a copy of the model. The formulas are those of the docstrings of the code that runs.
"""
from __future__ import annotations

import copy
import inspect
import textwrap
from dataclasses import dataclass, field

import numpy as np

from tinynet import activations
from tinynet.backend import to_numpy, working, xp
from tinynet.text_width import counted, padded, shortened
from tinynet.layers import Activation
from tinynet.fused_layers import unfuse
from tinynet.types import Any, Array, ArrayLike, Path


@dataclass
class LayerRecord:
    """What one layer did in a step."""

    name: str
    forward: str                    # formulas
    backward: str
    kind: str = ""                  # the class, of an Activation its function
    x: np.ndarray | None = None     # the input
    y: np.ndarray | None = None     # the output
    dy: np.ndarray | None = None    # the gradient with respect to it; None if backward did not need this layer
    gradients: dict[str, np.ndarray] = field(default_factory=dict)      # of its parameters, by name
    values: dict[str, np.ndarray] = field(default_factory=dict)         # before the step
    updates: dict[str, np.ndarray] = field(default_factory=dict)        # by how much they changed
    weights: dict[str, np.ndarray] = field(default_factory=dict)        # all before the step, also those not trained


@dataclass(repr=False)
class Explanation:
    """A record of one step: `str()` is a table of at most 100 columns, and a notebook shows `html()`."""

    title: str
    x: np.ndarray
    layers: list[LayerRecord]
    loss_name: str
    loss: float
    regularization: float
    loss_backward: str              # its formula
    loss_dy: np.ndarray             # the gradient with respect to the prediction, or the logits
    y_true: np.ndarray
    y_pred: np.ndarray
    lang: str = "en"                # of the page in a notebook; "zh" is Chinese

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """The gradient of every trainable parameter, by name, of the loss with its penalties."""
        return {name: gradient for layer in self.layers for name, gradient in layer.gradients.items()}

    def __str__(self) -> str:
        lines = [self.title, "", _row("forward", "", "shape", "norm of y"), _row("x", "the data", *_of(self.x))]
        lines += [_row(layer.name, layer.forward, *_of(layer.y)) for layer in self.layers]
        lines += [_row("loss", self.loss_name, "", f"{self.loss:.6g}")]
        if self.regularization:
            lines += [_row("", "of which regularization", "", f"{self.regularization:.6g}")]
        lines += ["", _row("backward", "", "shape", "norm of dy")]
        lines.append(_row("loss", self.loss_backward, *_of(self.loss_dy)))
        for layer in reversed(self.layers):
            if layer.dy is None:
                lines.append(_row(layer.name, "(skipped)", "", ""))
                continue
            lines.append(_row(layer.name, layer.backward, *_of(layer.dy)))
            for name, gradient in layer.gradients.items():
                sizes = [float(np.linalg.norm(a)) for a in (gradient, layer.values[name], layer.updates[name])]
                lines.append(f"    {padded(shortened(name, 28), 28)} {_shape(gradient):<12} gradient {sizes[0]:.2e}, "
                             f"value {sizes[1]:.2e}, update {sizes[2]:.2e}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Explanation: {self.title}>"

    def html(self, lang: str | None = None) -> str:
        """A page that shows the network as a graph and walks the step link by link; "zh" is Chinese, None `self.lang`.

        Of a small network, of at most twelve units a layer and twelve samples, it has every number, and the sum it came
        from under the pointer; of a larger one heat maps and histograms. Raises ValueError for another language.
        """
        from tinynet.explain import page        # here, because only notebooks and pages need it
        return page.html_of(self, lang or self.lang)

    def save(self, path: Path, lang: str | None = None) -> None:
        """Write the page of `html` as one file, which needs no network."""
        text = self.html(lang).encode()
        with open(path, "wb") as file:
            file.write(text)

    def _repr_html_(self) -> str:
        from tinynet.explain import page
        return page.in_notebook(self)


def explain_step(model: Any, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike = None) -> Explanation:
    """A record of the training step that comes next on these samples; the model does not change.

    Raises like `fit`.
    """
    model.checked_batch(x, y, sample_weight)
    with working():
        model = copy.deepcopy(model, {id(getattr(model, "history", None)): None})
        return _explain(model, *model.checked_batch(x, y, sample_weight))


def gradients(model: Any, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike = None) -> dict[str, np.ndarray]:
    """The gradient of the loss with respect to each trainable parameter, by name, as in the next step.

    Raises like `fit`.
    """
    return explain_step(model, x, y, sample_weight).gradients


def loss_and_gradient(model: Any, theta: Array, x: ArrayLike, y: ArrayLike,
                      sample_weight: ArrayLike = None) -> tuple[float, np.ndarray]:
    """The loss, and its gradient with respect to theta, all trainable weights end to end, without dropout.

    An objective for scipy.optimize.minimize(model.loss_and_gradient, theta, args=(x, y), jac=True), from the initial
    value `to_numpy(model.parameters.value)`. The weights of the model are theta afterwards.

    Raises ValueError for a theta of another length, and like `fit`.
    """
    with working():
        batch = model.checked_batch(x, y, sample_weight)
        theta = np.asarray(theta)
        if theta.shape != model.parameters.value.shape:
            raise ValueError(f"theta must hold the {model.parameters.value.size:,} trainable weights of {model.name}, "
                             f"got an array of shape {theta.shape}.")
        model.parameters = model.parameters.contiguous()
        model.parameters.value[...] = xp.asarray(theta, model.dtype)
        loss, _ = model.compute_gradients(*batch, training=False)
        return float(loss), to_numpy(model.parameters.grad).astype(float)


def raise_nonfinite_loss(model: Any, state: Any, batch: int, loss: Any) -> None:
    """Raise FloatingPointError for a loss that is NaN or infinite; it names the first layer whose output is."""
    where = "No output that a layer keeps is NaN or infinite: look at the loss, the targets and layers of your own."
    stack = model.stack
    if state.means.batches > batch:         # outputs are those of later batches, or of the validation
        stack, where = [], "A GPU is checked only when the epoch ends; TINYNET_BACKEND=numpy tells the layer."
    for layer, following in zip(stack, [*stack[1:], None]):
        y = getattr(layer, "y", getattr(following, "x", layer._buffers.get("y")))
        if isinstance(y, xp.ndarray) and not bool(xp.isfinite(y).all()):
            where = f"The output of {layer.name} is the first that is not finite."
            break
    rate = float(model.optimizer.lr)
    raise FloatingPointError(
        f"The loss is {float(loss)} in batch {batch + 1} of epoch {state.epoch + 1}. {where} Likely cures: a lower "
        f"learning_rate than {rate:g}; clipnorm=1.0 in the optimizer; inputs between 0 and 1. Files of earlier "
        "epochs are unchanged. With callbacks=[TerminateOnNaN()] training ends without this error.")


def _explain(model, x, y, weights) -> Explanation:
    """The record of one step of a model, which changes."""
    unfuse(model)
    records = [_recorded(layer, layer in model.backward_stack) for layer in model.stack]
    loss_backward, loss_dy = model.loss_backward, []

    def record_loss(*arguments):
        dz = loss_backward(*arguments)
        loss_dy.append(to_numpy(dz))
        return dz
    model.loss_backward = record_loss
    loss, y_pred = model.compute_gradients(x, y, weights)
    trained = [(record, p) for record, layer in zip(records, model.stack) for p in layer.parameters
               if any(p is q for q in model.parameters.parameters)]
    for record, p in trained:
        record.gradients[p.name], record.values[p.name] = to_numpy(p.grad), to_numpy(p.value)
    model.apply_gradients()
    for record, p in trained:
        record.updates[p.name] = to_numpy(p.value) - record.values[p.name]
    title = f"Step {model.optimizer.iterations} of {model.name}, by {model.optimizer!r}, on {counted(len(x), 'sample')}"
    return Explanation(title, to_numpy(x), records, model.loss.name, float(loss), float(model.regularization),
                       _loss_formula(model.loss_of_z, weights, loss_dy[0]), loss_dy[0], to_numpy(y), to_numpy(y_pred))


def _recorded(layer, backward) -> LayerRecord:
    """The record of a layer, which is filled when its forward and, if wanted, its backward runs."""
    kind = layer.activation.__name__ if type(layer) is Activation else type(layer).__name__
    record = LayerRecord(layer.name, *_formulas(layer))
    record.kind = kind if type(layer).__module__.startswith("tinynet.") else ""      # a user's may be called Dense
    record.weights = {p.name: to_numpy(p.value) for p in layer.parameters}
    layer_forward, layer_backward = layer.forward, layer.backward

    def record_y(x, training=False):
        record.x = to_numpy(x)
        y = layer_forward(x, training)
        record.y = to_numpy(y)
        return y

    def record_dy(dy):
        record.dy = to_numpy(dy)
        return layer_backward(dy)
    layer.forward, layer.backward = record_y, record_dy if backward else layer_backward
    return record


def _formulas(layer):
    """(forward, backward) of a layer, from the docstrings of the code that runs."""
    if type(layer) is Activation:
        return _first(layer.activation), _first(activations.BACKWARD[layer.activation])
    return _first(type(layer)), _first(type(layer).backward)


def _loss_formula(loss, weights, dy) -> str:
    """The derivative of a loss, from its docstring: for a sample, and for the batch."""
    text = " ".join((getattr(loss.derivative, "__doc__", None) or "its derivative").split())
    plain, _, from_logits = text.partition(" from_logits: ")
    formula = from_logits if loss.arguments.get("from_logits") and from_logits else plain
    target, weight = ("dl/dz", "w dl/dz") if "dl/dz" in formula else ("dl/dp", "w dl/dp")
    smoothed = ", t smoothed" if loss.arguments.get("label_smoothing") else ""
    losses = dy.size // loss.outputs_in_each(dy)
    share = "" if loss.reduction == "sum" else " / N" if losses == len(dy) else f" / {losses}"
    return f"{formula}{smoothed};  dy = {target if weights is None else weight}{share}"


def _first(thing) -> str:
    """The first sentence of a docstring, if there is one."""
    text = inspect.cleandoc(getattr(thing, "__doc__", None) or "").split("\n\n")[0]
    return " ".join(text.split()).split(". Source")[0]


def _of(array):
    return _shape(array), f"{float(np.linalg.norm(array)):.6g}"


def _shape(array) -> str:
    return str(array.shape).replace(" ", "")


def _row(name, formula, shape, size):
    """A line of the table; a long formula is wrapped."""
    first, *more = textwrap.wrap(" ".join(formula.split()), 52, break_long_words=False, break_on_hyphens=False) or [""]
    row = f"{padded(shortened(name, 20), 20)} {first:<52} {shape:<12} {size:>12}".rstrip()
    return "\n".join([row, *(f"{'':<20} {text}" for text in more)])
