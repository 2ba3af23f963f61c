// What tools that know nothing of Homeslice learn from the controller itself, and who may ask.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/generic/generic_stub.h>

#include <future>

#include "controller/api/api_fixture.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"

namespace homeslice::controller {
namespace {

using grpc::reflection::v1::ServerReflection;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing_support::ApiTest;

const std::string kService = "homeslice.v1.ControllerService";

class ControllerReflectionTest : public ApiTest {
protected:
    static grpc::Status ask(const std::shared_ptr<grpc::Channel>& channel, const ServerReflectionRequest& request,
                            ServerReflectionResponse* response) {
        const auto stub = ServerReflection::NewStub(channel);
        grpc::ClientContext context;
        const auto stream = stub->ServerReflectionInfo(&context);
        stream->Write(request);
        stream->WritesDone();
        stream->Read(response);
        return stream->Finish();
    }
    // Any answer to a call of grpc.health.v1.Health/Check, whose empty request needs no generated code.
    static grpc::Status checkHealth(const std::shared_ptr<grpc::Channel>& channel) {
        grpc::GenericStub stub(channel);
        const grpc::ByteBuffer request(nullptr, 0);
        grpc::ByteBuffer response;
        grpc::ClientContext context;
        std::promise<grpc::Status> ended;
        stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request, &response,
                       [&ended](const grpc::Status& status) { ended.set_value(status); });
        return ended.get_future().get();
    }
};

// As grpcurl does: services, then a service's files, then a call with messages built of them.
TEST_F(ControllerReflectionTest, ACallCanBeMadeOfWhatItSays) {
    addNode("node1");
    ServerReflectionRequest request;
    request.set_list_services("");
    ServerReflectionResponse response;
    ASSERT_TRUE(ask(channel_, request, &response).ok());
    std::vector<std::string> services;
    for (const auto& service : response.list_services_response().service()) services.push_back(service.name());
    EXPECT_THAT(services, AllOf(Contains(kService), Contains("homeslice.v1.NodeLink"),
                                Contains("homeslice.v1.EnrolmentService"), Contains("grpc.health.v1.Health")));

    request.set_file_containing_symbol(kService);
    ASSERT_TRUE(ask(channel_, request, &response).ok());
    google::protobuf::SimpleDescriptorDatabase database;
    for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
        google::protobuf::FileDescriptorProto file;
        ASSERT_TRUE(file.ParseFromString(bytes));
        ASSERT_TRUE(database.Add(file));
    }
    google::protobuf::DescriptorPool pool(&database);
    const auto* const method = pool.FindMethodByName(kService + ".ListNodes");
    ASSERT_NE(method, nullptr);

    google::protobuf::DynamicMessageFactory factory(&pool);
    const std::unique_ptr<google::protobuf::Message> nodes(factory.GetPrototype(method->output_type())->New());
    grpc::GenericStub stub(channel_);
    const grpc::ByteBuffer nothing(nullptr, 0);
    grpc::ByteBuffer answer;
    grpc::ClientContext context;
    std::promise<grpc::Status> ended;
    stub.UnaryCall(&context, "/" + kService + "/ListNodes", grpc::StubOptions(), &nothing, &answer,
                   [&ended](const grpc::Status& status) { ended.set_value(status); });
    ASSERT_TRUE(ended.get_future().get().ok());
    grpc::Slice bytes;
    ASSERT_TRUE(answer.DumpToSingleSlice(&bytes).ok());
    ASSERT_TRUE(nodes->ParseFromArray(bytes.begin(), static_cast<int>(bytes.size())));
    std::string json;
    ASSERT_TRUE(google::protobuf::util::MessageToJsonString(*nodes, &json).ok());
    EXPECT_THAT(json, HasSubstr("\"name\":\"node1\""));
}

TEST_F(ControllerReflectionTest, UsersMayAskStrangersMayNot) {
    ServerReflectionRequest request;
    request.set_list_services("");
    ServerReflectionResponse response;
    EXPECT_TRUE(ask(channelAs(*userCredentials("alice")), request, &response).ok());
    const auto stranger =
        tls::newcomerChannel(target(), {pki::Kind::node, "node9", randomId(), issuer_->fingerprint()});
    EXPECT_EQ(ask(stranger, request, &response).error_code(), grpc::StatusCode::UNAUTHENTICATED);
    const auto node = nodeCredentials("node9");
    EXPECT_EQ(ask(channelAs(*node), request, &response).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(ControllerReflectionTest, HealthIsAnswered) {
    EXPECT_TRUE(checkHealth(channel_).ok());
    EXPECT_TRUE(checkHealth(channelAs(*userCredentials("alice"))).ok());
}

}  // namespace
}  // namespace homeslice::controller
