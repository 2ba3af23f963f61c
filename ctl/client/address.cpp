#include "ctl/client/address.h"

#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "base/ipv6.h"
#include "base/status.h"
#include "ctl/client/contexts.h"
#include "leader/controllers.h"

namespace homeslice::ctl {
namespace {

constexpr const char* kLabSocket = "/run/homeslice/lab/sliced.sock";
constexpr const char* kSocket = "/run/homeslice/sliced.sock";

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

absl::StatusOr<std::optional<SystemContext>> chosenContext(const std::string& option) {
    const std::string name = option.empty() ? variable("HOMESLICE_CONTEXT") : option;
    const auto contexts = Contexts::open();
    // Who has no home directory has no contexts either.
    if (!contexts.ok() && name.empty()) return std::nullopt;
    HS_RETURN_IF_ERROR(contexts.status());
    if (name.empty()) return contexts->current();
    HS_ASSIGN_OR_RETURN(SystemContext context, contexts->find(name));
    return context;
}

Endpoint localSocket() {
    const bool lab = ::access(kLabSocket, F_OK) == 0;
    return {std::string("unix:") + (lab ? kLabSocket : kSocket), ""};
}

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

bool isSocket(const std::string& address) { return address.starts_with("unix:"); }

absl::StatusOr<Endpoint> resolveEndpoint(const std::string& controller, const std::string& context) {
    // A context that is named beats the environment's controller.
    std::string address = controller;
    if (address.empty() && context.empty()) address = variable("HOMESLICE_CONTROLLER");
    if (isSocket(address)) return Endpoint{address, ""};
    HS_ASSIGN_OR_RETURN(const auto chosen, chosenContext(context));
    if (chosen) return Endpoint{address.empty() ? chosen->controller : address, chosen->directory};
    if (address.empty()) return localSocket();
    HS_RETURN_IF_ERROR(grpcTargets(address).status());
    return failedPrecondition("a certificate is needed for " + address + ": see slicectl context add --help");
}

absl::StatusOr<std::string> grpcTarget(const std::string& address) {
    if (isSocket(address) && address.size() > 5) return address;
    const size_t colon = address.rfind(':');
    if (colon != std::string::npos && isHost(address.substr(0, colon)) && isPort(address.substr(colon + 1))) {
        return "dns:///" + address;
    }
    return invalidArgument("'" + address + "' is no controller address: use unix:PATH, HOST:PORT or [IPv6]:PORT");
}

absl::StatusOr<std::vector<std::string>> grpcTargets(const std::string& addresses) {
    if (isSocket(addresses)) return std::vector<std::string>{addresses};
    std::vector<std::string> targets;
    for (const std::string& address : leader::splitAddresses(addresses)) {
        if (isSocket(address)) return invalidArgument("'" + addresses + "': a socket cannot be one of several");
        HS_ASSIGN_OR_RETURN(targets.emplace_back(), grpcTarget(address));
    }
    if (targets.empty()) HS_RETURN_IF_ERROR(grpcTarget(addresses).status());
    return targets;
}

}  // namespace homeslice::ctl
