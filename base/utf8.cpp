#include "base/utf8.h"

#include <cstddef>
#include <cstdint>

namespace homeslice {
namespace {

bool isContinuation(uint8_t byte) { return (byte & 0xc0) == 0x80; }

// How long the sequence that `lead` begins is; 0 when it begins none.
size_t sequenceLength(uint8_t lead) {
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead <= 0xdf) return 2;
    if (lead >= 0xe0 && lead <= 0xef) return 3;
    if (lead >= 0xf0 && lead <= 0xf4) return 4;
    return 0;
}

// The second byte shuts out overlong forms, surrogates and what lies above U+10FFFF.
bool secondByteFits(uint8_t lead, uint8_t second) {
    switch (lead) {
        case 0xe0:
            return second >= 0xa0;
        case 0xed:
            return second <= 0x9f;
        case 0xf0:
            return second >= 0x90;
        case 0xf4:
            return second <= 0x8f;
        default:
            return true;
    }
}

// Length of the well-formed character at `at`; 0 when there is none.
size_t characterAt(const std::string& text, size_t at) {
    const auto byte = [&](size_t offset) { return static_cast<uint8_t>(text[at + offset]); };
    const size_t length = sequenceLength(byte(0));
    if (length == 0 || at + length > text.size()) return 0;
    for (size_t i = 1; i < length; ++i) {
        if (!isContinuation(byte(i))) return 0;
    }
    if (length > 1 && !secondByteFits(byte(0), byte(1))) return 0;
    return length;
}

}  // namespace

std::string asUtf8(std::string text) {
    for (size_t at = 0; at < text.size();) {
        const size_t length = characterAt(text, at);
        if (length == 0) text[at] = '?';
        at += length == 0 ? 1 : length;
    }
    return text;
}

}  // namespace homeslice
