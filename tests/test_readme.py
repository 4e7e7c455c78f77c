"""What the READMEs show is what runs."""
import inspect
import re
import textwrap
from pathlib import Path

import pytest

import tinynet
from tinynet.training.step import Trainable

ROOT = Path(tinynet.__file__).parents[1]
FRONT = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md")}
READMES = FRONT | {f"{folder}/README.md": (ROOT / folder / "README.md").read_text(encoding="utf-8")
                   for folder in ("tinynet", "examples", "benchmarks", "tests")}
each_front = pytest.mark.parametrize("text", FRONT.values(), ids=FRONT)
each = pytest.mark.parametrize("name", READMES)


def blocks(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@each_front
def test_the_readme_is_short_and_shows_a_picture_and_a_program_first(text):
    lines = text.splitlines()
    assert len(lines) <= 130
    first_screen = "\n".join(lines[:40])
    assert "![" in first_screen and "```python" in first_screen and "python examples/mnist_dnn.py" in first_screen


@each_front
def test_the_step_is_the_code_that_runs(text):
    assert textwrap.dedent(inspect.getsource(Trainable.train_step)) in blocks(text)


@each_front
def test_the_layer_of_ones_own_passes_its_check_and_fails_it_when_broken(text):
    block, = [block for block in blocks(text) if "class Scale" in block]
    exec(block, {})
    with pytest.raises(AssertionError, match=r"wrong gradient of scale_\d/scale:0"):
        exec(block.replace("(dy * self.x).sum", "-(dy * self.x).sum"), {})


@each_front
def test_the_keras_program_builds_trains_and_saves(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)     # it saves the model
    block, = [block for block in blocks(text) if "mnist.load_data" in block]
    short = block.replace("model.fit(x_train, y_train,", "model.fit(x_train[:256], y_train[:256], verbose=0,")
    assert short != block
    names: dict = {}
    exec(short.replace("validation_data=(x_test, y_test)", "validation_data=(x_test[:64], y_test[:64])"), names)
    assert names["model"].count_params() == 784 * 512 + 512 + 512 * 10 + 10
    assert names["model"].optimizer.iterations == 10 and (tmp_path / "digits.safetensors").exists()


@each
def test_every_file_that_a_readme_names_exists(name):
    text, folder = READMES[name], (ROOT / name).parent
    named = re.findall(r"`([\w/.]+\.(?:py|json|md|ipynb)|[\w/]+/)`", text)
    linked = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert named or linked
    for file in named:
        assert any((parent / file).exists() for parent in (folder, ROOT, ROOT / "tinynet", ROOT / "tests")) or (
            file == "mnist_dnn_output/"), file
    for link in linked:
        assert (folder / link).exists(), link
    for file, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", text):
        target = (folder / file if file else ROOT / name).read_text()
        titles = [re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in target.splitlines()
                  if line.startswith("#")]
        assert anchor in titles, anchor


def test_the_numbers_of_lines_are_about_right():
    rows = re.findall(r"^\| .+? \| (`.+?`) \| (\d+) \|$", READMES["tinynet/README.md"], re.MULTILINE)
    assert len(rows) > 20
    for files, lines in rows:
        counted = sum(len((ROOT / "tinynet" / name).read_text().splitlines()) for name in re.findall(r"`(.+?)`", files))
        assert abs(counted - int(lines)) <= 0.05 * counted + 3, f"{files}: {counted}"


def test_the_readme_of_the_folder_lists_every_part_of_it():
    tree = READMES["tinynet/README.md"].split("## The learning ring")[0]
    for path in (ROOT / "tinynet").iterdir():
        if path.name not in ("__init__.py", "README.md", "__pycache__"):
            assert path.name in tree, path.name


def test_the_reading_order_is_the_learning_ring():
    """The first table names its files, but for faces, aliases and what is told twice."""
    from test_package import RING
    table = READMES["tinynet/README.md"].split("## The learning ring")[1].split("Around it:")[0]
    named = set(re.findall(r"`([\w/]+)\.py`", table))
    inside = {path.relative_to(ROOT / "tinynet").with_suffix("").as_posix() for room in RING
              for path in [*(ROOT / "tinynet" / room).glob("*.py"), ROOT / "tinynet" / f"{room}.py"] if path.exists()}
    assert named <= inside
    assert {name for name in inside - named if not name.endswith("__init__")} == {
        "layers/advanced_activations", "layers/reshaping", "losses/hinge"}
