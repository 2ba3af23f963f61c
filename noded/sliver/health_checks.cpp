#include "noded/sliver/health_checks.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"

namespace homeslice::sliver {
namespace {

using std::chrono::milliseconds;

// After a failure. With three, as is the default, the verdict comes half a second after the first one, so that the
// sliver is out of its slice's address within a second of it, and checks that succeed cost no more than they did.
constexpr milliseconds kAgainAfter{250};

struct Watched {
    HealthCheck check;
    Health health = Health::starting;
    uint32_t failures = 0;  // in a row
    uint64_t life = 0;      // tells what has been forgotten and watched again apart
    Monotonic::time_point since = Monotonic::now();
    Monotonic::time_point due{};
};

// A check that is being run. Its destruction ends it.
struct Running {
    std::unique_ptr<init::RunningCommand> command;
    uint64_t life = 0;
    Monotonic::time_point deadline{};
};

enum class Result { success, failure, none };

void take(Watched& watched, Result result) {
    const Monotonic::time_point now = Monotonic::now();
    watched.due = now + watched.check.interval;
    if (result == Result::none) return;
    if (result == Result::success) {
        watched.failures = 0;
        watched.health = Health::healthy;
        return;
    }
    if (watched.health == Health::starting && now - watched.since < watched.check.start_period) return;
    if (++watched.failures >= watched.check.failures) {
        watched.health = Health::unhealthy;
    } else {
        watched.due = now + std::min(watched.check.interval, kAgainAfter);
    }
}

}  // namespace

class HealthChecks::Share {
public:
    explicit Share(const Dependencies& dependencies)
        : dependencies_(dependencies), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { run(); }) {}
    ~Share() {
        {
            const std::lock_guard lock(mutex_);
            ending_ = true;
        }
        wake();
        thread_.join();
    }

    void watch(const SliverId& id, const HealthCheck& check) {
        {
            const std::lock_guard lock(mutex_);
            const auto found = watched_.find(id);
            if (found != watched_.end() && found->second.check == check) return;
            if (check.argv.empty()) {
                if (watched_.erase(id) == 0) return;
            } else {
                Watched& watched = watched_[id];
                watched.check = check;
                watched.life = ++lives_;
            }
        }
        wake();
    }

    void forget(const SliverId& id) {
        const std::lock_guard lock(mutex_);
        if (watched_.erase(id) > 0) wake();
    }

    Health health(const SliverId& id) const {
        const std::lock_guard lock(mutex_);
        const auto found = watched_.find(id);
        return found == watched_.end() ? Health::none : found->second.health;
    }

private:
    void wake() const { ::eventfd_write(wake_.get(), 1); }

    void run() {
        while (endForgotten()) {
            for (const SliverId& id : dueNow()) begin(id);
            waitForSomething();
            takeResults();
        }
        running_.clear();
    }

    // False when the thread is to end.
    bool endForgotten() {
        const std::lock_guard lock(mutex_);
        std::erase_if(running_, [&](const auto& entry) {
            const auto found = watched_.find(entry.first);
            return found == watched_.end() || found->second.life != entry.second.life;
        });
        return !ending_;
    }

    std::vector<SliverId> dueNow() const {
        const std::lock_guard lock(mutex_);
        std::vector<SliverId> due;
        const Monotonic::time_point now = Monotonic::now();
        for (const auto& [id, watched] : watched_) {
            if (watched.due <= now && !running_.contains(id)) due.push_back(id);
        }
        return due;
    }

    void begin(const SliverId& id) {
        init::ExecRequest request;
        Running running;
        {
            const std::lock_guard lock(mutex_);
            const auto found = watched_.find(id);
            if (found == watched_.end()) return;
            request.argv = found->second.check.argv;
            running.life = found->second.life;
            running.deadline = Monotonic::now() + found->second.check.timeout;
        }
        auto command = dependencies_.run(id, std::move(request));
        if (!command.ok()) return finish(id, running.life, Result::failure);
        running.command = std::move(*command);
        running_[id] = std::move(running);
    }

    void finish(const SliverId& id, uint64_t life, Result result) {
        if (result == Result::failure && !dependencies_.is_running(id)) result = Result::none;
        {
            const std::lock_guard lock(mutex_);
            const auto found = watched_.find(id);
            if (found == watched_.end() || found->second.life != life) return;
            const Health before = found->second.health;
            take(found->second, result);
            if (found->second.health == before) return;
            logInfo("sliver {}: {} -> {}", id.toString(), toString(before), toString(found->second.health));
        }
        if (dependencies_.changed) dependencies_.changed();
    }

    std::optional<Monotonic::time_point> nextMoment() const {
        const std::lock_guard lock(mutex_);
        std::optional<Monotonic::time_point> next;
        const auto consider = [&](Monotonic::time_point moment) { next = next ? std::min(*next, moment) : moment; };
        for (const auto& [id, watched] : watched_) {
            const auto found = running_.find(id);
            consider(found == running_.end() ? watched.due : found->second.deadline);
        }
        return next;
    }

    void waitForSomething() const {
        std::vector<pollfd> waited = {{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
        for (const auto& [id, running] : running_) {
            if (running.command->descriptor() < 0) return;  // has ended
            waited.push_back({.fd = running.command->descriptor(), .events = POLLIN, .revents = 0});
        }
        int timeout = -1;
        if (const auto next = nextMoment()) {
            const auto left = std::chrono::ceil<milliseconds>(*next - Monotonic::now()).count();
            timeout = static_cast<int>(std::max<int64_t>(left, 0));
        }
        ::poll(waited.data(), waited.size(), timeout);
        eventfd_t count = 0;
        ::eventfd_read(wake_.get(), &count);
    }

    static Result resultOf(const Running& running) {
        const int descriptor = running.command->descriptor();
        pollfd waited{.fd = descriptor, .events = POLLIN, .revents = 0};
        if (descriptor >= 0 && ::poll(&waited, 1, 0) == 0) return Result::none;
        return running.command->wait().value_or(-1) == 0 ? Result::success : Result::failure;
    }

    void takeResults() {
        const Monotonic::time_point now = Monotonic::now();
        for (auto entry = running_.begin(); entry != running_.end();) {
            Result result = resultOf(entry->second);
            if (result == Result::none && entry->second.deadline <= now) result = Result::failure;
            if (result == Result::none) {
                ++entry;
                continue;
            }
            const auto [id, life] = std::pair(entry->first, entry->second.life);
            entry = running_.erase(entry);
            finish(id, life, result);
        }
    }

    const Dependencies& dependencies_;
    const UniqueFd wake_;
    mutable std::mutex mutex_;
    bool ending_ = false;
    uint64_t lives_ = 0;
    std::map<SliverId, Watched> watched_;
    std::map<SliverId, Running> running_;  // the thread's own
    std::thread thread_;                   // last: it uses all the others
};

HealthChecks::HealthChecks(Dependencies dependencies) : dependencies_(std::move(dependencies)) {
    for (auto& share : shares_) share = std::make_unique<Share>(dependencies_);
}

HealthChecks::~HealthChecks() = default;

void HealthChecks::stop() {
    for (auto& share : shares_) share.reset();
}

HealthChecks::Share& HealthChecks::shareOf(const SliverId& id) const {
    return *shares_[std::hash<std::string>{}(id.toString()) % kThreads];
}

void HealthChecks::watch(const SliverId& id, const HealthCheck& check) { shareOf(id).watch(id, check); }
void HealthChecks::forget(const SliverId& id) { shareOf(id).forget(id); }
Health HealthChecks::health(const SliverId& id) const { return shareOf(id).health(id); }

}  // namespace homeslice::sliver
