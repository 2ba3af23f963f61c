// Three controllers and three etcds, each pair on a machine of its own (a network namespace), for tests that kill them,
// or cut the machines off, while users do something.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "roaming_node.h"
#include "tests/support/command.h"
#include "tests/support/etcd.h"
#include "tests/support/program.h"

namespace homeslice::testing_support {

using Clock = std::chrono::steady_clock;

inline constexpr size_t kMachines = 3;
// One more machine, for a node at an address that no controller has a route to, as behind a NAT.
inline constexpr size_t kHidden = kMachines;
inline constexpr const char* kHiddenAddress = "192.0.2.9";
inline constexpr std::chrono::seconds kFailover{3};

template <typename Condition>
bool eventually(Condition holds) {
    constexpr std::chrono::seconds kPatience{30};
    const auto deadline = Clock::now() + kPatience;
    while (!holds()) {
        if (Clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
}

// The test itself is on the switch.
class Machines {
public:
    static void make();
    static void remove();
    // The cable between the machine and the switch.
    static void cut(size_t i);
    static void mend(size_t i);
    static std::string netns(size_t i);
    static std::string address(size_t i);
};

class ControllersTest : public testing::Test {
protected:
    // Once: gRPC's threads stay in the network that they began in.
    static void SetUpTestSuite();
    static void TearDownTestSuite();
    // The controllers begin; slicectl() knows all three.
    void SetUp() override;
    void TearDown() override;

    std::string state(size_t i) const { return directory_ + "/sliced" + std::to_string(i); }
    static std::string controller(size_t i) { return "[" + Machines::address(i) + "]:7400"; }
    static std::string controllers() { return controller(0) + "," + controller(1) + "," + controller(2); }
    std::vector<std::string> slicedCommand(size_t i, const std::vector<std::string>& more) const;
    void start(size_t i);

    static CommandResult slicectl(std::vector<std::string> arguments);
    static nlohmann::json ask(std::vector<std::string> arguments);

    // Which controller leads, by etcd's word; kMachines: none.
    size_t leader() const;
    // Its certificate and key are in `path` then.
    void enrolNode(const std::string& name, const std::string& path);
    // A simulated one.
    void addNode(const std::string& name);
    void importImage();
    bool nodesAreReady();
    // A leader, an image and two nodes.
    void bringUp();
    // What a user made is there, each slice once; nothing else is, but `uncertain` more at most, of which the user
    // heard nothing.
    void expectOnce(const std::set<std::string>& made, size_t uncertain);

    std::string directory_;
    std::unique_ptr<EtcdCluster> etcd_;
    std::array<Program, kMachines> sliced_;
    std::vector<std::unique_ptr<RoamingNode>> nodes_;

private:
    void initialise();
};

// Makes slices, one command after the other.
class User {
public:
    explicit User(std::string name) : name_(std::move(name)), thread_([this] { work(); }) {}
    ~User() { stop(); }
    void stop();
    size_t made() const { return made_; }
    size_t failed() const { return failed_; }
    // Of stopped users.
    const std::set<std::string>& slices() const { return slices_; }
    const std::vector<std::string>& failures() const { return failures_; }
    Clock::duration slowest() const { return slowest_; }

private:
    void work();

    const std::string name_;
    std::atomic<bool> stop_ = false;
    std::atomic<size_t> made_ = 0;
    std::atomic<size_t> failed_ = 0;
    std::set<std::string> slices_;
    std::vector<std::string> failures_;
    Clock::duration slowest_{};
    std::thread thread_;
};

}  // namespace homeslice::testing_support
