// The real sliced over its real database, killed with SIGKILL again and again, right before and right after what it
// stores, and slicectl killed at any moment: whoever asks again gets what was asked for, once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <thread>

#include "base/file.h"
#include "homeslice/v1/controller.grpc.pb.h"
#include "pki/enrol/enrol.h"
#include "roaming_node.h"
#include "tests/support/command.h"
#include "tests/support/etcd.h"
#include "tests/support/privileges.h"
#include "tests/support/program.h"

namespace homeslice::testing_support {
namespace {

using ::testing::UnorderedElementsAreArray;
using Clock = std::chrono::steady_clock;
using Stub = v1::ControllerService::Stub;

constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::seconds kAnswerWithin{10};
const std::string kController = "[::1]:7400";

enum class Moment { before_write, after_write };

class DeathsTest : public testing::Test {
protected:
    // Once: gRPC's threads stay in the network that they began in.
    static void SetUpTestSuite() {
        if (::geteuid() == 0) enterPrivateNetwork();
    }

    void SetUp() override {
        HS_REQUIRE_ROOT();
        directory_ = (std::filesystem::temp_directory_path() / "hst-deaths-XXXXXX").string();
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
        ASSERT_EQ(runCommand(slicedCommand({"init"})).status, 0);
        admin_ = tls::Credentials::open(directory_ + "/state/admin").value();
        start();
        ASSERT_NO_FATAL_FAILURE(importImage());
        for (const std::string node : {"node1", "node2", "node3"}) ASSERT_NO_FATAL_FAILURE(addNode(node));
    }
    void TearDown() override {
        if (directory_.empty()) return;
        nodes_.clear();
        sliced_.end(SIGKILL);
        if (HasFailure()) std::cerr << readFile(directory_ + "/sliced.log").value_or("");
        EXPECT_TRUE(removeTree(directory_).ok());
    }

    std::vector<std::string> slicedCommand(const std::vector<std::string>& more) const {
        std::vector<std::string> command{HS_BIN_DIRECTORY "/sliced", "--state-dir", directory_ + "/state"};
        command.insert(command.end(), more.begin(), more.end());
        return command;
    }
    void start(const std::vector<std::string>& environment = {}) {
        std::vector<std::string> command{"env"};
        command.insert(command.end(), environment.begin(), environment.end());
        const std::vector<std::string> sliced = slicedCommand(
            {"--listen", kController, "--home-prefix", "fd51:1ce::/48", "--rate-limit", "0", "--log-level", "warning"});
        command.insert(command.end(), sliced.begin(), sliced.end());
        sliced_ = Program(command, directory_ + "/sliced.log");
    }
    // What has died is there again, to die at another of the next things that it stores: each node that comes back is
    // one, so that a fixed number would never get beyond them.
    void keepAlive() {
        constexpr int kFurthest = 7;
        if (sliced_.running()) return;
        ++deaths_;
        if (!mortal_) return start();
        start({"LD_PRELOAD=" HS_DIE_AT_SYNC, "HST_DIE_AT_SYNC=" + std::to_string(1 + deaths_ % kFurthest),
               std::string("HST_DIE=") + (*mortal_ == Moment::before_write ? "before" : "after")});
    }
    void letDie(Moment moment) {
        mortal_ = moment;
        sliced_.end(SIGKILL);
    }
    void letLive() {
        mortal_.reset();
        sliced_.end(SIGKILL);
    }

    std::unique_ptr<Stub> stub() const {
        grpc::ChannelArguments arguments;
        arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // no wait for an earlier one's failure
        return v1::ControllerService::NewStub(admin_->channel("ipv6:" + kController, pki::kControllerName, arguments));
    }
    // As a client that wants an answer: again, as long as there is nobody who gives one.
    template <typename Request, typename Response>
    Response insist(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request) {
        const auto deadline = Clock::now() + kPatience;
        grpc::Status status;
        while (Clock::now() < deadline) {
            keepAlive();
            Response response;
            grpc::ClientContext context;
            context.set_deadline(std::chrono::system_clock::now() + kAnswerWithin);
            status = (stub().get()->*method)(&context, request, &response);
            if (status.ok()) return response;
            if (status.error_code() != grpc::StatusCode::UNAVAILABLE) break;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        ADD_FAILURE() << Request::descriptor()->name() << ": " << status.error_message();
        return {};
    }
    template <typename Request>
    void carryOut(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, v1::Operation*), Request request) {
        if (HasFailure()) return;  // one is enough
        request.set_request_id("request " + std::to_string(asked_.size()));
        asked_.push_back(Request::descriptor()->name());
        v1::GetOperationRequest get;
        get.set_id(insist(method, request).id());
        const auto deadline = Clock::now() + kPatience;
        v1::Operation operation;
        do {
            operation = insist(&Stub::GetOperation, get);
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        } while (operation.state() == v1::OPERATION_STATE_RUNNING && Clock::now() < deadline && !HasFailure());
        ASSERT_EQ(operation.state(), v1::OPERATION_STATE_DONE) << operation.kind() << ": " << operation.step();
    }

