#include "noded/mobility/access_gateway.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "noded/mobility/binding_exchange.h"
#include "noded/mobility/care_of_view.h"

namespace homeslice::mobility {
namespace {

// How long a node's word that a sliver is not there counts against what the home agents said before.
constexpr std::chrono::seconds kGoneFor{10};

class RegisteringGateway final : public AccessGateway {
public:
    RegisteringGateway(const Config& config, Forwarder& forwarder, TransportFactory factory)
        : config_(config), forwarder_(forwarder), factory_(std::move(factory)) {
        sender_ = std::thread([this] { sendUntilStopped(); });
    }
    ~RegisteringGateway() override;

    void setHomeAgents(const std::vector<HomeAgentAddress>& home_agents) override;
    void pathIsGone(const Ipv6Address& home_address, const Ipv6Address& care_of_address) override;
    void bind(const BindingKey& key, const Grant& grant, const BindingTerms& terms) override;
    void unbind(const BindingKey& key) override;
    std::vector<Registration> registrations() override;
    std::optional<Ipv6Address> homeAgent() override {
        const std::lock_guard lock(mutex_);
        return told_home_agent_;
    }
    Refusals refusals() override {
        const std::lock_guard lock(mutex_);
        return refusals_;
    }
    absl::Status waitRegistered(const BindingKey& key, uint64_t generation, std::chrono::milliseconds timeout) override;

private:
    struct Session {
        std::unique_ptr<BindingTransport> transport;  // null until the factory returned
        CareOfView view;
        HomeAgentRole role;
    };
    struct Entry {
        Grant grant;
        BindingTerms terms;
        bool leaving = false;
        Monotonic::time_point leave_by;  // by then the home agents' bindings have expired anyhow
        std::map<HomeAgentAddress, BindingExchange> exchanges;
    };

    void addHomeAgent(const HomeAgentAddress& home_agent);
    void removeHomeAgent(const HomeAgentAddress& home_agent);
    void connected(const HomeAgentAddress& home_agent);
    void acknowledged(const HomeAgentAddress& home_agent, const BindingAcknowledgement& acknowledgement);
    void noteRefusal(const HomeAgentAddress& home_agent, const BindingAcknowledgement& acknowledgement,
                     uint64_t generation);
    void watching(const HomeAgentAddress& home_agent);
    void heard(const HomeAgentAddress& home_agent, const BindingEvent& event);
    void hear(const HomeAgentAddress& home_agent, const BindingEvent& event);

    void sendUntilStopped();
    Monotonic::time_point sendDue(Monotonic::time_point now);
    void sendUpdate(const BindingKey& key, Entry& entry, const HomeAgentAddress& home_agent, BindingExchange& exchange);
    static bool hasLeft(const Entry& entry, Monotonic::time_point now);
    std::optional<absl::Status> outcomeOf(const BindingKey& key, uint64_t generation);

    void chooseHomeAgent();
    void optimize(const Ipv6Address& home_address);
    void forgive(const Ipv6Address& home_address);
    Monotonic::time_point forgiveDue(Monotonic::time_point now);
    void dropLeftovers();

    const Config config_;
    Forwarder& forwarder_;
    const TransportFactory factory_;

    std::mutex sessions_mutex_;        // one change of the home agents at a time; taken before mutex_
    std::mutex mutex_;                 // guards all below
    std::condition_variable wake_;     // the sender has something to look at
    std::condition_variable changed_;  // a registration changed
    std::map<HomeAgentAddress, Session> sessions_;
    std::map<BindingKey, Entry> entries_;
    std::map<Ipv6Address, CareOfSet> optimized_;  // what the forwarder was told
    // (home address, care-of address) that no packet is sent to until then, by pathIsGone().
    std::map<std::pair<Ipv6Address, Ipv6Address>, Monotonic::time_point> gone_;
    Refusals refusals_;
    std::optional<HomeAgentAddress> in_charge_;   // says so of itself
    std::optional<Ipv6Address> told_home_agent_;  // the forwarder was
    bool stopping_ = false;
    std::thread sender_;
};

RegisteringGateway::~RegisteringGateway() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;  // from here the bindings and the forwarder stay as they are: the slivers live on
    }
    wake_.notify_all();
    sender_.join();
    setHomeAgents({});
}

