// For tests of the API: the whole controller over real gRPC, with simulated nodes and a SQLite store. The Unix socket
// is the administrator's; nodes and users come by TLS.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/names.h"
#include "base/status.h"
#include "controller/api/server.h"
#include "controller/api/simulated_node.h"
#include "homeslice/v1/controller.grpc.pb.h"
#include "pki/enrol/enrol.h"

namespace homeslice::controller::testing_support {

class ApiTest : public ::testing::Test {
protected:
    void SetUp() override {
        std::string directory = (std::filesystem::temp_directory_path() / "hst-api-XXXXXX").string();
        ASSERT_NE(::mkdtemp(directory.data()), nullptr);
        directory_ = directory;
        ASSERT_TRUE(Issuer::initialise(directory_, {pki::Kind::user, "admin", randomId()}, std::chrono::hours(1)).ok());
        start();
        channel_ = grpc::CreateChannel("unix:" + directory_ + "/sock", grpc::InsecureChannelCredentials());
        stub_ = v1::ControllerService::NewStub(channel_);
    }
    void TearDown() override {
        nodes_.clear();
        stop();
        EXPECT_TRUE(removeTree(directory_).ok());
    }
    void start() {
        store_ = openSqliteStore(directory_ + "/controller.db").value();
        images_ = ImageFiles::open(directory_ + "/images").value();
        Config config;
        config.home_prefix = Ipv6Prefix::parse("fd51:1ce::/48").value();
        config.node_timeout = std::chrono::hours(1);  // simulated nodes have no heartbeat
        issuer_ = Issuer::open(directory_, std::chrono::hours(1)).value();
        controller_ = Controller::open(config, *store_, *images_, systemClock()).value();
        auto server = Server::start({"unix:" + directory_ + "/sock", "[::1]:0"}, *controller_, *images_, *issuer_,
                                    {.rate = rate_, .leads = [this] { return leads_.load(); }});
        ASSERT_TRUE(server.ok()) << server.status();
        server_ = std::move(server).value();
    }
    void stop() {
        server_.reset();
        controller_.reset();
        images_.reset();
        store_.reset();
    }

    std::string target() const { return "ipv6:[::1]:" + std::to_string(server_->ports()[1]); }

    // A certificate by way of the API: a token over the socket, redeemed over TLS.
    std::shared_ptr<tls::Credentials> redeem(const std::string& token) {
        const pki::Token parsed = pki::parseToken(token).value();
        const auto files = enrol::join(target(), parsed);
        EXPECT_TRUE(files.ok()) << files.status();
        const std::string path = directory_ + "/" + toString(parsed.kind) + "-" + parsed.name;
        EXPECT_TRUE(pki::writeCredentials(path, *files).ok());
        return tls::Credentials::open(path).value();
    }
    std::shared_ptr<tls::Credentials> nodeCredentials(const std::string& name, bool home_agent = false) {
        v1::MakeNodeTokenRequest request;
        request.set_name(name);
        request.set_home_agent(home_agent);
        v1::JoinToken token;
        EXPECT_TRUE(call(&v1::ControllerService::Stub::MakeNodeToken, request, &token).ok());
        return redeem(token.token());
    }
    std::shared_ptr<tls::Credentials> userCredentials(const std::string& name, v1::Role role = v1::ROLE_USER) {
        v1::AddUserRequest request;
        request.set_name(name);
        request.set_role(role);
        v1::JoinToken token;
        EXPECT_TRUE(call(&v1::ControllerService::Stub::AddUser, request, &token).ok());
        return redeem(token.token());
    }
    std::shared_ptr<grpc::Channel> channelAs(const tls::Credentials& credentials) const {
        return credentials.channel(target(), pki::kControllerName, {});
    }

    // Returns once the controller calls it ready.
    SimulatedNode& addNode(const std::string& name, bool home_agent = false, uint32_t cpus = 0) {
        nodes_[name] =
            std::make_unique<SimulatedNode>(target(), nodeCredentials(name, home_agent), name, home_agent, cpus);
        while (nodes_[name]->lastPicture().revision() == 0) std::this_thread::yield();
        return *nodes_[name];
    }
    grpc::Status import(const std::string& name, const std::string& archive, v1::Image* image) {
        grpc::ClientContext context;
        const auto writer = stub_->ImportImage(&context, image);
        v1::ImportImageRequest request;
        request.mutable_header()->set_name(name);
        writer->Write(request);
        for (size_t at = 0; at < archive.size(); at += 100'000) {
            request.mutable_chunk()->set_data(archive.substr(at, 100'000));
            writer->Write(request);
        }
        writer->WritesDone();
        return writer->Finish();
    }
    void bringUpWeb() {
        addNode("node1");
        addNode("node2");
        v1::Image image;
        ASSERT_TRUE(import("busybox", "archive", &image).ok());
        v1::CreateSliceRequest request;
        request.set_name("web");
        request.mutable_base()->set_image("busybox");
        request.add_nodes("node1");
        v1::Operation operation;
        grpc::ClientContext context;
        const grpc::Status created = stub_->CreateSlice(&context, request, &operation);
        ASSERT_TRUE(created.ok()) << created.error_message();
        EXPECT_EQ(waitFor(operation.id()).state(), v1::OPERATION_STATE_DONE);
    }
    // The operation's last state.
    v1::Operation waitFor(const std::string& id) {
        v1::WatchOperationRequest request;
        request.set_id(id);
        grpc::ClientContext context;
        v1::Operation operation;
        const auto reader = stub_->WatchOperation(&context, request);
        while (reader->Read(&operation)) continue;
        const grpc::Status status = reader->Finish();
        EXPECT_TRUE(status.ok()) << status.error_message();
        return operation;
    }
    template <typename Request, typename Response>
    grpc::Status call(grpc::Status (v1::ControllerService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                          Response*),
                      const Request& request, Response* response) {
        grpc::ClientContext context;
        return (stub_.get()->*method)(&context, request, response);
    }
    v1::Sliver sliver() {
        v1::GetSliverRequest request;
        request.mutable_id()->set_slice("web");
        request.mutable_id()->set_index(1);
        v1::Sliver result;
        EXPECT_TRUE(call(&v1::ControllerService::Stub::GetSliver, request, &result).ok());
        return result;
    }
    static v1::ExecRequest execStart(const std::string& command) {
        v1::ExecRequest request;
        request.mutable_start()->mutable_sliver()->set_slice("web");
        request.mutable_start()->mutable_sliver()->set_index(1);
        request.mutable_start()->add_argv(command);
        return request;
    }

    std::string directory_;
    uint32_t rate_ = ServerOptions::kUsualRate;  // of the next start
    std::atomic<bool> leads_ = true;
    std::unique_ptr<Store> store_;
    std::unique_ptr<ImageFiles> images_;
    std::unique_ptr<Issuer> issuer_;
    std::unique_ptr<Controller> controller_;
    std::unique_ptr<Server> server_;
    std::shared_ptr<grpc::Channel> channel_;
    std::unique_ptr<v1::ControllerService::Stub> stub_;
    std::map<std::string, std::unique_ptr<SimulatedNode>> nodes_;
};

}  // namespace homeslice::controller::testing_support
