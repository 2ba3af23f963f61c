#include "base/names.h"

#include <sys/random.h>

#include <array>
#include <cstdint>
#include <cstdlib>

#include "base/status.h"

namespace homeslice {

absl::Status checkName(const std::string& what, const std::string& name) {
    const auto bad = [&](const std::string& why) {
        return invalidArgument(what + " '" + name.substr(0, 60) + "' is not valid: " + why);
    };
    if (name.empty()) return bad("it is empty");
    if (name.size() > 40) return bad("it is longer than 40 characters");
    for (const char c : name) {
        const bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        if (!fine) return bad("use lower-case letters, digits and hyphens");
    }
    if (name.front() == '-' || name.back() == '-') return bad("it starts or ends with a hyphen");
    return absl::OkStatus();
}

std::string randomId() {
    std::array<uint8_t, 16> bytes{};
    // getrandom(2) returns whole small requests; it can only fail before the pool is ready, where blocking is right.
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
    constexpr char kDigits[] = "0123456789abcdef";
    std::string id;
    for (const uint8_t byte : bytes) {
        id += kDigits[byte >> 4];
        id += kDigits[byte & 0xf];
    }
    return id;
}

}  // namespace homeslice
