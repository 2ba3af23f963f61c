// Lists of strings in a message: each ends with a NUL, none holds one. Header only, for the small static programs too.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>

namespace homeslice::sys {

inline void packString(std::string& message, const std::string& text) { message.append(text.c_str(), text.size() + 1); }

inline bool isPackable(const std::string& text) { return text.find('\0') == std::string::npos; }

// Hands out the strings of a message in place. Reads nothing beyond the message, whatever it holds.
class PackedStrings {
public:
    PackedStrings(char* data, size_t size) : at_(data), end_(data + size) {}

    // The next string, or nullptr when none is left or the last one has no end.
    char* next() {
        if (at_ == end_) return nullptr;
        void* nul = std::memchr(at_, '\0', static_cast<size_t>(end_ - at_));
        if (nul == nullptr) return nullptr;
        char* text = at_;
        at_ = static_cast<char*>(nul) + 1;
        return text;
    }
    bool atEnd() const { return at_ == end_; }

private:
    char* at_;
    char* end_;
};

}  // namespace homeslice::sys
