"""The kernels that a C compiler makes for the CPU: NumPy's bits, and no file that others could have written."""
import importlib.util
import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st
from test_cuda import OPTIMIZERS, each_real

from tinynet.backend import kernels, on_gpu
from tinynet.device import compile, optimizer_kernels
from tinynet.device.plan import Plan, run
from tinynet.device.record import Recorded, Tape, plain, recorded
from tinynet.parameters import Parameter, ParameterVector
from tinynet.random import MaskStream

pytestmark = [pytest.mark.skipif(on_gpu, reason="about a CPU; a GPU has CUDA graphs"),
              pytest.mark.skipif(not compile.compiler(), reason="no C compiler")]


def same(function, *arrays):
    """Check that function(*arrays) is noted, and that its calls, played anew, give NumPy's numbers to the last bit."""
    expected = function(*[a.copy() for a in arrays])
    given = [a.copy() for a in arrays]
    with Tape() as tape:
        result = function(*[recorded(a) for a in given])
    assert tape.failed == "" and tape.calls and isinstance(result, Recorded)
    result = plain(result)
    assert result.dtype == expected.dtype and result.tobytes() == expected.tobytes()
    for a, b in zip(given, arrays):
        a[...] = b
    if not any(np.shares_memory(result, a) for a in given):
        result[...] = result.dtype.type(7)
    Plan(tape).play()
    assert result.tobytes() == expected.tobytes()


# Kernels


@each_real
@pytest.mark.parametrize("shape", [(3, 5), (128, 512), (1, 1), (33, 50), (2, 4096), (70, 16)])
@pytest.mark.parametrize("rate, first", [(0.0, 0), (0.2, 0), (0.5, 250), (0.9, 7)])
def test_bias_relu_dropout_and_back(shape, rate, first, real):
    z, bias, dy = (np.random.standard_normal(s).astype(real) for s in (shape, shape[-1:], shape))
    z[0, 0] = np.nan
    step = np.array([2])
    same(lambda z, b, s: kernels.bias_relu_dropout(z, b, 2**64 - 5, s, rate, first), z, bias, step)
    y = kernels.bias_relu_dropout(z, bias, 5, step, rate, first)
    same(lambda dy, y: kernels.relu_dropout_backward(dy, y, rate), dy, y)


@pytest.mark.parametrize("count, first", [(1, 0), (4, 0), (1001, 0), (1, 3), (3, 6), (1000, 41)])
def test_random_bits_masks_and_noise(count, first):
    for step in ([0], [10**12]):
        same(lambda s: kernels.random_bits(9, s, count, first), np.array(step))
        for rate in (0.0, 0.2, 0.9999):
            same(lambda s: kernels.dropout_mask(2**64 - 1, s, (count, 3), rate, first), np.array(step))

    def normal(counter):
        stream = MaskStream(3)
        stream.counter = counter
        return stream.normal((count, 7), np.float32)
    same(normal, np.array([5]))


@each_real
@given(st.integers(1, 40), st.integers(1, 300), st.integers(0, 5))
def test_softmax_crossentropy_and_back(real, rows, classes, seed):
    rng = np.random.default_rng(seed)
    z, y_true = (rng.standard_normal((rows, classes)) * 20).astype(real), rng.random((rows, classes)).astype(real)
    same(kernels.softmax_crossentropy, y_true, z)
    same(kernels.softmax_crossentropy_backward, y_true, z)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("order", [None, [4, 2, 0, 1, 3]])
def test_gather(dtype, order):
    array = np.arange(30).reshape(5, 2, 3).astype(dtype)

    def work(position):
        def buffer(size):
            made = np.empty((size, 2, 3), dtype)
            return recorded(made) if isinstance(position, Recorded) else made
        return kernels.gather(array, order and np.array(order), position, 3, buffer)
    same(work, np.array([1]))


@each_real
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_s_kernel_is_its_equation(name, real):
    optimizer = OPTIMIZERS[name]
    rng = np.random.default_rng(0)
    for root in range(12):          # C's power and Python's could differ: t is 1 to 11^3 + 1
        optimizer = type(optimizer).from_config(optimizer.get_config())
        vector = ParameterVector([Parameter("p", rng.standard_normal((25, 40)).astype(real))])
        slots = [rng.random(1000).astype(real) for _ in optimizer.slot_names]
        state = optimizer.step_state.copy()
        state[1:] = [root**3, 0.5][:len(state) - 1]

        def updated(p, g, state, *slots):
            optimizer.step_state = state
            kernels.optimizer_update(optimizer, p, g, list(slots))
            return p
        g = rng.standard_normal(1000).astype(real)
        same(updated, vector.value, g, state, *slots)
        same(lambda p, g, state, *slots: (updated(p, g, state, *slots), slots[-1] if slots else p)[1],
             vector.value, g, state, *slots)


