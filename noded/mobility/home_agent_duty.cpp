#include "noded/mobility/home_agent_duty.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "noded/mobility/home_agent_group.h"
#include "noded/mobility/home_link.h"

namespace homeslice::mobility {
namespace {

void warnUnlessOk(const absl::Status& status) {
    if (!status.ok()) logWarning("home agent: {}", messageOf(status));
}

class GroupDuty final : public HomeAgentDuty {
public:
    GroupDuty(const Config& config, Forwarder& forwarder, HomeAgent& home_agent, std::unique_ptr<HomeLink> home_link)
        : active_active_(config.active_active),
          forwarder_(forwarder),
          home_agent_(home_agent),
          home_link_(std::move(home_link)) {}

    absl::Status join(const Config& config) {
        HS_ASSIGN_OR_RETURN(group_, HomeAgentGroup::start({.self = config.self,
                                                           .port = config.port,
                                                           .priority = config.priority,
                                                           .interval = config.interval,
                                                           .all_in_charge = config.active_active},
                                                          [this](const HomeAgentRole& role) { settle(role); }));
        return absl::OkStatus();
    }

    ~GroupDuty() override {
        group_.reset();
        if (active_active_) warnUnlessOk(forwarder_.announceHomePrefix(false));
    }

    void setMembers(const Ipv6Prefix& home_prefix, const std::vector<Ipv6Address>& members,
                    const std::string& key) override {
        group_->setMembers(home_prefix, members, key);
    }
    uint64_t refusedAdvertisements() override { return group_->refused(); }

private:
    // The group's thread. Again and again while in charge: what others took away comes back.
    void settle(const HomeAgentRole& role) {
        if (home_link_) warnUnlessOk(home_link_->settle(role));
        warnUnlessOk(forwarder_.announceHomePrefix(role.in_charge));
        home_agent_.setRole(role);
    }

    const bool active_active_;
    Forwarder& forwarder_;
    HomeAgent& home_agent_;
    const std::unique_ptr<HomeLink> home_link_;
    std::unique_ptr<HomeAgentGroup> group_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HomeAgentDuty>> HomeAgentDuty::start(const Config& config, Forwarder& forwarder,
                                                                    HomeAgent& home_agent) {
    std::unique_ptr<HomeLink> home_link;
    if (config.shared_address) {
        HS_ASSIGN_OR_RETURN_CTX(home_link,
                                HomeLink::open({.link = config.link, .shared_address = *config.shared_address}),
                                "home agents' shared address");
    }
    auto duty = std::make_unique<GroupDuty>(config, forwarder, home_agent, std::move(home_link));
    HS_RETURN_IF_ERROR(duty->join(config));
    return duty;
}

}  // namespace homeslice::mobility
