// The core behind the services, for tests of this folder: small, scripted, thread safe. Commands are real processes.
#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "noded/mobility/access_gateway.h"
#include "noded/mobility/forwarder.h"
#include "noded/mobility/home_agent.h"
#include "noded/sliver/manager.h"

namespace homeslice::api {

// Waits up to 10 s for `condition`, which is asked under `mutex` after each notification.
class Eventually {
public:
    template <typename F>
    void change(F action) {
        const std::lock_guard lock(mutex_);
        action();
        changed_.notify_all();
    }
    template <typename F>
    bool wait(F condition) {
        constexpr std::chrono::seconds kPatience{10};
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kPatience, condition);
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
};

class FakeManager final : public sliver::Manager {
public:
    ~FakeManager() override = default;
    void setDesired(sliver::Desired desired) override;
    uint64_t desiredRevision() const override;
    std::vector<sliver::SliverReport> reports() const override;
    // Runs the command on this machine; NOT_FOUND for slices other than "web".
    absl::StatusOr<std::unique_ptr<init::RunningCommand>> exec(const SliverId& id, init::ExecRequest request) override;
    absl::StatusOr<std::string> logDirectory(const SliverId& id) const override;
    absl::Status exportDisk(const SliverId& id, uint64_t generation, int fd) override;
    std::pair<uint32_t, uint32_t> poolLevel() const override { return {0, 0}; }
    std::string inspect() const override { return R"({"web/1":"running"})"; }

    mutable Eventually seen;  // guards what follows
    std::optional<sliver::Desired> desired;
    std::vector<sliver::SliverReport> current_reports;
    std::string log_directory;
    std::function<absl::Status(int fd)> export_disk;
    std::vector<int> ended_pids;
    std::string last_user;  // that a command was to run as
};

class FakeForwarder final : public mobility::Forwarder {
public:
    uint32_t sliverMtu() const override { return 1460; }
    absl::Status closePort(const std::string& /*link_name*/) override { return absl::OkStatus(); }
    absl::Status addPort(const mobility::SliverPort& port) override;
    absl::Status removePort(const mobility::SliverPort& port) override;
    absl::Status setServing(const Ipv6Address& /*home_address*/, bool /*serving*/) override { return absl::OkStatus(); }
    absl::Status setCareOf(const Ipv6Address& home_address, const mobility::CareOfSet& care_of) override;
    absl::StatusOr<std::vector<Ipv6Address>> boundAddresses() override { return std::vector<Ipv6Address>(); }
    absl::Status setHomePrefix(const Ipv6Prefix& home_prefix, const Ipv6Address& agent) override;
    absl::Status setHomeAgent(const Ipv6Address& agent) override;
    absl::Status announceHomePrefix(bool /*announce*/) override { return absl::OkStatus(); }
    absl::Status setTrustedPeers(const std::vector<Ipv6Address>& trusted) override;
    absl::Status guard(const Ipv6Address& address) override;
    absl::StatusOr<mobility::ForwarderCounters> counters() override { return mobility::ForwarderCounters{}; }
    absl::StatusOr<mobility::BindingCounters> countersOf(const mobility::BindingKey& binding) override;

    std::vector<mobility::ChosenFlow> flows() override { return remembered_flows; }
    absl::Status rememberFlow(const mobility::ChosenFlow& flow, bool earlier) override {
        seen.change([&] { heard_flows.emplace_back(flow, earlier); });
        return absl::OkStatus();
    }

    Eventually seen;
    std::vector<mobility::ChosenFlow> remembered_flows;
    std::vector<std::pair<mobility::ChosenFlow, bool>> heard_flows;  // and whether they are earlier ones
    std::optional<Ipv6Prefix> prefix;
    std::optional<Ipv6Address> home_agent;
    std::vector<Ipv6Address> peers;
    std::vector<Ipv6Address> guarded;
    absl::Status next_error;  // of the next setHomePrefix()
};

class FakeGateway final : public mobility::AccessGateway {
public:
    void setHomeAgents(const std::vector<mobility::HomeAgentAddress>& agents) override;
    void bind(const mobility::BindingKey& /*key*/, const mobility::Grant& /*grant*/,
              const mobility::BindingTerms& /*terms*/) override {}
    void unbind(const mobility::BindingKey& /*key*/) override {}
    std::vector<Registration> registrations() override { return {}; }
    std::optional<Ipv6Address> homeAgent() override { return std::nullopt; }
    Refusals refusals() override { return {}; }
    absl::Status waitRegistered(const mobility::BindingKey& /*key*/, uint64_t /*generation*/,
                                std::chrono::milliseconds /*timeout*/) override {
        return absl::OkStatus();
    }

    Eventually seen;
    std::vector<mobility::HomeAgentAddress> home_agents;
};

// Accepts every update and tells watchers; no forwarder, no life times.
class FakeHomeAgent final : public mobility::HomeAgent {
public:
    void setHomePrefix(const Ipv6Prefix& home_prefix) override;
    void setRole(const mobility::HomeAgentRole& role) override;
    mobility::BindingAcknowledgement update(const Ipv6Address& sender, const mobility::BindingUpdate& update) override;
    std::vector<CachedBinding> list() override { return {}; }
    uint64_t watch(Watcher watcher) override;
    void unwatch(uint64_t id) override;
    mobility::FlowNews& flowNews() override { return flow_news; }

    size_t watchers();

    mobility::FlowNews flow_news;

    Eventually seen;
    std::vector<Ipv6Address> senders;
    std::vector<mobility::BindingUpdate> updates;
    std::optional<Ipv6Prefix> prefix;

private:
    std::mutex watch_mutex_;
    uint64_t next_id_ = 1;
    std::map<uint64_t, Watcher> watchers_;
    std::map<mobility::BindingKey, mobility::Binding> bindings_;
};

}  // namespace homeslice::api
