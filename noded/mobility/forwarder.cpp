#include "noded/mobility/forwarder.h"

#include <array>
#include <cstring>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "base/ipv4.h"
#include "base/log.h"
#include "base/status.h"
#include "noded/mobility/binding_lines.h"
#include "noded/mobility/care_of_set.h"
#include "noded/mobility/flow_memory.h"
#include "noded/mobility/flow_records_map.h"
#include "noded/mobility/nat_map.h"
#include "noded/mobility/nearest_sets.h"
#include "noded/mobility/outbound.h"
#include "noded/mobility/port_table.h"
#include "noded/mobility/programs.h"
#include "noded/mobility/shared_sets.h"
#include "noded/mobility/steering.h"

namespace homeslice::mobility {
namespace {

constexpr __u32 kNode = 0;
constexpr uint32_t kIpv6MinimumMtu = 1280;

uint32_t overheadOf(const ForwarderConfig& config) {
    return isIpv4(config.care_of_address) ? HS_TUNNEL_OVERHEAD_IPV4 : HS_TUNNEL_OVERHEAD;
}

// HS_NODE_* that hang on the configuration alone.
uint32_t configuredFlags(const ForwarderConfig& config) {
    uint32_t flags = 0;
    if (config.home_agent) return flags;
    if (config.reverse_tunnel || isIpv4(config.care_of_address)) flags |= HS_NODE_REVERSE_TUNNEL;
    if (config.outbound) flags |= HS_NODE_OUTBOUND;
    return flags;
}

hs_address maskOf(uint8_t length) {
    std::array<uint8_t, 16> bytes{};
    bytes.fill(0xff);
    return toWire(Ipv6Prefix(Ipv6Address(bytes), length).address());
}

uint8_t lengthOf(const hs_address& mask) {
    int length = 0;
    for (const uint32_t word : mask.words) length += __builtin_popcount(word);
    return static_cast<uint8_t>(length);
}

hs_saved_key savedKey(const BindingKey& key) {
    return {.home_address = toWire(key.home_address), .binding_id = key.binding_id, .reserved = 0};
}

Binding fromSaved(const hs_saved_key& key, const hs_saved_binding& saved) {
    return {.key = {.home_address = fromWire(key.home_address), .binding_id = key.binding_id},
            .care_of_address = fromWire(saved.care_of),
            .terms = {.priority = saved.priority,
                      .weight = saved.weight,
                      .draining = saved.draining != 0,
                      .balance = static_cast<Balance>(saved.balance)},
            .sequence = saved.sequence,
            .generation = saved.generation,
            .lifetime_s = saved.lifetime_s,
            .expires = Monotonic::now() + std::chrono::seconds(saved.lifetime_s),
            .registered = fromUnixMicros(static_cast<int64_t>(saved.registered_us))};
}

class BpfForwarder final : public Forwarder {
public:
    BpfForwarder(const ForwarderConfig& config, Programs programs, sys::Netlink netlink, const sys::Link& uplink)
        : config_(config),
          programs_(std::move(programs)),
          netlink_(std::move(netlink)),
          sets_(programs_),
          ports_(programs_, sets_),
          sliver_mtu_(uplink.mtu - overheadOf(config)) {}

    // On a home agent, before all else.
    absl::Status openLines(const Ipv6Prefix& prefix);

