// In place of CUB's: what CuPy's kernels of reductions use of it. Thread 0 gets the result.
#pragma once

namespace cub {

template <class T, int threads>
struct BlockReduce {
    struct TempStorage { alignas(T) char values[threads * sizeof(T)]; };
    T* values;
    BlockReduce(TempStorage& storage) : values(reinterpret_cast<T*>(storage.values)) {}

    template <int items, class Operation>
    T Reduce(T (&own)[items], Operation operation) {
        int i = threadIdx.x;
        values[i] = own[0];
        for (int j = 1; j < items; ++j) values[i] = operation(values[i], own[j]);
        for (int stride = threads / 2; stride; stride /= 2) {
            __syncthreads();
            if (i < stride) values[i] = operation(values[i], values[i + stride]);
        }
        return values[i];
    }
};

}  // namespace cub
