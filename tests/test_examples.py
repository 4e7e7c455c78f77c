"""The lessons run, and say what they are there to say; .ci/run executes the notebook."""
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from browser import needs_browser, needs_no_network, run_in

import tinynet
from tinynet.datasets import mnist

EXAMPLES = Path(__file__).parents[1] / "examples"


def printed(name, *arguments, folder=None):
    """What an example prints; it must end well."""
    result = subprocess.run([sys.executable, EXAMPLES / name, *arguments], capture_output=True, encoding="utf-8",
                            timeout=120, cwd=folder,
                            env=os.environ | {"PYTHONPATH": str(EXAMPLES.parent), "PYTHONUTF8": "1"})
    assert result.returncode == 0, result.stderr
    return result.stdout


def is_chinese(text):
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def test_backprop_by_hand_agrees_with_tinynet():
    text = printed("backprop_by_hand.py")
    assert "do[1]     = p[1] - t[1] = 0.5887 - 1 " in text
    assert float(text.split("Largest difference from the gradients worked out above: ")[1].split()[0]) < 1e-6
    before, after = text.split("The loss before the step: ")[1].split("\n")[0].split(", and after it: ")
    assert float(after) < float(before)
    assert text.count("right") >= 15 and "WRONG" not in text
    assert max(map(len, text.splitlines())) <= 120


def test_backprop_by_hand_works_out_a_batch_and_two_jacobians():
    text = printed("backprop_by_hand.py").split("Part 2")[1]
    assert float(text.split("tinynet's gradients of the same batch: ")[1].split()[0]) < 1e-6
    softmax, relu = text.split("The Jacobian of softmax")[1], text.split("The Jacobian of relu")[1]
    matrix = [list(map(float, line.split("[")[1].split("]")[0].split())) for line in softmax.splitlines()[4:7]]
    assert np.abs(np.sum(matrix, axis=0)).max() < 2e-4 and matrix[0][0] > 0 > matrix[0][1]
    assert "[  0.0000   1.0000   0.0000 ]" in relu
    lines = [line.split("]")[0].split("[")[1] for line in softmax.splitlines() if line.endswith("without a matrix") or
             line.endswith("J^T dp")]
    assert lines[0] == lines[1]


def test_the_lesson_on_the_check_shows_step_sizes_kinks_and_what_hides(tmp_path):
    text = printed("how_the_check_works.py", folder=tmp_path)
    digits = {row.split()[0]: row.split()[1:] for row in text.splitlines() if row.strip().startswith("1e-")}
    central = {step: int(found[0]) for step, found in digits.items() if found[0] != "-"}
    assert central["1e-02"] < central["1e-05"] > central["1e-12"] and digits["1e-30"] == ["-", "-", "16"]
    assert "this forward is not analytic" in text and "careless_1/scale:0 (2 samples)" in text
    assert (tmp_path / "how_the_check_works_output" / "step_size.png").stat().st_size > 10_000


@pytest.mark.slow
def test_the_film_of_a_decision_boundary(tmp_path):
    text = printed("decision_boundary.py", folder=tmp_path)
    accuracy = [float(line.split()[-1].rstrip("%")) for line in text.splitlines() if line.endswith("%")]
    assert accuracy == sorted(accuracy) and accuracy[0] < 80 and accuracy[-1] > 98
    assert sorted(path.name for path in (tmp_path / "decision_boundary_output").iterdir()) == [
        "training.gif", "training.html", "units.png"]


LESSONS = ("backprop_by_hand", "how_the_check_works", "write_your_own_layer", "decision_boundary", "regularized_mnist",
           "second_order", "draw_a_digit")


@pytest.mark.parametrize("name", [*LESSONS[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in LESSONS[2:])])
def test_lessons_are_told_in_chinese_too(name, tmp_path):
    """Every sentence of the English text has its Chinese, and the numbers are the same."""
    if name == "second_order":
        pytest.importorskip("scipy")
    short = ["--epochs", "1"] if name in ("regularized_mnist", "draw_a_digit") else []
    english = printed(f"{name}.py", *short, folder=tmp_path)
    (tmp_path / "draw_a_digit_output" / "model.safetensors").unlink(missing_ok=True)
    chinese = printed(f"{name}.py", *short, "--lang", "zh", folder=tmp_path)
    assert not is_chinese(english) and is_chinese(chinese)
    table = re.compile(r"^ .*(=|right|WRONG|e-\d\d|\d%).*$", re.MULTILINE)
    words = {word for line in chinese.splitlines() if not table.match(line)
             for word in re.findall(r"[A-Za-z]{4,} [a-z]{2,} [a-z]{2,}", line)}
    reports = {"norm of dy", "over the batch", "this forward is", "half as large"}
    assert name == "draw_a_digit" or words <= reports, words


def test_every_example_is_in_the_list_of_lessons():
    names = {path.stem for path in EXAMPLES.glob("*.py")} - {"mnist_dnn"}
    assert names == set(LESSONS)
    run = (EXAMPLES.parent / ".ci" / "run").read_text()
    assert all(name in run for name in LESSONS)


