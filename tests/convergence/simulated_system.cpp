#include "tests/convergence/simulated_system.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/status.h"
#include "controller/core/test_picture.h"

namespace homeslice::testing_support {
namespace {

constexpr int64_t kStartUs = 1'700'000'000'000'000;
constexpr uint32_t kLifetimeS = 40;
constexpr int64_t kSettleWithinS = 1200;

Monotonic::time_point monotonicAt(int64_t time_s) {
    return Monotonic::time_point() + std::chrono::hours(1) + std::chrono::seconds(time_s);
}

bool isBound(SliverState state) { return state == SliverState::running || state == SliverState::frozen; }

}  // namespace

absl::Status MortalStore::apply(const controller::Changes& changes) {
    return write([&] { return store_->apply(changes); });
}

absl::Status MortalStore::record(const controller::AuditEntry& entry) {
    return write([&] { return store_->record(entry); });
}

absl::Status MortalStore::write(const std::function<absl::Status()>& act) {
    if (process_.dead) return unavailable("the process is dead");
    writes_ += 1;
    const bool dies = writes_ == die_at_;
    if (!dies || die_after_) HS_RETURN_IF_ERROR(act());
    if (!dies) return absl::OkStatus();
    process_.dead = true;
    return unavailable("the process is dead");
}

class SimulatedSystem::Session : public controller::NodeSession {
public:
    explicit Session(const Process& process) : process_(process) {}

    void send(uint64_t revision, const controller::Picture& picture, const NameTable* /*names*/) override {
        if (process_.dead || closed) return;
        sent_revision = revision;
        sent.take(picture);
    }
    void sendNames(const NameTable& /*names*/) override {}
    void close(const absl::Status& /*why*/) override { closed = true; }

