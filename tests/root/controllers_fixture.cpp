#include "controllers_fixture.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>

#include "base/file.h"
#include "leader/controllers.h"
#include "pki/enrol/enrol.h"
#include "tests/support/privileges.h"

namespace homeslice::testing_support {
namespace {

void run(const std::vector<std::string>& command) {
    const CommandResult result = runCommand(command);
    ASSERT_EQ(result.status, 0) << command[0] << " " << command[1] << ": " << result.err;
}

std::string portOf(size_t i) { return "port" + std::to_string(i); }

}  // namespace

void Machines::make() {
    enterPrivateNetwork();
    run({"ip", "link", "add", "br0", "type", "bridge"});
    run({"ip", "link", "set", "br0", "up"});
    run({"ip", "address", "add", "fd00:7e57::100/64", "dev", "br0", "nodad"});
    for (size_t i = 0; i < kMachines + 1; ++i) {
        run({"ip", "netns", "add", netns(i)});
        run({"ip", "link", "add", portOf(i), "type", "veth", "peer", "name", "eth0", "netns", netns(i)});
        run({"ip", "link", "set", portOf(i), "master", "br0", "up"});
        run({"ip", "-n", netns(i), "link", "set", "lo", "up"});
        run({"ip", "-n", netns(i), "link", "set", "eth0", "up"});
        run({"ip", "-n", netns(i), "address", "add", address(i) + "/64", "dev", "eth0", "nodad"});
    }
    run({"ip", "-n", netns(kHidden), "address", "add", std::string(kHiddenAddress) + "/24", "dev", "eth0"});
}

void Machines::remove() {
    for (size_t i = 0; i < kMachines + 1; ++i) runCommand({"ip", "netns", "delete", netns(i)});
}

void Machines::cut(size_t i) { run({"ip", "link", "set", portOf(i), "down"}); }

void Machines::mend(size_t i) { run({"ip", "link", "set", portOf(i), "up"}); }

std::string Machines::netns(size_t i) { return "hst-ctl-" + std::to_string(::getpid()) + "-" + std::to_string(i); }

std::string Machines::address(size_t i) { return "fd00:7e57::" + std::to_string(i + 1); }

void ControllersTest::SetUpTestSuite() {
    if (::geteuid() == 0) Machines::make();
}

void ControllersTest::TearDownTestSuite() { Machines::remove(); }

void ControllersTest::SetUp() {
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

void ControllersTest::TearDown() {
    if (directory_.empty()) return;
    for (size_t i = 0; i < kMachines; ++i) Machines::mend(i);
    nodes_.clear();
    for (Program& program : sliced_) program.end(SIGKILL);
    etcd_.reset();
    if (HasFailure()) std::cerr << readFile(directory_ + "/sliced.log").value_or("");
    EXPECT_TRUE(removeTree(directory_).ok());
}

// The first one makes the authority, the others get a copy of it.
void ControllersTest::initialise() {
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

std::vector<std::string> ControllersTest::slicedCommand(size_t i, const std::vector<std::string>& more) const {
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

void ControllersTest::start(size_t i) {
    sliced_[i] = Program(slicedCommand(i, {"--listen", controller(i), "--home-prefix", "fd51:1ce::/48"}),
                         directory_ + "/sliced.log");
}

CommandResult ControllersTest::slicectl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), HS_BIN_DIRECTORY "/slicectl");
    return runCommand(arguments);
}

nlohmann::json ControllersTest::ask(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-o", "json"});
    const CommandResult result = slicectl(arguments);
    EXPECT_EQ(result.status, 0) << result.err;
    return nlohmann::json::parse(result.out, nullptr, false);
}

size_t ControllersTest::leader() const {
    const std::string value = etcd_->ctl({"get", "--print-value-only", "/homeslice/leader"});
    for (size_t i = 0; i < kMachines; ++i) {
        if (value.find(controller(i)) != std::string::npos) return i;
    }
    return kMachines;
}

void ControllersTest::enrolNode(const std::string& name, const std::string& path) {
    const std::string text = lastLine(slicectl({"node", "token", name}).out);
    const size_t at = text.find("node." + name);
    ASSERT_NE(at, std::string::npos) << text;
    const auto token = pki::parseToken(text.substr(at, text.find_first_of(" \n", at) - at));
    ASSERT_TRUE(token.ok()) << text;
    const auto files = enrol::join(leader::splitAddresses(controllers()), *token);
    ASSERT_TRUE(files.ok()) << files.status();
    ASSERT_TRUE(pki::writeCredentials(path, *files).ok());
}

void ControllersTest::addNode(const std::string& name) {
    const std::string path = directory_ + "/" + name;
    ASSERT_NO_FATAL_FAILURE(enrolNode(name, path));
    nodes_.push_back(std::make_unique<RoamingNode>(controllers(), tls::Credentials::open(path).value(), name));
}

void ControllersTest::importImage() {
    const std::string root = directory_ + "/root";
    std::filesystem::create_directory(root);
    ASSERT_TRUE(replaceFile(root + "/file", std::string(100'000, 'x')).ok());
    run({"tar", "-C", root, "-cf", directory_ + "/image.tar", "file"});
    const CommandResult imported = slicectl({"image", "import", directory_ + "/image.tar", "--name", "test"});
    ASSERT_EQ(imported.status, 0) << imported.err;
}

bool ControllersTest::nodesAreReady() {
    const nlohmann::json nodes = ask({"node", "ls"});
    return nodes.size() == nodes_.size() &&
           std::all_of(nodes.begin(), nodes.end(), [](const auto& node) { return node.value("ready", false); });
}

void ControllersTest::bringUp() {
    ASSERT_TRUE(eventually([&] { return leader() < kMachines; }));
    ASSERT_NO_FATAL_FAILURE(importImage());
    ASSERT_NO_FATAL_FAILURE(addNode("node1"));
    ASSERT_NO_FATAL_FAILURE(addNode("node2"));
    ASSERT_TRUE(eventually([&] { return nodesAreReady(); }));
}

void ControllersTest::expectOnce(const std::set<std::string>& made, size_t uncertain) {
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

void User::stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
}

void User::work() {
    while (!stop_) {
        const std::string slice = name_ + "-" + std::to_string(made_ + failed_);
        const auto begin = Clock::now();
        const CommandResult result = runCommand(
            {HS_BIN_DIRECTORY "/slicectl", "slice", "create", slice, "--image", "test", "--nodes", "1", "--no-wait"});
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

}  // namespace homeslice::testing_support
