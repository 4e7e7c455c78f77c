// Modules and launches, of the driver's interface. A "cubin" is a shared library of this machine, which compiler.cpp has
// made; it has a `Kernel` (kernel.hpp) for each of its kernels.
#include "device.hpp"
#include "kernel.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include <dlfcn.h>
#include <elf.h>
#include <unistd.h>

using namespace cudacpu;

struct CUfunc_st {
    const Kernel* kernel;
    std::string name;
};

static auto& functions = *new std::map<std::pair<CUmodule, std::string>, CUfunc_st>;
static const bool reversed = getenv("CUDACPU_REVERSE") && atoi(getenv("CUDACPU_REVERSE"));

// Under the runtime's names, cudaErrorSymbolNotFound for CUDA_ERROR_NOT_FOUND: their numbers are the same.
static cudaError_t as_runtime(CUresult error) { return static_cast<cudaError_t>(error); }
API CUresult cuGetErrorName(CUresult error, const char** name) { *name = cudaGetErrorName(as_runtime(error)); return CUDA_SUCCESS; }
API CUresult cuGetErrorString(CUresult error, const char** text) { *text = cudaGetErrorString(as_runtime(error)); return CUDA_SUCCESS; }

API CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    auto* header = static_cast<const Elf64_Ehdr*>(image);
    if (memcmp(header->e_ident, ELFMAG, SELFMAG)) return CUDA_ERROR_INVALID_IMAGE;
    size_t size = header->e_shoff + size_t(header->e_shnum) * header->e_shentsize;
    std::string path = std::filesystem::temp_directory_path() / "cudacpu-module-XXXXXX";
    int file = mkstemp(path.data());
    bool written = file >= 0 && write(file, image, size) == ssize_t(size);
    *module = static_cast<CUmodule>(written ? dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr);
    if (!*module) complain("a module cannot be loaded: %s", written ? dlerror() : strerror(errno));
    if (file >= 0) close(file);
    unlink(path.c_str());
    return *module ? CUDA_SUCCESS : CUDA_ERROR_INVALID_IMAGE;
}

API CUresult cuModuleUnload(CUmodule) { return CUDA_SUCCESS; }      // a graph may still hold its kernels

API CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
    LOCK;
    auto* kernel = static_cast<const Kernel*>(dlsym(module, (std::string("cudacpu_kernel_") + name).c_str()));
    if (!kernel) return CUDA_ERROR_NOT_FOUND;
    *function = &functions.try_emplace({module, name}, CUfunc_st{kernel, name}).first->second;
    return CUDA_SUCCESS;
}

API CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction) {
    *value = attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? 1024 :
        attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES ? int(SHARED_MEMORY) : 0;
    return CUDA_SUCCESS;
}

// The arguments of a launch, copied: the caller's are gone when the work is done.
class Arguments {
    std::vector<std::unique_ptr<max_align_t[]>> values;

public:
    std::vector<void*> pointers;

    void add(const void* value, size_t size) {
        values.emplace_back(new max_align_t[size / sizeof(max_align_t) + 1]);
        pointers.push_back(values.back().get());
        memcpy(pointers.back(), value, size);
    }
};

API CUresult cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                            unsigned bz, unsigned shared, CUstream stream, void** arguments, void** extra) {
    bool fits = gx && gy && gz && bx && by && bz && gx <= 0x7FFFFFFF && gy <= 65535 && gz <= 65535 && bz <= 64 &&
        bx <= 1024 && by <= 1024 && bx * by * bz <= 1024 && shared <= SHARED_MEMORY;
    if (!function || !fits || extra) return CUDA_ERROR_INVALID_VALUE;
    auto& kernel = *function->kernel;
    auto held = std::make_shared<Arguments>();
    for (int i = 0; i < kernel.arguments; ++i) {
        held->add(arguments[i], kernel.sizes[i]);
        void* pointer = kernel.are_pointers[i] ? *static_cast<void**>(held->pointers[i]) : nullptr;
        if (pointer && !find(pointer)) {
            complain("%s: argument %d is %p, which is not on the device", function->name.c_str(), i, pointer);
            return CUDA_ERROR_ILLEGAL_ADDRESS;
        }
    }
    auto error = submit(stream, function->name, [=, run = kernel.run] {
        std::unique_ptr<void, decltype(&free)> memory(aligned_alloc(64, (shared + 63) / 64 * 64), free);
        memset(memory.get(), 0xFF, shared);
        run({{gx, gy, gz}, {bx, by, bz}, memory.get(), reversed, held->pointers.data()});
    });
    return static_cast<CUresult>(error);
}
