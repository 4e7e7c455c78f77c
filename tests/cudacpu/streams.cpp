// Streams, events, captures and graphs.
#include "device.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <utility>

using namespace cudacpu;

std::recursive_mutex cudacpu::mutex;

namespace {

// Never destroyed, because Python frees streams and graphs while it ends.
auto& streams = *new std::map<cudaStream_t, StreamPointer>;
auto& counts = *new std::map<std::string, uint64_t>;

const bool late = getenv("CUDACPU_LATE") && atoi(getenv("CUDACPU_LATE"));

// What comes next on `stream` waits for what `other` has been given so far.
void wait_for(const StreamPointer& stream, const StreamPointer& other) {
    if (stream == other || other->done == other->submitted) return;
    stream->queue.push_back([other, upto = other->submitted] { run(other, upto); });
    ++stream->submitted;
}

// The legacy default stream and the blocking ones wait for each other.
void wait_as_legacy(const StreamPointer& legacy) {
    for (auto& [_, other] : streams) if (other->blocking && !other->capture) wait_for(legacy, other);
}

// The capture of a blocking stream, which the legacy default stream may not make wait; null if there is none.
Capture* blocking_capture() {
    for (auto& [_, stream] : streams) if (stream->blocking && stream->capture) return stream->capture.get();
    return nullptr;
}

// A call that waits for a stream is an error in a capture, and breaks it.
cudaError_t refuse_if_capturing(const StreamPointer& stream) {
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->capture) return stream->capture->broken = cudaErrorStreamCaptureUnsupported;
    auto* capture = stream == cudacpu::stream(nullptr) ? blocking_capture() : nullptr;
    return capture ? capture->broken = cudaErrorStreamCaptureImplicit : cudaSuccess;
}

}  // namespace

namespace cudacpu {

void count(const std::string& name) { ++counts[name]; }

void complain(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("cudacpu: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

StreamPointer stream(cudaStream_t handle) {
    LOCK;
    if (handle == cudaStreamLegacy) handle = nullptr;
    if (!handle && !streams.count(handle)) streams[handle] = std::make_shared<Stream>();
    auto found = streams.find(handle);
    return found == streams.end() ? nullptr : found->second;
}

void run(const StreamPointer& stream, uint64_t upto) {
    LOCK;
    while (stream->done < upto && !stream->queue.empty()) {
        Work work = std::move(stream->queue.front());
        stream->queue.pop_front();
        work();
        ++stream->done;
    }
}

void run_all() {
    LOCK;
    for (auto& [_, stream] : std::map(streams)) run(stream, stream->submitted);
}

cudaError_t submit(cudaStream_t handle, const std::string& name, Work work) {
    LOCK;
    auto to = stream(handle), legacy = stream(nullptr);
    if (!to) return cudaErrorInvalidResourceHandle;
    if (to->capture) {
        if (to->capture->broken) return cudaErrorStreamCaptureInvalidated;
        to->capture->graph.push_back({name, std::move(work)});
        return cudaSuccess;
    }
    if (to == legacy) {
        if (auto* capture = blocking_capture()) return capture->broken = cudaErrorStreamCaptureImplicit;
        wait_as_legacy(legacy);
    } else if (to->blocking) {
        wait_for(to, legacy);
    }
    to->queue.push_back([name, work = std::move(work)] { count(name); work(); });
    ++to->submitted;
    if (!late) run(to, to->submitted);
    return cudaSuccess;
}

}  // namespace cudacpu

// How often work of this name was done since the process began. For tests, by ctypes.
API uint64_t cudacpu_count(const char* name) {
    LOCK;
    return counts[name];
}

API cudaError_t cudaGetLastError() { return cudaSuccess; }      // CuPy calls it only to forget an error

API cudaError_t cudaStreamCreateWithPriority(cudaStream_t* handle, unsigned flags, int) {
    LOCK;
    auto made = std::make_shared<Stream>();
    made->blocking = !(flags & cudaStreamNonBlocking);
    *handle = reinterpret_cast<cudaStream_t>(made.get());
    streams[*handle] = made;
    return cudaSuccess;
}

API cudaError_t cudaStreamDestroy(cudaStream_t handle) {
    LOCK;
    auto found = streams.find(handle);
    if (found == streams.end() || !handle) return cudaErrorInvalidResourceHandle;
    run(found->second, found->second->submitted);
    streams.erase(found);
    return cudaSuccess;
}

API cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    LOCK;
    auto found = stream(handle);
    TRY(refuse_if_capturing(found));
    count("synchronization");
    if (found == stream(nullptr)) wait_as_legacy(found);
    run(found, found->submitted);
    return cudaSuccess;
}

API cudaError_t cudaStreamQuery(cudaStream_t handle) {
    LOCK;
    auto found = stream(handle);
    TRY(refuse_if_capturing(found));
    if (found->done == found->submitted) return cudaSuccess;
    run(found, found->done + 1);        // so that a loop of queries comes to an end
    return cudaErrorNotReady;
}

API cudaError_t cudaDeviceSynchronize() {
    LOCK;
    for (auto& [_, stream] : streams)
        if (stream->capture) return stream->capture->broken = cudaErrorStreamCaptureUnsupported;
    count("synchronization");
    run_all();
    return cudaSuccess;
}

// Events: how far a stream had got

namespace {

struct Event {
    StreamPointer stream;
    uint64_t upto = 0;
    std::weak_ptr<Capture> capture;
};

auto& events = *new std::map<cudaEvent_t, std::shared_ptr<Event>>;

std::shared_ptr<Event> event(cudaEvent_t handle) {
    auto found = events.find(handle);
    return found == events.end() ? nullptr : found->second;
}

cudaError_t reach(cudaEvent_t handle, bool wait) {
    LOCK;
    auto awaited = event(handle);
    if (!awaited) return cudaErrorInvalidResourceHandle;
    if (auto capture = awaited->capture.lock()) return capture->broken = cudaErrorCapturedEvent;
    if (wait) count("synchronization");
    if (!awaited->stream || awaited->stream->done >= awaited->upto) return cudaSuccess;
    run(awaited->stream, wait ? awaited->upto : awaited->stream->done + 1);
    return wait ? cudaSuccess : cudaErrorNotReady;
}

}  // namespace

API cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned) {
    LOCK;
    auto made = std::make_shared<Event>();
    *handle = reinterpret_cast<cudaEvent_t>(made.get());
    events[*handle] = made;
    return cudaSuccess;
}

