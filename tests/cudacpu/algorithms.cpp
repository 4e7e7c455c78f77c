// What CuPy takes from Thrust and CUB, whose code for GPUs is compiled into its extensions cupy.cuda.thrust and
// cupy.cuda.cub: sorts, reductions and scans, each as one piece of work on a stream.
#include "device.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <numeric>

using namespace cudacpu;
using Shape = std::vector<ptrdiff_t>;

namespace {

// A function of T() for CuPy's number of a dtype (type_dispatcher.cuh); no half precision.
template <class F>
void with_type(int dtype, F f) {
    switch (dtype) {
        case 0: return f(int8_t());
        case 1: return f(uint8_t());
        case 2: return f(int16_t());
        case 3: return f(uint16_t());
        case 4: return f(int32_t());
        case 5: return f(uint32_t());
        case 6: return f(int64_t());
        case 7: return f(uint64_t());
        case 9: return f(float());
        case 10: return f(double());
        case 11: return f(std::complex<float>());
        case 12: return f(std::complex<double>());
        case 13: return f(bool());
        default: complain("dtype number %d of CuPy is not emulated", dtype); abort();
    }
}

// In NumPy's order: NaN is the largest, and complex numbers are compared by their real parts first.
template <class T>
bool less(T a, T b) {
    if constexpr (std::is_floating_point_v<T>) return std::isnan(b) ? !std::isnan(a) : a < b;
    else if constexpr (std::is_arithmetic_v<T>) return a < b;
    else return less(a.real(), b.real()) || (!less(b.real(), a.real()) && less(a.imag(), b.imag()));
}

// Like a kernel that CUB launches, whose error nobody asks for: a capture that it breaks reports it at its end.
void on_stream(cudaStream_t stream, const char* name, Work work) {
    if (auto error = submit(stream, name, std::move(work))) complain("%s: %s", name, cudaGetErrorString(error));
}

// The order that sorts `size` keys: indices, by a stable sort.
template <class T>
void argsort(const T* keys, size_t* order, size_t size) {
    std::stable_sort(order, order + size, [=](size_t i, size_t j) { return less<T>(keys[i], keys[j]); });
}

// A function of (index of the first element of a row, size of a row), for each row of an array.
template <class F>
void for_rows(const Shape& shape, F f) {
    size_t size = std::accumulate(shape.begin(), shape.end(), size_t(1), std::multiplies<>()), width = shape.back();
    for (size_t first = 0; first < size; first += width) f(first, width);
}

}  // namespace

// Thrust

void thrust_sort(int dtype, void* data, size_t*, const Shape& shape, intptr_t stream, void*) {
    with_type(dtype, [=](auto zero) {
        using T = decltype(zero);
        on_stream(reinterpret_cast<cudaStream_t>(stream), "sort", [=] {
            for_rows(shape, [=](size_t first, size_t width) {
                T* row = static_cast<T*>(data) + first;
                std::stable_sort(row, row + width, less<T>);
            });
        });
    });
}

void thrust_argsort(int dtype, size_t* indices, void* data, void*, const Shape& shape, intptr_t stream, void*) {
    with_type(dtype, [=](auto zero) {
        using T = decltype(zero);
        on_stream(reinterpret_cast<cudaStream_t>(stream), "argsort", [=] {
            for_rows(shape, [=](size_t first, size_t width) {
                std::iota(indices + first, indices + first + width, 0);
                argsort(static_cast<T*>(data) + first, indices + first, width);
            });
        });
    });
}

void thrust_lexsort(int dtype, size_t* indices, void* keys, size_t count, size_t size, intptr_t stream, void*) {
    with_type(dtype, [=](auto zero) {
        using T = decltype(zero);
        on_stream(reinterpret_cast<cudaStream_t>(stream), "lexsort", [=] {
            std::iota(indices, indices + size, 0);
            for (size_t k = 0; k < count; ++k) argsort(static_cast<T*>(keys) + k * size, indices, size);
        });
    });
}

