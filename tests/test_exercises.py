"""The exercises: right answers are marked right, typical mistakes wrong with the right hint, in both languages."""
import collections
import inspect
import io
import re
import subprocess
import sys
import textwrap
import time
import types
from pathlib import Path

import exercise_mistakes
import exercise_solutions
import numpy as np
import pytest

from tinynet.exercises import COURSE, grade, grade_file, new_file
from tinynet.exercises.chinese import PATTERNS, SENTENCES, in_chinese
from tinynet.gradient_check import hints

SOLUTIONS = inspect.getsource(exercise_solutions)


def answers(name, source=SOLUTIONS):
    """A module of the functions of one exercise, and of the helpers that it calls."""
    names = [part.name for part in COURSE[name].parts]
    helpers = {"log_probabilities", "attention_weights"}
    functions = re.findall(r"^def .+?(?=^def |\Z)", source, re.DOTALL | re.MULTILINE)
    kept = [text for text in functions if text[4:text.index("(")] in {*names, *helpers}]
    module = types.ModuleType("answers")
    exec("import numpy as np\n" + "".join(kept), vars(module))
    return module


def mistaken(name, right, wrong):
    """The answers with a mistake in them, in the first function that has these words."""
    module_source = SOLUTIONS
    names = "|".join([*(part.name for part in COURSE[name].parts), "log_probabilities", "attention_weights"])
    for match in re.finditer(rf"^def ({names})\(.+?(?=^def |\Z)", module_source, re.DOTALL | re.MULTILINE):
        if right in match[0]:
            text = match[0].replace(right, wrong, 1)
            if "old" in wrong:      # the value before the update
                text = text.replace("    v = momentum", "    old = v\n    v = momentum")
            return answers(name, module_source[:match.start()] + text + module_source[match.end():])
    raise AssertionError(f"{right!r} is not in the solution of {name}")


def marks_of(module):
    return {f"{mark.part.name} {mark.result}": mark for mark in grade(module).marks}


def is_chinese(text):
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def test_the_course_has_its_order():
    assert list(COURSE) == [
        "line", "sigmoid", "dense_sample", "dense", "relu", "softmax", "cross_entropy", "two_layers", "dropout", "l2",
        "momentum", "adam", "batch_normalization", "layer_normalization", "convolution", "max_pooling", "rnn",
        "attention"]


@pytest.mark.parametrize("name", COURSE)
def test_the_model_solution_is_right(name):
    marks = grade(answers(name))
    assert marks.passed, str(marks)
    assert {mark.exercise.name for mark in marks.marks} == {name}
    assert COURSE[name].after.en.split(":")[0][:30] in " ".join(str(marks).split())


@pytest.mark.parametrize("name, right, wrong, shown, hint", exercise_mistakes.MISTAKES)
def test_a_typical_mistake_is_wrong_and_gets_its_hint(name, right, wrong, shown, hint):
    mark = marks_of(mistaken(name, right, wrong))[shown]
    assert mark.verdict == ("not yet" if wrong.endswith("None\n") else "WRONG") and hint in mark.hint.en, mark.hint.en
    assert is_chinese(mark.hint.zh), mark.hint.zh


def test_each_exercise_has_five_tested_mistakes():
    tested = collections.Counter(name for name, *_ in exercise_mistakes.MISTAKES)
    assert set(tested) == set(COURSE) and min(tested.values()) >= 5


@pytest.mark.parametrize("name", COURSE)
def test_known_mistakes_are_mistakes(name):
    """Each of them differs from the truth, and from the others of its result, which a hint could not tell apart."""
    exercise = COURSE[name]
    cases = exercise.cases(np.random.default_rng(1))
    parts = {part.name: part for part in exercise.parts}
    results = collections.defaultdict(list)
    for mistake in exercise.mistakes:
        part = parts[mistake.part]
        values = []
        for case in cases:
            try:
                with np.errstate(all="ignore"):
                    values.append(np.asarray(mistake.wrong(**part.of(case)), float))
            except ValueError:      # a shape with which this mistake cannot be made
                values.append(None)
        truths = [np.asarray(part.right(case)[part.results.index(mistake.result)], float) for case in cases]
        assert any(v is not None and (v.shape != n.shape or not np.allclose(v, n, equal_nan=True))
                   for v, n in zip(values, truths)), mistake.hint.en
        results[mistake.part, mistake.result].append((mistake.hint.en, values))
    for found in results.values():
        for i, (hint, values) in enumerate(found):
            for other, others in found[:i]:
                assert hint == other or not all(
                    a is not None and b is not None and a.shape == b.shape and np.allclose(a, b, equal_nan=True)
                    for a, b in zip(values, others)), f"{hint} is {other}"