    void addNode(const std::string& name) {
        v1::MakeNodeTokenRequest request;
        request.set_name(name);
        const auto token = pki::parseToken(insist(&Stub::MakeNodeToken, request).token());
        ASSERT_TRUE(token.ok()) << token.status();
        const auto files = enrol::join(kController, *token);
        ASSERT_TRUE(files.ok()) << files.status();
        const std::string path = directory_ + "/" + name;
        ASSERT_TRUE(pki::writeCredentials(path, *files).ok());
        nodes_.push_back(std::make_unique<RoamingNode>(kController, tls::Credentials::open(path).value(), name));
        v1::GetNodeRequest get;
        get.set_name(name);
        const auto deadline = Clock::now() + kPatience;
        // Until it has said hello it is not known.
        for (bool ready = false; !ready && Clock::now() < deadline;) {
            grpc::ClientContext context;
            v1::Node node;
            ready = stub()->GetNode(&context, get, &node).ok() && node.ready();
        }
    }
    void importImage() {
        ASSERT_TRUE(replaceFile(directory_ + "/file", "content").ok());
        ASSERT_EQ(runCommand({"tar", "-C", directory_, "-cf", directory_ + "/image.tar", "file"}).status, 0);
        const auto deadline = Clock::now() + kPatience;
        CommandResult imported;
        do imported = slicectl({"image", "import", directory_ + "/image.tar", "--name", "test"});
        while (imported.status != 0 && Clock::now() < deadline);
        ASSERT_EQ(imported.status, 0) << imported.err;
    }
    std::vector<std::string> slicectlCommand(const std::vector<std::string>& arguments) const {
        std::vector<std::string> command{"env", "XDG_CONFIG_HOME=" + directory_, HS_BIN_DIRECTORY "/slicectl"};
        if (!std::filesystem::exists(directory_ + "/homeslice")) {
            std::vector<std::string> add = command;
            add.insert(add.end(), {"context", "add", "test", "--controller", kController, "--credentials",
                                   directory_ + "/state/admin"});
            EXPECT_EQ(runCommand(add).status, 0);
        }
        command.insert(command.end(), arguments.begin(), arguments.end());
        return command;
    }
    CommandResult slicectl(const std::vector<std::string>& arguments) const {
        return runCommand(slicectlCommand(arguments));
    }

