// Streams, events, captures and graphs.
#include "device.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <list>
#include <map>
#include <utility>

using namespace cudacpu;

std::recursive_mutex cudacpu::mutex;

namespace {

// Never destroyed, because Python frees streams and graphs while it ends.
auto& streams = *new std::map<cudaStream_t, StreamPointer>;
auto& captures = *new std::list<std::weak_ptr<Capture>>;
auto& counts = *new std::map<std::string, uint64_t>;
thread_local cudaError_t last_error = cudaSuccess;

const bool late = getenv("CUDACPU_LATE") && atoi(getenv("CUDACPU_LATE"));

std::vector<std::shared_ptr<Capture>> active_captures() {
    std::vector<std::shared_ptr<Capture>> active;
    captures.remove_if([](auto& capture) { return capture.expired(); });
    for (auto& capture : captures) active.push_back(capture.lock());
    return active;
}

// The legacy default stream may not be used while a stream captures that waits for it.
cudaError_t break_blocking_captures() {
    for (auto& capture : active_captures())
        if (capture->blocking) return capture->broken = cudaErrorStreamCaptureImplicit;
    return cudaSuccess;
}

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

}  // namespace

namespace cudacpu {

cudaError_t remember(cudaError_t error) {
    if (error) last_error = error;
    return error;
}

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
    if (!streams.count(handle) && (!handle || handle == cudaStreamPerThread))
        streams[handle] = std::make_shared<Stream>();
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
        if (auto error = break_blocking_captures()) return error;
        wait_as_legacy(legacy);
    } else if (to->blocking) {
        wait_for(to, legacy);
    }
    to->queue.push_back([name, work = std::move(work)] { count(name); work(); });
    ++to->submitted;
    if (!late) run(to, to->submitted);
    return cudaSuccess;
}

cudaError_t refuse_if_capturing(const StreamPointer& stream) {
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->capture) return stream->capture->broken = cudaErrorStreamCaptureUnsupported;
    return stream == cudacpu::stream(nullptr) ? break_blocking_captures() : cudaSuccess;
}

cudaError_t refuse_if_any_captures(bool even_relaxed) {
    LOCK;
    cudaError_t error = cudaSuccess;
    for (auto& capture : active_captures()) {
        bool mine = capture->thread == std::this_thread::get_id();
        if (even_relaxed || capture->mode == cudaStreamCaptureModeGlobal ||
                (capture->mode == cudaStreamCaptureModeThreadLocal && mine))
            error = capture->broken = cudaErrorStreamCaptureUnsupported;
    }
    return error;
}

}  // namespace cudacpu

// How often work of this name was done since the process began. For tests, by ctypes.
API uint64_t cudacpu_count(const char* name) {
    LOCK;
    return counts[name];
}

API cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
API cudaError_t cudaPeekAtLastError() { return last_error; }

API cudaError_t cudaStreamCreateWithPriority(cudaStream_t* handle, unsigned flags, int) {
    LOCK;
    auto made = std::make_shared<Stream>();
    made->blocking = !(flags & cudaStreamNonBlocking);
    *handle = reinterpret_cast<cudaStream_t>(made.get());
    streams[*handle] = made;
    return cudaSuccess;
}

API cudaError_t cudaStreamCreateWithFlags(cudaStream_t* handle, unsigned flags) {
    return cudaStreamCreateWithPriority(handle, flags, 0);
}

API cudaError_t cudaStreamCreate(cudaStream_t* handle) { return cudaStreamCreateWithPriority(handle, 0, 0); }

API cudaError_t cudaStreamDestroy(cudaStream_t handle) {
    LOCK;
    auto found = streams.find(handle);
    if (found == streams.end() || !handle) return remember(cudaErrorInvalidResourceHandle);
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
    TRY(refuse_if_any_captures(true));
    count("synchronization");
    run_all();
    return cudaSuccess;
}

API cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void* data) {
    return remember(submit(handle, "host function", [=] {
        mutex.unlock();         // it may wait for another thread that wants the lock
        function(data);
        mutex.lock();
    }));
}

API cudaError_t cudaStreamAddCallback(cudaStream_t handle, cudaStreamCallback_t callback, void* data, unsigned) {
    LOCK;
    TRY(refuse_if_capturing(stream(handle)));
    return remember(submit(handle, "host function", [=] {
        mutex.unlock();
        callback(handle, cudaSuccess, data);
        mutex.lock();
    }));
}

// Events: how far a stream had got

namespace {

struct Event {
    StreamPointer stream;
    uint64_t upto = 0;
    std::weak_ptr<Capture> capture;
    std::shared_ptr<timespec> time = std::make_shared<timespec>();

