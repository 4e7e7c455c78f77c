// NVRTC: CUDA texts compiled by g++. The "cubin" of a program is a shared library of this machine.
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include <dlfcn.h>

#include "device.hpp"

using std::regex;
using std::string;

// Their numbers are in nvrtc.h.
enum Result { SUCCESS = 0, INVALID_OPTION = 5, COMPILATION = 6, NAME_EXPRESSION_NOT_VALID = 9 };

struct Program {
    string text, log, binary;
    std::map<string, string> headers, lowered;      // lowered: the symbol of each name expression
};

API Result nvrtcVersion(int* major, int* minor) { *major = 13; *minor = 0; return SUCCESS; }

API Result nvrtcGetSupportedArchs(int* archs) { archs[0] = 80; archs[1] = 90; return SUCCESS; }
API Result nvrtcGetNumSupportedArchs(int* number) { *number = 2; return SUCCESS; }

API const char* nvrtcGetErrorString(Result result) {
    return result == COMPILATION ? "NVRTC_ERROR_COMPILATION" : result == INVALID_OPTION ? "NVRTC_ERROR_INVALID_OPTION" :
        "an error whose number is in nvrtc.h";
}

API Result nvrtcCreateProgram(Program** program, const char* text, const char*, int count, const char* const* headers,
                              const char* const* names) {
    *program = new Program{text, "", "", {}, {}};
    for (int i = 0; i < count; ++i) (*program)->headers[names[i]] = headers[i];
    return SUCCESS;
}

API Result nvrtcDestroyProgram(Program** program) {
    delete *program;
    *program = nullptr;
    return SUCCESS;
}

API Result nvrtcAddNameExpression(Program* program, const char* expression) {
    program->lowered.try_emplace(expression, "expression_" + std::to_string(program->lowered.size()));
    return SUCCESS;
}

API Result nvrtcGetLoweredName(Program* program, const char* expression, const char** lowered) {
    auto found = program->lowered.find(expression);
    if (found == program->lowered.end()) return NAME_EXPRESSION_NOT_VALID;
    *lowered = found->second.c_str();
    return SUCCESS;
}

// For g++: one option of NVRTC; "" for one that changes nothing here. Throws for one that NVRTC does not have.
static string translated(const string& option) {
    static const regex same("-[DUI].+"), path("--include-path=(.+)"), macro("--define-macro=(.+)"),
        standard("--?std=c\\+\\+(\\d+)"), fmad("--?fmad=(true|false)"),
        ignored("(-arch|--gpu-architecture)=(sm|compute)_\\d+a?|--?(ftz|prec-div|prec-sqrt)=(true|false)|"
                "-default-device|--device-as-default-execution-space|--pch|-w|--use_fast_math|-lineinfo");
    std::smatch match;
    if (regex_match(option, same)) return option;
    if (regex_match(option, match, path)) return "-I" + match.str(1);
    if (regex_match(option, match, macro)) return "-D" + match.str(1);
    if (regex_match(option, match, standard)) return "-std=gnu++" + match.str(1);
    if (regex_match(option, match, fmad)) return match[1] == "true" ? "-ffp-contract=fast" : "-ffp-contract=off";
    if (regex_match(option, ignored)) return "";
    throw std::invalid_argument("nvrtc: error: unrecognized option " + option + " found");
}

