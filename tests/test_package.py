"""The source tree stays in order: imports go downward, importing is cheap, names and printed texts are known ones."""
import ast
import inspect
import io
import re
import subprocess
import sys
import tokenize
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest

import tinynet
from tinynet import device, losses, text_width
from tinynet.backend import on_gpu
from tinynet.layers import Dense, Dropout
from tinynet.models import Sequential
from tinynet.training.epoch import fit_epochs
from tinynet.training.step import Trainable

ROOT = Path(tinynet.__file__).parent

# Each room, a module or a folder, imports only from the rooms of the rows above it.
FLOORS = [
    ["types", "text_width"],
    ["validation", "datasets", "notebook", "chain"],
    ["language"],
    ["legacy/methods"],     # which Model inherits; the rest of legacy knows all modules
    ["registry", "device", "callbacks"],
    ["backend"],
    ["pickling", "plot_model"],
    ["random", "parameters", "activations", "initializers", "regularizers", "constraints", "optimizers"],
    ["layers"],
    ["nested", "fused_layers"],
    ["losses", "explain"],
    ["metrics", "saving"],
    ["training"],
    ["utils", "distributed", "gradient_check"],
    ["models", "plotting", "exercises"],
    ["functional", "wrappers"],
    ["legacy"],
    ["__init__"],
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# What README promises to be read in an afternoon: the mathematics.
RING = ["activations", "initializers", "regularizers", "constraints", "parameters", "layers", "losses", "metrics",
        "optimizers", "models", "training/step", "training/epoch", "training/model"]

# Lines of code. The first number may only fall; another one is raised only by a commit that adds a capability.
BUDGETS = {"the learning ring": 2300, "device, saving, distributed": 2055, "recorded steps": 840, "the rest": 1915,
           "what is shown": 800, "Keras's names and data": 1285, "for other libraries": 310, "gradient checks": 940,
           "the exercises": 875, "tasks of the exercises": 1665, "kernels": 120, "around the kernels on a CPU": 185}
KERAS = ("legacy", "functional", "chain", "nested", "plot_model", "datasets")
OTHERS = ("wrappers",)      # what is there for other libraries
SHOWN = ("explain", "plotting")
RECORDED = ("capture", "compile", "plan", "record", "recorded_step")


def parts(path):
    """("layers", "dense") of tinynet/layers/dense.py"""
    return path.relative_to(ROOT).with_suffix("").parts


def imports(path):
    """(module of tinynet, name) of everything that a file imports from tinynet, also inside functions.

    Not what only type checkers import.
    """
    tree = ast.parse(path.read_text())
    tree.body = [n for n in tree.body if not isinstance(n, ast.If) or "TYPE_CHECKING" not in ast.dump(n.test)]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tinynet":
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.split(".")[0] == "tinynet")


def room_of(names):
    """The room of ("layers", "dense")."""
    return "/".join(names[:2]) if "/".join(names[:2]) in FLOOR else names[0]


def test_every_module_has_an_import_level():
    assert {room_of(parts(path)) for path in ROOT.rglob("*.py")} == set(FLOOR)
    assert {f"{path.stem}" for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()} == {
        room for room in FLOOR if "/" not in room}


def test_imports_go_downward_only():
    for path in ROOT.rglob("*.py"):
        room = room_of(parts(path))
        for module, name in imports(path):
            below = room_of(module.split(".")[1:]) if "." in module else name if name in FLOOR else "__init__"
            assert below == room or FLOOR[below] < FLOOR[room], f"{path.name} imports {module} {name}, above it"


def test_no_file_imports_itself_in_a_circle():
    files = {".".join(("tinynet", *parts(path))).removesuffix(".__init__"): path for path in ROOT.rglob("*.py")}
    needs = {module: {f"{found}.{name}" if f"{found}.{name}" in files else found for found, name in imports(path)}
             for module, path in files.items()}
    order: list = []        # each file after all that it imports; a package's face counts as one of its files

    def visit(module, above):
        assert module not in above, f"a circle: {' -> '.join([*above, module])}"
        if module not in order:
            for other in sorted(needs[module]):
                visit(other, [*above, module])
            order.append(module)
    for module in files:
        visit(module, [])
    assert len(order) == len(files)


