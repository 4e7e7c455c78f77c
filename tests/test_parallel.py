"""Work shared by threads gives the same bits as work done by one, and an error in a thread is not lost."""
import hashlib
import os
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st


from tinynet import parallel
from tinynet.backend import matmul
from tinynet.layers import Dense, Dropout
from tinynet.models import Sequential


def trained_weights(threads):
    parallel.set_threads(threads)
    np.random.seed(1)
    model = Sequential([Dense(512, activation="relu", input_shape=(784,)), Dropout(0.2), Dense(512, activation="relu"),
                        Dense(10, activation="softmax")])
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    x = np.random.random((600, 784))
    model.fit(x, np.arange(600) % 10, batch_size=128, epochs=2, verbose=0)
    return hashlib.sha256(model.parameters.value.tobytes() + model.predict(x).tobytes()).hexdigest()


def test_one_two_and_four_threads_train_to_the_same_bits():
    assert trained_weights(1) == trained_weights(2) == trained_weights(4)


@given(st.integers(1, 300), st.floats(0, 1e9), st.floats(1, 1e8))
def test_slices_cover_everything_once(length, work, grain):
    pieces = parallel.split(length, work, grain)
    assert np.concatenate([np.arange(length)[piece] for piece in pieces]).tolist() == list(range(length))


@given(st.integers(1, 40), st.integers(1, 700), st.integers(1, 300))
def test_matmul_in_blocks_is_matmul(rows, inner, columns):
    a, b = np.random.random((rows, inner)), np.random.random((inner, columns))
    assert matmul(a, b, out=np.empty((rows, columns))) == pytest.approx(a @ b)


def test_large_products_are_really_shared():
    parallel.set_threads(2)
    names, meeting = set(), threading.Barrier(2, timeout=10)

    def piece(_):
        names.add(threading.current_thread().name)
        meeting.wait()      # passes only if two threads are here at once

    with parallel.workers():
        parallel.for_each(piece, [slice(0), slice(1)])
    assert len(names) == 2


def test_fit_shares_its_products_and_keeps_blas_to_one_thread(monkeypatch):
    seen, inner = [], parallel.for_each

    def watch(function, pieces):
        # NumPy's, which was there first: another library, such as scipy, may bring a BLAS of its own later.
        blas = {pool["num_threads"] for pool in parallel._blas().info() if pool["user_api"] == "blas"}
        seen.append((len(pieces), blas, len(parallel._entered)))
        inner(function, pieces)

    monkeypatch.setattr(parallel, "for_each", watch)
    trained_weights(2)
    assert max(pieces for pieces, _, _ in seen) >= 4
    assert all(blas <= {1} and entered == 1 for _, blas, entered in seen)
    assert parallel._entered == []


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


def test_set_threads_refuses_none():
    with pytest.raises(ValueError, match="number of threads must be a whole number of at least 1, got 0"):
        parallel.set_threads(0)
