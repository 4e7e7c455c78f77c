// Memory is malloc's. What cudaMalloc gives is filled with NaN, and nobody may write past its end.
#include "device.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

#include <dlfcn.h>

using namespace cudacpu;

namespace {

auto& allocations = *new std::map<uintptr_t, Allocation>;   // never destroyed: Python frees arrays while it ends
size_t used = 0;

// Bytes past the end of each allocation that must stay as they are; the address sanitizer, if loaded, has better ones.
const size_t GUARD = dlsym(RTLD_DEFAULT, "__asan_init") ? 0 : 64;
constexpr unsigned char UNWRITTEN = 0xFF, GUARDED = 0xA5;   // floats of UNWRITTEN bytes are NaN, integers -1

cudaError_t allocate(void** pointer, size_t size, Kind kind) {
    LOCK;
    *pointer = nullptr;
    if (!size) return cudaSuccess;
    count("allocation");
    if ((kind == Kind::device && used + size > MEMORY) || posix_memalign(pointer, 512, size + GUARD))
        return cudaErrorMemoryAllocation;
    memset(*pointer, UNWRITTEN, size);
    memset(static_cast<char*>(*pointer) + size, GUARDED, GUARD);
    auto begin = reinterpret_cast<uintptr_t>(*pointer);
    allocations[begin] = {begin, size, kind};
    if (kind == Kind::device) used += size;
    return cudaSuccess;
}

cudaError_t release(void* pointer, Kind kind) {
    LOCK;
    if (!pointer) return cudaSuccess;
    auto found = allocations.find(reinterpret_cast<uintptr_t>(pointer));
    if (found == allocations.end() || found->second.kind != kind) return cudaErrorInvalidValue;
    run_all();          // as cudaFree does: all work that may still use it
    size_t size = found->second.size;
    auto* guarded = static_cast<unsigned char*>(pointer) + size;
    if (std::any_of(guarded, guarded + GUARD, [](unsigned char byte) { return byte != GUARDED; })) {
        complain("something was written past the end of an allocation of %zu bytes", size);
        abort();
    }
    memset(pointer, UNWRITTEN, size);
    if (kind == Kind::device) used -= size;
    allocations.erase(found);
    free(pointer);
    return cudaSuccess;
}

Kind kind_of(const void* pointer) {
    auto* found = find(pointer);
    return found ? found->kind : Kind::pageable;
}

bool inside(const void* pointer, size_t size) {
    auto* found = find(pointer);
    return !found || reinterpret_cast<uintptr_t>(pointer) + size <= found->begin + found->size;
}

// CUDA's rules for the memory of the host: when the call returns, pageable memory has been read or written; pinned
// memory is read or written when the stream gets there.
cudaError_t copy(void* to, const void* from, size_t size, cudaMemcpyKind kind, cudaStream_t handle) {
    if (!size) return cudaSuccess;
    Kind source = kind_of(from), target = kind_of(to);
    bool on_device = (kind == cudaMemcpyHostToDevice) == (source != Kind::device) &&
        (kind == cudaMemcpyDeviceToHost) == (target != Kind::device);
    if (!on_device || !inside(to, size) || !inside(from, size)) {
        complain("%p and %p are not %zu bytes of the memory that a copy of kind %d expects", to, from, size, kind);
        return cudaErrorInvalidValue;
    }
    auto through = stream(handle);
    if (!through) return cudaErrorInvalidResourceHandle;
    const char* name = target != Kind::device ? "copy to host" : source != Kind::device ? "copy to device" :
        "copy on device";
    if (source == Kind::pageable && !through->capture) {
        std::string staged(static_cast<const char*>(from), size);
        return submit(handle, name, [=] { memcpy(to, staged.data(), size); });
    }
    auto error = submit(handle, name, [=] { memmove(to, from, size); });
    if (!error && target == Kind::pageable && !through->capture) run(through, through->submitted);
    return error;
}

}  // namespace

const Allocation* cudacpu::find(const void* pointer) {
    LOCK;
    auto address = reinterpret_cast<uintptr_t>(pointer);
    auto after = allocations.upper_bound(address);
    if (after == allocations.begin()) return nullptr;
    auto& candidate = std::prev(after)->second;
    return address < candidate.begin + candidate.size ? &candidate : nullptr;
}

API cudaError_t cudaMalloc(void** pointer, size_t size) { return allocate(pointer, size, Kind::device); }
API cudaError_t cudaFree(void* pointer) { return release(pointer, Kind::device); }
API cudaError_t cudaHostAlloc(void** pointer, size_t size, unsigned) { return allocate(pointer, size, Kind::pinned); }
API cudaError_t cudaFreeHost(void* pointer) { return release(pointer, Kind::pinned); }

API cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
    LOCK;
    *total = MEMORY;
    *available = MEMORY - used;
    return cudaSuccess;
}

API cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
    LOCK;
    Kind kind = kind_of(pointer);
    auto* address = const_cast<void*>(pointer);
    *attributes = {};
    attributes->type = kind == Kind::device ? cudaMemoryTypeDevice : kind == Kind::pinned ? cudaMemoryTypeHost :
        cudaMemoryTypeUnregistered;
    attributes->device = kind == Kind::pageable ? -2 : 0;
    attributes->devicePointer = kind == Kind::pageable ? nullptr : address;
    attributes->hostPointer = kind == Kind::device ? nullptr : address;
    return cudaSuccess;
}

API cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind kind, cudaStream_t handle) {
    LOCK;
    return copy(to, from, size, kind, handle);
}

API cudaError_t cudaMemcpy(void* to, const void* from, size_t size, cudaMemcpyKind kind) {
    LOCK;
    TRY(copy(to, from, size, kind, nullptr));
    return kind == cudaMemcpyDeviceToDevice ? cudaSuccess : cudaStreamSynchronize(nullptr);
}

API cudaError_t cudaMemsetAsync(void* pointer, int value, size_t size, cudaStream_t handle) {
    LOCK;
    if (!size) return cudaSuccess;
    if (kind_of(pointer) == Kind::pageable || !inside(pointer, size)) return cudaErrorInvalidValue;
    return submit(handle, "memset", [=] { memset(pointer, value, size); });
}
