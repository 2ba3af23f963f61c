// Clients that ask too much: too often, too large, too many watches. Nobody else notices.
#include <gmock/gmock.h>

#include "base/reason.h"
#include "controller/api/api_fixture.h"
#include "controller/api/rate_limits.h"
#include "homeslice/v1/enrolment.grpc.pb.h"
#include "rpc/status.h"

namespace homeslice::controller {
namespace {

using testing_support::ApiTest;
using Stub = v1::ControllerService::Stub;
using std::chrono::milliseconds;

TEST(RateLimits, ABucketEmptiesAndFills) {
    RateLimits limits(10);
    const auto start = Monotonic::now();
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(limits.take("alice", start).ok()) << i;
    const absl::Status refused = limits.take("alice", start);
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(reasonOf(refused).word, reason::kRateLimited);
    EXPECT_EQ(reasonOf(refused).facts.at(kRetryAfterFact), "100");
    EXPECT_FALSE(limits.take("alice", start + milliseconds(99)).ok());
    EXPECT_TRUE(limits.take("alice", start + milliseconds(100)).ok());
    EXPECT_FALSE(limits.take("alice", start + milliseconds(100)).ok());
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(limits.take("alice", start + std::chrono::hours(1)).ok()) << i;
    EXPECT_FALSE(limits.take("alice", start + std::chrono::hours(1)).ok()) << "it holds no more than that";
}

TEST(RateLimits, EveryoneHasABucket) {
    RateLimits limits(1);
    const auto start = Monotonic::now();
    while (limits.take("alice", start).ok()) continue;
    EXPECT_TRUE(limits.take("bob", start).ok());
}

TEST(RateLimits, NoneAtAll) {
    RateLimits limits(0);
    for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(limits.take("alice").ok());
}

TEST(RateLimits, StrangersInGreatNumbersAreForgotten) {
    RateLimits limits(1);
    const auto start = Monotonic::now();
    for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(limits.take(std::to_string(i), start).ok());
}

class LimitsTest : public ApiTest {
protected:
    LimitsTest() { rate_ = 5; }
    static grpc::Status listNodes(v1::ControllerService::StubInterface& stub) {
        grpc::ClientContext context;
        v1::ListNodesResponse response;
        return stub.ListNodes(&context, v1::ListNodesRequest(), &response);
    }
};

TEST_F(LimitsTest, AUserWhoFloodsIsToldWhenToComeAgainAndNobodyElseIsHeldUp) {
    const auto alice = v1::ControllerService::NewStub(channelAs(*userCredentials("alice")));
    const auto bob = v1::ControllerService::NewStub(channelAs(*userCredentials("bob")));
    grpc::Status refused;
    for (int i = 0; i < 100'000 && refused.ok(); ++i) refused = listNodes(*alice);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    const ErrorReason why = reasonOf(rpc::fromGrpc(refused));
    EXPECT_EQ(why.word, reason::kRateLimited);
    const int wait_ms = std::atoi(why.facts.at(kRetryAfterFact).c_str());
    EXPECT_GT(wait_ms, 0);
    EXPECT_LE(wait_ms, 200);
    EXPECT_TRUE(listNodes(*bob).ok());
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(listNodes(*stub_).ok()) << "the local administrator has no limit";
    std::this_thread::sleep_for(milliseconds(wait_ms));
    EXPECT_TRUE(listNodes(*alice).ok());
}

TEST_F(LimitsTest, NodesAreNotHeldUp) {
    bringUpWeb();
    for (int i = 0; i < 20; ++i) {
        v1::SetFrozenRequest request;
        request.mutable_id()->set_slice("web");
        request.set_frozen(i % 2 == 0);
        v1::Operation operation;
        ASSERT_TRUE(call(&Stub::SetFrozen, request, &operation).ok());
        EXPECT_EQ(waitFor(operation.id()).state(), v1::OPERATION_STATE_DONE);
    }
}

TEST_F(LimitsTest, StrangersAreHeldUpByAddress) {
    const std::string fingerprint = issuer_->fingerprint();
    const auto stranger = tls::newcomerChannel(target(), {pki::Kind::node, "node9", randomId(), fingerprint});
    const auto stub = v1::EnrolmentService::NewStub(stranger);
    grpc::Status refused;
    for (int i = 0; i < 100'000 && refused.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED; ++i) {
        grpc::ClientContext context;
        v1::JoinRequest request;
        v1::Enrolment enrolment;
        refused = stub->Join(&context, request, &enrolment);
        ASSERT_FALSE(refused.ok());
    }
    EXPECT_EQ(reasonOf(rpc::fromGrpc(refused)).word, reason::kRateLimited);
}

TEST_F(LimitsTest, AMessageThatIsTooLargeIsRefused) {
    v1::CreateSliceRequest request;
    request.set_name("web");
    request.mutable_base()->add_files()->set_content(std::string(8 << 20, 'x'));
    v1::Operation operation;
    EXPECT_EQ(call(&Stub::CreateSlice, request, &operation).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_TRUE(listNodes(*stub_).ok());
}

TEST_F(LimitsTest, OneUserHasSoManyWatches) {
    struct Open {
        grpc::ClientContext context;
        std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader;
    };
    std::vector<std::unique_ptr<Open>> open;
    grpc::Status end;
    v1::WatchResponse response;
    while (open.size() < 1000) {
        open.push_back(std::make_unique<Open>());
        open.back()->reader = stub_->Watch(&open.back()->context, v1::WatchRequest());
        if (open.back()->reader->Read(&response)) continue;
        end = open.back()->reader->Finish();
        open.pop_back();
        break;
    }
    EXPECT_EQ(open.size(), 64U);
    EXPECT_EQ(reasonOf(rpc::fromGrpc(end)).word, reason::kTooManyWatches);
    open.front()->context.TryCancel();
    while (open.front()->reader->Read(&response)) continue;
    open.front()->reader->Finish();
    // The controller hears of the end a moment later.
    for (bool taken = false; !taken;) {
        Open again;
        again.reader = stub_->Watch(&again.context, v1::WatchRequest());
        taken = again.reader->Read(&response);
        again.context.TryCancel();
        again.reader->Finish();
    }
    for (const auto& each : open) each->context.TryCancel();
}

}  // namespace
}  // namespace homeslice::controller
