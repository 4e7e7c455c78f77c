"""Threads of a user's own, which train, predict, save and load at the same time; forks; and Ctrl-C at any point."""
import contextlib
import dis
import hashlib
import os
import sys
import threading
import time

import numpy as np
import pytest

from harm import together, twins
from tinynet import backend, callbacks, layers, registry, utils
from tinynet.backend import on_gpu
from tinynet.device import blas, denormals, threads
from tinynet.layers import Dense, Dropout
from tinynet.models import Sequential, load_model

of_a_cpu = pytest.mark.skipif(on_gpu, reason="about the threads and denormals of a CPU; a GPU has one stream")


def wide_model():
    model = Sequential([Dense(300, "relu", input_shape=(200,)), Dropout(0.2), Dense(10, "softmax")])
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    return model


def weights_after_fit(model=None, seed=3):
    rng = np.random.default_rng(0)
    x, y = rng.random((600, 200)), rng.integers(0, 10, 600)
    if model is None:
        backend.clear_session()
        utils.set_random_seed(seed)
        model = wide_model()
    model.fit(x, y, batch_size=200, epochs=3, verbose=0, shuffle=False)
    return hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()


# BLAS's threads


def blas_numbers():
    return [library.get() for library in blas._loaded()]


@of_a_cpu
def test_a_second_thread_trains_to_the_bits_of_the_first(monkeypatch):
    for library in blas._loaded():
        library.set(2)
    before = blas_numbers()
    first = weights_after_fit()
    assert together(weights_after_fit) == [first]
    assert together(weights_after_fit) == [first]      # of a third thread, after the second has ended
    assert blas_numbers() == before and not blas.open_limits


@of_a_cpu
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_blas_has_its_threads_again_after_the_last_one_leaves_in_any_order(order):
    for library in blas._loaded():
        library.set(2)
    turn, seen = [threading.Event() for _ in range(5)], []

    def enter(i):
        with threads.workers():
            seen.append(blas_numbers())
            turn[i].set()
            turn[2 + order.index(i)].wait(10)
        seen.append(blas_numbers())
        turn[3 + order.index(i)].set()

    started = [threading.Thread(target=enter, args=(i,)) for i in (0, 1)]
    for i, thread in enumerate(started):
        thread.start()
        turn[i].wait(10)
    turn[2].set()
    for thread in started:
        thread.join()
    ones, twos = [1] * len(blas._loaded()), [2] * len(blas._loaded())
    assert seen == [ones, ones, ones, twos]


@of_a_cpu
def test_a_number_of_each_thread_is_set_in_each_thread(monkeypatch):
    number = threading.local()
    fake = blas._Blas(lambda: getattr(number, "of_blas", 7), lambda n: setattr(number, "of_blas", n), True)
    monkeypatch.setattr(blas, "_loaded", lambda: [fake])

    def inside():
        with threads.workers():
            return fake.get()
    with threads.workers():
        assert (fake.get(), together(inside)) == (1, [1])
    assert fake.get() == 7
    blas.limit_this_thread()
    assert fake.get() == 1


@of_a_cpu
@pytest.mark.skipif(not denormals.known, reason="tinynet does not flush denormals on this processor")
def test_ctrl_c_at_any_point_leaves_no_trace():
    for library in blas._loaded():
        library.set(2)
    before, files, at, count = blas_numbers(), (threads.__file__, blas.__file__, contextlib.__file__), 0, 0
    last: dict = {}         # the operation before, in each frame

    def trace(frame, event, argument):
        """Interrupts where Python looks for signals: at the beginning of a function, and after calls and loops."""
        nonlocal count
        if frame.f_code.co_filename not in files:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            before = last.get(frame, "CALL")
            last[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if before.startswith(("CALL", "JUMP_BACKWARD", "JUMP_ABSOLUTE", "RESUME")):
                count += 1
                if count == at:
                    raise KeyboardInterrupt
        return trace

    outer = sys.gettrace()
    while count >= at:
        at, count = at + 1, 0
        try:
            sys.settrace(trace)
            with threads.workers():
                pass
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(outer)
        last.clear()
        assert (blas_numbers(), blas.open_limits, denormals.flush_denormals()) == (before, [], False), at
    assert at > 30
    with threads.workers():
        assert together(weights_after_fit)      # no lock was left behind


# One model in several threads


@of_a_cpu
@pytest.mark.parametrize("use", ["save", "save_weights", "get_weights", "predict", "evaluate", "gradients"])
def test_a_model_can_be_used_while_another_thread_trains_it(use, tmp_path):
    model, x, y = twins()
    model.predict(x[:1])
    done, seen = threading.Event(), []

    def train():
        try:
            model.fit(x, y, epochs=60, batch_size=16, verbose=0)
        finally:
            done.set()

    def other():
        while not done.is_set():
            if use in ("save", "save_weights"):
                getattr(model, use)(tmp_path / "model")
                again, _, _ = twins()
                again.load_weights(tmp_path / "model")
                numbers = again.get_weights()[0]
            else:
                numbers = {"get_weights": lambda: model.get_weights()[0], "predict": lambda: model.predict(x),
                           "evaluate": lambda: np.array(model.evaluate(x, y, verbose=0)),
                           "gradients": lambda: next(iter(model.gradients(x, y).values()))}[use]()
            # A BLAS may round the columns at the end of a matrix otherwise; half a step is three in a thousand.
            seen.append(np.ptp(numbers) > 1e-4 * np.abs(numbers).max())
            time.sleep(0.001)
    together(train, other)
    assert len(seen) > 1 and not any(seen)
    expected, _, _ = twins()
    expected.fit(x, y, epochs=60, batch_size=16, verbose=0)
    assert (expected.get_weights()[0] == model.get_weights()[0]).all()


def test_two_threads_that_train_one_model_take_turns():
    utils.set_random_seed(1)
    model = wide_model()
    together(lambda: weights_after_fit(model), lambda: weights_after_fit(model))
    assert model.optimizer.iterations == 2 * 3 * 3


@of_a_cpu
def test_callbacks_of_two_models_may_use_the_other_model():
    models_, x = [wide_model(), wide_model()], np.random.random((64, 200))
    meet = threading.Barrier(2, timeout=20)

    def train(i):
        def predict(epoch, logs):
            meet.wait()
            models_[1 - i].predict(x)
        models_[i].fit(x, np.zeros(64), epochs=3, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_end=predict)])
    together(lambda: train(0), lambda: train(1))