API cudaError_t cudaEventDestroy(cudaEvent_t handle) {
    LOCK;
    return events.erase(handle) ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

API cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t on) {
    LOCK;
    auto recorded = event(handle);
    auto where = stream(on);
    if (!recorded || !where) return cudaErrorInvalidResourceHandle;
    if (where->capture) {
        if (where->capture->broken) return cudaErrorStreamCaptureInvalidated;
        recorded->capture = where->capture;
        return cudaSuccess;
    }
    *recorded = {where, where->submitted, {}};
    return cudaSuccess;
}

API cudaError_t cudaEventSynchronize(cudaEvent_t handle) { return reach(handle, true); }
API cudaError_t cudaEventQuery(cudaEvent_t handle) { return reach(handle, false); }

// Captures, all of the relaxed mode, and graphs. A handle of a graph, executable or not, points to a GraphPointer.

using GraphPointer = std::shared_ptr<const Graph>;

API cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
    LOCK;
    auto origin = stream(handle);
    if (!origin) return cudaErrorInvalidResourceHandle;
    if (mode != cudaStreamCaptureModeRelaxed) return cudaErrorNotSupported;
    if (origin == stream(nullptr)) return cudaErrorStreamCaptureUnsupported;
    if (origin->capture) return cudaErrorIllegalState;
    origin->capture = std::make_shared<Capture>();
    return cudaSuccess;
}

API cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
    LOCK;
    *graph = nullptr;
    auto ended = stream(handle);
    if (!ended) return cudaErrorInvalidResourceHandle;
    auto capture = std::exchange(ended->capture, nullptr);
    if (!capture) return cudaErrorIllegalState;
    if (capture->broken) return cudaErrorStreamCaptureInvalidated;
    *graph = reinterpret_cast<cudaGraph_t>(new GraphPointer(new Graph(std::move(capture->graph))));
    return cudaSuccess;
}

API cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
    LOCK;
    auto found = stream(handle);
    if (!found) return cudaErrorInvalidResourceHandle;
    if (found == stream(nullptr) && blocking_capture()) return cudaErrorStreamCaptureImplicit;
    *status = !found->capture ? cudaStreamCaptureStatusNone : found->capture->broken ?
        cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

API cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
    *executable = reinterpret_cast<cudaGraphExec_t>(new GraphPointer(*reinterpret_cast<GraphPointer*>(graph)));
    return cudaSuccess;
}

API cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete reinterpret_cast<GraphPointer*>(graph);
    return cudaSuccess;
}

API cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    delete reinterpret_cast<GraphPointer*>(executable);
    return cudaSuccess;
}

API cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t handle) {
    return submit(handle, "graph launch", [graph = *reinterpret_cast<GraphPointer*>(executable)] {
        for (auto& [name, work] : *graph) {
            count(name);
            work();
        }
    });
}
