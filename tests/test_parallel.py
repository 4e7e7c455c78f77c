"""Work shared by threads gives the same bits as work done by one, and an error in a thread is not lost."""
import hashlib
import math
import os
import threading
import time

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinynet import backend
from tinynet.device import blas, denormals, threads as parallel
from tinynet.backend import matmul, on_gpu
from tinynet.device.matmul import _cut
from tinynet.layers import Dense, Dropout
from tinynet.models import Sequential

of_a_cpu = pytest.mark.skipif(on_gpu, reason="about the threads and denormals of a CPU; a GPU does this work itself")


def trained_weights(threads):
    parallel.set_threads(threads)
    np.random.seed(1)
    model = Sequential([Dense(512, activation="relu", input_shape=(784,)), Dropout(0.2), Dense(512, activation="relu"),
                        Dense(10, activation="softmax")])
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    x = np.random.random((600, 784))
    model.fit(x, np.arange(600) % 10, batch_size=290, epochs=2, verbose=0)      # four pieces, a short batch
    return hashlib.sha256(model.parameters.value.tobytes() + model.predict(x).tobytes()).hexdigest()


def test_one_two_and_four_threads_train_to_the_same_bits():
    assert trained_weights(1) == trained_weights(2) == trained_weights(4)


@of_a_cpu
@pytest.mark.slow
def test_the_step_in_pieces_is_the_textbook_step_on_one_thread(monkeypatch):
    def weights():
        np.random.seed(1)
        model = Sequential([Dense(512, activation="relu", input_shape=(784,)), Dropout(0.2), Dense(10)])
        model.compile("rmsprop", "mse")
        x = np.random.random((512, 784))
        model.fit(x, x[:, :10], batch_size=128, epochs=3, verbose=0)
        return model.parameters.value

    parallel.set_threads(2)
    backend.set_floatx("float64")
    in_pieces = weights()
    parallel.set_threads(1)
    cuts = []
    monkeypatch.setattr("tinynet.device.matmul._cut", lambda a, b: cuts.append(_cut(a, b)) or ([(0, len(a))], None))
    whole = weights()
    assert max(len(rows or columns) for rows, columns in cuts) == 4
    assert in_pieces == pytest.approx(whole, rel=1e-9, abs=1e-12)


@of_a_cpu
def test_products_have_as_many_pieces_as_pay():
    def pieces(*shape):
        seen = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parallel, "for_each", lambda function, pieces: seen.append(len([*map(function, pieces)])))
            n, d, u = shape
            matmul(np.zeros((n, d)), np.zeros((d, u)), out=np.zeros((n, u)))                # y = x W
            matmul(np.zeros((n, d)).T, np.zeros((n, u)), out=np.zeros((d, u)))              # dW = x^T dy
            matmul(np.zeros((n, u)), np.zeros((d, u)).T, out=np.zeros((n, d)))              # dx = dy W^T
        return seen

    assert pieces(128, 784, 512) == [2, 4, 2]
    assert pieces(128, 512, 10) == [2, 1, 2]
    assert pieces(2048, 784, 512) == [8, 4, 8]
    assert pieces(128, 4096, 4096) == [16, 16, 16]      # blocks of columns: to read all of W takes long
    assert pieces(64, 512, 512) == [4, 4, 4]            # blocks of columns: a small batch has too few rows
    assert pieces(10, 8, 12) == [1, 1, 1]


@given(st.integers(1, 300), st.floats(0, 1e9), st.floats(1, 1e8))
def test_slices_cover_everything_once(length, work, grain):
    pieces = parallel.split(length, work, grain)
    assert np.concatenate([np.arange(length)[piece] for piece in pieces]).tolist() == list(range(length))


@of_a_cpu
@given(st.integers(1, 40), st.integers(1, 700), st.integers(1, 300))
def test_matmul_in_blocks_is_matmul(rows, inner, columns):
    a, b = np.random.random((rows, inner)), np.random.random((inner, columns))
    assert matmul(a, b, out=np.empty((rows, columns))) == pytest.approx(a @ b)


def test_large_products_are_really_shared():
    parallel.set_threads(2)
    names, barrier = set(), threading.Barrier(2, timeout=10)

    def piece(_):
        names.add(threading.current_thread().name)
        barrier.wait()      # passes only if two threads are here at once

    with parallel.workers():
        parallel.for_each(piece, [slice(0), slice(1)])
    assert len(names) == 2


@of_a_cpu
def test_fit_shares_its_products_and_keeps_blas_to_one_thread(monkeypatch):
    seen, inner = [], parallel.for_each

    def watch(function, pieces):
        seen.append((len(pieces), {library.get() for library in blas._loaded()}, len(blas.open_limits)))
        inner(function, pieces)

    monkeypatch.setattr(parallel, "for_each", watch)
    trained_weights(2)
    assert max(pieces for pieces, _, _ in seen) >= 4
    assert all(numbers <= {1} and entered == 1 for _, numbers, entered in seen)
    assert blas.open_limits == []


