"""How much faster several processes train one model, what their talking costs, and what that says of more of them.

    python -m pip install -e ".[mpi,plot]" && python benchmarks/scaling.py [--rounds 7]

Measures steps of the tutorial's network on 1, 2, 4 ... ranks, up to the number of cores, each with one thread, against
one process without MPI, with one thread and with as many as cores; configurations take turns.  Then a formula for the
time of a step is fitted to that, and says from which batch size on 16, 64 and 256 ranks would be 80 % efficient.
Writes benchmarks/results/scaling.md, .png and .json.

--hosts checks what the formula says of networks: two ranks on two hosts, which are network namespaces of this machine,
with cables of known bandwidth and latency between them (Linux, root).  Writes benchmarks/results/hosts.md.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.figure import Figure

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

from hosts import Hosts  # noqa: E402

RESULTS = Path(__file__).parent / "results"
BATCHES = (128, 256, 512, 1024, 2048, 4096)
LENGTHS = tuple(4**i for i in range(5, 12))         # of vectors that are summed by themselves
WIDTHS = (784, 512, 512, 10)
WEIGHTS = sum((inputs + 1) * units for inputs, units in zip(WIDTHS, WIDTHS[1:]))
MODES: dict = {"alone": None, "threads": None, "fixed order": {}, "any order": {"deterministic": False}}
RANKS = (16, 64, 256)
WANTED = 0.8
# What a message costs beside its bytes (s), and bytes a second: figures of such networks that are usual, not measured.
NETWORKS = {"10 Gbit/s Ethernet": (30e-6, 1.25e9), "100 Gbit/s InfiniBand": (2e-6, 12.5e9)}
CABLES = {"10 Gbit/s": (1.25e9, 0), "1 Gbit/s": (1.25e8, 0), "1 Gbit/s, 0.1 ms": (1.25e8, 1e-4),
          "1 Gbit/s, 1 ms": (1.25e8, 1e-3)}      # bytes a second, seconds
COLOURS = ["#1f5fa8", "#e0702d", "#8cc8f0", "#000000", "#b0b0b0", "#f0e442", "#cc79a7", "#009e73"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--hosts", action="store_true", help="compare the formula with two hosts")
    parser.add_argument("--rank", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rank:
        return work(args.rank[0], int(args.rank[1]))
    RESULTS.mkdir(exist_ok=True)
    if args.hosts:
        return on_two_hosts(args.rounds)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    counts = [2**i for i in range(10) if 2**i <= cores]
    setups = [("alone", 1), ("threads", cores),
              *((mode, ranks) for mode in ("fixed order", "any order") for ranks in counts)]
    runs = in_turns(args.rounds, BATCHES, {setup: partial(measured, *setup) for setup in setups})
    steps = medians(runs)
    sums = [found for ranks in counts[1:] for found in median_sums(runs, "fixed order", ranks)]
    record = {"steps": steps, "sums": sums, "cost": fitted(steps, sums)}
    (RESULTS / "scaling.json").write_text(json.dumps(record, indent=1) + "\n")
    (RESULTS / "scaling.md").write_text(table(record))
    draw(record)
    print(table(record))


def on_two_hosts(rounds):
    """Fit the formula to this machine, and compare what it says of two hosts with their measured steps."""
    bare, batches = "no limit", BATCHES[::2]
    setups = {setup: partial(measured, *setup) for setup in (("alone", 1), ("fixed order", 2), ("any order", 2))}
    setups |= {(name, 2): partial(measured_by_cable, cable) for name, cable in ({bare: (None, 0)} | CABLES).items()}
    runs = in_turns(rounds, batches, setups)
    steps = medians(runs)
    cost = fitted([s for s in steps if s["mode"] in MODES], median_sums(runs, "fixed order", 2))
    software = fitted_network(median_sums(runs, bare, 2))["message"]
    lines = ["| cable | summing, predicted, ms | measured | " + " | ".join(
        f"batch {batch:,}, predicted, ms | measured" for batch in batches) + " |", "| --- " * 9 + "|"]
    for name, (bandwidth, latency) in CABLES.items():
        network = {"message": software + latency, "bandwidth": bandwidth}
        found = {s["batch"]: s for s in steps if s["mode"] == name}
        cells = [moved(2, network), median(s["moving"] for s in found.values())]
        for batch in batches:
            cells += [predict(cost, 2, 4, batch, network), found[batch]["step"]]
        lines.append(f"| {name} | " + " | ".join(f"{1e3 * seconds:.1f}" for seconds in cells) + " |")
    text = "\n".join([*lines, "", f"A message costs {1e6 * software:.0f} us by itself.", ""])
    (RESULTS / "hosts.md").write_text(text)
    print(text)


# Measuring


def in_turns(rounds, batches, setups):
    """What each setup reports in each round, by (mode, ranks, batch size).

    setups: {(mode, ranks): a function of the batch size}.
    """
    runs: dict = {}
    for turn in range(rounds):
        for batch in batches:
            for setup, run in setups.items():
                runs.setdefault((*setup, batch), []).append(run(batch))
        print(f"round {turn + 1} of {rounds}", flush=True)
    return runs


def measured_by_cable(cable, batch):
    """What rank 0 of two reports, if each is on a host of its own and (bandwidth, latency) between them are these."""
    with Hosts(*cable) as hosts:
        return measured("fixed order", 2, batch, hosts)


def measured(mode, ranks, batch, hosts=None):
    """What rank 0 of a run of its own reports; if there are two hosts, half of the ranks are on each."""
    found = Path(sys.executable).parent / "mpiexec"
    mpiexec = str(found) if found.exists() else "mpiexec"
    command = hosts.mpiexec(mpiexec, ranks // 2) if hosts else [mpiexec, "-n", str(ranks)]
    run = subprocess.run([*(command if MODES[mode] is not None else []), sys.executable, __file__, "--rank", mode,
                          str(batch)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
                         env=os.environ | {"TINYNET_THREADS": str(ranks) if mode == "threads" else "1",
                                           "TINYNET_BACKEND": "numpy"} | (hosts.environment if hosts else {}))
    return json.loads(run.stdout)


def medians(runs):
    """The median of each number of a step, for each setup."""
    return [{"mode": mode, "ranks": ranks, "batch": batch} | {
        name: median(run[name] for run in found) for name in ("step", "waiting", "moving", "bytes")}
        for (mode, ranks, batch), found in runs.items()]


def median_sums(runs, mode, ranks):
    """The median time of summing a vector of each length."""
    return [{"ranks": ranks, "length": length,
             "seconds": median(run["sums"][i] for run in runs[mode, ranks, BATCHES[0]])}
            for i, length in enumerate(LENGTHS)]


def work(mode, batch):
    """One rank: train, and print the seconds of a step and what they went to."""
    from tinynet import distributed
    from tinynet.callbacks import LambdaCallback
    from tinynet.device import launcher
    from tinynet.distributed.allreduce import AllReduce
    from tinynet.distributed.collectives import barrier
    from tinynet.layers import Dense, Dropout
    from tinynet.models import Sequential

    if MODES[mode] is not None:
        distributed.init(**{"shards": max(4, launcher.size() or 1)} | MODES[mode])
    np.random.seed(0)
    inputs, first, second, classes = WIDTHS
    model = Sequential([Dense(first, activation="relu", input_shape=(inputs,)), Dropout(0.2),
                        Dense(second, activation="relu"), Dropout(0.2), Dense(classes, activation="softmax")])
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    steps = max(16, 16384 // batch)
    x = np.random.random((steps * batch, inputs)).astype("float32")
    y = np.eye(classes, dtype="float32")[np.arange(len(x)) % classes]
    times: list = []
    spent: Counter[str] = Counter()     # seconds "waiting" for the last rank and "moving" bytes, "bytes" sent, "sums"
    all_reduce = AllReduce.__call__

    def timed(self, barrier):
        begun = met = time.perf_counter()

        def timed_barrier():
            nonlocal met
            barrier()
            met = time.perf_counter()
        all_reduce(self, timed_barrier)
        spent.update({"waiting": met - begun, "moving": time.perf_counter() - met, "sums": 1,
                      "bytes": 2 * (self.ranks - 1) * self.piece * self.vector.itemsize})
    AllReduce.__call__ = timed          # type: ignore[method-assign]
    clock = LambdaCallback(on_epoch_begin=lambda epoch, logs: times.append(time.perf_counter()),
                           on_epoch_end=lambda epoch, logs: times.append(time.perf_counter()))
    model.fit(x, y, batch_size=batch, verbose=0)
    spent.clear()
    model.fit(x, y, batch_size=batch, epochs=3, verbose=0, callbacks=[clock])
    step = median(end - begin for begin, end in zip(times[::2], times[1::2])) / steps
    report = {"step": step} | {name: spent[name] / max(spent["sums"], 1) for name in ("waiting", "moving", "bytes")}
    report["sums"] = []
    for length in LENGTHS if distributed.size() > 1 else ():
        vector_sum, seconds = AllReduce(length, np.float32), []
        for _ in range(40):
            before = spent["moving"]
            vector_sum(lambda: barrier("summing"))
            seconds.append(spent["moving"] - before)
        report["sums"].append(median(seconds))
    print(json.dumps(report))


# The cost of a step


def fitted(steps, sums):
    """The constants, in seconds, of

    alone: t(B) = fixed + row B
    P ranks with S shards: t(P, B) = fixed' + shard S / P + row' B / P + moved(P)
    moved(P) = 2 (P - 1) message + 2 (P - 1) / P bytes / bandwidth,

    by least squares of relative errors; the second from runs in which all cores are busy, as on a machine of many.
    """
    alone = [s for s in steps if s["mode"] == "alone"]
    most = max(s["ranks"] for s in steps)
    shared = [s for s in steps if MODES[s["mode"]] is not None and s["ranks"] == most]
    fixed, row = least_squares([[1, s["batch"]] for s in alone], [s["step"] for s in alone])
    own = [shards(s) / s["ranks"] for s in shared]
    cost = {"alone": {"fixed": fixed, "row": row}, "ranks": dict(zip(("fixed", "shard", "row"), least_squares(
        [[1, count, s["batch"] / s["ranks"]] for count, s in zip(own, shared)],
        [s["step"] - s["moving"] for s in shared])))}
    if sums:
        cost["memory"] = fitted_network(sums)
    predicted = [predict(cost, s["ranks"], shards(s), s["batch"], cost.get("memory")) for s in shared]
    cost["largest error"] = max(abs(p / s["step"] - 1) for p, s in zip(predicted, shared))
    return cost


def fitted_network(sums):
    """What a message and a byte cost between ranks."""
    message, second_a_byte = least_squares([[2 * (s["ranks"] - 1), moved_bytes(s["ranks"], s["length"])]
                                            for s in sums], [s["seconds"] for s in sums])
    return {"message": message, "bandwidth": 1 / second_a_byte}


def least_squares(rows, seconds):
    seconds = np.array(seconds)
    return np.linalg.lstsq(np.array(rows) / seconds[:, None], np.ones(len(seconds)), rcond=None)[0].tolist()


def shards(step):
    return step["ranks"] if step["mode"] == "any order" else max(4, step["ranks"])


def moved_bytes(ranks, length=WEIGHTS):
    return 2 * (ranks - 1) / ranks * length * 4


def predict(cost, ranks, shards, batch, network):
    """t(P, B) in seconds."""
    ours = cost["ranks"]
    return ours["fixed"] + ours["shard"] * shards / ranks + ours["row"] * batch / ranks + moved(ranks, network)


def moved(ranks, network):
    """The seconds of a step in which ranks send each other gradients."""
    return 2 * (ranks - 1) * network["message"] + moved_bytes(ranks) / network["bandwidth"] if network else 0


def efficiency(cost, ranks, batch, network):
    """What one process alone takes for the batch, over what all ranks together spend on it, in P shards."""
    alone = cost["alone"]["fixed"] + cost["alone"]["row"] * batch
    return alone / (ranks * predict(cost, ranks, ranks, batch, network))


def batch_for(cost, ranks, network):
    """The batch size from which on the efficiency is as WANTED; None if no batch is large enough."""
    batches = 2 ** np.arange(4, 26, 1 / 64)
    good = efficiency(cost, ranks, batches, network) >= WANTED
    return int(batches[good.argmax()]) if good.any() else None


def networks(cost):
    found = {name: {"message": message, "bandwidth": bandwidth} for name, (message, bandwidth) in NETWORKS.items()}
    return ({"this machine's memory": cost["memory"]} if "memory" in cost else {}) | found


# Showing


def table(record):
    """What is measured, what is fitted and what is predicted, as Markdown."""
    by = {(s["mode"], s["ranks"], s["batch"]): s for s in record["steps"]}
    counts = sorted({ranks for mode, ranks, _ in by if mode == "fixed order"})
    most = counts[-1]
    threads = max(ranks for mode, ranks, _ in by if mode == "threads")
    lines = [f"| batch size | alone, ms | {threads} threads, ms | 1 rank, ms | {most} ranks, ms | times 1 rank | times "
             "alone | efficiency | waiting, ms | moving, ms | MB sent, by formula | any order, ms |",
             "| --- " * 12 + "|"]
    for batch in BATCHES:
        alone, one, all_ = by["alone", 1, batch], by["fixed order", 1, batch], by["fixed order", most, batch]
        lines.append(f"| {batch} | {1e3 * alone['step']:.2f} | {1e3 * by['threads', threads, batch]['step']:.2f} | "
                     f"{1e3 * one['step']:.2f} | {1e3 * all_['step']:.2f} | "
                     f"{one['step'] / all_['step']:.2f} | {alone['step'] / all_['step']:.2f} | "
                     f"{alone['step'] / all_['step'] / most:.0%} | {1e3 * all_['waiting']:.2f} | "
                     f"{1e3 * all_['moving']:.2f} | {all_['bytes'] / 1e6:.2f} | "
                     f"{1e3 * by['any order', most, batch]['step']:.2f} |")
    lines += ["", f"| rows for each rank | alone, ms | {most} ranks, ms | efficiency |", "| --- " * 4 + "|"]
    for batch in BATCHES:
        if (("fixed order", most, batch * most)) in by:
            alone, all_ = by["alone", 1, batch]["step"], by["fixed order", most, batch * most]["step"]
            lines.append(f"| {batch} | {1e3 * alone:.2f} | {1e3 * all_:.2f} | {alone / all_:.0%} |")
    cost = record["cost"]
    lines += ["", "| predicted | " + " | ".join(f"{ranks} ranks" for ranks in RANKS) + " |", "| --- " * 4 + "|"]
    for name, network in networks(cost).items():
        found = [batch_for(cost, ranks, network) for ranks in RANKS]
        lines.append(f"| batch size for {WANTED:.0%}, {name} | " + " | ".join(
            f"{batch:,}" if batch else "none" for batch in found) + " |")
    ours = cost["ranks"]
    lines += ["", f"Fitted: alone {1e3 * cost['alone']['fixed']:.2f} ms + {1e6 * cost['alone']['row']:.1f} us a row; "
              f"a rank {1e3 * ours['fixed']:.2f} ms + {1e3 * ours['shard']:.2f} ms a shard + "
              f"{1e6 * ours['row']:.1f} us a row" + (
                  f"; between ranks {1e6 * cost['memory']['message']:.1f} us a message and "
                  f"{cost['memory']['bandwidth'] / 1e9:.1f} GB/s" if "memory" in cost else "") +
              f". The largest error of the formula is {cost['largest error']:.0%}.", ""]
    return "\n".join(lines)


def draw(record):
    """Parts of a step; measured steps beside the formula; predicted efficiency."""
    figure = Figure(figsize=(13, 4.2), dpi=110, layout="constrained")
    parts, steps, predictions = figure.subplots(1, 3)
    _draw_parts(parts, record)
    _draw_steps(steps, record)
    _draw_predictions(predictions, record["cost"])
    for axes in (parts, steps, predictions):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(10)
    figure.savefig(RESULTS / "scaling.png")


def _draw_parts(axes, record):
    shown = [s for s in record["steps"] if s["batch"] == 1024]
    names = [{"alone": "one process", "threads": f"its {s['ranks']} threads"}.get(
        s["mode"], f"{s['ranks']} rank{'s' * (s['ranks'] > 1)}, {s['mode']}") for s in shown]
    left = np.zeros(len(shown))
    waiting, moving = (np.array([1e3 * s[name] for s in shown]) for name in ("waiting", "moving"))
    computing = np.array([1e3 * s["step"] for s in shown]) - waiting - moving
    for widths, colour, label in ((computing, COLOURS[0], "computing"), (waiting, COLOURS[4], "waiting for others"),
                                  (moving, COLOURS[1], "summing gradients")):
        axes.barh(names, widths, left=left, color=colour, label=label)
        left += widths
    for i, total in enumerate(left):
        axes.text(total + 0.01 * left.max(), i, f"{total:.1f}", va="center", fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * left.max())
    axes.set_xlabel("ms a step")
    axes.set_title("Measured: a batch of 1,024, one thread a rank")
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.4, -0.14), ncols=3)


def _draw_steps(axes, record):
    cost, rows, most = record["cost"], np.geomspace(BATCHES[0], BATCHES[-1]), max(s["ranks"] for s in record["steps"])
    for mode, colour, label in (("alone", COLOURS[4], "one process"),
                                ("fixed order", COLOURS[0], f"{most} ranks, {max(4, most)} shards"),
                                ("any order", COLOURS[1], f"{most} ranks, any order")):
        found = [s for s in record["steps"] if s["mode"] == mode and (mode == "alone" or s["ranks"] == most)]
        axes.plot([s["batch"] for s in found], [1e3 * s["step"] for s in found], "o", color=colour, label=label)
        line = (cost["alone"]["fixed"] + cost["alone"]["row"] * rows if mode == "alone" else
                predict(cost, most, shards(found[0]), rows, cost.get("memory")))
        axes.plot(rows, 1e3 * line, color=colour)
    _batch_axis(axes, BATCHES)
    axes.set_yscale("log")
    axes.set_yticks(ticks := [2, 5, 10, 20, 50, 100], map(str, ticks))
    axes.minorticks_off()
    axes.set_ylabel("ms a step")
    axes.set_title("Measured (points) and fitted (lines)")
    axes.legend(frameon=False, fontsize=9)


def _batch_axis(axes, batches):
    axes.set_xscale("log", base=2)
    axes.set_xticks(batches, [f"{batch:,}" if batch < 10_000 else f"{batch / 1000:.0f}k" if batch < 10**6 else
                              f"{batch / 10**6:.0f}M" for batch in batches], fontsize=8)
    axes.set_xlabel("batch size")


def _draw_predictions(axes, cost):
    batches = np.geomspace(128, 2**22, 200)
    for (name, network), style in zip(list(networks(cost).items())[-2:], ("-", "--")):
        for ranks, colour in zip(RANKS, COLOURS):
            axes.plot(batches, [100 * efficiency(cost, ranks, b, network) for b in batches], style, color=colour,
                      label=f"{ranks} ranks, {name}")
            found = batch_for(cost, ranks, network)
            if found:
                axes.plot(found, 100 * WANTED, "o", color=colour, markersize=5)
    axes.axhline(100 * WANTED, color="black", linewidth=0.8)
    _batch_axis(axes, 4 ** np.arange(4, 12))
    axes.set_ylim(0, 105)
    axes.set_ylabel("efficiency, %")
    axes.set_title("Predicted, not measured: more ranks")
    axes.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.45, -0.14), ncols=2)


if __name__ == "__main__":
    main()
