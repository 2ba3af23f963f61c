#include "noded/mobility/programs.h"

#include <bpf/libbpf.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "forwarder.skel.h"

namespace homeslice::mobility {
namespace {

constexpr uint32_t kHandle = 1;
constexpr uint32_t kPriority = 0x4853;

int logLibbpf(libbpf_print_level level, const char* format, va_list arguments) {
    if (level == LIBBPF_DEBUG || !logEnabled(LogLevel::debug)) return 0;
    std::array<char, 1024> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    logDebug("libbpf: {}", text.data());
    return 0;
}

std::string layoutDirectory() { return "v" + std::to_string(HS_LAYOUT_VERSION); }

// What hangs on the role, before loading.
void configure(const forwarder_bpf& skeleton, bool home_agent) {
    skeleton.rodata->tells_choices = home_agent ? 1 : 0;
    skeleton.rodata->has_binding_lines = home_agent ? 1 : 0;
    if (home_agent) {
        bpf_map__set_max_entries(skeleton.maps.flows, HS_FLOWS_HOME_AGENT);
    } else {
        bpf_map__set_max_entries(skeleton.maps.chosen_flows, HS_SMALLEST_RING_BYTES);
        bpf_map__set_max_entries(skeleton.maps.binding_lines, HS_LINES_OF_A_PAGE);
        bpf_map__set_max_entries(skeleton.maps.displacements, HS_LINES_OF_A_PAGE);
        bpf_map__set_max_entries(skeleton.maps.care_ofs, 1);
    }
}

absl::Status setPinPaths(const forwarder_bpf& skeleton, const std::string& directory) {
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, skeleton.obj) {
        if (bpf_map__is_internal(map)) continue;
        const std::string path = directory + "/" + bpf_map__name(map);
        if (const int error = bpf_map__set_pin_path(map, path.c_str()); error != 0)
            return errnoStatus(-error, "pin BPF map at " + path);
    }
    return absl::OkStatus();
}

struct CloseSkeleton {
    void operator()(forwarder_bpf* skeleton) const { forwarder_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<forwarder_bpf, CloseSkeleton>;

absl::StatusOr<Skeleton> loadPinned(const std::string& directory, bool home_agent) {
    HS_RETURN_IF_ERROR(makeDirectories(directory, 0700));
    Skeleton skeleton(forwarder_bpf__open());
    if (!skeleton) return errnoStatus(errno, "open the BPF object");
    configure(*skeleton, home_agent);
    HS_RETURN_IF_ERROR(setPinPaths(*skeleton, directory));
    if (const int error = forwarder_bpf__load(skeleton.get()); error != 0)
        return errnoStatus(-error, "load the BPF programs");
    return skeleton;
}

absl::Status attach(int link, bpf_tc_attach_point point, int program) {
    bpf_tc_hook hook{};
    hook.sz = sizeof(hook);
    hook.ifindex = link;
    hook.attach_point = point;
    const std::string what = "link " + std::to_string(link);
    if (const int error = bpf_tc_hook_create(&hook); error != 0 && error != -EEXIST)
        return errnoStatus(-error, "add clsact to " + what);
    bpf_tc_opts options{};
    options.sz = sizeof(options);
    options.prog_fd = program;
    options.flags = BPF_TC_F_REPLACE;
    options.handle = kHandle;
    options.priority = kPriority;
    if (const int error = bpf_tc_attach(&hook, &options); error != 0)
        return errnoStatus(-error, "attach a BPF program to " + what);
    return absl::OkStatus();
}

absl::Status detach(int link, bpf_tc_attach_point point) {
    bpf_tc_hook hook{};
    hook.sz = sizeof(hook);
    hook.ifindex = link;
    hook.attach_point = point;
    bpf_tc_opts options{};
    options.sz = sizeof(options);
    options.handle = kHandle;
    options.priority = kPriority;
    const int error = bpf_tc_detach(&hook, &options);
    // EINVAL: no clsact there.
    if (error == 0 || error == -ENOENT || error == -EINVAL || error == -ENODEV) return absl::OkStatus();
    return errnoStatus(-error, "detach a BPF program from link " + std::to_string(link));
}

template <typename Key, typename Value>
BpfMap<Key, Value> viewOf(bpf_map* map) {
    return BpfMap<Key, Value>(bpf_map__fd(map), bpf_map__name(map));
}

}  // namespace

Programs::Programs(forwarder_bpf* skeleton) : skeleton_(skeleton) {}
Programs::Programs(Programs&& other) noexcept : skeleton_(std::exchange(other.skeleton_, nullptr)) {}
Programs& Programs::operator=(Programs&& other) noexcept {
    std::swap(skeleton_, other.skeleton_);
    return *this;
}
Programs::~Programs() { forwarder_bpf__destroy(skeleton_); }

absl::StatusOr<Programs> Programs::load(const std::string& pin_directory, bool home_agent) {
    libbpf_set_print(logLibbpf);
    const std::string directory = pin_directory + "/" + layoutDirectory();
    auto skeleton = loadPinned(directory, home_agent);
    if (!skeleton.ok() && errnoOf(skeleton.status()) == EINVAL) {
        logWarning("the pinned BPF maps in {} do not fit, replacing them", directory);
        HS_RETURN_IF_ERROR(unpinMaps(pin_directory, ""));
        skeleton = loadPinned(directory, home_agent);
    }
    if (!skeleton.ok()) return skeleton.status();
    return Programs(skeleton->release());
}

absl::Status Programs::attachUplink(int link) const {
    HS_RETURN_IF_ERROR(attach(link, BPF_TC_EGRESS, bpf_program__fd(skeleton_->progs.uplink_egress)));
    return attach(link, BPF_TC_INGRESS, bpf_program__fd(skeleton_->progs.uplink_ingress));
}

absl::Status Programs::attachPort(int link) const {
    HS_RETURN_IF_ERROR(attach(link, BPF_TC_EGRESS, bpf_program__fd(skeleton_->progs.port_egress)));
    return attach(link, BPF_TC_INGRESS, bpf_program__fd(skeleton_->progs.port_ingress));
}

// The programs raise it too, when a path gets narrow. That one of two such steps is lost does no harm: what is found
// after either has the new number, and was looked up after both changes.
absl::Status Programs::forgetPaths() const {
    constexpr __u32 kIndex = 0;
    const auto generation = viewOf<__u32, __u64>(skeleton_->maps.generation);
    return generation.put(kIndex, generation.get(kIndex).value_or(0) + 1);
}

BpfMap<__u32, hs_node> Programs::node() const { return viewOf<__u32, hs_node>(skeleton_->maps.node); }
BpfMap<hs_address, __u8> Programs::trustedPeers() const {
    return viewOf<hs_address, __u8>(skeleton_->maps.trusted_peers);
}
BpfMap<hs_address, __u8> Programs::guarded() const { return viewOf<hs_address, __u8>(skeleton_->maps.guarded); }
BpfMap<hs_address, hs_nat_binding> Programs::natBindings() const {
    return viewOf<hs_address, hs_nat_binding>(skeleton_->maps.nat_bindings);
}
BpfMap<hs_nat_binding, hs_address> Programs::natPeers() const {
    return viewOf<hs_nat_binding, hs_address>(skeleton_->maps.nat_peers);
}
BpfMap<__u32, hs_port> Programs::ports() const { return viewOf<__u32, hs_port>(skeleton_->maps.ports); }
BpfMap<hs_exposed, __u8> Programs::exposed() const { return viewOf<hs_exposed, __u8>(skeleton_->maps.exposed); }
BpfMap<hs_address, hs_local> Programs::localSlivers() const {
    return viewOf<hs_address, hs_local>(skeleton_->maps.local_slivers);
}
BpfMap<hs_address, hs_binding> Programs::bindings() const {
    return viewOf<hs_address, hs_binding>(skeleton_->maps.bindings);
}
BpfMap<__u32, hs_binding_line> Programs::bindingLines() const {
    return viewOf<__u32, hs_binding_line>(skeleton_->maps.binding_lines);
}
BpfMap<__u32, hs_displacements> Programs::displacements() const {
    return viewOf<__u32, hs_displacements>(skeleton_->maps.displacements);
}
BpfMap<__u32, hs_address> Programs::careOfs() const { return viewOf<__u32, hs_address>(skeleton_->maps.care_ofs); }
BpfMap<hs_shared_key, hs_counts> Programs::sharedCounts() const {
    return viewOf<hs_shared_key, hs_counts>(skeleton_->maps.shared_counts);
}
BpfMap<hs_flow, hs_chosen> Programs::flows() const { return viewOf<hs_flow, hs_chosen>(skeleton_->maps.flows); }
BpfMap<hs_set_key, hs_set> Programs::sets() const { return viewOf<hs_set_key, hs_set>(skeleton_->maps.sets); }
BpfMap<hs_set_key, hs_set_state> Programs::setStates() const {
    return viewOf<hs_set_key, hs_set_state>(skeleton_->maps.set_states);
}
BpfMap<hs_saved_key, hs_saved_binding> Programs::savedBindings() const {
    return viewOf<hs_saved_key, hs_saved_binding>(skeleton_->maps.saved_bindings);
}

BpfMap<hs_audited_key, hs_audited> Programs::auditedFlows() const {
    return viewOf<hs_audited_key, hs_audited>(skeleton_->maps.audited_flows);
}
BpfMap<hs_audited_key, hs_audited> Programs::auditedRest() const {
    return viewOf<hs_audited_key, hs_audited>(skeleton_->maps.audited_rest);
}

absl::StatusOr<ForwarderCounters> Programs::counters() const {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return errnoStatus(-cpus, "count the processors");
    std::array<uint64_t, HS_COUNTERS> sums{};
    std::vector<uint64_t> per_cpu(static_cast<size_t>(cpus));
    for (uint32_t index = 0; index < HS_COUNTERS; ++index) {
        if (::bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counters), &index, per_cpu.data()) != 0)
            return errnoStatus(errno, "read the counters");
        for (const uint64_t value : per_cpu) sums[index] += value;
    }
    return ForwarderCounters{.encapsulated_packets = sums[HS_ENCAPSULATED_PACKETS],
                             .encapsulated_bytes = sums[HS_ENCAPSULATED_BYTES],
                             .decapsulated_packets = sums[HS_DECAPSULATED_PACKETS],
                             .decapsulated_bytes = sums[HS_DECAPSULATED_BYTES],
                             .local_packets = sums[HS_LOCAL_PACKETS],
                             .dropped_spoofed_source = sums[HS_DROPPED_SPOOFED_SOURCE],
                             .dropped_untrusted_tunnel = sums[HS_DROPPED_UNTRUSTED_TUNNEL],
                             .dropped_not_exposed = sums[HS_DROPPED_NOT_EXPOSED],
                             .dropped_no_sliver = sums[HS_DROPPED_NO_SLIVER],
                             .dropped_malformed = sums[HS_DROPPED_MALFORMED],
                             .packet_too_big = sums[HS_PACKET_TOO_BIG],
                             .path_mtu_changes = sums[HS_PATH_MTU_CHANGES]};
}

