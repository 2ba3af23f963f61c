#include "noded/api/channel.h"

#include <utility>

#include "base/ipv4.h"
#include "base/status.h"

namespace homeslice::api {
namespace {

std::string percentDecoded(const std::string& text) {
    const auto nibble = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    std::string decoded;
    for (size_t i = 0; i < text.size(); ++i) {
        const int high = text[i] == '%' && i + 2 < text.size() ? nibble(text[i + 1]) : -1;
        const int low = high >= 0 ? nibble(text[i + 2]) : -1;
        if (low < 0) {
            decoded += text[i];
            continue;
        }
        decoded += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return decoded;
}

}  // namespace

std::string targetOf(const Ipv6Address& address, uint16_t port) {
    return (isIpv4(address) ? "ipv4:" : "ipv6:") + endpointText(address, port);
}

absl::StatusOr<Ipv6Address> addressOfPeer(const std::string& peer) {
    const std::string scheme = "ipv6:[";
    const std::string ipv4_scheme = "ipv4:";
    const std::string text = percentDecoded(peer);
    if (const size_t colon = text.rfind(':'); text.starts_with(ipv4_scheme) && colon >= ipv4_scheme.size()) {
        return parseAddress(text.substr(ipv4_scheme.size(), colon - ipv4_scheme.size()));
    }
    const size_t end = text.find(']');
    if (!text.starts_with(scheme) || end == std::string::npos) {
        return invalidArgument("peer \"" + text + "\" is no IP peer");
    }
    std::string address = text.substr(scheme.size(), end - scheme.size());
    address = address.substr(0, address.find('%'));
    return Ipv6Address::parse(address);
}

std::shared_ptr<grpc::Channel> makeChannel(const tls::Credentials& credentials, const std::string& target,
                                           const std::string& server_name, std::chrono::milliseconds first_retry) {
    constexpr int kLastRetryMs = 2000;
    constexpr int kConnectTimeoutMs = 5000;
    constexpr int kKeepaliveMs = 2500;
    constexpr int kKeepaliveTimeoutMs = 2500;
    constexpr int kMaxMessageBytes = 64 * 1024 * 1024;  // a desired picture of 65535 slivers
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, static_cast<int>(first_retry.count()));
    // Despite its name the time that one attempt to connect may take: two lost SYNs, or a handshake of TLS on a machine
    // that is slow or busy. The default is 20 s.
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLastRetryMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // no limit
    // Channels to one target would share the connection, and with it the back-off that an earlier one ran into.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    return credentials.channel(target, server_name, arguments);
}

std::shared_ptr<leader::Controllers> controllersOf(const std::string& list,
                                                   std::shared_ptr<tls::Credentials> credentials) {
    static constexpr std::chrono::milliseconds kFirstRetry{100};
    return std::make_shared<leader::Controllers>(
        leader::splitAddresses(list), [credentials = std::move(credentials)](const std::string& address) {
            return makeChannel(*credentials, address, pki::kControllerName, kFirstRetry);
        });
}

}  // namespace homeslice::api
