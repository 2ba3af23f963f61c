#include "noded/sliver/slice_shares.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>

#include "spec/test_values.h"

namespace homeslice::sliver {
namespace {

using mobility::BindingTerms;

// Remembers the terms of each binding; none: not bound.
class RememberingGateway final : public mobility::AccessGateway {
public:
    void setHomeAgents(const std::vector<mobility::HomeAgentAddress>&) override {}
    void bind(const mobility::BindingKey& key, const mobility::Grant& grant, const BindingTerms& terms) override {
        const std::lock_guard lock(mutex_);
        generation_ = grant.generation;
        terms_[key] = terms;
        ++calls_;
        changed_.notify_all();
    }
    void unbind(const mobility::BindingKey& key) override {
        const std::lock_guard lock(mutex_);
        terms_.erase(key);
        changed_.notify_all();
    }
    std::vector<Registration> registrations() override { return {}; }
    std::optional<Ipv6Address> homeAgent() override { return std::nullopt; }
    Refusals refusals() override { return {}; }
    absl::Status waitRegistered(const mobility::BindingKey&, uint64_t, std::chrono::milliseconds) override {
        return absl::OkStatus();
    }
    bool await(const SliverSpec& spec, const std::optional<BindingTerms>& terms) {
        const mobility::BindingKey key{.home_address = spec.slice_address,
                                       .binding_id = static_cast<uint16_t>(spec.id.index)};
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [&] {
            const auto found = terms_.find(key);
            return found == terms_.end() ? !terms : terms == found->second;
        });
    }
    uint64_t calls() {
        const std::lock_guard lock(mutex_);
        return calls_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<mobility::BindingKey, BindingTerms> terms_;
    uint64_t generation_ = 0;
    uint64_t calls_ = 0;
};

class SliceSharesTest : public ::testing::Test {
protected:
    SliceSharesTest() {
        spec_.weight = 3;
        spec_.draining = false;
        spec_.base.balance = Balance::hash;
    }
    BindingTerms terms() const {
        return {.weight = spec_.weight, .draining = spec_.draining, .balance = spec_.base.balance};
    }

    SliverSpec spec_ = fullSpec();
    RememberingGateway gateway_;
    std::atomic<Health> health_ = Health::none;
    std::atomic<uint32_t> connections_ = 0;
    std::atomic<bool> serves_ = false;  // among those of the node
    SliceShares shares_{{.gateway = gateway_,
                         .health = [this](const SliverId&) { return health_.load(); },
                         .connections = [this](pid_t) { return connections_.load(); },
                         .serve = [this](const SliverSpec&, bool serves) { serves_ = serves; }}};
};

TEST_F(SliceSharesTest, TellsTheTermsOnceUntilTheyChange) {
    shares_.take(spec_, 1);
    EXPECT_TRUE(gateway_.await(spec_, terms()));
    shares_.take(spec_, 1);
    EXPECT_EQ(gateway_.calls(), 1u);
    spec_.draining = true;
    shares_.take(spec_, 1);
    EXPECT_TRUE(gateway_.await(spec_, terms()));
    ++spec_.generation;
    shares_.take(spec_, 1);
    EXPECT_EQ(gateway_.calls(), 3u);
    shares_.leave(spec_);
    EXPECT_TRUE(gateway_.await(spec_, std::nullopt));
    shares_.leave(spec_);
}

TEST_F(SliceSharesTest, AnUnhealthySliverLeavesTheSetAndComesBack) {
    shares_.take(spec_, 1);
    EXPECT_TRUE(serves_);
    health_ = Health::unhealthy;
    shares_.look();
    EXPECT_TRUE(gateway_.await(spec_, std::nullopt));
    EXPECT_FALSE(serves_);
    health_ = Health::healthy;
    shares_.look();
    EXPECT_TRUE(gateway_.await(spec_, terms()));
    EXPECT_TRUE(serves_);
    health_ = Health::unhealthy;
    shares_.leave(spec_);
    shares_.look();
    EXPECT_TRUE(gateway_.await(spec_, std::nullopt));
}

TEST_F(SliceSharesTest, LoadIsToldWithLeastLoadOnly) {
    connections_ = 7;
    shares_.take(spec_, 1);
    EXPECT_TRUE(gateway_.await(spec_, terms()));
    spec_.base.balance = Balance::least_load;
    shares_.take(spec_, 1);
    BindingTerms told = terms();
    told.load = 7;
    EXPECT_TRUE(gateway_.await(spec_, told));
    connections_ = told.load = 9;
    EXPECT_TRUE(gateway_.await(spec_, told)) << "by itself";
}

TEST(OpenConnectionsTest, CountsOwnOnesAndNoneOfTheDead) {
    EXPECT_EQ(openConnections(0x7fffffff), 0u);
    EXPECT_LT(openConnections(::getpid()), 1000000u);
}

}  // namespace
}  // namespace homeslice::sliver
