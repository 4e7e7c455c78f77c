"""One step of training, seen from inside: each formula, each shape, and how large everything is.

All of it happens to a copy, and the formulas are those of the layers' own docstrings.  It must not know any formula.
"""
from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass, field

import numpy as np

from tinynet import activations
from tinynet.arguments import shortened
from tinynet.backend import to_numpy, working, xp
from tinynet.dataset import Dataset
from tinynet.door import Door
from tinynet.layers import Activation
from tinynet.losses.fusion import FusedLoss

__all__ = ["Explaining", "Explanation", "LinkRecord"]


@dataclass
class LinkRecord:
    """What one link of the chain did in a step."""

    name: str
    forward: str                    # its formulas
    backward: str
    y: np.ndarray                   # what came out
    dy: np.ndarray | None = None    # what came back; None where the way back did not pass
    gradients: dict[str, np.ndarray] = field(default_factory=dict)      # of its parameters, by name
    values: dict[str, np.ndarray] = field(default_factory=dict)         # before the step
    updates: dict[str, np.ndarray] = field(default_factory=dict)        # by how much they moved


@dataclass
class Explanation:
    """A record of one step; `str()` is a table of at most 100 columns."""

    title: str
    x: np.ndarray
    links: list[LinkRecord]
    loss_name: str
    loss: float
    regularization: float
    loss_backward: str              # its formula
    loss_dy: np.ndarray             # with respect to the prediction, or the logits where the loss is fused

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """The gradient of every trainable parameter, by its name, regularization included."""
        return {name: gradient for link in self.links for name, gradient in link.gradients.items()}

    def __str__(self) -> str:
        lines = [self.title, "", _row("forward", "", "shape", "norm of y"), _row("x", "the data", *_of(self.x))]
        lines += [_row(link.name, link.forward, *_of(link.y)) for link in self.links]
        lines += [_row("loss", self.loss_name, "", f"{self.loss:.6g}")]
        if self.regularization:
            lines += [_row("", "of which regularization", "", f"{self.regularization:.6g}")]
        lines += ["", _row("backward", "", "shape", "norm of dy")]
        lines.append(_row("loss", self.loss_backward, *_of(self.loss_dy)))
        for link in reversed(self.links):
            if link.dy is None:
                lines.append(_row(link.name, "(passed by)", "", ""))
                continue
            lines.append(_row(link.name, link.backward, *_of(link.dy)))
            for name, gradient in link.gradients.items():
                sizes = [float(np.linalg.norm(a)) for a in (gradient, link.values[name], link.updates[name])]
                lines.append(f"    {shortened(name, 28):<28} {_shape(gradient):<12} gradient {sizes[0]:.2e}, "
                             f"value {sizes[1]:.2e}, moved by {sizes[2]:.2e}")
        return "\n".join(lines)


class Explaining(Door):
    """A model that shows what happens in a step."""

    def explain_step(self, x, y, sample_weight=None) -> Explanation:
        """A record of the step of training that would come next on these samples; the model stays as it is.

        Raises like `fit`.
        """
        self._checked(x, y, sample_weight)
        with working():
            model = copy.deepcopy(self, {id(getattr(self, "history", None)): None})
            x, y, weights = Dataset(model._checked(x, y, sample_weight)).arrays
            model._mark_learning()
            return _explain(model, x, y, weights)

    def gradients(self, x, y, sample_weight=None) -> dict[str, np.ndarray]:
        """The gradient of the loss with respect to each trainable parameter, by its name, as the next step has it.

        Raises like `fit`.
        """
        return self.explain_step(x, y, sample_weight).gradients

    def loss_and_gradient(self, theta, x, y, sample_weight=None) -> tuple[float, np.ndarray]:
        """The loss, and its gradient with respect to theta, all trainable weights end to end; dropout is off.

        An objective for scipy.optimize.minimize(model.loss_and_gradient, theta, args=(x, y), jac=True), whose start
        is `to_numpy(model.parameters.value)`.  The model holds theta afterwards.
        Raises ValueError for a theta of another length, and like `fit`.
        """
        with working():
            x, y, weights = Dataset(self._checked(x, y, sample_weight)).arrays
            theta = np.asarray(theta)
            if theta.shape != self.parameters.value.shape:
                raise ValueError(f"theta must hold the {self.parameters.value.size:,} trainable weights of {self.name},"
                                 f" got an array of shape {theta.shape}.")
            self._gather()
            self.parameters.value[...] = xp.asarray(theta, self.dtype)
            y_pred = self.forward(x)
            loss = self.loss.forward(y, y_pred, weights) + self.penalty()
            self.backward(self.loss.backward(y, y_pred, weights))
            return float(loss), to_numpy(self.parameters.grad).astype(float)


