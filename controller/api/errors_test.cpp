// What programs learn of an error: over real gRPC, with the details as any other library reads them.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "base/reason.h"
#include "controller/api/api_fixture.h"
#include "google/rpc/errors.pb.h"
#include "rpc/status.h"

namespace homeslice::controller {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Pair;
using testing_support::ApiTest;
using Stub = v1::ControllerService::Stub;

class ErrorsTest : public ApiTest {
protected:
    static ErrorReason reasonIn(const grpc::Status& status) { return reasonOf(rpc::fromGrpc(status)); }
    grpc::Status getSlice(const std::string& name) {
        v1::GetSliceRequest request;
        request.set_name(name);
        v1::Slice slice;
        return call(&Stub::GetSlice, request, &slice);
    }
};

TEST_F(ErrorsTest, DetailsAreGoogleRpcs) {
    const grpc::Status status = getSlice("web");
    google::rpc::Status details;
    ASSERT_TRUE(details.ParseFromString(status.error_details()));
    EXPECT_EQ(details.code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(details.message(), "no slice 'web'");
    google::rpc::ErrorInfo info;
    ASSERT_EQ(details.details_size(), 1);
    ASSERT_TRUE(details.details(0).UnpackTo(&info));
    EXPECT_EQ(info.reason(), "SLICE_NOT_FOUND");
    EXPECT_EQ(info.domain(), "homeslice");
    EXPECT_EQ(info.metadata().at("slice"), "web");
}

TEST_F(ErrorsTest, ReasonsTellErrorsOfOneCodeApart) {
    bringUpWeb();
    const auto bob = userCredentials("bob");
    EXPECT_EQ(reasonIn(getSlice("Not A Name")).word, "INVALID_ARGUMENT");

    v1::CreateSliceRequest create;
    create.set_name("web");
    create.mutable_base()->set_image("busybox");
    create.set_node_count(1);
    v1::Operation operation;
    EXPECT_EQ(reasonIn(call(&Stub::CreateSlice, create, &operation)).word, reason::kSliceExists);
    create.set_name("db");
    create.set_node_count(3);
    EXPECT_EQ(reasonIn(call(&Stub::CreateSlice, create, &operation)).word, reason::kUnplaceable);
    create.mutable_base()->set_image("none");
    const ErrorReason no_image = reasonIn(call(&Stub::CreateSlice, create, &operation));
    EXPECT_EQ(no_image.word, reason::kImageNotFound);
    EXPECT_THAT(no_image.facts, Contains(Pair("image", "none")));

    v1::CancelOperationRequest cancel;
    cancel.set_id("none");
    EXPECT_EQ(reasonIn(call(&Stub::CancelOperation, cancel, &operation)).word, reason::kOperationNotFound);

    const auto stub = v1::ControllerService::NewStub(channelAs(*bob));
    v1::GetSliceRequest request;
    request.set_name("web");
    grpc::ClientContext context;
    v1::Slice slice;
    const ErrorReason right = reasonIn(stub->GetSlice(&context, request, &slice));
    EXPECT_EQ(right.word, reason::kRightMissing);
    EXPECT_THAT(right.facts, Contains(Pair("right", "use slice")));
    EXPECT_THAT(right.facts, Contains(Pair("user", "bob")));
}

TEST_F(ErrorsTest, StreamsHaveThemToo) {
    v1::WatchOperationRequest request;
    request.set_id("none");
    grpc::ClientContext context;
    v1::Operation operation;
    const auto reader = stub_->WatchOperation(&context, request);
    EXPECT_FALSE(reader->Read(&operation));
    EXPECT_EQ(reasonIn(reader->Finish()).word, reason::kOperationNotFound);
}

TEST_F(ErrorsTest, TheDocumentHasEveryReason) {
    std::ifstream file(HS_API_DOCUMENT);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    for (const std::string& word : reasonWords()) EXPECT_THAT(text, HasSubstr("`" + word + "`"));
}

// A request that nobody waits for any more is not carried out.
TEST_F(ErrorsTest, ADeadlineThatHasPassedIsHeeded) {
    v1::AddUserRequest request;
    request.set_name("late");
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
    v1::JoinToken token;
    EXPECT_EQ(stub_->AddUser(&context, request, &token).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
    v1::ListUsersResponse users;
    ASSERT_TRUE(call(&Stub::ListUsers, v1::ListUsersRequest(), &users).ok());
    for (const v1::User& user : users.users()) EXPECT_NE(user.name(), "late");
}

}  // namespace
}  // namespace homeslice::controller
