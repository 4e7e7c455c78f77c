"""Damaged and forged files are refused, take little memory and run no code."""
import gc
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import harm
from harm import GOLDEN, outcome, state
from tinynet.backend import on_gpu
from tinynet.layers import Dense
from tinynet.models import Sequential, load_model, model_from_json
from tinynet.saving import ModelFileError, atomic_write, keras_format, file_format


def test_damaged_files_are_refused(model, path):
    model.save(path)
    raw, expected = path.read_bytes(), state(model)
    counts = Counter((signed, outcome(path, damaged, expected)) for damaged, signed in harm.mutants(raw, 3000))
    assert {what for signed, what in counts if not signed} <= {"error", "equal"}
    assert {what for signed, what in counts if signed} <= {"error", "equal", "different"}
    assert counts[False, "error"] > 1500


BOMBS = harm.bombs()


@pytest.mark.parametrize("name", BOMBS)
def test_malicious_files_are_refused_and_take_little_memory(name, path):
    raw = BOMBS[name]
    path.write_bytes(raw)
    code = ("import resource, sys; from tinynet.models import load_model; import h5py, hashlib\n"
            "def now(): return next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('VmHWM'))\n"
            "before = now()\n"
            "try: load_model(sys.argv[1])\n"
            "except ValueError as error: print(type(error).__name__, now() - before, error)")
    if os.path.exists("/proc/self/status"):
        said = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True).stdout.split(" ", 2)
        assert said[0] == "ModelFileError" and int(said[1]) * 1024 < 2**26 + len(raw), said
    assert outcome(path, raw) == "error"


def test_damaged_files_of_keras_are_refused_too(path):
    raw = (GOLDEN / "keras231.h5").read_bytes()
    for at in range(0, 3000, 60):       # where the tables are; beyond, h5py itself may go round in circles
        assert outcome(path, raw[:at] + b"\xff" + raw[at + 1:]) in ("error", "equal")
    for at in range(0, len(raw), 500):
        assert outcome(path, raw[:at]) == "error"


@pytest.mark.parametrize("kind", ["zeros", "safetensors", "hdf5", "zip"])
def test_a_sparse_file_is_not_read_to_its_end(path, kind, monkeypatch):
    """Of gigabytes that take no place on the disk."""
    header = b'{"__metadata__":{"format":"tinynet","sha256":"' + b"0" * 64 + b'"},"a":{"dtype":"F32","shape":[1],' \
             b'"data_offsets":[0,4]}}'
    start = {"zeros": b"", "safetensors": len(header).to_bytes(8, "little") + header + bytes(4),
             "hdf5": BOMBS["hdf5: texts"], "zip": b"PK\x03\x04"}[kind]
    with open(path, "wb") as file:
        file.write(start)
        file.truncate(2**33)
    taken = []
    monkeypatch.setattr(os, "open", lambda *arguments, inner=os.open: (taken.append(arguments), inner(*arguments))[1])
    started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelFileError):
        load_model(path)
    assert taken and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - started < 2**16      # KiB


def test_json_that_is_nested_too_deep_is_a_clear_error():
    for text in ("[" * 50_000, '{"a":' * 150 + "1" + "}" * 150):
        with pytest.raises(ModelFileError, match="The file is damaged: "):
            model_from_json(text)


@pytest.mark.slow
def test_thousands_of_layers_load_in_linear_time(tmp_path):
    seconds, name = {}, "model"
    gc.disable()        # a collection walks the objects of the whole process, the tests' own among them
    try:
        for count in (600, 2400):
            model = Sequential([Dense(2, input_shape=(2,), name=f"d{i}") for i in range(count)])
            model.compile("adam", "mse")
            model.save(tmp_path / name)
            times = []
            for _ in range(3):
                start = time.thread_time()      # other work on the machine does not add to it
                load_model(tmp_path / name)
                times.append(time.thread_time() - start)
            seconds[count] = min(times)
    finally:
        gc.enable()
    assert seconds[2400] < 8 * seconds[600], seconds       # four times the layers; squared it were sixteen


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="this system does not tell the peak of memory")
@pytest.mark.skipif(on_gpu, reason="about the memory of a CPU; an emulated GPU's memory is counted with it")
@pytest.mark.parametrize("name, optimizer", [("model", None), ("model", "sgd"), ("model", "adam"), ("model.h5", "sgd")])
def test_loading_takes_at_most_three_times_the_file(tmp_path, name, optimizer):
    model = Sequential([Dense(4000, input_shape=(4000,)), Dense(4000)])
    if optimizer:
        model.compile(optimizer, "mse")
    model.save(tmp_path / name)
    code = ("import sys; from tinynet.models import load_model, Sequential; from tinynet.layers import Dense\n"
            "def now(): return next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('VmHWM'))\n"
            "small = Sequential([Dense(2, input_dim=2)]); small.compile('adam', 'mse')\n"
            "small.save(sys.argv[1] + '.s')\n"
            "load_model(sys.argv[1] + '.s'); before = now(); load_model(sys.argv[1]); print(now() - before)")
    said = subprocess.run([sys.executable, "-c", code, tmp_path / name], capture_output=True, text=True)
    assert int(said.stdout) * 1024 < 2**26 + 3 * (tmp_path / name).stat().st_size, said


def test_loading_runs_no_code(tmp_path):
    code = f"""
import sys; sys.path.insert(0, {str(GOLDEN.parent)!r})
import harm
from pathlib import Path
path, model = Path({str(tmp_path)!r}) / "model", harm.small_model()
model.save(path)
raw = path.read_bytes()
golden = [file.read_bytes() for file in Path({str(GOLDEN)!r}).iterdir() if file.suffix != ".npz"]
files = [raw, *golden, *harm.bombs().values(), *(damaged for damaged, _ in harm.mutants(raw, 500))]
from tinynet.models import load_model
def load():
    try: load_model(path)
    except ValueError: pass
for file in files[:8]:
    path.write_bytes(file); load()      # what is imported when first needed
watching, seen = False, []
def watch(event, arguments):
    if watching and (event.split(".")[0] in ("exec", "import", "compile", "marshal", "pickle", "socket", "subprocess",
                                             "ctypes", "shutil") or event.startswith("os.")
                     or event == "open" and (set(str(arguments[1])) & set("wax+"))):
        seen.append((event, str(arguments)[:100]))
sys.addaudithook(watch)
for file in files:
    path.write_bytes(file)
    watching = True; load(); watching = False
watching = True
open({str(tmp_path / 'x')!r}, "w").close()     # the watch itself works
watching = False
print(len(files), seen)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    number, _, seen = said.stdout.strip().partition(" ")
    assert int(number) > 500 and eval(seen) and [event for event, _ in eval(seen)] == ["open"], said.stderr


def test_the_loader_knows_no_way_to_run_code():
    for module in (file_format, keras_format, atomic_write):
        text = Path(module.__file__).read_text()
        assert not any(word in text for word in ("pickle", "marshal", "eval(", "exec(", "importlib", "__import__"))
