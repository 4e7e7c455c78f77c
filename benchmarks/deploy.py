"""A trained network that is only asked: time, memory and size on the disk, in tinynet and beside it.

    python -m pip install -e ".[bench]" && python benchmarks/deploy.py [--rounds 7]

The tutorial's network, with the same weights in each library, predicts one row and 10,000 rows in float32, in the way
that is the fastest in that library.  Each works in a process of its own, and they take turns.  Installed is what pip
brings for it, with all that it requires; memory is the peak of the process.  What is not installed is left out.
"""
import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from packaging.requirements import Requirement
from peers import cores, peak_memory

SIZES = 784, 512, 512, 10
ROWS = 10_000
RESULTS = Path(__file__).parent / "results"


def numpy_lines(folder, weights):
    def predict(x):
        for w, b in weights[:-1]:
            x = np.maximum(x @ w + b, 0)
        z = x @ weights[-1][0] + weights[-1][1]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    return predict


def tinynet(folder, weights):
    from tinynet.models import load_model
    model = load_model(folder / "model.safetensors")
    return lambda x: model.predict(x, batch_size=1024) if len(x) > 1 else model.predict(x)


def onnxruntime(folder, weights):
    from onnxruntime import InferenceSession, SessionOptions
    options = SessionOptions()
    options.intra_op_num_threads = cores()
    session = InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def keras3(backend):
    def make(folder, weights):
        os.environ |= {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        import keras
        hidden = [keras.layers.Dense(u, activation="relu") for u in SIZES[1:-1]]
        output = keras.layers.Dense(SIZES[-1], activation="softmax")
        model = keras.Sequential([keras.Input((SIZES[0],)), *hidden, output])
        model.set_weights([array for pair in weights for array in pair])
        return lambda x: np.asarray(model.predict_on_batch(x))
    return make


def pytorch(folder, weights):
    import torch
    pairs = [(torch.from_numpy(w.T.copy()), torch.from_numpy(b)) for w, b in weights]

    @torch.inference_mode()
    def predict(x):
        x = torch.from_numpy(x)
        for w, b in pairs[:-1]:
            x = torch.relu(torch.nn.functional.linear(x, w, b))
        return torch.softmax(torch.nn.functional.linear(x, *pairs[-1]), 1).numpy()
    return predict


def scikit_learn(folder, weights):
    from sklearn.neural_network import MLPClassifier
    model = MLPClassifier(SIZES[1:-1], max_iter=1)
    model.n_features_in_, model.classes_, model.out_activation_ = SIZES[0], np.arange(SIZES[-1]), "softmax"
    model.n_layers_, model.n_outputs_ = len(SIZES), SIZES[-1]
    model.coefs_, model.intercepts_ = [w for w, _ in weights], [b for _, b in weights]
    model._label_binarizer = None
    return model.predict_proba


# name: (maker, distributions that pip installs for it)
CONTENDERS = {
    "NumPy, six lines": (numpy_lines, ["numpy"]),
    "tinynet": (tinynet, ["tinynet-backprop"]),
    "tinynet without a compiler": (tinynet, ["tinynet-backprop"]),
    "onnxruntime": (onnxruntime, ["onnxruntime"]),
    "PyTorch": (pytorch, ["torch", "numpy"]),
    "scikit-learn": (scikit_learn, ["scikit-learn"]),
    "Keras 3 on JAX": (keras3("jax"), ["keras", "jax"]),
    "Keras 3 on TensorFlow": (keras3("tensorflow"), ["tensorflow_cpu"]),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(*options.serve)
    with tempfile.TemporaryDirectory() as folder:
        expected = save(Path(folder))
        results = compare(folder, expected, options.rounds)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "deploy.json").write_text(json.dumps(results, indent=1) + "\n")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in (
        "numpy", "onnxruntime", "torch", "scikit-learn", "keras", "jax", "tensorflow_cpu") if known(name)]
    text = f"{date.today()}, {cores()} cores; {', '.join(versions)}\n\n{table(results)}"
    (RESULTS / "deploy.md").write_text(text)
    print(text)


