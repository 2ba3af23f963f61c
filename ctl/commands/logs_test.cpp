#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/status.h"
#include "ctl/commands/fake_controller.h"
#include "rpc/status.h"

namespace homeslice::ctl {
namespace {

using ::testing::HasSubstr;

class Logs : public ::testing::Test {
protected:
    Logs() {
        for (uint32_t i = 1; i <= 2; ++i) controller_.addSliver("web", i, "node1");
        controller_.log = "2026-01-02T03:04:05.678901234Z stdout F hello\n";
    }

    FakeController controller_;
};

TEST_F(Logs, AskForWhatWasAskedFor) {
    const int64_t before = toUnixMicros(Utc::now());
    EXPECT_EQ(slicectl(controller_, {"logs", "web/2", "-f", "--since", "10m", "--tail", "5"}).out, "hello\n");
    ASSERT_EQ(controller_.logs_requests.size(), 1U);
    const v1::LogsRequest& request = controller_.logs_requests[0];
    EXPECT_EQ(request.sliver().index(), 2U);
    EXPECT_TRUE(request.follow());
    EXPECT_EQ(request.tail(), 5U);
    EXPECT_GE(request.since_us(), before - 600'000'000);
    EXPECT_LT(request.since_us(), before - 500'000'000);
}

TEST_F(Logs, OfASliceAreLabelled) {
    for (const char* follow : {"--tail=9", "--follow"}) {
        const Outcome outcome = slicectl(controller_, {"logs", "web", follow, "--timestamps"});
        EXPECT_EQ(outcome.exit_status, 0);
        EXPECT_THAT(outcome.out, HasSubstr("web/1 | 2026-01-02T03:04:05.678901234Z hello\n"));
        EXPECT_THAT(outcome.out, HasSubstr("web/2 | 2026-01-02T03:04:05.678901234Z hello\n"));
    }
}

// A record that was cut off comes whole, one that came before not again.
TEST_F(Logs, GoOnWhereTheyWereCutOff) {
    const auto record = [](const std::string& decimals, const std::string& text) {
        return "2026-01-02T03:04:05." + decimals + "Z stdout F " + text + "\n";
    };
    const grpc::Status away = rpc::toGrpc(unavailable("node 'node1': not connected"));
    const std::string second = record("000002001", "two");
    controller_.logs = {{record("000001001", "one") + second + record("000003001", "three").substr(0, 40), away},
                        {"", away},
                        {second + record("000003001", "three") + record("000003001", "four"), away},
                        {record("000003001", "three") + record("000003001", "four"), grpc::Status::OK}};
    const Outcome outcome = slicectl(controller_, {"logs", "web/2", "-f", "--tail", "2"});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "one\ntwo\nthree\nfour\n");
    ASSERT_EQ(controller_.logs_requests.size(), 4U);
    EXPECT_EQ(controller_.logs_requests[0].tail(), 2U);
    EXPECT_EQ(controller_.logs_requests[1].tail(), 0U);
    EXPECT_EQ(controller_.logs_requests[1].since_us(), 1'767'323'045'000'002);
    EXPECT_EQ(controller_.logs_requests[3].since_us(), 1'767'323'045'000'003);
}

TEST_F(Logs, EndWhenTheSliverWentMeanwhile) {
    const std::string log = controller_.log;
    controller_.logs = {{log, rpc::toGrpc(unavailable("gone for now"))}, {"", rpc::toGrpc(notFound("no sliver"))}};
    const Outcome outcome = slicectl(controller_, {"logs", "web/2", "-f"});
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "hello\n");
}

TEST_F(Logs, OfANodeThatIsAwayAreRefusedAtOnce) {
    controller_.logs = {{"", rpc::toGrpc(unavailable("node 'node1': not connected"))}};
    const Outcome outcome = slicectl(controller_, {"logs", "web/2", "-f"});
    EXPECT_EQ(outcome.err, "slicectl: node 'node1': not connected\n");
    EXPECT_EQ(controller_.logs_requests.size(), 1U);
}

TEST_F(Logs, RefusalHasAStatusByItsCode) {
    controller_.refusal = grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "web/1 has no log");
    const Outcome outcome = slicectl(controller_, {"logs", "web/1"});
    EXPECT_EQ(outcome.exit_status, 4);
    EXPECT_EQ(outcome.err, "slicectl: web/1 has no log\n");
}

TEST_F(Logs, RefuseMalformedOptions) {
    EXPECT_THAT(slicectl(controller_, {"logs", "web/1", "--since", "noon"}).err, HasSubstr("--since 'noon'"));
    EXPECT_THAT(slicectl(controller_, {"logs", "web/1", "--tail", "0"}).err, HasSubstr("--tail '0'"));
}

}  // namespace
}  // namespace homeslice::ctl
