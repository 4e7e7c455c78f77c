"""tinynet beside its peers on a CPU: the tutorial's network, trained by each that is installed.

    python -m pip install -e ".[bench]" && python benchmarks/compare.py [--rounds 7] [--quick] [--keras2 python3.7]

Each contender works in a process of its own, and they take turns, three epochs each, so that the noise of the machine
hits all alike; the first epoch, which compiles, is told apart.  Then all train again while other processes keep half of
the cores busy, and on small tables; the best three train smaller data with other batch sizes, widths and depths, and
predict; and tinynet's own step is taken to pieces.  Tables and pictures go to benchmarks/results/.
--name NAME is part of their names: OPENBLAS_CORETYPE=Haswell python benchmarks/compare.py --quick --name haswell
"""
import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from peers import KERAS2, NO_COMPILER, PEERS, cores

HERE = Path(__file__).parent
RESULTS = HERE / "results"
FLOORS = ("matrix products alone", "matrix products, tinynet's threads")
NETWORK, BATCH = (784, 512, 512, 10), 128
EPOCHS = 3          # in each call of fit
COLOURS = ["#1f5fa8", "#e0702d", "#8cc8f0", "#000000", "#b0b0b0", "#f0e442", "#cc79a7", "#009e73"]


class Worker:
    """A contender in a process of its own."""

    def __init__(self, name, python=sys.executable):
        self.process: Any = subprocess.Popen(
            [python, HERE / "peers.py", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)

    def ask(self, **command):
        """What it answers; RuntimeError if it has died."""
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"ended with status {self.process.wait()}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--keras2", metavar="PYTHON", help="a Python that has Keras 2.3.1 and TensorFlow 2.1")
    parser.add_argument("--rounds", type=int, default=7, help="so often three epochs of each are timed")
    parser.add_argument("--quick", action="store_true", help="without other sizes, predictions and the parts of a step")
    parser.add_argument("--name", default="compare", help="of the files in results/")
    args = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        data = save_data(Path(folder))
        record: dict = about() | {"contenders": compare(data, args.rounds, args.keras2)}
        record["tables"] = tables(data, record, args.keras2)
        write_table(record, args.name)      # and again, with more in it: the rest takes long
        if not args.quick:
            best = [name for name in by_median(record) if name not in (*FLOORS, NO_COMPILER)][:3]
            best = list(dict.fromkeys(["tinynet", *best]))[:3]
            record["profile"] = profile(data)
            record["inference"] = inference(data, [*best, "lines of NumPy"])
            record["sizes"] = sizes(data, best)
            draw_sizes(record["sizes"], record["inference"])
            draw_profile(record["profile"])
            write_table(record, args.name)


def save_data(folder):
    """MNIST's training pictures in files that all can read."""
    from tinynet.datasets import mnist
    (x, y), _ = mnist.load_data()
    np.save(folder / "x.npy", x.reshape(-1, 784).astype("float32") / 255)
    np.save(folder / "y.npy", y.astype(np.int64))
    return {"x": str(folder / "x.npy"), "y": str(folder / "y.npy")}


