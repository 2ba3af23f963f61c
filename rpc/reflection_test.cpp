#include "rpc/reflection.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include "base/status.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace homeslice::rpc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsNull;
using ::testing::Not;

namespace v1 = grpc::reflection::v1;
namespace v1alpha = grpc::reflection::v1alpha;

const std::string kOwnName = "grpc.reflection.v1.ServerReflection";

class ReflectionTest : public ::testing::Test {
protected:
    ReflectionTest() {
        grpc::ServerBuilder builder;
        reflection_.registerWith(builder);
        server_ = builder.BuildAndStart();
        channel_ = server_->InProcessChannel({});
    }
    ~ReflectionTest() override { server_->Shutdown(); }

    template <typename Service, typename Request, typename Response>
    Response ask(const Request& request) {
        const auto stub = Service::NewStub(channel_);
        grpc::ClientContext context;
        const auto stream = stub->ServerReflectionInfo(&context);
        Response response;
        EXPECT_TRUE(stream->Write(request));
        EXPECT_TRUE(stream->Read(&response));
        EXPECT_TRUE(stream->WritesDone());
        EXPECT_TRUE(stream->Finish().ok());
        return response;
    }
    v1::ServerReflectionResponse ask(const v1::ServerReflectionRequest& request) {
        return ask<v1::ServerReflection, v1::ServerReflectionRequest, v1::ServerReflectionResponse>(request);
    }

    absl::Status admission_;
    Reflection reflection_{{"some.Service"}, [this](const grpc::CallbackServerContext&) { return admission_; }};
    std::unique_ptr<grpc::Server> server_;
    std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(ReflectionTest, ListsTheServices) {
    v1::ServerReflectionRequest request;
    request.set_list_services("*");
    std::vector<std::string> names;
    const v1::ServerReflectionResponse response = ask(request);
    for (const auto& service : response.list_services_response().service()) names.push_back(service.name());
    EXPECT_THAT(names, ElementsAre("some.Service", kOwnName, "grpc.reflection.v1alpha.ServerReflection"));
}

TEST_F(ReflectionTest, AnswersOldToolsToo) {
    v1alpha::ServerReflectionRequest request;
    request.set_list_services("*");
    const auto response =
        ask<v1alpha::ServerReflection, v1alpha::ServerReflectionRequest, v1alpha::ServerReflectionResponse>(request);
    EXPECT_EQ(response.list_services_response().service_size(), 3);
}

TEST_F(ReflectionTest, GivesFilesFromWhichAServiceCanBeBuilt) {
    v1::ServerReflectionRequest request;
    request.set_file_containing_symbol(kOwnName);
    google::protobuf::DescriptorPool pool;
    const v1::ServerReflectionResponse response = ask(request);
    for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
        google::protobuf::FileDescriptorProto file;
        ASSERT_TRUE(file.ParseFromString(bytes));
        ASSERT_THAT(pool.BuildFile(file), Not(IsNull()));
    }
    const google::protobuf::ServiceDescriptor* const service = pool.FindServiceByName(kOwnName);
    ASSERT_THAT(service, Not(IsNull()));
    EXPECT_THAT(service->FindMethodByName("ServerReflectionInfo"), Not(IsNull()));
}

TEST_F(ReflectionTest, SaysWhatItDoesNotKnow) {
    v1::ServerReflectionRequest request;
    request.set_file_by_filename("etc/passwd");
    EXPECT_EQ(ask(request).error_response().error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(ask(v1::ServerReflectionRequest()).error_response().error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(ReflectionTest, AnswersNobodyWhoIsNotAdmitted) {
    admission_ = permissionDenied("not you");
    const auto stub = v1::ServerReflection::NewStub(channel_);
    grpc::ClientContext context;
    const auto stream = stub->ServerReflectionInfo(&context);
    v1::ServerReflectionResponse response;
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

}  // namespace
}  // namespace homeslice::rpc
