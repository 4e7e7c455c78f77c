"""Every picture shows what it was given, opens no window, and says what to install when it cannot be drawn."""
import ast
import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from browser import needs_no_network

from tinynet import plotting
from tinynet.initializers import Constant
from tinynet.layers import Dense, Dropout
from tinynet.models import Sequential
from tinynet.plotting import figures, film, gradients
from tinynet.callbacks import EarlyStopping, History, LambdaCallback

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
    assert [text.get_text().split(",")[0] for text in right.texts] == ["kernel", "bias"]
    gradient = model.explain_step(x, y).layers[-2].dy
    assert left.lines[0].get_xdata()[0] == pytest.approx(np.sqrt((gradient ** 2).mean()))
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))
    saved(figure)


def test_the_two_panels_of_gradient_flow_share_their_rows_and_explain_zeros():
    model = Sequential([Dense(5, "relu", input_shape=(4,)), Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    x = np.random.default_rng(0).standard_normal((6, 4)) * [1, 1, 1, 0]
    left, right = plotting.plot_gradient_flow(model, x, np.eye(3)[[0, 1, 2, 0, 1, 2]]).axes
    assert left.get_ylim() == right.get_ylim()
    rows = {text.get_text().split(",")[0]: text.xy[1] for text in right.texts[-2:]}      # of the last layer
    middle = dict(zip([label.get_text() for label in left.get_yticklabels()], left.get_yticks()))["dense_2"]
    assert (rows["kernel"] + rows["bias"]) / 2 == middle
    assert any("% zero" in text.get_text() for text in right.texts)
    assert right.get_xlabel() == "|dL/dw|, without the gradients that are exactly zero"


@pytest.mark.parametrize("span", [1.3, 3, 8, 60])
def test_an_axis_of_less_than_two_decades_has_several_labels(span):
    axes = figures.figure_of(4, 3).add_subplot()
    axes.set_xscale("log")
    axes.set_xlim(0.0123, 0.0123 * span)
    gradients._label_decades(axes)
    assert len([label for label in axes.get_xticklabels() if label.get_text()]) >= 2


def blobs(classes=3, n=60):
    rng = np.random.default_rng(0)
    y = np.arange(n) % classes
    return 0.3 * rng.standard_normal((n, 2)) + np.stack([np.cos(2.1 * y), np.sin(2.1 * y)], axis=1), y


def planar(units=3, loss="sparse_categorical_crossentropy", last="softmax"):
    model = Sequential([Dense(units, last, input_shape=(2,))])
    model.compile("adam", loss)
    return model


def test_a_boundary_has_a_colour_where_each_class_is_predicted():
    model, (x, y) = planar(), blobs()
    model.set_weights([np.array([[1.0, -1.0, -1.0], [0.0, 1.0, -1.0]]) * 8, np.zeros(3)])
    figure = plotting.plot_boundary(model, x, y, "three", resolution=50)
    axes, = figure.axes
    picture, (left, right, bottom, top) = axes.images[0].get_array(), axes.images[0].get_extent()
    for point, (colour, _) in zip(([1.2, 0], [-0.8, 0.9], [-0.8, -0.9]), figures.CLASSES):
        column, row = int((point[0] - left) / (right - left) * 49), int((point[1] - bottom) / (top - bottom) * 49)
        found, wanted = picture[row, column], figures.rgb(colour)
        assert np.argmax(found) == np.argmax(wanted) and found.min() < 0.7
    assert [len(line.get_xdata()) for line in axes.lines] == [20, 20, 20] and axes.get_title() == "three"
    assert len({line.get_marker() for line in axes.lines}) == 3
    borders = [collection for collection in axes.collections if len(collection.get_paths()[0].vertices) > 10]
    assert len(borders) == 3        # a line around each class
    one_hot = plotting.plot_boundary(model, x, np.eye(3)[y], resolution=50)
    assert (one_hot.axes[0].images[0].get_array() == picture).all()
    saved(figure)


def test_logits_are_no_probabilities():
    x, y = blobs(2)
    with pytest.raises(ValueError, match="A boundary needs probabilities, got numbers from .* sigmoid or a softmax"):
        plotting.plot_boundary(planar(1, "mse", "linear"), 9 * x, y)


def test_dead_units_single_gradients_and_dollar_signs_are_drawn():
    model = Sequential([Dense(3, "relu", input_shape=(4,), bias_initializer=Constant(-100.0)), Dense(1, "sigmoid")],
                       name="costs $5 and $x")
    model.compile("sgd", "binary_crossentropy")
    x = np.random.default_rng(0).standard_normal((6, 4))
    figure = plotting.plot_gradient_flow(model, x, np.ones((6, 1)))
    left, right = figure.axes
    assert {text.get_text() for text in right.texts} == {"kernel, 100% zero", "bias, 100% zero", "bias"}
    low, high = right.get_ylim()
    assert all(low < text.xy[1] < high for text in right.texts)
    assert [line.get_marker() for line in right.lines if len(line.get_xdata()) == 1] == ["o"]       # a single gradient
    saved(figure)


def test_a_film_ends_with_the_last_epoch_though_training_stops_early(tmp_path):
    x, y = blobs()
    history = plotting.animate_training(planar(), x, y, tmp_path / "film.html", epochs=50, frames=3, resolution=10,
                                        verbose=0, callbacks=[EarlyStopping("loss", min_delta=10)])
    assert 0 < len(history.epoch) < 10 and (tmp_path / "film.html").read_text().count('"iVBOR') == 2


def test_a_boundary_of_one_probability():
    model, (x, y) = planar(1, "binary_crossentropy", "sigmoid"), blobs(2)
    figure = plotting.plot_boundary(model, x, y.reshape(-1, 1))
    assert len(figure.axes[0].lines) == 2
    saved(figure)


def test_a_boundary_is_of_points_in_the_plane():
    model, (x, y) = planar(), blobs()
    for points, labels in ((x[:, :1], y), (x, y[:-1]), (np.zeros((5, 3)), np.zeros(5))):
        with pytest.raises(ValueError, match=r"x must have the shape \(N, 2\), and y N classes, got"):
            plotting.plot_boundary(model, points, labels)
    for labels in (2 * (y > 0) - 1, y + 0.5, np.array(["a"] * len(y))):
        with pytest.raises(ValueError, match="must be whole numbers from 0, or one-hot rows, got"):
            plotting.plot_boundary(model, x, labels)
    with pytest.raises(ValueError, match="predicts 3 classes, from 0, but a point has the class 5"):
        plotting.plot_boundary(model, x, y + 3)
    many = Sequential([Dense(20, input_shape=(2,))])
    with pytest.raises(ValueError, match=r"predicts \(N, C\), C from 1 to 8, got \(40000, 20\)"):
        plotting.plot_boundary(many, x, y)


@pytest.mark.parametrize("ending", ["gif", "html"])
def test_an_animation_trains_as_fit_does(ending, tmp_path):
    x, y = blobs()
    models = [planar(), planar()]
    models[1].set_weights(models[0].get_weights())
    path, seen = tmp_path / f"training.{ending}", []
    callback = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    history = plotting.animate_training(models[0], x, y, path, epochs=6, frames=4, resolution=20, verbose=0,
                                        shuffle=False, callbacks=[callback])
    assert history.history == models[1].fit(x, y, epochs=6, verbose=0, shuffle=False).history and seen == list(range(6))
    if ending == "gif":
        with pytest.importorskip("PIL.Image").open(path) as image:
            assert image.n_frames == 4
    else:
        page = path.read_text(encoding="utf-8")
        assert page.count('"iVBOR') == 4 and needs_no_network(page)
    with pytest.raises(ValueError, match=r"writes a .gif or an .html, got 'film.mp4'"):
        plotting.animate_training(models[0], x, y, "film.mp4")
    with pytest.raises(ValueError, match="frames must be a whole number of at least 1"):
        plotting.animate_training(models[0], x, y, path, frames=0)
    with pytest.raises(FileNotFoundError, match="missing.*cannot be written: is there such a folder"):
        plotting.animate_training(models[0], x, y, tmp_path / "missing" / "film.gif")
    assert models[0].optimizer.iterations == models[1].optimizer.iterations


def test_a_film_shows_the_model_after_each_of_its_epochs(monkeypatch, tmp_path):
    titles = []
    draw = film.draw_boundary
    monkeypatch.setattr(film, "draw_boundary", lambda axes, model, points, title, resolution: (
        titles.append((title, int(model.optimizer.iterations))), draw(axes, model, points, title, resolution)))
    x, y = blobs()
    history = plotting.animate_training(planar(), x, y, tmp_path / "film.gif", epochs=3, batch_size=60, frames=9,
                                        resolution=10, verbose=0)
    losses = [f", loss {loss:.3f}" for loss in history.history["loss"]]
    assert titles == [("epoch 0", 0), *((f"epoch {k}{losses[k - 1]}", k) for k in (1, 2, 3))]


def test_chinese_labels_have_glyphs_or_a_sentence(capsys, monkeypatch):
    model, (x, y) = planar(), blobs()
    figure = plotting.plot_boundary(model, x, y, "决策边界", resolution=10)
    saved(figure)
    told = capsys.readouterr().err
    if plotting.has_chinese_glyphs():
        assert figure.axes[0].get_title() == "决策边界" and told == ""
    monkeypatch.setattr(figures, "_chinese_fonts", lambda: [])
    figure = plotting.plot_confusion_matrix([0, 1], [0, 1], classes=["猫", "dog"])
    saved(figure)
    told = capsys.readouterr().err
    assert "No font for '猫' is installed, so boxes stand in the picture" in told and told.count("No font") == 1
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["\u25a1", "dog"]


def seen_by(colour, matrix):
    """The CIE Lab coordinates of a colour as an eye of this matrix sees it."""
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in figures.rgb(colour)])
    r, g, b = np.clip(np.array(matrix) @ linear, 0, 1)
    xyz = np.array([0.4124 * r + 0.3576 * g + 0.1805 * b, 0.2126 * r + 0.7152 * g + 0.0722 * b,
                    0.0193 * r + 0.1192 * g + 0.9505 * b]) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


