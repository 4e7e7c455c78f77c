"""Ranks that share every batch come to the bits of one, and whatever goes wrong in one ends all, in words.

Most of it runs in processes that mpiexec starts: tests/support/ranks.py.
"""
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hosts import Hosts
from tinynet import backend, distributed
from tinynet.backend import on_gpu
from tinynet.device import launcher, threads as parallel
from tinynet.device.cuda_graph import CapturedWork
from tinynet.callbacks import BackupAndRestore, Callback
from tinynet.constraints import max_norm
from tinynet.distributed import ranks
from tinynet.distributed.allreduce import AllReduce, subtrees
from tinynet.distributed.init import ABORT_TIMEOUT
from tinynet.layers import ActivityRegularization, BatchNormalization, Dense, Dropout, GaussianNoise, Layer
from tinynet.losses import MeanSquaredError
from tinynet.models import Model, Sequential, load_model
from tinynet.regularizers import L1L2
from tinynet.saving.file_format import ModelFileError
from tinynet.training.strategy import SingleProcess

TESTS = Path(__file__).parent
MPIEXEC = next((str(path) for path in (Path(sys.executable).parent / "mpiexec",) if path.exists()),
               shutil.which("mpiexec"))
needs_mpi = pytest.mark.skipif(not MPIEXEC or not importlib.util.find_spec("mpi4py"),
                               reason='no MPI here: python -m pip install -e ".[mpi]"')


