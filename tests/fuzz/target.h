// What fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

// Of libFuzzer: one input; 0 always. What must not happen ends the process.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace homeslice::fuzz {

inline void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken promise: %s\n", what);
    std::abort();
}

// Takes an input apart: bytes, and pieces of the length that two bytes before them say.
class Input {
public:
    Input(const uint8_t* data, size_t size) : data_(reinterpret_cast<const char*>(data)), left_(size) {}

    std::optional<uint8_t> byte() {
        if (left_ == 0) return std::nullopt;
        return static_cast<uint8_t>(take(1)[0]);
    }
    // The last may be shorter than it says; nothing when all is used up.
    std::optional<std::string> piece() {
        constexpr size_t kLength = 2;
        if (left_ < kLength) return std::nullopt;
        const std::string length = take(kLength);
        return take(static_cast<size_t>(static_cast<uint8_t>(length[0])) << 8 | static_cast<uint8_t>(length[1]));
    }
    std::string rest() { return take(left_); }

private:
    std::string take(size_t count) {
        const size_t taken = count < left_ ? count : left_;
        std::string result(data_, taken);
        data_ += taken;
        left_ -= taken;
        return result;
    }

    const char* data_;
    size_t left_;
};

}  // namespace homeslice::fuzz
