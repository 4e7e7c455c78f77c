"""The emulated device does what CUDA does.   PLACE/bin/python tests/cudacpu/check.py, after build.sh PLACE"""
import ctypes
import os
import subprocess
import sys

import cupy as cp
import numpy as np

MODULE = cp.RawModule(options=("--std=c++17",), name_expressions=["scale<float>", "scale<double>"], code=r"""
    template <typename T> __global__ void scale(T* x, T s, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) x[i] *= s;
    }
    extern "C" __global__ void block_sum(const float* x, float* sums) {
        extern __shared__ float shared[];
        shared[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
        for (int stride = blockDim.x / 2; stride; stride /= 2) {
            __syncthreads();
            if (threadIdx.x < stride) shared[threadIdx.x] += shared[threadIdx.x + stride];
        }
        if (threadIdx.x == 0) sums[blockIdx.x] = shared[0];
    }
    extern "C" __global__ void warp_sum(const float* x, float* sums) {
        float sum = x[threadIdx.x];
        for (int delta = 16; delta; delta /= 2) sum += __shfl_down_sync(0xffffffff, sum, delta);
        if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
    }
    extern "C" __global__ void last_thread(int* out) { *out = blockIdx.x * blockDim.x + threadIdx.x; }
    extern "C" __global__ void beyond(char* x, int i) { x[i] = 1; }
    extern "C" __global__ void in_vain() { if (threadIdx.x) __syncthreads(); else __syncwarp(); }
    """)


def launch(name, grid, block, *arguments, shared_mem=0):
    MODULE.get_function(name)((grid,), (block,), arguments, shared_mem=shared_mem)


def refused(function, text):
    """The call is an error, whose text has this in it."""
    try:
        function()
    except Exception as error:
        assert text in f"{type(error).__name__} {error}", f"{type(error).__name__} {error}"
    else:
        raise AssertionError(f"{text}: it was not refused")


def numbers_are_those_of_numpy():
    random = np.random.default_rng(0)
    a, b = random.standard_normal((37, 53)).astype("f"), random.standard_normal((53, 29)).astype("f")
    x, y = cp.asarray(a), cp.asarray(b)
    close = {"rtol": 1e-5, "atol": 1e-4}
    np.testing.assert_allclose((x @ y).get(), a @ b, **close)
    np.testing.assert_allclose((x.astype("f8") @ y.astype("f8")).get(), a.astype("f8") @ b, **close)
    np.testing.assert_allclose(((x + 2j).astype("c16") @ y.astype("c16")).get(), (a + 2j) @ b, **close)
    np.testing.assert_allclose((x.T @ x[:, ::2]).get(), a.T @ a[:, ::2], **close)
    np.testing.assert_allclose((x[0] @ x[1]).get(), a[0] @ a[1], **close)
    np.testing.assert_allclose((x @ x[0]).get(), a @ a[0], **close)
    np.testing.assert_allclose((x[:, 0] @ x).get(), a[:, 0] @ a, **close)
    np.testing.assert_allclose((cp.stack([x, x]) @ y).get(), np.stack([a, a]) @ b, **close)
    np.testing.assert_allclose((cp.exp(x) * 2 + x[:, ::-1]).get(), np.exp(a) * 2 + a[:, ::-1], **close)
    assert (cp.ascontiguousarray(x.T).get() == a.T).all()
    with_nan = a.copy()
    with_nan[3, 5] = np.nan
    for axis in None, 0, 1:
        for name in "max", "min", "argmax", "argmin":
            np.testing.assert_equal(getattr(cp.asarray(with_nan), name)(axis=axis).get(),
                                    getattr(with_nan, name)(axis=axis))
        for name in "sum", "var", "max", "min", "argmax", "argmin", "cumsum":
            np.testing.assert_allclose(getattr(x, name)(axis=axis).get(), getattr(a, name)(axis=axis), **close)
        assert (cp.argsort(x, axis=axis).get() == a.argsort(axis=axis)).all()
    assert (cp.sort(x).get() == np.sort(a)).all()
    assert (x[x > 0].get() == a[a > 0]).all() and (x[cp.asarray([3, 1, 2])].get() == a[[3, 1, 2]]).all()


def kernels_run():
    x = cp.arange(10.0)
    launch("scale<double>", 1, 32, x, np.float64(3), np.int32(10))
    assert (x.get() == np.arange(10) * 3).all()
    v, sums = cp.arange(1280, dtype="f"), cp.empty(10, "f")
    launch("block_sum", 10, 128, v, sums, shared_mem=512)
    assert (sums.get() == np.arange(1280).reshape(10, 128).sum(axis=1)).all()
    launch("warp_sum", 1, 128, v, sums)
    assert (sums.get()[:4] == np.arange(128).reshape(4, 32).sum(axis=1)).all()


def what_cuda_refuses_is_refused():
    sums = cp.empty(10, "f")
    refused(lambda: MODULE.get_function("scale"), "named symbol not found")
    refused(lambda: launch("last_thread", 1, 2048, sums), "invalid argument")
    refused(lambda: launch("last_thread", 1, 1, np.int64(8)), "an illegal memory access")
    wrong = cp.RawModule(code='extern "C" __global__ void f() { y = 1; }')
    refused(lambda: wrong.get_function("f"), "was not declared")
    refused(lambda: cp.RawModule(code="", options=("--fast",)).get_function("f"), "unrecognized option")
    refused(lambda: cp.cuda.runtime.mallocManaged(8), "cudaErrorNotSupported")


