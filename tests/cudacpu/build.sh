#!/usr/bin/env bash
# Make a Python environment in which the real CuPy runs on this machine's CPU:   tests/cudacpu/build.sh PLACE
#
# It needs python3 (or $PYTHON) with pip, g++ and an x86-64 processor with AVX2; no GPU, driver or CUDA. CuPy's wheel is taken as it
# is, but for three of its extensions, which hold NVIDIA's own runtime and code for GPUs: cupy_backends.cuda.api.runtime,
# cupy.cuda.thrust and cupy.cuda.cub. Their Cython is compiled again, against the device here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
place=$(mkdir -p "$1" && cd "$1" && pwd)
cupy=14.2.0 cython=3.2.4        # the wheel was made by this Cython
python=$place/bin/python
version=$(cd "$here" && { cat ./*.hpp ./*.cpp cub/*/* build.sh; g++ --version; "${PYTHON:-python3}" -V; } | sha256sum |
    cut -c 1-16)
[ "$(cat "$place/version" 2> /dev/null)" != "$version" ] || exit 0
rm -f "$place/version"          # until all is made anew

"$python" -m pip --version > /dev/null 2>&1 || "${PYTHON:-python3}" -m venv --clear "$place"
"$python" -m pip install -q "cupy-cuda13x==$cupy" "Cython==$cython" scipy-openblas32 \
    'nvidia-cuda-runtime==13.*' 'nvidia-cuda-crt==13.*'         # the last two for their headers
ask() { "$python" -c "$1"; }
site=$(ask 'import sysconfig; print(sysconfig.get_path("platlib"))')
cuda=$site/nvidia/cu13 includes=$site/cupy/_core/include

# CuPy's source. pip cannot prepare it without CUDA, but leaves it unpacked.
source=$place/cupy-$cupy
if [ ! -d "$source" ]; then
    rm -rf "$place/unpacked"
    mkdir "$place/unpacked"
    TMPDIR=$place/unpacked "$python" -m pip --no-cache-dir download -q --no-clean --no-deps --no-build-isolation \
        --no-binary :all: -d "$place/unpacked" "cupy==$cupy" > "$place/unpacked/log" 2>&1 || true
    mv "$place"/unpacked/pip-download-*/cupy_* "$source" || { cat "$place/unpacked/log" >&2; exit 1; }
    rm -r "$place/unpacked"
fi

# The device, one library
blas_include=$(ask 'import scipy_openblas32 as blas; print(blas.get_include_dir())')
blas_lib=$(ask 'import scipy_openblas32 as blas; print(blas.get_lib_dir())')
# Without gnu-unique two modules may have static memory of one name.
kernel_flags="-std=gnu++17 -O2 -march=x86-64-v3 -ffp-contract=fast -fno-gnu-unique -w -fPIC"
lib=$cuda/lib
cp -r "$here"/{cuda_text,kernel}.hpp "$here/cub" "$lib/"
g++ -x c++-header $kernel_flags -I"$includes/cupy/_cccl/thrust" -I"$includes/cupy/_cccl/libcudacxx" -I"$includes" \
    -I"$cuda/include" "$lib/cuda_text.hpp"
device() {
    g++ -std=c++17 -O2 -Wall -Wextra -fPIC -fvisibility=hidden -shared -I"$cuda/include" -I"$blas_include" \
        '-DBLAS(name)=scipy_##name' "-DCUDACPU_FLAGS=\"$kernel_flags\"" "-DCUDACPU_VERSION=\"$version\"" \
        "$here"/{memory,streams,kernels,compiler,products,properties}.cpp "$@" -o "$lib/libcudacpu.so" \
        -L"$blas_lib" -lscipy_openblas -Wl,-rpath,"$blas_lib" -ldl -pthread
}
device

# NVIDIA's names for it, where NVIDIA's packages for pip have their libraries
for name in libcuda.so.1 libcudart.so.13 libnvrtc.so.13 libcublas.so.13 libcublasLt.so.13; do
    g++ -shared -Wl,-soname,$name -o "$lib/$name" -L"$lib" -Wl,--no-as-needed -lcudacpu -Wl,-rpath,'$ORIGIN'
done

# Three extensions, with the directives of CuPy's own build (install/cupy_builder/_command.py)
echo 'extern "C" { cudaError_t cudaProfilerStart(); cudaError_t cudaProfilerStop(); }' > "$lib/cuda_profiler_api.h"
headers=$(ask 'import sysconfig; print(sysconfig.get_path("include"))')
suffix=$(ask 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
extension() {       # its path without an ending, further texts
    local path=$1; shift
    (cd "$source" && "$python" -m cython -3 --cplus $path.pyx -o $path.cpp \
        -E CUPY_CUDA_VERSION=13000,CUPY_HIP_VERSION=0,CUPY_USE_CUDA_PYTHON=False \
        -X embedsignature=True,c_api_binop_methods=True,binding=False,warn.deprecated.IF=False \
        -X freethreading_compatible=True > "$place/cython.log" 2>&1) || { cat "$place/cython.log" >&2; exit 1; }
    g++ -std=c++17 -O1 -fPIC -shared -w -I"$headers" -I"$source/cupy/_core/include/cupy/_cccl/thrust" \
        -I"$source/cupy/_core/include/cupy/_cccl/libcudacxx" -I"$source/cupy/_core/include" -I"$cuda/include" \
        -I"$lib" "$source/$path.cpp" "$@" -o "$site/$path$suffix" -L"$lib" -Wl,--no-as-needed -lcudacpu \
        -l:libcuda.so.1 -Wl,-rpath,"$lib"       # CuPy opens the latter by this name
}
extension cupy_backends/cuda/api/runtime
extension cupy/cuda/thrust "$here/algorithms.cpp"
extension cupy/cuda/cub "$here/algorithms.cpp"

# Every other function that CuPy is linked to is refused.
symbols() { nm -D "$@" | grep -oE '(^| )[UT] (cuda|cublas)[A-Z]\w+' | sort -u; }
symbols "$site/cupy_backends/cuda/api/runtime$suffix" "$site/cupy_backends/cuda/libs/cublas$suffix" |
    awk '{ print $2 }' | grep -vxF "$(symbols "$lib/libcudacpu.so" | awk '{ print $2 }')" |
    awk '{ printf "REFUSED(%s)\n", $1 }' > "$lib/refused.inc"
device "$here/refused.cpp" -I"$lib"

echo "$version" > "$place/version"
echo "CuPy $cupy runs on the CPU: $python"