    uint32_t sliverMtu() const override { return sliver_mtu_; }
    bool givesIpv4() const override { return config_.outbound; }
    absl::Status closePort(const std::string& link_name) override;
    absl::Status addPort(const SliverPort& port) override;
    absl::Status removePort(const SliverPort& port) override;
    absl::Status setServing(const Ipv6Address& home_address, bool serving) override {
        const std::lock_guard lock(mutex_);
        return ports_.setServing(home_address, serving);
    }
    absl::Status setCareOf(const Ipv6Address& home_address, const CareOfSet& care_of) override;
    absl::StatusOr<std::vector<Ipv6Address>> boundAddresses() override;
    absl::Status setHomePrefix(const Ipv6Prefix& prefix, const Ipv6Address& home_agent) override;
    absl::Status setHomeAgent(const Ipv6Address& home_agent) override;
    absl::Status announceHomePrefix(bool announce) override;
    absl::Status setTrustedPeers(const std::vector<Ipv6Address>& peers) override;
    absl::Status guard(const Ipv6Address& address) override;
    absl::Status setNatBinding(const Ipv6Address& care_of_address, const std::optional<UdpEndpoint>& seen) override {
        const std::lock_guard lock(mutex_);
        return putNatBinding(programs_, care_of_address, seen);
    }
    std::map<Ipv6Address, UdpEndpoint> natBindings() override {
        const std::lock_guard lock(mutex_);
        return readNatBindings(programs_);
    }
    absl::Status saveBinding(const Binding& binding) override;
    absl::Status forgetBinding(const BindingKey& key) override;
    absl::StatusOr<std::vector<Binding>> savedBindings() override;
    absl::StatusOr<std::vector<FlowRecord>> takeFlows(Monotonic::time_point since, Monotonic::time_point ended_before,
                                                      std::chrono::seconds longest) override;
    // Without the lock: the programs write to this map all the while.
    std::vector<ChosenFlow> flows() override { return rememberedFlows(programs_.flows()); }
    absl::Status rememberFlow(const ChosenFlow& flow, bool earlier) override {
        return mobility::rememberFlow(programs_.flows(), flow, earlier);
    }
    int chosenFlows() const override { return programs_.chosenFlowsFd(); }
    int strays() const override { return programs_.straysFd(); }
    absl::StatusOr<ForwarderCounters> counters() override { return programs_.counters(); }
    absl::StatusOr<BindingCounters> countersOf(const BindingKey& binding) override;
    std::vector<Ipv6Address> measuredAddresses() override {
        const std::lock_guard lock(mutex_);
        return nearest_.addresses();
    }
    absl::Status setRoundTrip(const Ipv6Address& care_of_address,
                              std::optional<std::chrono::microseconds> round_trip) override;
    std::optional<std::chrono::microseconds> roundTripTo(const Ipv6Address& care_of_address) override {
        const std::lock_guard lock(mutex_);
        return nearest_.roundTripTo(care_of_address);
    }

private:
    // Holds the lock while maps change, and tells the programs in the end, however far the change came.
    class Change {
    public:
        explicit Change(BpfForwarder& forwarder) : lock_(forwarder.mutex_), programs_(forwarder.programs_) {}
        ~Change() {
            if (const absl::Status told = programs_.forgetPaths(); !told.ok())
                logError("packets may go on as they went before a change: {}", messageOf(told));
        }
        Change(const Change&) = delete;
        Change& operator=(const Change&) = delete;

    private:
        const std::lock_guard<std::mutex> lock_;
        const Programs& programs_;
    };

    absl::Status putCareOf(const Ipv6Address& home_address, const CareOfSet& care_of);
    void bindLines();
    absl::Status forgetPrefix(const hs_node& node);

