// The emulated device: its memory, streams and captures, which all files here share.
//
// Work on the device is a function that is submitted to a stream, a queue. An eager stream does it at once. A late one
// (CUDACPU_LATE=1) does it as late as CUDA's rules allow, so that a program that forgets to wait reads old numbers every
// time, not now and then. A stream that captures puts the work into a graph instead.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <cuda.h>
#include <cuda_runtime_api.h>

#define API extern "C" __attribute__((visibility("default")))
#define LOCK std::lock_guard guard(cudacpu::mutex)
#define TRY(call) do { cudaError_t error_ = (call); if (error_) return error_; } while (0)

namespace cudacpu __attribute__((visibility("default"))) {      // algorithms.cpp calls it from other libraries

using Work = std::function<void()>;

struct Node { std::string name; Work work; };

using Graph = std::vector<Node>;

struct Capture {
    Graph graph;
    cudaError_t broken = cudaSuccess;   // what has invalidated it
};

struct Stream {
    bool blocking = true;               // whether it and the legacy default stream wait for each other
    std::deque<Work> queue;
    uint64_t submitted = 0, done = 0;
    std::shared_ptr<Capture> capture;
};

using StreamPointer = std::shared_ptr<Stream>;

extern std::recursive_mutex mutex;      // one call at a time

// The stream of a handle; null if there is none.
StreamPointer stream(cudaStream_t handle);

// Give work to a stream. The name is for counts and for the nodes of a graph.
cudaError_t submit(cudaStream_t handle, const std::string& name, Work work);

// Do the work of a stream up to number `upto`; of all streams.
void run(const StreamPointer& stream, uint64_t upto);
void run_all();

constexpr size_t MEMORY = 80ull << 30, SHARED_MEMORY = 49152;     // bytes of the device, and of a block

enum class Kind { pageable, pinned, device };

struct Allocation { uintptr_t begin; size_t size; Kind kind; };

const Allocation* find(const void* pointer);    // null for memory that CUDA does not know

// One more piece of work of this name.
void count(const std::string& name);

void complain(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace cudacpu
