"""The house stays in order: imports go downward, importing is cheap, names and printed texts are what users know."""
import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinynet
from tinynet.layers import Dense, Dropout
from tinynet.models import Sequential

ROOT = Path(tinynet.__file__).parent

# Each row may import from the rows above it and from its own.
FLOORS = [
    ["arguments", "registry", "denormals", "launcher", "parallel", "cublas"],
    ["device"],
    ["distributed"],
    ["cuda", "cuda_graph"],
    ["kernels", "backend"],
    ["random", "initializers", "regularizers", "constraints", "activations", "parameters", "serialization"],
    ["layers"],
    ["losses", "metrics", "optimizers", "progress", "callbacks", "data", "dataset", "epoch"],
    ["step"],
    ["door"],
    ["saving"],
    ["run"],
    ["explain", "agreement"],
    ["data_parallel"],
    ["older_names", "training"],
    ["summary", "models"],
    ["gradient_check", "plotting", "utils", "datasets"],
    ["aliases"],
]
FLOOR = {name: i for i, names in enumerate(FLOORS) for name in names}


def modules_imported(path):
    """The modules of tinynet that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "tinynet":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tinynet."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("tinynet."))


def test_imports_go_downward_only():
    for path in ROOT.rglob("*.py"):
        if path != ROOT / "__init__.py":
            module = path.relative_to(ROOT).parts[0].removesuffix(".py")
            for imported in modules_imported(path):
                assert FLOOR[imported] <= FLOOR[module], f"{path.name} imports {imported}, which is above it"


def test_only_device_imports_cupy():
    for path in ROOT.rglob("*.py"):
        imports = re.search(r"^\s*(import|from) cupy", path.read_text(), re.MULTILINE)
        assert bool(imports) == (path.name == "device.py"), path


def test_importing_tinynet_loads_no_optional_package():
    optional = ("cupy", "matplotlib", "tqdm", "mpi4py", "h5py")
    code = f"import sys, tinynet; print([name for name in {optional} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_a_bare_import_reaches_every_module_as_in_keras():
    for name in ("activations", "backend", "callbacks", "datasets", "initializers", "layers", "losses", "metrics",
                 "models", "optimizers", "utils", "Sequential"):
        assert hasattr(tinynet, name)
    assert tinynet.utils.to_categorical([1]).tolist() == [[0, 1]]
    assert sorted(tinynet.__all__) == tinynet.__all__


def test_no_file_and_no_function_is_too_long():
    for path in ROOT.rglob("*.py"):
        lines = path.read_text().splitlines()
        assert len(lines) <= 260, path
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.FunctionDef):
                start = node.body[1].lineno if ast.get_docstring(node) and len(node.body) > 1 else node.lineno
                assert (node.end_lineno or 0) - start <= 40, f"{path.name}: {node.name}"


def test_every_public_object_has_a_docstring_with_an_equation_or_a_sentence():
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), path
        for node in tree.body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"


def tutorial_network():
    return Sequential([
        Dense(512, activation="relu", input_shape=(784,), name="dense_1"), Dropout(0.2, name="dropout_1"),
        Dense(512, activation="relu", name="dense_2"), Dropout(0.2, name="dropout_2"),
        Dense(10, activation="softmax", name="dense_3")], name="sequential_1")


SUMMARY = """\
Model: "sequential_1"
_________________________________________________________________
Layer (type)                 Output Shape              Param #   
=================================================================
dense_1 (Dense)              (None, 512)               401920    
_________________________________________________________________
dropout_1 (Dropout)          (None, 512)               0         
_________________________________________________________________
dense_2 (Dense)              (None, 512)               262656    
_________________________________________________________________
dropout_2 (Dropout)          (None, 512)               0         
_________________________________________________________________
dense_3 (Dense)              (None, 10)                5130      
=================================================================
Total params: 669,706
Trainable params: 669,706
Non-trainable params: 0
_________________________________________________________________
"""  # noqa: W291: Keras pads its lines with blanks


def test_summary_is_keras_to_the_character(capsys):
    assert tutorial_network().summary() is None
    assert capsys.readouterr().out == SUMMARY


def test_summary_counts_frozen_weights_and_takes_another_width():
    model = tutorial_network()
    model.layers[0].trainable = False
    lines = []
    model.summary(line_length=40, positions=[20, 35, 40], print_fn=lines.append)
    assert "Trainable params: 267,786" in lines and "Non-trainable params: 401,920" in lines
    assert lines[1] == "_" * 40 and len(lines[4]) == 40


def test_weight_names_are_keras():
    assert [p.name for p in tutorial_network().weights][:2] == ["dense_1/kernel:0", "dense_1/bias:0"]


def test_repr_of_a_model_builds_it_again():
    model = tutorial_network()
    assert repr(eval(repr(model))) == repr(model)


LOGS = r" - 0s - loss: \d.\d{4} - accuracy: \d.\d{4} - val_loss: \d.\d{4} - val_accuracy: \d.\d{4}\n"


# What fit prints; under pytest the output is no terminal, as in a pipe or a file.
@pytest.mark.parametrize("verbose, expected", [
    (0, ""),
    (1, rf"Train on 10 samples, validate on 10 samples\n(Epoch [12]/2{LOGS}){{2}}"),
    (2, rf"Train on 10 samples, validate on 10 samples\n(Epoch [12]/2\n{LOGS}){{2}}"),
])
def test_fit_prints_one_line_an_epoch_and_no_flood(capsys, classifier, verbose, expected):
    model, x, y = classifier
    model.fit(x, y, epochs=2, batch_size=1, verbose=verbose, validation_data=(x, y))
    printed = capsys.readouterr()
    assert re.fullmatch(expected, printed.out), printed.out
    assert printed.err == ""


def test_evaluate_and_predict_print_one_line_if_asked(capsys, classifier):
    model, x, y = classifier
    model.evaluate(x, y)
    model.predict(x, verbose=1)
    model.predict(x)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("10/10 - 0s - loss: ") and lines[1] == "10/10 - 0s"


def test_a_terminal_shows_a_live_bar(monkeypatch, capsys, classifier):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr("tinynet.progress.ProgressBar.due", lambda self: True)
    model, x, y = classifier
    model.fit(x, y, batch_size=5, verbose=1, validation_data=(x, y))
    printed = capsys.readouterr().out
    assert "Epoch 1/1:   0%|" in printed
    assert re.search(r"Epoch 1/1:  50%\|█{10} {10}\| \d\d:\d\d, loss: \d\.\d{4} - accuracy: \d\.\d{4}", printed)
    assert "Epoch 1/1: 100%|████████████████████| 00:00, validating" in printed
    printed = printed.split(" - val_loss")[0]
    assert printed.splitlines()[-1].endswith(f"accuracy: {model.history.history['accuracy'][0]:.4f}")


def test_numbers_are_the_same_with_and_without_a_bar(classifier):
    model, x, y = classifier
    before = model.get_weights()
    silent = model.fit(x, y, shuffle=False, verbose=0).history
    model.set_weights(before)
    assert model.fit(x, y, shuffle=False, verbose=1).history == silent
    assert np.isfinite(silent["loss"]).all()
