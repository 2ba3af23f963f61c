// Protobuf messages out of the bytes of a fuzz target.
#pragma once

#include <google/protobuf/stubs/logging.h>

#include <optional>
#include <string>

namespace homeslice::fuzz {

// Nothing when the bytes are no such message. Protobuf's own words about that are not shown.
template <typename Message>
std::optional<Message> parsed(const std::string& bytes) {
    [[maybe_unused]] static const auto kEarlier = google::protobuf::SetLogHandler(nullptr);
    Message message;
    if (!message.ParseFromString(bytes)) return std::nullopt;
    return message;
}

}  // namespace homeslice::fuzz
