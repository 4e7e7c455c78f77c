"""How long an epoch of the tutorial's network takes on one NVIDIA GPU, in tinynet and in its peers.

    python benchmarks/gpu_mnist.py                                                      # on a GPU, in minutes
    build/cudacpu/bin/python benchmarks/gpu_mnist.py --rehearsal build/rehearsal        # see tests/cudacpu

First the GPU tests run; their result stands above the table.  Then each contender trains 784-512-512-10 with dropout,
batch 128 and RMSprop in float32 on the 60,000 images, data on the device, loss and accuracy averaged there: three
epochs to warm up and compile, then twenty that are timed, each to the moment its loss is known.  Every contender runs
in a process of its own; one whose package is missing is left out and named.  The table goes to benchmarks/results/ as
Markdown and JSON.

A rehearsal measures nothing.  It shows that every part runs, on a GPU that the CPU emulates: it takes 1,000 images and
three epochs, leaves out the tests, and lets the peers compute on the CPU, without graphs of CUDA.
"""
import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
import peers

REHEARSAL = os.environ.get("GPU_MNIST_REHEARSAL") == "1"        # set by --rehearsal for the processes of contenders
SAMPLES, BATCH, WARM, TIMED = (1000, 128, 1, 2) if REHEARSAL else (60000, 128, 3, 20)
SIZES = (784, 512, 512, 10)
TF32 = os.environ.get("TINYNET_TF32") == "1"    # for every contender that is told so


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--contender", choices=CONTENDERS, help="time only this one, in this process, and print JSON")
    parser.add_argument("--rehearsal", metavar="FOLDER", type=Path, help="run every part on little data, and write "
                        "the table, which is no measurement, to this folder")
    arguments = parser.parse_args()
    if arguments.contender:
        print(json.dumps(CONTENDERS[arguments.contender][0]()))
        return 0

    root = Path(__file__).parents[1]
    gpu = os.environ | {"TINYNET_BACKEND": "cupy", "PYTHONPATH": str(root),
                        "GPU_MNIST_REHEARSAL": "1" if arguments.rehearsal else "0"}
    tests = "left out" if arguments.rehearsal else gpu_tests(root, gpu)
    seconds: dict = {}
    missing: dict = {}
    for name, (_, settings) in CONTENDERS.items():
        print(f"Timing: {name}", flush=True)
        try:
            run = subprocess.run([sys.executable, __file__, "--contender", name], env=gpu | settings,
                                 capture_output=True, text=True, timeout=120)
            reason = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
            if run.returncode or "runs this model without a CUDA graph" in run.stderr:
                missing[name] = reason
            else:
                seconds[name] = json.loads(run.stdout.splitlines()[-1])
        except subprocess.TimeoutExpired:
            missing[name] = "not done after two minutes"
        report(seconds, missing, tests, arguments.rehearsal)
    ours = {name for name, (function, _) in CONTENDERS.items() if function in (tinynet_graph, tinynet_eager, products)}
    return int(tests.startswith("failed") or not ours <= set(seconds))


def gpu_tests(root, environment):
    """The last line of `pytest -m gpu`, such as "35 passed in 60.00s"."""
    print("Testing: python -m pytest -m gpu", flush=True)
    run = subprocess.run([sys.executable, "-m", "pytest", "-m", "gpu", "-q"], cwd=root, env=environment,
                         capture_output=True, text=True)
    if run.returncode == 0 and " passed" in run.stdout:
        return run.stdout.strip().splitlines()[-1]
    print(run.stdout[-10000:], run.stderr[-2000:], flush=True)
    return f"failed: {(run.stdout.strip().splitlines() or ['pytest said nothing'])[-1]}"