def save(folder):
    """Save a network with weights as after training, and rows; returns what it predicts for them."""
    from tinynet import utils
    from tinynet.layers import Dense
    from tinynet.models import Sequential
    utils.set_random_seed(0)
    hidden = [Dense(u, activation="relu", input_shape=(d,)) for d, u in zip(SIZES, SIZES[1:-1])]
    model = Sequential([*hidden, Dense(SIZES[-1], activation="softmax")])
    x = np.random.random_sample((ROWS, SIZES[0])).astype("float32")
    np.savez(folder / "weights.npz", *model.get_weights())
    np.save(folder / "rows.npy", x)
    model.save(folder / "model.safetensors")
    try:
        model.export(folder / "model.onnx")
    except ImportError as error:
        print(error)
    return model.predict(x)


def serve(name, folder):
    """One contender, in this process: a line in, a line of JSON out."""
    folder = Path(folder)
    with np.load(folder / "weights.npz") as file:
        arrays = [file[key] for key in file.files]
    x = np.load(folder / "rows.npy")
    start = time.perf_counter()
    try:
        predict = CONTENDERS[name][0](folder, list(zip(arrays[::2], arrays[1::2])))
        predict(x[:1])
    except Exception as error:      # not installed, or not on this system
        print(json.dumps({"missing": f"{type(error).__name__}: {error}"}), flush=True)
        return
    ready = time.perf_counter() - start
    np.save(folder / f"{name}.npy", predict(x))
    print(json.dumps({"ready": ready}), flush=True)
    for _ in sys.stdin:
        one = seconds(lambda: predict(x[:1]), 200)
        many = seconds(lambda: predict(x), 2)
        print(json.dumps({"one": one, "many": many, "peak": peak_memory()}), flush=True)


def seconds(work, times):
    """The median of some calls."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def compare(folder, expected, rounds):
    """{name: what was measured}, in turns."""
    results: dict = {}
    workers: dict = {}
    for name, (_, distributions) in CONTENDERS.items():
        environment = os.environ | ({"TINYNET_COMPILE": "off"} if "without a compiler" in name else {})
        worker: Any = subprocess.Popen([sys.executable, __file__, "--serve", name, folder], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        reply = json.loads(worker.stdout.readline() or '{"missing": "it ended"}')
        if "missing" in reply:
            print(f"{name} is left out: {reply['missing']}")
            continue
        difference = float(np.abs(np.load(Path(folder) / f"{name}.npy") - expected).max())
        assert difference < 1e-5, (name, difference)
        results[name] = reply | {"installed": installed(distributions), "one": [], "many": []}
        workers[name] = worker
    for number in range(rounds):
        print(f"Round {number + 1} of {rounds}", flush=True)
        for name, worker in workers.items():
            worker.stdin.write("\n")
            worker.stdin.flush()
            reply = json.loads(worker.stdout.readline())
            results[name]["one"].append(reply["one"])
            results[name]["many"].append(reply["many"])
            results[name]["peak"] = reply["peak"]
    for worker in workers.values():
        worker.communicate()
    return results


def known(name):
    """Whether a distribution is installed."""
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False


def installed(distributions):
    """MB on the disk of these distributions and all that they require; for a checkout, of its own folder."""
    names: set[str] = set()
    size = 0
    waiting = [(name, "") for name in distributions]
    while waiting:
        name, extra = waiting.pop()
        key = name.lower().replace("_", "-")
        if key in names:
            continue
        names.add(key)
        distribution = importlib.metadata.distribution(name)
        files = [Path(str(distribution.locate_file(file))) for file in distribution.files or []]
        if key == "tinynet-backprop":
            files = [file for file in (Path(__file__).parent.parent / "tinynet").rglob("*") if file.suffix != ".pyc"]
        size += sum(file.stat().st_size for file in files if file.is_file())
        for text in distribution.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append((requirement.name, ""))
    return size / 1e6


def table(results):
    """A Markdown table, the fastest for one row first."""
    lines = ["| | microseconds for one row | to NumPy | milliseconds for 10,000 | to NumPy | seconds to the first "
             "| peak MB | installed MB |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    base = {key: statistics.median(results["NumPy, six lines"][key]) for key in ("one", "many")}
    for name, r in sorted(results.items(), key=lambda item: statistics.median(item[1]["one"])):
        one, many = (statistics.median(r[key]) for key in ("one", "many"))
        lines.append(f"| {name} | {one * 1e6:,.0f} | {one / base['one']:.2f} | {many * 1e3:.1f} | "
                     f"{many / base['many']:.2f} | {r['ready']:.2f} | {r['peak']:.0f} | {r['installed']:,.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
