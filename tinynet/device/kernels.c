// The kernels of kernels.py, for two compilers: NVIDIA's for a GPU, a C compiler for a CPU, between cpu.h and cpu.c.
// T is float or double. Every kernel is a loop over elements or rows, of which each thread takes a share. No thread
// waits for another, and a sum is added up in NumPy's order. ROWS marks arrays of which iteration i uses row i alone.

typedef REAL T;
typedef unsigned long long u64;

#ifndef CPU
#define KERNEL extern "C" __global__ void
#define INLINE __device__ inline
#define FUNCTION __device__
#define ROWS
#define EACH(i, n) (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < (n); \
                    i += (long long)gridDim.x * blockDim.x)
#define EACH_ROW(i, n) (long long i = blockIdx.x; i < (n); i += gridDim.x)
#define EACH_COLUMN(j, n) (long long j = threadIdx.x; j < (n); j += blockDim.x)
#define BLOCKS 1
#define SIXTEEN(out, numbers) for (int j = 0; j < 16; ++j) (out)[j] = (numbers)[j / 4] >> (16 * (j % 4))
#define EXP(out, x, n) for (long long i = 0; i < (n); ++i) (out)[i] = exp((x)[i])
#define LOG(out, x, n) for (long long i = 0; i < (n); ++i) (out)[i] = log((x)[i])
#endif

KERNEL gather(const T* array, const long long* order, const long long* position, ROWS T* out,
              long long width, long long rows) {
    for EACH_ROW(i, rows) {
        const T* from = array + (order ? order[position[0] + i] : position[0] + i) * width;
        T* to = out + i * width;
        for EACH_COLUMN(j, width) to[j] = from[j];
    }
}

// Four 64-bit numbers: Philox 4x64-10 at counter (block + 1, 0, step, 0), as NumPy counts, under key (seed, 0).
INLINE void philox(long long block, u64 step, u64 seed, u64 random_bits[4]) {
    u64 c0 = block + 1, c1 = 0, c2 = step, c3 = 0, k0 = seed, k1 = 0;
    for (int round = 0; round < 10; ++round) {
        u64 high0 = __umul64hi(0xD2E7470EE14C6C93ull, c0), low0 = 0xD2E7470EE14C6C93ull * c0;
        u64 high1 = __umul64hi(0xCA5A826395121157ull, c2), low1 = 0xCA5A826395121157ull * c2;
        c0 = high1 ^ c1 ^ k0; c1 = low1; c2 = high0 ^ c3 ^ k1; c3 = low0;
        k0 += 0x9E3779B97F4A7C15ull; k1 += 0xBB67AE8584CAA73Bull;
    }
    random_bits[0] = c0; random_bits[1] = c1; random_bits[2] = c2; random_bits[3] = c3;
}

KERNEL random_bits(u64* out, const long long* step, u64 seed, long long first, long long count, long long blocks) {
    for EACH(block, blocks) {
        u64 four[4];
        philox(first / 4 + block, step[0], seed, four);
        long long i = block * 4 - first % 4;
        for (int j = 0; j < 4; ++j, ++i) if (0 <= i && i < count) out[i] = four[j];
    }
}

KERNEL dropout_mask(bool* out, const long long* step, u64 seed, unsigned threshold, long long first, long long size,
                    long long blocks) {
    for EACH(block, blocks) {
        u64 four[4];
        unsigned short bits[16];
        philox(first / 16 + block, step[0], seed, four);
        SIXTEEN(bits, four);
        long long i = block * 16 - first % 16;
        for (int j = 0; j < 16; ++j, ++i) if (0 <= i && i < size) out[i] = bits[j] >= threshold;
    }
}

INLINE T relu(T y) { return y <= 0 ? 0 : y; }       // NaN stays NaN

// A row of z overlaps at most width / 16 + 2 blocks of sixteen random numbers, which are drawn BLOCKS at a time.
KERNEL bias_relu_dropout(ROWS T* z, const T* bias, const long long* step, u64 seed, unsigned threshold, T scale,
                         long long first, long long width, long long rows) {
    for EACH_ROW(row, rows) for EACH_COLUMN(part, (width / 16 + 1) / BLOCKS + 1) {
        const long long start = first + row * width, column = (start / 16 + part * BLOCKS) * 16 - start;
        const long long end = column + 16 * BLOCKS < width ? column + 16 * BLOCKS : width;
        unsigned short bits[16 * BLOCKS];
        T* zs = z + row * width;
        for (int block = 0; block < BLOCKS && column + 16 * block < width; ++block) {
            u64 four[4] = {~0ull, ~0ull, ~0ull, ~0ull};
            if (threshold) philox((start + column) / 16 + block, step[0], seed, four);
            SIXTEEN(bits + 16 * block, four);
        }
        for (long long j = column < 0 ? 0 : column; j < end; ++j)
            zs[j] = relu(zs[j] + bias[j]) * (bits[j - column] >= threshold ? scale : 0);
    }
}

KERNEL relu_dropout_backward(ROWS T* dy, ROWS const T* y, T scale, long long width, long long rows) {
    for EACH_ROW(i, rows) for EACH_COLUMN(j, width) dy[i * width + j] *= y[i * width + j] > 0 ? scale : 0;
}

// The sum of n numbers in NumPy's order: halves of halves, down to 128 numbers, in eight sums side by side.
FUNCTION T pairwise_sum(const T* x, long long n) {
    const long long half = n / 2 - n / 2 % 8;
    if (n > 128) return pairwise_sum(x, half) + pairwise_sum(x + half, n - half);
    T total = 0, part[8];
    long long i = n - n % 8;
    if (i) {
        for (int j = 0; j < 8; ++j) part[j] = x[j];
        for (long long k = 8; k < i; k += 8) for (int j = 0; j < 8; ++j) part[j] += x[k + j];
        total = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
    }
    for (; i < n; ++i) total += x[i];
    return total;
}

INLINE T larger(T a, T b) { return a > b || a != a ? a : b; }        // NaN if one of them is

INLINE T maximum(const T* x, long long n) {
    T largest = x[0];
    for (long long i = 1; i < n; ++i) largest = larger(largest, x[i]);
    return largest;
}

// e = z - max(z), and exp(e) in its place; the sums of a row are NumPy's.
KERNEL softmax_crossentropy(ROWS const T* y_true, ROWS const T* z, ROWS T* e, ROWS T* losses, long long classes,
                            long long rows) {
    for EACH(row, rows) {
        const T *zs = z + row * classes, *ts = y_true + row * classes, largest = maximum(zs, classes);
        T *es = e + row * classes, dot, sum;
        for (long long c = 0; c < classes; ++c) es[c] = ts[c] * (zs[c] - largest);
        dot = 0 + pairwise_sum(es, classes);
        for (long long c = 0; c < classes; ++c) es[c] = zs[c] - largest;
        EXP(es, es, classes);
        sum = pairwise_sum(es, classes);
        LOG(losses + row, &sum, 1);
        losses[row] -= dot;
    }
}

KERNEL softmax_crossentropy_backward(ROWS const T* y_true, ROWS const T* z, ROWS T* dz, long long classes,
                                     long long rows) {
    for EACH(row, rows) {
        const T *zs = z + row * classes, *ts = y_true + row * classes, largest = maximum(zs, classes);
        T *out = dz + row * classes, sum;
        for (long long c = 0; c < classes; ++c) out[c] = zs[c] - largest;
        EXP(out, out, classes);
        sum = pairwise_sum(out, classes);
        for (long long c = 0; c < classes; ++c) out[c] = out[c] / sum - ts[c];
    }
}
