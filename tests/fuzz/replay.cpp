// Runs a fuzz target without libFuzzer: each seed below the folder that is named, then mutations of them, from a number
// that is printed. HOMESLICE_FUZZ_SEED=NUMBER repeats a run. What ended a run is left in ./crash-NAME.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "target.h"

namespace {

using Bytes = std::vector<uint8_t>;

constexpr unsigned kMutations = 20'000;
constexpr std::chrono::seconds kLongest{10};  // of all mutations; fewer are made then

Bytes current;           // the input that runs
std::string crash_file;  // where it goes if it ends the run

void keepInput(int signal_number) {
    std::ofstream(crash_file, std::ios::binary)
        .write(reinterpret_cast<const char*>(current.data()), static_cast<std::streamsize>(current.size()));
    ::signal(signal_number, SIG_DFL);
    ::raise(signal_number);
}

void run(Bytes input) {
    current = std::move(input);
    LLVMFuzzerTestOneInput(current.data(), current.size());
}

std::vector<Bytes> readAll(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    std::vector<Bytes> result;
    for (const auto& path : paths) {
        std::ifstream file(path, std::ios::binary);
        result.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return result;
}

class Mutator {
public:
    explicit Mutator(uint32_t seed) : random_(seed) {}

    Bytes mutated(const std::vector<Bytes>& seeds) {
        Bytes result = seeds[below(seeds.size())];
        for (size_t changes = 1 + below(6); changes > 0; --changes) change(result, seeds[below(seeds.size())]);
        return result;
    }

private:
    size_t below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }

    void change(Bytes& bytes, const Bytes& other) {
        const size_t at = below(bytes.size() + 1);
        const auto place = bytes.begin() + static_cast<ptrdiff_t>(at);
        switch (below(6)) {
            case 0:
                if (at < bytes.size()) *place = static_cast<uint8_t>(below(256));
                break;
            case 1:
                if (at < bytes.size()) *place ^= static_cast<uint8_t>(1U << below(8));
                break;
            case 2:
                bytes.resize(at);
                break;
            case 3:
                bytes.insert(place, 1 + below(16), static_cast<uint8_t>(below(2) == 0 ? 0 : 0xff));
                break;
            case 4:
                if (at < bytes.size()) bytes.erase(place, place + static_cast<ptrdiff_t>(1 + below(bytes.size() - at)));
                break;
            default: {
                const size_t from = below(other.size() + 1);
                bytes.insert(place, other.begin() + static_cast<ptrdiff_t>(from), other.end());
            }
        }
        bytes.resize(std::min<size_t>(bytes.size(), 1 << 16));
    }

    std::mt19937 random_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    crash_file = "crash-" + std::filesystem::path(argv[0]).filename().string();
    for (const int number : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGILL}) ::signal(number, keepInput);
    const char* const given = std::getenv("HOMESLICE_FUZZ_SEED");
    const uint32_t seed =
        given != nullptr ? static_cast<uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device()();
    std::printf("HOMESLICE_FUZZ_SEED=%u\n", seed);
    std::fflush(stdout);

    const std::vector<Bytes> seeds = readAll(argv[1]);
    if (seeds.empty()) {
        std::fprintf(stderr, "no seeds in %s\n", argv[1]);
        return 1;
    }
    for (const Bytes& input : seeds) run(input);
    Mutator mutator(seed);
    const auto end = std::chrono::steady_clock::now() + kLongest;
    unsigned made = 0;
    while (made < kMutations && std::chrono::steady_clock::now() < end) {
        run(mutator.mutated(seeds));
        ++made;
    }
    std::printf("%zu seeds and %u mutations of them\n", seeds.size(), made);
    return 0;
}
