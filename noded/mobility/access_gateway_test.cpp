// The gateway against home agents that the test plays.
#include "noded/mobility/access_gateway.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "noded/mobility/fake_forwarder.h"
#include "noded/mobility/test_care_of.h"

namespace homeslice::mobility {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Ipv6Address kNode = *Ipv6Address::parse("fd00:51ce::1");
const Ipv6Address kOther = *Ipv6Address::parse("fd00:51ce::2");
const Ipv6Address kHome = *Ipv6Address::parse("fd51:1ce:0:1::1:1");
const Ipv6Address kSlice = *Ipv6Address::parse("fd51:1ce:0:1::1");
const BindingKey kKey{.home_address = kHome, .binding_id = 0};
const HomeAgentAddress kAgent{.address = *Ipv6Address::parse("fd00:51ce::a0a0"), .api_port = 7401};
const HomeAgentAddress kSecond{.address = *Ipv6Address::parse("fd00:51ce::a0a1"), .api_port = 7401};

// What one home agent has been sent, and its mouth.
struct Wire {
    std::mutex mutex;
    std::condition_variable arrived;
    std::vector<BindingUpdate> updates;
    BindingTransport::Callbacks callbacks;

    BindingUpdate waitForUpdate(size_t number) {
        std::unique_lock lock(mutex);
        if (!arrived.wait_for(lock, seconds(10), [&] { return updates.size() >= number; })) return {};
        return updates[number - 1];
    }
    size_t count() {
        const std::lock_guard lock(mutex);
        return updates.size();
    }
    void answer(const BindingUpdate& update, BindingStatus status, uint32_t refresh_s = 20) {
        callbacks.acknowledged({.key = update.key,
                                .sequence = update.sequence,
                                .status = status,
                                .lifetime_s = update.lifetime_s,
                                .refresh_s = refresh_s,
                                .generation = update.generation});
    }
    void tellRole(const HomeAgentRole& role) {
        callbacks.event({.kind = BindingEvent::Kind::role, .binding = {}, .role = role});
    }
    void tell(BindingEvent::Kind kind, const BindingKey& key, const Ipv6Address& care_of) {
        BindingEvent event{.kind = kind, .binding = {}};
        event.binding.key = key;
        event.binding.care_of_address = care_of;
        callbacks.event(event);
    }
};

class FakeTransport final : public BindingTransport {
public:
    explicit FakeTransport(Wire& wire) : wire_(wire) {}
    void send(const BindingUpdate& update) override {
        {
            const std::lock_guard lock(wire_.mutex);
            wire_.updates.push_back(update);
        }
        wire_.arrived.notify_all();
    }

private:
    Wire& wire_;
};

class AccessGatewayTest : public ::testing::Test {
protected:
    void SetUp() override {
        gateway_ =
            AccessGateway::create({.care_of_address = kNode, .lifetime_s = 40, .priority = 10}, forwarder_,
                                  [this](const HomeAgentAddress& address, BindingTransport::Callbacks callbacks) {
                                      Wire& wire = wires_[address];
                                      wire.callbacks = std::move(callbacks);
                                      return std::make_unique<FakeTransport>(wire);
                                  });
        gateway_->setHomeAgents({kAgent});
    }
    Wire& wire() { return wires_[kAgent]; }

