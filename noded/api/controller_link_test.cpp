// ControllerLink and the image fetch against a NodeLink server in this process.
#include <absl/status/status.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "base/file.h"
#include "base/status.h"
#include "homeslice/v1/node.grpc.pb.h"
#include "noded/api/channel.h"
#include "noded/api/controller_link.h"
#include "noded/api/fetcher.h"
#include "noded/api/test_fakes.h"
#include "noded/api/test_pki.h"
#include "noded/store/key_value_store.h"

namespace homeslice::api {
namespace {

std::string raw(const std::string& text) { return Ipv6Address::parse(text).value().toBytes(); }

v1::DesiredState pictureOf(uint64_t revision, const std::string& home_agent = "fd00::a0a0") {
    v1::DesiredState desired;
    desired.set_revision(revision);
    desired.set_home_prefix("fd51:1ce::/48");
    desired.add_node_addresses(raw("fd00::1"));
    desired.add_home_agents()->set_address(raw(home_agent));
    desired.mutable_home_agents(0)->set_api_port(7401);
    desired.add_nodes()->set_name("node7");
    desired.mutable_nodes(0)->set_enrolment("enrolment");
    return desired;
}

// Answers each hello with `desired`, and keeps what nodes say.
class FakeController final : public v1::NodeLink::Service {
public:
    grpc::Status Connect(grpc::ServerContext* /*context*/,
                         grpc::ServerReaderWriter<v1::ControllerMessage, v1::NodeMessage>* stream) override {
        v1::NodeMessage message;
        bool is_open = false;
        while (stream->Read(&message)) {
            v1::ControllerMessage answer;
            bool refused = false;
            seen.change([&] {
                if (message.has_status()) statuses.push_back(message.status());
                *answer.mutable_desired() = desired;
                if (!message.has_hello()) return;
                hellos.push_back(message.hello());
                open_at_hello.push_back(open);
                refused = open >= most_open;
                if (refused) return;
                is_open = true;
                ++open;
                ++accepted;
            });
            if (refused) return {grpc::StatusCode::PERMISSION_DENIED, "not now"};
            if (message.has_hello()) stream->Write(answer);
        }
        seen.change([&] { open -= is_open ? 1 : 0; });
        return grpc::Status::OK;
    }