    uint64_t sent_revision = 0;
    controller::testing_support::KnownPicture sent;
    bool closed = false;

private:
    const Process& process_;
};

SimulatedSystem::SimulatedSystem(uint32_t nodes, uint32_t home_agents, bool fenced)
    : store_(std::make_unique<MortalStore>(process_)), fenced_(fenced) {
    std::string directory = (std::filesystem::temp_directory_path() / "hst-converge-XXXXXX").string();
    EXPECT_NE(::mkdtemp(directory.data()), nullptr);
    directory_ = directory;
    images_ = controller::ImageFiles::open(directory_).value();
    process_.dead = true;
    startController();
    for (uint32_t i = 1; i <= home_agents; ++i) {
        home_agents_.push_back({"ha" + std::to_string(i), mobility::BindingCache(mobility::BindingCache::Limits())});
    }
    for (uint32_t i = 1; i <= nodes; ++i) {
        SimulatedNode& node = nodes_["node" + std::to_string(i)];
        node.hello.name = "node" + std::to_string(i);
        node.hello.care_of_address = Ipv6Address::parse("fd00:51ce::").value().withInterfaceId(i);
        node.hello.api_port = 7401;
        node.hello.boot_id = "boot";
        node.hello.cpus = 4;
        const auto token = controller_->makeNodeToken(node.hello.name, 0);
        EXPECT_TRUE(controller_->redeemToken(token.value().token).ok());
    }
    auto receiver = images_->receive().value();
    EXPECT_TRUE(receiver->write("archive").ok());
    const std::string digest = receiver->finish().value();
    EXPECT_TRUE(
        controller_->addImage("busybox", digest, *receiver, controller_->beginImport("busybox").value().id).ok());
    step();
}

SimulatedSystem::~SimulatedSystem() {
    controller_.reset();
    EXPECT_TRUE(removeTree(directory_).ok());
}

std::vector<std::string> SimulatedSystem::nodeNames() const {
    std::vector<std::string> names;
    for (const auto& [name, node] : nodes_) names.push_back(name);
    return names;
}

void SimulatedSystem::startController() {
    if (!process_.dead) return;
    for (auto& [name, node] : nodes_) node.session.reset();
    controller_.reset();
    process_.dead = false;
    controller::Config config;
    config.home_prefix = Ipv6Prefix::parse("fd51:1ce::/48").value();
    config.replace_after = std::chrono::seconds(60);
    const controller::Clock clock{[this] { return monotonicAt(time_s_); },
                                  [this] { return kStartUs + time_s_ * 1'000'000; }};
    auto opened = controller::Controller::open(config, *store_, *images_, clock);
    ASSERT_TRUE(opened.ok() || process_.dead) << opened.status();
    if (opened.ok()) controller_ = std::move(opened).value();
}

void SimulatedSystem::cutController(const std::string& name, bool noticed) {
    SimulatedNode& node = nodes_.at(name);
    node.controller_cut = true;
    if (!noticed || node.session == nullptr) return;
    if (controller() != nullptr) controller_->disconnectNode(node.handle);
    node.session.reset();
}

void SimulatedSystem::cutHomeAgent(const std::string& node, const std::string& home_agent) {
    nodes_.at(node).home_agents_cut.insert(home_agent);
}

void SimulatedSystem::restartNoded(const std::string& name) {
    SimulatedNode& node = nodes_.at(name);
    if (node.session != nullptr && !node.controller_cut && controller() != nullptr) {
        controller_->disconnectNode(node.handle);
    }
    node.session.reset();
    for (auto& [key, registration] : node.registrations) registration = {.generation = registration.generation};
}

void SimulatedSystem::rebootNode(const std::string& name) {
    restartNoded(name);
    SimulatedNode& node = nodes_.at(name);
    node.hello.boot_id += "'";
    for (auto& [id, held] : node.held) {
        if (isBound(held.state)) held.state = SliverState::starting;
    }
}

void SimulatedSystem::healLinks(const std::string& name) {
    SimulatedNode& node = nodes_.at(name);
    node.controller_cut = false;
    node.home_agents_cut.clear();
}

void SimulatedSystem::steps(int count) {
    for (int i = 0; i < count; ++i) step();
}

void SimulatedSystem::step() {
    time_s_ += 1;
    if (controller() != nullptr) controller_->tick();
    for (auto& [name, node] : nodes_) {
        if (controller() != nullptr && !node.controller_cut) {
            connect(node);
            takeIn(node);
        }
        progress(node);
        if (controller() != nullptr && !node.controller_cut) report(node);
        for (SimulatedHomeAgent& home_agent : home_agents_) {
            if (!node.home_agents_cut.contains(home_agent.name)) registerAt(node, home_agent);
        }
    }
    for (SimulatedHomeAgent& home_agent : home_agents_) expire(home_agent);
}

void SimulatedSystem::connect(SimulatedNode& node) {
    if (node.session != nullptr && !node.session->closed) return;
    node.session = std::make_shared<Session>(process_);
    auto handle = controller_->connectNode(node.hello, node.session);
    if (handle.ok() && !process_.dead) {
        node.handle = *handle;
    } else {
        node.session.reset();
    }
}

void SimulatedSystem::takeIn(SimulatedNode& node) {
    if (node.session == nullptr || process_.dead) return;
    const auto& picture = node.session->sent;
    node.taken_in = node.session->sent_revision;
    std::erase_if(node.held, [&](const auto& entry) {
        const bool goes = !picture.slivers.contains(entry.first);
        if (goes) remove(node, entry.second.spec);
        return goes;
    });
    for (const auto& [id, spec] : picture.slivers) node.held[id].spec = spec;
}

// It gives up its registration, which by then may be another's.
void SimulatedSystem::remove(SimulatedNode& node, const SliverSpec& spec) {
    for (SimulatedHomeAgent& home_agent : home_agents_) {
        const bool reachable = !node.home_agents_cut.contains(home_agent.name);
        if (reachable && node.registrations.contains({home_agent.name, spec.home_address})) {
            send(node, home_agent, spec, 0);
        }
        node.registrations.erase({home_agent.name, spec.home_address});
    }
}

bool SimulatedSystem::hasDiskOf(const SliverSpec& spec) const {
    for (const auto& [name, node] : nodes_) {
        if (!(node.hello.care_of_address == spec.disk_source->node)) continue;
        const auto held = node.held.find(spec.id);
        return held != node.held.end() && held->second.state == SliverState::stopped &&
               held->second.disk_generation == spec.disk_source->generation;
    }
    return false;
}

void SimulatedSystem::progress(SimulatedNode& node) {
    for (auto& [id, held] : node.held) {
        switch (held.spec.run) {
            case DesiredRun::prepared:
                held.state = SliverState::preparing;
                break;
            case DesiredRun::stopped:
                held.state = SliverState::stopped;
                break;
            case DesiredRun::running:
            case DesiredRun::frozen:
                if (held.spec.disk_source && held.disk_generation == 0 && !hasDiskOf(held.spec)) {
                    held.state = SliverState::preparing;
                    break;
                }
                held.state = held.spec.run == DesiredRun::running ? SliverState::running : SliverState::frozen;
                held.disk_generation = held.spec.generation;
                break;
        }
    }
}

void SimulatedSystem::report(SimulatedNode& node) {
    if (node.session == nullptr) return;
    controller::NodeReport report;
    report.desired_revision = node.taken_in;
    for (const auto& [id, held] : node.held) {
        controller::SliverReport& sliver = report.slivers.emplace_back();
        sliver.id = id;
        sliver.generation = held.spec.generation;
        sliver.state = held.state;
        sliver.image_ready = true;
    }
    controller_->reportFromNode(node.handle, report);
}

void SimulatedSystem::registerAt(SimulatedNode& node, SimulatedHomeAgent& home_agent) {
    for (const auto& [id, held] : node.held) {
        if (!isBound(held.state)) continue;
        Registration& registration = node.registrations[{home_agent.name, held.spec.home_address}];
        if (registration.generation != held.spec.generation) registration = {.generation = held.spec.generation};
        if (registration.stale || registration.refresh_at_s > time_s_) continue;
        send(node, home_agent, held.spec, kLifetimeS);
    }
}

void SimulatedSystem::send(SimulatedNode& node, SimulatedHomeAgent& home_agent, const SliverSpec& spec,
                           uint32_t lifetime_s) {
    Registration& registration = node.registrations[{home_agent.name, spec.home_address}];
    registration.sequence += 1;
    const mobility::BindingKey key{spec.home_address, 0};
    mobility::BindingUpdate update{.key = key,
                                   .care_of_address = node.hello.care_of_address,
                                   .sequence = registration.sequence,
                                   .generation = spec.generation,
                                   .lifetime_s = lifetime_s};
    if (!fenced_) home_agent.cache.erase(key);
    const auto acknowledgement =
        home_agent.cache.apply(update, monotonicAt(time_s_), Utc::time_point()).acknowledgement;
    registration.refresh_at_s = time_s_ + 1;
    switch (acknowledgement.status) {
        case mobility::BindingStatus::accepted:
            registration.refresh_at_s = time_s_ + acknowledgement.refresh_s;
            history_.add({lifetime_s == 0 ? OwnershipEvent::Kind::ended : OwnershipEvent::Kind::accepted, time_s_,
                          home_agent.name, spec.home_address, node.hello.name, spec.generation});
            break;
        case mobility::BindingStatus::sequence_out_of_window:
            registration.sequence = acknowledgement.sequence;
            break;
        case mobility::BindingStatus::generation_stale:
            registration.stale = true;
            break;
        default:
            ADD_FAILURE() << "refused: " << mobility::nameOf(acknowledgement.status);
    }
}

void SimulatedSystem::expire(SimulatedHomeAgent& home_agent) {
    for (const mobility::Binding& binding : home_agent.cache.expire(monotonicAt(time_s_)).ended) {
        history_.add({OwnershipEvent::Kind::ended, time_s_, home_agent.name, binding.key.home_address, "", 0});
    }
}

std::vector<std::string> SimulatedSystem::settle() {
    for (const std::string& node : nodeNames()) healLinks(node);
    std::vector<std::string> left;
    for (const int64_t end_s = time_s_ + kSettleWithinS; time_s_ < end_s;) {
        startController();
        steps(10);
        left = unsettled();
        if (left.empty()) break;
    }
    return left;
}

std::vector<std::string> SimulatedSystem::unsettled() {
    if (controller() == nullptr) return {"the controller is dead"};
    std::vector<std::string> left;
    const controller::Snapshot snapshot = store_->load().value();
    for (const auto& [id, operation] : snapshot.operations) {
        if (!operation.ended())
            left.push_back(fmt::format("operation {} goes on: {}", toString(operation.kind), operation.step));
    }
    std::map<Ipv6Address, std::string> owners;
    for (const auto& [id, row] : snapshot.slivers) {
        const controller::SliverView view = controller_->sliver(id).value();
        owners[view.home_address] = row.node;
        for (std::string& line : unsettledSliver(view, row)) left.push_back(std::move(line));
    }
    for (const auto& [name, node] : nodes_) {
        for (const auto& [id, held] : node.held) {
            const auto row = snapshot.slivers.find(id);
            const bool its_place = row != snapshot.slivers.end() && row->second.node == name;
            if (!its_place) left.push_back(name + " still has " + id.toString());
        }
    }
    for (const SimulatedHomeAgent& home_agent : home_agents_) {
        for (const mobility::Binding& binding : home_agent.cache.list()) {
            if (!owners.contains(binding.key.home_address)) {
                left.push_back(home_agent.name + " has " + binding.key.home_address.toString() + ", which is nobody's");
            }
        }
    }
    return left;
}

std::vector<std::string> SimulatedSystem::unsettledSliver(const controller::SliverView& view,
                                                          const controller::Sliver& row) {
    const std::string name = row.id.toString();
    std::vector<std::string> left;
    const auto held = nodes_.at(row.node).held.find(row.id);
    if (held == nodes_.at(row.node).held.end() || !isBound(held->second.state)) left.push_back(name + " does not run");
    if (row.holders != std::set<std::string>{row.node}) left.push_back(name + " has left something elsewhere");
    for (const SimulatedHomeAgent& home_agent : home_agents_) {
        const mobility::Binding* found = nullptr;
        const std::vector<mobility::Binding> bindings = home_agent.cache.list();
        for (const mobility::Binding& binding : bindings) {
            if (binding.key.home_address == view.home_address) found = &binding;
        }
        const bool right = found != nullptr && found->generation == row.generation &&
                           found->care_of_address == nodes_.at(row.node).hello.care_of_address;
        if (!right) left.push_back(name + " is not bound at " + home_agent.name);
    }
    return left;
}

}  // namespace homeslice::testing_support