def _explain(model, x, y, weights) -> Explanation:
    """The record of one step of a model, which takes it."""
    model._gather()
    records, h = [], x
    for link in model.chain:
        h = link.forward(h, training=True)
        forward, backward = _formulas(link)
        records.append(LinkRecord(link.name, forward, backward, to_numpy(h)))
    loss = model.loss.forward(y, h, weights) + model.penalty()
    dy = model.loss.backward(y, h, weights)
    loss_dy, loss_backward = to_numpy(dy), _loss_formula(model.loss, weights)
    for i, link in reversed(list(enumerate(model.chain[:len(model.chain) - _passed_by(model)]))):
        if link in model.backward_chain:
            records[i].dy = to_numpy(dy)
            link.needs_dx = link is not model.backward_chain[0]
            dy = link.backward(dy)
    model.parameters.regularize()
    learned = [(record, p) for record, link in zip(records, model.chain) for p in link.parameters
               if any(p is q for q in model.parameters.parameters)]
    for record, p in learned:
        record.gradients[p.name], record.values[p.name] = to_numpy(p.grad), to_numpy(p.value)
    model.optimizer.update(model.parameters.value, model.parameters.grad)
    model.parameters.constrain()
    for record, p in learned:
        record.updates[p.name] = to_numpy(p.value) - record.values[p.name]
    title = f"Step {model.optimizer.iterations} of {model.name}, by {model.optimizer!r}, on {len(x)} samples"
    return Explanation(title, to_numpy(x), records, model.loss.name, float(loss), float(model.regularization),
                       loss_backward, loss_dy)


def _passed_by(model) -> int:
    """How many links at the end of the chain a fused loss has gone through already."""
    return model.loss.links if isinstance(model.loss, FusedLoss) else 0


def _formulas(link):
    """(forward, backward) of a link, from the docstrings of the code that runs."""
    if type(link) is Activation:
        return _first(link.activation), _first(activations.BACKWARD[link.activation])
    return _first(type(link)), _first(type(link).backward)


def _loss_formula(loss, weights) -> str:
    """What a loss hands back, from the docstring of its derivative: for each sample, and for the batch."""
    text = " ".join((getattr(loss.derivative, "__doc__", None) or "its derivative").split())
    plain, _, from_logits = text.partition(" from_logits: ")
    formula = from_logits if loss.arguments.get("from_logits") and from_logits else plain
    target, weight = ("dl/dz", "w dl/dz") if "dl/dz" in formula else ("dl/dp", "w dl/dp")
    smoothed = ", t smoothed" if loss.arguments.get("label_smoothing") else ""
    share = "" if loss.reduction == "sum" else " / N"
    return f"{formula}{smoothed};  dy = {target if weights is None else weight}{share}"


def _first(thing) -> str:
    """The first sentence of a docstring, if the thing has one of its own."""
    text = inspect.cleandoc(getattr(thing, "__doc__", None) or "").split("\n\n")[0]
    return " ".join(text.split()).split(".  Source")[0]


def _of(array):
    return _shape(array), f"{float(np.linalg.norm(array)):.6g}"


def _shape(array) -> str:
    return str(array.shape).replace(" ", "")


def _row(name, formula, shape, size):
    """A line of the table; a formula that is too long goes on below."""
    width, lines, line = 52, [], ""
    for word in formula.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    first, *more = [*lines, line]
    row = f"{shortened(name, 20):<20} {first:<{width}} {shape:<12} {size:>12}".rstrip()
    return "\n".join([row, *(f"{'':<20} {text}" for text in more)])
