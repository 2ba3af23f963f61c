// A home agent's bindings in lines of the processor's caches (bpf/binding_lines.h): a shorter way beside the map
// `bindings`, which has every one of them. Who has a word here is forwarded by it, with what is counted since; all that
// has none (a shared address, one below another prefix or whose interface identifier does not fit into 32 bits, one for
// which there is no room) is forwarded by `bindings`.
//
// A group of neighbours has its line at one place alone, which programs find without a search: "hash and displace"
// (Pagh 1999; Belazzougui, Botelho, Dietzfelbinger 2009). When the place of a new group is another's, the groups of its
// bucket get another displacement, with which all of them find free lines.
#pragma once

#include <absl/status/statusor.h>

#include <map>
#include <vector>

#include "base/ipv6.h"
#include "noded/mobility/bpf/layout.h"
#include "noded/mobility/mapped_array.h"
#include "noded/mobility/programs.h"

namespace homeslice::mobility {

// Threads: one caller at a time, and the programs beside it. In pinned memory: what is here outlives this object.
class BindingLines {
public:
    // Takes over what an earlier noded left, for home addresses below `prefix`. `programs` outlives the object, and is
    // a home agent's.
    static absl::StatusOr<BindingLines> open(const Programs& programs, const Ipv6Prefix& prefix);

    // Who may have words from now on; with another prefix than before nobody has one. None below one that is shorter
    // than 32 bits.
    void setPrefix(const Ipv6Prefix& prefix);
    // False when there are too many care-of addresses already.
    bool takes(const hs_address& care_of);
    // Takes effect for the next packet. `bindings` says the same by then. What was counted so far stays. To a care-of
    // address that takes() has let in.
    void bind(const hs_address& home_address, const hs_address& care_of);
    // `bindings` is asked from now on. What was counted, but for what the programs have moved there.
    hs_counts unbind(const hs_address& home_address);
    hs_counts counts(const hs_address& home_address) const;

private:
    BindingLines(const Programs& programs, MappedArray<hs_binding_line> lines,
                 MappedArray<hs_displacements> displacements, const Ipv6Prefix& prefix);
    void takeOver();
    __u64 groupOf(const hs_address& home_address) const;
    __u8& displacementOf(__u64 bucket) const;
    hs_binding_line& lineOf(__u64 group) const;
    __u64* find(const hs_address& home_address) const;
    __u64* claim(const hs_address& home_address);
    bool makeRoom(__u64 group);
    void displace(__u64 bucket, __u8 displacement);
    void release(__u64 group);
    __u64 placeOf(const hs_address& care_of);

    const Programs& programs_;
    MappedArray<hs_binding_line> lines_;
    MappedArray<hs_displacements> displacements_;
    std::vector<std::vector<__u64>> groups_;  // that have lines, by bucket
    Ipv6Prefix prefix_;
    std::map<Ipv6Address, __u64> places_;  // in `care_ofs`
};

}  // namespace homeslice::mobility
