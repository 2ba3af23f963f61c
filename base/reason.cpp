#include "base/reason.h"

#include <absl/strings/cord.h>

#include <algorithm>
#include <cstddef>

namespace homeslice {
namespace {

constexpr char kPayload[] = "homeslice/reason";
constexpr int kLastCode = static_cast<int>(absl::StatusCode::kUnauthenticated);

// The word, then keys and values in turn, a zero byte behind each.
std::string encode(const std::string& word, const ErrorFacts& facts) {
    std::string text = word + '\0';
    for (const auto& [key, value] : facts) text += key + '\0' + value + '\0';
    return text;
}

std::string takePart(const std::string& text, size_t& at) {
    const size_t end = std::min(text.find('\0', at), text.size());
    std::string part = text.substr(at, end - at);
    at = end + 1;
    return part;
}

ErrorReason decode(const std::string& text) {
    size_t at = 0;
    ErrorReason reason{takePart(text, at), {}};
    while (at < text.size()) {
        const std::string key = takePart(text, at);
        if (at < text.size()) reason.facts[key] = takePart(text, at);
    }
    return reason;
}

}  // namespace

absl::Status because(const absl::Status& status, const std::string& word, const ErrorFacts& facts) {
    absl::Status result = status;
    result.SetPayload(kPayload, absl::Cord(encode(word, facts)));
    return result;
}

ErrorReason reasonOf(const absl::Status& status) {
    if (status.ok()) return {};
    if (const auto payload = status.GetPayload(kPayload)) return decode(std::string(*payload));
    return {absl::StatusCodeToString(status.code()), {}};
}

std::vector<std::string> reasonWords() {
    std::vector<std::string> words{reason::kCertificateRevoked, reason::kImageNotFound,     reason::kLeaseEnded,
                                   reason::kNodeAway,           reason::kNodeNotFound,      reason::kNotLeading,
                                   reason::kOperationEnded,     reason::kOperationNotFound, reason::kPageTokenInvalid,
                                   reason::kQuotaExceeded,      reason::kRateLimited,       reason::kRequestIdReused,
                                   reason::kRevisionGone,       reason::kRightMissing,      reason::kSliceDeleting,
                                   reason::kSliceExists,        reason::kSliceNotFound,     reason::kSliverNotFound,
                                   reason::kTooManyWatches,     reason::kUnplaceable,       reason::kUserNotFound};
    for (int code = 1; code <= kLastCode; ++code) {
        words.push_back(absl::StatusCodeToString(static_cast<absl::StatusCode>(code)));
    }
    return words;
}

}  // namespace homeslice
