#include "spec/wire/names.h"

#include <algorithm>

#include "base/names.h"
#include "base/status.h"
#include "spec/wire/convert.h"

namespace homeslice::wire {
namespace {

constexpr int kMaxSlices = 100'000;
constexpr int kMaxSlivers = 65535;  // of a slice
constexpr uint8_t kLongestHomePrefix = 64;

absl::StatusOr<Ipv6Address> homeAddressOf(const std::string& what, const std::string& raw, const Ipv6Prefix& prefix) {
    HS_ASSIGN_OR_RETURN(const Ipv6Address address, unicastOf(what, raw));
    if (prefix.contains(address)) return address;
    return invalidArgument(what + ": " + address.toString() + " is outside of " + prefix.toString());
}

absl::StatusOr<SliceNames> sliceNamesOf(const v1::SliceNames& message, const Ipv6Prefix& prefix) {
    SliceNames names;
    HS_RETURN_IF_ERROR(checkName("slice name", message.slice()));
    names.slice = message.slice();
    HS_ASSIGN_OR_RETURN(names.address, homeAddressOf("slice address", message.address(), prefix));
    if (!message.owner().empty()) HS_RETURN_IF_ERROR(checkName("owner", message.owner()));
    names.owner = message.owner();
    if (message.slivers_size() > kMaxSlivers) return invalidArgument("slivers: too many");
    uint64_t next = 1;
    for (const v1::SliverName& run : message.slivers()) {
        SliverNames& added = names.slivers.emplace_back();
        added.index = run.index();
        added.count = std::max(run.count(), 1U);
        if (added.index == 0 || uint64_t{added.index} + added.count - 1 > kMaxSlivers) {
            return invalidArgument("sliver index: not 1 to 65535");
        }
        if (added.index < next) return invalidArgument("sliver index: not in order");
        next = uint64_t{added.index} + added.count;
        HS_ASSIGN_OR_RETURN(added.address, homeAddressOf("home address", run.address(), prefix));
        const Ipv6Address last = added.addressOf(added.count - 1);
        if (last < added.address) return invalidArgument("home address: a run leaves its /64");
    }
    return names;
}

}  // namespace

absl::StatusOr<NameTable> nameTableOf(const v1::NameTable& message) {
    NameTable table;
    table.serial = message.serial();
    HS_RETURN_IF_ERROR(checkNameDomain(message.domain()));
    table.domain = message.domain();
    HS_ASSIGN_OR_RETURN_CTX(table.home_prefix, Ipv6Prefix::parse(message.home_prefix()), "home prefix");
    if (table.home_prefix.length() == 0 || table.home_prefix.length() > kLongestHomePrefix) {
        return invalidArgument("home prefix: " + table.home_prefix.toString() + " is not from /1 to /64");
    }
    if (message.slices_size() > kMaxSlices) return invalidArgument("slices: too many names");
    for (const v1::SliceNames& slice : message.slices()) {
        HS_ASSIGN_OR_RETURN(SliceNames names, sliceNamesOf(slice, table.home_prefix));
        table.slices.push_back(std::move(names));
    }
    return table;
}

v1::NameTable toMessage(const NameTable& table) {
    v1::NameTable message;
    message.set_serial(table.serial);
    message.set_domain(table.domain);
    message.set_home_prefix(table.home_prefix.toString());
    for (const SliceNames& slice : table.slices) {
        v1::SliceNames& added = *message.add_slices();
        added.set_slice(slice.slice);
        added.set_address(slice.address.toBytes());
        added.set_owner(slice.owner);
        for (const SliverNames& run : slice.slivers) {
            v1::SliverName& name = *added.add_slivers();
            name.set_index(run.index);
            name.set_address(run.address.toBytes());
            if (run.count > 1) name.set_count(run.count);
        }
    }
    message.set_since(table.since);
    for (const std::string& slice : table.gone) message.add_gone(slice);
    return message;
}

}  // namespace homeslice::wire
