// cuBLAS: matrix products by OpenBLAS. Matrices lie by columns; a product of vectors is one of matrices, too.
#include "device.hpp"

#include <complex>

#include <cblas.h>
#include <library_types.h>

using namespace cudacpu;
using Complex = std::complex<double>;

// Their numbers are in cublas_api.h.
enum Status { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum { NORMAL = 0, TRANSPOSED = 1, CONJUGATED = 2 };

struct Handle {
    cudaStream_t stream = nullptr;
    int math_mode = 0;
    int on_device = 0;          // whether factors and results are: the pointer mode
};

API Status cublasCreate_v2(Handle** handle) {
    if (refuse_if_any_captures()) return NOT_INITIALIZED;       // it takes memory
    BLAS(openblas_set_num_threads)(1);
    *handle = new Handle;
    return SUCCESS;
}

API Status cublasDestroy_v2(Handle* handle) { delete handle; return SUCCESS; }
API Status cublasGetVersion_v2(Handle*, int* version) { *version = 130000; return SUCCESS; }
API Status cublasSetMathMode(Handle* handle, int mode) { handle->math_mode = mode; return SUCCESS; }
API Status cublasGetMathMode(Handle* handle, int* mode) { *mode = handle->math_mode; return SUCCESS; }
API Status cublasSetPointerMode_v2(Handle* handle, int mode) { handle->on_device = mode; return SUCCESS; }
API Status cublasGetPointerMode_v2(Handle* handle, int* mode) { *mode = handle->on_device; return SUCCESS; }
API Status cublasGetStream_v2(Handle* handle, cudaStream_t* stream) { *stream = handle->stream; return SUCCESS; }

API Status cublasSetStream_v2(Handle* handle, cudaStream_t stream) {
    if (!cudacpu::stream(stream)) return INVALID_VALUE;
    handle->stream = stream;
    return SUCCESS;
}

API Status cublasSetWorkspace_v2(Handle*, void* workspace, size_t size) {
    return reinterpret_cast<uintptr_t>(workspace) % 256 || (size && !find(workspace)) ? INVALID_VALUE : SUCCESS;
}

namespace {

// A factor is read when the product is called for, or from the device when it is done.
template <class T>
std::function<T()> factor(Handle* handle, const T* pointer) {
    if (handle->on_device) return [=] { return *pointer; };
    return [value = *pointer] { return value; };
}

CBLAS_TRANSPOSE transpose(int op) { return op == NORMAL ? CblasNoTrans : op == TRANSPOSED ? CblasTrans : CblasConjTrans; }

void gemm(int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda, const float* b, int ldb, float beta,
          float* c, int ldc) {
    BLAS(cblas_sgemm)(CblasColMajor, transpose(ta), transpose(tb), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void gemm(int ta, int tb, int m, int n, int k, double alpha, const double* a, int lda, const double* b, int ldb,
          double beta, double* c, int ldc) {
    BLAS(cblas_dgemm)(CblasColMajor, transpose(ta), transpose(tb), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void gemm(int ta, int tb, int m, int n, int k, Complex alpha, const Complex* a, int lda, const Complex* b, int ldb,
          Complex beta, Complex* c, int ldc) {
    BLAS(cblas_zgemm)(CblasColMajor, transpose(ta), transpose(tb), m, n, k, &alpha, a, lda, b, ldb, &beta, c, ldc);
}

template <class T> constexpr const char* name_of = sizeof(T) == 4 ? "sgemm" : sizeof(T) == 8 ? "dgemm" : "zgemm";

// c = alpha op(a) op(b) + beta c, `count` times, with steps from one matrix to the next
template <class T>
Status product(Handle* handle, int ta, int tb, int m, int n, int k, const T* alpha, const T* a, int lda, long step_a,
               const T* b, int ldb, long step_b, const T* beta, T* c, int ldc, long step_c, int count) {
    bool fits = handle && m >= 0 && n >= 0 && k >= 0 && lda >= std::max(1, ta ? k : m) &&
        ldb >= std::max(1, tb ? n : k) && ldc >= std::max(1, m);
    if (!fits) return INVALID_VALUE;
    if (!m || !n || !count) return SUCCESS;
    for (const void* pointer : {static_cast<const void*>(a), static_cast<const void*>(b), static_cast<const void*>(c)}) {
        if (find(pointer) || (!k && pointer != c)) continue;
        complain("a matrix of a product is at %p, which is not on the device", pointer);
        return EXECUTION_FAILED;
    }
    auto error = submit(handle->stream, name_of<T>, [=, alpha = factor(handle, alpha), beta = factor(handle, beta)] {
        for (int i = 0; i < count; ++i)
            gemm(ta, tb, m, n, k, alpha(), a + i * step_a, lda, b + i * step_b, ldb, beta(), c + i * step_c, ldc);
    });
    return error ? EXECUTION_FAILED : SUCCESS;
}

// c = alpha op(a) + beta op(b), by which CuPy transposes. A factor of zero leaves a matrix unread.
template <class T>
Status sum(Handle* handle, int ta, int tb, int m, int n, const T* alpha, const T* a, int lda, const T* beta, const T* b,
           int ldb, T* c, int ldc) {
    auto error = submit(handle->stream, "geam", [=, alpha = factor(handle, alpha), beta = factor(handle, beta)] {
        for (long j = 0; j < n; ++j)
            for (long i = 0; i < m; ++i)
                c[i + j * ldc] = (alpha() == T(0) ? T(0) : alpha() * a[ta ? j + i * lda : i + j * lda]) +
                    (beta() == T(0) ? T(0) : beta() * b[tb ? j + i * ldb : i + j * ldb]);
    });
    return error ? EXECUTION_FAILED : SUCCESS;
}

// The matrices of a batch are found by addresses that are on the device.
template <class T>
Status batch(Handle* handle, int ta, int tb, int m, int n, int k, const T* alpha, const T* const* a, int lda,
             const T* const* b, int ldb, const T* beta, T* const* c, int ldc, int count) {
    auto error = submit(handle->stream, "gemmBatched", [=, alpha = factor(handle, alpha), beta = factor(handle, beta)] {
        for (int i = 0; i < count; ++i) gemm(ta, tb, m, n, k, alpha(), a[i], lda, b[i], ldb, beta(), c[i], ldc);
    });
    return error ? EXECUTION_FAILED : SUCCESS;
}

template <class T>
Status dot(Handle* handle, int n, const T* x, int step_x, const T* y, int step_y, T* result) {
    auto error = submit(handle->stream, "dot", [=] {
        *result = T(0);
        for (long i = 0; i < n; ++i) *result += x[i * step_x] * y[i * step_y];
    });
    if (!error && !handle->on_device) error = cudaStreamSynchronize(handle->stream);
    return error ? EXECUTION_FAILED : SUCCESS;
}

}  // namespace

#define PRODUCTS(letter, T) \
    API Status cublas##letter##gemm_v2(Handle* handle, int ta, int tb, int m, int n, int k, const T* alpha, const T* a, \
                                       int lda, const T* b, int ldb, const T* beta, T* c, int ldc) { \
        return product(handle, ta, tb, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1); \
    } \
    API Status cublas##letter##gemmStridedBatched( \
            Handle* handle, int ta, int tb, int m, int n, int k, const T* alpha, const T* a, int lda, long long step_a, \
            const T* b, int ldb, long long step_b, const T* beta, T* c, int ldc, long long step_c, int count) { \
        return product(handle, ta, tb, m, n, k, alpha, a, lda, step_a, b, ldb, step_b, beta, c, ldc, step_c, count); \
    } \
    API Status cublas##letter##gemmBatched(Handle* handle, int ta, int tb, int m, int n, int k, const T* alpha, \
                                           const T* const* a, int lda, const T* const* b, int ldb, const T* beta, \
                                           T* const* c, int ldc, int count) { \
        return batch(handle, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, count); \
    } \
    API Status cublas##letter##gemv_v2(Handle* handle, int ta, int m, int n, const T* alpha, const T* a, int lda, \
                                       const T* x, int step_x, const T* beta, T* y, int step_y) { \
        /* y^T = x^T op(a)^T, in which a vector is a row, whose numbers are `step` apart */ \
        int rows = ta ? n : m, columns = ta ? m : n; \
        return product(handle, NORMAL, ta ? NORMAL : TRANSPOSED, 1, rows, columns, alpha, x, step_x, 0, a, lda, 0, beta, \
                       y, step_y, 0, 1); \
    } \
    API Status cublas##letter##geam(Handle* handle, int ta, int tb, int m, int n, const T* alpha, const T* a, int lda, \
                                    const T* beta, const T* b, int ldb, T* c, int ldc) { \
        return sum(handle, ta, tb, m, n, alpha, a, lda, beta, b, ldb, c, ldc); \
    }
