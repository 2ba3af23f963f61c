// The loaded BPF object: its pinned maps, its programs and the tc hooks that they are attached to.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "noded/mobility/bpf/audit.h"
#include "noded/mobility/bpf/layout.h"
#include "noded/mobility/bpf_map.h"
#include "noded/mobility/forwarder.h"

struct forwarder_bpf;

namespace homeslice::mobility {

class Programs {
public:
    // Takes over maps pinned below `pin_directory` by a noded of the same layout version, else makes and pins them.
    static absl::StatusOr<Programs> load(const std::string& pin_directory, bool home_agent);
    Programs(Programs&&) noexcept;
    Programs& operator=(Programs&&) noexcept;
    ~Programs();

    // Puts the programs in the place of any earlier ones of ours, in one step each.
    absl::Status attachUplink(int link) const;
    absl::Status attachPort(int link) const;

    // To be called after each change to the maps below: what the programs have kept of earlier packets counts no more.
    absl::Status forgetPaths() const;

    BpfMap<__u32, hs_node> node() const;
    BpfMap<hs_address, __u8> trustedPeers() const;
    BpfMap<hs_address, __u8> guarded() const;
    BpfMap<hs_address, hs_nat_binding> natBindings() const;
    BpfMap<hs_nat_binding, hs_address> natPeers() const;
    BpfMap<__u32, hs_port> ports() const;
    BpfMap<hs_exposed, __u8> exposed() const;
    BpfMap<hs_address, hs_local> localSlivers() const;
    BpfMap<hs_address, hs_binding> bindings() const;
    BpfMap<__u32, hs_binding_line> bindingLines() const;
    BpfMap<__u32, hs_displacements> displacements() const;
    BpfMap<__u32, hs_address> careOfs() const;
    BpfMap<hs_shared_key, hs_counts> sharedCounts() const;
    BpfMap<hs_flow, hs_chosen> flows() const;
    BpfMap<hs_set_key, hs_set> sets() const;
    BpfMap<hs_set_key, hs_set_state> setStates() const;
    BpfMap<hs_saved_key, hs_saved_binding> savedBindings() const;
    BpfMap<hs_audited_key, hs_audited> auditedFlows() const;
    BpfMap<hs_audited_key, hs_audited> auditedRest() const;
    // The sum over the processors.
    absl::StatusOr<ForwarderCounters> counters() const;

    // The ring buffer of bpf/stray.h.
    int straysFd() const;
    // That of hs_chosen_flow.
    int chosenFlowsFd() const;

    // For tests that run a program on a packet.
    int programFd(const std::string& name) const;

private:
    explicit Programs(forwarder_bpf* skeleton);
    forwarder_bpf* skeleton_ = nullptr;
};

// Detaches ours from both hooks of `link`. Fine when nothing is attached.
absl::Status detachPrograms(int link);

// Unpins the maps of every layout version below `pin_directory`, but for `keep` (a directory name) if not empty.
absl::Status unpinMaps(const std::string& pin_directory, const std::string& keep);

hs_address toWire(const Ipv6Address& address);
Ipv6Address fromWire(const hs_address& address);

}  // namespace homeslice::mobility
