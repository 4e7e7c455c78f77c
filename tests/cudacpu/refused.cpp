// Functions that CuPy is linked to and that the device does not have: other devices and processes, textures, the rest of
// cuBLAS. build.sh lists them.
#include <cstdio>
#include <cstring>

#define REFUSED(name) \
    extern "C" __attribute__((visibility("default"))) int name() { \
        fputs("cudacpu: " #name " is not emulated\n", stderr); \
        return strncmp(#name, "cublas", 6) ? 801 : 15;      /* cudaErrorNotSupported, CUBLAS_STATUS_NOT_SUPPORTED */ \
    }
#include "refused.inc"