@pytest.mark.parametrize("name", COURSE)
def test_an_answer_that_knows_only_the_example_is_wrong(name):
    exercise = COURSE[name]
    example = exercise.example
    names = {part.name: (lambda *_, part=part: part.right(example) if len(part.results) > 1 else part.right(example)[0])
             for part in exercise.parts}
    for function_name, function in names.items():
        function.__name__ = function_name
    for mark in grade(names).marks:
        assert mark.verdict == "WRONG"
        assert "Right for the example of the task, wrong for other numbers." in mark.hint.en


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", COURSE)
def test_a_new_file_is_not_yet_written_and_is_no_mistake(name, lang, tmp_path):
    path = new_file(name, tmp_path, lang)
    text = path.read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 130 and not re.search(r"[ \t]$", text, re.MULTILINE)
    assert lang == "en" or sum(map(is_chinese, text.splitlines())) > 10
    marks = grade_file(path, lang)
    assert {mark.verdict for mark in marks.marks} == {"not yet"} and not marks.passed
    with pytest.raises(FileExistsError, match="is there already, perhaps with your work in it"):
        new_file(name, tmp_path, lang)
    assert list(tmp_path.iterdir()) == [path]


def test_one_function_may_be_graded_before_the_other_is_written():
    def relu_forward(x):
        return np.maximum(x, 0)

    def relu_backward(dy, x):
        raise NotImplementedError

    assert [mark.verdict for mark in grade(relu_forward, relu_backward).marks] == ["right", "not yet"]
    marks = grade(relu_forward)
    assert [mark.verdict for mark in marks.marks] == ["right", "not yet"]
    assert "There is no function relu_backward(dy, x)." in str(marks)


def test_forward_may_hand_a_cache_to_backward():
    def dense_forward(x, W, b):
        return x @ W + b, (x, W)

    def dense_backward(dy, cache):
        x, W = cache
        return dy @ W.T, x.T @ dy, dy.sum(0)

    assert grade(dense_forward, dense_backward).passed


def test_a_class_may_take_the_place_of_functions():
    class Dense:
        def __init__(self, W, b):
            self.W, self.b = W, b

        def forward(self, x):
            self.x = x
            return x @ self.W + self.b

        def backward(self, dy):
            self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
            return dy @ self.W.T

    class Relu:
        def forward(self, x, training=False):
            self.x = x
            return np.maximum(x, 0)

        def backward(self, dy):
            return dy

    class Momentum:
        def step(self, w, dw, v, learning_rate, momentum):
            v = momentum * v - learning_rate * dw
            return w + v, v

    assert grade(Dense).passed
    assert [mark.verdict for mark in grade(Relu).marks] == ["right", "WRONG"]
    assert [mark.verdict for mark in grade(Momentum).marks] == ["right", "right", "not yet", "not yet"]
    del Dense.backward
    marks = grade(Dense)
    assert [mark.verdict for mark in marks.marks] == ["right",
                                                      *3 * ["not yet"]] and "has no method backward" in str(marks)


def test_bare_arrays_may_be_a_cache_and_arguments_may_stand_in_another_order():
    def relu_forward(x):
        return np.maximum(x, 0), x > 0

    def relu_backward(dy, mask):
        return dy * mask

    assert grade(relu_forward, relu_backward).passed

    def sigmoid_forward(x):
        return 1 / (1 + np.exp(-x))

    def sigmoid_backward(x, dy):
        return dy * sigmoid_forward(x) * (1 - sigmoid_forward(x))

    assert grade(sigmoid_forward, sigmoid_backward).passed


