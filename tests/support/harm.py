"""Ways to hurt a file or a run: kills, damage, lies and full disks.  The tests do a few, benchmarks/faults.py many."""
import hashlib
import io
import json
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from tinynet import backend
from tinynet.backend import to_numpy
from tinynet.device import blas
from tinynet.device.denormals import flush_denormals
from tinynet.device.threads import Lock
from tinynet.layers import Dense, Dropout
from tinynet.models import Sequential, load_model
from tinynet.optimizers import SGD
from tinynet.saving import ModelFileError, atomic_write, file_format, model_file as model_file_module

CHILD = Path(__file__).parent / "resumable.py"
GOLDEN = Path(__file__).parent / "golden"       # files of earlier versions and of Keras


def small_model():
    """A model of all kinds of state, compiled and trained for two steps."""
    model = Sequential([Dense(5, activation="relu", input_shape=(4,)), Dropout(0.25), Dense(3, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    x = np.random.random((8, 4))
    model.fit(x, np.eye(3)[np.arange(8) % 3], batch_size=4, verbose=0)
    return model


def simple(optimizer="sgd", loss="mse", **options):
    """A model of one unit, compiled."""
    model = Sequential([Dense(1, input_shape=(4,))])
    model.compile(optimizer, loss, **options)
    return model


def state(model):
    """Everything that a file keeps, as one hash."""
    optimizer = model.optimizer
    arrays = model.get_weights() + ([*model.parameters.slots.values(), optimizer.step_state] if optimizer else [])
    masks = [layer.masks.step for layer in model.layers if hasattr(layer, "masks")]
    text = json.dumps([model.get_config(), masks])
    return hashlib.sha256(b"".join(to_numpy(a).tobytes() for a in arrays) + text.encode()).hexdigest()


# Kills


def kill_while_saving(folder, kills, seed=0):
    """{"lost", "older", "stale"}: how often a file was gone or damaged, older than a save that had returned, or
    temporary files were there after the next save."""
    path, chance = Path(folder) / "model.safetensors", random.Random(seed)
    counts = {"lost": 0, "older": 0, "stale": 0}
    rest = np.random.random(300_000)

    def contents(number):
        return file_format.encode({"number": np.array(number), "rest": rest}, {})
    atomic_write.write(path, contents(0))
    acknowledged = 0
    for _ in range(kills):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            number = acknowledged
            while True:
                number += 1
                atomic_write.write(path, contents(number))
                os.write(writer, struct.pack("<q", number))
        os.close(writer)
        time.sleep(chance.random() * 0.03)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with open(reader, "rb") as pipe:
            said = pipe.read()
        acknowledged = max([acknowledged, *(n for n, in struct.iter_unpack("<q", said[:len(said) // 8 * 8]))])
        try:
            found = int(file_format.decode(file_format.read(path))[0]["number"])
        except (OSError, ModelFileError):
            counts["lost"] += 1
            found = acknowledged
        counts["older"] += found < acknowledged
        acknowledged = max(acknowledged, found)
        if chance.random() < 0.2:
            atomic_write.write(path, contents(acknowledged))
            counts["stale"] += len(os.listdir(folder)) != 1
    return counts


def resumed_hashes(folder, runs, seed=0, optimizers=("adam",)):
    """[(hash of an uninterrupted run, hash of one that was killed at random steps and started again)], with each of
    these optimizers in turn."""
    def run(name, *arguments):
        return subprocess.run([sys.executable, CHILD, Path(folder) / name, *map(str, arguments)], capture_output=True,
                              text=True).stdout.strip()
    chance = random.Random(seed)
    wholes = {optimizer: run(f"{optimizer} whole", 0, 3, optimizer) for optimizer in optimizers}
    pairs = []
    for i in range(runs):
        optimizer = optimizers[i % len(optimizers)]
        name, every = f"killed{i}", chance.choice([1, 3, "epoch"])
        for _ in range(chance.randint(1, 3)):   # killed; or it was through before
            assert run(name, chance.randint(1, 40), every, optimizer) in ("", wholes[optimizer])
        pairs.append((wholes[optimizer], run(name, 0, every, optimizer)))
    return pairs


# Threads, and Ctrl-C


def together(*functions):
    """The results of functions, each called in a thread of its own, at the same time; the first error is raised."""
    results, errors = {}, []

    def call(i, function):
        try:
            results[i] = function()
        except BaseException as error:
            errors.append(error)
    started = [threading.Thread(target=call, args=pair, daemon=True) for pair in enumerate(functions)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(120)
        assert not thread.is_alive(), "a thread waits for ever"
    if errors:
        raise errors[0]
    return [results[i] for i in range(len(functions))]


def twins():
    """(a model of which every weight has the same value after every step, x, y)"""
    model = Sequential([Dense(400, input_shape=(300,), kernel_initializer="zeros", use_bias=False)])
    model.compile(SGD(0.001), "mse")
    return model, np.ones((64, 300)), np.ones((64, 400))


def loads_in_threads(folder, number):
    """What came of loading models of two float types in four threads, while a fifth one draws and trains."""
    counts, expected = Counter[str](), {}
    for real in ("float32", "float64"):
        with backend.local_floatx(real):
            model = small_model()
            model.save(Path(folder) / real)
            expected[real] = state(model)
    numbers = np.random.RandomState(3)
    np.random.seed(3)
    done = threading.Event()

    def load(real):
        for _ in range(number // 4):
            model = load_model(Path(folder) / real)
            right = model.dtype == real and backend.floatx() == "float32" and state(model) == expected[real]
            counts["right" if right else "WRONG"] += 1

    def draw():
        while not done.is_set():
            if np.random.random_sample() != numbers.random_sample():
                counts["OTHER RANDOM NUMBERS"] += 1

    def loads():
        try:
            together(*[lambda real=real: load(real) for real in ("float32", "float64")] * 2)
        finally:
            done.set()
    together(loads, draw)
    return counts


def saves_beside_training(folder, number):
    """What came of saving a model while another thread trains it, whose weights are all the same after each step."""
    (model, x, y), counts, done = twins(), Counter[str](), threading.Event()

    def train():
        while not done.is_set():
            model.fit(x, y, batch_size=16, verbose=0)

    def save():
        try:
            for _ in range(number):
                model.save(Path(folder) / "model")
                counts["whole" if np.ptp(load_model(Path(folder) / "model").get_weights()[0]) == 0 else "TORN"] += 1
        finally:
            done.set()
    together(train, save)
    return counts


def interrupted(number, seed=0):
    """What is left of fit after an interrupt at a random moment."""
    chance, counts, model = random.Random(seed), Counter[str](), small_model()
    x, y = np.random.random((64, 4)), np.eye(3)[np.arange(64) % 3]
    before = [library.get() for library in blas._loaded()], [], False, {}

    def interrupt(signal_number, frame):
        raise KeyboardInterrupt
    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(number):
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.random() * 0.02 + 1e-4)
                while True:
                    model.fit(x, y, epochs=1, batch_size=32, verbose=0)
                    model.predict(x)
            except KeyboardInterrupt:
                pass
            left = [library.get() for library in blas._loaded()], blas.open_limits, flush_denormals(), Lock.waiting
            counts["as before" if left == before else f"LEFT {left}"] += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    model.fit(x, y, verbose=0)
    return counts


# Damage


def forged(count, seed=0):
    """Files with a right checksum whose numbers, in the description of the layers, are others."""
    chance, model = random.Random(seed), small_model()
    arrays, metadata = model_file_module.model_state(model)
    numbers = [0, -1, 1, 2, 3, 7, 1000, 10**6, 2**31, 2**63, 10**30, 0.5, -0.5, 1e300, "x", [], {}, [3], None, True]

    def change(thing):
        if isinstance(thing, dict) and thing:
            key = chance.choice(list(thing))
            return {**thing, key: change(thing[key])}
        if isinstance(thing, list) and thing:
            at = chance.randrange(len(thing))
            kind = chance.randrange(6)
            return thing[:at] + [change(thing[at])] * (3 if kind == 0 else 1) + thing[at + 1:]
        return chance.choice(numbers)
    for _ in range(count):
        made = {name: json.loads(text) for name, text in metadata.items()}
        name = chance.choice(list(made))
        made[name] = change(made[name])
        yield file_format.encode(arrays, {key: json.dumps(value) for key, value in made.items()})


def cost_of_loading(path, raw):
    """(outcome, MB, seconds) of loading these bytes in a process of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        what = outcome(path, raw)
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
        os.write(writer, json.dumps([what, peak, time.perf_counter() - start]).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said or b'["CRASHED", 0, 0]')


def mutants(raw, count, seed=0):
    """(bytes, whether the checksum was made right again) of damaged copies of a file."""
    chance = random.Random(seed)
    tokens = [b"1e400", b"-1", b"9" * 400, b"[", b'{"', b"NaN", b"true", b"null", b"\\ud800", b'"a":1,"a":1',
              b"18446744073709551616", b'"Dense"', b"99999999", b"{}", b"[]", b'""', b"0", b"0.5", b'"__import__"']
    for _ in range(count):
        data, kind = bytearray(raw), chance.randrange(8)
        if kind == 0:
            for _ in range(chance.randint(1, 8)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        elif kind == 1:
            del data[chance.randrange(len(data)):]
        elif kind == 2:
            at = chance.randrange(len(data))
            data[at:at] = chance.randbytes(chance.randint(1, 16))
        elif kind == 3:
            at = chance.randrange(len(data))
            del data[at:at + chance.randint(1, 16)]
        else:       # a word in the header, whose length stays right
            header = struct.unpack("<Q", data[:8])[0]
            at, word, gone = 8 + chance.randrange(header), chance.choice(tokens), chance.randint(0, 6)
            data[at:at + gone] = word
            data[:8] = struct.pack("<Q", header - min(gone, 8 + header - at) + len(word))
        yield (resigned(bytes(data)), True) if kind > 5 else (bytes(data), False)


def resigned(raw):
    """The bytes with a checksum that is right for them, where they still have one."""
    at = raw.find(file_format.CHECKSUM)
    if at < 0:
        return raw
    at += len(file_format.CHECKSUM)
    blank = raw[:at] + b"0" * file_format.DIGITS + raw[at + file_format.DIGITS:]
    return raw[:at] + hashlib.sha256(blank).hexdigest().encode() + raw[at + file_format.DIGITS:]


def outcome(path, raw, expected=None):
    """"error" for ModelFileError, "equal", "different", or the name of any other exception, of loading these bytes."""
    Path(path).write_bytes(raw)
    try:
        model = load_model(path)
        return "equal" if expected is None or state(model) == expected else "different"
    except ModelFileError:
        return "error"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]


def model_file(header, body=b""):
    """A file of this header (JSON text, or a dict) and body, with a right checksum."""
    if isinstance(header, dict):
        words = {"format": "tinynet", "version": "1", "sha256": "0" * 64} | header.pop("__metadata__", {})
        header = json.dumps({"__metadata__": words} | header, separators=(",", ":"))
    text = header.encode() if isinstance(header, str) else header
    return resigned(struct.pack("<Q", len(text)) + text + body)


def bombs():
    """{name: bytes} of files made by hand that lie, or would take all memory."""
    def array(shape, offsets, dtype="F32"):
        return {"dtype": dtype, "shape": shape, "data_offsets": offsets}

    def words(**texts):
        return {"__metadata__": {"weights": "[]"} | texts}

    def dense(**changes):
        layer = {"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [None, 3]} | changes}
        return words(architecture=json.dumps({"name": "m", "layers": [layer]}))

    def same_array(count):
        layers = [{"class_name": "Dense", "config": {"name": f"d{i}", "units": 512, "use_bias": False,
                                                     "batch_input_shape": [None, 512]}} for i in range(count)]
        texts = {"architecture": json.dumps({"name": "m", "layers": layers}),
                 "weights": json.dumps([[f"d{i}", ["w"]] for i in range(count)])}
        return model_file({"__metadata__": texts, "w": array([512, 512], [0, 2**20])}, bytes(2**20))

    signed = b'{"__metadata__":{"format":"tinynet","version":"1","sha256":"' + b"0" * 64 + b'"},'
    found = {
        "empty": b"", "seven bytes": b"1234567", "zeros": bytes(1000), "text": b"hello" * 100,
        "header of 2^63": struct.pack("<Q", 2**63) + b"{}", "header of -1": b"\xff" * 8 + b"{}",
        "header longer than the file": struct.pack("<Q", 100) + b"{}",
        "deep JSON": model_file(signed + b'"a":' + b"[" * 200_000 + b"}"),
        "deep table": model_file(signed + b'"a":' + b'{"a":' * 200_000 + b"}"),
        "5,000 digits": model_file(signed + b'"a":' + b"9" * 5000 + b"}"),
        "NaN": model_file(signed + b'"a":NaN}'), "infinity": model_file(signed + b'"a":-Infinity}'),
        "duplicate keys": model_file(signed + b'"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},'
                                     b'"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
        "two checksums": model_file(signed + signed[1:] + b'"a":1}'),
        "a million objects": model_file(signed + b'"a":[' + b"{}," * 600_000 + b"{}]}"),
        "shape of 2^62": model_file({"a": array([2**62], [0, 4])}, bytes(4)),
        "shape that overflows": model_file({"a": array([2**32, 2**32], [0, 0])}),
        "negative shape": model_file({"a": array([-1], [0, 4])}, bytes(4)),
        "shape of truth": model_file({"a": array([True], [0, 4])}, bytes(4)),
        "shape of text": model_file({"a": array("4", [0, 4])}, bytes(4)),
        "overlap": model_file({"a": array([2], [0, 8]), "b": array([1], [4, 8])}, bytes(8)),
        "hole": model_file({"a": array([1], [0, 4]), "b": array([1], [8, 12])}, bytes(12)),
        "past the end": model_file({"a": array([4], [0, 16])}, bytes(4)),
        "something after it": model_file({"a": array([1], [0, 4])}, bytes(8)),
        "unknown type": model_file({"a": array([1], [0, 4], "O")}, bytes(4)),
        "metadata of numbers": model_file(b'{"__metadata__":{"sha256":"' + b"0" * 64 + b'","a":1}}'),
        "another format": model_file({"__metadata__": {"format": "pt"}}),
        "a newer version": model_file({"__metadata__": {"version": "2"}}),
        "no architecture": model_file(words()), "one array for 300 layers": same_array(300),
        "absurd units": model_file(dense(units=10**9)),
        "absurd inputs": model_file(dense(batch_input_shape=[None, 10**15])),
        "negative units": model_file(dense(units=-1)), "units of text": model_file(dense(units="2")),
        "an unknown layer": model_file(words(architecture='{"layers":[{"class_name":"os.system","config":{}}]}')),
        "a Lambda": model_file(words(architecture='{"layers":[{"class_name":"Lambda","config":{"function":"x"}}]}')),
        "a module": model_file(dense(activation={"module": "os", "class_name": "system", "config": {"command": "id"}})),
        "layers of numbers": model_file(words(architecture='{"layers":[1,2]}')),
        "architecture of a list": model_file(words(architecture="[[]]")),
        "a pickle": b"\x80\x04\x95" + b"cos\nsystem\n(S'true'\ntR.", "a packed zip": _zip(zipfile.ZIP_DEFLATED),
        "a zip without a model": _zip(zipfile.ZIP_STORED, names=("../../x",)),
    }
    return found | _hdf5_bombs()


def _zip(compression, names=("config.json", "model.weights.h5")):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", compression) as archive:
        for name in names:
            archive.writestr(name, bytes(10_000_000))
    return memory.getvalue()


def _hdf5_bombs():
    """Files of Keras's layout whose arrays lie elsewhere, or nowhere."""
    import h5py

    def made(write):
        memory = io.BytesIO()
        with h5py.File(memory, "w") as file:
            layer = {"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [None, 3],
                                                       "use_bias": False}}
            config = {"class_name": "Sequential", "config": {"layers": [layer]}}
            file.attrs["model_config"] = json.dumps(config).encode()
            group = file.create_group("model_weights")
            group.attrs["layer_names"] = np.array([b"d"])
            inside = group.create_group("d")
            inside.attrs["weight_names"] = np.array([b"w"])
            write(inside, file)
        return memory.getvalue()

    def virtual(group, _):
        whole = h5py.VirtualLayout((3, 2), "f4")
        whole[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(3, 2))
        group.create_virtual_dataset("w", whole)

    def external(group, _):
        group["w"] = h5py.ExternalLink("/etc/passwd", "/x")

    def external_storage(group, _):
        group.create_dataset("w", (3, 2), "f4", external=[("/etc/passwd", 0, 24)])

    def soft(group, file):
        file["x"] = np.zeros((3, 2), "f4")
        group["w"] = h5py.SoftLink("/x")

    def petabytes(group, _):
        group.create_dataset("w", (2**40, 2**10), "f4", chunks=(1024, 1024))

    def packed(group, _):
        group.create_dataset("w", data=np.zeros((4096, 4096), "f4"), compression="gzip")

    def long_names(group, _):
        group.attrs["weight_names"] = np.array([b"../../../etc/passwd"])

    def texts(group, _):
        group["w"] = np.array([b"text"])

    def repeated_names(group, file):
        group["w"] = np.zeros((512, 512), "f4")
        file["model_weights"].attrs["layer_names"] = np.array([b"d"] * 300)

    def hard_links(group, _):
        group["w0"] = np.zeros((512, 512), "f4")
        for i in range(1, 300):
            group[f"w{i}"] = group["w0"]
        group.attrs["weight_names"] = np.array([f"w{i}".encode() for i in range(300)])
    return {f"hdf5: {make.__name__}": made(make)
            for make in (virtual, external, external_storage, soft, petabytes, packed, long_names, texts,
                         repeated_names, hard_links)}


# Full disks


def full_disk(path, save, cuts):
    """What `save(path)` raises, by name, and whether the old file is as it was and nothing lies beside it, for each
    number of bytes after which the disk takes no more."""
    results = []
    for cut in cuts:
        before = Path(path).read_bytes()
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (cut, cut))
            try:
                save(path)
                os.write(writer, b"nothing")
            except BaseException as error:
                os.write(writer, type(error).__name__.encode())
            os._exit(0)
        os.close(writer)
        with open(reader, "rb") as pipe:
            raised = pipe.read().decode()
        os.waitpid(child, 0)
        alone = os.listdir(Path(path).parent) == [Path(path).name]
        results.append((raised, alone and Path(path).read_bytes() == before))
    return results