    bool reached() const { return !stream || stream->done >= upto; }
};

auto& events = *new std::map<cudaEvent_t, std::shared_ptr<Event>>;

std::shared_ptr<Event> event(cudaEvent_t handle) {
    auto found = events.find(handle);
    return found == events.end() ? nullptr : found->second;
}

cudaError_t reach(cudaEvent_t handle, bool wait) {
    LOCK;
    auto awaited = event(handle);
    if (!awaited) return remember(cudaErrorInvalidResourceHandle);
    if (auto capture = awaited->capture.lock()) return remember(capture->broken = cudaErrorCapturedEvent);
    if (awaited->reached()) return cudaSuccess;
    if (wait) count("synchronization");
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

API cudaError_t cudaEventCreate(cudaEvent_t* handle) { return cudaEventCreateWithFlags(handle, 0); }

API cudaError_t cudaEventDestroy(cudaEvent_t handle) {
    LOCK;
    return events.erase(handle) ? cudaSuccess : remember(cudaErrorInvalidResourceHandle);
}

API cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t on) {
    LOCK;
    auto recorded = event(handle);
    auto where = stream(on);
    if (!recorded || !where) return remember(cudaErrorInvalidResourceHandle);
    if (where->capture) {
        if (where->capture->broken) return remember(cudaErrorStreamCaptureInvalidated);
        recorded->capture = where->capture;
        return cudaSuccess;
    }
    auto time = std::make_shared<timespec>();
    TRY(submit(on, "event", [time] { clock_gettime(CLOCK_MONOTONIC, time.get()); }));
    *recorded = {where, where->submitted, {}, time};
    return cudaSuccess;
}

API cudaError_t cudaEventSynchronize(cudaEvent_t handle) { return reach(handle, true); }
API cudaError_t cudaEventQuery(cudaEvent_t handle) { return reach(handle, false); }

API cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t first, cudaEvent_t last) {
    LOCK;
    auto a = event(first), b = event(last);
    if (!a || !b || !a->stream || !b->stream) return remember(cudaErrorInvalidResourceHandle);
    if (!a->reached() || !b->reached()) return remember(cudaErrorNotReady);
    *milliseconds = (b->time->tv_sec - a->time->tv_sec) * 1e3 + (b->time->tv_nsec - a->time->tv_nsec) * 1e-6;
    return cudaSuccess;
}

API cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t awaited, unsigned) {
    LOCK;
    auto until = event(awaited);
    auto waiting = stream(handle);
    if (!until || !waiting) return remember(cudaErrorInvalidResourceHandle);
    if (auto capture = until->capture.lock()) {     // the waiting stream joins the capture
        if (waiting->capture && waiting->capture != capture)
            return remember(capture->broken = cudaErrorStreamCaptureMerge);
        waiting->capture = capture;
        return cudaSuccess;
    }
    if (waiting->capture) return remember(waiting->capture->broken = cudaErrorStreamCaptureIsolation);
    if (until->reached()) return cudaSuccess;
    return remember(submit(handle, "wait", [other = until->stream, upto = until->upto] { run(other, upto); }));
}

// Captures and graphs. A handle of a graph, executable or not, is a pointer to its nodes.

API cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
    LOCK;
    auto origin = stream(handle);
    if (!origin) return remember(cudaErrorInvalidResourceHandle);
    if (origin == stream(nullptr)) return remember(cudaErrorStreamCaptureUnsupported);
    if (origin->capture) return remember(cudaErrorIllegalState);
    origin->capture = std::make_shared<Capture>();
    *origin->capture = {handle, origin->blocking, mode, std::this_thread::get_id(), cudaSuccess, {}};
    captures.push_back(origin->capture);
    return cudaSuccess;
}

API cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
    LOCK;
    *graph = nullptr;
    auto ended = stream(handle);
    if (!ended) return remember(cudaErrorInvalidResourceHandle);
    auto capture = ended->capture;
    if (!capture) return remember(cudaErrorIllegalState);
    if (capture->origin != handle) return remember(capture->broken = cudaErrorStreamCaptureUnmatched);
    if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id())
        return remember(capture->broken = cudaErrorStreamCaptureWrongThread);
    for (auto& [_, stream] : streams) if (stream->capture == capture) stream->capture.reset();
    if (capture->broken) return remember(cudaErrorStreamCaptureInvalidated);
    *graph = reinterpret_cast<cudaGraph_t>(new Graph(capture->graph));
    return cudaSuccess;
}

API cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
    LOCK;
    auto found = stream(handle);
    if (!found) return remember(cudaErrorInvalidResourceHandle);
    if (found == stream(nullptr)) TRY(break_blocking_captures());
    *status = !found->capture ? cudaStreamCaptureStatusNone : found->capture->broken ?
        cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

API cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
    *executable = reinterpret_cast<cudaGraphExec_t>(new Graph(*reinterpret_cast<Graph*>(graph)));
    return cudaSuccess;
}

API cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete reinterpret_cast<Graph*>(graph);
    return cudaSuccess;
}

API cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    run_all();      // a launch that has not run yet keeps what it needs
    delete reinterpret_cast<Graph*>(executable);
    return cudaSuccess;
}

API cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t handle) {
    return remember(submit(handle, "graph launch", [graph = reinterpret_cast<Graph*>(executable)] {
        for (auto& [name, work] : *graph) {
            count(name);
            work();
        }
    }));
}