def start(number, *command, hosts=None, **environment):
    """The process of so many ranks (0: without mpiexec) that run a scenario of ranks.py; half of them on each host."""
    mpiexec = [MPIEXEC, "-n", str(number)] if number else []
    if hosts:
        mpiexec, environment = hosts.mpiexec(MPIEXEC, number // 2), environment | hosts.environment
    elif number and "Open MPI" in subprocess.run(
            [MPIEXEC, "--version"], capture_output=True, text=True).stdout:
        mpiexec += ["--oversubscribe"]
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    ours = {"PYTHONPATH": os.pathsep.join(map(str, (TESTS / "support", TESTS.parent))), "TINYNET_BACKEND": "numpy"}
    program = [*mpiexec, sys.executable, str(TESTS / "support" / "ranks.py"), *map(str, command)]
    return subprocess.Popen(program, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=os.environ | ours | environment)


def ended(process, timeout=60):
    """(exit status, stdout, stderr) of it; a hang is an error."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, err


def printed(number, *command, **options):
    """What so many ranks print; they must end well."""
    status, out, err = ended(start(number, *command, **options))
    assert status == 0, err
    return out


# The same bits


@needs_mpi
def test_one_process_and_one_two_three_and_four_ranks_end_with_one_sha256(tmp_path):
    def sha(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        return printed(number, "backed_up", folder)[-65:]

    hashes = [sha(number) for number in (0, 1, 2, 3, 4)]
    assert re.fullmatch("[0-9a-f]{64}\n", hashes[0]) and len(set(hashes)) == 1


@pytest.mark.slow
@needs_mpi
def test_the_tutorial_s_network_has_one_sha256_after_an_epoch_on_one_two_and_four_ranks():
    first = printed(1, "tutorial")
    assert "SHA-256" in first
    assert printed(2, "tutorial") == first
    assert printed(4, "tutorial", TINYNET_THREADS="1") == first


@needs_mpi
@pytest.mark.parametrize("scenario", ["sequence", "options {}", 'options {"shards":8}'])
def test_other_data_and_more_shards(scenario):
    first = printed(0, *scenario.split())
    assert first.count("SHA-256") == 2
    for number in (2, 4):
        assert printed(number, *scenario.split()) == first


@needs_mpi
def test_plain_allreduce_agrees_to_all_digits_but_the_last():
    alone = float(printed(0, "any_order"))
    for number in (1, 2, 3):
        assert float(printed(number, "any_order", '{"deterministic": false}')) == pytest.approx(alone, rel=1e-12)


@needs_mpi
def test_asked_for_by_the_environment():
    assert printed(2, "unasked", TINYNET_DISTRIBUTED="1") == "True 2\n"
    assert printed(0, "unasked", TINYNET_DISTRIBUTED="1") == "True 1\n"
    assert sorted(re.findall(r"False|1", printed(2, "unasked"))) == ["1", "1", "False", "False"]     # any order


@needs_mpi
def test_a_forgotten_init_is_noticed():
    status, _, err = ended(start(2, "forgotten"))
    assert status == 0 and err.count("mpiexec has started 2 processes, and each trains alone. To let them share") == 1
    assert "each trains alone" not in ended(start(0, "forgotten"))[2]


@needs_mpi
def test_all_ranks_may_end_at_once_when_all_is_done():
    status, _, err = ended(start(2, "exits"))
    assert status == 0 and "Error" not in err


@needs_mpi
def test_one_rank_that_wants_to_stop_stops_all():
    out = printed(2, "stopped", TINYNET_DISTRIBUTED="1")
    assert out == "stopped by all\n" == printed(1, "stopped")


@needs_mpi
def test_ctrl_c_between_epochs_in_one_rank_ends_all_after_the_backup(tmp_path):
    status, _, err = ended(start(2, "interrupted", tmp_path))
    assert status != 0 and err.count("KeyboardInterrupt: ") >= 1 and "diverged" not in err
    assert "holds all complete batches" in err


@needs_mpi
def test_the_backup_of_rank_0_counts(tmp_path):
    first = printed(2, "backup_of_rank_0", tmp_path)
    assert (tmp_path / "0" / "backup.safetensors").exists() and not (tmp_path / "1").exists()
    assert printed(2, "backup_of_rank_0", tmp_path) == first


@pytest.mark.gpu
@needs_mpi
@pytest.mark.skipif(not on_gpu, reason="no GPU: tinynet computes with NumPy here")
def test_ranks_on_a_gpu_train_to_the_numbers_of_a_cpu():
    alone = float(printed(0, "any_order", TINYNET_BACKEND="numpy"))
    for options in ('{"cuda_aware": false}', '{"deterministic": false}'):
        assert float(printed(2, "any_order", options)) == pytest.approx(alone, rel=1e-12)


def leave():
    """Train in this process alone again."""
    ranks.set_settings(None)
    Model.strategy = SingleProcess()


@pytest.fixture
def as_ranks():
    """Call it to be as distributed as one process can be."""
    yield distributed.init
    leave()


def fitted(rows, loss="mse"):
    np.random.seed(1)
    model = Sequential([Dense(16, activation="relu", input_shape=(10,), kernel_regularizer="l2"), Dropout(0.3),
                        GaussianNoise(0.1), Dense(8, activation="tanh", activity_regularizer="l2",
                                                  kernel_constraint=max_norm(0.7)),
                        ActivityRegularization(l1=0.01), Dense(4, activation="softmax", activity_regularizer="l1")])
    model.compile("rmsprop", loss, metrics=["accuracy", "data_loss", "regularization"])
    x, y = np.random.random((rows, 10)), np.eye(4)[np.arange(rows) % 4]
    history = model.fit(x, y, batch_size=50, epochs=3, verbose=0, sample_weight=np.random.random(rows),
                        validation_data=(x, y))
    return [*map(float, np.concatenate([w.ravel() for w in model.get_weights()])),
            *(value for values in history.history.values() for value in values)]


@pytest.mark.parametrize("loss", ["mse", "categorical_crossentropy", MeanSquaredError(reduction="sum")])
@pytest.mark.parametrize("rows", [200, 177, 101])
def test_a_batch_in_shards_is_the_batch(as_ranks, float64, rows, loss):
    whole = fitted(rows, loss)
    for shards in (1, 4, 16):
        as_ranks(shards=shards)
        assert fitted(rows, loss) == pytest.approx(whole, rel=1e-9, abs=1e-12)


def test_what_layers_keep_is_averaged_over_the_shards(as_ranks, float64):
    def running_means():
        np.random.seed(1)
        model = Sequential([BatchNormalization(momentum=0.5, input_shape=(3,)), Dense(1)])
        model.compile("sgd", "mse")
        x = np.random.random((40, 3)) * [1, 10, 100]
        model.fit(x, x[:, :1], batch_size=40, epochs=2, shuffle=False, verbose=0)
        return *model.layers[0].get_weights()[2:], x

    mean, variance, x = running_means()
    as_ranks()
    shared_mean, shared_variance, _ = running_means()
    assert shared_mean == pytest.approx(mean, rel=1e-12) == 0.75 * x.mean(axis=0)
    within = np.mean([part.var(axis=0) * 10 / (9 - 1e-3) for part in x.reshape(4, 10, 3)], axis=0)
    assert shared_variance == pytest.approx(0.25 + 0.75 * within, rel=1e-9)


def test_the_logs_of_batches_are_the_means_so_far(as_ranks, float64, classifier):
    model, x, y = classifier
    start = model.get_weights()

    def logs():
        seen = []

        class Watch(Callback):
            def on_batch_end(self, batch, logs=None):
                seen.extend(logs.values())

            def progress(self, means):
                seen.extend(means.result().values())

        model.set_weights(start)
        model.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[Watch()])
        return seen

    plain = logs()
    as_ranks()
    assert logs() == pytest.approx(plain, rel=1e-6) and len(plain) == 18


def test_a_backup_of_other_shards_is_refused(as_ranks, classifier, tmp_path):
    model, x, y = classifier
    as_ranks(shards=8)
    model.fit(x, y, epochs=1, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    as_ranks(shards=4)
    with pytest.raises(ModelFileError, match=r"other ways of sharing batches \(distributed.init\): 8 shards there, 4"):
        model.fit(x, y, epochs=2, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    leave()
    with pytest.raises(ModelFileError, match="8 shards there, none here"):
        model.fit(x, y, epochs=2, verbose=0, callbacks=[BackupAndRestore(tmp_path)])


def test_the_penalty_for_weights_is_added_once_a_step_after_the_sum(as_ranks, classifier, monkeypatch):
    class Counted(L1L2):
        calls = 0

        def gradient(self, w):
            self.calls += 1
            return super().gradient(w)

    monkeypatch.setattr(CapturedWork, "__call__", lambda self, size: self.work(size))   # a replay would call nothing
    _, x, y = classifier
    regularizer, networks = Counted(l2=0.1), []
    for shards in (None, 4):
        np.random.seed(0)
        model = Sequential([Dense(5, "relu", input_shape=(4,), kernel_regularizer=regularizer), Dense(3)])
        model.compile("sgd", "mse")
        if shards:
            as_ranks(shards=shards)
        regularizer.calls = 0
        model.fit(x, y, batch_size=5, epochs=3, verbose=0)
        assert regularizer.calls == 2 * 3
        networks.append(model)
    for a, b in zip(*(model.get_weights() for model in networks)):
        assert a == pytest.approx(b, rel=1e-5)


class ActivityPenalty(Layer):
    """y = x, with the penalty sum(x^2) over the batch, of which x may be a part."""

    def forward(self, x, training=False):
        self.x = x
        self.penalty = (x * x).sum() / self.batch_share
        return x

    def backward(self, dy):
        return dy + 2 * self.x / self.batch_share


def test_a_penalty_of_ones_own_is_told_the_part_of_the_batch(as_ranks, classifier):
    _, x, y = classifier
    losses = []
    for shards in (None, 4):
        np.random.seed(0)
        model = Sequential([Dense(5, "relu", input_shape=(4,)), ActivityPenalty(), Dense(3)])
        model.compile("sgd", "mse")
        if shards:
            as_ranks(shards=shards)
        losses.append(model.fit(x, y, batch_size=5, epochs=3, verbose=0).history["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_after_training_layers_and_losses_see_whole_batches_again(as_ranks, classifier):
    model, x, y = classifier
    as_ranks()
    model.fit(x, y, verbose=0)
    assert model.loss_of_z.batch_share == 1.0
    with pytest.raises(ZeroDivisionError):
        model.layers[1].forward = lambda x, training: 1 / 0
        model.fit(x, y, verbose=0)
    assert model.loss_of_z.batch_share == 1.0
    model = Sequential([Dropout(0.5, input_shape=(4,)), Dense(3)])
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0)
    assert model.layers[0].masks.first_row == 0
    with pytest.raises(ZeroDivisionError):
        inner = model.layers[1].forward
        model.layers[1].forward = lambda x, training: inner(x) / (model.layers[0].masks.first_row < 2 or 1 // 0)
        model.fit(x, y, verbose=0)
    assert model.layers[0].masks.first_row == 0


@given(st.integers(0, 5).flatmap(lambda power: st.tuples(st.just(2**power), st.integers(1, 2**power))))
def test_subtrees_hold_every_shard_once(shards_and_ranks):
    shards, number = shards_and_ranks
    parts = subtrees(shards, number)
    assert len(parts) == number
    assert [shard for first, count in parts for shard in range(first, first + count)] == list(range(shards))
    assert all(first % count == 0 for first, count in parts)


@given(st.integers(0, 4).flatmap(lambda power: st.tuples(st.just(2**power), st.integers(1, 2**power))))
def test_a_sum_has_the_same_bits_however_its_shards_are_shared(shards_and_ranks):
    shards, number = shards_and_ranks
    gradients = np.random.default_rng(0).standard_normal((shards, 50)).astype("float32")

    def total(first, count):
        return gradients[first] if count == 1 else total(first, count // 2) + total(first + count // 2, count // 2)

    rank_sum = AllReduce.__new__(AllReduce)
    rank_sum.parts = subtrees(shards, number)
    rank_sum.received = np.stack([total(*part) for part in rank_sum.parts])
    assert (rank_sum._sum(0, shards) == total(0, shards)).all()


# Files and output


@needs_mpi
@pytest.mark.parametrize("number", [1, 2, 4])
def test_rank_0_writes_and_all_read(tmp_path, number):
    out = printed(number, "saved", tmp_path)
    assert out.splitlines()[0] == f"There is a file {tmp_path / 'model.safetensors'} already, and overwrite is False."
    assert out.splitlines()[1].startswith("[Errno 2] No such file or directory: ")
    assert re.search("SHA-256 [0-9a-f]{64}\n$", out) and len(out.splitlines()) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


@needs_mpi
def test_what_only_rank_0_does_needs_no_others():
    out = printed(2, "alone")
    assert len(out.splitlines()) == 1 and out.endswith("(203, 3)\n")


# Faults


@pytest.mark.slow
@needs_mpi
@pytest.mark.parametrize("kind", ["exception", "SIGKILL", "Ctrl-C", "exit", "os._exit(0)", "Ctrl-C of mpiexec"])
def test_a_fault_in_one_rank_ends_all_and_another_number_of_ranks_goes_on_to_the_same_bits(tmp_path, kind):
    (tmp_path / "whole").mkdir()
    whole = printed(0, "backed_up", tmp_path / "whole")[-65:]
    for turn, (number, who, when, later) in enumerate(((2, 0, 3, 4), (2, 1, 9, 1), (4, 3, 14, 2), (4, 0, 11, 0),
                                                       (2, 1, 20, 3))):
        folder = tmp_path / str(turn)
        folder.mkdir()
        process = start(number, "backed_up", folder, kind, when, who)
        while kind == "Ctrl-C of mpiexec" and not (folder / "time").exists():
            time.sleep(0.01)
        if kind == "Ctrl-C of mpiexec":
            process.send_signal(signal.SIGINT)
        status, out, err = ended(process)
        assert status != 0 and "SHA-256" not in out
        if kind == "exception":
            assert f"Rank {who} of {number} ends all ranks by this error:" in err and "ZeroDivisionError" in err
        if kind.startswith("Ctrl-C"):
            assert "holds all complete batches; the same command continues from there." in err
        load_model(folder / "backup.safetensors")
        assert printed(later, "backed_up", folder)[-65:] == whole


@pytest.fixture
def hosts():
    """Two machines, which are network namespaces of this one."""
    if "HYDRA" not in subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True).stdout:
        pytest.skip("network namespaces are tried with MPICH's mpiexec only")
    try:
        with Hosts() as hosts:
            yield hosts
    except OSError as error:
        pytest.skip(f"this system makes no network namespaces: {error}")


@needs_mpi
def test_two_hosts_and_one_process_end_with_one_sha256(hosts):
    whole = printed(0, "options", "{}")
    assert whole.count("SHA-256") == 2
    for number in (2, 4):
        before = hosts.bytes_sent()
        assert printed(number, "options", "{}", hosts=hosts) == whole
        assert hosts.bytes_sent() - before > 100_000


@needs_mpi
def test_a_rank_that_is_killed_on_another_host_ends_all(hosts, tmp_path):
    status, out, _ = ended(start(2, "backed_up", tmp_path, "SIGKILL", 3, 1, hosts=hosts))
    assert status != 0 and "SHA-256" not in out and time.time() - float((tmp_path / "time").read_text()) < 10


@pytest.mark.slow
@needs_mpi
def test_all_ranks_end_with_an_error_when_the_cable_between_hosts_is_cut(hosts, tmp_path):
    process = start(2, "endless", tmp_path, hosts=hosts, TINYNET_THREADS="1")
    try:
        while not all((tmp_path / rank).exists() for rank in "01"):
            time.sleep(0.1)
        time.sleep(1)
        ranks = [int((tmp_path / rank).read_text()) for rank in "01"]
        hosts.cut()
        begun = time.monotonic()
        assert all(alive(rank) for rank in ranks)
        while any(alive(rank) for rank in ranks) and time.monotonic() < begun + 60:
            time.sleep(0.1)
        assert time.monotonic() - begun < 5 + ABORT_TIMEOUT + 3        # the timeout of endless()
    finally:
        process.kill()      # mpiexec waits for what the other host has to say
    status, _, err = ended(process)
    assert status != 0 and "Rank 0 has waited 5 s for the other ranks: " in err


def test_an_abort_that_hangs_is_ended():
    code = """
import sys, time, types
import tinynet.distributed
init = sys.modules["tinynet.distributed.init"]
init.ABORT_TIMEOUT = 0.5
init._end_together(types.SimpleNamespace(rank=0, size=2, Abort=lambda status: time.sleep(100)))
1 / 0
"""
    begun = time.monotonic()
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 1 and ran.stderr.endswith("ZeroDivisionError: division by zero\n"), ran.stderr
    assert time.monotonic() - begun < 20


def alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


@needs_mpi
@pytest.mark.parametrize("what, said", [
    ("data", "ValueError: The ranks differ in the training data: rank 0: .*SHA-256 .*; rank 1: .*takes its rows"),
    ("batch_size", "The ranks differ in the training data: rank 0: batches of 32 .*; rank 1: batches of 33"),
    ("layers", r"The ranks differ in layers: rank 0: Dense to \(None, 16\).*; rank 1: Dense to \(None, 17\)"),
    ("optimizer", "The ranks differ in optimizer, loss and all numbers: rank 0: .*Adam.*; rank 1: .*SGD"),
    ("epsilon", "The ranks differ in optimizer, loss and all numbers: rank 0: .*1e-07.*; rank 1: .*1e-06"),
    ("activation", "The ranks differ in optimizer, loss and all numbers: rank 0: .*relu.*; rank 1: .*tanh"),
    ("regularizer", "The ranks differ in optimizer, loss and all numbers: rank 0: .*; rank 1: "),
    ("loss", "The ranks differ in optimizer, loss and all numbers: rank 0: .*absolute.*; rank 1: .*squared"),
    ("trainable", "The ranks differ in optimizer, loss and all numbers: rank 0: .*true.*; rank 1: .*false"),
    ("shards", r"The ranks differ in init\(deterministic, shards\): rank 0: True, 4; rank 1: True, 8"),
    ("weights", "The ranks differ in their weights: .*has changed weights, optimizer .*such as a callback"),
    ("learning rate", "The ranks differ in their weights: "),
    ("random", "The ranks differ in the order of the samples: .*drawn from np.random, on some ranks"),
    ("batch", "The ranks have different batches. A generator must make the same batches"),
    ("batches", "The ranks have different batches. A generator must make the same batches"),
    ("a save", "The ranks diverged: rank 0 is at saving x; rank 1 is at comparing tinynet's version"),
    ("no fit", "The ranks diverged: rank 0 is at comparing .*; rank 1 is at the end of the program. Every rank"),
    ("stuck", "Rank 0 has waited 1 s for the other ranks: checking stop flags. Is one of them stuck"),
])
def test_ranks_that_differ_are_an_error_with_a_clear_message(tmp_path, what, said):
    status, _, err = ended(start(2, "different", what, FOLDER=str(tmp_path)))
    assert status not in (0, None) and re.search(said, err), err


@needs_mpi
@pytest.mark.parametrize("what, said", [
    ("early", "ValueError: shards must be 1, 2, 4, 8 ..., got 3"),
    ("deaf", "ZeroDivisionError"),
    ("validation", "rank 0 is at a batch to test; rank 1 is at the end of the program"),
    ("order", "RuntimeError: The ranks have different batches"),
    ("noise", "RuntimeError: A layer draws from np.random in forward: ranks get other numbers than one process"),
])
def test_odd_programs_end_with_a_clear_message(what, said):
    status, _, err = ended(start(2, "odd", what), timeout=20)
    assert status != 0 and said in err


@needs_mpi
def test_processes_that_a_rank_starts_are_no_ranks():
    assert printed(2, "odd", "spawn") == "[1]\n"


@needs_mpi
def test_a_rank_that_has_missed_a_barrier_cannot_continue():
    status, _, err = ended(start(2, "caught"))
    assert status != 0 and "RuntimeError: Rank 1 reached comparing" in err
    assert "but its previous barrier was not completed: after an error, or in another thread. The ranks" in err


# Starting


def test_shards_are_a_power_of_two_and_as_many_as_ranks():
    with pytest.raises(ValueError, match="shards must be 1, 2, 4, 8 ..., got 3"):
        distributed.init(shards=3)
    with pytest.raises(ValueError, match="deterministic must be True or False, got 8"):
        distributed.init(8)
    with pytest.raises(ValueError, match="timeout"):
        distributed.init(timeout=0)
    assert not distributed.active() and distributed.rank() == 0 and distributed.size() == 1


@needs_mpi
def test_fewer_shards_than_ranks_are_refused():
    status, _, err = ended(start(3, "options", '{"shards": 2}'))
    assert status != 0 and "3 ranks cannot share 2 shards of a batch. Use init(shards=4), in every run" in err


def test_mpiexec_without_mpi4py_says_what_to_install(monkeypatch):
    monkeypatch.setitem(launcher.environment, "PMI_RANK", "1")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert launcher.launched() and launcher.rank() == 1
    with pytest.raises(ImportError, match=r'needs mpi4py and an MPI: .* pip install "tinynet-backprop\[mpi\]"'):
        distributed.init()
    assert not distributed.active()


@needs_mpi
def test_an_mpiexec_of_another_mpi_is_found_out():
    status, _, err = ended(start(0, "options", "{}", OMPI_COMM_WORLD_RANK="0", OMPI_COMM_WORLD_SIZE="4"))
    assert status != 0 and "mpiexec has started 4 processes, and mpi4py sees 1: they belong to different MPIs." in err


def test_train_on_batch_is_refused_rather_than_done_by_one_rank_alone(as_ranks, classifier):
    model, x, y = classifier
    as_ranks()
    with pytest.raises(RuntimeError, match="train_on_batch would train this rank's model alone. Call fit"):
        model.train_on_batch(x, y)


@pytest.mark.parametrize("cores, processes, threads", [(2, 2, 1), (8, 2, 4), (8, 3, 2), (1, 4, 1)])
def test_ranks_on_one_machine_share_its_cores(monkeypatch, cores, processes, threads):
    monkeypatch.delenv("TINYNET_THREADS", raising=False)
    monkeypatch.setattr(parallel, "_container_limit", lambda: float("inf"))
    parallel.share_cores(cores, processes)
    assert parallel.threads() == threads
    monkeypatch.setenv("TINYNET_THREADS", "7")
    parallel.set_threads(7)
    parallel.share_cores(cores, processes)
    assert backend.threads() == 7
