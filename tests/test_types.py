"""Types, as editors see them: mypy and pyright check a user's script, in a folder of its own, after an installation."""
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "support" / "typed_script.py"
MISTAKES = SCRIPT.read_text().splitlines().index("def mistakes(model: Sequential, x: np.ndarray) -> None:") + 1
LINES = set(range(MISTAKES + 2, len(SCRIPT.read_text().splitlines())))      # all but the last of that function


def run(folder, *arguments):
    """What a tool prints that runs beside a copy of the script, with the packages of this Python, the first on PATH."""
    shutil.copy(SCRIPT, folder / "script.py")
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
    return subprocess.run([sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True,
                          env=os.environ | {"PATH": path}).stdout


def test_mypy_shows_the_mistakes_of_a_script_and_no_others(tmp_path):
    pytest.importorskip("mypy", reason='mypy is not installed: python -m pip install -e ".[lint]"')
    said = run(tmp_path, "mypy", "--ignore-missing-imports", "script.py")
    assert {int(line) for line in re.findall(r"script\.py:(\d+): error", said)} == LINES, said


def test_pyright_shows_the_mistakes_of_a_script_and_no_others(tmp_path):
    pytest.importorskip("pyright", reason='pyright is not installed: python -m pip install -e ".[lint]"')
    found = json.loads(run(tmp_path, "pyright", "--outputjson", "script.py"))["generalDiagnostics"]
    assert {each["range"]["start"]["line"] + 1 for each in found} == LINES, found


def test_nine_tenths_of_the_public_names_have_known_types(tmp_path):
    pytest.importorskip("pyright", reason='pyright is not installed: python -m pip install -e ".[lint]"')
    said = json.loads(run(tmp_path, "pyright", "--verifytypes", "tinynet", "--ignoreexternal", "--outputjson"))
    assert said["typeCompleteness"]["completenessScore"] >= 0.9