// CUB. The numbers of its operations are those of cupy_cub.h.

enum Operation { SUM, MIN, MAX, ARGMIN, ARGMAX, CUMSUM, CUMPROD, PROD };

template <class T> struct IndexAndValue { int index; T value; };

namespace {

template <class T>
T combined(int operation, T a, T b) {
    switch (operation) {
        case SUM: case CUMSUM: return a + b;
        case PROD: case CUMPROD: return a * b;
        case MIN: return a != a || (b == b && less(a, b)) ? a : b;      // NaN wins, as in CuPy
        default: return a != a || less(b, a) ? a : b;                   // less: NaN is the largest
    }
}

template <class T>
T reduced(int operation, const T* x, size_t size) {
    T first = operation == SUM ? T(0) : operation == PROD ? T(1) : x[0];
    return std::accumulate(x, x + size, first, [=](T a, T b) { return combined(operation, a, b); });
}

// The index of the least or largest: of equal ones the first, and of the first NaN, if there is one.
template <class T>
int best(int operation, const T* x, int size) {
    int found = 0;
    for (int i = 1; i < size && x[found] == x[found]; ++i)
        if (x[i] != x[i] || (operation == ARGMIN ? less(x[i], x[found]) : less(x[found], x[i]))) found = i;
    return found;
}

}  // namespace

void cub_device_reduce(void*, size_t&, void* x, void* y, int size, cudaStream_t stream, int operation, int dtype) {
    with_type(dtype, [=](auto zero) {
        using T = decltype(zero);
        on_stream(stream, "reduction", [=] {
            auto* from = static_cast<T*>(x);
            if (operation == ARGMIN || operation == ARGMAX) {
                int index = best(operation, from, size);
                *static_cast<IndexAndValue<T>*>(y) = {index, from[index]};
            } else {
                *static_cast<T*>(y) = reduced(operation, from, size);
            }
        });
    });
}

void cub_device_segmented_reduce(void*, size_t&, void* x, void* y, int segments, int length, cudaStream_t stream,
                                 int operation, int dtype) {
    with_type(dtype, [=](auto zero) {
        using T = decltype(zero);
        on_stream(stream, "segmented reduction", [=] {
            for (int i = 0; i < segments; ++i)
                static_cast<T*>(y)[i] = reduced(operation, static_cast<T*>(x) + size_t(i) * length, length);
        });
    });
}

void cub_device_scan(void*, size_t&, void* x, void* y, int size, cudaStream_t stream, int operation, int dtype) {
    with_type(dtype, [=](auto zero) {
        using T = decltype(zero);
        on_stream(stream, "scan", [=] {
            auto* from = static_cast<T*>(x);
            std::partial_sum(from, from + size, static_cast<T*>(y), [=](T a, T b) { return combined(operation, a, b); });
        });
    });
}

static void no_histograms() {
    complain("histograms are not emulated");
    abort();
}

void cub_device_histogram_range(void*, size_t&, void*, void*, int, void*, size_t, cudaStream_t, int) { no_histograms(); }
void cub_device_histogram_even(void*, size_t&, void*, void*, int, int, int, size_t, cudaStream_t, int) { no_histograms(); }

size_t cub_device_reduce_get_workspace_size(void*, void*, int, cudaStream_t, int, int) { return 1; }
size_t cub_device_segmented_reduce_get_workspace_size(void*, void*, int, int, cudaStream_t, int, int) { return 1; }
size_t cub_device_scan_get_workspace_size(void*, void*, int, cudaStream_t, int, int) { return 1; }
size_t cub_device_histogram_range_get_workspace_size(void*, void*, int, void*, size_t, cudaStream_t, int) { return 1; }
size_t cub_device_histogram_even_get_workspace_size(void*, void*, int, int, int, size_t, cudaStream_t, int) { return 1; }
