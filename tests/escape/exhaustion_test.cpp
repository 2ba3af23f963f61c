// Attempts to use up what all slivers share, while a neighbour goes on as if nothing were.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "tests/escape/escape_fixture.h"

namespace homeslice::escape {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr uint16_t kEchoPort = 9000;
constexpr int kRounds = 3;
constexpr int kRequests = 600;
constexpr milliseconds kBetweenRequests(1);
constexpr int kFullTimeoutMs = 60000;  // one that was slowed down for an attack before begins slowly
constexpr int kLooks = 6;              // what else the machine does may fall on one of two turns alone

// Who asks is outside of all slivers, and must not be what has to wait: while this lives, it goes before everybody.
class AsksAtOnce {
public:
    AsksAtOnce() { EXPECT_EQ(schedule(SCHED_FIFO | SCHED_RESET_ON_FORK, 1), 0) << std::strerror(errno); }
    ~AsksAtOnce() { EXPECT_EQ(schedule(SCHED_OTHER, 0), 0) << std::strerror(errno); }
    AsksAtOnce(const AsksAtOnce&) = delete;
    AsksAtOnce& operator=(const AsksAtOnce&) = delete;

private:
    static int schedule(int policy, int priority) {
        const sched_param parameters{.sched_priority = priority};
        return ::sched_setscheduler(0, policy, &parameters);
    }
};

// An attack that goes on for as long as this lives.
class Attack {
public:
    Attack(sliver::Manager& manager, const SliverId& id, Arguments arguments) {
        int ends[2] = {-1, -1};
        if (::pipe2(ends, O_CLOEXEC) != 0) return;
        output_.reset(ends[0]);
        init::ExecRequest request;
        request.argv = std::move(arguments);
        request.argv.insert(request.argv.begin(), kAttackerInside);
        request.stdout_fd = UniqueFd(ends[1]);
        auto running = manager.exec(id, std::move(request));
        if (running.ok()) running_ = std::move(*running);
    }
    ~Attack() {
        if (running_ == nullptr) return;
        EXPECT_TRUE(running_->kill(SIGKILL).ok());
        // Without memory, the sliver's own PID 1 may be what the kernel ends: UNAVAILABLE.
        static_cast<void>(running_->wait().ok());
    }
    Attack(const Attack&) = delete;
    Attack& operator=(const Attack&) = delete;