def test_only_device_imports_cupy_and_training_knows_no_ranks():
    for path in ROOT.rglob("*.py"):
        cupy = re.search(r"^\s*(import|from) cupy", path.read_text(), re.MULTILINE)
        assert bool(cupy) == (parts(path) == ("device", "arrays")), path
        if parts(path)[0] not in ("distributed", "__init__"):
            assert not any("distributed" in f"{module} {name}" for module, name in imports(path)), path


def in_ring(path):
    return any(parts(path)[:len(room.split("/"))] == tuple(room.split("/")) for room in RING)


def test_the_learning_ring_knows_no_gpus_threads_ranks_or_resumed_runs():
    """In its code; a docstring for users may name them. Nor does it hide anything from a reader."""
    for path in filter(in_ring, ROOT.rglob("*.py")):
        assert not any(module.split(".")[1:2] in (["device"], ["distributed"]) for module, _ in imports(path)), path
        tree = ast.parse(path.read_text())
        names = {getattr(node, field, "") for node in ast.walk(tree) for field in ("id", "attr", "arg", "name")}
        words = {word for name in names if isinstance(name, str) for word in name.lower().split("_")}
        assert not words & {"gpu", "cuda", "cupy", "thread", "threads", "rank", "ranks", "mpi", "shard", "shards",
                            "resume", "resumed", "weakref", "contextvar", "vars"}, path


def code_lines(path):
    """The number of lines that hold code: without blank lines, comments and docstrings."""
    text = path.read_text()
    docstrings = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False):
            docstrings |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    layout = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    lines = {line for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in layout
             for line in range(token.start[0], token.end[0] + 1)}
    return len(lines - docstrings)


def test_no_part_has_more_lines_of_code_than_its_budget():
    count = dict.fromkeys(BUDGETS, 0)
    for path in ROOT.rglob("*.py"):
        machine = parts(path)[0] in ("device", "saving", "distributed")
        part = "the learning ring" if in_ring(path) else "device, saving, distributed" if machine else "the rest"
        part = "Keras's names and data" if parts(path)[0] in KERAS else part
        part = "for other libraries" if parts(path)[0] in OTHERS else part
        part = "what is shown" if parts(path)[0] in SHOWN else part
        part = "gradient checks" if parts(path)[0] == "gradient_check" else part
        part = "the exercises" if parts(path)[0] == "exercises" else part
        part = "tasks of the exercises" if parts(path)[:2] == ("exercises", "tasks") else part
        part = "recorded steps" if parts(path)[0] == "device" and parts(path)[1] in RECORDED else part
        count[part] += code_lines(path)
    for part, files in {"kernels": ["kernels.c"], "around the kernels on a CPU": ["cpu.h", "cpu.c"]}.items():
        lines = [line for file in files for line in (ROOT / "device" / file).read_text().splitlines()]
        count[part] = sum(bool(line.strip()) and not line.startswith("//") for line in lines)
    assert all(count[part] <= budget for part, budget in BUDGETS.items()), count
    assert all(count[part] > 0.9 * budget for part, budget in BUDGETS.items()), f"lower the budgets: {count}"


def test_lines_of_code_are_counted():
    assert code_lines(ROOT / "legacy" / "__init__.py") == 0
    assert code_lines(ROOT / "optimizers" / "sgd.py") == 17


def test_one_training_step_is_written_once():
    """Only training/step.py differentiates the loss of a model."""
    found = {parts(path) for path in ROOT.rglob("*.py")
             if re.search(r"(self|model)\.loss(_of_z)?\.backward\(", path.read_text())}
    assert found == {("training", "step")}
    assert [cls.__name__ for cls in Sequential.__mro__] == [
        "Sequential", "ModelTensors", "Model", "OlderMethods", "Trainable", "PickledModel", "object"]