int Programs::straysFd() const { return bpf_map__fd(skeleton_->maps.strays); }
int Programs::chosenFlowsFd() const { return bpf_map__fd(skeleton_->maps.chosen_flows); }

int Programs::programFd(const std::string& name) const {
    const bpf_program* program = bpf_object__find_program_by_name(skeleton_->obj, name.c_str());
    return program == nullptr ? -1 : bpf_program__fd(program);
}

absl::Status detachPrograms(int link) {
    HS_RETURN_IF_ERROR(detach(link, BPF_TC_INGRESS));
    return detach(link, BPF_TC_EGRESS);
}

absl::Status unpinMaps(const std::string& pin_directory, const std::string& keep) {
    std::error_code error;
    for (std::filesystem::directory_iterator entry(pin_directory, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->path().filename() == keep) continue;
        HS_RETURN_IF_ERROR_CTX(removeTree(entry->path().string()), "unpin BPF maps");
    }
    if (!error || error.value() == ENOENT) return absl::OkStatus();
    return errnoStatus(error.value(), "unpin BPF maps in " + pin_directory);
}

hs_address toWire(const Ipv6Address& address) {
    hs_address result{};
    std::memcpy(&result, address.bytes().data(), sizeof(result));
    return result;
}

Ipv6Address fromWire(const hs_address& address) {
    std::array<uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &address, bytes.size());
    return Ipv6Address(bytes);
}

}  // namespace homeslice::mobility