    const ForwarderConfig config_;
    Programs programs_;
    std::mutex mutex_;  // guards all below, and every change to a map
    sys::Netlink netlink_;
    const SharedSets sets_;
    std::optional<BindingLines> lines_;  // on home agents
    NearestSets nearest_;
    PortTable ports_;
    std::set<int> closed_;  // links that have the programs and are no ports yet
    const uint32_t sliver_mtu_;
};

absl::Status BpfForwarder::closePort(const std::string& link_name) {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const int link, netlink_.index(link_name));
    HS_RETURN_IF_ERROR(programs_.attachPort(link));
    closed_.insert(link);
    return absl::OkStatus();
}

absl::Status BpfForwarder::addPort(const SliverPort& port) {
    const Change change(*this);
    HS_ASSIGN_OR_RETURN(const int link, netlink_.index(port.link_name));
    HS_RETURN_IF_ERROR_CTX(ports_.add(port, static_cast<uint32_t>(link)), "port " + port.link_name);
    if (closed_.erase(link) == 0) HS_RETURN_IF_ERROR(programs_.attachPort(link));
    return ports_.letIn(port, static_cast<uint32_t>(link));
}

absl::Status BpfForwarder::removePort(const SliverPort& port) {
    const Change change(*this);
    HS_RETURN_IF_ERROR_CTX(ports_.remove(port), "port " + port.link_name);
    const auto link = netlink_.link(port.link_name);
    if (link.ok()) return detachPrograms(link->index);
    return link.status().code() == absl::StatusCode::kNotFound ? absl::OkStatus() : link.status();
}

absl::Status BpfForwarder::setCareOf(const Ipv6Address& home_address, const CareOfSet& care_of) {
    const Change change(*this);
    return putCareOf(home_address, nearest_.set(home_address, care_of));
}

absl::Status BpfForwarder::setRoundTrip(const Ipv6Address& care_of_address,
                                        std::optional<std::chrono::microseconds> round_trip) {
    const Change change(*this);
    for (const auto& [home_address, care_of] : nearest_.measured(care_of_address, round_trip))
        HS_RETURN_IF_ERROR(putCareOf(home_address, care_of));
    return absl::OkStatus();
}

// With the lock held.
absl::Status BpfForwarder::putCareOf(const Ipv6Address& home_address, const CareOfSet& care_of) {
    const hs_address key = toWire(home_address);
    const hs_set_key set_key{.home_address = key, .scope = HS_SCOPE_CARE_OF};
    const bool plain = !care_of.members.empty() && isPlain(care_of);
    const bool in_line = plain && lines_ && lines_->takes(toWire(care_of.members[0].address));
    // What is not plain has no word, before `bindings` says so. What the programs count in `bindings` between the next
    // line and the write below is lost, a packet or two.
    const hs_counts counted = lines_ && !in_line ? lines_->unbind(key) : hs_counts{};
    hs_binding binding = programs_.bindings().get(key).value_or(hs_binding{});
    const bool had_set = binding.shared != 0;
    if (care_of.members.empty()) {
        HS_RETURN_IF_ERROR(programs_.bindings().erase(key));
        return sets_.erase(set_key);
    }
    // The set is there before the binding points to it, and until no binding does.
    if (!plain) {
        std::vector<hs_member> members;
        for (const CareOf& member : care_of.members) members.push_back(wireMember(member));
        HS_RETURN_IF_ERROR(sets_.put(set_key, std::move(members), care_of.balance));
    }
    binding.counts.packets += counted.packets;
    binding.counts.bytes += counted.bytes;
    binding.care_of = toWire(care_of.members[0].address);
    binding.shared = plain ? 0 : 1;
    HS_RETURN_IF_ERROR(programs_.bindings().put(key, binding));
    if (in_line) lines_->bind(key, binding.care_of);
    return plain && had_set ? sets_.erase(set_key) : absl::OkStatus();
}

absl::Status BpfForwarder::openLines(const Ipv6Prefix& prefix) {
    const Change change(*this);
    HS_ASSIGN_OR_RETURN(auto lines, BindingLines::open(programs_, prefix));
    lines_.emplace(std::move(lines));
    bindLines();
    return absl::OkStatus();
}

// As `bindings` says: a noded that died may have got no further than there. With the lock held.
void BpfForwarder::bindLines() {
    programs_.bindings().forEach([&](const hs_address& home_address, const hs_binding& binding) {
        if (binding.shared == 0 && lines_->takes(binding.care_of))
            lines_->bind(home_address, binding.care_of);
        else
            lines_->unbind(home_address);
    });
}

absl::StatusOr<std::vector<Ipv6Address>> BpfForwarder::boundAddresses() {
    const std::lock_guard lock(mutex_);
    std::vector<Ipv6Address> result;
    for (const hs_address& key : programs_.bindings().keys()) result.push_back(fromWire(key));
    return result;
}

absl::Status BpfForwarder::forgetPrefix(const hs_node& node) {
    const Ipv6Prefix prefix(fromWire(node.home_prefix), lengthOf(node.home_prefix_mask));
    HS_RETURN_IF_ERROR(unsteerHomePrefix(netlink_, prefix, sliver_mtu_));
    return config_.home_agent ? netlink_.deleteRoute(prefix) : absl::OkStatus();
}

absl::Status BpfForwarder::setHomePrefix(const Ipv6Prefix& prefix, const Ipv6Address& home_agent) {
    if (prefix.length() == 0) return invalidArgument("a home prefix of length 0");
    const Change change(*this);
    hs_node node = programs_.node().get(kNode).value_or(hs_node{});
    const hs_node before = node;
    node.home_prefix = toWire(prefix.address());
    node.home_prefix_mask = maskOf(prefix.length());
    node.home_agent = toWire(home_agent);
    node.flags = HS_NODE_HAS_PREFIX | configuredFlags(config_);
    if (config_.home_agent) node.flags |= HS_NODE_HOME_AGENT;
    if (!config_.home_agent && !home_agent.isUnspecified()) node.flags |= HS_NODE_HAS_HOME_AGENT;

    const bool moved = std::memcmp(&before.home_prefix, &node.home_prefix, 2 * sizeof(hs_address)) != 0;
    if (moved && (before.flags & HS_NODE_HAS_PREFIX) != 0) HS_RETURN_IF_ERROR(forgetPrefix(before));
    if (config_.home_agent) HS_RETURN_IF_ERROR(refuseUnbound(prefix));
    HS_RETURN_IF_ERROR(steerHomePrefix(netlink_, prefix, sliver_mtu_));
    if (config_.outbound) HS_RETURN_IF_ERROR(translateOutbound(prefix));
    if (lines_) lines_->setPrefix(prefix);
    HS_RETURN_IF_ERROR(programs_.node().put(kNode, node));
    if (moved && lines_) bindLines();
    return absl::OkStatus();
}

absl::Status BpfForwarder::setHomeAgent(const Ipv6Address& home_agent) {
    const Change change(*this);
    hs_node node = programs_.node().get(kNode).value_or(hs_node{});
    node.home_agent = toWire(home_agent);
    node.flags |= HS_NODE_HAS_HOME_AGENT;
    return programs_.node().put(kNode, node);
}

absl::Status BpfForwarder::announceHomePrefix(bool announce) {
    const std::lock_guard lock(mutex_);
    const hs_node node = programs_.node().get(kNode).value_or(hs_node{});
    if ((node.flags & HS_NODE_HAS_PREFIX) == 0) return absl::OkStatus();
    const Ipv6Prefix prefix(fromWire(node.home_prefix), lengthOf(node.home_prefix_mask));
    return announce ? announcePrefix(netlink_, prefix) : netlink_.deleteRoute(prefix);
}

absl::Status BpfForwarder::setTrustedPeers(const std::vector<Ipv6Address>& peers) {
    const Change change(*this);
    const auto map = programs_.trustedPeers();
    const std::set<Ipv6Address> wanted(peers.begin(), peers.end());
    for (const Ipv6Address& peer : wanted) HS_RETURN_IF_ERROR(map.put(toWire(peer), 1));
    for (const hs_address& key : map.keys())
        if (!wanted.contains(fromWire(key))) HS_RETURN_IF_ERROR(map.erase(key));
    return absl::OkStatus();
}

absl::Status BpfForwarder::guard(const Ipv6Address& address) {
    const std::lock_guard lock(mutex_);
    return programs_.guarded().put(toWire(address), 1);
}

absl::Status BpfForwarder::saveBinding(const Binding& binding) {
    const std::lock_guard lock(mutex_);
    return programs_.savedBindings().put(savedKey(binding.key),
                                         {.generation = binding.generation,
                                          .registered_us = static_cast<uint64_t>(toUnixMicros(binding.registered)),
                                          .care_of = toWire(binding.care_of_address),
                                          .lifetime_s = binding.lifetime_s,
                                          .sequence = binding.sequence,
                                          .weight = binding.terms.weight,
                                          .priority = binding.terms.priority,
                                          .draining = binding.terms.draining,
                                          .balance = static_cast<uint8_t>(binding.terms.balance),
                                          .reserved = {}});
}

absl::Status BpfForwarder::forgetBinding(const BindingKey& key) {
    const std::lock_guard lock(mutex_);
    return programs_.savedBindings().erase(savedKey(key));
}

absl::StatusOr<std::vector<Binding>> BpfForwarder::savedBindings() {
    const std::lock_guard lock(mutex_);
    std::vector<Binding> result;
    const auto map = programs_.savedBindings();
    for (const hs_saved_key& key : map.keys())
        if (const auto saved = map.get(key)) result.push_back(fromSaved(key, *saved));
    return result;
}

absl::StatusOr<std::vector<FlowRecord>> BpfForwarder::takeFlows(Monotonic::time_point since,
                                                                Monotonic::time_point ended_before,
                                                                std::chrono::seconds longest) {
    // Without the lock: nobody else writes to these maps, and there may be much to read.
    HS_ASSIGN_OR_RETURN(auto records, takeFlowRecords(programs_.auditedFlows(), since, ended_before, longest));
    HS_ASSIGN_OR_RETURN(const auto rest, takeFlowRecords(programs_.auditedRest(), since, ended_before, longest));
    records.insert(records.end(), rest.begin(), rest.end());
    return records;
}

absl::StatusOr<BindingCounters> BpfForwarder::countersOf(const BindingKey& key) {
    const std::lock_guard lock(mutex_);
    const hs_address home_address = toWire(key.home_address);
    const hs_shared_key shared{.home_address = home_address, .id = key.binding_id};
    hs_counts in_line = lines_ ? lines_->counts(home_address) : hs_counts{};
    while (true) {
        const auto binding = programs_.bindings().get(home_address);
        if (!binding) return BindingCounters{};
        const hs_counts counts =
            binding->shared != 0 ? programs_.sharedCounts().get(shared).value_or(hs_counts{}) : binding->counts;
        // Less than before: the programs have just moved it on.
        const hs_counts now = lines_ ? lines_->counts(home_address) : hs_counts{};
        if (now.packets >= in_line.packets)
            return BindingCounters{.packets = counts.packets + now.packets, .bytes = counts.bytes + now.bytes};
        in_line = now;
    }
}

// Keeps a prefix that an earlier noded was told, so that packets flow before the controller speaks again.
absl::Status describeNode(const Programs& programs, const ForwarderConfig& config, const sys::Link& uplink) {
    hs_node node = programs.node().get(kNode).value_or(hs_node{});
    const uint32_t heard = HS_NODE_HOME_AGENT | HS_NODE_HAS_PREFIX | HS_NODE_HAS_HOME_AGENT;
    node.flags = (node.flags & heard) | configuredFlags(config);
    node.overhead = overheadOf(config);
    node.care_of = toWire(config.care_of_address);
    node.uplink = static_cast<uint32_t>(uplink.index);
    node.sliver_mtu = uplink.mtu - node.overhead;
    return programs.node().put(kNode, node);
}

// Of length 0 when none is known.
Ipv6Prefix knownPrefix(const Programs& programs) {
    const hs_node node = programs.node().get(kNode).value_or(hs_node{});
    return (node.flags & HS_NODE_HAS_PREFIX) == 0
               ? Ipv6Prefix()
               : Ipv6Prefix(fromWire(node.home_prefix), lengthOf(node.home_prefix_mask));
}

absl::StatusOr<std::unique_ptr<Forwarder>> openForwarder(const ForwarderConfig& config) {
    HS_ASSIGN_OR_RETURN(sys::Netlink netlink, sys::Netlink::open());
    HS_ASSIGN_OR_RETURN(const sys::Link uplink, netlink.link(config.uplink));
    if (uplink.mtu < kIpv6MinimumMtu + overheadOf(config))
        return failedPrecondition("the MTU of " + config.uplink + " leaves slivers less than IPv6 needs");
    HS_ASSIGN_OR_RETURN(Programs programs, Programs::load(config.pin_directory, config.home_agent));
    const bool translated = (programs.node().get(kNode).value_or(hs_node{}).flags & HS_NODE_OUTBOUND) != 0;
    HS_RETURN_IF_ERROR(describeNode(programs, config, uplink));
    HS_RETURN_IF_ERROR(programs.forgetPaths());
    HS_RETURN_IF_ERROR(enableForwarding(config.uplink));
    HS_RETURN_IF_ERROR(installRefusals(netlink, uplink.index, uplink.mtu - overheadOf(config)));
    const Ipv6Prefix known = knownPrefix(programs);
    if (config.outbound) HS_RETURN_IF_ERROR(translateOutbound(known));
    if (translated && !config.outbound) HS_RETURN_IF_ERROR(stopTranslating());
    HS_RETURN_IF_ERROR(programs.attachUplink(uplink.index));
    HS_RETURN_IF_ERROR(unpinMaps(config.pin_directory, "v" + std::to_string(HS_LAYOUT_VERSION)));
    auto forwarder = std::make_unique<BpfForwarder>(config, std::move(programs), std::move(netlink), uplink);
    if (config.home_agent) HS_RETURN_IF_ERROR(forwarder->openLines(known));
    return forwarder;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Forwarder>> Forwarder::open(const ForwarderConfig& config) {
    HS_ASSIGN_OR_RETURN_CTX(auto forwarder, openForwarder(config), "data plane on " + config.uplink);
    return forwarder;
}

absl::Status removeForwarder(const ForwarderConfig& config) {
    HS_ASSIGN_OR_RETURN(sys::Netlink netlink, sys::Netlink::open());
    if (const auto uplink = netlink.link(config.uplink); uplink.ok()) {
        HS_RETURN_IF_ERROR(detachPrograms(uplink->index));
        HS_RETURN_IF_ERROR(removeRefusals(netlink, uplink->mtu - overheadOf(config)));
    }
    HS_RETURN_IF_ERROR(stopTranslating());
    return unpinMaps(config.pin_directory, "");
}

}  // namespace homeslice::mobility