def captured_work_is_done_when_the_graph_is_launched():
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        x, matrix = cp.zeros(5), cp.ones((5, 5))
        stream.begin_capture()
        cp.add(x, 1, out=x)
        graph = stream.end_capture()
        assert (x.get() == 0).all()
        for _ in range(3):
            graph.launch(stream)
        assert (x.get() == 3).all()
        stream.begin_capture()
        refused(x.get, "capturing")
        refused(lambda: matrix @ matrix, "cuBLAS API during stream capture")
        refused(stream.synchronize, "cudaErrorStreamCaptureUnsupported")
        refused(lambda: cp.add(x, 1, out=x), "cudaErrorStreamCaptureInvalidated")
        refused(stream.end_capture, "cudaErrorStreamCaptureInvalidated")
        x.get()
    refused(cp.cuda.Stream.null.begin_capture, "legacy")


def streams_and_events_wait_for_each_other():
    """With late work: a blocking stream and the legacy default stream do, others only where they are told to."""
    x = cp.zeros(1)
    blocking, other = cp.cuda.Stream(), cp.cuda.Stream(non_blocking=True)
    with blocking:
        x += 1
    x *= 10                         # on the legacy stream, after the blocking one
    event = cp.cuda.Event()
    with other:
        y = cp.ones(1)
        event.record()
    event.synchronize()
    assert event.done and x.get() == 10 and y.get() == 1


def waits_are_counted():
    count = ctypes.CDLL("libcuda.so.1").cudacpu_count
    stream, event = cp.cuda.Stream(), cp.cuda.Event()
    before = count(b"synchronization")
    event.record(stream)
    event.synchronize()
    stream.synchronize()
    cp.cuda.Device().synchronize()
    assert count(b"synchronization") == before + 3


def fresh_memory_is_nan_and_counted():
    allocations = ctypes.CDLL("libcuda.so.1").cudacpu_count
    before = allocations(b"allocation")
    with cp.cuda.using_allocator(None):
        assert np.isnan(cp.empty(4).get()).all()
    assert allocations(b"allocation") == before + 1


def a_write_past_the_end_ends_the_process():
    with cp.cuda.using_allocator(None):
        x = cp.empty(100, np.int8)
        launch("beyond", 1, 1, x, np.int32(100))
        del x


def threads_that_wait_in_vain_end_the_process():
    launch("in_vain", 1, 64)


def threads_run_in_reverse():
    last = cp.empty(1, np.int32)
    launch("last_thread", 4, 8, last)
    assert last.get() == 0


def threads_run_in_order():
    last = cp.empty(1, np.int32)
    launch("last_thread", 4, 8, last)
    assert last.get() == 31


def what_is_not_waited_for_is_done_late():
    host = np.frombuffer(cp.cuda.alloc_pinned_memory(40), "f", 10)
    host[:] = 7
    with cp.cuda.Stream(non_blocking=True) as stream:
        ones = cp.ones(10, "f")
        ones.data.copy_to_host_async(host.ctypes.data, 40)
        assert (host == 7).all()
        stream.synchronize()
        assert (host == 1).all()


CHECKS = [      # a check, its environment, what the process says when it ends by abort()
    (numbers_are_those_of_numpy, {}, None), (numbers_are_those_of_numpy, {"CUDACPU_LATE": "1"}, None),
    (numbers_are_those_of_numpy, {"CUDACPU_REVERSE": "1"}, None), (kernels_run, {}, None),
    (kernels_run, {"CUDACPU_REVERSE": "1"}, None), (what_cuda_refuses_is_refused, {}, None),
    (captured_work_is_done_when_the_graph_is_launched, {}, None),
    (captured_work_is_done_when_the_graph_is_launched, {"CUDACPU_LATE": "1"}, None),
    (streams_and_events_wait_for_each_other, {}, None),
    (streams_and_events_wait_for_each_other, {"CUDACPU_LATE": "1"}, None), (waits_are_counted, {}, None),
    (fresh_memory_is_nan_and_counted, {}, None), (threads_run_in_order, {}, None),
    (threads_run_in_reverse, {"CUDACPU_REVERSE": "1"}, None),
    (what_is_not_waited_for_is_done_late, {"CUDACPU_LATE": "1"}, None),
    (a_write_past_the_end_ends_the_process, {}, "something was written past the end of an allocation of 100 bytes"),
    (threads_that_wait_in_vain_end_the_process, {}, "wait for each other in vain")]

if __name__ == "__main__":
    if sys.argv[1:]:
        globals()[sys.argv[1]]()
        sys.exit()
    for check, environment, death in CHECKS:
        process = subprocess.run([sys.executable, __file__, check.__name__], env=os.environ | environment,
                                 capture_output=True, text=True)
        right = death in process.stderr and process.returncode < 0 if death else process.returncode == 0
        setting = " ".join(f"{name}={value}" for name, value in environment.items())
        print(f"{check.__name__} {setting}: {'right' if right else 'WRONG'}")
        if not right:
            sys.exit(process.stderr)
