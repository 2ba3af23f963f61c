// Three controllers and three etcds, each pair on a machine of its own (a network namespace), and any one killed or cut
// off while users make slices: every command succeeds, nothing is lost, nothing happens twice. And all that is left of
// them when two etcds are dead: nothing is done, and later everything goes on.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/file.h"
#include "homeslice/v1/controller.grpc.pb.h"
#include "leader/controllers.h"
#include "pki/enrol/enrol.h"
#include "roaming_node.h"
#include "tests/support/command.h"
#include "tests/support/etcd.h"
#include "tests/support/privileges.h"
#include "tests/support/program.h"

namespace homeslice::testing_support {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMachines = 3;
// One more machine, for a node at an address that no controller has a route to, as behind a NAT.
constexpr size_t kHidden = kMachines;
constexpr const char* kHiddenAddress = "192.0.2.9";
constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::seconds kFailover{3};

template <typename Condition>
bool eventually(Condition holds) {
    const auto deadline = Clock::now() + kPatience;
    while (!holds()) {
        if (Clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
}

void run(const std::vector<std::string>& command) {
    const CommandResult result = runCommand(command);
    ASSERT_EQ(result.status, 0) << command[0] << " " << command[1] << ": " << result.err;
}

// The test itself is on the switch.
class Machines {
public:
    static void make() {
        enterPrivateNetwork();
        run({"ip", "link", "add", "br0", "type", "bridge"});
        run({"ip", "link", "set", "br0", "up"});
        run({"ip", "address", "add", "fd00:7e57::100/64", "dev", "br0", "nodad"});
        for (size_t i = 0; i < kMachines + 1; ++i) {
            const std::string port = "port" + std::to_string(i);
            run({"ip", "netns", "add", netns(i)});
            run({"ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", netns(i)});
            run({"ip", "link", "set", port, "master", "br0", "up"});
            run({"ip", "-n", netns(i), "link", "set", "lo", "up"});
            run({"ip", "-n", netns(i), "link", "set", "eth0", "up"});
            run({"ip", "-n", netns(i), "address", "add", address(i) + "/64", "dev", "eth0", "nodad"});
        }
        run({"ip", "-n", netns(kHidden), "address", "add", std::string(kHiddenAddress) + "/24", "dev", "eth0"});
    }
    static void remove() {
        for (size_t i = 0; i < kMachines + 1; ++i) runCommand({"ip", "netns", "delete", netns(i)});
    }
    // The cable between the machine and the switch.
    static void cut(size_t i) { run({"ip", "link", "set", "port" + std::to_string(i), "down"}); }
    static void mend(size_t i) { run({"ip", "link", "set", "port" + std::to_string(i), "up"}); }
    static std::string netns(size_t i) { return "hst-ctl-" + std::to_string(::getpid()) + "-" + std::to_string(i); }
    static std::string address(size_t i) { return "fd00:7e57::" + std::to_string(i + 1); }
};

class ControllersTest : public testing::Test {
protected:
    // Once: gRPC's threads stay in the network that they began in.
    static void SetUpTestSuite() {
        if (::geteuid() == 0) Machines::make();
    }
    static void TearDownTestSuite() { Machines::remove(); }

    void SetUp() override {
        HS_REQUIRE_ROOT();
        directory_ = (std::filesystem::temp_directory_path() / "hst-controllers-XXXXXX").string();
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
        std::vector<EtcdPlace> places;
        for (size_t i = 0; i < kMachines; ++i) places.push_back({Machines::netns(i), Machines::address(i)});
        // As the guide recommends.
        etcd_ = std::make_unique<EtcdCluster>(places, directory_ + "/etcd", std::chrono::milliseconds(500));
        ASSERT_TRUE(etcd_->healthy()) << readFile(directory_ + "/etcd/etcd.log").value_or("");
        ASSERT_NO_FATAL_FAILURE(initialise());
        for (size_t i = 0; i < kMachines; ++i) start(i);
        ::setenv("XDG_CONFIG_HOME", directory_.c_str(), 1);
        const CommandResult added =
            slicectl({"context", "add", "test", "--controller", controllers(), "--credentials", state(0) + "/admin"});
        ASSERT_EQ(added.status, 0) << added.err;
    }
    void TearDown() override {
        if (directory_.empty()) return;
        for (size_t i = 0; i < kMachines; ++i) Machines::mend(i);
        nodes_.clear();
        for (Program& program : sliced_) program.end(SIGKILL);
        etcd_.reset();
        if (HasFailure()) std::cerr << readFile(directory_ + "/sliced.log").value_or("");
        EXPECT_TRUE(removeTree(directory_).ok());
    }

    std::string state(size_t i) const { return directory_ + "/sliced" + std::to_string(i); }
    static std::string controller(size_t i) { return "[" + Machines::address(i) + "]:7400"; }
    static std::string controllers() { return controller(0) + "," + controller(1) + "," + controller(2); }

    // The first one makes the authority, the others get a copy of it.
    void initialise() {
        const CommandResult made = runCommand(slicedCommand(0, {"init"}));
        ASSERT_EQ(made.status, 0) << made.err;
        for (size_t i = 1; i < kMachines; ++i) {
            std::filesystem::create_directory(state(i));
            std::filesystem::permissions(state(i), std::filesystem::perms::owner_all);
            run({"cp", "-a", state(0) + "/pki", state(i)});
        }
        const CommandResult again = runCommand(slicedCommand(0, {"init"}));
        EXPECT_NE(again.status, 0);
    }

    std::vector<std::string> slicedCommand(size_t i, const std::vector<std::string>& more) const {
        std::string endpoints = "etcd:";
        for (const std::string& endpoint : etcd_->endpoints()) endpoints += endpoint + ",";
        std::vector<std::string> command{"ip",
                                         "netns",
                                         "exec",
                                         Machines::netns(i),
                                         HS_BIN_DIRECTORY "/sliced",
                                         "--state-dir",
                                         state(i),
                                         "--store",
                                         endpoints,
                                         "--etcd-ca",
                                         etcd_->certificate(),
                                         "--etcd-cert",
                                         etcd_->certificate(),
                                         "--etcd-key",
                                         etcd_->key()};
        command.insert(command.end(), more.begin(), more.end());
        return command;
    }
    void start(size_t i) {
        sliced_[i] = Program(slicedCommand(i, {"--listen", controller(i), "--home-prefix", "fd51:1ce::/48"}),
                             directory_ + "/sliced.log");
    }

    static CommandResult slicectl(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), HS_BIN_DIRECTORY "/slicectl");
        return runCommand(arguments);
    }
    static nlohmann::json ask(std::vector<std::string> arguments) {
        arguments.insert(arguments.end(), {"-o", "json"});
        const CommandResult result = slicectl(arguments);
        EXPECT_EQ(result.status, 0) << result.err;
        return nlohmann::json::parse(result.out, nullptr, false);
    }

    // Which controller leads, by etcd's word.
    size_t leader() const {
        const std::string value = etcd_->ctl({"get", "--print-value-only", "/homeslice/leader"});
        for (size_t i = 0; i < kMachines; ++i) {
            if (value.find(controller(i)) != std::string::npos) return i;
        }
        return kMachines;
    }

    // Its certificate and key are in `path` then.
    void enrolNode(const std::string& name, const std::string& path) {
        const std::string text = lastLine(slicectl({"node", "token", name}).out);
        const size_t at = text.find("node." + name);
        ASSERT_NE(at, std::string::npos) << text;
        const auto token = pki::parseToken(text.substr(at, text.find_first_of(" \n", at) - at));
        ASSERT_TRUE(token.ok()) << text;
        const auto files = enrol::join(leader::splitAddresses(controllers()), *token);
        ASSERT_TRUE(files.ok()) << files.status();
        ASSERT_TRUE(pki::writeCredentials(path, *files).ok());
    }
    void addNode(const std::string& name) {
        const std::string path = directory_ + "/" + name;
        ASSERT_NO_FATAL_FAILURE(enrolNode(name, path));
        nodes_.push_back(std::make_unique<RoamingNode>(controllers(), tls::Credentials::open(path).value(), name));
    }
    void importImage() {
        const std::string root = directory_ + "/root";
        std::filesystem::create_directory(root);
        ASSERT_TRUE(replaceFile(root + "/file", std::string(100'000, 'x')).ok());
        run({"tar", "-C", root, "-cf", directory_ + "/image.tar", "file"});
        const CommandResult imported = slicectl({"image", "import", directory_ + "/image.tar", "--name", "test"});
        ASSERT_EQ(imported.status, 0) << imported.err;
    }
    bool nodesAreReady() {
        const nlohmann::json nodes = ask({"node", "ls"});
        return nodes.size() == nodes_.size() &&
               std::all_of(nodes.begin(), nodes.end(), [](const auto& node) { return node.value("ready", false); });
    }
    // Image archives of controller `i`.
    size_t images(size_t i) const {
        size_t count = 0;
        for (const auto& entry : std::filesystem::directory_iterator(state(i) + "/images")) {
            count += entry.path().extension().empty() ? 1 : 0;
        }
        return count;
    }

    void bringUp() {
        ASSERT_TRUE(eventually([&] { return leader() < kMachines; }));
        ASSERT_NO_FATAL_FAILURE(importImage());
        ASSERT_NO_FATAL_FAILURE(addNode("node1"));
        ASSERT_NO_FATAL_FAILURE(addNode("node2"));
        ASSERT_TRUE(eventually([&] { return nodesAreReady(); }));
    }
    // What a user made is there, each slice once; nothing else is, but `uncertain` more at most, of which the user
    // heard nothing.
    void expectOnce(const std::set<std::string>& made, size_t uncertain) {
        std::set<std::string> found;
        std::set<std::string> prefixes;
        for (const auto& slice : ask({"slice", "ls"})) {
            found.insert(slice.value("name", ""));
            prefixes.insert(slice.value("prefix", ""));
        }
        EXPECT_TRUE(std::includes(found.begin(), found.end(), made.begin(), made.end())) << "one that was made is lost";
        EXPECT_LE(found.size(), made.size() + uncertain);
        EXPECT_EQ(prefixes.size(), found.size()) << "no /64 is given out twice";
        EXPECT_EQ(ask({"sliver", "ls"}).size(), found.size());
        std::map<std::string, int> creations;
        for (const auto& entry : ask({"audit", "log", "--tail", "10000"})) {
            if (entry.value("what", "") == "CreateSlice" && entry.value("outcome", "") == "ok")
                ++creations[entry.value("subject", "")];
        }
        EXPECT_EQ(creations.size(), found.size());
        for (const auto& [slice, count] : creations) EXPECT_EQ(count, 1) << slice;
    }

    std::string directory_;
    std::unique_ptr<EtcdCluster> etcd_;
    std::array<Program, kMachines> sliced_;
    std::vector<std::unique_ptr<RoamingNode>> nodes_;
};

// Makes slices, one command after the other.
class User {
public:
    explicit User(std::string name) : name_(std::move(name)), thread_([this] { work(); }) {}
    ~User() { stop(); }
    void stop() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
    }
    size_t made() const { return made_; }
    size_t failed() const { return failed_; }
    // Of stopped users.
    const std::set<std::string>& slices() const { return slices_; }
    const std::vector<std::string>& failures() const { return failures_; }
    Clock::duration slowest() const { return slowest_; }

private:
    void work() {
        while (!stop_) {
            const std::string slice = name_ + "-" + std::to_string(made_ + failed_);
            const auto begin = Clock::now();
            const CommandResult result = runCommand({HS_BIN_DIRECTORY "/slicectl", "slice", "create", slice, "--image",
                                                     "test", "--nodes", "1", "--no-wait"});
            slowest_ = std::max(slowest_, Clock::now() - begin);
            if (result.status == 0) {
                slices_.insert(slice);
                ++made_;
            } else {
                failures_.push_back(result.err);
                ++failed_;
            }
        }
    }

    const std::string name_;
    std::atomic<bool> stop_ = false;
    std::atomic<size_t> made_ = 0;
    std::atomic<size_t> failed_ = 0;
    std::set<std::string> slices_;
    std::vector<std::string> failures_;
    Clock::duration slowest_{};
    std::thread thread_;
};

TEST_F(ControllersTest, AnyOneIsKilledAndNothingIsLostOrDoubled) {
    ASSERT_NO_FATAL_FAILURE(bringUp());
    for (size_t i = 0; i < kMachines; ++i) {
        EXPECT_TRUE(eventually([&] { return images(i) == 1; })) << "an archive that controller " << i << " lacks";
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