# Of eyes without one of the three kinds of cones. Source: Machado et al., IEEE Trans. Vis. Comput. Graph. 15 (2009).
EYES = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]}


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("where", ["lines", "classes", "reports", "benchmarks"])
def test_the_colour_blind_can_tell_the_colours_apart(where, eye):
    from tinynet.explain import page as explain_page
    from tinynet.gradient_check import report
    palette = {
        "lines": [figures.BLUE, figures.ORANGE], "classes": [colour for colour, _ in figures.CLASSES[:4]],
        "reports": list(report.COLOURS.values()), "benchmarks": benchmark_colours()[:5]}[where]
    assert (explain_page.FORWARD, explain_page.BACKWARD) == (figures.BLUE, figures.ORANGE)
    least = 10 if where == "reports" else 20        # pale backgrounds of words that say the same
    for i, colour in enumerate(palette):
        for other in palette[:i]:
            assert np.linalg.norm(seen_by(colour, EYES[eye]) - seen_by(other, EYES[eye])) > least, (colour, other)


def benchmark_colours():
    """The colours of the benchmarks' pictures, which are the same in all of them."""
    folder = Path(plotting.__file__).parents[2] / "benchmarks"
    found = {re.search(r"^COLOURS = (.+)$", (folder / name).read_text(), re.MULTILINE)[1]
             for name in ("compare.py", "scaling.py")}
    assert len(found) == 1
    return ast.literal_eval(found.pop())


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "tinynet-backprop\[plot\]"'):
        plotting.plot_samples(images)
