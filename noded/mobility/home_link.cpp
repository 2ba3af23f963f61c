#include "noded/mobility/home_link.h"

#include <utility>

#include "base/status.h"

namespace homeslice::mobility {
namespace {

constexpr std::chrono::seconds kLease{2};
constexpr std::chrono::milliseconds kRenewal{500};
// A dead holder's kernel still answers for the address while the last lease runs: neighbours are told until after.
constexpr std::chrono::seconds kAdvertising{5};

}  // namespace

absl::StatusOr<std::unique_ptr<HomeLink>> HomeLink::open(const Config& config) {
    HS_ASSIGN_OR_RETURN(sys::Netlink netlink, sys::Netlink::open());
    HS_ASSIGN_OR_RETURN(const sys::Link link, netlink.link(config.link));
    HS_ASSIGN_OR_RETURN(sys::NeighbourDiscovery discovery, sys::NeighbourDiscovery::open(link));
    return std::unique_ptr<HomeLink>(new HomeLink(config, link, std::move(netlink), std::move(discovery)));
}

absl::Status HomeLink::settle(const HomeAgentRole& role) {
    if (!role.in_charge) {
        held_term_.reset();
        return netlink_.deleteAddress(link_.index, config_.shared_address);
    }
    const auto now = Monotonic::now();
    if (held_term_ != role.term) {
        held_term_ = role.term;
        taken_ = now;
        leased_ = {};
    }
    return hold(now);
}

absl::Status HomeLink::hold(Monotonic::time_point now) {
    if (now - leased_ >= kRenewal) {
        HS_RETURN_IF_ERROR(netlink_.leaseAddress(link_.index, config_.shared_address, kLease));
        leased_ = now;
    }
    if (now - taken_ <= kAdvertising) return discovery_.advertise(config_.shared_address);
    return absl::OkStatus();
}

}  // namespace homeslice::mobility
