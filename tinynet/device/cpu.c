// What stands after kernels.c on a CPU: a player of prepared calls, calls of NumPy's own loops, sums, and barriers.
// A program is a row of 64-bit words: for each call a function, the number of words, the piece of its loop that it
// takes (from begin up to end), and arguments.

typedef void (*Function)(const word*);

EXPORT play(const word* program, const word* end) {
    while (program < end) {
        const word* call = program;
        program += call[1];         // before the call: after the last barrier the program may be gone
        ((Function)call[0])(call + 4);
    }
}

// A ufunc's loop over rows: loop, its data, number of arrays, length of a row; for each array its address, the distance
// of two rows and that of two numbers. Rows that follow each other are one long row.
EXPORT call_loop(const word* w) {
    TAKE_PIECE(w);
    const word* array = w + 4;
    long long rows = piece_end - piece_begin, count = w[2];
    ptrdiff_t length = w[3], steps[8];
    char* arrays[8];
    bool one_row = true;
    for (int k = 0; k < count; ++k) {
        steps[k] = array[3 * k + 2];
        one_row &= (ptrdiff_t)array[3 * k + 1] == length * steps[k];
    }
    if (one_row) { length *= rows; rows = rows > 0; }
    for (long long row = piece_begin; row < piece_begin + rows; ++row) {
        for (int k = 0; k < count; ++k) arrays[k] = (char*)array[3 * k] + row * (ptrdiff_t)array[3 * k + 1];
        ((NumpyLoop)w[0])(arrays, &length, steps, (void*)w[1]);
    }
}

// Rows of a matrix product out = a b: NumPy's loop, its data, inner length, columns; address and two strides of each.
EXPORT call_matmul(const word* w) {
    TAKE_PIECE(w);
    char* arrays[] = {(char*)w[4] + piece_begin * (ptrdiff_t)w[5], (char*)w[7],
                      (char*)w[10] + piece_begin * (ptrdiff_t)w[11]};
    ptrdiff_t sizes[] = {1, piece_end - piece_begin, w[2], w[3]};
    ptrdiff_t steps[] = {0, 0, 0, w[5], w[6], w[8], w[9], w[11], w[12]};
    ((NumpyLoop)w[0])(arrays, sizes, steps, (void*)w[1]);
}

// Sums and largest numbers of rows and columns, in NumPy's order. NumPy begins with 0: a sum of -0 is 0.
KERNEL row_sum(ROWS const T* x, ROWS T* out, long long width, long long rows) {
    for EACH(row, rows) out[row] = 0 + pairwise_sum(x + row * width, width);
}
KERNEL row_max(ROWS const T* x, ROWS T* out, long long width, long long rows) {
    for EACH(row, rows) out[row] = maximum(x + row * width, width);
}
KERNEL row_argmax(ROWS const T* x, ROWS long long* out, long long width, long long rows) {
    for EACH(row, rows) {
        const T* xs = x + row * width;
        long long at = 0;
        for (long long i = 1; i < width && xs[at] == xs[at]; ++i) if (xs[i] > xs[at] || xs[i] != xs[i]) at = i;
        out[row] = at;
    }
}
KERNEL column_sum(const T* x, ROWS T* out, long long rows, long long width) {
    for EACH(i, width) out[i] = 0 + x[i];
    for (long long row = 1; row < rows; ++row) for EACH(i, width) out[i] += x[row * width + i];
}
// NumPy converts numbers of another type in portions, and sums each of them.
KERNEL total(const T* x, T* out, long long portion, long long count, long long one) {
    T sum = 0;
    for (long long i = 0; i < count; i += portion)
        sum += pairwise_sum(x + i, count - i < portion ? count - i : portion);
    *out = sum;
    (void)one;
}
KERNEL at_class(ROWS const T* x, ROWS const long long* classes, ROWS T* out, long long width, long long rows) {
    for EACH(row, rows) {
        const long long c = classes[row] < 0 ? classes[row] + width : classes[row];
        out[row] = 0 <= c && c < width ? x[row * width + c] : NAN;
    }
}

// Loops in the form of a ufunc's: conversions, and numpy.where.
#define AT(type, k) (*(type*)(arrays[k] + i * steps[k]))
#define LOOP(name, statement) EXPORT name(char** arrays, const ptrdiff_t* n, const ptrdiff_t* steps, void* data) { \
    for (ptrdiff_t i = 0; i < *n; ++i) statement; (void)data; }