void RegisteringGateway::setHomeAgents(const std::vector<HomeAgentAddress>& home_agents) {
    const std::lock_guard setup(sessions_mutex_);
    const std::set<HomeAgentAddress> wanted(home_agents.begin(), home_agents.end());
    std::set<HomeAgentAddress> present;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [home_agent, session] : sessions_) present.insert(home_agent);
    }
    for (const HomeAgentAddress& home_agent : present)
        if (!wanted.contains(home_agent)) removeHomeAgent(home_agent);
    for (const HomeAgentAddress& home_agent : wanted)
        if (!present.contains(home_agent)) addHomeAgent(home_agent);
}

void RegisteringGateway::addHomeAgent(const HomeAgentAddress& home_agent) {
    {
        const std::lock_guard lock(mutex_);
        sessions_.try_emplace(home_agent);
        chooseHomeAgent();
    }
    // Without the lock: the transport may call back before it is returned.
    auto transport =
        factory_(home_agent, {.connected = [this, home_agent] { connected(home_agent); },
                              .acknowledged =
                                  [this, home_agent](const BindingAcknowledgement& acknowledgement) {
                                      acknowledged(home_agent, acknowledgement);
                                  },
                              .event = [this, home_agent](const BindingEvent& event) { heard(home_agent, event); },
                              .watching = [this, home_agent] { watching(home_agent); }});
    {
        const std::lock_guard lock(mutex_);
        sessions_[home_agent].transport = std::move(transport);
        for (auto& [key, entry] : entries_) entry.exchanges[home_agent].restart(Monotonic::now());
    }
    wake_.notify_all();
}

void RegisteringGateway::removeHomeAgent(const HomeAgentAddress& home_agent) {
    std::unique_ptr<BindingTransport> transport;
    {
        const std::lock_guard lock(mutex_);
        transport = std::move(sessions_[home_agent].transport);
    }
    transport.reset();  // without the lock: it waits for its callbacks
    const std::lock_guard lock(mutex_);
    const auto session = sessions_.extract(home_agent);
    for (auto& [key, entry] : entries_) entry.exchanges.erase(home_agent);
    if (stopping_) return;
    chooseHomeAgent();
    std::set<Ipv6Address> concerned;
    for (const auto& [key, binding] : session.mapped().view.bindings()) concerned.insert(key.home_address);
    for (const Ipv6Address& home_address : concerned) optimize(home_address);
}

void RegisteringGateway::connected(const HomeAgentAddress& home_agent) {
    {
        const std::lock_guard lock(mutex_);
        for (auto& [key, entry] : entries_) {
            BindingExchange& exchange = entry.exchanges[home_agent];
            if (!exchange.isFinal()) exchange.restart(Monotonic::now());
        }
    }
    wake_.notify_all();
}

void RegisteringGateway::acknowledged(const HomeAgentAddress& home_agent,
                                      const BindingAcknowledgement& acknowledgement) {
    {
        const std::lock_guard lock(mutex_);
        const auto entry = entries_.find(acknowledgement.key);
        if (entry == entries_.end()) return;
        const auto exchange = entry->second.exchanges.find(home_agent);
        if (exchange == entry->second.exchanges.end()) return;
        if (!exchange->second.acknowledged(acknowledgement, Monotonic::now())) return;
        noteRefusal(home_agent, acknowledgement, entry->second.grant.generation);
    }
    changed_.notify_all();
    wake_.notify_all();
}

