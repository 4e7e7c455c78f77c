// In place of CUB's: what CuPy's kernels of reductions use of it.
#pragma once

namespace cub {

enum BlockLoadAlgorithm { BLOCK_LOAD_DIRECT };

template <class T, int threads, int items, BlockLoadAlgorithm>
struct BlockLoad {
    struct TempStorage {};
    BlockLoad(TempStorage&) {}

    template <class From, class Default>
    void Load(const From* from, T (&to)[items], int valid, Default otherwise) {
        for (int j = 0, i = threadIdx.x * items; j < items; ++j, ++i) to[j] = i < valid ? T(from[i]) : T(otherwise);
    }
};

}  // namespace cub