#define CAST(name, from, to) LOOP(name, AT(to, 1) = (to)AT(from, 0))
CAST(cast_f4_f4, float, float) CAST(cast_f4_f8, float, double) CAST(cast_f4_i8, float, int64_t)
CAST(cast_f4_b1, float, bool)
CAST(cast_f8_f8, double, double) CAST(cast_f8_f4, double, float) CAST(cast_f8_i8, double, int64_t)
CAST(cast_f8_b1, double, bool) CAST(cast_i8_i8, int64_t, int64_t) CAST(cast_i8_f4, int64_t, float)
CAST(cast_i8_f8, int64_t, double) CAST(cast_b1_b1, bool, bool) CAST(cast_b1_f4, bool, float)
CAST(cast_b1_f8, bool, double) CAST(cast_b1_i8, bool, int64_t) CAST(cast_u4_u4, uint32_t, uint32_t)
CAST(cast_u4_f4, uint32_t, float) CAST(cast_u4_f8, uint32_t, double) CAST(cast_u4_i8, uint32_t, int64_t)
LOOP(where_4, AT(int32_t, 3) = AT(bool, 0) ? AT(int32_t, 1) : AT(int32_t, 2))
LOOP(where_8, AT(int64_t, 3) = AT(bool, 0) ? AT(int64_t, 1) : AT(int64_t, 2))

// Barriers: a thread spins for some microseconds, lets others run for a millisecond or two, and then sleeps. If it slept
// at once, Linux would often wake it on the core of the one that wakes it and leave both there, where they take turns.
#if defined(__x86_64__) || defined(__i386__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() ((void)0)
#endif
#ifdef _WIN32
__declspec(dllimport) void __stdcall Sleep(unsigned long);
#define YIELD() Sleep(0)
#define REST() Sleep(1)
#else
#include <sched.h>
#include <time.h>
#define YIELD() sched_yield()
#define REST() nanosleep(&(struct timespec){0, 100000}, NULL)
#endif
// The last two are those of linux/futex.h, which is not everywhere; MOST_THREADS is MOST_PIECES of plan.py.
enum { SPINS = 2000, YIELDS = 5000, MOST_THREADS = 16, WAIT_PRIVATE = 128, WAKE_PRIVATE = 129 };
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
static void sleep_while(unsigned* at, unsigned value) { syscall(SYS_futex, at, WAIT_PRIVATE, value, NULL, NULL, 0); }
static void wake(unsigned* at) { syscall(SYS_futex, at, WAKE_PRIVATE, 1 << 30, NULL, NULL, 0); }
#else
static void sleep_while(unsigned* at, unsigned value) { if (__atomic_load_n(at, __ATOMIC_SEQ_CST) == value) REST(); }
static void wake(unsigned* at) { (void)at; }
#endif

typedef struct { unsigned value, sleepers, unused[14]; } Signal;      // a cache line
static Signal starts[MOST_THREADS], barrier;
static int arrived;
static const word *programs[MOST_THREADS], *ends[MOST_THREADS];

static void wait_while(Signal* signal, unsigned value) {
    for (int wait = 0; wait < SPINS + YIELDS; ++wait) {
        if (__atomic_load_n(&signal->value, __ATOMIC_ACQUIRE) != value) return;
        if (wait < SPINS) PAUSE(); else YIELD();
    }
    __atomic_fetch_add(&signal->sleepers, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&signal->value, __ATOMIC_SEQ_CST) == value) sleep_while(&signal->value, value);
    __atomic_fetch_sub(&signal->sleepers, 1, __ATOMIC_SEQ_CST);
}

static void notify(Signal* signal) {
    __atomic_fetch_add(&signal->value, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&signal->sleepers, __ATOMIC_SEQ_CST)) wake(&signal->value);
}

// A call of every thread's program: go on when all have come. Its argument is the number of threads.
EXPORT call_barrier(const word* w) {
    unsigned now = __atomic_load_n(&barrier.value, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST) < (int)w[0]) { wait_while(&barrier, now); return; }
    __atomic_store_n(&arrived, 0, __ATOMIC_SEQ_CST);
    notify(&barrier);
}

// A thread that plays its programs for as long as the process lives.
EXPORT serve(long long thread) {
    for (unsigned done = 0;; ++done) {
        wait_while(&starts[thread], done);
        play(programs[thread], ends[thread]);
    }
}

// A program for each thread; they end with a barrier. This thread plays the first one.
EXPORT play_all(const word** begins, const word** last, long long threads) {
    for (long long thread = 1; thread < threads; ++thread) {
        programs[thread] = begins[thread];
        ends[thread] = last[thread];
        notify(&starts[thread]);
    }
    play(begins[0], last[0]);
}

// In a process that was forked the threads are gone.
EXPORT forget_threads(void) {
    memset(starts, 0, sizeof starts);
    memset(&barrier, 0, sizeof barrier);
    arrived = 0;
}