// With the lock held.
void RegisteringGateway::noteRefusal(const HomeAgentAddress& home_agent, const BindingAcknowledgement& acknowledgement,
                                     uint64_t generation) {
    const BindingStatus status = acknowledgement.status;
    if (status == BindingStatus::accepted || status == BindingStatus::sequence_out_of_window) return;
    ++refusals_.count;
    refusals_.last = home_agent.address.toString() + " refuses the binding of " +
                     acknowledgement.key.home_address.toString() + " (id " +
                     std::to_string(acknowledgement.key.binding_id) + ", generation " + std::to_string(generation) +
                     "): " + nameOf(status);
    if (status == BindingStatus::generation_stale)
        refusals_.last += ", generation " + std::to_string(acknowledgement.generation) + " is bound";
    logWarning("{}", refusals_.last);
}

void RegisteringGateway::watching(const HomeAgentAddress& home_agent) {
    const std::lock_guard lock(mutex_);
    sessions_[home_agent].view.beginSnapshot();
    sessions_[home_agent].role = {};  // of a life that may be over
}

void RegisteringGateway::heard(const HomeAgentAddress& home_agent, const BindingEvent& event) {
    {
        const std::lock_guard lock(mutex_);
        hear(home_agent, event);
    }
    changed_.notify_all();
}

// With the lock held.
void RegisteringGateway::hear(const HomeAgentAddress& home_agent, const BindingEvent& event) {
    Session& session = sessions_[home_agent];
    if (event.kind == BindingEvent::Kind::role) {
        session.role = event.role;
        chooseHomeAgent();
        return;
    }
    for (const Ipv6Address& home_address : session.view.apply(event)) {
        forgive(home_address);
        optimize(home_address);
    }
    if (event.kind == BindingEvent::Kind::snapshot_end) dropLeftovers();
}

void RegisteringGateway::pathIsGone(const Ipv6Address& home_address, const Ipv6Address& care_of_address) {
    {
        const std::lock_guard lock(mutex_);
        const auto told = optimized_.find(home_address);
        if (told == optimized_.end()) return;
        const auto& members = told->second.members;
        const auto is_there = [&](const CareOf& member) { return member.address == care_of_address; };
        if (std::none_of(members.begin(), members.end(), is_there)) return;
        logInfo("no direct path to {}: {} says that it is not there", home_address.toString(),
                care_of_address.toString());
        gone_[{home_address, care_of_address}] = Monotonic::now() + kGoneFor;
        optimize(home_address);
    }
    wake_.notify_all();
}

// With the lock held, as the next.
void RegisteringGateway::forgive(const Ipv6Address& home_address) {
    const auto begin = gone_.lower_bound({home_address, Ipv6Address()});
    auto end = begin;
    while (end != gone_.end() && end->first.first == home_address) ++end;
    gone_.erase(begin, end);
}

// Tries those again whose time is over; returns when the next one's is.
Monotonic::time_point RegisteringGateway::forgiveDue(Monotonic::time_point now) {
    auto next = Monotonic::time_point::max();
    std::set<Ipv6Address> again;
    for (auto entry = gone_.begin(); entry != gone_.end();) {
        if (entry->second > now) {
            next = std::min(next, entry->second);
            ++entry;
            continue;
        }
        again.insert(entry->first.first);
        entry = gone_.erase(entry);
    }
    for (const Ipv6Address& home_address : again) optimize(home_address);
    return next;
}

void RegisteringGateway::bind(const BindingKey& key, const Grant& grant, const BindingTerms& terms) {
    {
        const std::lock_guard lock(mutex_);
        Entry& entry = entries_[key];
        const bool newer = grant.generation > entry.grant.generation;
        if (!entry.leaving && !newer && terms == entry.terms) return;
        if (newer) entry.grant = grant;
        entry.terms = terms;
        entry.leaving = false;
        for (const auto& [home_agent, session] : sessions_) entry.exchanges[home_agent].restart(Monotonic::now());
        optimize(key.home_address);
    }
    wake_.notify_all();
}