def test_a_class_finds_the_numbers_of_forward_in_backward_though_its_jacobian_came_between():
    class Softmax:
        def forward(self, x):
            e = np.exp(x - x.max(axis=1, keepdims=True))
            self.y = e / e.sum(axis=1, keepdims=True)
            return self.y

        def jacobian(self, row):
            y = self.forward(row[np.newaxis])[0]
            return np.diag(y) - np.outer(y, y)

        def backward(self, dy):
            return self.y * (dy - (dy * self.y).sum(axis=1, keepdims=True))

    assert grade(Softmax).passed


def test_results_may_be_an_array_or_a_dict_and_one_may_come_first():
    def line_gradient(w, b, x, t):
        e = w * x + b - t
        return np.array([2 * np.mean(e * x), 2 * np.mean(e)])

    assert [mark.verdict for mark in grade(line_gradient).marks] == ["not yet", "right", "right"]

    def dense_backward(dy, x, W, b):
        return {"dx": dy @ W.T, "dW": x.T @ dy, "db": dy.sum(axis=0)}

    assert [mark.verdict for mark in grade(dense_backward).marks] == ["not yet", *3 * ["right"]]

    def dense_backward(dy, x, W, b):
        return dy @ W.T, None, dy.sum(axis=0)

    assert [mark.verdict for mark in grade(dense_backward).marks] == ["not yet", "right", "not yet", "right"]


def test_a_backward_that_calls_a_wrong_forward_is_told_so():
    marks = marks_of(mistaken("sigmoid", "1 / (1 + np.exp(-x))", "np.tanh(x)"))
    assert marks["sigmoid_backward dx"].hint.en == "It calls sigmoid_forward, which is wrong: correct that first."


