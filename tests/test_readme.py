"""What README shows is what runs."""
import inspect
import re
import textwrap
from pathlib import Path

import pytest

import tinynet
from tinynet.step import Trainable

ROOT = Path(tinynet.__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_step_is_the_code_that_runs():
    assert textwrap.dedent(inspect.getsource(Trainable.train_step)) in BLOCKS


def test_the_layer_of_ones_own_passes_its_check_and_fails_it_when_broken():
    block, = [block for block in BLOCKS if "class Scale" in block]
    exec(block, {})
    with pytest.raises(AssertionError, match=r"wrong gradient of scale_\d/scale:0"):
        exec(block.replace("(dy * self.x).sum", "-(dy * self.x).sum"), {})


def test_the_keras_program_builds_and_compiles(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)     # it saves the model
    block, = [block for block in BLOCKS if "mnist.load_data" in block]
    names: dict = {}
    exec(block.replace("model.fit(", "0 and model.fit("), names)
    assert names["model"].count_params() == 784 * 512 + 512 + 512 * 10 + 10
    assert (tmp_path / "digits.safetensors").exists()


def test_every_file_that_readme_names_exists():
    for name in re.findall(r"`([\w/]+\.py|[\w/]+/)`", TEXT):
        assert any((folder / name).exists() for folder in (ROOT, ROOT / "tinynet", ROOT / "tinynet/layers")) or (
            name == "mnist_dnn_output/"), name


def test_the_numbers_of_lines_are_about_right():
    rows = re.findall(r"^\| .+? \| (`.+?`) \| (\d+) \|$", TEXT, re.MULTILINE)
    assert len(rows) > 15
    for files, lines in rows:
        counted = sum(len((ROOT / "tinynet" / name).read_text().splitlines()) for name in re.findall(r"`(.+?)`", files))
        assert abs(counted - int(lines)) <= 0.1 * counted + 5, files