def test_every_formula_of_an_optimizer_is_compiled():
    lib = compile.library("float32")
    assert {name for name in lib.parameters if name.startswith("update_")} == {
        optimizer_kernels.kernel_name(optimizer) for optimizer in OPTIMIZERS.values()}


# NumPy's operations


@each_real
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 400))
def test_sums_means_and_largest_numbers(real, a, b, c):
    x = np.random.default_rng(a + b).standard_normal((a, b, c)).astype(real)
    x[x > 2] = -0.0
    for axis in (None, -1, (1, 2), 0, (0, 1), (0, 1, 2)):
        for keepdims in (False, True):
            same(lambda x: x.sum(axis=axis, keepdims=keepdims), x)
            same(lambda x: x.mean(axis=axis, keepdims=keepdims), x)
    same(lambda x: x.max(axis=-1, keepdims=True), x)
    same(lambda x: x.argmax(axis=-1), x)
    same(lambda x: x.argmax(axis=-1), np.where(x > 1, np.nan, x))
    same(lambda x: x.sum(dtype=float), x)
    same(lambda x: (x > 0).sum(dtype=float), x)
    same(lambda x: (x > 0).mean(axis=-1), x)
    same(lambda x: (x > 0).sum(axis=-1), x)


@pytest.mark.parametrize("count", [8191, 8192, 8193, 100_000])
def test_long_sums_of_another_type_are_added_in_numpys_portions(count):
    same(lambda x: x.sum(dtype=float), np.random.standard_normal(count).astype("float32"))


OPERATIONS = {
    "broadcasting": lambda x, b: (x - b) * x / (b + 2.5), "columns": lambda x, b: x - x.max(axis=1, keepdims=True),
    "in place": lambda x, b: np.add(x, b, out=x), "powers": lambda x, b: x ** 2 + x ** 3 + np.abs(x) ** 0.5,
    "functions": lambda x, b: np.exp(x) + np.log(np.abs(x)) + np.tanh(x) + np.log1p(np.abs(x)) + np.expm1(x),
    "where": lambda x, b: np.where(x > b, x, 0) + np.where(x > 0, 1, b) + np.where(x != x, b, -x),
    "comparisons": lambda x, b: ((x > b) & (x < 2) | ~(x == b)) * x,
    "signs": lambda x, b: np.sign(x) * np.maximum(x, b),
    "clip": lambda x, b: np.clip(x, -0.5, 0.5), "rounding": lambda x, b: x.round() + np.rint(x * 10),
    "types": lambda x, b: (x > 0).astype(x.dtype) + x.astype("float64").astype(x.dtype) + np.multiply(
        x > b, 1.25, dtype=x.dtype),
    "views": lambda x, b: (x.reshape(-1, 2, x.shape[1])[:, 1] + x.T[:, 0].reshape(1, -1)).ravel(),
    "new arrays": lambda x, b: np.zeros_like(x) + np.ones_like(x) + x, "finite": lambda x, b: np.isfinite(x) + 0.0,
    "classes": lambda x, b: np.take_along_axis(x, (np.abs(x[:, :1]) % 3).astype(int), axis=-1),
}


@each_real
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_of_numpy(name, real):
    x, b = np.random.standard_normal((130, 6)).astype(real), np.random.standard_normal(6).astype(real)
    same(OPERATIONS[name], x, b)


@each_real
def test_a_class_out_of_range_reads_no_other_memory(real):
    """NumPy raises an IndexError, which a kernel cannot: the loss is NaN."""
    x, classes = np.arange(12.0, dtype=real).reshape(4, 3), np.array([2, -1, 3, 10**12])
    out, lib = np.zeros(4, real), compile.library(np.dtype(real).name)
    run(lib.address("call_at_class"), lib.pack("at_class", (x, classes, out, 3, 4)), 0, 4)
    assert out[:2].tolist() == [2, 5] and np.isnan(out[2:]).all()


