#include "noded/api/test_fakes.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/status.h"

namespace homeslice::api {
namespace {

class LocalCommand final : public init::RunningCommand {
public:
    LocalCommand(pid_t pid, UniqueFd terminal, FakeManager& manager)
        : pid_(pid),
          terminal_(std::move(terminal)),
          manager_(manager),
          pidfd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))),
          detached_(eventfd(0, EFD_CLOEXEC)) {}
    ~LocalCommand() override = default;

    absl::StatusOr<int> wait() override {
        std::array<pollfd, 2> events{{{.fd = pidfd_.get(), .events = POLLIN, .revents = 0},
                                      {.fd = detached_.get(), .events = POLLIN, .revents = 0}}};
        while (poll(events.data(), events.size(), -1) < 0 && errno == EINTR) {
        }
        if (events[0].revents == 0) return cancelled("detached");
        int status = 0;
        while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        manager_.seen.change([&] { manager_.ended_pids.push_back(pid_); });
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }

    absl::Status kill(int signal) override {
        return ::kill(-pid_, signal) == 0 ? absl::OkStatus() : errnoStatus(errno, "kill");
    }

    absl::Status detach() override {
        eventfd_write(detached_.get(), 1);
        return absl::OkStatus();
    }

    UniqueFd takeTerminal() override { return std::move(terminal_); }

private:
    pid_t pid_;
    UniqueFd terminal_;
    FakeManager& manager_;
    UniqueFd pidfd_;
    UniqueFd detached_;
};

// As sliver-init does it, by its own means.
absl::StatusOr<std::unique_ptr<init::RunningCommand>> runOnTerminal(const init::ExecRequest& request,
                                                                    FakeManager& manager) {
    std::vector<char*> argv;
    for (const std::string& word : request.argv) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    winsize size{};
    size.ws_col = request.terminal->columns;
    size.ws_row = request.terminal->rows;
    int master = -1;
    const pid_t pid = forkpty(&master, nullptr, nullptr, &size);
    if (pid < 0) return errnoStatus(errno, "forkpty");
    if (pid == 0) {
        execvp(argv[0], argv.data());
        _exit(127);
    }
    UniqueFd terminal(master);
    fcntl(master, F_SETFL, O_NONBLOCK);
    fcntl(master, F_SETFD, FD_CLOEXEC);
    return std::make_unique<LocalCommand>(pid, std::move(terminal), manager);
}

}  // namespace

void FakeManager::setDesired(sliver::Desired picture) {
    seen.change([&] { desired = std::move(picture); });
}

uint64_t FakeManager::desiredRevision() const {
    uint64_t revision = 0;
    seen.change([&] { revision = desired ? desired->revision : 0; });
    return revision;
}

std::vector<sliver::SliverReport> FakeManager::reports() const {
    std::vector<sliver::SliverReport> copy;
    seen.change([&] { copy = current_reports; });
    return copy;
}

absl::StatusOr<std::unique_ptr<init::RunningCommand>> FakeManager::exec(const SliverId& id, init::ExecRequest request) {
    if (id.slice != "web") return notFound("sliver " + id.toString() + " is not here");
    seen.change([&] { last_user = request.user; });
    if (request.terminal) return runOnTerminal(request, *this);
    std::vector<char*> argv;
    for (std::string& word : request.argv) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const std::array<const UniqueFd*, 3> streams{&request.stdin_fd, &request.stdout_fd, &request.stderr_fd};
    for (int target = 0; target < 3; ++target) {
        const UniqueFd& stream = *streams.at(static_cast<size_t>(target));
        if (stream) posix_spawn_file_actions_adddup2(&actions, stream.get(), target);
    }
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    pid_t pid = 0;
    const int error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return errnoStatus(error, request.argv.front());
    auto command = std::make_unique<LocalCommand>(pid, UniqueFd(), *this);
    if (request.detached) HS_RETURN_IF_ERROR(command->detach());
    return command;
}

absl::StatusOr<std::string> FakeManager::logDirectory(const SliverId& id) const {
    if (id.slice != "web") return notFound("sliver " + id.toString() + " is not here");
    return log_directory;
}

