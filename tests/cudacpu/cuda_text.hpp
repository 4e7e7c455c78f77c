// What CUDA's compiler knows by itself, for g++: comes before every CUDA text that compiler.cpp is given.
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <type_traits>
#include <utility>
#include <vector>

#define __CUDACC_VER_MAJOR__ 13
#define __CUDACC_VER_MINOR__ 0

#include <vector_types.h>       // dim3, float4 ..., and the words below
#include <vector_functions.h>

#undef __host__
#undef __device__
#undef __global__
#undef __shared__
#undef __constant__
#undef __forceinline__
#undef __noinline__
#undef __launch_bounds__
#define __host__
#define __device__
#define __global__
#define __shared__ static       // one block runs at a time
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)

// Threads: one runs at a time, and `threadIdx` says which

#include "kernel.hpp"

static uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;
static constexpr int warpSize = 32;

namespace cudacpu {

static void* dynamic_shared;

template <class Function> struct Signature;

template <class... Arguments>
struct Signature<void (*)(Arguments...)> {
    static constexpr int count = sizeof...(Arguments);
    static constexpr size_t sizes[count + 1] = {sizeof(Arguments)..., 0};
    static constexpr bool are_pointers[count + 1] = {std::is_pointer_v<Arguments>..., false};

    template <auto function, size_t... I>
    static inline __attribute__((always_inline)) void call(void** arguments, std::index_sequence<I...>) {
        function(*static_cast<std::remove_cv_t<Arguments>*>(arguments[I])...);
    }
};

template <auto function>
static inline __attribute__((always_inline)) void call(void** arguments) {
    using S = Signature<decltype(function)>;
    S::template call<function>(arguments, std::make_index_sequence<S::count>());
}

// Call body() for each index of a grid or block, in order or in reverse.
template <class Index, class Body>
static inline __attribute__((always_inline)) void for_each(Index& index, dim3 size, bool reversed, Body body) {
    for (unsigned z = 0; z < size.z; ++z)
        for (unsigned y = 0; y < size.y; ++y)
            for (unsigned x = 0; x < size.x; ++x) {
                if (reversed) index = {size.x - 1 - x, size.y - 1 - y, size.z - 1 - z};
                else index = {x, y, z};
                body();
            }
}

static void begin(const Launch& launch) {
    gridDim = {launch.grid.x, launch.grid.y, launch.grid.z};
    blockDim = {launch.block.x, launch.block.y, launch.block.z};
    dynamic_shared = launch.dynamic_shared;
}

// The threads of a kernel in which none waits for another
template <auto function>
static void in_turn(const Launch& launch) {
    begin(launch);
    for_each(blockIdx, gridDim, launch.reversed, [&] {
        for_each(threadIdx, blockDim, launch.reversed, [&] { call<function>(launch.arguments); });
    });
}

// Those of a loop over all elements, of which any number is right: one, or a few in reverse
template <auto function>
static void one_for_all(const Launch& launch) {
    in_turn<function>({{1, 1, 1}, {launch.reversed ? 5u : 1u, 1, 1}, nullptr, launch.reversed, launch.arguments});
}

// Those that wait for each other: each has a stack, on which it goes on until it waits again or ends. x86-64 only.

struct Thread {
    void* stack_pointer;
    enum State { ready, at_block, at_warp, ended } state;
    uint3 index;
};

constexpr size_t STACK = 65536;
static std::vector<Thread> threads;
static Thread* current;
static void* scheduler;
static const Launch* current_launch;
static void (*current_body)(void** arguments);

extern "C" void cudacpu_switch(void** save, void* to);
asm(R"(
    .text
    .local cudacpu_switch
cudacpu_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
)");

static void wait(Thread::State state) {
    Thread* self = current;
    self->state = state;
    cudacpu_switch(&self->stack_pointer, scheduler);
}

static void run_thread() {
    current_body(current_launch->arguments);
    wait(Thread::ended);
}

// Let the threads from `first` to `last` go on if all of them that have not ended wait so; returns whether any does.
static bool release(size_t first, size_t last, Thread::State state) {
    bool any = false;
    for (size_t i = first; i < last; ++i) {
        any |= threads[i].state == state;
        if (threads[i].state != state && threads[i].state != Thread::ended) return false;
    }
    for (size_t i = first; i < last; ++i) if (threads[i].state == state) threads[i].state = Thread::ready;
    return any;
}

static void run_block() {
    static char* stacks = static_cast<char*>(aligned_alloc(4096, 1024 * STACK));
    threads.clear();
    for_each(threadIdx, blockDim, false, [&] {
        auto* top = reinterpret_cast<void**>(stacks + (threads.size() + 1) * STACK);
        top[-2] = reinterpret_cast<void*>(&run_thread);     // returned to, with a stack aligned as after a call
        threads.push_back({top - 8, Thread::ready, threadIdx});
    });
    size_t size = threads.size();
    for (bool released = true; released; ) {
        for (size_t i = 0; i < size; ++i) {
            current = &threads[current_launch->reversed ? size - 1 - i : i];
            if (current->state != Thread::ready) continue;
            threadIdx = current->index;
            cudacpu_switch(&scheduler, current->stack_pointer);
        }
        released = release(0, size, Thread::at_block);
        for (size_t warp = 0; warp < size; warp += 32)
            released |= release(warp, warp + 32 < size ? warp + 32 : size, Thread::at_warp);
    }
    for (auto& thread : threads) {
        if (thread.state == Thread::ended) continue;
        fprintf(stderr, "cudacpu: the threads of a block wait for each other in vain\n");
        abort();
    }
}

template <auto function>
static void waiting(const Launch& launch) {
    begin(launch);
    current_launch = &launch;
    current_body = call<function>;
    for_each(blockIdx, gridDim, launch.reversed, run_block);
}

template <auto function>
constexpr Kernel kernel_of(void (*run)(const Launch&)) {
    using S = Signature<decltype(function)>;
    return {run, S::count, S::sizes, S::are_pointers};
}

}  // namespace cudacpu

