// What the device says of itself, of compute capability 9.0 as an H100; and the names of errors.
#include "device.hpp"

#include <cstring>

using namespace cudacpu;

API cudaError_t cudaDriverGetVersion(int* version) { *version = 13000; return cudaSuccess; }
API cudaError_t cudaRuntimeGetVersion(int* version) { *version = 13000; return cudaSuccess; }
API cudaError_t cudaGetDeviceCount(int* count) { *count = 1; return cudaSuccess; }
API cudaError_t cudaGetDevice(int* device) { *device = 0; return cudaSuccess; }
API cudaError_t cudaSetDevice(int device) { return device ? cudaErrorInvalidDevice : cudaSuccess; }

API cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    *value = attribute == cudaDevAttrComputeCapabilityMajor ? 9 : 0;
    return device ? cudaErrorInvalidDevice : cudaSuccess;
}

API cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    *properties = {};
    strcpy(properties->name, "a GPU emulated by the CPU");
    properties->totalGlobalMem = MEMORY;
    properties->sharedMemPerBlock = SHARED_MEMORY;
    properties->major = 9;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    return device ? cudaErrorInvalidDevice : cudaSuccess;
}

#define ERRORS(X) \
    X(cudaSuccess, "no error") X(cudaErrorInvalidValue, "invalid argument") \
    X(cudaErrorMemoryAllocation, "out of memory") X(cudaErrorInvalidDevice, "invalid device ordinal") \
    X(cudaErrorInvalidResourceHandle, "invalid resource handle") X(cudaErrorNotReady, "device not ready") \
    X(cudaErrorIllegalAddress, "an illegal memory access was encountered") \
    X(cudaErrorIllegalState, "the operation cannot be performed in the present state") \
    X(cudaErrorNotSupported, "operation not supported") \
    X(cudaErrorInvalidKernelImage, "device kernel image is invalid") X(cudaErrorSymbolNotFound, "named symbol not found") \
    X(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing") \
    X(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture") \
    X(cudaErrorStreamCaptureImplicit, "operation would make the legacy stream depend on a capturing blocking stream") \
    X(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream")

API const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
#define NAME(error, text) case error: return #error;
        ERRORS(NAME)
        default: return "unrecognized error code";
    }
}

API const char* cudaGetErrorString(cudaError_t error) {
    switch (error) {
#define TEXT(error, text) case error: return text;
        ERRORS(TEXT)
        default: return "unrecognized error code";
    }
}
