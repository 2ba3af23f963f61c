#include "noded/audit/flow_recorder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "noded/mobility/fake_forwarder.h"

namespace homeslice::audit {
namespace {

Ipv6Address address(const std::string& text) { return Ipv6Address::parse(text).value(); }

const Ipv6Address kHome = address("fd51:1ce:0:1::1:1");
const Ipv6Address kCareOf = address("fd00::1");

NameTable namesWith(const std::string& owner) {
    return {.serial = 1,
            .domain = "slivers.internal",
            .home_prefix = Ipv6Prefix::parse("fd51:1ce::/48").value(),
            .slices = {{.slice = "web",
                        .address = address("fd51:1ce:0:1::1"),
                        .owner = owner,
                        .slivers = {{.index = 1, .address = kHome}}}}};
}

FlowQuestion now() {
    const int64_t now_us = toUnixMicros(Utc::now());
    return {.from_us = now_us - 60'000'000, .until_us = now_us + 60'000'000};
}

class FlowRecorderTest : public testing::Test {
protected:
    void SetUp() override {
        directory_ = testing::TempDir() + "hst-recorder-XXXXXX";
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
        start();
    }
    void TearDown() override {
        recorder_.reset();
        EXPECT_TRUE(removeTree(directory_).ok());
    }
    // Collects when it is asked something, not in between.
    void start() {
        recorder_.reset();
        auto started = FlowRecorder::start(
            {.path = directory_ + "/flows.db", .care_of_address = kCareOf, .interval = std::chrono::hours(1)},
            forwarder_);
        ASSERT_TRUE(started.ok()) << messageOf(started.status());
        recorder_ = std::move(started).value();
    }
    void send(uint16_t port) {
        const auto time = Monotonic::now();
        forwarder_.flows.push_back({.home_address = kHome,
                                    .source = kHome,
                                    .destination = address("2001:db8::7"),
                                    .source_port = port,
                                    .destination_port = 22,
                                    .protocol = 6,
                                    .first = time,
                                    .last = time,
                                    .packets = 1,
                                    .bytes = 80});
    }
    std::vector<Flow> find(const FlowQuestion& question = now()) {
        const auto found = recorder_->find(question);
        EXPECT_TRUE(found.ok()) << messageOf(found.status());
        return found.ok() ? found->flows : std::vector<Flow>();
    }

    std::string directory_;
    mobility::FakeForwarder forwarder_;
    std::unique_ptr<FlowRecorder> recorder_;
};

TEST_F(FlowRecorderTest, NamesSliverAndUserOfWhatWasSentJustNow) {
    recorder_->setNames(namesWith("alice"));
    send(1000);
    const auto flows = find();
    ASSERT_EQ(flows.size(), 1U);
    EXPECT_EQ(flows[0].owner, (Owner{.sliver = {"web", 1}, .user = "alice"}));
    EXPECT_EQ(flows[0].source_port, 1000);
    EXPECT_NEAR(static_cast<double>(flows[0].first_us), static_cast<double>(toUnixMicros(Utc::now())), 30e6);
}

TEST_F(FlowRecorderTest, TheCareOfAddressStandsForAllOfTheNode) {
    recorder_->setNames(namesWith("alice"));
    send(1000);
    FlowQuestion question = now();
    question.address = kCareOf;
    EXPECT_EQ(find(question).size(), 1U);
    question.address = address("fd00::2");
    EXPECT_TRUE(find(question).empty());
}

// What a slice sent at its end is read after it has gone; and who owned it then is who did it.
TEST_F(FlowRecorderTest, OwnersAreThoseOfTheTime) {
    recorder_->setNames(namesWith("alice"));
    send(1000);
    NameTable gone = namesWith("alice");
    gone.slices.clear();
    recorder_->setNames(gone);
    ASSERT_EQ(find().size(), 1U);
    EXPECT_EQ(find()[0].owner.user, "alice");
    recorder_->setNames(namesWith("bob"));
    forwarder_.flows.clear();
    send(2000);
    const auto flows = find();
    ASSERT_EQ(flows.size(), 2U);
    EXPECT_EQ(flows[0].owner.user, "bob");
    EXPECT_EQ(flows[1].owner.user, "alice");
}

// After noded's restart the data plane has flows of before, and the names come a moment later.
TEST_F(FlowRecorderTest, NothingIsWrittenBeforeItIsKnownWhoIsWho) {
    send(1000);
    start();
    EXPECT_TRUE(find().empty());
    recorder_->setNames(namesWith("alice"));
    ASSERT_EQ(find().size(), 1U);
    EXPECT_EQ(find()[0].owner.sliver.slice, "web");
}

}  // namespace
}  // namespace homeslice::audit
