// What every server has: reflection and health, for the controller alone.
#include "noded/api/server.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <future>

#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "noded/api/test_fakes.h"
#include "noded/api/test_pki.h"

namespace homeslice::api {
namespace {

using grpc::reflection::v1::ServerReflection;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;
using ::testing::IsSupersetOf;

class ServerTest : public testing::Test {
protected:
    void SetUp() override {
        const Ipv6Address loopback = Ipv6Address::parse("::1").value();
        auto server = Server::start({.address = loopback, .credentials = pki_.node1},
                                    {.manager = manager_,
                                     .forwarder = forwarder_,
                                     .home_agent = &home_agent_,
                                     .peers = pki_.peers,
                                     .grants = pki_.grants,
                                     .inspect = [] { return std::string("{}"); }});
        ASSERT_TRUE(server.ok()) << server.status();
        server_ = *std::move(server);
        const std::string target = targetOf(loopback, server_->port());
        controller_ = pki_.channelTo(target, *pki_.controller);
        node2_ = pki_.channelTo(target, *pki_.node2);
    }
    // grpc.health.v1.Health/Check, whose empty request needs no generated code.
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
    static grpc::Status listServices(const std::shared_ptr<grpc::Channel>& channel, std::vector<std::string>& names) {
        const auto stub = ServerReflection::NewStub(channel);
        grpc::ClientContext context;
        const auto stream = stub->ServerReflectionInfo(&context);
        ServerReflectionRequest request;
        request.set_list_services("*");
        stream->Write(request);
        stream->WritesDone();
        ServerReflectionResponse response;
        stream->Read(&response);
        for (const auto& service : response.list_services_response().service()) names.push_back(service.name());
        return stream->Finish();
    }

    TestPki pki_;
    FakeManager manager_;
    FakeForwarder forwarder_;
    FakeHomeAgent home_agent_;
    std::unique_ptr<Server> server_;
    std::shared_ptr<grpc::Channel> controller_;
    std::shared_ptr<grpc::Channel> node2_;
};

TEST_F(ServerTest, AnswersTheControllerWhatItServes) {
    std::vector<std::string> names;
    const grpc::Status status = listServices(controller_, names);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_THAT(names,
                IsSupersetOf({"homeslice.v1.NodeService", "homeslice.v1.BindingService", "grpc.health.v1.Health"}));
    EXPECT_TRUE(checkHealth(controller_).ok());
}

TEST_F(ServerTest, AnswersOtherNodesNothingOfIt) {
    std::vector<std::string> names;
    EXPECT_EQ(listServices(node2_, names).error_code(), grpc::StatusCode::PERMISSION_DENIED);
    EXPECT_EQ(checkHealth(node2_).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

}  // namespace
}  // namespace homeslice::api
