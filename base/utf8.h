// Text for protobuf's string fields, which break the whole message when they are not UTF-8.
#pragma once

#include <string>

namespace homeslice {

// `text` with '?' for each byte that is no part of well-formed UTF-8 (RFC 3629).
std::string asUtf8(std::string text);

}  // namespace homeslice
