"""tinynet on the real CuPy, over a GPU that this machine's CPU emulates: see tests/cudacpu/README.md."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tinynet.backend import on_gpu

TESTS = Path(__file__).parent
PLACE = TESTS.parent / "build" / "cudacpu"
LATE_AND_REVERSED = {"CUDACPU_LATE": "1", "CUDACPU_REVERSE": "1"}
ALLOWED_SKIPS = ["CuPy runs here already", "CuPy is installed here", "about the threads and denormals of a CPU",
                 "about the memory of a CPU", "about a CPU; a GPU has CUDA graphs",
                 "about functions of NumPy arrays", "g++ stands in for NVRTC here", "late work is counted late",
                 "mypy is not installed", "pyright is not installed", "no Chromium is installed"]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(on_gpu, reason="CuPy runs here already")]


@pytest.fixture(scope="module")
def python():
    """The Python of an environment with CuPy and the emulated GPU, which is built at first use."""
    if not shutil.which("g++") or sys.platform != "linux" or "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("the emulated GPU needs g++ on Linux, and an x86-64 processor with AVX2")
    python = PLACE / "bin" / "python"
    for command in ([TESTS / "cudacpu" / "build.sh", PLACE],
                    [python, "-m", "pip", "install", "-q", "-e", ".[test,mpi,lessons,interop]", "pytest-xdist"]):
        built = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True,
                               env=os.environ | {"PYTHON": sys.executable})
        if built.returncode:
            pytest.skip(f"the emulated GPU cannot be built: {built.stderr[-2000:]}")
    return python


def run(*command, **environment):
    """(exit status, what was printed) by a process whose tinynet computes with CuPy."""
    path = os.pathsep.join(map(str, (TESTS, TESTS / "support")))
    result = subprocess.run(list(map(str, command)), cwd=TESTS.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, env=os.environ | {"TINYNET_BACKEND": "cupy", "PYTHONPATH": path} | environment)
    return result.returncode, result.stdout[-20000:]


def sanitizer():
    """The environment in which every access to the memory of the device is checked."""
    libraries = [subprocess.check_output(["g++", f"-print-file-name={name}"], text=True).strip()
                 for name in ("libasan.so", "libstdc++.so")]
    return {"LD_PRELOAD": " ".join(libraries), "ASAN_OPTIONS": "detect_leaks=0:handle_segv=0"}


def test_the_emulated_gpu_does_what_cuda_does(python):
    status, printed = run(python, TESTS / "cudacpu" / "check.py")
    assert status == 0, printed


def passes(python, *arguments, **environment):
    """These tests pass there, and nothing is skipped that could run."""
    status, printed = run(python, "-m", "pytest", "-rs", "-n", "2", "-p", "no:cacheprovider", *arguments, **environment)
    skipped = [line for line in printed.splitlines() if line.startswith("SKIPPED")]
    assert status == 0 and all(any(reason in line for reason in ALLOWED_SKIPS) for line in skipped), printed


def test_the_whole_suite_passes_with_work_as_late_as_cuda_allows_and_threads_in_reverse(python):
    passes(python, **LATE_AND_REVERSED)


def test_what_counts_the_work_passes_with_work_done_at_once(python):
    passes(python, "tests/test_gpu.py", "tests/test_kernels.py")


def test_the_slow_tests_pass(python):
    passes(python, "-m", "slow")


def test_no_kernel_leaves_its_arrays(python):
    passes(python, "tests/test_kernels.py", **sanitizer())


def test_a_kernel_that_leaves_its_arrays_is_found(python):
    code = ("import emulator; from tinynet.backend import kernels, xp; "
            "kernels.bias_relu_dropout(xp.ones((10, 100), 'f'), xp.ones(99, 'f'), 0, None, 0.0)")
    assert run(python, "-c", code)[0] == 0
    status, printed = run(python, "-c", code, **sanitizer())
    assert status != 0 and "heap-buffer-overflow" in printed, printed


def test_the_benchmark_runs_from_end_to_end(python, tmp_path):
    status, printed = run(python, "benchmarks/gpu_mnist.py", "--rehearsal", tmp_path)
    assert status == 0, printed
    record = json.loads((tmp_path / "gpu_mnist.json").read_text())
    assert {"tinynet, graph", "tinynet, eager", "the eight products of each step alone"} <= set(record["seconds"])
    assert all("No module named" in reason for reason in record["missing"].values()), record["missing"]
    assert "which measures nothing" in (tmp_path / "gpu_mnist.md").read_text()
