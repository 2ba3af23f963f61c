#include "rpc/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/reason.h"
#include "base/status.h"
#include "google/rpc/errors.pb.h"

namespace homeslice::rpc {
namespace {

// What any other program's library makes of the details.
google::rpc::Status detailsOf(const grpc::Status& status) {
    google::rpc::Status details;
    EXPECT_TRUE(details.ParseFromString(status.error_details()));
    return details;
}

TEST(RpcStatus, CarriesTheReasonInItsDetails) {
    const grpc::Status sent = toGrpc(because(notFound("no slice 'web'"), reason::kSliceNotFound, {{"slice", "web"}}));
    EXPECT_EQ(sent.error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(sent.error_message(), "no slice 'web'");
    const google::rpc::Status details = detailsOf(sent);
    EXPECT_EQ(details.code(), 5);
    ASSERT_EQ(details.details_size(), 1);
    EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
    const absl::Status received = fromGrpc(sent);
    EXPECT_EQ(received.code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(messageOf(received), "no slice 'web'");
    EXPECT_EQ(reasonOf(received).word, "SLICE_NOT_FOUND");
    EXPECT_EQ(reasonOf(received).facts, (ErrorFacts{{"slice", "web"}}));
}

TEST(RpcStatus, SaysWhenToComeAgain) {
    const grpc::Status sent =
        toGrpc(because(resourceExhausted("slower"), reason::kRateLimited, {{kRetryAfterFact, "1500"}}));
    const google::rpc::Status details = detailsOf(sent);
    ASSERT_EQ(details.details_size(), 2);
    google::rpc::RetryInfo retry;
    ASSERT_TRUE(details.details(1).UnpackTo(&retry));
    EXPECT_EQ(retry.retry_delay().seconds(), 1);
    EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
}

TEST(RpcStatus, LongAndBinaryMessagesFitIntoMetadata) {
    const grpc::Status sent = toGrpc(because(invalidArgument(std::string(100'000, '\xff')), reason::kNodeAway,
                                             {{"node", std::string(100'000, '\xfe')}}));
    EXPECT_LE(sent.error_message().size() + sent.error_details().size(), 4096U);
    EXPECT_EQ(detailsOf(sent).details_size(), 1);
}

TEST(RpcStatus, TakesNoReasonFromForeignDetails) {
    const grpc::Status garbage(grpc::StatusCode::NOT_FOUND, "no", "\xff\xff\xff");
    EXPECT_EQ(reasonOf(fromGrpc(garbage)).word, "NOT_FOUND");
    google::rpc::ErrorInfo info;
    info.set_reason("SLICE_NOT_FOUND");
    info.set_domain("elsewhere.example");
    google::rpc::Status details;
    details.add_details()->PackFrom(info);
    const grpc::Status foreign(grpc::StatusCode::NOT_FOUND, "no", details.SerializeAsString());
    EXPECT_EQ(reasonOf(fromGrpc(foreign)).word, "NOT_FOUND");
    EXPECT_TRUE(fromGrpc(grpc::Status::OK).ok());
}

}  // namespace
}  // namespace homeslice::rpc
