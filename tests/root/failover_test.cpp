// What goes on over the death of the controller that leads, or the loss of its machine: a watch, and the first command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/file.h"
#include "base/reason.h"
#include "controllers_fixture.h"
#include "homeslice/v1/controller.grpc.pb.h"
#include "rpc/status.h"

namespace homeslice::testing_support {
namespace {

// What `slicectl watch -o json` has told of slices so far.
struct Told {
    uint64_t revision = 0;            // the last one
    bool in_order = true;             // revisions grew, or stayed
    std::set<std::string> slices;     // that are
    std::map<std::string, int> came;  // how often each did
    std::map<std::string, int> went;
};

Told readTold(const std::string& path) {
    Told told;
    for (const std::string& line : linesOf(readFile(path).value_or(""))) {
        const auto value = nlohmann::json::parse(line, nullptr, false);
        if (value.is_discarded()) continue;  // about to be written
        const std::string name = value.value("name", "");
        const std::string change = value.value("change", "");
        const uint64_t revision = value.value("revision", uint64_t{0});
        // The first pieces of a picture do not say theirs.
        told.in_order = told.in_order && (revision == 0 || revision >= told.revision);
        told.revision = std::max(told.revision, revision);
        if (value.value("kind", "") != "slice") continue;
        if (change == "is" && told.slices.insert(name).second) ++told.came[name];
        if (change == "gone") ++told.went[name];
        if (change == "gone") told.slices.erase(name);
    }
    return told;
}

class FailoverTest : public ControllersTest {
protected:
    // As `slicectl slice ls` has it.
    std::set<std::string> slices() {
        std::set<std::string> names;
        for (const auto& slice : ask({"slice", "ls"})) names.insert(slice.value("name", ""));
        return names;
    }
    void killLeader() {
        const size_t led = leader();
        ASSERT_LT(led, kMachines);
        sliced_[led].end(SIGKILL);
        ASSERT_TRUE(eventually([&] { return leader() < kMachines && leader() != led; }));
        start(led);
    }
    std::shared_ptr<grpc::Channel> channelTo(size_t i) const {
        const auto credentials = tls::Credentials::open(state(0) + "/admin");
        return (*credentials)->channel("dns:///" + controller(i), pki::kControllerName, {});
    }
};

TEST_F(FailoverTest, AWatchGoesOnOverTheDeathOfTheLeader) {
    ASSERT_NO_FATAL_FAILURE(bringUp());
    const std::string told_path = directory_ + "/told";
    Program watcher({HS_BIN_DIRECTORY "/slicectl", "watch", "-o", "json"}, told_path);
    User user("s");
    for (int round = 0; round < 2; ++round) {
        const size_t before = user.made();
        ASSERT_TRUE(eventually([&] { return user.made() > before + 2; }));
        ASSERT_NO_FATAL_FAILURE(killLeader());
        const std::string next = "s-" + std::to_string(user.made());
        ASSERT_TRUE(eventually([&] { return readTold(told_path).slices.contains(next); })) << "after the failover";
        ASSERT_EQ(slicectl({"slice", "rm", "s-" + std::to_string(round)}).status, 0);
    }
    user.stop();
    EXPECT_EQ(user.failures(), std::vector<std::string>());
    EXPECT_TRUE(eventually([&] { return readTold(told_path).slices == slices(); }));
    const Told told = readTold(told_path);
    EXPECT_TRUE(told.in_order);
    EXPECT_EQ(told.came.size(), user.made());
    for (const auto& [slice, times] : told.came) EXPECT_EQ(times, 1) << slice;
    EXPECT_EQ(told.went, (std::map<std::string, int>{{"s-0", 1}, {"s-1", 1}}));
    EXPECT_TRUE(watcher.running());
}

// The machine does not answer any more, and nobody is told so: what is under way hangs.
TEST_F(FailoverTest, AMachineThatIsCutOffIsMissedForAMoment) {
    ASSERT_NO_FATAL_FAILURE(bringUp());
    auto fastest = std::chrono::milliseconds::max();
    for (int round = 0; round < 3; ++round) {
        const size_t led = leader();
        ASSERT_LT(led, kMachines);
        const bool etcd_too = etcd_->leader() == led;
        User user("s" + std::to_string(round));
        ASSERT_TRUE(eventually([&] { return user.made() > 1; }));
        const size_t before = user.made();
        const auto cut = Clock::now();
        const auto passed = [cut] { return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - cut); };
        Machines::cut(led);
        ASSERT_TRUE(eventually([&] { return user.made() > before + 1; }));
        const auto took = passed();
        fastest = std::min(fastest, took);
        std::cout << "the leading controller's machine cut off" << (etcd_too ? ", with the leading etcd" : "")
                  << ": the second slice after it took " << took.count() << " ms\n";
        user.stop();
        EXPECT_EQ(user.failures(), std::vector<std::string>());
        Machines::mend(led);
        ASSERT_TRUE(eventually([&] { return etcd_->healthy(); }));
    }
    EXPECT_LT(fastest, kFailover) << "with two commands; of three, for this machine may have other things to do";
}

// The protocol itself, with a watcher that knows everything and one that has missed something.
TEST_F(FailoverTest, ARevisionIsGoodAtTheNextLeaderOrSaysThatItIsGone) {
    ASSERT_NO_FATAL_FAILURE(bringUp());
    const auto firstAnswer = [this](uint64_t revision, v1::WatchResponse& response) {
        grpc::ClientContext context;
        v1::WatchRequest request;
        request.set_revision(revision);
        request.add_kinds(v1::WATCH_KIND_SLICE);
        const auto reader = v1::ControllerService::NewStub(channelTo(leader()))->Watch(&context, request);
        const bool read = reader->Read(&response);
        if (!read) return reader->Finish();
        context.TryCancel();
        static_cast<void>(reader->Finish());
        return grpc::Status::OK;
    };
    const auto create = [](const std::string& name) {
        return slicectl({"slice", "create", name, "--image", "test", "--nodes", "1", "--no-wait"}).status;
    };
    ASSERT_EQ(create("first"), 0);
    v1::WatchResponse known;
    ASSERT_TRUE(eventually([&] { return firstAnswer(0, known).ok() && known.whole(); }));
    const uint64_t old = known.revision();
    ASSERT_EQ(create("second"), 0);
    ASSERT_TRUE(eventually([&] {
        // Until nothing is under way any more that would be stored.
        const uint64_t before = known.revision();
        return firstAnswer(0, known).ok() && known.revision() == before &&
               ask({"operation", "ls"}).back().value("state", "") == "done";
    }));
    ASSERT_NO_FATAL_FAILURE(killLeader());

    v1::WatchResponse response;
    ASSERT_TRUE(eventually([&] { return firstAnswer(known.revision(), response).ok(); }));
    EXPECT_FALSE(response.whole()) << "it goes on where it was";
    EXPECT_GE(response.revision(), known.revision());
    for (const v1::WatchEvent& event : response.events()) EXPECT_FALSE(event.has_gone());
    const grpc::Status gone = firstAnswer(old, response);
    EXPECT_EQ(gone.error_code(), grpc::StatusCode::OUT_OF_RANGE);
    EXPECT_EQ(reasonOf(rpc::fromGrpc(gone)).word, reason::kRevisionGone);
    ASSERT_EQ(create("third"), 0);
    ASSERT_TRUE(firstAnswer(known.revision(), response).ok());
    EXPECT_GT(response.revision(), known.revision());
    EXPECT_EQ(std::count_if(response.events().begin(), response.events().end(),
                            [](const v1::WatchEvent& event) { return event.slice().name() == "third"; }),
              1);
}

}  // namespace
}  // namespace homeslice::testing_support