    std::map<HomeAgentAddress, Wire> wires_;
    FakeForwarder forwarder_;
    std::unique_ptr<AccessGateway> gateway_;
};

TEST_F(AccessGatewayTest, RegistersAndWaits) {
    gateway_->bind(kKey, {3});
    const BindingUpdate update = wire().waitForUpdate(1);
    EXPECT_EQ(update.key, kKey);
    EXPECT_EQ(update.care_of_address, kNode);
    EXPECT_EQ(update.generation, 3u);
    EXPECT_EQ(update.lifetime_s, 40u);
    EXPECT_EQ(gateway_->waitRegistered(kKey, 3, milliseconds(1)).code(), absl::StatusCode::kDeadlineExceeded);
    wire().answer(update, BindingStatus::accepted);
    EXPECT_TRUE(gateway_->waitRegistered(kKey, 3, seconds(10)).ok());
    ASSERT_EQ(gateway_->registrations().size(), 1u);
    EXPECT_TRUE(gateway_->registrations()[0].registered);
}

TEST_F(AccessGatewayTest, RetransmitsAndRefreshes) {
    gateway_->bind(kKey, {1});
    const BindingUpdate first = wire().waitForUpdate(1);
    const BindingUpdate again = wire().waitForUpdate(2);
    EXPECT_EQ(again.sequence, first.sequence + 1);
    wire().answer(again, BindingStatus::accepted, 1);
    EXPECT_EQ(wire().waitForUpdate(3).sequence, first.sequence + 2);
}

TEST_F(AccessGatewayTest, OtherTermsAreToldAtOnce) {
    gateway_->bind(kKey, {1});
    wire().answer(wire().waitForUpdate(1), BindingStatus::accepted);
    gateway_->bind(kKey, {1}, {.weight = 5, .draining = true});
    const BindingUpdate update = wire().waitForUpdate(2);
    EXPECT_EQ(update.terms, (BindingTerms{.priority = 10, .weight = 5, .draining = true}));
    EXPECT_EQ(update.generation, 1u);
    gateway_->bind(kKey, {1}, {.weight = 5, .draining = true});
    EXPECT_EQ(wire().count(), 2u);
}

TEST_F(AccessGatewayTest, FreshConnectionSendsAllAgain) {
    gateway_->bind(kKey, {1});
    gateway_->bind({.home_address = kSlice, .binding_id = 1}, {1});
    wire().answer(wire().waitForUpdate(1), BindingStatus::accepted);
    wire().answer(wire().waitForUpdate(2), BindingStatus::accepted);
    wire().callbacks.connected();
    wire().waitForUpdate(4);
    EXPECT_EQ(wire().count(), 4u);
}

TEST_F(AccessGatewayTest, StaleGenerationEndsTheMatterUntilAHigherOne) {
    gateway_->bind(kKey, {1});
    wire().answer(wire().waitForUpdate(1), BindingStatus::generation_stale);
    EXPECT_EQ(gateway_->waitRegistered(kKey, 1, seconds(10)).code(), absl::StatusCode::kAborted);
    EXPECT_EQ(gateway_->refusals().count, 1u);
    EXPECT_THAT(gateway_->refusals().last, HasSubstr("Generation stale"));
    wire().callbacks.connected();
    gateway_->bind(kKey, {1});
    gateway_->bind(kKey, {5});
    EXPECT_EQ(wire().waitForUpdate(2).generation, 5u);
}

TEST_F(AccessGatewayTest, TakesUpASequenceFromBeforeItsRestart) {
    gateway_->bind(kKey, {1});
    BindingUpdate update = wire().waitForUpdate(1);
    update.sequence = 500;
    wire().answer(update, BindingStatus::sequence_out_of_window);
    EXPECT_EQ(wire().waitForUpdate(2).sequence, 501);
}

TEST_F(AccessGatewayTest, DeregistersAndForgets) {
    gateway_->bind(kKey, {2});
    wire().answer(wire().waitForUpdate(1), BindingStatus::accepted);
    gateway_->unbind(kKey);
    const BindingUpdate farewell = wire().waitForUpdate(2);
    EXPECT_EQ(farewell.lifetime_s, 0u);
    EXPECT_EQ(farewell.generation, 2u);
    EXPECT_EQ(gateway_->waitRegistered(kKey, 2, seconds(1)).code(), absl::StatusCode::kNotFound);
    wire().answer(farewell, BindingStatus::accepted);
    wire().callbacks.connected();
    EXPECT_THAT(gateway_->registrations(), IsEmpty());
}

TEST_F(AccessGatewayTest, OneOfTwoHomeAgentsIsEnough) {
    gateway_->setHomeAgents({kAgent, kSecond});
    gateway_->bind(kKey, {1});
    wire().answer(wire().waitForUpdate(1), BindingStatus::not_home_subnet);
    wires_[kSecond].answer(wires_[kSecond].waitForUpdate(1), BindingStatus::accepted);
    EXPECT_TRUE(gateway_->waitRegistered(kKey, 1, seconds(10)).ok());
    gateway_->setHomeAgents({kAgent});
    EXPECT_EQ(gateway_->waitRegistered(kKey, 1, milliseconds(1)).code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(AccessGatewayTest, TheHomeAgentInChargeGetsPacketsAndDecides) {
    gateway_->setHomeAgents({kAgent, kSecond});
    EXPECT_EQ(forwarder_.homeAgent(), kAgent.address) << "none has said anything yet";
    wires_[kAgent].tellRole({.in_charge = true, .term = 1});
    wires_[kSecond].tellRole({.in_charge = false, .term = 1});
    gateway_->bind(kKey, {1});
    wires_[kSecond].answer(wires_[kSecond].waitForUpdate(1), BindingStatus::accepted);
    EXPECT_EQ(gateway_->waitRegistered(kKey, 1, milliseconds(1)).code(), absl::StatusCode::kDeadlineExceeded);
    // The first one has died without a word; the second has the higher term.
    wires_[kSecond].tellRole({.in_charge = true, .term = 2});
    EXPECT_EQ(forwarder_.homeAgent(), kSecond.address);
    EXPECT_EQ(gateway_->homeAgent(), kSecond.address);
    EXPECT_TRUE(gateway_->waitRegistered(kKey, 1, seconds(10)).ok());
    gateway_->setHomeAgents({kAgent});
    EXPECT_EQ(forwarder_.homeAgent(), kAgent.address);
}

TEST_F(AccessGatewayTest, RouteOptimizationFollowsEventsButForLocalSlivers) {
    using Kind = BindingEvent::Kind;
    wire().tell(Kind::bound, kKey, kOther);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), ElementsAre(kOther));
    gateway_->bind(kKey, {2});
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), IsEmpty());
    wire().tell(Kind::bound, kKey, kNode);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), IsEmpty());
    gateway_->unbind(kKey);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), IsEmpty());
    wire().tell(Kind::bound, kKey, kOther);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), ElementsAre(kOther));
    wire().tell(Kind::unbound, kKey, {});
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), IsEmpty());
}

