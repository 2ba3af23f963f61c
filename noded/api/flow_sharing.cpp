#include "noded/api/flow_sharing.h"

#include <algorithm>
#include <utility>

#include "base/ipv4.h"
#include "base/log.h"
#include "base/status.h"
#include "noded/api/binding_convert.h"
#include "noded/api/binding_streams.h"
#include "noded/api/channel.h"

namespace homeslice::api {
namespace {

class FlowStream final : public Stream, private grpc::ClientReadReactor<v1::FlowBatch> {
public:
    explicit FlowStream(mobility::Forwarder& forwarder) : forwarder_(forwarder) {}

    grpc::Status run(Stub& stub) override {
        stub.async()->WatchFlows(&context_, &request_, this);
        StartRead(&batch_);
        StartCall();
        return end_.wait();
    }

private:
    void OnReadDone(bool ok) override {
        if (!ok) return;
        reached_ = true;
        if (const absl::Status taken = take(); !taken.ok()) {
            logWarning("flows of another home agent: {}", messageOf(taken));
            context_.TryCancel();
        }
        StartRead(&batch_);
    }
    absl::Status take() {
        HS_ASSIGN_OR_RETURN(const std::vector<mobility::ChosenFlow> flows, flowsOf(batch_));
        for (const mobility::ChosenFlow& flow : flows)
            HS_RETURN_IF_ERROR(forwarder_.rememberFlow(flow, batch_.earlier()));
        return absl::OkStatus();
    }
    void OnDone(const grpc::Status& status) override { end_.set(status); }

    mobility::Forwarder& forwarder_;
    CallEnd end_;
    v1::WatchFlowsRequest request_;
    v1::FlowBatch batch_;
};

}  // namespace

class FlowFollowers::Follower {
public:
    Follower(const tls::Credentials& credentials, const mobility::HomeAgentAddress& home_agent,
             mobility::Forwarder& forwarder)
        : keeper_("flows of " + addressText(home_agent.address),
                  makeChannel(credentials, targetOf(home_agent.address, home_agent.api_port), pki::kAnyNodeName,
                              kFirstRetry),
                  [&forwarder] { return std::make_shared<FlowStream>(forwarder); }) {}

private:
    Keeper keeper_;
};

FlowFollowers::FlowFollowers(std::shared_ptr<tls::Credentials> credentials, const Ipv6Address& self,
                             mobility::Forwarder& forwarder)
    : credentials_(std::move(credentials)), self_(self), forwarder_(forwarder) {}

FlowFollowers::~FlowFollowers() = default;

void FlowFollowers::setHomeAgents(const std::vector<mobility::HomeAgentAddress>& home_agents) {
    const std::lock_guard lock(mutex_);
    std::erase_if(followers_, [&](const auto& item) {
        return std::find(home_agents.begin(), home_agents.end(), item.first) == home_agents.end();
    });
    for (const mobility::HomeAgentAddress& home_agent : home_agents) {
        if (home_agent.address == self_ || followers_.contains(home_agent)) continue;
        followers_.emplace(home_agent, std::make_unique<Follower>(*credentials_, home_agent, forwarder_));
    }
}

}  // namespace homeslice::api
