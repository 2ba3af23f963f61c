// Any one of three controllers and three etcds is killed or cut off while users make slices: every command succeeds,
// nothing is lost, nothing happens twice. And all that is left of them when two etcds are dead: nothing is done, and
// later everything goes on.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "controllers_fixture.h"
#include "homeslice/v1/controller.grpc.pb.h"
#include "leader/controllers.h"

namespace homeslice::testing_support {
namespace {

// Image archives of a controller.
size_t imagesIn(const std::string& state_directory) {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(state_directory + "/images")) {
        count += entry.path().extension().empty() ? 1 : 0;
    }
    return count;
}

TEST_F(ControllersTest, AnyOneIsKilledAndNothingIsLostOrDoubled) {
    ASSERT_NO_FATAL_FAILURE(bringUp());
    for (size_t i = 0; i < kMachines; ++i) {
        EXPECT_TRUE(eventually([&] { return imagesIn(state(i)) == 1; }))
            << "an archive that controller " << i << " lacks";
    }

    User user("s");
    const auto goesOn = [&](const std::string& what) {
        const auto killed = Clock::now();
        const size_t before = user.made();
        EXPECT_TRUE(eventually([&] { return user.made() > before + 1; })) << what;
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - killed);
        std::cout << what << ": the second slice after it took " << took.count() << " ms\n";
        return took;
    };
    goesOn("undisturbed");
    auto fastest = std::chrono::milliseconds::max();
    for (int round = 0; round < 3; ++round) {
        const size_t led = leader();
        ASSERT_LT(led, kMachines);
        sliced_[led].end(SIGKILL);
        fastest = std::min(fastest, goesOn("the leading controller killed"));
        EXPECT_NE(leader(), led);
        start(led);
    }
    EXPECT_LT(fastest, kFailover) << "with two commands; of three, for this machine may have other things to do";
    for (size_t i = 0; i < kMachines; ++i) {
        const std::string role = i == leader() ? "leading" : "following";
        sliced_[i].end(SIGKILL);
        goesOn("controller " + std::to_string(i) + " killed, a " + role + " one");
        start(i);
    }
    for (size_t i = 0; i < kMachines; ++i) {
        const std::string role = i == etcd_->leader() ? "leading" : "following";
        etcd_->kill(i);
        goesOn("etcd " + std::to_string(i) + " killed, a " + role + " one");
        etcd_->restart(i);
        ASSERT_TRUE(eventually([&] { return etcd_->healthy(); })) << "one at a time";
    }
    user.stop();
    std::cout << "the slowest of " << user.made() << " commands took "
              << std::chrono::duration_cast<std::chrono::milliseconds>(user.slowest()).count() << " ms\n";
    EXPECT_EQ(user.failures(), std::vector<std::string>());

    expectOnce(user.slices(), 0);
    EXPECT_TRUE(eventually([&] { return nodesAreReady(); }));
}

TEST_F(ControllersTest, AnyOneIsCutOffAndNothingIsLostOrDoubled) {
    ASSERT_NO_FATAL_FAILURE(bringUp());
    User user("s");
    const auto goesOn = [&](const std::string& what) {
        const auto cut = Clock::now();
        const size_t before = user.made();
        EXPECT_TRUE(eventually([&] { return user.made() > before + 1; })) << what;
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - cut);
        std::cout << what << ": the second slice after it took " << took.count() << " ms\n";
    };
    goesOn("undisturbed");
    const size_t led = leader();
    ASSERT_LT(led, kMachines);
    Machines::cut(led);
    ASSERT_TRUE(eventually([&] { return leader() < kMachines && leader() != led; }));
    goesOn("the leading controller's machine cut off");
    Machines::mend(led);
    goesOn("the machine is back");
    ASSERT_TRUE(eventually([&] { return etcd_->healthy(); })) << "one at a time";
    const size_t follower = (leader() + 1) % kMachines;
    Machines::cut(follower);
    goesOn("a following controller's machine cut off");
    Machines::mend(follower);
    user.stop();
    EXPECT_EQ(user.failures(), std::vector<std::string>());
    expectOnce(user.slices(), 0);
}

TEST_F(ControllersTest, WithoutAQuorumNothingIsDoneAndLaterAllGoesOn) {
    ASSERT_NO_FATAL_FAILURE(bringUp());
    User user("s");
    ASSERT_TRUE(eventually([&] { return user.made() > 2; }));
    etcd_->kill(0);
    etcd_->kill(1);
    // The one under way may have been in time.
    const size_t made = user.made() + 1;
    ASSERT_TRUE(eventually([&] { return user.failed() > 0; })) << "a command ends, with an error";
    EXPECT_LE(user.made(), made) << "nothing can be stored";
    etcd_->restart(0);
    etcd_->restart(1);
    EXPECT_TRUE(eventually([&] { return user.made() > made + 1; }));
    user.stop();
    for (const std::string& failure : user.failures()) std::cout << failure;
    expectOnce(user.slices(), user.failures().size());
    EXPECT_TRUE(eventually([&] { return nodesAreReady(); }));
}

