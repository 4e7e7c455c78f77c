"""The page of a training step in a real browser: it can be walked, and each number has the sum it came from."""
import re

import numpy as np
import pytest
from browser import needs_browser, needs_no_network, run_in

from tinynet.explain import page as explain_page
from tinynet.explain import sums as explain_sums
from tinynet.layers import BatchNormalization, Dense, Dropout, Layer, LeakyReLU, Softmax
from tinynet.models import Sequential
from tinynet.optimizers import SGD

X, T = np.array([[0.5, -1.0], [1.0, 2.0], [0.0, 1.0]]), np.eye(2)[[1, 0, 0]]


def small(last="softmax", loss="categorical_crossentropy", **options):
    model = Sequential([Dense(3, "tanh", input_shape=(2,), **options), Dense(2, last)])
    model.compile(SGD(0.1), loss)
    return model


def dropping():
    model = Sequential([Dense(5, "relu", input_shape=(2,)), Dropout(0.5, seed=3), Dense(2, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    return model


def large():
    model = Sequential([Dense(40, "relu", input_shape=(30,)), Dropout(0.2), Dense(10, "softmax")])
    model.compile("rmsprop", "categorical_crossentropy")
    rng = np.random.default_rng(0)
    return model.explain_step(rng.standard_normal((20, 30)), np.eye(10)[rng.integers(0, 10, 20)])


def value(line):
    """The number at the end of a line of arithmetic, and what the arithmetic before it gives."""
    line = re.sub(r"(\S+) where (\S+) > 0, else 0 =", r"(\1) * (\2 > 0) =", line)
    *_, arithmetic, result = line.split(": ")[-1].split(" = ")
    arithmetic = re.sub(r" of the penalty", "", arithmetic)
    for word, function in (("exp(", "np.exp("), ("tanh(", "np.tanh(")):
        arithmetic = arithmetic.replace(word, function)
    arithmetic = re.sub(r"(?<=[\d)]) (?=\()", " * ", arithmetic).replace("^", "**")
    arithmetic = re.sub(r"\) 2 /", ") * 2 /", arithmetic)
    return float(result), float(eval(arithmetic, {"np": np, "max": max}))


@pytest.mark.parametrize("model", [
    small(), small(kernel_regularizer="l2"), small("sigmoid", "mse"), small("sigmoid", "binary_crossentropy"),
    small("linear", "mse"), small("relu", "mae"), dropping()],
                         ids=["softmax", "l2", "sigmoid", "bce", "mse", "mae", "dropout"])
def test_the_sum_beside_each_number_gives_that_number(model):
    """The arithmetic on the page is done again, with its numbers of four digits."""
    explained = model.explain_step(X, T)
    layers, seen = explained.layers, 0
    lines = [(explain_sums.of_y(layer), layer.y) for layer in layers]
    for before, layer in zip(layers, layers[1:]):
        if layer.dy is not None:
            lines.append((explain_sums.of_dx(layer, before.dy), before.dy))
    for layer in layers:
        for name, gradient in layer.gradients.items():
            lines.append((explain_sums.of_gradient(layer, name), gradient))
            lines.append((explain_sums.of_update(layer, name), layer.values[name] + layer.updates[name]))
    for texts, array in lines:
        for text, number in zip(np.ravel(texts), np.ravel(array)):
            if text.split(" = ")[0] == text or " (m / (1 - rate)) = " in text:
                continue        # of a zero it cannot be told whether it was dropped
            shown, computed = value(text)
            assert shown == pytest.approx(float(number), rel=1e-3, abs=1e-6), text
            assert computed == pytest.approx(shown, rel=2e-2, abs=2e-3), text
            seen += 1
    assert seen > 40


def test_the_gradient_of_the_loss_is_told_with_its_numbers():
    lines = explain_sums.of_loss(small().explain_step(X, T))
    assert re.fullmatch(r"dz\[0,1\] = \(p - t\) / 3 = \(0\.\d+ - 1\) / 3 = -0\.\d+", lines[0][1])
    lines = explain_sums.of_loss(small("linear", "mse").explain_step(X, T))
    assert re.fullmatch(r"dp\[0,0\] = \(p - t\) / 3 = .*", lines[0][0])     # 2 e / C, of two outputs and three samples
    lines = explain_sums.of_loss(small("linear", "mae").explain_step(X, T))
    assert "sign(e)" in lines[0][0] and "(p - t)" not in lines[0][0]


@pytest.mark.parametrize("loss, last, target", [
    ("mae", "linear", [[2.0]]), ("hinge", "tanh", [[1.0]]), ("logcosh", "linear", [[2.0]])])
def test_only_losses_that_are_p_minus_t_are_told_as_that(loss, last, target):
    """Of one number any gradient is a multiple of p - t."""
    model = Sequential([Dense(1, last, input_shape=(2,))])
    model.compile("sgd", loss)
    assert "(p - t)" not in explain_sums.of_loss(model.explain_step(X[:1], target))[0][0]


def test_weights_of_samples_are_no_division_by_zero_and_integer_classes_are_shown():
    model = Sequential([Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse")
    assert "/ 0" not in explain_sums.of_loss(model.explain_step(X[:1], [[1.0]], sample_weight=[4000.0]))[0][0]
    model = small(loss="sparse_categorical_crossentropy")
    lines = explain_sums.of_loss(model.explain_step(X, [1, 0, 0]))
    assert re.fullmatch(r"dz\[0,1\] = \(p - t\) / 3 = \(0\.\d+ - 1\) / 3 = -0\.\d+", lines[0][1])


def test_layers_without_sums_show_their_formula():
    model = Sequential([Dense(3, input_shape=(2,)), LeakyReLU(), BatchNormalization(), Dropout(0.3, seed=1), Dense(2),
                        Softmax()])
    model.compile("adam", "mse")
    explained = model.explain_step(X, T)
    leaky, norm, dropout, softmax = (next(layer for layer in explained.layers if layer.kind == kind) for kind in (
        "LeakyReLU", "BatchNormalization", "Dropout", "Softmax"))
    assert explain_sums.of_y(leaky)[0][0].startswith("y = x where x > 0, else alpha x;  y[0,0] = ")
    assert explain_sums.of_gradient(norm, list(norm.gradients)[0])[0][0].startswith("dgamma = sum of dy z;")
    assert re.search(r"x m / \(1 - rate\) = \S+ \((0|1\.429)\) = ", explain_sums.of_y(dropout)[0][0])
    assert "sum of exp(x[0])" in explain_sums.of_y(softmax)[0][0]


def test_a_page_is_one_file_in_either_language(tmp_path):
    explained = small().explain_step(X, T)
    explained.save(tmp_path / "step.html")
    page = (tmp_path / "step.html").read_text(encoding="utf-8")
    assert needs_no_network(page) and "<title>One training step</title>" in page
    chinese = explained.html(lang="zh")
    assert '<html lang="zh">' in chinese and "反向传播" in chinese and "Σ" in chinese and "sum of" not in chinese
    assert "sequential_1 的第 1 步，优化器 SGD(0.1)，3 个样本" in chinese
    with pytest.raises(ValueError, match="Unknown language: fr"):
        explained.html("fr")
    assert {len(text) for text in explain_page.WORDS.values()} == {2}


def test_a_name_cannot_break_out_of_the_page():
    model = Sequential([Dense(2, "softmax", input_shape=(2,), name="</script><b>&'\"")])
    model.compile("sgd", "categorical_crossentropy")
    page = model.explain_step(X, T).html()
    assert page.count("</script>") == 1
    notebook = model.explain_step(X, T)._repr_html_()
    assert notebook.count("<iframe") == 1 and "<details>" in notebook
    assert "<b>&amp;" not in notebook.split("</iframe>")[0]


def test_layers_of_ones_own_are_shown_by_their_formulas():
    """Also one that is called Dense, and one whose weight has three axes, or that is named like a comment."""
    class Dense(Layer):
        """y = x + s"""

        def build(self, input_shape):
            self.shift = self.add_weight("shift", (1, 1, 2), "ones")

        def forward(self, x, training=False):
            return x + self.shift.value[0, 0]

        def backward(self, dy):
            """ds = sum of dy;  dx = dy"""
            self.shift.grad = dy.sum(axis=0)[None, None]
            return dy

    model = Sequential([Dense(input_shape=(2,), name="a<!--<script>")])
    model.compile("sgd", "mse")
    explained = model.explain_step(X, T)
    assert explained.layers[0].kind == "" and not explain_page.is_small(explained)
    assert "<!--<script>" not in explained.html() and "y = x + s" in explained.html()


def test_large_networks_have_heat_maps_and_small_files():
    assert not explain_page.is_small(large()) and explain_page.is_small(small().explain_step(X, T))
    page = large().html()
    assert len(page) < 100_000 and '"map"' in page and '"numbers"' not in page


def test_a_heat_map_keeps_the_largest_number_of_each_cell():
    array = np.zeros((100, 70))
    array[77, 33] = -5.0
    cells = explain_page._extremes(explain_page._extremes(array, 0), 1)
    assert cells.shape == (48, 48) and cells.min() == -5.0 and (cells != 0).sum() == 1


WALK = """
    const texts = [], shown = () => [...document.querySelectorAll('svg text, td.number')].filter(t =>
        t.textContent).length;
    document.getElementById('first').click();
    for (let k = 0; k < links.length; k++) {
        texts.push([document.getElementById('where').textContent, document.getElementById('formula').textContent,
            shown()]);
        document.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight' }));
    }
    return texts;
"""


@needs_browser
def test_a_step_is_walked_link_by_link(tmp_path):
    found = run_in(small().explain_step(X, T).html(), WALK, tmp_path)
    assert [where for where, _, _ in found] == [f"step {k} of 10" for k in range(1, 11)]
    assert [formula for _, formula, _ in found][1].startswith("forward → dense_")
    formulas = [formula for _, formula, _ in found]
    assert "softmax(z) - t" in formulas[6] and "dW = x^T dy" in formulas[7] and formulas[9].startswith("update")
    assert "dx = dy (1 - y^2)" in formulas[8]
    assert [shown for _, _, shown in found] == sorted(shown for _, _, shown in found)
    assert found[-1][2] > found[0][2] + 40
    back = run_in(small().explain_step(X, T).html(),
                  "document.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft' }));"
                  "return document.getElementById('where').textContent;", tmp_path)
    assert back == "step 9 of 10"


@needs_browser
def test_the_numbers_in_the_boxes_and_their_colours(tmp_path):
    explained = small().explain_step(X, T)
    found = run_in(explained.html(), """
        return ['y 1 0', 'y 1 1', 'y 1 2'].map(at => {
            const box = document.querySelector(`[data-at="${at}"]`);
            return [Number(box.nextSibling.textContent), box.getAttribute('fill')]; });""", tmp_path)
    for (number, colour), y in zip(found, explained.layers[0].y[0]):
        assert number == pytest.approx(float(y), rel=5e-3)
        assert colour.startswith("rgba(31,95,168" if y >= 0 else "rgba(224,112,45")


@needs_browser
def test_a_layer_with_weights_shows_its_own_backward_formula_too(tmp_path):
    model = Sequential([Dense(2, "softmax", input_shape=(2,))])
    model.compile("sgd", "categorical_crossentropy")
    found = run_in(model.explain_step(X, T).html(), WALK, tmp_path)
    assert any("softmax(z) - t" in formula and "dW = x^T dy" in formula for _, formula, _ in found)


@needs_browser
def test_the_sum_stands_under_the_pointer(tmp_path):
    explained = small().explain_step(X, T)
    found = run_in(explained.html(), """
        const at = name => { const target = document.querySelector(`[data-at="${name}"]`);
            target.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
            return document.getElementById('told').textContent; };
        const kernel = columns[1].parameters[0].name, lines = [at('y 1 0'), at('dy 3 1'), at(`gradient ${kernel} 0 1`)];
        document.querySelectorAll('#samples button')[2].click();
        lines.push(at('y 1 0'));
        document.querySelector('.edge').dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
        lines.push(document.getElementById('told').textContent);
        document.getElementById('first').click();
        document.getElementById('told').textContent = 'nothing';
        lines.push(at('dy 1 0'));
        return lines;
    """, tmp_path)
    dense, output = explained.layers[0], explained.layers[2]
    assert found[0] == explain_sums.of_y(dense)[0][0] and found[1] == explain_sums.of_loss(explained)[0][1]
    assert found[2] == explain_sums.of_gradient(dense, list(dense.gradients)[0])[0][1]
    assert found[3] == explain_sums.of_y(dense)[2][0] and found[3] != found[0]
    assert found[4].startswith("W[0,0] = ") and "dW[0,0] = " in found[4] and "kernel[0,0]: " in found[4]
    assert found[5] == "nothing" and output.kind == "Dense"     # what is not yet computed is not shown


@needs_browser
def test_a_large_step_is_walked_too(tmp_path):
    found = run_in(large().html(lang="zh"), WALK, tmp_path)
    assert found[0][0] == "第 1 步，共 12 步"
    pictures = run_in(large().html(), "return [document.querySelectorAll('canvas').length, "
                                      "document.querySelectorAll('.card').length];", tmp_path)
    assert pictures == [15, 7]