@each_real
def test_a_copy_is_a_copy_and_an_assignment_is_noted(real):
    def work(x, y):
        z = x.copy()
        x *= 2
        y[1:3] = x[:2]
        y[0] = 1
        return z + y
    same(work, np.ones((4, 3), real), np.zeros((4, 3), real))


@pytest.mark.parametrize("work, reason", [
    (lambda x: x[np.array([1, 0])], "indexing by an array"), (lambda x: np.sort(x), "sort reads"),
    (lambda x: x * float(x.sum()), "__float__ reads"), (lambda x: x if x.any() else -x, "any reads"),
    (lambda x: x.dot(x.T), "dot reads"), (lambda x: np.add(x[1:], x[:-1], out=x[1:]), "arrays that overlap"),
    (lambda x: x.sum(axis=1, where=x > 0), "add.reduce with where"), (lambda x: x @ x.T, "matmul.__call__"),
    (lambda x: np.modf(x)[0], "modf"), (lambda x: np.concatenate([x, x]), "concatenate, which copies"),
    (lambda x: x.sum(axis=(0, 2)), "add.reduce of an array"), (lambda x: x.reshape(3, 8).T.reshape(-1), "reshape"),
    (lambda x: np.add(x, x, where=x > 0, out=np.zeros_like(x)), "add.__call__ with where"),
    (lambda x: np.cumsum(x), "add.accumulate"),
])
def test_what_cannot_be_noted_is_told_and_computed_all_the_same(work, reason):
    x = np.arange(24.0).reshape(2, 3, 4) if "0, 2" in reason or reason.startswith("add.reduce of an") else (
        np.arange(24.0).reshape(4, 6))
    with Tape() as tape:
        result = work(recorded(x))
    assert reason in tape.failed
    if "with where" not in reason:
        assert np.array_equal(plain(result), work(x))


# The library's file


CODE = ("import numpy as np; from tinynet.device import compile; lib = compile.library('float32'); print(bool(lib))")


def process(code=CODE, **environment):
    """(what a new process prints, its errors)"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {
        "TINYNET_BACKEND": "numpy"} | {name: str(value) for name, value in environment.items()})
    assert result.returncode == 0, result.stderr
    return result.stdout.strip(), result.stderr


def files(cache):
    return sorted(path for path in (cache / "tinynet").rglob("*") if path.is_file())       # a compiler has files, too


def test_kernels_are_compiled_once(tmp_path):
    assert process(XDG_CACHE_HOME=tmp_path)[0] == "True"
    made, = files(tmp_path)
    at = made.stat().st_mtime_ns
    assert process(XDG_CACHE_HOME=tmp_path)[0] == "True"
    assert files(tmp_path) == [made] and made.stat().st_mtime_ns == at
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700


def test_another_text_is_another_file(tmp_path):
    changed = "from tinynet.device import compile; compile.FLAGS += ('-O2',); " + CODE
    process(XDG_CACHE_HOME=tmp_path)
    process(changed, XDG_CACHE_HOME=tmp_path)
    assert len(files(tmp_path)) == 2


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="about the permissions of Unix")
@pytest.mark.parametrize("harm", ["group may write", "others may write", "a link", "another owner"])
def test_a_file_that_others_may_have_written_is_not_loaded(tmp_path, harm):
    """It would run their code. A new file takes its place."""
    process(XDG_CACHE_HOME=tmp_path)
    made, = files(tmp_path)
    trap = tmp_path / "trap"
    made.write_bytes(b"not a library: loading it would fail")
    if harm == "a link":
        made.rename(trap)
        made.symlink_to(trap)
    elif harm == "another owner":
        if os.getuid():
            pytest.skip("only root can give a file away")
        os.chown(made, 12345, -1)
    else:
        made.chmod(0o720 if harm == "group may write" else 0o702)
    assert process(XDG_CACHE_HOME=tmp_path) == ("True", "")
    assert not made.is_symlink() and made.stat().st_size > 10_000 and made.stat().st_uid == os.getuid()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="about the permissions of Unix")
@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:8192], lambda data: data[::-1]])
def test_a_damaged_file_is_compiled_anew(tmp_path, damage):
    process(XDG_CACHE_HOME=tmp_path)
    made, = files(tmp_path)
    made.write_bytes(damage(made.read_bytes()))
    assert process(XDG_CACHE_HOME=tmp_path)[0] == "True"
    assert made.stat().st_size > 10_000


def test_a_compiler_that_fails_for_one_type_is_not_used(tmp_path):
    compiler = tmp_path / "cc"
    works = " ".join(compile.compiler())
    compiler.write_text(f'#!/bin/sh\ncase "$*" in *REAL=double*) exit 1;; esac\nexec {works} "$@"\n')
    compiler.chmod(0o755)
    code = """