def report(seconds, missing, tests, rehearsal):
    """Print the table and write it down."""
    folder = rehearsal or Path(__file__).parent / "results"
    command = "`python benchmarks/gpu_mnist.py" + (" --rehearsal`, which measures nothing" if rehearsal else "`")
    about = {"date": date.today().isoformat(), "device": device(), "versions": versions(), "batch": BATCH,
             "timed epochs": max(map(len, seconds.values()), default=0), "tests": tests}
    graph = statistics.median(seconds.get("tinynet, graph", [float("nan")]))
    lines = ["| one epoch | median ms | min | max | ratio to tinynet, graph |", "| --- | --- | --- | --- | --- |"]
    for name, times in sorted(seconds.items(), key=lambda item: statistics.median(item[1])):
        median = statistics.median(times)
        lines.append(f"| {name} | {1e3 * median:.1f} | {1e3 * min(times):.1f} | {1e3 * max(times):.1f} "
                     f"| {median / graph:.2f} |")
    lines += [f"| {name} | not timed: {reason} | | | |" for name, reason in missing.items()]
    text = (f"{about['date']}, {about['device']}; {', '.join(f'{k} {v}' for k, v in about['versions'].items())}; "
            f"by {command}; GPU tests: {tests}\n\n" + "\n".join(lines) + "\n")
    print(text, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpu_mnist.md").write_text(text)
    record = about | {"seconds": seconds, "missing": missing}
    (folder / "gpu_mnist.json").write_text(json.dumps(record, indent=1) + "\n")


def device():
    """The GPU and the CUDA version of its driver, as CuPy names them, in a process that leaves the GPU again."""
    code = ("from cupy.cuda import runtime; "
            "print(runtime.getDeviceProperties(0)['name'].decode(), 'CUDA driver', runtime.driverGetVersion())")
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def versions():
    """The version of each package that takes part and is installed."""
    found = {"python": sys.version.split()[0]}
    for name in ("numpy", "cupy-cuda12x", "cupy-cuda13x", "cupy", "torch", "jax"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def mnist():
    """x (60000, 784) of float32 and class numbers."""
    from tinynet.datasets.mnist import load_data
    (x, y), _ = load_data()
    return x[:SAMPLES].reshape(-1, 784).astype(np.float32) / 255, y[:SAMPLES].astype(np.int64)


def timed(epoch):
    """Seconds of each epoch after the warm ones; `epoch()` returns when its loss is known."""
    seconds = []
    for _ in range(WARM + TIMED):
        start = time.perf_counter()
        loss = epoch()
        seconds.append(time.perf_counter() - start)
    assert 0 < loss < (2.3 if REHEARSAL else 0.2), f"a loss of {loss} after {WARM + TIMED} epochs: nothing was learned"
    return seconds[WARM:]


# tinynet


def tinynet_graph():
    from tinynet import utils
    from tinynet.backend import xp
    from tinynet.callbacks import LambdaCallback
    from tinynet.device.matmul import _gpu_matmul
    from tinynet.layers import Dense, Dropout
    from tinynet.models import Sequential

    x, y = mnist()
    model = Sequential([Dense(512, activation="relu", input_shape=(784,)), Dropout(0.2), Dense(512, activation="relu"),
                        Dropout(0.2), Dense(10, activation="softmax")])
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    ends = []
    model.fit(x, utils.to_categorical(y), batch_size=BATCH, epochs=WARM + TIMED, verbose=0, callbacks=[
        LambdaCallback(on_epoch_begin=lambda epoch, logs: ends.append(time.perf_counter()),
                       on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))])
    assert model.history.history["accuracy"][-1] > (0.5 if REHEARSAL else 0.97)
    assert _gpu_matmul() is not xp.matmul, "cuBLAS was not found, so nothing was captured"
    return [end - begin for begin, end in zip(ends[::2], ends[1::2])][WARM:]


def tinynet_eager():
    from tinynet.device import cuda_graph
    setattr(cuda_graph.CapturedWork, "__call__", lambda self, size: self.work(size))
    return tinynet_graph()


def products():
    """The eight products of every step alone, recorded as a graph like tinynet's step."""
    from tinynet import backend
    from tinynet.device.cuda_graph import CapturedWork
    xp = backend.xp

    def array(*shape):
        return xp.asarray(np.random.random(shape).astype(np.float32))

    shapes = []
    for d, u in zip(SIZES, SIZES[1:]):
        x, w, dy = array(BATCH, d), array(d, u), array(BATCH, u)
        shapes += [(x, w, array(BATCH, u)), (x.T, dy, array(d, u))]
        if d != SIZES[0]:
            shapes.append((dy, w.T, array(BATCH, d)))

    def step(size):
        for a, b, out in shapes:
            backend.matmul(a, b, out)
        return shapes[0][2]

    captured = CapturedWork(step, lambda: ([], []))

    def epoch():
        with backend.working():
            for _ in range(-(-SAMPLES // BATCH)):
                captured(BATCH)
            backend.synchronize()
        return 0.1
    return timed(epoch)


# PyTorch


def torch_parts(compiled=False, capturable=False):
    """Data, network, optimizer and a function of one step that adds to the sums of loss and right answers."""
    import torch
    from torch import nn

    place = "cpu" if REHEARSAL else "cuda"
    torch.set_float32_matmul_precision("high" if TF32 else "highest")
    x, y = (torch.as_tensor(a, device=place) for a in mnist())
    network = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, 512), nn.ReLU(),
                            nn.Dropout(0.2), nn.Linear(512, 10)).to(place)
    optimizer = torch.optim.RMSprop(network.parameters(), lr=1e-3, alpha=0.9, eps=1e-7, foreach=True,
                                    capturable=capturable and not REHEARSAL)
    sums = torch.zeros(2, device=place)

    def loss_and_right(rows):
        logits, targets = network(x[rows]), y[rows]
        return nn.functional.cross_entropy(logits, targets), (logits.argmax(1) == targets).sum()

    if compiled:
        loss_and_right = torch.compile(loss_and_right, mode="reduce-overhead", dynamic=False)

    def step(rows):
        optimizer.zero_grad()
        loss, right = loss_and_right(rows)
        loss.backward()
        optimizer.step()
        sums.add_(torch.stack([loss.detach() * len(rows), right.to(torch.float32)]))
    return torch, x, sums, step


def torch_epochs(torch, x, sums, step):
    def epoch():
        sums.zero_()
        order = torch.randperm(len(x), device=x.device)
        for start in range(0, len(x), BATCH):
            step(order[start:start + BATCH])
        return (sums / len(x)).tolist()[0]
    return timed(epoch)


def torch_eager():
    return torch_epochs(*torch_parts())


def torch_compiled():
    return torch_epochs(*torch_parts(compiled=True))


def torch_graph():
    torch, x, sums, step = torch_parts(capturable=True)
    graphs = {}

    def captured(rows):
        """The function that replays a step on these rows, whatever is copied to them."""
        if REHEARSAL:
            return lambda: step(rows)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):     # the warm-up that torch.cuda.graph asks for
            for _ in range(3):
                step(rows)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step(rows)
        return graph.replay

    def replayed(rows):
        if len(rows) not in graphs:
            static_rows = rows.clone()
            graphs[len(rows)] = static_rows, captured(static_rows)
        static_rows, replay = graphs[len(rows)]
        static_rows.copy_(rows)
        replay()
    return torch_epochs(torch, x, sums, replayed)


