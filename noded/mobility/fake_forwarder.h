// A Forwarder that remembers what it was told, for tests of those who drive one.
#pragma once

#include <map>
#include <mutex>

#include "noded/mobility/forwarder.h"

namespace homeslice::mobility {

class FakeForwarder final : public Forwarder {
public:
    uint32_t sliverMtu() const override { return 1460; }
    bool givesIpv4() const override { return gives_ipv4_; }
    void giveIpv4() { gives_ipv4_ = true; }
    absl::Status closePort(const std::string& /*link_name*/) override { return absl::OkStatus(); }
    absl::Status addPort(const SliverPort& /*port*/) override { return absl::OkStatus(); }
    absl::Status removePort(const SliverPort& /*port*/) override { return absl::OkStatus(); }
    absl::Status setServing(const Ipv6Address& /*home_address*/, bool /*serving*/) override { return absl::OkStatus(); }
    absl::Status setCareOf(const Ipv6Address& home_address, const CareOfSet& care_of) override {
        const std::lock_guard lock(mutex_);
        if (!answer_.ok()) return answer_;
        if (care_of.members.empty())
            care_of_.erase(home_address);
        else
            care_of_[home_address] = care_of;
        return absl::OkStatus();
    }
    absl::StatusOr<std::vector<Ipv6Address>> boundAddresses() override {
        const std::lock_guard lock(mutex_);
        std::vector<Ipv6Address> result;
        for (const auto& [home_address, care_of] : care_of_) result.push_back(home_address);
        return result;
    }
    absl::Status setHomePrefix(const Ipv6Prefix& /*prefix*/, const Ipv6Address& /*home_agent*/) override {
        return absl::OkStatus();
    }
    absl::Status setHomeAgent(const Ipv6Address& home_agent) override {
        const std::lock_guard lock(mutex_);
        home_agent_ = home_agent;
        return absl::OkStatus();
    }
    absl::Status announceHomePrefix(bool /*announce*/) override { return absl::OkStatus(); }
    absl::Status setTrustedPeers(const std::vector<Ipv6Address>& /*peers*/) override { return absl::OkStatus(); }
    absl::Status guard(const Ipv6Address& /*address*/) override { return absl::OkStatus(); }
    absl::Status saveBinding(const Binding& binding) override {
        const std::lock_guard lock(mutex_);
        saved_[binding.key] = binding;
        return absl::OkStatus();
    }
    absl::Status forgetBinding(const BindingKey& key) override {
        const std::lock_guard lock(mutex_);
        saved_.erase(key);
        return absl::OkStatus();
    }
    absl::StatusOr<std::vector<Binding>> savedBindings() override {
        const std::lock_guard lock(mutex_);
        std::vector<Binding> result;
        for (const auto& [key, binding] : saved_) result.push_back(binding);
        return result;
    }
    absl::StatusOr<std::vector<FlowRecord>> takeFlows(Monotonic::time_point since, Monotonic::time_point /*before*/,
                                                      std::chrono::seconds /*longest*/) override {
        std::vector<FlowRecord> taken;
        for (const FlowRecord& flow : flows)
            if (flow.last >= since) taken.push_back(flow);
        return taken;
    }
    std::vector<FlowRecord> flows;  // that slivers have sent

    absl::StatusOr<ForwarderCounters> counters() override { return ForwarderCounters{}; }
    absl::StatusOr<BindingCounters> countersOf(const BindingKey& /*binding*/) override { return BindingCounters{}; }

    CareOfSet careOf(const Ipv6Address& home_address) {
        const std::lock_guard lock(mutex_);
        const auto found = care_of_.find(home_address);
        return found == care_of_.end() ? CareOfSet() : found->second;
    }
    Ipv6Address homeAgent() {
        const std::lock_guard lock(mutex_);
        return home_agent_;
    }
    // What setCareOf() says from now on.
    void answerWith(const absl::Status& status) {
        const std::lock_guard lock(mutex_);
        answer_ = status;
    }

private:
    std::mutex mutex_;
    absl::Status answer_;
    std::map<Ipv6Address, CareOfSet> care_of_;
    std::map<BindingKey, Binding> saved_;
    Ipv6Address home_agent_;
    bool gives_ipv4_ = false;
};

}  // namespace homeslice::mobility
