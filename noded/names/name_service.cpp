#include "noded/names/name_service.h"

#include <utility>

#include "base/status.h"
#include "noded/sys/netlink.h"

namespace homeslice::names {
namespace {

constexpr uint8_t kHostLength = 128;
constexpr uint16_t kDnsPort = 53;
// A sliver hurts nobody but its node, and works for many that ask.
constexpr double kSliverRate = 500;
constexpr double kSliverBurst = 1000;

}  // namespace

absl::StatusOr<std::unique_ptr<NameService>> NameService::start(Config config) {
    std::unique_ptr<NameService> service(new NameService(std::move(config)));
    if (const auto& where = service->config_.outsiders) {
        HS_ASSIGN_OR_RETURN(service->outsiders_, DnsServer::start({.address = where->address,
                                                                   .port = where->port,
                                                                   .audience = Audience::outsiders,
                                                                   .askers = {},
                                                                   .name_servers = {}}));
    }
    return service;
}

absl::Status NameService::set(const NameTable& table) {
    const std::lock_guard lock(mutex_);
    if (outsiders_) {
        const Ipv6Address& address = config_.outsiders->address;
        outsiders_->setRecords(std::make_shared<const Records>(
            table, address.isUnspecified() ? std::nullopt : std::optional<Ipv6Address>(address)));
    }
    if (!config_.slivers) return absl::OkStatus();
    HS_RETURN_IF_ERROR_CTX(serveSlivers(table.home_prefix), "resolver of the slivers");
    slivers_->setRecords(std::make_shared<const Records>(table));
    return absl::OkStatus();
}

absl::Status NameService::serveSlivers(const Ipv6Prefix& home_prefix) {
    if (slivers_ && served_ == home_prefix) return absl::OkStatus();
    HS_ASSIGN_OR_RETURN(sys::Netlink netlink, sys::Netlink::open());
    HS_ASSIGN_OR_RETURN(const int loopback, netlink.index("lo"));
    if (std::exchange(slivers_, nullptr)) {
        HS_RETURN_IF_ERROR(netlink.deleteAddress(loopback, resolverAddress(served_)));
    }
    HS_RETURN_IF_ERROR(netlink.addAddress(loopback, resolverAddress(home_prefix), kHostLength, /*deprecated=*/true));
    served_ = home_prefix;
    HS_ASSIGN_OR_RETURN(slivers_, DnsServer::start({.address = resolverAddress(home_prefix),
                                                    .port = kDnsPort,
                                                    .audience = Audience::slivers,
                                                    .askers = home_prefix,
                                                    .forwards = config_.forwards,
                                                    .name_servers = config_.name_servers,
                                                    .rate = kSliverRate,
                                                    .burst = kSliverBurst}));
    return absl::OkStatus();
}

}  // namespace homeslice::names