    // It has taken all that it gets: it says so, or was killed for it.
    bool isFull() {
        pollfd waited{output_.get(), POLLIN, 0};
        return running_ != nullptr && ::poll(&waited, 1, kFullTimeoutMs) > 0;
    }

private:
    UniqueFd output_;
    std::unique_ptr<init::RunningCommand> running_;
};

microseconds median(std::vector<microseconds> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

class Exhaustion : public RefusedTest {
protected:
    static void SetUpTestSuite() {
        EscapeTest::SetUpTestSuite();
        if (node_ == nullptr || server_ != nullptr) return;
        atEnd([] { server_.reset(); });
        favourTestGroup();
        ASSERT_EQ(std::system("ip link set lo up && ip -6 addr add fd00:51ce::1/128 dev lo nodad"), 0);
        server_ = std::make_unique<Attack>(node_->manager(), neighbour_.id,
                                           Arguments{"serve_udp", std::to_string(kEchoPort)});
        ASSERT_TRUE(answers());
    }
    static size_t processLimit() {
        const std::string group = node_->cgroupOf(attacker_.id);
        const std::string v1 = node_->cgroups().controlFile(1, "pids", group, "pids.max");
        const std::string file = v1.empty() ? node_->cgroups().controlFile(2, "pids", group, "pids.max") : v1;
        return std::strtoul(readFile(file).value_or("0").c_str(), nullptr, 10);
    }

    // Both slivers share what their common parent gets. On a machine that does much else that must not be little, or it
    // is the rest of the machine whose effect is measured.
    static void favourTestGroup() {
        const std::string parent = std::filesystem::path(node_->cgroupOf(attacker_.id)).parent_path();
        const std::string shares = node_->cgroups().controlFile(1, "cpu", parent, "cpu.shares");
        const std::string weight = node_->cgroups().controlFile(2, "cpu", parent, "cpu.weight");
        const absl::Status favoured =
            shares.empty() ? writeControlFile(weight, "10000") : writeControlFile(shares, "262144");
        ASSERT_EQ(favoured, absl::OkStatus());
    }

    // The time of a request to the neighbour; the socket's time-out when no answer comes.
    static microseconds timeOfRequest(int fd) {
        const auto begin = Clock::now();
        char reply[8];
        if (::send(fd, "request", 7, 0) == 7) static_cast<void>(::recv(fd, reply, sizeof reply, 0) == 7);
        return std::chrono::duration_cast<microseconds>(Clock::now() - begin);
    }

    static UniqueFd openClient() {
        UniqueFd fd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        constexpr timeval kPatience{.tv_sec = 1, .tv_usec = 0};
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
        sockaddr_in6 server{};
        server.sin6_family = AF_INET6;
        server.sin6_port = htons(kEchoPort);
        server.sin6_addr = neighbour_.home_address.toIn6();
        if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) fd.reset();
        return fd;
    }

    static bool answers() {
        const UniqueFd fd = openClient();
        for (int i = 0; i < 100; ++i) {
            if (timeOfRequest(fd.get()) < milliseconds(500)) return true;
        }
        return false;
    }

    static microseconds p99() {
        const UniqueFd fd = openClient();
        const AsksAtOnce asks_at_once;
        std::vector<microseconds> times;
        for (int i = 0; i < kRequests; ++i) {
            times.push_back(timeOfRequest(fd.get()));
            std::this_thread::sleep_for(kBetweenRequests);  // a pace, not a wait
        }
        std::sort(times.begin(), times.end());
        return times[times.size() * 99 / 100];
    }

    static void expectNeighbourHasEnough() {
        for (const char* wish : {"one_process", "one_file", "one_inotify", "one_timer", "one_queue"}) {
            EXPECT_EQ(nextDoor({wish}).status, 0) << wish;
        }
    }

    // Medians of the rounds.
    static void measure(microseconds& idle_p99, microseconds& attacked_p99);
    static void expectOnlyAttackerSuffers();

    static void cleanUp() { shell("rm -rf /tmp/hst-fill /dev/shm/hst-fill /dev/mqueue/*"); }

    static std::unique_ptr<Attack> server_;
};

std::unique_ptr<Attack> Exhaustion::server_;

// Idle and attacked by turns, so that what else the machine does meets both.
void Exhaustion::measure(microseconds& idle_p99, microseconds& attacked_p99) {
    std::vector<microseconds> idle;
    std::vector<microseconds> attacked;
    for (int round = 0; round < kRounds; ++round) {
        ASSERT_TRUE(reviveAttacker());
        idle.push_back(p99());
        Attack attack(node_->manager(), attacker_.id, GetParam().arguments);
        ASSERT_TRUE(attack.isFull()) << "the attack has no effect, so this shows nothing";
        attacked.push_back(p99());
        EXPECT_LE(node_->cgroups().processes(node_->cgroupOf(attacker_.id))->size(), processLimit());
        expectNeighbourHasEnough();
    }
    cleanUp();
    idle_p99 = median(idle);
    attacked_p99 = median(attacked);
    std::printf("  p99 of the neighbour's requests: idle %ld us, attacked %ld us\n", idle_p99.count(),
                attacked_p99.count());
}

void Exhaustion::expectOnlyAttackerSuffers() {
    microseconds idle(0);
    microseconds attacked(0);
    for (int look = 0; look < kLooks && (look == 0 || attacked > 2 * idle); ++look) {
        ASSERT_NO_FATAL_FAILURE(measure(idle, attacked));
    }
    RecordProperty("idle_p99_us", static_cast<int>(idle.count()));
    RecordProperty("attacked_p99_us", static_cast<int>(attacked.count()));
    EXPECT_LE(attacked, 2 * idle);
    EXPECT_EQ(node_->report(neighbour_.id).state, sliver::State::running);
}

// They share all processors, and nobody has a reservation.
TEST_P(Exhaustion, IsTheAttackersOwnTrouble) { expectOnlyAttackerSuffers(); }

// The neighbour has a processor of its own, and who asks it runs there too: nothing of the attack is on the way of a
// request.
class ExhaustionApart : public Exhaustion {
protected:
    void SetUp() override {
        Exhaustion::SetUp();
        ASSERT_EQ(::sched_getaffinity(0, sizeof before_, &before_), 0);
        const std::vector<int> processors = allowed(before_);
        ASSERT_GE(processors.size(), 2u) << "needs two processors";
        placeOn(processors[0], processors[1]);
        cpu_set_t own;
        CPU_ZERO(&own);
        CPU_SET(processors[0], &own);
        ASSERT_EQ(::sched_setaffinity(0, sizeof own, &own), 0);
    }
    void TearDown() override {
        ::sched_setaffinity(0, sizeof before_, &before_);
        attacker_.base.resources.cpuset.clear();
        neighbour_.base.resources.cpuset.clear();
        node_->desire({attacker_, neighbour_});
        Exhaustion::TearDown();
    }

private:
    static std::vector<int> allowed(const cpu_set_t& set) {
        std::vector<int> result;
        for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
            if (CPU_ISSET(processor, &set)) result.push_back(processor);
        }
        return result;
    }

    static void placeOn(int neighbours, int attackers) {
        ASSERT_TRUE(reviveAttacker());
        attacker_.base.resources.cpuset = std::to_string(attackers);
        neighbour_.base.resources.cpuset = std::to_string(neighbours);
        node_->desire({attacker_, neighbour_});
        const auto runsOn = [](const Outcome& status, int processor) {
            return status.output == "Cpus_allowed_list:\t" + std::to_string(processor) + "\n";
        };
        const char* kWhere = "grep Cpus_allowed_list /proc/self/status";
        ASSERT_TRUE(node_->eventually([&] {
            return runsOn(shell(attacker_.id, kWhere), attackers) && runsOn(shell(neighbour_.id, kWhere), neighbours);
        }));
    }

    cpu_set_t before_{};
};

TEST_P(ExhaustionApart, IsTheAttackersOwnTrouble) { expectOnlyAttackerSuffers(); }

const auto kAttacks = testing::Values(
    Attempt{"processes_by_a_fork_bomb", {"fork_bomb"}}, Attempt{"processes_by_threads", {"eat_threads"}},
    Attempt{"memory", {"eat_memory"}}, Attempt{"inodes_in_shared_memory", {"fill_directory", "/dev/shm"}},
    Attempt{"open_files", {"eat_descriptors"}}, Attempt{"inotify_instances", {"eat_inotify"}},
    Attempt{"pending_signals", {"eat_pending_signals"}}, Attempt{"message_queues", {"eat_queues"}});
INSTANTIATE_TEST_SUITE_P(Of, Exhaustion, kAttacks, nameOf);
INSTANTIATE_TEST_SUITE_P(Of, ExhaustionApart, kAttacks, nameOf);

}  // namespace
}  // namespace homeslice::escape