def about():
    found = {}
    for name in ("numpy", "torch", "jax", "keras", "tensorflow", "tensorflow_cpu", "scikit-learn"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    cpu = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
           if line.startswith("model name")] if Path("/proc/cpuinfo").exists() else [platform.processor()]
    blas = [f"{pool['internal_api']} {pool['version']}, {pool.get('architecture')} kernel"
            for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    return {"date": date.today().isoformat(), "cpu": cpu[0], "cores": cores(), "python": platform.python_version(),
            "blas": blas[0] if blas else "an unknown BLAS", "versions": found}


# The table


def compare(data, rounds, python_of_keras2):
    """{name: what was measured} of each contender, in turns; {name: {"missing": why}} of one that fails."""
    results: dict = {}
    workers: dict = {}
    for name, (_, package, distributions) in PEERS.items():
        python = python_of_keras2 if name == KERAS2 else sys.executable
        if python is None:
            continue
        print(f"Starting {name}", flush=True)
        worker = Worker(name, python)
        try:
            worker.ask(do="build", samples=60000, sizes=NETWORK, batch=BATCH, **data)
            first = worker.ask(do="train", epochs=1)
        except (RuntimeError, BrokenPipeError) as error:
            results[name] = {"missing": str(error)}
            continue
        results[name] = {"first": first["seconds"], "import": import_seconds(package, python),
                         "installed": installed(distributions, python)}
        workers[name] = worker
    for times in ("seconds", "busy seconds"):
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
                  for _ in range(0 if times == "seconds" else max(1, cores() // 2))]
        for number in range(rounds):
            print(f"{times}: round {number + 1} of {rounds}", flush=True)
            for name, worker in workers.items():
                reply = worker.ask(do="train", epochs=EPOCHS)
                results[name].setdefault(times, []).append(reply["seconds"])
                results[name] |= {"peak": reply["peak"], "loss": reply["loss"]}
        for other in others:
            other.kill()
            other.wait()
    for worker in workers.values():
        worker.close()
    return results


def import_seconds(package, python):
    """How long the import takes: the median of five new processes, less that of a Python which imports nothing.

    Python's bytecode is cached by an import that is not timed, even if this Python is told to write none.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def seconds(code):
        start = time.perf_counter()
        subprocess.run([python, "-c", code], stderr=subprocess.DEVNULL, env=kept)
        return time.perf_counter() - start
    seconds(f"import {package}")
    return statistics.median(seconds(f"import {package}") - seconds("pass") for _ in range(5))


def installed(distributions, python):
    """MB on the disk of these distributions of a Python, and of tinynet's own folder, which is a checkout."""
    total = 0.0
    for name in distributions:
        if name == "tinynet":
            paths = (path for path in (HERE.parent / name).rglob("*.py"))
            total += sum(path.stat().st_size for path in paths) / 1e6
        else:
            total += float(subprocess.run([python, "-c", SIZE, name], capture_output=True, text=True).stdout or 0)
    return total


SIZE = """
import os, sys
try:
    from importlib.metadata import PackageNotFoundError, files
except ImportError:
    from importlib_metadata import PackageNotFoundError, files
try:
    paths = [str(file.locate()) for file in files(sys.argv[1]) or []]
except PackageNotFoundError:
    paths = []
print(sum(os.path.getsize(path) for path in paths if os.path.isfile(path)) / 1e6)
"""


def by_median(record):
    """Names of those that were timed, the fastest first."""
    timed: Any = {name: r for name, r in record["contenders"].items() if r.get("seconds")}
    return sorted(timed, key=lambda name: statistics.median(timed[name]["seconds"]))


def floor_of(seconds) -> float:
    """The time of the matrix products: BLAS's own threads, or tinynet's, whichever are faster."""
    return min(seconds[name] for name in FLOORS if name in seconds)


def write_table(record, name_of_files):
    """The table, printed and written, and its bars."""
    contenders = record["contenders"]
    medians = {name: statistics.median(contenders[name]["seconds"]) for name in by_median(record)}
    ours, floor = medians["tinynet"], floor_of(medians)
    heads = ["", "seconds an epoch", "min", "max", "to tinynet", "to products", "busy / quiet", "first epoch",
             "peak MB", "import s", "on disk MB"]
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for name, median in medians.items():
        r = contenders[name]
        lines.append(f"| {name} | {median:.2f} | {min(r['seconds']):.2f} | {max(r['seconds']):.2f} "
                     f"| {median / ours:.2f} | {median / floor:.2f} | {busy(r):.1f} | {r['first']:.2f} "
                     f"| {r['peak']:.0f} | {r['import']:.2f} | {r['installed']:.0f} |")
    lines += [f"| {name} | {r['missing']}{' |' * (len(heads) - 1)}"
              for name, r in contenders.items() if "missing" in r]
    lines += tables_as_lines(record["tables"])
    lines += ["", "| tinynet aims at | measured | |", "| --- | --- | --- |"]
    lines += [f"| {aim} | {value:.3g} | {'yes' if reached else '**missed**'} |" for aim, value, reached in aims(record)]
    text = (f"{record['date']}, {record['cores']} cores of {record['cpu']}, Python {record['python']}, NumPy with "
            f"{record['blas']}; {', '.join(f'{name} {version}' for name, version in record['versions'].items())}\n\n"
            + "\n".join(lines) + "\n")
    print("\n" + text, flush=True)
    (RESULTS / f"{name_of_files}.md").write_text(text)
    (RESULTS / f"{name_of_files}.json").write_text(json.dumps(record, indent=1) + "\n")
    figure = Figure(figsize=(8, 0.45 * len(medians) + 1), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    names = list(medians)[::-1]
    axes.barh(names, [medians[name] for name in names],
              color=[COLOURS[1 if name == "tinynet" else 4 if name in FLOORS else 0] for name in names])
    for i, name in enumerate(names):
        fastest, slowest = min(contenders[name]["seconds"]), max(contenders[name]["seconds"])
        axes.plot([fastest, slowest], [i, i], color="black", linewidth=1)
        axes.text(slowest * 1.02, i, f"{medians[name]:.2f}", va="center", fontsize=9)
    axes.set_xlabel(f"seconds an epoch, median of {len(contenders['tinynet']['seconds'])}, {record['cores']} cores")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS / f"{name_of_files}.png")


def busy(contender):
    """How many times as long an epoch takes while others use half of the cores."""
    return statistics.median(contender["busy seconds"]) / statistics.median(contender["seconds"])


def aims(record):
    """(what tinynet aims at, what was measured, whether it is reached) for all that ran."""
    r = record["contenders"]
    seconds = {name: statistics.median(r[name]["seconds"]) for name in by_median(record)}
    ours = r["tinynet"]
    beside = {"JAX jit(scan)": 1.15, "Keras 3 on JAX": 1.3, "PyTorch eager": 2.2, KERAS2: 2.2,
              "Keras 3 on TensorFlow": 2.0, "scikit-learn": 2.2}
    for name, most in {"tinynet": 1.15, NO_COMPILER: 1.6}.items():
        v = seconds[name] / floor_of(seconds)
        yield f"{name}: an epoch in at most {most} times its products", v, v <= most
    for name, factor in beside.items():
        if name in seconds:
            v = seconds[name] / seconds["tinynet"]
            yield f"{name} takes at least {factor} times as long", v, v >= factor
    for what, by_name in record["tables"].items():
        best = min(value for name, value in by_name.items() if name not in ("tinynet", NO_COMPILER))
        yield f"{what}: the best peer takes longer", (v := best / by_name["tinynet"]), v > 1
    for what, by_peer in record.get("sizes", {}).items():
        peers = [by_value for name, by_value in by_peer.items() if name not in ("tinynet", NO_COMPILER)]
        slowest = max((ours / min(p[value] for p in peers), value) for value, ours in by_peer["tinynet"].items())
        yield f"any {what}: at most 1.1 times the best peer (at {slowest[1]})", slowest[0], slowest[0] <= 1.1
    if "inference" in record:
        speeds = {name: record["inference"][name] for name in ("tinynet", "lines of NumPy")}
        for batch, most in ((1, 1.2), (4096, 1.2)):
            v = speeds["lines of NumPy"][batch] / speeds["tinynet"][batch]
            yield f"a prediction of {batch:,} in at most {most} times the lines of NumPy", v, v <= most
    yield "busy at most 1.5 times as long as quiet", (v := busy(ours)), v <= 1.5
    yield "import at most 0.04 s over NumPy's", (v := ours["import"] - r[FLOORS[0]]["import"]), v <= 0.04
    limit = 1.3 * 60000 * (NETWORK[0] + NETWORK[-1]) * 4 / 1e6 + 100
    yield f"at most 1.3 times the data and 100 MB, {limit:.0f} MB", (v := ours["peak"]), v <= limit


# Small tables, and other sizes


def tables(data, record, python_of_keras2):
    """{what: {name: microseconds a step}} for networks on data of the shape of two well-known tables."""
    shapes = {"768 x 8, network 8-12-8-2, batch 10": (768, (8, 12, 8, 2), 10),
              "506 x 13, network 13-64-64-2, batch 16": (506, (13, 64, 64, 2), 16)}
    results: dict = {}
    for what, (samples, sizes, batch) in shapes.items():
        print(f"Small table: {what}", flush=True)
        names = [name for name in by_median(record) if name not in FLOORS]
        workers = {name: Worker(name, python_of_keras2 if name == KERAS2 else sys.executable) for name in names}
        for worker in workers.values():
            worker.ask(do="build", samples=samples, sizes=sizes, batch=batch, columns=sizes[0], **data)
            worker.ask(do="train", epochs=1)
        rounds = [{name: worker.ask(do="train", epochs=20)["seconds"] for name, worker in workers.items()}
                  for _ in range(5)]
        results[what] = {name: 1e6 * statistics.median(r[name] for r in rounds) / -(-samples // batch)
                         for name in names}
        for worker in workers.values():
            worker.close()
    return results


def tables_as_lines(results):
    names = sorted(next(iter(results.values())), key=lambda name: sum(r[name] for r in results.values()))
    lines = ["", f"| microseconds a step, in fits of 20 epochs | {' | '.join(results)} |",
             "|" + " --- |" * (len(results) + 1)]
    return lines + [f"| {name} | {' | '.join(f'{r[name]:.0f}' for r in results.values())} |" for name in names]


def sizes(data, names):
    """{what is varied: {name: {value: seconds an epoch of 6,000 samples}}}"""
    grids: dict = {
        "batch size": {batch: (NETWORK, batch) for batch in (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)},
        "width": {width: ((784, width, width, 10), BATCH) for width in (64, 128, 256, 512, 1024, 2048, 4096)},
        "depth": {depth: ((784, *[512] * depth, 10), BATCH) for depth in (1, 2, 4, 8, 16)}}
    results: dict = {what: {name: {} for name in names} for what in grids}
    for what, grid in grids.items():
        for value, (sizes, batch) in grid.items():
            print(f"Scaling: {what} {value}", flush=True)
            samples = 6000 if value != 4096 or what != "width" else 1200
            workers = {name: Worker(name) for name in names}
            for worker in workers.values():
                worker.ask(do="build", samples=samples, sizes=sizes, batch=batch, **data)
                worker.ask(do="train", epochs=1)
            rounds = [{name: worker.ask(do="train", epochs=EPOCHS)["seconds"] for name, worker in workers.items()}
                      for _ in range(3)]
            for name, worker in workers.items():
                results[what][name][value] = 6000 / samples * statistics.median(r[name] for r in rounds)
                worker.close()
    return results


def inference(data, names):
    """{name: {batch size: samples a second}}"""
    results: dict = {}
    for name in names:
        print(f"Inference: {name}", flush=True)
        worker = Worker(name)
        worker.ask(do="build", samples=60000, sizes=NETWORK, batch=BATCH, **data)
        results[name] = {}
        for batch in (1, 8, 64, 512, 4096):
            samples = min(60000, 300 * batch)
            worker.ask(do="predict", samples=samples, batch=batch)
            results[name][batch] = samples / statistics.median(
                worker.ask(do="predict", samples=samples, batch=batch)["seconds"] for _ in range(3))
        worker.close()
    return results


def draw_sizes(results, speeds):
    figure = Figure(figsize=(13, 3.6), dpi=120, layout="constrained")
    fields = figure.subplots(1, 4)
    drawn: list = [*results.items(), ("batch size in prediction", speeds)]
    for axes, (what, by_name) in zip(fields, drawn):
        for (name, by_value), colour in zip(by_name.items(), [COLOURS[1], COLOURS[0], COLOURS[2]]):
            axes.plot(list(by_value), list(by_value.values()), "o-", markersize=4, color=colour, label=name)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        values = [value for by_value in by_name.values() for value in by_value.values()]
        lowest, highest = min(values), max(values)
        ticks = [digit * 10.0 ** power for power in range(-3, 8) for digit in (1, 2, 5)]
        axes.set_yticks([t for t in ticks if lowest / 1.5 < t < highest * 1.5], minor=False)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}" if value < 1000 else f"{value / 1000:g}k")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel(what)
        axes.set_title("samples a second" if by_name is speeds else "seconds for 6,000 samples", fontsize=10)
        axes.grid(color="#e4e4e4")
        axes.spines[["top", "right"]].set_visible(False)
    fields[0].legend(frameon=False, fontsize=9)
    figure.savefig(RESULTS / "sizes.png")


# The parts of a step


def profile(data):
    """{kernel: {phase: microseconds a step}} of the calls of tinynet's recorded step, each alone on one thread."""
    import peers
    from tinynet.device import plan, recorded_step
    from tinynet.device.compile import library
    from tinynet.device.threads import workers

    recorded: list = []
    plans: Any = recorded_step.Plan

    def watch(tape):
        recorded.append(tape)
        return plans(tape)

    recorded_step.Plan = watch      # type: ignore[misc, assignment]
    train, _ = peers.tinynet(np.load(data["x"])[:4 * BATCH], np.load(data["y"])[:4 * BATCH], NETWORK, BATCH)
    train()
    names = {lib.address(f"call_{name}"): name for lib in map(library, ("float32", "float64"))
             for name in (*lib.parameters, "loop", "matmul")}
    spent: dict = {}
    with workers():
        for call in recorded[0].calls:
            if names[call.function] == "gather":        # it would go on to the next samples
                continue
            phase = "product" if call.work else "other"
            name = names[call.function]
            part = {"matmul": "matrix products", "loop": "NumPy's loops"}.get(name, name)
            times = []
            for _ in range(20):
                start = time.perf_counter()
                for piece in call.pieces:
                    plan.run(call.function, *piece)
                times.append(time.perf_counter() - start)
            empty = statistics.median(_empty_call(plan, call) for _ in range(20))
            seconds = max(0.0, statistics.median(times) - empty * len(call.pieces))
            spent.setdefault(part, {}).setdefault(phase, 0.0)
            spent[part][phase] += 1e6 * seconds
    return dict(sorted(spent.items(), key=lambda item: -sum(item[1].values())))


def _empty_call(plan, call):
    """How long it takes to do none of a call's loop."""
    words, begin, _ = call.pieces[0]
    start = time.perf_counter()
    plan.run(call.function, words, begin, begin)
    return time.perf_counter() - start


def draw_profile(parts):
    figure = Figure(figsize=(9, 0.4 * len(parts) + 1.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    names = list(parts)[::-1]
    phases = list(dict.fromkeys(phase for part in parts.values() for phase in part))
    left = np.zeros(len(names))
    for phase, colour in zip(phases, COLOURS):
        widths = np.array([parts[name].get(phase, 0) for name in names])
        axes.barh(names, widths, left=left, color=colour, label=phase)
        left += widths
    for i, width in enumerate(left):
        axes.text(width + 0.01 * left.max(), i, f"{width:.0f}", va="center", fontsize=9)
    axes.set_xlabel(f"microseconds a step on one thread, {left.sum():.0f} in all")
    axes.legend(frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS / "profile.png")


if __name__ == "__main__":
    main()
