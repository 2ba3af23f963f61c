#include "noded/api/channel.h"

namespace homeslice::api {

std::string targetOf(const Ipv6Address& address, uint16_t port) {
    return "ipv6:[" + address.toString() + "]:" + std::to_string(port);
}

std::optional<Ipv6Address> addressOfPeer(const std::string& peer) {
    if (!peer.starts_with("ipv6:")) return std::nullopt;
    // Brackets come as they are or percent-encoded, by the version of gRPC.
    const auto after = [&peer](const std::string& plain, const std::string& encoded, size_t from, bool behind) {
        for (const std::string& mark : {plain, encoded}) {
            const size_t at = peer.find(mark, from);
            if (at != std::string::npos) return behind ? at + mark.size() : at;
        }
        return std::string::npos;
    };
    const size_t begin = after("[", "%5B", 0, true);
    const size_t end = begin == std::string::npos ? begin : after("]", "%5D", begin, false);
    if (end == std::string::npos) return std::nullopt;
    const auto address = Ipv6Address::parse(peer.substr(begin, end - begin));
    return address.ok() ? std::optional(*address) : std::nullopt;
}

std::shared_ptr<grpc::Channel> makeChannel(const std::string& target, std::chrono::milliseconds first_retry) {
    constexpr int kLastRetryMs = 2000;
    constexpr int kConnectTimeoutMs = 1000;
    constexpr int kKeepaliveMs = 2500;
    constexpr int kKeepaliveTimeoutMs = 2500;
    constexpr int kMaxMessageBytes = 64 * 1024 * 1024;  // a desired picture of 65535 slivers
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, static_cast<int>(first_retry.count()));
    // Despite its name the time that one attempt to connect may take. The default, 20 s, outlasts a lost SYN by far.
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLastRetryMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // no limit
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    // Channels to one target would share the connection, and with it the back-off that an earlier one ran into.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace homeslice::api
