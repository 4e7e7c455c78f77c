"""Every picture shows what it was given, opens no window, and says what to install when it cannot be drawn."""
import io
import sys

import numpy as np
import pytest

from tinynet import plotting
from tinynet.layers import Dense, Dropout
from tinynet.models import Sequential
from tinynet.callbacks import History

images, labels = np.random.random((20, 28, 28)), np.arange(20) % 10


def saved(figure):
    """The figure as the bytes of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    assert file.getvalue()[:4] == b"\x89PNG"
    return file.getvalue()


def history_of(**curves):
    history = History()
    history.on_train_begin()
    for epoch in range(len(curves["loss"])):
        logs = {name: values[epoch] for name, values in curves.items() if values[epoch] is not None}
        history.on_epoch_end(epoch, logs)
    return history


def test_samples_shows_every_image_under_its_label():
    figure = plotting.plot_samples(images[:10], labels[:10], columns=4)
    assert [axes.get_title() for axes in figure.axes] == [str(label) for label in labels[:10]]
    assert all((axes.images[0].get_array() == image).all() for axes, image in zip(figure.axes, images))
    saved(figure)


def test_history_shows_both_curves_and_the_best_epoch():
    figure = plotting.plot_history(history_of(loss=[3, 2, 1], val_loss=[3, 1, 2]), "loss")
    train, test, best = figure.axes[0].lines
    assert train.get_xydata().tolist() == [[1, 3], [2, 2], [3, 1]]
    assert test.get_xydata().tolist() == [[1, 3], [2, 1], [3, 2]]
    assert best.get_xydata().tolist() == [[2, 1]]
    assert test.get_label() == "validation, best 1.0000 in epoch 2"
    saved(figure)
    history = history_of(loss=[1, 1, 1], val_accuracy=[0.1, 0.9, 0.5], accuracy=[0, 0, 0])
    assert plotting.plot_history(history, "accuracy").axes[0].lines[2].get_xydata().tolist() == [[2, 0.9]]


def test_history_puts_a_rare_validation_at_its_epochs():
    figure = plotting.plot_history(history_of(loss=[1, 1, 1, 1], val_loss=[None, 4, None, 3]), "loss")
    assert figure.axes[0].lines[1].get_xydata().tolist() == [[2, 4], [4, 3]]


def test_history_of_what_was_not_measured():
    with pytest.raises(ValueError, match="The history has no 'accuracy'. It has: loss"):
        plotting.plot_history(history_of(loss=[1]), "accuracy")


def test_confusion_matrix_counts():
    figure = plotting.plot_confusion_matrix([0, 0, 0, 1, 2], [0, 1, 1, 1, 2])
    found = {(text.get_position(), text.get_text()) for text in figure.axes[0].texts}
    assert found == {((0, 0), "1"), ((1, 0), "2"), ((1, 1), "1"), ((2, 2), "1")}       # (column, row)
    assert figure.axes[0].get_title() == "3 of 5 correct"
    with pytest.raises(ValueError, match="expects integer classes"):
        plotting.plot_confusion_matrix(np.eye(3), [0, 1, 2])
    saved(figure)
    saved(plotting.plot_confusion_matrix([0, 1], [0, 1], classes=["cat", "dog"]))


def test_mistakes_shows_the_worst_first():
    probabilities = np.full((20, 10), 0.01)
    probabilities[np.arange(20), labels] = 0.9
    probabilities[3], probabilities[7] = 0.0, 0.05
    probabilities[3, 5], probabilities[7, 1] = 1.0, 0.5
    figure = plotting.plot_mistakes(images, labels, probabilities)
    assert [axes.get_title() for axes in figure.axes] == ["true 3, predicted 5", "true 7, predicted 1"]
    saved(figure)


def test_comparison_draws_each_run_over_the_first():
    runs = {"plain": history_of(loss=[2, 1, 1], val_loss=[2, 1.5, 3]), "other": history_of(loss=[1], val_loss=[4]),
            "better": history_of(loss=[2, 1], val_loss=[2, 1])}
    figure = plotting.plot_comparison(runs, columns=2)
    titles = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert titles == ["plain", "other", "better"]
    assert [text.get_text() for axes in figure.axes for text in axes.texts] == ["1.500", "4.000", "1.000"]
    assert [line.get_xydata().tolist() for line in figure.axes[2].lines[:4]] == [
        [[1, 2], [2, 1], [3, 1]], [[1, 2], [2, 1.5], [3, 3]], [[1, 2], [2, 1]], [[1, 2], [2, 1]]]
    saved(figure)
    with pytest.raises(ValueError, match="The history of 'bare' has no 'val_loss'. It has: loss"):
        plotting.plot_comparison({"bare": history_of(loss=[1])})


def test_gradient_flow_shows_layers_and_parameters_and_changes_nothing():
    model = Sequential([Dense(5, "relu", input_shape=(4,), trainable=False), Dropout(0.5), Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    x, y = np.random.default_rng(0).standard_normal((6, 4)), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    before = model.get_weights()
    figure = plotting.plot_gradient_flow(model, x, y)
    left, right = figure.axes
    last = model.layers[-1].name
    assert [label.get_text() for label in left.get_yticklabels()] == [last]      # the way back ends at the frozen layer
    names = [label.get_text().split("  ")[0] for label in right.get_yticklabels()]
    assert names == [f"{last}/kernel:0", f"{last}/bias:0"]
    gradient = model.explain_step(x, y).layers[-2].dy
    assert left.lines[0].get_xdata()[0] == pytest.approx(np.sqrt((gradient ** 2).mean()))
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))
    saved(figure)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "tinynet-backprop\[plot\]"'):
        plotting.plot_samples(images)
