"""The lessons run, and say what they are there to say; .ci/run executes the notebook."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def printed(name, *arguments):
    """What an example prints; it must end well."""
    result = subprocess.run([sys.executable, EXAMPLES / name, *arguments], capture_output=True, text=True, timeout=120,
                            env=os.environ | {"PYTHONPATH": str(EXAMPLES.parent)})
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_backprop_by_hand_agrees_with_tinynet():
    text = printed("backprop_by_hand.py")
    assert "do[1]     = p[1] - t[1] = 0.5887 - 1 " in text
    assert float(text.split("Largest difference from the gradients worked out above: ")[1].split()[0]) < 1e-6
    before, after = text.split("The loss before the step: ")[1].split("\n")[0].split(", and after it: ")
    assert float(after) < float(before)
    assert text.count("right") >= 15 and "WRONG" not in text
    assert max(map(len, text.splitlines())) <= 115


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
    rows = {line.split()[0]: line.split()[1:] for line in printed("second_order.py").splitlines()[1:]}
    assert float(rows["L-BFGS"][2]) < float(rows["adam"][2]) < float(rows["sgd"][2])


def test_the_notebook_is_clean():
    """It was run from top to bottom, and holds nothing of the machine on which that was."""
    text = (EXAMPLES / "mnist_dnn.ipynb").read_text()
    notebook = json.loads(text)
    counts = [cell["execution_count"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not any(output["output_type"] == "error" for cell in notebook["cells"] for output in cell.get("outputs", []))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "/home/" not in text and "/root/" not in text and "/tmp/" not in text