void RegisteringGateway::unbind(const BindingKey& key) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(key);
        if (found == entries_.end() || found->second.leaving) return;
        Entry& entry = found->second;
        const auto now = Monotonic::now();
        entry.leaving = true;
        entry.leave_by = now + std::chrono::seconds(config_.lifetime_s);
        for (auto& [home_agent, exchange] : entry.exchanges) exchange.restart(now);
        optimize(key.home_address);
    }
    changed_.notify_all();
    wake_.notify_all();
}

void RegisteringGateway::sendUntilStopped() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        const auto next = sendDue(Monotonic::now());
        if (next == Monotonic::time_point::max())
            wake_.wait(lock);
        else
            wake_.wait_until(lock, next);
    }
}

// Sends what is due, forgets who has left; returns when to look again.
Monotonic::time_point RegisteringGateway::sendDue(Monotonic::time_point now) {
    auto next = forgiveDue(now);
    for (auto item = entries_.begin(); item != entries_.end();) {
        Entry& entry = item->second;
        if (entry.leaving && hasLeft(entry, now)) {
            item = entries_.erase(item);
            continue;
        }
        for (auto& [home_agent, exchange] : entry.exchanges) {
            if (exchange.due() <= now) sendUpdate(item->first, entry, home_agent, exchange);
            next = std::min(next, exchange.due());
        }
        if (entry.leaving) next = std::min(next, entry.leave_by);
        ++item;
    }
    return next;
}

void RegisteringGateway::sendUpdate(const BindingKey& key, Entry& entry, const HomeAgentAddress& home_agent,
                                    BindingExchange& exchange) {
    const uint16_t sequence = exchange.sent(Monotonic::now());
    const auto session = sessions_.find(home_agent);
    if (session == sessions_.end() || !session->second.transport) return;
    BindingTerms terms = entry.terms;
    terms.priority = config_.priority;
    session->second.transport->send({.key = key,
                                     .care_of_address = config_.care_of_address,
                                     .terms = terms,
                                     .sequence = sequence,
                                     .generation = entry.grant.generation,
                                     .lifetime_s = entry.leaving ? 0 : config_.lifetime_s,
                                     .proof = entry.grant.proof});
}

bool RegisteringGateway::hasLeft(const Entry& entry, Monotonic::time_point now) {
    if (now >= entry.leave_by) return true;
    return std::all_of(entry.exchanges.begin(), entry.exchanges.end(), [](const auto& item) {
        const BindingExchange& exchange = item.second;
        return exchange.isFinal() || (exchange.answered() && exchange.status() == BindingStatus::accepted);
    });
}

std::vector<AccessGateway::Registration> RegisteringGateway::registrations() {
    const std::lock_guard lock(mutex_);
    const auto now = Monotonic::now();
    std::vector<Registration> result;
    for (const auto& [key, entry] : entries_) {
        if (entry.leaving) continue;
        Registration registration{.key = key, .generation = entry.grant.generation};
        for (const auto& [home_agent, exchange] : entry.exchanges) {
            if (exchange.answered()) registration.status = exchange.status();
            registration.registered = registration.registered || exchange.isRegistered(now);
        }
        result.push_back(registration);
    }
    return result;
}

// What waitRegistered() would say now; nothing while the matter is open.
std::optional<absl::Status> RegisteringGateway::outcomeOf(const BindingKey& key, uint64_t generation) {
    const std::string name = "home address " + key.home_address.toString();
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second.leaving) return notFound(name + " is not bound here");
    const Entry& entry = found->second;
    if (entry.grant.generation < generation) return std::nullopt;
    size_t stale = 0;
    size_t prohibited = 0;
    for (const auto& [home_agent, exchange] : entry.exchanges) {
        if (!exchange.answered()) continue;
        const bool decides = !in_charge_ || in_charge_ == home_agent;
        if (decides && exchange.status() == BindingStatus::accepted && exchange.isRegistered(Monotonic::now()))
            return absl::OkStatus();
        if (exchange.status() == BindingStatus::generation_stale) ++stale;
        if (exchange.status() == BindingStatus::administratively_prohibited) ++prohibited;
    }
    if (stale + prohibited == 0 || stale + prohibited < entry.exchanges.size()) return std::nullopt;
    if (stale != 0) return aborted(name + " was bound elsewhere with a later generation");
    return permissionDenied(name + ": the home agent refuses this node's care-of address");
}

