// What a compiled module tells of each of its kernels. The compiler and the launcher of kernels share it.
#pragma once

#include <cstddef>

namespace cudacpu {

struct Extent { unsigned x, y, z; };

struct Launch {
    Extent grid, block;
    void* dynamic_shared;
    bool reversed;                  // the last thread first
    void** arguments;
};

struct Kernel {
    void (*run)(const Launch&);
    int arguments;
    const size_t* sizes;            // of the arguments, in bytes
    const bool* are_pointers;
};

}  // namespace cudacpu
