#include "ctl/commands/audit_flow.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <memory>

#include "base/clock.h"
#include "base/ipv6.h"
#include "base/status.h"
#include "ctl/client/client.h"
#include "ctl/client/exit_status.h"
#include "ctl/commands/parse.h"
#include "ctl/commands/parse_time.h"

namespace homeslice::ctl {
namespace {

constexpr uint32_t kMostPort = 65535;
constexpr uint32_t kMostFlows = 10'000;  // of a node, in one answer

struct FlowWish {
    std::string address;
    std::string at;
    std::string within = "10s";
    std::string peer;
    std::string port;
    std::string peer_port;
    std::string most = "1000";
};

// IPv4 as ::ffff:a.b.c.d.
absl::StatusOr<std::string> addressBytes(const std::string& option, const std::string& text) {
    in_addr ipv4{};
    const bool is_ipv4 = ::inet_pton(AF_INET, text.c_str(), &ipv4) == 1;
    HS_ASSIGN_OR_RETURN_CTX(const Ipv6Address address, Ipv6Address::parse(is_ipv4 ? "::ffff:" + text : text), option);
    return address.toBytes();
}

absl::StatusOr<uint32_t> portOf(const std::string& option, const std::string& text) {
    return text.empty() ? absl::StatusOr<uint32_t>(0U) : parseCount(option, text, kMostPort);
}

absl::StatusOr<v1::FindFlowsRequest> requestOf(const FlowWish& wish) {
    if (wish.address.empty() || wish.at.empty()) {
        return invalidArgument("--address and --at are needed: whose flows, and when (or: audit log)");
    }
    v1::FindFlowsRequest request;
    HS_ASSIGN_OR_RETURN(*request.mutable_address(), addressBytes("--address", wish.address));
    HS_ASSIGN_OR_RETURN(const Utc::time_point at, parseTime("--at", wish.at, Utc::now()));
    HS_ASSIGN_OR_RETURN(const std::chrono::seconds within, parseDuration("--within", wish.within));
    request.set_from_us(std::max<int64_t>(0, toUnixMicros(at - within)));
    request.set_until_us(toUnixMicros(at + within));
    if (!wish.peer.empty()) {
        HS_ASSIGN_OR_RETURN(*request.mutable_peer(), addressBytes("--peer", wish.peer));
    }
    HS_ASSIGN_OR_RETURN(const uint32_t port, portOf("--port", wish.port));
    HS_ASSIGN_OR_RETURN(const uint32_t peer_port, portOf("--peer-port", wish.peer_port));
    HS_ASSIGN_OR_RETURN(const uint32_t most, parseCount("--most", wish.most, kMostFlows));
    request.set_port(port);
    request.set_peer_port(peer_port);
    request.set_most(most);
    return request;
}

std::string protocolName(uint32_t protocol) {
    switch (protocol) {
        case IPPROTO_TCP:
            return "tcp";
        case IPPROTO_UDP:
            return "udp";
        case IPPROTO_ICMPV6:
            return "icmpv6";
        case IPPROTO_ICMP:
            return "icmp";
        default:
            return std::to_string(protocol);
    }
}

// Null for many.
Value addressOf(const std::string& bytes) {
    const auto address = Ipv6Address::fromBytes(bytes);
    return address.ok() ? Value(address->toString()) : Value();
}

std::string endOf(const Value& address, uint32_t port) {
    if (address.is_null()) return "many";
    const std::string text = address.get<std::string>();
    return port == 0 ? text : "[" + text + "]:" + std::to_string(port);
}

Value flowValue(const v1::Flow& flow, const std::string& node) {
    const Value source = addressOf(flow.source());
    const Value destination = addressOf(flow.destination());
    return {{"sliver", flow.slice().empty() ? "" : flow.slice() + "/" + std::to_string(flow.index())},
            {"slice", flow.slice()},
            {"user", flow.user()},
            {"node", node},
            {"protocol", protocolName(flow.protocol())},
            {"from", endOf(source, flow.source_port())},
            {"to", endOf(destination, flow.destination_port())},
            {"home_address", addressOf(flow.home_address())},
            {"source", source},
            {"source_port", flow.source_port()},
            {"destination", destination},
            {"destination_port", flow.destination_port()},
            {"first", formatUtc(fromUnixMicros(flow.first_us()))},
            {"last", formatUtc(fromUnixMicros(flow.last_us()))},
            {"packets", flow.packets()},
            {"bytes", flow.bytes()}};
}

const std::vector<Column>& flowColumns() {
    static const std::vector<Column> kColumns{
        {.header = "sliver", .field = "sliver"},   {.header = "user", .field = "user"},
        {.header = "node", .field = "node"},       {.header = "protocol", .field = "protocol"},
        {.header = "from", .field = "from"},       {.header = "to", .field = "to"},
        {.header = "first", .field = "first"},     {.header = "last", .field = "last"},
        {.header = "packets", .field = "packets"}, {.header = "bytes", .field = "bytes", .show = showBytes}};
    return kColumns;
}

// Partial when a node was not heard, and nothing found is only said of those that were.
absl::StatusOr<int> find(Context& context, const FlowWish& wish) {
    HS_ASSIGN_OR_RETURN(const v1::FindFlowsRequest request, requestOf(wish));
    HS_ASSIGN_OR_RETURN(Client* const client, context.client());
    HS_ASSIGN_OR_RETURN(const v1::FlowReport report, client->findFlows(request));
    Value rows = Value::array();
    for (const v1::NodeFlows& node : report.nodes()) {
        for (const v1::Flow& flow : node.flows()) rows.push_back(flowValue(flow, node.node()));
        if (node.truncated()) context.io().err << "node " << node.node() << " has more: see --most, --within\n";
    }
    for (const std::string& node : report.not_asked()) context.io().err << "not asked: " << node << '\n';
    if (rows.empty() && report.not_asked().empty()) {
        return notFound("nothing was sent from " + wish.address + " at that time, as far as the nodes remember");
    }
    printList(context.io(), context.format(), flowColumns(), rows);
    return report.not_asked().empty() ? kExitOk : kExitPartial;
}

void declare(CLI::App& app, Context& context) {
    const auto wish = std::make_shared<FlowWish>();
    app.add_option("--address", wish->address, "A sliver's or slice's home address, or a node's care-of address");
    app.add_option("--at", wish->at, "When: 2026-01-02T03:04:05Z, or how long ago, like 10m")->type_name("TIME");
    app.add_option("--within", wish->within, "As exactly as the time is known")
        ->type_name("TIME")
        ->capture_default_str();
    app.add_option("--peer", wish->peer, "Only flows to this address")->type_name("ADDRESS");
    app.add_option("--port", wish->port, "Only from this port")->type_name("PORT");
    app.add_option("--peer-port", wish->peer_port, "Only to this port")->type_name("PORT");
    app.add_option("--most", wish->most, "So many of the newest of each node")->type_name("N")->capture_default_str();
    context.setAction(app, CommandTail::none, [&context, wish] { return find(context, *wish); });
}

}  // namespace

void registerAuditFlow(CLI::App& audit, Context& context) {
    declare(audit, context);
    CLI::App* const flow = audit.add_subcommand("flow", "Show whose sliver sent what from an address at a time");
    declare(*flow, context);
    flow->footer("Example: slicectl audit flow --address fd51:1ce:0:1::1:2 --at 10m --peer 2001:db8::7");
}

}  // namespace homeslice::ctl