def test_a_stub_that_was_left_is_told_and_a_wrong_mark_has_its_arguments(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def relu_forward(x):\n    raise NotImplementedError\n    return x\n")
    mark = grade_file(path).marks[0]
    assert mark.verdict == "not yet" and "delete that line" in mark.hint.en
    mark = grade(mistaken("relu", "dy * (x > 0)", "dy")).marks[1]
    assert mark.case.keys() == {"x", "dy"} and "In the example yours is 4 at (0, 1), should be 0." in mark.hint.en


def test_a_class_that_asks_for_other_names_is_told_which_there_are():
    class Relu:
        def forward(self, inputs):
            return inputs

        def backward(self, dy):
            return dy

    assert "asks for 'inputs'. The task has: x, dy" in grade(Relu).marks[0].hint.en


@pytest.mark.parametrize("body, hint", [
    ("    return None\n", "It returns nothing: does it end with `return y`?"),
    ("    y = x\n", "It returns nothing: does it"),
    ("    return 'y'\n", "y must be an array of real numbers, got 'y'"),
    ("    return [[1.0], [2.0, 3.0]]\n", "y must be an array of real numbers"),
    ("    return x + 0j\n", "y must be an array of real numbers"),
    ("    return x[0]\n", "its shape must be"),
    ("    return y\n", "NameError: name 'y' is not defined (line 2: return y)."),
    ("    return x @ x\n", "The shapes are x (2,3)."),
    ("    return x[9]\n", "IndexError"),
    ("    return x / 0\n", "NaN or infinity"),
    ("    return 1 / 0\n", "ZeroDivisionError: division by zero"),
    ("    raise SystemExit(3)\n", "SystemExit: 3"),
    ("    input()\n", "EOFError"),
    ("    return relu_forward(x)\n", "RecursionError"),
])
def test_what_goes_wrong_in_a_function_is_told(body, hint, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(f"def relu_forward(x):\n{body}\n\ndef relu_backward(dy, x):\n    return dy * (x > 0)\n")
    marks = grade_file(path)
    assert [mark.verdict for mark in marks.marks] == ["WRONG", "right"]
    assert hint in marks.marks[0].hint.en, marks.marks[0].hint.en


def test_an_endless_loop_ends(monkeypatch):
    monkeypatch.setattr("tinynet.exercises.answers.SECONDS", 0.2)
    tries = []

    def relu_forward(x):
        while True:
            try:
                while True:
                    pass
            except:                 # noqa: E722: a student's, which swallows everything
                tries.append(1)
                if len(tries) % 2 == 0:
                    raise

    assert "does a loop never end?" in grade(relu_forward).marks[0].hint.en


@pytest.mark.parametrize("before, said", [
    ("import os\nos._exit(0)\n", "ended Python itself, with the status 0"),
    ("import pytest\npytest.importorskip('not_there')\n", "does not run: Skipped"),
    ("import not_there\n", "does not run: ModuleNotFoundError"),
    ("input('your name?')\n", "does not run: EOFError"),
    ("raise KeyboardInterrupt\n", "does not run: KeyboardInterrupt"),
])
def test_a_file_that_ends_early_is_an_error_and_no_end(before, said, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(before + RIGHT)
    with pytest.raises(ImportError, match=said):
        grade_file(path)


RIGHT = ("import numpy as np\n\n\ndef relu_forward(x):\n    return np.maximum(x, 0)\n\n\n"
         "def relu_backward(dy, x):\n    return dy * (x > 0)\n")


@pytest.mark.parametrize("text", [
    RIGHT + "import sys; sys.exit(0)\n",
    RIGHT + "get_ipython().run_line_magic('matplotlib', 'inline')\n",
    RIGHT + "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n",
    "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom typing import Any\n\n\n@dataclass\n"
    "class Cache:\n    x: Any\n    n: int = 0\n\n\n" + RIGHT,
    "import os\nos.chdir('/')\n" + RIGHT,
    "from tinynet.layers import Dense, Dropout\n" + RIGHT,
    "# caf\u00e9\n" + RIGHT.replace("\n", "\r\n"),
    "\ufeff" + RIGHT,
    "from helper import positive\n" + RIGHT.replace("x > 0", "positive(x)"),
    RIGHT + "relu_backward = lambda dy, x: dy * (x > 0)\n",
    "class Relu:\n    @staticmethod\n    def forward(x):\n        return x * (x > 0)\n\n"
    "    def backward(self, dy, x):\n        return dy * (x > 0)\n\n\ndef relu_forward(x):\n    raise "
    "NotImplementedError\n",
], ids=["exit", "magic", "thread", "dataclass", "chdir", "imports", "crlf", "bom", "helper", "lambda",
        "class beside a stub"])
def test_files_as_students_write_them_are_graded(text, tmp_path):
    (tmp_path / "helper.py").write_text("def positive(x):\n    return x > 0\n")
    path = tmp_path / "mine.py"
    path.write_bytes(text.encode())
    marks = grade_file(path)
    assert marks.passed and {mark.exercise.name for mark in marks.marks} == {"relu"}, str(marks)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["helper.py", "mine.py"]


def test_two_students_have_helpers_of_their_own(tmp_path):
    for student, positive in (("ann", "x > 0"), ("bob", "x < 0")):
        (tmp_path / student).mkdir()
        (tmp_path / student / "helper.py").write_text(f"def positive(x):\n    return {positive}\n")
        (tmp_path / student / "relu.py").write_text("from helper import positive\n" + RIGHT.replace("x > 0",
                                                                                                    "positive(x)"))
    assert grade_file(tmp_path / "ann" / "relu.py").passed and not grade_file(tmp_path / "bob" / "relu.py").passed


def test_a_class_must_not_change_what_it_is_given():
    class L2:
        def penalty(self, W, l2):
            return l2 * np.sum(W ** 2)

        def gradient(self, dW, W, l2):
            dW += 2 * l2 * W
            return dW

    assert "It changes the array dW" in grade(L2).marks[1].hint.en


def test_a_backward_of_a_cache_waits_for_forward():
    def dense_backward(dy, cache):
        return dy, dy, dy

    assert "needs the cache that forward returns" in grade(dense_backward).marks[1].hint.en


def test_signs_are_plain_where_the_terminal_has_no_others(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert str(grade(answers("relu"))).isascii()


def test_a_table_for_a_spreadsheet_holds_no_formulas(tmp_path):
    (tmp_path / "=1+1.py").write_text(RIGHT)
    command(tmp_path, "-m", "tinynet.exercises", "grade", "=1+1.py", "--csv", "marks.csv")
    assert "'=1+1.py,relu,2,2" in (tmp_path / "marks.csv").read_text(encoding="utf-8-sig")


def test_a_wrong_number_of_arguments_is_told():
    def relu_backward(dy):
        return dy

    assert "takes 1 positional argument but 2 were given" in grade(relu_backward).marks[1].hint.en


def test_lists_views_and_float32_are_answers():
    def relu_forward(x):
        return np.maximum(x, 0).tolist()

    def relu_backward(dy, x):
        return np.asfortranarray((dy * (x > 0)).astype("float32"))[:]

    assert grade(relu_forward, relu_backward).passed


def test_grading_is_the_same_each_time_and_leaves_random_numbers_alone():
    before = np.random.get_state()[1].copy()
    first, second = (str(grade(mistaken("dense", "dW = x.T @ dy", "dW = 1.5 * x.T @ dy"))) for _ in range(2))
    assert first == second and "Everywhere 1.5 times" in first
    assert (np.random.get_state()[1] == before).all()


def test_work_that_has_no_exercise_in_it():
    with pytest.raises(ValueError, match="No function or class of an exercise is there.*Got: math"):
        grade({"math": np})
    with pytest.raises(TypeError, match="A file goes to grade_file"):
        grade("relu.py")
    with pytest.raises(ValueError, match="Unknown language: fr"):
        grade(exercise_solutions, lang="fr")
    with pytest.raises(ValueError, match="Unknown exercise: relo. Did you mean 'relu'"):
        new_file("relo")


def test_a_file_that_does_not_run(tmp_path):
    path = tmp_path / "relu.py"
    path.write_text("def relu_forward(x)\n    return x\n")
    with pytest.raises(ImportError, match="does not run: SyntaxError: .*line 1"):
        grade_file(path)
    path.write_text("1 / 0\n")
    with pytest.raises(ImportError, match="does not run: ZeroDivisionError"):
        grade_file(path)
    with pytest.raises(FileNotFoundError):
        grade_file(tmp_path / "missing.py")


def test_the_table_in_a_notebook():
    marks = grade(mistaken("relu", "dy * (x > 0)", "dy"))
    page = marks._repr_html_()
    assert page.count("<tr") == 2 and "passes everywhere" in page and "x &lt; 0" in page
    assert repr(marks) == "<Marks: 1 of 2 right>"
    with pytest.raises(AssertionError, match="passes everywhere"):
        marks.assert_passed()
    grade(answers("relu")).assert_passed()


def test_the_table_in_the_readme_is_what_grading_prints():
    def dense_forward(x, W, b):
        return x @ W + b

    def dense_backward(dy, x, W, b):
        return dy @ W.T, x.T @ dy / len(x), None

    readme = (Path(exercise_root()) / "examples" / "README.md").read_text(encoding="utf-8")
    assert textwrap.indent(str(grade(dense_forward, dense_backward)), "    ") in readme


def test_the_whole_table_is_chinese_if_asked():
    text = str(grade(mistaken("dense", "dW = x.T @ dy", "dW = -x.T @ dy"), lang="zh"))
    assert "处处符号相反" in text and "错误" in text and "WRONG" not in text and "right" not in text


def test_every_hint_of_the_gradient_check_has_its_chinese():
    """Each sentence that hints.py can say matches a pattern."""
    source = inspect.getsource(hints).replace('"""', "")
    said = [text for text in re.findall(r'f?"([A-Z][^"\n]+[.?])"', source)]
    assert len(said) >= 12
    for text in said:
        text = re.sub(r"\{'first' if .+? else 'last'\}", "first", text)
        filled = re.sub(r"\{[^}]+\}", "3", text).replace("at 3", "at 3 of 9 numbers")
        assert is_chinese(in_chinese(filled)), filled
    assert len(SENTENCES) == len(PATTERNS)
    assert in_chinese("Zero at 2 of 9 numbers, the others are right: is something forgotten there?").startswith("9 "
                                                                                                                "个数中有 "
                                                                                                                "2 个")


def command(folder, *arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=folder, encoding="utf-8",
                          env=__import__("os").environ | {"PYTHONPATH": exercise_root(), "PYTHONUTF8": "1"})


def exercise_root():
    import tinynet
    return str(Path(tinynet.__file__).parents[1])


def test_the_command_lists_writes_and_grades(tmp_path):
    module = ["-m", "tinynet.exercises"]
    listed = command(tmp_path, *module)
    assert listed.returncode == 0 and len(listed.stdout.splitlines()) == len(COURSE) + 2
    assert "relu_forward, relu_backward" in listed.stdout
    assert "最大池化" in command(tmp_path, *module, "--lang", "zh").stdout
    assert command(tmp_path, *module, "new", "relu", "dense", "--lang", "zh").returncode == 0
    assert command(tmp_path, *module, "new", "relu").returncode == 2
    (tmp_path / "relu.py").write_text("import numpy as np\n\n\ndef relu_forward(x):\n    return np.maximum(x, 0)\n\n\n"
                                      "def relu_backward(dy, x):\n    print('loud')\n    return dy\n")
    graded = command(tmp_path, *module, "grade", "relu.py", "--lang", "zh")
    assert graded.returncode == 1 and "dy 处处通过了" in graded.stdout
    (tmp_path / "broken.py").write_text("def relu_forward(:\n")
    several = command(tmp_path, *module, "grade", "relu.py", "dense.py", "broken.py", "--csv", "marks.csv")
    assert several.returncode == 1 and "loud" not in several.stdout
    table = (tmp_path / "marks.csv").read_text(encoding="utf-8-sig").splitlines()
    assert table[:3] == ["file,exercise,right,of,wrong,not yet", "relu.py,relu,1,2,backward dx,",
                         "dense.py,dense,0,4,,forward y; backward dx; backward dW; backward db"]
    assert table[3].startswith("broken.py,,0,,") and len(table) == 4
    (tmp_path / "class" / "ann" / "part 1").mkdir(parents=True)
    (tmp_path / "broken.py").rename(tmp_path / "class" / "ann" / "part 1" / "relu.py")
    for given in ("class", "class/*/*/*.py"):
        below = command(tmp_path, *module, "grade", given, "--csv", "marks.csv")
        table = (tmp_path / "marks.csv").read_text(encoding="utf-8-sig").splitlines()
        assert len(table) == 2 and "relu.py,relu,0,2," in table[1].replace("\\", "/"), below.stdout
    assert "broken.py" in several.stdout and "SyntaxError" in several.stdout


def test_a_file_grades_itself(tmp_path):
    path = new_file("relu", tmp_path)
    result = command(tmp_path, path.name)
    assert result.returncode == 0 and "0 of 2 right" in result.stdout


def test_the_plugin_of_pytest_makes_a_test_of_each_mark(tmp_path):
    files = {"ann/relu.py": RIGHT, "bob/relu.py": RIGHT.replace("dy * (x > 0)", "dy"),
             "cat/relu.py": "def relu_forward(x)\n",
             "dan/softmax.py": "def softmaks_forward(x):\n    return x\n",
             "ann/other.py": "raise RuntimeError('nothing of the exercises: not run')\n",
             "ann/shapes.py": "class Line:\n    def draw(self):\n        pass\n"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    run = ["-m", "pytest", "-p", "tinynet.exercises.pytest_plugin", "-p", "no:cacheprovider", "-v", "--rootdir", "."]
    passed = command(tmp_path, *run, "ann")
    assert passed.returncode == 0 and "2 passed" in passed.stdout, passed.stdout
    failed = command(tmp_path, *run, ".")
    assert failed.returncode == 1 and "3 failed, 3 passed" in failed.stdout, failed.stdout
    assert "bob/relu.py::relu_backward[dx] FAILED" in failed.stdout and "passes everywhere" in failed.stdout
    assert "does not run: SyntaxError" in failed.stdout
    assert "No function or class of an exercise is there" in failed.stdout
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tinynet.exercises.pytest_plugin"]\n')
    chinese = command(tmp_path, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", ".", "--exercises-lang", "zh")
    assert "dy 处处通过了" in chinese.stdout


def test_texts_exist_in_both_languages():
    for exercise in COURSE.values():
        for text in (exercise.task, exercise.after, *exercise.hints, *(m.hint for m in exercise.mistakes)):
            words = re.findall(r"[A-Za-z]{5,}", text.en)
            assert text.en.isascii() and (is_chinese(text.zh) or len(words) < 2 and "。" in text.zh), text
        assert len(exercise.mistakes) >= 5 and exercise.hints


def worked(name):
    """The numbers of the example of an exercise, by the name of their function and result."""
    exercise = COURSE[name]
    return {f"{part.name} {result}": np.asarray(value) for part in exercise.parts
            for result, value in zip(part.results, part.right(exercise.example))}


@pytest.mark.parametrize("name, said, result, index", [
    ("line", "L = (0 + 1 + 1) / 3 = 2/3", "line_loss L", ()),
    ("line", "db = 2/3 (0 + 1 + 1) = 4/3", "line_gradient db", ()),
    ("sigmoid", "y = 1 / (1 + 1) = 0.5", "sigmoid_forward y", (0, 0)),
    ("sigmoid", "becomes dx = 0.25", "sigmoid_backward dx", (0, 0)),
    ("dense_sample", "dW[1,0] = x[1] dy[0] = 2 times 1 = 2", "dense_sample_backward dW", (1, 0)),
    ("dense_sample", "dx[0] = W[0,0] dy[0] + W[0,1] dy[1] = 1", "dense_sample_backward dx", (0,)),
    ("dense", "1 times 1 + 0 times 2 + 3 times 0 = 1", "dense_backward dW", (0, 0)),
    ("relu", "dx[0,1] = 0", "relu_backward dx", (0, 1)),
    ("softmax", "J[0,0] = 2/9", "softmax_jacobian J", (0, 0)),
    ("softmax", "J[1,0] = -1/9", "softmax_jacobian J", (1, 0)),
    ("softmax", "dx[1] = 3 times 2/9 = 2/3", "softmax_backward dx", (1, 1)),
    ("cross_entropy", "dz[0] = [0.167", "cross_entropy_backward dz", (0, 0)),
    ("cross_entropy", "dz[0] = [0.167, -0.333", "cross_entropy_backward dz", (0, 1)),
    ("two_layers", "y = 3 times 2 + 0.5 = 6.5", "two_layers_forward y", (0, 0)),
    ("two_layers", "dW1[1,0] = x[0,1] dz[0,0] = 2 times 2 = 4", "two_layers_backward dW1", (1, 0)),
    ("dropout", "y[0,0] = 1 / 0.5 = 2", "dropout_forward y", (0, 0)),
    ("dropout", "dx[0,0] = 2 dy[0,0] = 2", "dropout_backward dx", (0, 0)),
    ("l2", "R = 0.1 (1 + 4 + 0.25 + 0) = 0.525", "l2_penalty R", ()),
    ("l2", "0.5 + 0.1 times 2 times -2 = 0.1", "l2_gradient dW", (0, 1)),
    ("momentum", "v[0] = 0.9 times 0.1 - 0.1 times 0.5 = 0.04", "momentum_step v", (0,)),
    ("momentum", "0.04, w[0] = 1.04", "momentum_step w", (0,)),
    ("momentum", "a[0] = 0.9 times 0 + 0.1 times 0.25 = 0.025", "rmsprop_step a", (0,)),
    ("momentum", "w[0] = 1 - 0.05 / 0.168 = 0.703", "rmsprop_step w", (0,)),
    ("adam", "m[0] = 0.1 times 0.5 = 0.05", "adam_step m", (0,)),
    ("adam", "w[0] = 1 - 0.1 times 0.5 / (0.5 + 0.01) = 0.902", "adam_step w", (0,)),
    ("batch_normalization", "y[0,0] = 2 times -0.894 + 0.5 = -1.289", "batch_normalization_forward y", (0, 0)),
    ("batch_normalization", "dgamma[0] = sum over n of dy[n,0] z[n,0] = -0.894", "batch_normalization_backward dgamma",
     (0,)),
    ("layer_normalization", "y[0,0] = 2 times -0.894 + 0.5 = -1.289", "layer_normalization_forward y", (0, 0)),
    ("layer_normalization", "dgamma[1] = 2 times 0.894 + 1 times 0 = 1.789", "layer_normalization_backward dgamma",
     (1,)),
    ("convolution", "y[0,0,0,0] = 0 - 4 + 0.5 = -3.5", "convolution_forward y", (0, 0, 0, 0)),
    ("convolution", "dx[0,1,1,0] = -1 + 2 = 1", "convolution_backward dx", (0, 1, 1, 0)),
    ("max_pooling", "y[0,0,0,0] = 4", "max_pooling_forward y", (0, 0, 0, 0)),
    ("max_pooling", "it gets the whole dy, 10", "max_pooling_backward dx", (0, 1, 0, 0)),
    ("rnn", "h[1] = tanh(2 times 0.462) = 0.728", "rnn_forward h", (0, 1, 0)),
    ("rnn", "dx[0] = 0.739 times 0.5 = 0.370", "rnn_backward dx", (0, 0, 0)),
    ("attention", "y = 0.670 times 1 + 0.330 times 3 = 1.660", "attention_forward y", (0, 0, 0)),
    ("attention", "dv = p^T dy = [0.670, 0.330", "attention_backward dv", (0, 1, 0)),
])
def test_the_numbers_worked_out_in_the_tasks_are_right(name, said, result, index):
    """The last number of each sentence is what the example gives; the Chinese text has the same numbers."""
    english, chinese = COURSE[name].task
    assert said in " ".join(english.split()), english
    above, _, below = re.findall(r"-?[\d./]+", said)[-1].partition("/")
    assert float(above) / float(below or 1) == pytest.approx(float(worked(name)[result][index]), abs=1.01e-3)
    assert sorted(re.findall(r"-?\d+\.\d{3}", english)) == sorted(re.findall(r"-?\d+\.\d{3}", chinese))


def test_a_shape_that_is_wrong_in_another_case_is_shown_of_that_case():
    """In the example, a square one, the shape of this dW happens to be right."""
    mark = marks_of(mistaken("dense", "dW = x.T @ dy", "dW = W.T * dy.sum()"))["dense_backward dW"]
    assert "For dy (5,3), x (5,4), W (4,3), b (3,) its shape must be (4, 3), got (3, 4). Transposed?" == mark.hint.en


@pytest.mark.parametrize("error, verdict", [(1e-4, "WRONG"), (1e-6, "right")])
def test_five_digits_must_be_right(error, verdict):
    def relu_forward(x):
        return np.maximum(x, 0) * (1 + error)

    assert grade(relu_forward).marks[0].verdict == verdict


@pytest.mark.parametrize("result, hint", [
    ("np.maximum(x, 0).T", "Transposed?"), ("np.maximum(x, 0)[None]", "axis of length 1 too many"),
    ("np.stack(3 * [np.maximum(x, 0)])", "sum over the first axis missing"),
    ("np.maximum(x, 0)[0]", "shape of a result is told in the task")])
def test_wrong_shapes_are_told(result, hint):
    names = {}
    exec(f"import numpy as np\ndef relu_forward(x):\n    return {result}", names)
    mark = grade(names["relu_forward"]).marks[0]
    assert mark.verdict == "WRONG" and hint in mark.hint.en, mark.hint.en


@pytest.mark.slow
def test_a_file_that_starts_processes_and_never_ends_is_stopped(monkeypatch, tmp_path):
    monkeypatch.setattr("tinynet.exercises.files.LIMIT", 6)
    path = tmp_path / "mine.py"
    path.write_text("import signal, subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', 'import time; "
                    "time.sleep(20)'])"
                    "\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\ntime.sleep(20)\n")
    start = time.perf_counter()
    with pytest.raises(ImportError, match="does not end: it was stopped after 6 seconds"):
        grade_file(path)
    assert time.perf_counter() - start < 18


def test_an_endless_function_is_waited_for_once(monkeypatch):
    monkeypatch.setattr("tinynet.exercises.answers.SECONDS", 0.3)
    calls = []

    def softmax_forward(x):
        calls.append(x)
        while True:
            pass

    assert "does a loop never end?" in grade(softmax_forward).marks[0].hint.en and len(calls) == 1


def test_a_class_may_have_a_cache_and_results_in_a_circle_are_told():
    class Sigmoid:
        def forward(self, x):
            y = 1 / (1 + np.exp(-x))
            return y, y

        def backward(self, dy, cache):
            return dy * cache * (1 - cache)

    assert grade(Sigmoid).passed
    marks = marks_of(mistaken("dense", "return dx, dW, db", "return dW, db, dx"))
    assert marks["dense_backward dx"].hint.en.endswith("This is dW: return dx, dW, db, in this order.")
    vectorized = np.vectorize(lambda x: max(x, 0.0))
    assert grade({"__name__": "here", "relu_forward": vectorized}).marks[0].verdict == "right"