def drawing():
    """The module draw_a_digit.py"""
    spec = importlib.util.spec_from_file_location("draw_a_digit", EXAMPLES / "draw_a_digit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn():
    """(module, a network trained for one epoch of a part of MNIST, its page)"""
    module = drawing()
    (x, y), (test, labels) = mnist.load_data()
    tinynet.utils.set_random_seed(0)
    model = module.network()
    model.fit(x[:20000].reshape(-1, 784) / 255, np.eye(10)[y[:20000]], batch_size=128, epochs=2, verbose=0)
    return module, model, module.page(model, test[:10], 0.97)


@needs_browser
def test_the_page_predicts_what_tinynet_predicts(drawn, tmp_path):
    _, model, page = drawn
    digits = mnist.load_data()[1][0][:100].reshape(-1, 784) / 255
    text = drawing().encoded(digits)
    found = run_in(page, f"const digits = floats('{text}'); return [...Array(100).keys()].map(n => "
                         "Array.from(forward(digits.slice(784 * n, 784 * (n + 1)))[3]));", tmp_path)
    assert np.abs(np.array(found) - model.predict(digits)).max() < 1e-4
    assert needs_no_network(page) and len(page) < 5e6


@needs_browser
def test_the_page_computes_the_gradient_with_respect_to_the_pixels(drawn, tmp_path):
    _, model, page = drawn
    digits, labels = mnist.load_data()[1][0][:3].reshape(-1, 784) / 255, [7, 2, 4]
    found = run_in(page, f"const digits = floats('{drawing().encoded(digits)}');"
                         "return [0, 1, 2].map(n => Array.from(gradient(forward(digits.slice(784 * n, 784 * (n + 1))),"
                         f"{labels}[n])));", tmp_path)
    for x, label, gradient in zip(digits, labels, np.array(found)):
        for pixel in (350, 406, 517):
            step = 1e-2 * (np.arange(784) == pixel)
            up, down = np.log(model.predict(np.stack([x + step, x - step])))[:, label].astype(float)
            assert gradient[pixel] == pytest.approx((up - down) / 2e-2, rel=0.05, abs=0.02)


STROKES = """
    const box = pad.getBoundingClientRect(), told = [];
    const event = (kind, [px, py]) => pad.dispatchEvent(new PointerEvent(kind, { clientX: box.left + px,
        clientY: box.top + py, bubbles: true, pointerId: 1 }));
    const stroke = points => {
        event('pointerdown', points[0]);
        for (let k = 1; k < points.length; k++) for (let s = 1; s <= 8; s++) event('pointermove', [0, 1].map(i =>
            points[k - 1][i] + (points[k][i] - points[k - 1][i]) * s / 8));
        event('pointerup', points[points.length - 1]);
    };
    const best = () => { const p = forward(x)[3]; return p.indexOf(Math.max(...p)); };
    stroke([[140, 40], [140, 240]]);
    told.push(best());
    document.getElementById('clear').click();
    told.push(x.reduce((a, b) => a + b));
    stroke([[20, 20], [70, 20], [45, 90]]);     // small, and in a corner: it is scaled and centred
    told.push(best(), document.getElementById('about').textContent);
    const rows = [...x.keys()].filter(k => x[k] > 0).map(k => Math.floor(k / 28));
    told.push(Math.max(...rows) - Math.min(...rows) + 1);
    bars[9].click();
    told.push(document.getElementById('about').textContent);
    document.querySelectorAll('#examples canvas')[0].click();
    told.push(best(), x.filter(v => v > 0).length > 50);
    return told;
"""


@needs_browser
def test_a_drawing_is_recognized(drawn, tmp_path):
    evidence = "Evidence for the digit {}".format
    assert run_in(drawn[2], STROKES, tmp_path) == [1, 0, 7, evidence(7), 20, evidence(9), 7, True]


def test_the_page_is_told_in_chinese_too(drawn):
    module, model, _ = drawn
    page = module.page(model, mnist.load_data()[1][0][:10], 0.97, "zh")
    assert "写一个数字" in page and '<html lang="zh">' in page and "Draw here" not in page
    assert all(len(texts) == 2 and texts[0].count("{}") == texts[1].count("{}") for texts in module.WORDS.values())


def test_the_bug_in_the_layer_is_found_and_corrected():
    text = printed("write_your_own_layer.py")
    broken, correct = text.split("2. Check the corrected layer")
    assert "swish_1: input" in broken and "WRONG" in broken and "WRONG" not in correct
    assert "wrong: swish_2: input, swish_3: input" in correct
    losses = [float(line.split("test loss ")[1].split(",")[0]) for line in correct.splitlines() if "test loss" in line]
    assert losses[1] < losses[0]


@pytest.mark.slow
def test_second_order():
    pytest.importorskip("scipy")
    lines = printed("second_order.py").splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines[-3:]}
    assert float(rows["L-BFGS"][2]) < float(rows["adam"][2]) < float(rows["sgd"][2])


NOTEBOOKS = ("mnist_dnn.ipynb", "mnist_dnn.zh.ipynb")


def test_the_notebooks_differ_in_their_words_only():
    english, chinese = (json.loads((EXAMPLES / name).read_text(encoding="utf-8"))["cells"] for name in NOTEBOOKS)
    assert [cell["cell_type"] for cell in english] == [cell["cell_type"] for cell in chinese]
    for ours, theirs in zip(english, chinese):
        if ours["cell_type"] == "code":
            assert "".join(ours["source"]).replace('"en"', '"zh"') == "".join(theirs["source"])
        else:
            assert not is_chinese("".join(ours["source"])) and is_chinese("".join(theirs["source"]))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_notebook_is_clean(name):
    """It was run from top to bottom, and holds nothing of the machine on which that was."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    notebook = json.loads(text)
    counts = [cell["execution_count"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not any(output["output_type"] == "error" for cell in notebook["cells"] for output in cell.get("outputs", []))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "/home/" not in text and "/root/" not in text and "/tmp/" not in text