TEST_F(AccessGatewayTest, SliceAddressGoesToTheOtherNodesToo) {
    gateway_->bind({.home_address = kSlice, .binding_id = 1}, {1});
    wire().tell(BindingEvent::Kind::bound, {.home_address = kSlice, .binding_id = 1}, kNode);
    wire().tell(BindingEvent::Kind::bound, {.home_address = kSlice, .binding_id = 2}, kOther);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kSlice)), ElementsAre(kOther));
}

TEST_F(AccessGatewayTest, APathThatIsGoneIsLeftUntilAHomeAgentSpeaksOfTheAddress) {
    wire().tell(BindingEvent::Kind::bound, kKey, kOther);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), ElementsAre(kOther));
    gateway_->pathIsGone(kHome, kNode);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), ElementsAre(kOther)) << "nothing goes to whom that says";
    gateway_->pathIsGone(kHome, kOther);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), IsEmpty());
    wire().tell(BindingEvent::Kind::bound, kKey, kOther);
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), ElementsAre(kOther));
}

TEST_F(AccessGatewayTest, LeftoversOfAnEarlierLifeGoWithTheFirstSnapshot) {
    ASSERT_TRUE(forwarder_.setCareOf(kHome, careOf({kOther})).ok());
    wire().callbacks.watching();
    wire().tell(BindingEvent::Kind::bound, {.home_address = kSlice, .binding_id = 2}, kOther);
    wire().tell(BindingEvent::Kind::snapshot_end, {}, {});
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), IsEmpty());
    EXPECT_THAT(addressesOf(forwarder_.careOf(kSlice)), ElementsAre(kOther));
}

TEST_F(AccessGatewayTest, EndLeavesTheDataPlaneAlone) {
    wire().tell(BindingEvent::Kind::bound, kKey, kOther);
    gateway_.reset();
    EXPECT_THAT(addressesOf(forwarder_.careOf(kHome)), ElementsAre(kOther));
}

}  // namespace
}  // namespace homeslice::mobility
