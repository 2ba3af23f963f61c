// A whole system in one thread and a time of its own: the real controller over a store that can die at any write, home
// agents with the real rules of the binding cache, and nodes that do what their pictures say as far as their links let
// them. A second passes with each step.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "controller/core/controller.h"
#include "noded/mobility/binding_cache.h"
#include "tests/convergence/ownership_history.h"

namespace homeslice::testing_support {

// The controller's process: once dead, nothing that it still does counts.
struct Process {
    bool dead = false;
};

// Kept by the system across deaths of the controller, as its file would be.
class MortalStore : public controller::Store {
public:
    explicit MortalStore(Process& process) : store_(controller::makeMemoryStore()), process_(process) {}

    // The process dies at the `write`th write from now (the first is 1; 0: it does not), right before or right after
    // it.
    void dieAt(uint64_t write, bool after) {
        die_at_ = writes_ + write;
        die_after_ = after;
    }
    uint64_t writes() const { return writes_; }

    absl::StatusOr<controller::Snapshot> load() override { return store_->load(); }
    absl::Status apply(const controller::Changes& changes) override;
    absl::Status record(const controller::AuditEntry& entry) override;
    absl::StatusOr<std::vector<controller::AuditEntry>> audit(uint32_t most) override { return store_->audit(most); }

private:
    absl::Status write(const std::function<absl::Status()>& act);

    std::unique_ptr<controller::Store> store_;
    Process& process_;
    uint64_t writes_ = 0;
    uint64_t die_at_ = 0;
    bool die_after_ = false;
};

class SimulatedSystem {
public:
    // `fenced` false: home agents that take every generation, to see that the checker would notice.
    SimulatedSystem(uint32_t nodes, uint32_t home_agents, bool fenced = true);
    ~SimulatedSystem();

    // Null while it is dead.
    controller::Controller* controller() { return process_.dead ? nullptr : controller_.get(); }
    MortalStore& store() { return *store_; }
    const OwnershipHistory& history() const { return history_; }
    std::vector<std::string> nodeNames() const;

    void killController() { process_.dead = true; }
    // A dead controller is started again.
    void startController();
    // A cut link loses what is sent; the other end notices by silence only, or, `noticed`, at once.
    void cutController(const std::string& node, bool noticed);
    void cutHomeAgent(const std::string& node, const std::string& home_agent);
    // noded is started again; its slivers live on.
    void restartNoded(const std::string& node);
    // The machine is: its slivers are started again under the generation that noded had stored.
    void rebootNode(const std::string& node);
    void healLinks(const std::string& node);

    void step();
    void steps(int count);
    // Heals everything, and steps until nothing is left to do. What has not come right by then is a failure, a line
    // each.
    std::vector<std::string> settle();

private:
    class Session;
    struct Held {
        SliverSpec spec;
        SliverState state = SliverState::pending;
        uint64_t disk_generation = 0;  // under which it last ran here
    };
    struct Registration {
        uint64_t generation = 0;
        uint16_t sequence = 0;
        int64_t refresh_at_s = 0;
        bool stale = false;
    };
    struct SimulatedNode {
        controller::Node hello;
        controller::NodeHandle handle;
        std::shared_ptr<Session> session;  // null: not connected
        bool controller_cut = false;
        std::set<std::string> home_agents_cut;
        uint64_t taken_in = 0;
        std::map<SliverId, Held> held;
        // By home agent and home address.
        std::map<std::pair<std::string, Ipv6Address>, Registration> registrations;
    };
    struct SimulatedHomeAgent {
        std::string name;
        mobility::BindingCache cache;
    };

    void connect(SimulatedNode& node);
    void takeIn(SimulatedNode& node);
    void remove(SimulatedNode& node, const SliverSpec& spec);
    void progress(SimulatedNode& node);
    void report(SimulatedNode& node);
    void registerAt(SimulatedNode& node, SimulatedHomeAgent& home_agent);
    void send(SimulatedNode& node, SimulatedHomeAgent& home_agent, const SliverSpec& spec, uint32_t lifetime_s);
    void expire(SimulatedHomeAgent& home_agent);
    bool hasDiskOf(const SliverSpec& spec) const;
    std::vector<std::string> unsettled();
    std::vector<std::string> unsettledSliver(const controller::SliverView& view, const controller::Sliver& row);

    Process process_;
    std::unique_ptr<MortalStore> store_;
    std::string directory_;
    std::unique_ptr<controller::ImageFiles> images_;
    std::unique_ptr<controller::Controller> controller_;
    std::map<std::string, SimulatedNode> nodes_;
    std::vector<SimulatedHomeAgent> home_agents_;
    const bool fenced_;
    OwnershipHistory history_;
    int64_t time_s_ = 0;
};

}  // namespace homeslice::testing_support