// A real noded, alone in a process namespace: all that it starts ends with it.
TEST_F(ControllersTest, ANodeBehindANatCallsTheNextLeader) {
    ASSERT_TRUE(eventually([&] { return leader() < kMachines; }));
    const std::string state_directory = directory_ + "/hidden";
    std::filesystem::create_directory(state_directory);
    ASSERT_NO_FATAL_FAILURE(enrolNode("hidden", state_directory + "/tls"));
    Program noded({"nsenter",
                   "--net=/run/netns/" + Machines::netns(kHidden),
                   "unshare",
                   "--mount",
                   "--pid",
                   "--fork",
                   "--kill-child",
                   "--mount-proc",
                   HS_BIN_DIRECTORY "/noded",
                   "--name",
                   "hidden",
                   "--state-dir",
                   state_directory,
                   "--run-dir",
                   directory_ + "/run",
                   "--uplink",
                   "eth0",
                   "--care-of",
                   kHiddenAddress,
                   "--behind-nat",
                   "--controller",
                   controllers(),
                   "--cgroup-parent",
                   Machines::netns(kHidden)},
                  directory_ + "/noded.log");
    const auto isReached = [] { return slicectl({"node", "inspect", "hidden"}).status == 0; };
    EXPECT_TRUE(eventually(isReached)) << readFile(directory_ + "/noded.log").value_or("");
    for (int round = 0; round < 2; ++round) {
        const size_t led = leader();
        ASSERT_LT(led, kMachines);
        const auto killed = Clock::now();
        sliced_[led].end(SIGKILL);
        ASSERT_TRUE(eventually([&] { return leader() < kMachines && leader() != led; }));
        EXPECT_TRUE(eventually(isReached)) << readFile(directory_ + "/noded.log").value_or("");
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - killed);
        std::cout << "the next leader reached the node after " << took.count() << " ms\n";
        start(led);
    }
    EXPECT_TRUE(noded.running());
}

// Clients that were told of one controller only.
TEST_F(ControllersTest, AFollowerSendsClientsToTheLeader) {
    ASSERT_TRUE(eventually([&] { return leader() < kMachines; }));
    const size_t led = leader();
    for (size_t i = 0; i < kMachines; ++i) {
        const CommandResult result = slicectl({"--controller", controller(i), "user", "ls"});
        EXPECT_EQ(result.status, 0) << result.err;
    }
    const size_t follower = (led + 1) % kMachines;
    const auto channel = tls::Credentials::open(state(0) + "/admin")
                             .value()
                             ->channel("dns:///" + controller(follower), pki::kControllerName, {});
    grpc::ClientContext context;
    v1::ListUsersResponse response;
    const grpc::Status refused =
        v1::ControllerService::NewStub(channel)->ListUsers(&context, v1::ListUsersRequest(), &response);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(leader::leaderNamedIn(context), controller(led));
    // An end that is wanted hands over at once.
    const auto asked = Clock::now();
    EXPECT_EQ(sliced_[led].end(SIGTERM), 0);
    EXPECT_TRUE(eventually([&] { return leader() < kMachines && leader() != led; }));
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - asked);
    std::cout << "handed over in " << took.count() << " ms\n";
}

TEST_F(ControllersTest, TheStateMovesToSqliteAndBack) {
    ASSERT_TRUE(eventually([&] { return leader() < kMachines; }));
    ASSERT_EQ(slicectl({"user", "add", "alice"}).status, 0);
    const std::string backup = directory_ + "/backup";
    const auto store = [&](const std::vector<std::string>& words) {
        std::vector<std::string> more{"store"};
        more.insert(more.end(), words.begin(), words.end());
        return runCommand(slicedCommand(0, more));
    };
    const CommandResult backed_up = store({"backup", backup});
    EXPECT_EQ(backed_up.status, 0) << backed_up.err;
    const CommandResult refused = store({"restore", backup});
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.err.find("leads: stop every sliced first"), std::string::npos) << refused.err;
    for (Program& program : sliced_) program.end(SIGTERM);

    std::string etcd = "etcd:";
    for (const std::string& endpoint : etcd_->endpoints()) etcd += endpoint + ",";
    const std::string sqlite = "sqlite:" + directory_ + "/moved/controller.db";
    const CommandResult out = store({"migrate", "--from", etcd, "--to", sqlite});
    EXPECT_EQ(out.status, 0) << out.err;
    EXPECT_NE(out.out.find("2 users"), std::string::npos) << out.out;
    EXPECT_NE(store({"migrate", "--from", sqlite, "--to", etcd}).err.find("already"), std::string::npos);
    etcd_->ctl({"del", "--prefix", "/homeslice/"});
    const CommandResult back = store({"migrate", "--from", sqlite, "--to", etcd});
    EXPECT_EQ(back.status, 0) << back.err;
    const CommandResult restored = store({"restore", backup});
    EXPECT_EQ(restored.status, 0) << restored.err;
    for (size_t i = 0; i < kMachines; ++i) start(i);
    ASSERT_TRUE(eventually([&] { return leader() < kMachines; }));
    EXPECT_EQ(ask({"user", "ls"}).size(), 2U);
}

}  // namespace
}  // namespace homeslice::testing_support