absl::Status FakeManager::exportDisk(const SliverId& id, uint64_t generation, int fd) {
    if (generation != 7) return failedPrecondition("sliver " + id.toString() + " is not stopped with this generation");
    return export_disk(fd);
}

absl::Status FakeForwarder::addPort(const mobility::SliverPort& /*port*/) { return absl::OkStatus(); }
absl::Status FakeForwarder::removePort(const mobility::SliverPort& /*port*/) { return absl::OkStatus(); }
absl::Status FakeForwarder::setCareOf(const Ipv6Address& /*home_address*/, const mobility::CareOfSet& /*care_of*/) {
    return absl::OkStatus();
}

absl::Status FakeForwarder::setHomePrefix(const Ipv6Prefix& home_prefix, const Ipv6Address& agent) {
    absl::Status result;
    seen.change([&] {
        result = std::exchange(next_error, absl::OkStatus());
        if (!result.ok()) return;
        prefix = home_prefix;
        home_agent = agent;
    });
    return result;
}

absl::Status FakeForwarder::setHomeAgent(const Ipv6Address& agent) {
    seen.change([&] { home_agent = agent; });
    return absl::OkStatus();
}

absl::Status FakeForwarder::setTrustedPeers(const std::vector<Ipv6Address>& trusted) {
    seen.change([&] { peers = trusted; });
    return absl::OkStatus();
}

absl::Status FakeForwarder::guard(const Ipv6Address& address) {
    seen.change([&] { guarded.push_back(address); });
    return absl::OkStatus();
}

absl::StatusOr<mobility::BindingCounters> FakeForwarder::countersOf(const mobility::BindingKey& /*binding*/) {
    return mobility::BindingCounters{.packets = 11, .bytes = 1100};
}

void FakeGateway::setHomeAgents(const std::vector<mobility::HomeAgentAddress>& agents) {
    seen.change([&] { home_agents = agents; });
}

void FakeHomeAgent::setHomePrefix(const Ipv6Prefix& home_prefix) {
    seen.change([&] { prefix = home_prefix; });
}

void FakeHomeAgent::setRole(const mobility::HomeAgentRole& role) {
    const std::lock_guard lock(watch_mutex_);
    for (const auto& [id, watcher] : watchers_) {
        watcher({.kind = mobility::BindingEvent::Kind::role, .binding = {}, .role = role});
    }
}

mobility::BindingAcknowledgement FakeHomeAgent::update(const Ipv6Address& sender,
                                                       const mobility::BindingUpdate& update) {
    seen.change([&] {
        senders.push_back(sender);
        updates.push_back(update);
    });
    mobility::Binding binding{.key = update.key,
                              .care_of_address = update.care_of_address,
                              .terms = update.terms,
                              .sequence = update.sequence,
                              .generation = update.generation,
                              .lifetime_s = update.lifetime_s,
                              .expires = Monotonic::now() + std::chrono::seconds(update.lifetime_s),
                              .registered = Utc::now()};
    const std::lock_guard lock(watch_mutex_);
    bindings_[update.key] = binding;
    for (const auto& [id, watcher] : watchers_) {
        watcher({.kind = mobility::BindingEvent::Kind::bound, .binding = binding});
    }
    return {.key = update.key,
            .sequence = update.sequence,
            .lifetime_s = update.lifetime_s,
            .refresh_s = update.lifetime_s / 2,
            .generation = update.generation};
}

uint64_t FakeHomeAgent::watch(Watcher watcher) {
    uint64_t id = 0;
    {
        const std::lock_guard lock(watch_mutex_);
        for (const auto& [key, binding] : bindings_) {
            watcher({.kind = mobility::BindingEvent::Kind::bound, .binding = binding});
        }
        watcher({.kind = mobility::BindingEvent::Kind::snapshot_end, .binding = {}});
        id = next_id_++;
        watchers_[id] = std::move(watcher);
    }
    seen.change([] {});
    return id;
}

void FakeHomeAgent::unwatch(uint64_t id) {
    {
        const std::lock_guard lock(watch_mutex_);
        watchers_.erase(id);
    }
    seen.change([] {});
}

size_t FakeHomeAgent::watchers() {
    const std::lock_guard lock(watch_mutex_);
    return watchers_.size();
}

}  // namespace homeslice::api