def test_importing_prints_nothing_and_the_first_fit_with_verbose_says_what_computes():
    code = ("import numpy as np, tinynet; from tinynet.layers import Dense; x = np.ones((4, 1))\n"
            "model = tinynet.Sequential([Dense(1, input_dim=1)]); model.compile('sgd', 'mse')\n"
            "model.fit(x, x, verbose=0); model.predict(x, verbose=1); model.evaluate(x, x, verbose=1)\n"
            "import sys; print('now', file=sys.stderr, flush=True)\n"
            "for verbose in (1, 2, 1): model.fit(x, x, verbose=verbose)")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr
    assert said == f"now\ntinynet computes with {tinynet.backend.device_name()}.\n"


def test_importing_tinynet_loads_no_optional_package():
    optional = ("matplotlib", "tqdm", "mpi4py", "h5py", *(() if on_gpu else ("cupy",)))
    code = f"import sys, tinynet; print([name for name in {optional} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_a_bare_import_reaches_every_module_as_in_keras():
    for name in ("activations", "backend", "callbacks", "datasets", "initializers", "layers", "losses", "metrics",
                 "models", "optimizers", "utils", "Sequential"):
        assert hasattr(tinynet, name)
    assert tinynet.utils.to_categorical([1]).tolist() == [[0, 1]]
    assert sorted(tinynet.__all__) == tinynet.__all__


def test_no_function_is_too_long():
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                start = node.body[1].lineno if ast.get_docstring(node) and len(node.body) > 1 else node.lineno
                assert (node.end_lineno or 0) - start <= 40, f"{path.name}: {node.name}"


def test_the_loop_over_epochs_and_the_training_step_are_a_screen():
    for function, most in ((fit_epochs, 15), (Trainable.train_step, 6), (Trainable.compute_gradients, 15)):
        assert len(inspect.getsource(function).splitlines()) <= most


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


def test_repr_of_a_loss_names_its_functions_and_options():
    loss = losses.Loss(losses.mean_squared_error, losses.BACKWARD[losses.mean_squared_error], reduction="sum")
    assert repr(loss) == "Loss(mean_squared_error, mean_squared_error_backward, reduction='sum')"


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
    device.announce()       # which the first fit of a process does
    capsys.readouterr()
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
    monkeypatch.setattr("tinynet.callbacks.progress.ProgressBar.due", lambda self: True)
    model, x, y = classifier
    model.fit(x, y, batch_size=5, verbose=1, validation_data=(x, y))
    printed = capsys.readouterr().out
    assert "Epoch 1/1:   0%|" in printed
    assert re.search(r"Epoch 1/1:  50%\|█{10} {10}\| \d\d:\d\d, loss: \d\.\d{4} - accuracy: \d\.\d{4}", printed)
    assert "Epoch 1/1: 100%|████████████████████| 00:00, validating" in printed
    printed = printed.split(" - val_loss")[0]
    assert printed.splitlines()[-1].endswith(f"accuracy: {model.history.history['accuracy'][0]:.4f}")


@pytest.mark.parametrize("wide, shown", [
    (100, "Epoch 1/1:  50%|██████████          | ??:??, loss: #.#### - accuracy: #.#### - auc: #.####"),
    (80, "Epoch 1/1:  50%|████▌    | ??:??, loss: #.#### - accuracy: #.#### - auc: #.####"),
    (65, "Epoch 1/1:  50%|████    | ??:??, loss: #.#### - accuracy: #.####"),
    (60, "Epoch 1/1:  50%|█████████         | ??:??, accuracy: #.####"),
    (40, "Epoch 1/1:  50%|████████        | ??:??")])