// The text with a Kernel (kernel.hpp) for each of its kernels at the end.
static string with_kernels(const Program& program) {
    // Dynamic shared memory comes by pointer; g++ has no arrays without a size inside functions.
    string text = regex_replace(program.text,
        regex(R"(extern\s+__shared__\s+(?:__align__\s*\([^)]*\)\s+)?([\w ]+?)\s+(\w+)\s*\[\s*\]\s*;)"),
        "$1* $2 = static_cast<$1*>(cudacpu::dynamic_shared);");
    auto mentions = [&](const char* pattern) { return regex_search(text, regex(pattern)); };
    // A thread that waits for others needs a stack of its own. CuPy's loops over all elements may have any number of
    // threads, so one thread does all, and g++ can vectorise it.
    string threads = mentions("__sync|__shfl|<cub/") ? "waiting" :
        mentions("CUPY_FOR") && !mentions("threadIdx|blockIdx|blockDim|gridDim") ? "one_for_all" : "in_turn";
    string kernels;
    static const regex kernel(R"re((template\s*<[^>]*>\s*)?(extern\s+"C"\s+)?__global__\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\()re");
    bool in_block = mentions(R"re(extern\s+"C"\s*\{)re");
    for (std::sregex_iterator match(text.begin(), text.end(), kernel), end; match != end; ++match)
        if (!(*match)[1].matched && ((*match)[2].matched || in_block))
            kernels += "CUDACPU_KERNEL(" + match->str(3) + ", " + threads + ", " + match->str(3) + ")\n";
    for (auto& [expression, name] : program.lowered)
        kernels += "CUDACPU_KERNEL(" + name + ", " + threads + ", " + expression + ")\n";
    return text + "\n" + kernels;
}

static string contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The folder of this library, where its headers are, too.
static string here() {
    Dl_info where;
    dladdr(reinterpret_cast<void*>(&nvrtcVersion), &where);
    return std::filesystem::path(where.dli_fname).parent_path();
}

static const bool sanitized = dlsym(RTLD_DEFAULT, "__asan_init");

API Result nvrtcCompileProgram(Program* program, int count, const char* const* options) {
    std::vector<string> arguments {"-I.", "-I" + here(), "-I" + here() + "/../include", "-include", "cuda_text.hpp"};
    try {
        for (int i = 0; i < count; ++i) arguments.push_back(translated(options[i]));
    } catch (std::invalid_argument& error) {
        program->log = error.what();
        return INVALID_OPTION;
    }
    string folder = std::filesystem::temp_directory_path() / "cudacpu-compile-XXXXXX";
    std::filesystem::path place = mkdtemp(folder.data());
    std::ofstream(place / "kernel.cu") << with_kernels(*program);
    for (auto& [name, text] : program->headers) {
        create_directories((place / name).parent_path());
        std::ofstream(place / name) << text;
    }
    std::ofstream file(place / "arguments");        // one a line, quoted; g++ reads them by @arguments
    for (auto& argument : arguments)
        if (!argument.empty()) file << '"' << regex_replace(argument, regex(R"(["\\])"), "\\$&") << "\"\n";
    file.close();
    string command = "cd " + place.string() + " && env -u LD_PRELOAD g++ -x c++ " CUDACPU_FLAGS " -shared "
        "-fno-semantic-interposition -fmax-errors=10 @arguments kernel.cu -o kernel.so 2> log";
    if (sanitized) command.replace(command.find("-O2"), 3, "-O1 -fsanitize=address");
    bool compiled = system(command.c_str()) == 0;
    program->log = contents(place / "log");
    if (compiled) program->binary = contents(place / "kernel.so");
    remove_all(place);
    return compiled ? SUCCESS : COMPILATION;
}

// CuPy makes the PTX of an empty text a part of the key under which it caches cubins.
static string ptx() { return string("// cudacpu " CUDACPU_VERSION) + (sanitized ? ", sanitized\n" : "\n"); }

// Every text has one byte more, which CuPy cuts off.
static Result give_size(const string& text, size_t* size) { *size = text.size() + 1; return SUCCESS; }
static Result give(const string& text, char* to) { memcpy(to, text.c_str(), text.size() + 1); return SUCCESS; }

API Result nvrtcGetPTXSize(Program*, size_t* size) { return give_size(ptx(), size); }
API Result nvrtcGetPTX(Program*, char* to) { return give(ptx(), to); }
API Result nvrtcGetCUBINSize(Program* program, size_t* size) { return give_size(program->binary, size); }
API Result nvrtcGetCUBIN(Program* program, char* to) { return give(program->binary, to); }
API Result nvrtcGetProgramLogSize(Program* program, size_t* size) { return give_size(program->log, size); }
API Result nvrtcGetProgramLog(Program* program, char* to) { return give(program->log, to); }
