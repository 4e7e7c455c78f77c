// The CUDA kernels of kernels.py. T is float or double. Every kernel is a loop in which each thread takes its share of the
// elements or rows. No thread waits for another one, so the same text also runs on a CPU, one thread after another.

typedef REAL T;
typedef unsigned long long u64;
#define EACH(i, n) (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < (n); \
                    i += (long long)gridDim.x * blockDim.x)

extern "C" __global__ void gather(const T* array, const long long* order, const long long* position, T* out,
                                  long long width, long long size) {
    for EACH(i, size) {
        long long row = position[0] + i / width;
        out[i] = array[(order ? order[row] : row) * width + i % width];
    }
}

// Four 64-bit numbers: Philox 4x64-10 at counter (block + 1, 0, step, 0), as NumPy counts, under key (seed, 0).
__device__ void philox(long long block, u64 step, u64 seed, u64 random_bits[4]) {
    u64 c0 = block + 1, c1 = 0, c2 = step, c3 = 0, k0 = seed, k1 = 0;
    for (int round = 0; round < 10; ++round) {
        u64 high0 = __umul64hi(0xD2E7470EE14C6C93ull, c0), low0 = 0xD2E7470EE14C6C93ull * c0;
        u64 high1 = __umul64hi(0xCA5A826395121157ull, c2), low1 = 0xCA5A826395121157ull * c2;
        c0 = high1 ^ c1 ^ k0; c1 = low1; c2 = high0 ^ c3 ^ k1; c3 = low0;
        k0 += 0x9E3779B97F4A7C15ull; k1 += 0xBB67AE8584CAA73Bull;
    }
    random_bits[0] = c0; random_bits[1] = c1; random_bits[2] = c2; random_bits[3] = c3;
}

__device__ unsigned bits(const u64 random_bits[4], int j) { return (unsigned)(random_bits[j / 4] >> (16 * (j % 4))) & 0xFFFF; }

extern "C" __global__ void random_bits(u64* out, const long long* step, u64 seed, long long first, long long count) {
    for EACH(block, count / 4 + 2) {
        u64 four[4];
        philox(first / 4 + block, step[0], seed, four);
        long long i = block * 4 - first % 4;
        for (int j = 0; j < 4; ++j, ++i) if (0 <= i && i < count) out[i] = four[j];
    }
}

extern "C" __global__ void dropout_mask(bool* out, const long long* step, u64 seed, unsigned threshold,
                                        long long first, long long size) {
    for EACH(block, size / 16 + 2) {
        u64 four[4];
        philox(first / 16 + block, step[0], seed, four);
        long long i = block * 16 - first % 16;
        for (int j = 0; j < 16; ++j, ++i) if (0 <= i && i < size) out[i] = bits(four, j) >= threshold;
    }
}

extern "C" __global__ void bias_relu_dropout(T* z, const T* bias, const long long* step, u64 seed, unsigned threshold,
                                             T scale, long long width, long long first, long long size) {
    for EACH(block, size / 16 + 2) {
        u64 four[4];
        if (threshold) philox(first / 16 + block, step[0], seed, four);
        long long i = block * 16 - first % 16;
        for (int j = 0; j < 16; ++j, ++i) if (0 <= i && i < size) {
            T y = z[i] + bias[i % width], factor = !threshold || bits(four, j) >= threshold ? scale : T(0);
            z[i] = (y <= 0 ? T(0) : y) * factor;        // NaN stays NaN
        }
    }
}

extern "C" __global__ void relu_dropout_backward(T* dy, const T* y, T scale, long long size) {
    for EACH(i, size) dy[i] *= y[i] > 0 ? scale : T(0);
}

__device__ T row_max(const T* z, long long classes) {
    T largest = z[0];
    for (long long c = 1; c < classes; ++c) if (z[c] > largest) largest = z[c];
    return largest;
}

extern "C" __global__ void softmax_crossentropy(const T* y_true, const T* z, T* losses, long long classes,
                                                long long rows) {
    for EACH(row, rows) {
        const T *zs = z + row * classes, *ts = y_true + row * classes, largest = row_max(zs, classes);
        T sum = 0, dot = 0;
        for (long long c = 0; c < classes; ++c) {
            sum += exp(zs[c] - largest);
            dot += ts[c] * (zs[c] - largest);
        }
        losses[row] = log(sum) - dot;
    }
}

extern "C" __global__ void softmax_crossentropy_backward(const T* y_true, const T* z, T* dz, long long classes,
                                                         long long rows) {
    for EACH(row, rows) {
        const T *zs = z + row * classes, *ts = y_true + row * classes, largest = row_max(zs, classes);
        T *out = dz + row * classes, sum = 0;
        for (long long c = 0; c < classes; ++c) sum += out[c] = exp(zs[c] - largest);
        for (long long c = 0; c < classes; ++c) out[c] = out[c] / sum - ts[c];
    }
}