import numpy as np; from tinynet.models import Sequential; from tinynet.layers import Dense
model = Sequential([Dense(2, "softmax", input_shape=(3,))])
model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
model.fit(np.ones((40, 3)), np.eye(2)[np.arange(40) % 2], batch_size=10, epochs=3, verbose=0)
print("done")"""
    assert process(code, TINYNET_COMPILE=compiler, XDG_CACHE_HOME=tmp_path)[0] == "done"


def test_a_folder_that_others_may_write_is_not_used(tmp_path):
    (tmp_path / "tinynet").mkdir()
    (tmp_path / "tinynet").chmod(0o777)
    printed, said = process(XDG_CACHE_HOME=tmp_path)
    assert printed == "False" and "can be written by one" in said and "chmod 700" in said
    assert not files(tmp_path)


def test_without_a_compiler_numpy_computes(tmp_path):
    for choice in ("off", "auto") if importlib.util.find_spec("ziglang") is None else ("off",):
        environment = {"TINYNET_COMPILE": choice, "XDG_CACHE_HOME": tmp_path, "PATH": tmp_path}
        assert process(**environment)[0] == "False"
    assert not files(tmp_path)


def test_a_compiler_that_fails_is_named_and_numpy_computes(tmp_path):
    bad = tmp_path / "bad compiler"
    bad.write_text("#!/bin/sh\necho no such flag >&2\nexit 1\n")
    bad.chmod(0o755)
    printed, said = process(TINYNET_COMPILE=bad, XDG_CACHE_HOME=tmp_path / "cache")
    assert printed == "False" and "without the kernels of " in said and "bad compiler: no such flag" in said


def test_a_path_without_a_compiler_is_an_error(tmp_path):
    with pytest.raises(AssertionError, match="TINYNET_COMPILE must be 'auto', 'off' or the path of a C compiler, got"):
        process(TINYNET_COMPILE=tmp_path / "nothing", XDG_CACHE_HOME=tmp_path)


def test_which_compiler_it_is_can_be_asked(tmp_path):
    said = process(TINYNET_VERBOSE=1, XDG_CACHE_HOME=tmp_path)[1]
    assert f"tinynet's kernels for the CPU are compiled by {compile.compiler()[0]}" in said
    assert process(XDG_CACHE_HOME=tmp_path)[1] == ""


def test_processes_that_compile_at_once_do_not_disturb_each_other(tmp_path):
    started = [subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.PIPE, text=True, env=os.environ | {
        "TINYNET_BACKEND": "numpy", "XDG_CACHE_HOME": str(tmp_path)}) for _ in range(3)]
    assert [p.communicate()[0].strip() for p in started] == ["True"] * 3
    assert len(files(tmp_path)) == 1


def test_a_file_made_under_a_loose_umask_is_loaded(tmp_path):
    loose = "import os; os.umask(0o002); " + CODE
    process(loose, XDG_CACHE_HOME=tmp_path)
    made, = files(tmp_path)
    at = made.stat().st_mtime_ns
    assert process(loose, XDG_CACHE_HOME=tmp_path)[0] == "True" and made.stat().st_mtime_ns == at


def test_a_stub_of_macos_is_not_called(tmp_path, monkeypatch):
    stub = tmp_path / "xcode-select"
    stub.write_text("#!/bin/sh\nexit 2\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not compile._only_a_stub()
    monkeypatch.setattr("sys.platform", "darwin")
    assert compile._only_a_stub()


def test_arrays_that_a_kernel_would_misread_are_refused():
    for y in (np.ones((3, 4)), np.ones((4, 3), "float32").T):
        with Tape(), pytest.raises(TypeError, match="relu_dropout_backward needs arrays in C order of float32, got"):
            kernels.relu_dropout_backward(recorded(np.ones((3, 4), "float32")), recorded(y), 0.5)