#define CUDACPU_KERNEL(name, threads, ...) \
    extern "C" const cudacpu::Kernel cudacpu_kernel_##name; \
    const cudacpu::Kernel cudacpu_kernel_##name = cudacpu::kernel_of<&__VA_ARGS__>(cudacpu::threads<&__VA_ARGS__>);

// Barriers, and what the threads of a warp tell each other

static inline void __syncthreads() { cudacpu::wait(cudacpu::Thread::at_block); }
static inline void __syncwarp(unsigned = ~0u) { cudacpu::wait(cudacpu::Thread::at_warp); }

namespace cudacpu {

// What thread `lane` of the warp has passed as value; this thread's own if there is no such one.
template <class T>
T from_lane(T value, int lane, bool exists) {
    static_assert(sizeof(T) <= 16);
    static char passed[1024][16];
    int own = current - threads.data();
    memcpy(passed[own], &value, sizeof value);
    __syncwarp();
    T result = value;
    if (exists) memcpy(&result, passed[own / 32 * 32 + lane], sizeof result);
    __syncwarp();
    return result;
}

static inline int lane() { return (current - threads.data()) % 32; }

}  // namespace cudacpu

template <class T> T __shfl_up_sync(unsigned, T value, unsigned delta, int width = 32) {
    int own = cudacpu::lane(), from = own - int(delta);
    return cudacpu::from_lane(value, from, from >= own / width * width);
}
template <class T> T __shfl_down_sync(unsigned, T value, unsigned delta, int width = 32) {
    int own = cudacpu::lane(), from = own + int(delta);
    return cudacpu::from_lane(value, from, from < own / width * width + width);
}
template <class T> T __shfl_xor_sync(unsigned, T value, int mask, int = 32) {
    return cudacpu::from_lane(value, cudacpu::lane() ^ mask, true);
}

// Functions of numbers, beside those of math.h

#define CUDACPU_MIN_MAX(T) \
    static inline T min(T a, T b) { return b < a ? b : a; } \
    static inline T max(T a, T b) { return a < b ? b : a; }
CUDACPU_MIN_MAX(int) CUDACPU_MIN_MAX(unsigned) CUDACPU_MIN_MAX(long) CUDACPU_MIN_MAX(unsigned long)
CUDACPU_MIN_MAX(long long) CUDACPU_MIN_MAX(unsigned long long)
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }

template <class To, class From> static inline To cudacpu_bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
static inline int __float_as_int(float x) { return cudacpu_bits<int>(x); }
static inline float __int_as_float(int x) { return cudacpu_bits<float>(x); }
static inline long long __double_as_longlong(double x) { return cudacpu_bits<long long>(x); }
static inline double __longlong_as_double(long long x) { return cudacpu_bits<double>(x); }
static inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}

// Atomics: no other thread runs meanwhile

#define CUDACPU_ATOMIC(name, T, expression) \
    static inline T name(T* p, T value) { T old = *p; *p = (expression); return old; }
#define CUDACPU_ATOMICS(T) \
    CUDACPU_ATOMIC(atomicAdd, T, old + value) CUDACPU_ATOMIC(atomicSub, T, old - value) \
    CUDACPU_ATOMIC(atomicExch, T, value) CUDACPU_ATOMIC(atomicMin, T, value < old ? value : old) \
    CUDACPU_ATOMIC(atomicMax, T, old < value ? value : old) CUDACPU_ATOMIC(atomicAnd, T, old & value) \
    CUDACPU_ATOMIC(atomicOr, T, old | value) CUDACPU_ATOMIC(atomicXor, T, old ^ value) \
    static inline T atomicCAS(T* p, T expected, T value) { T old = *p; if (old == expected) *p = value; return old; }
CUDACPU_ATOMICS(int) CUDACPU_ATOMICS(unsigned) CUDACPU_ATOMICS(unsigned long long)
CUDACPU_ATOMIC(atomicAdd, float, old + value) CUDACPU_ATOMIC(atomicAdd, double, old + value)
CUDACPU_ATOMIC(atomicExch, float, value)

// What most of CuPy's own texts begin with, so that it is compiled in advance

#include <cupy/complex.cuh>
#include <cupy/carray.cuh>
#include <cupy/atomics.cuh>
#include <cupy/math_constants.h>