@pytest.mark.parametrize("by_call", [False, True])
def test_a_deadlock_is_an_error(by_call):
    locks, meet = [threads.Lock(), threads.Lock()], threading.Barrier(2, timeout=20)

    def take(i):
        with locks[i].held():
            with locks[i].held():       # once more
                meet.wait()
                if by_call and i:
                    return locks[1 - i].call(int)
                with locks[1 - i].held():
                    return i
    with pytest.raises(RuntimeError, match="Two threads wait for each other"):
        together(lambda: take(0), lambda: take(1))
    assert not threads.Lock.waiting
    with locks[0].held(), locks[1].held():
        assert together(lambda: locks[0].lock.acquire(blocking=False)) == [False]
    assert together(lambda: locks[0].lock.acquire(blocking=False)) == [True]


# Loading in several threads


class Doubled(layers.Layer):
    def forward(self, x, training=False):
        return 2 * x


def test_custom_objects_are_known_to_their_own_thread():
    def unknown():
        with pytest.raises(ValueError, match="Unknown layer: Doubled"):
            layers.deserialize({"class_name": "Doubled", "config": {}})
        return dict(registry.get_custom_objects())
    with registry.CustomObjectScope({"Doubled": Doubled}):
        assert together(unknown) == [{}]
        assert registry.get_custom_objects() == {"Doubled": Doubled}
        registry.get_custom_objects()["half"] = 0.5
        assert isinstance(layers.deserialize({"class_name": "Doubled", "config": {}}), Doubled)
    assert registry.get_custom_objects() == {}


def test_loading_changes_nothing_for_other_threads(tmp_path):
    for real in ("float32", "float64"):
        backend.set_floatx(real)
        Sequential([Dense(3, input_shape=(4,)), Doubled(), Dropout(0.5)]).save(tmp_path / real)
    backend.set_floatx("float32")
    expected = np.random.RandomState(5).random_sample(400)
    np.random.seed(5)
    stop = threading.Event()

    def load(real):
        while not stop.is_set():
            model = load_model(tmp_path / real, {"Doubled": Doubled})
            assert model.dtype == real and model.predict(np.ones((1, 4))).dtype == real
        return real

    def draw():
        try:
            numbers = []
            for _ in range(400):
                numbers.append(np.random.random_sample())
                assert backend.floatx() == "float32" and Dense(1, input_dim=2).trainable
                time.sleep(0.0005)
            return numbers
        finally:
            stop.set()
    *_, numbers = together(lambda: load("float32"), lambda: load("float64"), draw)
    assert numbers == expected.tolist()


def test_names_are_unique_in_every_model_of_several_threads():
    def build():
        return [len(Sequential([Dropout(0.1) for _ in range(200)]).layers) for _ in range(5)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        assert together(*[build] * 4) == [[200] * 5] * 4
    finally:
        sys.setswitchinterval(before)


# Forks


@of_a_cpu
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_forked_beside_a_thread_that_trains_says_so_and_does_not_hang():
    model, other, going = wide_model(), wide_model(), threading.Event()
    stop = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: going.set())
    x = np.random.random((2000, 200))
    trains = threading.Thread(target=lambda: model.fit(x, np.zeros(2000), epochs=10_000, verbose=0, callbacks=[stop]))
    trains.start()
    going.wait(20)
    codes = []
    for used in (model, other) * 3:
        child = os.fork()
        if not child:
            try:
                used.predict(x)
                os._exit(1)
            except RuntimeError as error:
                os._exit(42 if "forked while another thread of its parent computed" in str(error) else 2)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    model.stop_training = True
    trains.join(60)
    assert codes == [42] * 6


@of_a_cpu
@pytest.mark.slow
def test_two_models_in_two_threads_take_at_most_a_fifth_longer_than_one_after_the_other():
    def work():
        for _ in range(3):
            weights_after_fit(wide_model())
    work()
    ratios = []
    for _ in range(5):
        times = [time.perf_counter()]
        work()
        work()
        times.append(time.perf_counter())
        together(work, work)
        times.append(time.perf_counter())
        ratios.append((times[2] - times[1]) / (times[1] - times[0]))
    assert sorted(ratios)[2] < 1.2, ratios