absl::Status RegisteringGateway::waitRegistered(const BindingKey& key, uint64_t generation,
                                                std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    std::optional<absl::Status> outcome;
    if (changed_.wait_for(lock, timeout, [&] { return (outcome = outcomeOf(key, generation)).has_value(); }))
        return *outcome;
    std::string message = "no home agent has acknowledged " + key.home_address.toString();
    for (const auto& [home_agent, exchange] : entries_.at(key).exchanges)
        if (exchange.answered() && exchange.status() != BindingStatus::accepted)
            message += "; " + home_agent.address.toString() + " refused it: " + nameOf(exchange.status());
    return deadlineExceeded(message);
}

// The higher term counts; who is gone without a successor keeps what it had. With the lock held.
void RegisteringGateway::chooseHomeAgent() {
    uint64_t term = 0;
    if (in_charge_ && !sessions_.contains(*in_charge_)) in_charge_.reset();
    for (const auto& [home_agent, session] : sessions_) {
        if (!session.role.in_charge || session.role.term <= term) continue;
        term = session.role.term;
        in_charge_ = home_agent;
    }
    if (!in_charge_ && sessions_.empty()) return;
    const Ipv6Address chosen = in_charge_ ? in_charge_->address : sessions_.begin()->first.address;
    if (told_home_agent_ == chosen) return;
    if (const absl::Status status = forwarder_.setHomeAgent(chosen); !status.ok()) {
        logWarning("home agent {}: {}", chosen.toString(), messageOf(status));
        return;
    }
    logInfo("home agent {} has what has no direct path", chosen.toString());
    told_home_agent_ = chosen;
}

// Tells the forwarder where to send packets for `home_address`: to the nodes that serve it, this one left out. What is
// local stays local without a care-of address, and after a sliver has left, the home agent knows best.
void RegisteringGateway::optimize(const Ipv6Address& home_address) {
    std::vector<const CareOfView*> views;
    for (const auto& [home_agent, session] : sessions_) views.push_back(&session.view);
    std::vector<Binding> elsewhere;
    for (const Binding& binding : mergedBindings(views, home_address)) {
        const auto local = entries_.find(binding.key);
        const bool is_local = local != entries_.end() && !local->second.leaving;
        const bool is_gone = gone_.contains({home_address, binding.care_of_address});
        if (!is_local && !is_gone && binding.care_of_address != config_.care_of_address) elsewhere.push_back(binding);
    }
    CareOfSet wanted = careOfAddresses(elsewhere);
    const auto told = optimized_.find(home_address);
    if (told == optimized_.end() ? wanted.members.empty() : told->second == wanted) return;
    if (const absl::Status status = forwarder_.setCareOf(home_address, wanted); !status.ok()) {
        logWarning("no direct path to {}: {}", home_address.toString(), messageOf(status));
        return;
    }
    if (wanted.members.empty())
        optimized_.erase(home_address);
    else
        optimized_[home_address] = std::move(wanted);
}

// The pinned map may know care-of addresses from an earlier life of noded that no home agent knows any more.
void RegisteringGateway::dropLeftovers() {
    const auto bound = forwarder_.boundAddresses();
    if (!bound.ok()) return;
    for (const Ipv6Address& home_address : *bound)
        if (!optimized_.contains(home_address))
            if (const absl::Status status = forwarder_.setCareOf(home_address, {}); !status.ok())
                logWarning("direct path to {}: {}", home_address.toString(), messageOf(status));
}

}  // namespace

std::unique_ptr<AccessGateway> AccessGateway::create(const Config& config, Forwarder& forwarder,
                                                     TransportFactory factory) {
    return std::make_unique<RegisteringGateway>(config, forwarder, std::move(factory));
}

}  // namespace homeslice::mobility
