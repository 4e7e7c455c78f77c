// What stands before kernels.c when a C compiler compiles it for a CPU.

#define CPU
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <tgmath.h>

typedef unsigned long long word;
typedef void (*NumpyLoop)(char**, const ptrdiff_t*, const ptrdiff_t*, void*);     // of a ufunc

#ifdef _WIN32
#define EXPORT __declspec(dllexport) void        // what Python calls by its name
#else
#define EXPORT __attribute__((visibility("default"))) void
#endif
#define KERNEL EXPORT
#define INLINE static inline
#define FUNCTION static __attribute__((noinline))      // a recursion, which takes long to compile inline
#define ROWS
// A call takes a piece of the kernel's loop, which stands before its arguments.
#define TAKE_PIECE(w) (piece_begin = (w)[-2], piece_end = (w)[-1])
static _Thread_local long long piece_begin, piece_end;
#define EACH(i, n) (long long i = piece_begin; i < piece_end; ++i)
#define EACH_ROW(i, n) EACH(i, n)
#define EACH_COLUMN(j, n) (long long j = 0; j < (n); ++j)
#define BLOCKS 16
#define SIXTEEN(out, numbers) memcpy(out, numbers, 32)      // the lowest bits first
#define __umul64hi(a, b) (word)(((unsigned __int128)(a) * (b)) >> 64)

// exp and log are NumPy's, so that the bits are: each as {loop, its data}.
static word numpy_exp[2], numpy_log[2];
static void apply(const word* loop, REAL* out, const REAL* x, long long n) {
    char* arrays[] = {(char*)x, (char*)out};
    ptrdiff_t length = n, steps[] = {sizeof(REAL), sizeof(REAL)};
    ((NumpyLoop)loop[0])(arrays, &length, steps, (void*)loop[1]);
}
#define EXP(out, x, n) apply(numpy_exp, out, x, n)
#define LOG(out, x, n) apply(numpy_log, out, x, n)
EXPORT set_functions(word exp_loop, word exp_data, word log_loop, word log_data) {
    numpy_exp[0] = exp_loop; numpy_exp[1] = exp_data; numpy_log[0] = log_loop; numpy_log[1] = log_data;
}