# JAX


def jax_scan():
    import jax

    place = "cpu" if REHEARSAL else "gpu"
    assert jax.default_backend() == place, f"JAX computes on {jax.default_backend()}: its CUDA wheel is missing"
    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if TF32 else "float32")
    x, y = mnist()
    epoch, _ = peers.jax_scan(x, y, SIZES, BATCH)
    return timed(epoch)


# name: (function that returns the seconds, environment of its process)
CONTENDERS: dict = {
    "tinynet, graph": (tinynet_graph, {}),
    "tinynet, graph, TF32": (tinynet_graph, {"TINYNET_TF32": "1"}),
    "tinynet, eager": (tinynet_eager, {}),
    "PyTorch, eager": (torch_eager, {}),
    "PyTorch, torch.cuda.graph": (torch_graph, {}),
    "PyTorch, torch.compile(mode='reduce-overhead')": (torch_compiled, {}),
    "PyTorch, torch.cuda.graph, TF32": (torch_graph, {"TINYNET_TF32": "1"}),
    "JAX, jit(lax.scan)": (jax_scan, {}),
    "JAX, jit(lax.scan), TF32": (jax_scan, {"TINYNET_TF32": "1"}),
    "the eight products of each step alone": (products, {}),
}

if __name__ == "__main__":
    sys.exit(main())