def test_outside_workers_everything_runs_in_the_calling_thread():
    parallel.set_threads(4)
    names = []
    parallel.for_each(lambda _: time.sleep(0.01) or names.append(threading.current_thread().name), [slice(0)] * 4)
    assert set(names) == {threading.current_thread().name}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_in_any_thread_is_raised_and_the_next_job_runs(error):
    parallel.set_threads(2)

    def fail(piece):
        if piece.stop == 7:
            raise error("piece 7")

    with parallel.workers():
        with pytest.raises(error, match="piece 7"):
            parallel.for_each(fail, [slice(i) for i in range(20)])
        done = []
        parallel.for_each(done.append, [slice(i) for i in range(20)])
    assert len(done) == 20


def test_an_error_in_a_callback_leaves_the_threads_fit_for_work(classifier):
    from tinynet.callbacks import LambdaCallback

    def fail(batch, logs):
        raise ValueError("from the callback")

    model, x, y = classifier
    with pytest.raises(ValueError, match="from the callback"):
        model.fit(x, y, verbose=0, callbacks=[LambdaCallback(on_batch_end=fail)])
    model.fit(x, y, verbose=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")      # Python warns of exactly what is tested here
def test_a_forked_child_has_threads_of_its_own():
    before = trained_weights(2)
    child = os.fork()
    if not child:
        os._exit(0 if trained_weights(2) == before else 1)
    assert os.waitpid(child, 0)[1] == 0


# The cores that a container may use


@pytest.mark.parametrize("files, cores", [
    ({"cpu.max": "150000 100000"}, 1.5),
    ({"cpu.max": "max 100000"}, math.inf),
    ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4),
    ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf),
    ({"cpu.max": "what is this"}, math.inf),
    ({}, math.inf)])
def test_the_limit_of_a_container_is_read(tmp_path, files, cores):
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
    assert parallel._container_limit(tmp_path) == cores


@pytest.mark.parametrize("limit, threads", [(0.5, 1), (1.5, 1), (2.0, 2), (math.inf, 3)])
def test_threads_at_the_start_are_the_whole_cores_of_affinity_and_container(monkeypatch, limit, threads):
    monkeypatch.delenv("TINYNET_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 4, 5}, raising=False)
    monkeypatch.setattr(parallel, "_container_limit", lambda: limit)
    assert parallel._threads_at_start() == threads


def test_the_environment_says_how_many_threads(monkeypatch):
    monkeypatch.setenv("TINYNET_THREADS", "7")
    assert parallel._threads_at_start() == 7
    monkeypatch.setenv("TINYNET_THREADS", "many")
    with pytest.raises(ValueError, match="TINYNET_THREADS must be a whole number of at least 1, got 'many'"):
        parallel._threads_at_start()


# Denormals


@pytest.mark.skipif(not denormals.known, reason="tinynet does not flush denormals on this processor")
def test_every_thread_that_works_takes_denormals_for_zero_and_only_then():
    parallel.set_threads(2)
    small, results, barrier = np.full(100, 1e-30, "float32"), [], threading.Barrier(2, timeout=10)

    def piece(_):
        barrier.wait()      # both threads are here
        results.append(small * np.float32(1e-10))

    with parallel.workers():
        parallel.for_each(piece, [slice(0), slice(1)])
    assert len(results) == 2 and not np.any(results)
    assert (small * np.float32(1e-10) > 0).all()


@of_a_cpu
@pytest.mark.skipif(not denormals.known, reason="tinynet does not flush denormals on this processor")
def test_pixels_that_go_dark_leave_no_denormals_in_the_mean_square():
    model = Sequential([Dense(8, input_shape=(40,))])
    model.compile("rmsprop", "mse")
    x = np.random.random((32, 40)) + 0.1
    model.fit(x, x[:, :8], verbose=0)
    mean_square = model.parameters.slots[model.optimizer, "mean_square"]
    assert (mean_square[:320] > 0).all()
    x[:, 20:] = 0
    model.fit(np.tile(x, (30, 1)), np.tile(x[:, :8], (30, 1)), epochs=40, verbose=0)     # 1,200 steps
    dark = mean_square[160:320]
    assert dark.max() < 1e-30
    assert not np.any((dark > 0) & (dark < np.finfo("float32").tiny))


def test_set_threads_refuses_zero():
    with pytest.raises(ValueError, match="number of threads must be a whole number of at least 1, got 0"):
        parallel.set_threads(0)