def test_a_bar_fits_the_terminal(wide, shown, monkeypatch, capsys, classifier):
    """The time left always, accuracy before the loss, the loss before others."""
    monkeypatch.setenv("COLUMNS", str(wide))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr("tinynet.callbacks.progress.ProgressBar.due", lambda self: True)
    model, x, y = classifier
    model.compile("sgd", model.loss, metrics=["accuracy", tinynet.metrics.AUC(name="auc")])
    model.fit(x, y, batch_size=5, verbose=1, validation_data=(x, y))
    bars = [line for line in capsys.readouterr().out.split("\r") if "%|" in line]
    assert all(len(line.rstrip()) < wide for line in bars)
    seen = re.sub(r"\d\d:\d\d", "??:??", re.sub(r"\d\.\d{4}", "#.####", "\r".join(bars)))
    assert shown in seen, seen


def test_tables_align_with_chinese_names(capsys):
    from tinynet.gradient_check import check_model
    model = Sequential([Dense(3, activation="relu", input_shape=(4,), name="第一个隐藏层"), Dense(2, name="输出")])
    model.summary()
    lines = capsys.readouterr().out.splitlines()
    assert [text_width.width(line) for line in lines[1:8]] == [65] * 7
    assert all(text_width.width(line.partition("(None")[0]) == 29 for line in lines if "(None" in line)
    model.compile("sgd", "mse")
    x, y = np.ones((5, 4)), np.ones((5, 2))
    report = [line for line in str(check_model(model, x, y)).splitlines()[1:] if line.endswith("right")]
    assert len({text_width.width(line) for line in report}) == 1 and any("第一个隐藏层/kernel:0" in line for line in report)
    steps = [line for line in str(model.explain_step(x, y)).splitlines() if "(5," in line]
    assert len({text_width.width(line.partition("(5,")[0]) for line in steps}) == 1


def test_a_history_can_be_read(classifier):
    model, x, y = classifier
    history = model.fit(x, y, epochs=3, validation_split=0.5, verbose=0)
    best = max(history.history["val_accuracy"])
    lines = repr(history).splitlines()
    assert lines[0] == "History of 3 epochs" and lines[1].split() == ["first", "last", "best", "in", "epoch"]
    assert [line.split()[0] for line in lines[2:]] == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert lines[-1].split()[3] == f"{best:.4f}" and len({len(line) for line in lines[1:]}) == 1
    page = history._repr_html_()
    assert page.count("<tr>") == 5 and page.count("<polyline") == 4 and "<b>History of 3 epochs</b>" in page
    xml.etree.ElementTree.fromstring(page)
    assert repr(tinynet.callbacks.History()) == "History of 0 epochs"


def test_a_history_has_a_best_only_where_it_is_known():
    history = tinynet.callbacks.History()
    for epoch, loss in enumerate((np.nan, 2.0, 1e-5, np.nan)):
        history.on_epoch_end(epoch, {"loss": loss, "my_score": loss, "precision": [loss, loss + 1]})
    assert history.overview()[0] == ("loss", "nan", "nan", "1.0000e-05", "3")
    assert history.overview()[1] == ("my_score", "nan", "nan", "", "")
    assert history.overview()[2] == ("precision", "nan", "nan", "2.5000", "2")
    assert len({len(line) for line in repr(history).splitlines()[1:]}) == 1
    xml.etree.ElementTree.fromstring(history._repr_html_())


def test_a_model_is_a_table_in_a_notebook():
    model = Sequential([Dense(3, activation="relu", name="<first>"), Dense(2)], name="two & two")
    assert "not compiled" in model._repr_html_() and model._repr_html_().count("not yet known") == 2
    model.build((None, 4))
    model.compile("adam", "mse")
    page = model._repr_html_()
    assert "&lt;first&gt;" in page and "<b>23</b>" in page and "optimizer Adam()" in page and "(None, 3)" in page
    assert "<b>two &amp; two</b>: loss mean_squared_error" in page
    xml.etree.ElementTree.fromstring(page)


def test_numbers_are_the_same_with_and_without_a_bar(classifier):
    model, x, y = classifier
    before = model.get_weights()
    silent = model.fit(x, y, shuffle=False, verbose=0).history
    model.set_weights(before)
    assert model.fit(x, y, shuffle=False, verbose=1).history == silent
    assert np.isfinite(silent["loss"]).all()