    // All that a slice can live through, with sliced dying meanwhile; one slice more is left at the end of each.
    void live(const std::string& slice) {
        v1::CreateSliceRequest create;
        create.set_name(slice);
        create.mutable_base()->set_image("test");
        create.add_nodes("node1");
        create.add_nodes("node2");
        carryOut(&Stub::CreateSlice, create);
        v1::MoveSliverRequest move;
        move.mutable_id()->set_slice(slice);
        move.mutable_id()->set_index(1);
        move.set_to_node("node3");
        carryOut(&Stub::MoveSliver, move);
        v1::SetFrozenRequest freeze;
        freeze.mutable_id()->set_slice(slice);
        freeze.set_frozen(true);
        carryOut(&Stub::SetFrozen, freeze);
        freeze.set_frozen(false);
        carryOut(&Stub::SetFrozen, freeze);
        v1::SetSliceRequest set;
        set.set_name(slice);
        set.mutable_resources()->set_pids(77);
        carryOut(&Stub::SetSlice, set);
        v1::DrainNodeRequest drain;
        drain.set_name("node3");
        carryOut(&Stub::DrainNode, drain);
        v1::SetNodeRequest uncordon;
        uncordon.set_name("node3");
        uncordon.set_cordoned(false);
        insist(&Stub::SetNode, uncordon);
        create.set_name("brief");
        carryOut(&Stub::CreateSlice, create);
        v1::DeleteSliceRequest remove;
        remove.set_name("brief");
        carryOut(&Stub::DeleteSlice, remove);
    }
    void expectEachOnce(const std::vector<std::string>& slices) {
        std::vector<std::string> found;
        // The row of a slice that nobody has anything of goes with the next tick.
        const auto deadline = Clock::now() + kPatience;
        v1::ListSlicesResponse list;
        const auto isGoing = [](const v1::Slice& slice) { return slice.deleting(); };
        do list = insist(&Stub::ListSlices, v1::ListSlicesRequest());
        while (std::any_of(list.slices().begin(), list.slices().end(), isGoing) && Clock::now() < deadline);
        for (const v1::Slice& slice : list.slices()) {
            found.push_back(slice.name());
            EXPECT_EQ(slice.base().resources().pids(), 77U);
        }
        EXPECT_THAT(found, UnorderedElementsAreArray(slices));
        const v1::ListSliversResponse slivers = insist(&Stub::ListSlivers, v1::ListSliversRequest());
        EXPECT_EQ(slivers.slivers_size(), 2 * static_cast<int>(slices.size()));
        for (const v1::Sliver& sliver : slivers.slivers()) EXPECT_NE(sliver.node(), "node3") << "it was drained";
        // Each request has begun one operation, and is in the audit log once.
        std::map<std::string, int> asked;
        for (const std::string& request : asked_) ++asked[request.substr(0, request.find("Request"))];
        v1::ListAuditRequest audit;
        audit.set_newest(10'000);
        std::map<std::string, int> recorded;
        const v1::ListAuditResponse log = insist(&Stub::ListAudit, audit);
        for (const v1::AuditEntry& entry : log.entries()) {
            if (entry.outcome() == "ok" && asked.contains(entry.what())) ++recorded[entry.what()];
        }
        EXPECT_EQ(recorded, asked);
        v1::ListOperationsRequest all;
        all.set_newest(10'000);
        const v1::ListOperationsResponse history = insist(&Stub::ListOperations, all);
        size_t operations = 0;
        for (const v1::Operation& operation : history.operations()) {
            EXPECT_EQ(operation.state(), v1::OPERATION_STATE_DONE) << operation.kind() << ": " << operation.step();
            operations += operation.kind() == "import image" ? 0 : 1;
        }
        EXPECT_EQ(operations, asked_.size());
    }

    std::string directory_;
    std::shared_ptr<tls::Credentials> admin_;
    Program sliced_;
    std::optional<Moment> mortal_;
    int deaths_ = 0;
    std::vector<std::string> asked_;  // types of the requests that begin operations
    std::vector<std::unique_ptr<RoamingNode>> nodes_;
};

TEST_F(DeathsTest, OfSlicedAtWhatItStores) {
    letDie(Moment::after_write);
    ASSERT_NO_FATAL_FAILURE(live("after"));
    const int after = deaths_;
    letDie(Moment::before_write);
    ASSERT_NO_FATAL_FAILURE(live("before"));
    std::cout << after << " deaths after a write, " << deaths_ - after << " before one\n";
    EXPECT_GT(after, 10);
    EXPECT_GT(deaths_ - after, 10);
    letLive();
    expectEachOnce({"after", "before"});
}

// Its request has come or it has not; what it waited for goes on without it.
TEST_F(DeathsTest, OfSlicectlAtAnyMoment) {
    constexpr int kDeaths = 12;
    int cut_short = 0;
    for (int i = 0; i < kDeaths; ++i) {
        const std::string slice = "s" + std::to_string(i);
        Program command(slicectlCommand({"slice", "create", slice, "--image", "test", "--on", "node1,node2"}),
                        directory_ + "/slicectl.log");
        std::this_thread::sleep_for(std::chrono::milliseconds(10 * i));  // the moment of its death is what varies
        cut_short += command.end(SIGKILL) == 128 + SIGKILL ? 1 : 0;
    }
    EXPECT_GT(cut_short, 0);
    size_t slices = 0;
    const auto deadline = Clock::now() + kPatience;
    bool running = true;
    while (running && Clock::now() < deadline) {
        v1::ListOperationsRequest all;
        all.set_newest(10'000);
        running = false;
        slices = 0;
        const v1::ListOperationsResponse history = insist(&Stub::ListOperations, all);
        for (const v1::Operation& operation : history.operations()) {
            running = running || operation.state() == v1::OPERATION_STATE_RUNNING;
            slices += operation.kind() == "create slice" ? 1 : 0;
        }
    }
    EXPECT_FALSE(running);
    EXPECT_EQ(static_cast<size_t>(insist(&Stub::ListSlices, v1::ListSlicesRequest()).slices_size()), slices);
    const v1::ListSliversResponse slivers = insist(&Stub::ListSlivers, v1::ListSliversRequest());
    EXPECT_EQ(static_cast<size_t>(slivers.slivers_size()), 2 * slices);
    for (const v1::Sliver& sliver : slivers.slivers()) EXPECT_EQ(sliver.state(), v1::SLIVER_STATE_RUNNING);
}

}  // namespace
}  // namespace homeslice::testing_support
