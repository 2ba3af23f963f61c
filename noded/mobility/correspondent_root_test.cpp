// A host without slivers that sends straight to where slivers are, and what puts it right when they have left.
#include <atomic>

#include "noded/mobility/access_gateway.h"
#include "noded/mobility/binding_errors.h"
#include "noded/mobility/forwarder_fixture.h"

namespace homeslice::mobility {
namespace {

constexpr std::chrono::seconds kPatience{20};

class SilentTransport final : public BindingTransport {
public:
    void send(const BindingUpdate& /*update*/) override {}
};

class CorrespondentTest : public ForwarderTest {
protected:
    void SetUp() override {
        ForwarderTest::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        correspondent_ = std::make_unique<Node>(*bpffs_, "cn", address("fd00:51ce:3::2"), false);
        plug(correspondent_->host, "to-cn", "fd00:51ce:3::");
        const std::vector<Ipv6Address> peers{home_agent_->careOf(), node1_->careOf(), node2_->careOf(),
                                             correspondent_->careOf()};
        for (Node* const node : {home_agent_.get(), node1_.get(), node2_.get()})
            ASSERT_EQ(node->forwarder->setTrustedPeers(peers), absl::OkStatus());
        correspondent_->open(peers, home_agent_->careOf());
        // A home agent's watch, through which the test speaks.
        gateway_ = AccessGateway::create({.care_of_address = correspondent_->careOf()}, *correspondent_->forwarder,
                                         [this](const HomeAgentAddress&, BindingTransport::Callbacks callbacks) {
                                             watch_ = std::move(callbacks);
                                             return std::make_unique<SilentTransport>();
                                         });
        gateway_->setHomeAgents({{.address = home_agent_->careOf(), .api_port = 7401}});
        errors_.push_back(startErrors(*correspondent_, [this](const Ipv6Address& home, const Ipv6Address& care_of) {
            ++heard_;
            gateway_->pathIsGone(home, care_of);
        }));
        for (Node* const node : {node1_.get(), node2_.get()})
            errors_.push_back(startErrors(*node, [](const Ipv6Address&, const Ipv6Address&) {}));
    }
    void TearDown() override {
        errors_.clear();
        gateway_.reset();
    }

    static std::unique_ptr<BindingErrors> startErrors(Node& node, BindingErrors::Heard heard) {
        std::unique_ptr<BindingErrors> errors;
        node.host.run([&] {
            auto started = BindingErrors::start(*node.forwarder, node.careOf(), std::move(heard));
            ASSERT_TRUE(started.ok()) << started.status();
            errors = std::move(*started);
        });
        return errors;
    }
    // What the correspondent's watch says.
    void tellCorrespondent(const Ipv6Address& home, const Node& node) {
        BindingEvent event{.kind = BindingEvent::Kind::bound, .binding = {}};
        event.binding.key = {.home_address = home, .binding_id = 0};
        event.binding.care_of_address = node.careOf();
        watch_.event(event);
    }

    std::unique_ptr<Node> correspondent_;
    BindingTransport::Callbacks watch_;
    std::unique_ptr<AccessGateway> gateway_;
    std::atomic<int> heard_{0};
    std::vector<std::unique_ptr<BindingErrors>> errors_;
};

TEST_F(CorrespondentTest, SendsStraightAndTheHomeAgentsCountersStay) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    const EchoServer server(sliver1_.host);
    EXPECT_EQ(tryEcho(correspondent_->host, sliver1_.home), 0);
    const uint64_t by_home_agent = encapsulatedByHomeAgent();
    EXPECT_GT(by_home_agent, 0U) << "before it knows, all goes by way of the home agent";

    tellCorrespondent(sliver1_.home, *node1_);
    UniqueFd fd = makeSocket(correspondent_->host, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_TRUE(echoBulk(fd.get(), 4U << 20));
    fd.reset();  // the server has one connection at a time
    const uint64_t straight = encapsulatedByHomeAgent();
    EXPECT_LT(straight, by_home_agent + 10) << "no more than the end of the first connection";
    EXPECT_EQ(tryEcho(*client_, sliver1_.home), 0);
    EXPECT_GT(encapsulatedByHomeAgent(), straight) << "others' packets are counted";
}

TEST_F(CorrespondentTest, FallsBackToTheHomeAgentWhenTheNodeSaysThatTheSliverIsGone) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    tellCorrespondent(sliver1_.home, *node1_);
    const EchoServer server(sliver1_.host);
    const UniqueFd fd = makeSocket(correspondent_->host, SOCK_STREAM);
    ASSERT_EQ(connectError(fd.get(), sliver1_.home, kEchoPort), 0);
    EXPECT_EQ(echo(fd.get(), "before"), "before");
    // It moves, and the correspondent's watch says nothing.
    sliver1_.unplugFrom(*node1_);
    sliver1_.plugInto(*node2_);
    bind(sliver1_.home, *node2_, 2);
    EXPECT_EQ(echo(fd.get(), "after"), "after") << "the old node sends on";
    const auto deadline = Monotonic::now() + kPatience;
    while (heard_ == 0 && Monotonic::now() < deadline) ASSERT_EQ(echo(fd.get(), "word"), "word");
    EXPECT_GT(heard_, 0) << "no Binding Error came";
    const uint64_t at_old_node = node1_->forwarder->counters()->decapsulated_packets;
    const uint64_t by_home_agent = encapsulatedByHomeAgent();
    EXPECT_TRUE(echoBulk(fd.get(), 1U << 20));
    EXPECT_EQ(node1_->forwarder->counters()->decapsulated_packets, at_old_node);
    EXPECT_GT(encapsulatedByHomeAgent(), by_home_agent);
    // As soon as it hears where the sliver is, it goes there.
    tellCorrespondent(sliver1_.home, *node2_);
    EXPECT_EQ(echo(fd.get(), "told"), "told");
    const uint64_t told = encapsulatedByHomeAgent();
    EXPECT_TRUE(echoBulk(fd.get(), 1U << 20));
    EXPECT_EQ(encapsulatedByHomeAgent(), told);
}

// Who is not sent to has nothing to say; the worst that a forged word does is a detour.
TEST_F(CorrespondentTest, StrangersWordsDoNotCount) {
    sliver1_.plugInto(*node1_);
    bind(sliver1_.home, *node1_, 1);
    tellCorrespondent(sliver1_.home, *node1_);
    gateway_->pathIsGone(sliver1_.home, node2_->careOf());
    const EchoServer server(sliver1_.host);
    EXPECT_EQ(tryEcho(correspondent_->host, sliver1_.home), 0);
    EXPECT_EQ(encapsulatedByHomeAgent(), 0U);
}

}  // namespace
}  // namespace homeslice::mobility
