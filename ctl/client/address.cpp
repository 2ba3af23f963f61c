#include "ctl/client/address.h"

#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>

#include "base/ipv6.h"
#include "base/status.h"

namespace homeslice::ctl {
namespace {

constexpr const char* kLabSocket = "/run/homeslice/lab/sliced.sock";
constexpr const char* kSocket = "/run/homeslice/sliced.sock";

bool isPort(const std::string& text) {
    uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc() && end == text.data() + text.size() && port != 0;
}

bool isHost(const std::string& text) {
    if (text.starts_with('[') && text.ends_with(']')) {
        return Ipv6Address::parse(text.substr(1, text.size() - 2)).ok();
    }
    constexpr const char* kHostCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    return !text.empty() && text.find_first_not_of(kHostCharacters) == std::string::npos;
}

}  // namespace

std::string resolveController(const std::string& option) {
    if (!option.empty()) return option;
    const char* environment = std::getenv("HOMESLICE_CONTROLLER");
    if (environment != nullptr && *environment != '\0') return environment;
    const bool lab = ::access(kLabSocket, F_OK) == 0;
    return std::string("unix:") + (lab ? kLabSocket : kSocket);
}

absl::StatusOr<std::string> grpcTarget(const std::string& address) {
    if (address.starts_with("unix:") && address.size() > 5) return address;
    const size_t colon = address.rfind(':');
    if (colon != std::string::npos && isHost(address.substr(0, colon)) && isPort(address.substr(colon + 1))) {
        return "dns:///" + address;
    }
    return invalidArgument("'" + address + "' is no controller address: use unix:PATH, HOST:PORT or [IPv6]:PORT");
}

}  // namespace homeslice::ctl