    grpc::Status FetchImage(grpc::ServerContext* /*context*/, const v1::FetchImageRequest* request,
                            grpc::ServerWriter<v1::Chunk>* writer) override {
        if (request->digest() != "sha256:here") return {grpc::StatusCode::NOT_FOUND, "no such image"};
        v1::Chunk chunk;
        chunk.set_data(std::string(200'000, 'i'));
        for (int i = 0; i < 10; ++i) writer->Write(chunk);
        return grpc::Status::OK;
    }

    Eventually seen;
    v1::DesiredState desired = pictureOf(5);
    int most_open = 100;
    int accepted = 0;                // streams
    int open = 0;                    // of them, those that have not ended
    std::vector<int> open_at_hello;  // how many there were when each hello came
    std::vector<v1::NodeHello> hellos;
    std::vector<v1::NodeStatus> statuses;
};

class ControllerLinkTest : public testing::Test {
protected:
    void SetUp() override { startController(); }
    void TearDown() override {
        link_.reset();
        stopController();
        unlink(socket_.c_str());
    }

    void startController() {
        grpc::ServerBuilder builder;
        builder.AddListeningPort("unix:" + socket_, pki_.controller->forServer(tls::ClientCertificate::required));
        builder.RegisterService(&controller_);
        server_ = builder.BuildAndStart();
        ASSERT_TRUE(server_);
    }
    void stopController() {
        if (server_) server_->Shutdown(std::chrono::system_clock::now());
        server_.reset();
    }
    void startLink() { startLink("unix:" + socket_); }
    void startLink(const std::string& controller, std::chrono::milliseconds stream_age = std::chrono::hours(1)) {
        link_ = ControllerLink::start(
            {.controllers = controllersOf(controller, pki_.node1),
             .identity = {.name = "node1",
                          .care_of_address = Ipv6Address::parse("fd00::1").value(),
                          .api_port = 7401,
                          .version = "1",
                          .cpus = 2,
                          .memory_bytes = 1,
                          .kernel = "k",
                          .boot_id = "b"},
             .stream_age = stream_age},
            {.manager = manager_, .network = network_, .gateway = gateway_, .peers = pki_.peers, .changes = changes_});
    }
    // The controller hears a status for which `holds` is true.
    template <typename F>
    bool hears(F holds) {
        return controller_.seen.wait(
            [&] { return std::any_of(controller_.statuses.begin(), controller_.statuses.end(), holds); });
    }

    const std::string socket_ = testing::TempDir() + "link-" + std::to_string(getpid()) + ".sock";
    TestPki pki_;
    FakeController controller_;
    std::unique_ptr<grpc::Server> server_;
    FakeManager manager_;
    FakeForwarder forwarder_;
    FakeGateway gateway_;
    std::unique_ptr<store::KeyValueStore> store_ = store::makeMemoryStore();
    NetworkSettings network_{{.forwarder = forwarder_,
                              .gateway = gateway_,
                              .home_agent = nullptr,
                              .store = *store_,
                              .peers = pki_.peers,
                              .grants = pki_.grants}};
    ChangeSignal changes_;
    std::unique_ptr<ControllerLink> link_;
};

// Answers as a controller that does not lead.
class FakeFollower final : public v1::NodeLink::Service {
public:
    grpc::Status Connect(grpc::ServerContext* context,
                         grpc::ServerReaderWriter<v1::ControllerMessage, v1::NodeMessage>* /*stream*/) override {
        ++asked;
        context->AddTrailingMetadata(leader::kLeaderMetadata, leader);
        return {grpc::StatusCode::UNAVAILABLE, "this controller does not lead"};
    }

    std::string leader;
    std::atomic<int> asked = 0;
};

TEST_F(ControllerLinkTest, GoesWhereAFollowerSendsIt) {
    FakeFollower follower;
    follower.leader = "unix:" + socket_;
    const std::string path = socket_ + "-follower";
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + path, pki_.controller->forServer(tls::ClientCertificate::required));
    builder.RegisterService(&follower);
    const auto server = builder.BuildAndStart();
    ASSERT_TRUE(server);
    startLink("unix:" + path);
    EXPECT_TRUE(hears([](const auto& status) { return status.desired_revision() == 5; }));
    EXPECT_EQ(follower.asked, 1);
    link_.reset();
    server->Shutdown();
    unlink(path.c_str());
}

TEST_F(ControllerLinkTest, AsksTheNextOneOfTheListUntilOneLeads) {
    startLink("unix:/nonexistent/a,unix:/nonexistent/b,unix:" + socket_);
    EXPECT_TRUE(hears([](const auto& status) { return status.desired_revision() == 5; }));
    // The one that leads goes and comes back: the others are asked meanwhile.
    stopController();
    controller_.seen.change([&] { controller_.statuses.clear(); });
    startController();
    EXPECT_TRUE(hears([](const auto& status) { return status.desired_revision() == 5; }));
}

TEST_F(ControllerLinkTest, SaysWhoItIsAndTakesThePictureIn) {
    startLink();
    ASSERT_TRUE(hears([](const auto& status) { return status.desired_revision() == 5; }));
    controller_.seen.change([&] {
        EXPECT_EQ(controller_.hellos.at(0).name(), "node1");
        EXPECT_EQ(controller_.hellos.at(0).care_of_address(), raw("fd00::1"));
        EXPECT_EQ(controller_.hellos.at(0).cpus(), 2U);
    });
    EXPECT_EQ(forwarder_.prefix->toString(), "fd51:1ce::/48");
    EXPECT_EQ(forwarder_.home_agent->toString(), "fd00::a0a0");
    EXPECT_EQ(forwarder_.peers.size(), 1U);
    EXPECT_EQ(gateway_.home_agents.size(), 1U);
}

TEST_F(ControllerLinkTest, GuardsTheControllersAddress) {
    stopController();
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("[::1]:0", pki_.controller->forServer(tls::ClientCertificate::required), &port);
    builder.RegisterService(&controller_);
    server_ = builder.BuildAndStart();
    ASSERT_TRUE(server_);
    startLink("[::1]:" + std::to_string(port));
    EXPECT_TRUE(forwarder_.seen.wait(
        [&] { return forwarder_.guarded == std::vector<Ipv6Address>{Ipv6Address::parse("::1").value()}; }));
}

TEST_F(ControllerLinkTest, TellsChangesAtOnceAndKeepsTheHeartBeating) {
    startLink();
    ASSERT_TRUE(hears([](const auto&) { return true; }));
    sliver::SliverReport report;
    report.id = {.slice = "web", .index = 1};
    report.state = sliver::State::running;
    manager_.seen.change([&] { manager_.current_reports = {report}; });
    const auto before = Monotonic::now();
    changes_.raise();
    ASSERT_TRUE(hears([](const auto& status) {
        return status.slivers_size() == 1 && status.slivers(0).state() == v1::SLIVER_STATE_RUNNING;
    }));
    EXPECT_LT(Monotonic::now() - before, std::chrono::milliseconds(500));
    size_t so_far = 0;
    controller_.seen.change([&] { so_far = controller_.statuses.size(); });
    EXPECT_TRUE(controller_.seen.wait([&] { return controller_.statuses.size() > so_far + 1; }));
}

TEST_F(ControllerLinkTest, ManyChangesAreFewMessages) {
    startLink();
    ASSERT_TRUE(hears([](const auto&) { return true; }));
    const auto end = Monotonic::now() + std::chrono::milliseconds(500);
    size_t changes = 0;
    for (; Monotonic::now() < end; ++changes) changes_.raise();
    controller_.seen.change([&] { EXPECT_LT(controller_.statuses.size(), changes / 10); });
}

TEST_F(ControllerLinkTest, ComesBackAfterTheController) {
    startLink();
    ASSERT_TRUE(hears([](const auto&) { return true; }));
    stopController();
    controller_.seen.change([&] { controller_.desired = pictureOf(6); });
    startController();
    EXPECT_TRUE(hears([](const auto& status) { return status.desired_revision() == 6; }));
    controller_.seen.change([&] { EXPECT_EQ(controller_.hellos.size(), 2U); });
}

TEST_F(ControllerLinkTest, AStreamHasASuccessorBeforeItEnds) {
    startLink("unix:" + socket_, std::chrono::milliseconds(20));
    ASSERT_TRUE(controller_.seen.wait([&] { return controller_.hellos.size() > 3; }));
    controller_.seen.change([&] {
        EXPECT_EQ(controller_.open_at_hello.at(0), 0);
        for (size_t i = 1; i < controller_.open_at_hello.size(); ++i) EXPECT_GE(controller_.open_at_hello[i], 1) << i;
        controller_.desired = pictureOf(6);
    });
    EXPECT_TRUE(hears([](const auto& status) { return status.desired_revision() == 6; })) << "by a later stream";
    link_.reset();
    EXPECT_TRUE(controller_.seen.wait([&] { return controller_.open == 0; }));
}

TEST_F(ControllerLinkTest, AStreamGoesOnWhenItsSuccessorIsRefused) {
    controller_.most_open = 1;
    startLink("unix:" + socket_, std::chrono::milliseconds(20));
    ASSERT_TRUE(controller_.seen.wait([&] { return controller_.hellos.size() > 1; }));
    size_t told = 0;
    controller_.seen.change([&] { told = controller_.statuses.size(); });
    EXPECT_TRUE(controller_.seen.wait([&] { return controller_.statuses.size() > told + 1; }));
    controller_.seen.change([&] {
        EXPECT_EQ(controller_.open, 1);
        controller_.most_open = 100;
    });
    EXPECT_TRUE(controller_.seen.wait([&] { return controller_.accepted > 1; })) << "it is tried again";
}

TEST_F(ControllerLinkTest, WaitsForAControllerThatComesLater) {
    stopController();
    startLink();
    startController();
    EXPECT_TRUE(hears([](const auto& status) { return status.desired_revision() == 5; }));
}

TEST_F(ControllerLinkTest, EndsAtOnceWithoutAController) {
    stopController();
    startLink();
    const auto before = Monotonic::now();
    link_.reset();
    EXPECT_LT(Monotonic::now() - before, std::chrono::seconds(1));
}

TEST_F(ControllerLinkTest, RefusesAMalformedPictureWhole) {
    controller_.desired.add_slivers();
    startLink();
    ASSERT_TRUE(controller_.seen.wait([&] { return controller_.statuses.size() >= 3; }));
    EXPECT_EQ(manager_.desiredRevision(), 0U);
    EXPECT_FALSE(forwarder_.prefix.has_value());
}

TEST_F(ControllerLinkTest, TriesAgainWhatTheDataPlaneRefused) {
    forwarder_.next_error = unavailable("busy");
    startLink();
    EXPECT_TRUE(forwarder_.seen.wait([&] { return forwarder_.prefix.has_value(); }));
}

TEST_F(ControllerLinkTest, TheNetworkOutlivesNodedWithoutAController) {
    startLink();
    ASSERT_TRUE(gateway_.seen.wait([&] { return !gateway_.home_agents.empty(); }));
    link_.reset();
    stopController();

    FakeForwarder forwarder;
    FakeGateway gateway;
    PeerTable peers;
    GrantCheck grants;
    NetworkSettings restored({.forwarder = forwarder,
                              .gateway = gateway,
                              .home_agent = nullptr,
                              .store = *store_,
                              .peers = peers,
                              .grants = grants});
    ASSERT_TRUE(restored.restore().ok());
    EXPECT_EQ(forwarder.prefix->toString(), "fd51:1ce::/48");
    EXPECT_EQ(forwarder.home_agent->toString(), "fd00::a0a0");
    EXPECT_EQ(forwarder.peers, forwarder_.peers);
    EXPECT_EQ(gateway.home_agents, gateway_.home_agents);
    EXPECT_TRUE(peers.check({pki::Kind::node, "node7", "enrolment"}, "/homeslice.v1.BindingService/Update").ok());
    EXPECT_FALSE(peers.check({pki::Kind::node, "node7", "another"}, "/homeslice.v1.BindingService/Update").ok());
}

TEST(NetworkSettings, AHomeAgentIsItsOwn) {
    FakeForwarder forwarder;
    FakeGateway gateway;
    PeerTable peers;
    GrantCheck grants;
    FakeHomeAgent home_agent;
    const auto store = store::makeMemoryStore();
    NetworkSettings settings({.forwarder = forwarder,
                              .gateway = gateway,
                              .home_agent = &home_agent,
                              .store = *store,
                              .peers = peers,
                              .grants = grants});
    EXPECT_TRUE(settings.restore().ok());
    NetworkPicture picture;
    picture.home_prefix = Ipv6Prefix::parse("fd51:1ce::/48").value();
    picture.home_agents = {{.address = Ipv6Address::parse("fd00::a0a0").value(), .api_port = 7401}};
    picture.grant_key = "usual";
    picture.node_grant_keys = {{"node2", "its own"}};
    EXPECT_TRUE(settings.set(picture).ok());
    EXPECT_TRUE(forwarder.home_agent->isUnspecified());
    EXPECT_EQ(home_agent.prefix, picture.home_prefix);
    EXPECT_TRUE(gateway.home_agents.empty());

    // In its next life too, controller or not.
    GrantCheck later;
    NetworkSettings restored({.forwarder = forwarder,
                              .gateway = gateway,
                              .home_agent = &home_agent,
                              .store = *store,
                              .peers = peers,
                              .grants = later});
    ASSERT_TRUE(restored.restore().ok());
    mobility::BindingUpdate update{.key = {Ipv6Address::parse("fd51:1ce::1").value(), 0}, .care_of_address = {}};
    for (const auto& [node, key] : {std::pair("node1", "usual"), std::pair("node2", "its own")}) {
        update.proof = pki::grantOf(key, {node, update.key.home_address, 0, 0});
        EXPECT_EQ(later.refusal(node, update), std::nullopt) << node;
        update.proof = pki::grantOf("another", {node, update.key.home_address, 0, 0});
        EXPECT_EQ(later.refusal(node, update), mobility::BindingStatus::administratively_prohibited) << node;
    }
}

TEST(NetworkSettings, SaysWhatCannotBeStoredOrRead) {
    FakeForwarder forwarder;
    FakeGateway gateway;
    PeerTable peers;
    GrantCheck grants;
    const auto failing = store::makeFailingStore();
    NetworkSettings settings({.forwarder = forwarder,
                              .gateway = gateway,
                              .home_agent = nullptr,
                              .store = *failing,
                              .peers = peers,
                              .grants = grants});
    EXPECT_FALSE(settings.restore().ok());
    NetworkPicture picture;
    picture.home_prefix = Ipv6Prefix::parse("fd51:1ce::/48").value();
    EXPECT_FALSE(settings.set(picture).ok());
    EXPECT_TRUE(forwarder.peers.empty());

    const auto store = store::makeMemoryStore();
    ASSERT_TRUE(store->put("network", "picture", "{\"homePrefix\": \"nonsense\"}").ok());
    NetworkSettings broken({.forwarder = forwarder,
                            .gateway = gateway,
                            .home_agent = nullptr,
                            .store = *store,
                            .peers = peers,
                            .grants = grants});
    EXPECT_FALSE(broken.restore().ok());
}

TEST_F(ControllerLinkTest, FetchesImages) {
    const std::string path = testing::TempDir() + "fetch-image-" + std::to_string(getpid());
    auto file = openFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ASSERT_TRUE(file.ok());
    const auto fetcher = Fetcher::create(controllersOf("unix:" + socket_, pki_.node1), pki_.node1);
    EXPECT_TRUE(fetcher->fetchImage("sha256:here", file->get()).ok());
    EXPECT_EQ(readFile(path)->size(), 2'000'000U);
    EXPECT_TRUE(absl::IsNotFound(fetcher->fetchImage("sha256:gone", file->get())));
    stopController();
    EXPECT_TRUE(absl::IsUnavailable(fetcher->fetchImage("sha256:here", file->get())));
    unlink(path.c_str());
}

}  // namespace
}  // namespace homeslice::api