PRODUCTS(S, float)
PRODUCTS(D, double)
PRODUCTS(Z, Complex)

API Status cublasSdot_v2(Handle* handle, int n, const float* x, int step_x, const float* y, int step_y, float* result) {
    return dot(handle, n, x, step_x, y, step_y, result);
}

API Status cublasDdot_v2(Handle* handle, int n, const double* x, int step_x, const double* y, int step_y, double* result) {
    return dot(handle, n, x, step_x, y, step_y, result);
}

API Status cublasGemmStridedBatchedEx(Handle* handle, int ta, int tb, int m, int n, int k, const void* alpha,
                                      const void* a, int type_a, int lda, long long step_a, const void* b, int type_b,
                                      int ldb, long long step_b, const void* beta, void* c, int type_c, int ldc,
                                      long long step_c, int count, int, int) {
    if (type_a != type_b || type_a != type_c) return NOT_SUPPORTED;
    auto as = [=](auto zero) {
        using T = decltype(zero);
        return product<T>(handle, ta, tb, m, n, k, static_cast<const T*>(alpha), static_cast<const T*>(a), lda, step_a,
                          static_cast<const T*>(b), ldb, step_b, static_cast<const T*>(beta), static_cast<T*>(c), ldc,
                          step_c, count);
    };
    return type_a == CUDA_R_32F ? as(0.0f) : type_a == CUDA_R_64F ? as(0.0) : type_a == CUDA_C_64F ? as(Complex()) :
        NOT_SUPPORTED;
}

API Status cublasGemmEx(Handle* handle, int ta, int tb, int m, int n, int k, const void* alpha, const void* a, int type_a,
                        int lda, const void* b, int type_b, int ldb, const void* beta, void* c, int type_c, int ldc,
                        int compute, int algorithm) {
    return cublasGemmStridedBatchedEx(handle, ta, tb, m, n, k, alpha, a, type_a, lda, 0, b, type_b, ldb, 0, beta, c,
                                      type_c, ldc, 0, 1, compute, algorithm);
}

API Status cublasSgemmEx(Handle* handle, int ta, int tb, int m, int n, int k, const float* alpha, const void* a,
                         int type_a, int lda, const void* b, int type_b, int ldb, const float* beta, void* c, int type_c,
                         int ldc) {
    if (type_a != CUDA_R_32F) return NOT_SUPPORTED;
    return cublasGemmEx(handle, ta, tb, m, n, k, alpha, a, type_a, lda, b, type_b, ldb, beta, c, type_c, ldc, 0, 0);
}
