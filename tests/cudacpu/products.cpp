// cuBLAS: the products of matrices that CuPy and tinynet call, by OpenBLAS. Matrices lie by columns.
#include "device.hpp"

#include <complex>

#include <cblas.h>
#include <library_types.h>

using namespace cudacpu;
using Complex = std::complex<double>;

// Their numbers are in cublas_api.h.
enum Status { SUCCESS = 0, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum { NORMAL = 0, TRANSPOSED = 1 };

struct Handle { cudaStream_t stream = nullptr; };

API Status cublasCreate_v2(Handle** handle) {
    BLAS(openblas_set_num_threads)(1);
    *handle = new Handle;
    return SUCCESS;
}

API Status cublasDestroy_v2(Handle* handle) { delete handle; return SUCCESS; }
API Status cublasSetMathMode(Handle*, int) { return SUCCESS; }      // TF32 would round; nothing rounds here

API Status cublasSetStream_v2(Handle* handle, cudaStream_t stream) {
    if (!cudacpu::stream(stream)) return INVALID_VALUE;
    handle->stream = stream;
    return SUCCESS;
}

API Status cublasSetWorkspace_v2(Handle*, void* workspace, size_t size) {
    return reinterpret_cast<uintptr_t>(workspace) % 256 || (size && !find(workspace)) ? INVALID_VALUE : SUCCESS;
}

namespace {

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

bool on_device(const void* matrix) {
    if (!find(matrix)) complain("a matrix of a product is at %p, which is not on the device", matrix);
    return find(matrix);
}

// c = alpha op(a) op(b) + beta c, `count` times, with steps from one matrix to the next
template <class T>
Status product(Handle* handle, int ta, int tb, int m, int n, int k, T alpha, const T* a, int lda, long step_a, const T* b,
               int ldb, long step_b, T beta, T* c, int ldc, long step_c, int count) {
    if (m < 0 || n < 0 || k < 0 || lda < std::max(1, ta ? k : m) || ldb < std::max(1, tb ? n : k) || ldc < std::max(1, m))
        return INVALID_VALUE;
    if (!m || !n || !count) return SUCCESS;
    if (!on_device(c) || (k && !(on_device(a) && on_device(b)))) return EXECUTION_FAILED;
    auto error = submit(handle->stream, name_of<T>, [=] {
        for (int i = 0; i < count; ++i)
            gemm(ta, tb, m, n, k, alpha, a + i * step_a, lda, b + i * step_b, ldb, beta, c + i * step_c, ldc);
    });
    return error ? EXECUTION_FAILED : SUCCESS;
}

// The matrices of a batch are found by addresses that are on the device.
template <class T>
Status batch(Handle* handle, int ta, int tb, int m, int n, int k, T alpha, const T* const* a, int lda, const T* const* b,
             int ldb, T beta, T* const* c, int ldc, int count) {
    if (!on_device(a) || !on_device(b) || !on_device(c)) return EXECUTION_FAILED;
    auto error = submit(handle->stream, "gemmBatched", [=] {
        for (int i = 0; i < count; ++i) gemm(ta, tb, m, n, k, alpha, a[i], lda, b[i], ldb, beta, c[i], ldc);
    });
    return error ? EXECUTION_FAILED : SUCCESS;
}

// c = alpha op(a) + beta op(b), by which CuPy transposes. A factor of zero leaves a matrix unread.
template <class T>
Status sum(Handle* handle, int ta, int tb, int m, int n, T alpha, const T* a, int lda, T beta, const T* b, int ldb, T* c,
           int ldc) {
    if (!on_device(c)) return EXECUTION_FAILED;
    auto error = submit(handle->stream, "geam", [=] {
        for (long j = 0; j < n; ++j)
            for (long i = 0; i < m; ++i)
                c[i + j * ldc] = (alpha ? alpha * a[ta ? j + i * lda : i + j * lda] : 0) +
                    (beta ? beta * b[tb ? j + i * ldb : i + j * ldb] : 0);
    });
    return error ? EXECUTION_FAILED : SUCCESS;
}

}  // namespace

#define PRODUCTS(letter, T) \
    API Status cublas##letter##gemm_v2(Handle* handle, int ta, int tb, int m, int n, int k, const T* alpha, const T* a, \
                                       int lda, const T* b, int ldb, const T* beta, T* c, int ldc) { \
        return product(handle, ta, tb, m, n, k, *alpha, a, lda, 0, b, ldb, 0, *beta, c, ldc, 0, 1); \
    } \
    API Status cublas##letter##gemmBatched(Handle* handle, int ta, int tb, int m, int n, int k, const T* alpha, \
                                           const T* const* a, int lda, const T* const* b, int ldb, const T* beta, \
                                           T* const* c, int ldc, int count) { \
        return batch(handle, ta, tb, m, n, k, *alpha, a, lda, b, ldb, *beta, c, ldc, count); \
    }
PRODUCTS(S, float)
PRODUCTS(D, double)
PRODUCTS(Z, Complex)

#define SUMS(letter, T) \
    API Status cublas##letter##geam(Handle* handle, int ta, int tb, int m, int n, const T* alpha, const T* a, int lda, \
                                    const T* beta, const T* b, int ldb, T* c, int ldc) { \
        return sum(handle, ta, tb, m, n, *alpha, a, lda, *beta, b, ldb, c, ldc); \
    }
SUMS(S, float)
SUMS(D, double)

API Status cublasGemmStridedBatchedEx(Handle* handle, int ta, int tb, int m, int n, int k, const void* alpha,
                                      const void* a, int type_a, int lda, long long step_a, const void* b, int type_b,
                                      int ldb, long long step_b, const void* beta, void* c, int type_c, int ldc,
                                      long long step_c, int count, int, int) {
    if (type_a != type_b || type_a != type_c) return NOT_SUPPORTED;
    auto as = [=](auto zero) {
        using T = decltype(zero);
        return product<T>(handle, ta, tb, m, n, k, *static_cast<const T*>(alpha), static_cast<const T*>(a), lda, step_a,
                          static_cast<const T*>(b), ldb, step_b, *static_cast<const T*>(beta), static_cast<T*>(c), ldc,
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
