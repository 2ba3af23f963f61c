#include "ctl/lab/processes.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/privileges.h"

namespace homeslice::ctl::lab {
namespace {

using std::chrono::milliseconds;

// A child that waits for its end.
class Child {
public:
    Child() : pid_(::fork()) {
        if (pid_ == 0) {
            for (;;) ::pause();
        }
    }
    ~Child() {
        ::kill(pid_, SIGKILL);
        reap();
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    pid_t pid() const { return pid_; }
    int reap() {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        return status;
    }

private:
    pid_t pid_;
};

TEST(ProcessesTest, IdentityTellsAProcessFromAnotherWithItsPid) {
    const Child child;
    const absl::StatusOr<ProcessId> id = identify(child.pid());
    ASSERT_TRUE(id.ok());
    EXPECT_TRUE(isAlive(*id));
    EXPECT_FALSE(isAlive({id->pid, id->start_time + 1}));
    EXPECT_EQ(openProcess({id->pid, id->start_time + 1}).status().code(), absl::StatusCode::kNotFound);
}

TEST(ProcessesTest, AZombieIsNotAlive) {
    const Child child;
    const ProcessId id = *identify(child.pid());
    ASSERT_TRUE(killAll({child.pid()}).ok());
    EXPECT_FALSE(isAlive(id));
    EXPECT_EQ(identify(child.pid()).status().code(), absl::StatusCode::kNotFound);
}

TEST(ProcessesTest, WaitsForTheFirstThatEnds) {
    const Child lives;
    const Child ends;
    std::vector<UniqueFd> pidfds;
    pidfds.push_back(*openProcess(*identify(lives.pid())));
    pidfds.push_back(*openProcess(*identify(ends.pid())));
    EXPECT_EQ(waitForAnyEnd(pidfds, milliseconds(0)), -1);
    ::kill(ends.pid(), SIGKILL);
    EXPECT_EQ(waitForAnyEnd(pidfds, milliseconds(10'000)), 1);
}

TEST(ProcessesTest, KillingWhatIsGoneIsFine) {
    pid_t gone = 0;
    {
        const Child child;
        gone = child.pid();
    }
    EXPECT_TRUE(killAll({gone}).ok());
}

TEST(ProcessesTest, ASpawnWithoutNamespaceNamesTheProgramAndTheNamespace) {
    HS_REQUIRE_ROOT();
    const Program program{.name = "probe", .host = "no-such-host", .argv = {"/bin/true"}};
    const absl::StatusOr<ProcessId> spawned = spawnProgram(program);
    ASSERT_FALSE(spawned.ok());
    const std::string message(spawned.status().message().data(), spawned.status().message().size());
    EXPECT_NE(message.find("start probe"), std::string::npos) << message;
    EXPECT_NE(message.find("hs-lab-no-such-host"), std::string::npos) << message;
}

}  // namespace
}  // namespace homeslice::ctl::lab
