"""What tinynet's files and runs withstand, in the large numbers that the tests have no time for.

    python -m pip install -e ".[test]" && python benchmarks/faults.py [--share 1.0]

Kills while saving, damaged and forged files, full disks, killed runs and ranks, interrupts, threads, and random invalid
arguments; a table of the results goes to benchmarks/results/faults.md.
"""
import argparse
import os
import random
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "support")]

import harm  # noqa: E402
from bad_arguments import bad_call  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the full numbers")
    share = parser.parse_args().share

    def many(number):
        return max(1, int(number * share))

    rows = []
    for what, measure, number in (
            ("SIGKILL while saving", kills, many(500)), ("damaged files", damage, many(100_000)),
            ("damaged files of Keras", keras_damage, many(2000)), ("hand-made malicious files", bombs, 1),
            ("full disk while saving", full_disk, many(20)),
            ("forged files with a right checksum", forged, many(1000)),
            ("SIGKILL while training, started again", resumed, many(100)),
            ("a rank killed, another number of ranks started again", ranks_killed, many(50)),
            ("Ctrl-C at a random moment of fit or predict", interrupted, many(500)),
            ("loads in four threads beside one that draws", loads, many(1000)),
            ("saves while another thread trains", saves, many(200)),
            ("random invalid arguments", nonsense, many(50_000))):
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            number, came = measure(Path(folder), number)
        rows.append(f"| {what} | {number:,} | {came} | {time.perf_counter() - start:.0f} s |")
        print(rows[-1], flush=True)
    text = "| what is done | times | result | took |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "faults.md").write_text(text)


def told(counts):
    """Counts as people read them."""
    return ", ".join(f"{what} {count:,}" for what, count in sorted(counts.items(), key=lambda item: -item[1]))


def kills(folder, number):
    counts = harm.kill_while_saving(folder, number)
    return number, (f"files lost {counts['lost']}, older than a save that had returned {counts['older']}, temporary "
                    f"files after the next save {counts['stale']}")


def damage(folder, number):
    model = harm.small_model()
    model.save(folder / "model")
    raw, expected = (folder / "model").read_bytes(), harm.state(model)
    counts: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
    for damaged, signed in harm.mutants(raw, number):
        counts[signed][harm.outcome(folder / "x", damaged, expected)] += 1
    return number, f"{told(counts[False])}; with the checksum made right again: {told(counts[True])}"


def keras_damage(folder, number):
    chance, counts = random.Random(0), Counter[str]()
    files = [path.read_bytes() for path in (HERE.parent / "tests" / "support" / "golden").iterdir()
             if path.name in ("keras231.h5", "keras3.keras")]
    for _ in range(number):
        data = bytearray(chance.choice(files))
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        counts[outcome_of_hdf5(folder / "x", bytes(data))] += 1
    return number, told(counts)


def outcome_of_hdf5(path, raw):
    """The same in a child that has two seconds: the HDF5 library may go round in circles."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, harm.outcome(path, raw).encode())
        os._exit(0)
    os.close(writer)
    hung = not select.select([reader], [], [], 2)[0]
    if hung:
        os.kill(child, signal.SIGKILL)
    with open(reader, "rb") as pipe:
        what = pipe.read().decode()
    os.waitpid(child, 0)
    return {"equal": "loaded, for there is no checksum", "": "HUNG" if hung else "CRASHED"}.get(what, what)


def bombs(folder, _):
    found = harm.bombs()
    return len(found), told(Counter(harm.outcome(folder / "x", raw) for raw in found.values()))


def full_disk(folder, number):
    model = harm.small_model()
    model.save(folder / "model")
    size = (folder / "model").stat().st_size
    results = harm.full_disk(folder / "model", model.save, [size * i // number for i in range(number)])
    return number, told(Counter(f"{raised}, the old file {'unharmed' if fine else 'HARMED'}"
                                for raised, fine in results))


def resumed(folder, number):
    pairs = harm.resumed_hashes(folder, number, optimizers=("adam", "rmsprop", "sgd", "nadam", "adadelta", "adamax"))
    return number, told(Counter("the same SHA-256" if other == whole else "ANOTHER SHA-256" for whole, other in pairs))


def forged(folder, number):
    made = [harm.cost_of_loading(folder / "x", raw) for raw in harm.forged(number)]
    counts = Counter({"equal": "loaded", "different": "loaded"}.get(what, what) for what, _, _ in made)
    return number, (f"{told(counts)}; at most {max(mb for _, mb, _ in made):.0f} MB and "
                    f"{max(seconds for _, _, seconds in made):.1f} s")


def ranks_killed(folder, number):
    import test_distributed as ranks
    if ranks.MPIEXEC is None:
        return 0, "mpiexec is missing"
    chance, counts = random.Random(0), Counter[str]()
    (folder / "whole").mkdir()
    whole = ranks.printed(0, "backed_up", folder / "whole")[-65:]
    for turn in range(number):
        (folder / str(turn)).mkdir()
        size = chance.choice([2, 3, 4])
        status, out, _ = ranks.ended(ranks.start(size, "backed_up", folder / str(turn), "SIGKILL",
                                                 chance.randint(1, 21), chance.randrange(size)))
        same = ranks.printed(chance.choice([0, 1, 2, 3, 4]), "backed_up", folder / str(turn))[-65:] == whole
        counts[("the same SHA-256" if same else "ANOTHER SHA-256") + ("" if status else ", but STATUS 0")] += 1
    return number, told(counts)


def interrupted(folder, number):
    return number, told(harm.interrupted(number))


def loads(folder, number):
    return number, told(harm.loads_in_threads(folder, number))


def saves(folder, number):
    return number, told(harm.saves_beside_training(folder, number))


def nonsense(folder, number):
    chance, counts, before = random.Random(0), Counter[str](), os.getcwd()
    os.chdir(folder)
    for _ in range(number):
        try:
            counts[bad_call(chance, str(folder))] += 1
        except AssertionError as error:
            counts[str(error)[:200]] += 1
    os.chdir(before)
    return number, told(counts)


if __name__ == "__main__":
    main()
