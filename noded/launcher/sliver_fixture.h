// Starts real slivers on a root of busybox, without noded: what the tests of the launcher and of sliver-init stand on.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "noded/init/client.h"
#include "noded/launcher/client.h"

namespace homeslice::launcher {

struct Output {
    int status = -1;
    std::string out;
    std::string err;
};

class SliverFixture : public ::testing::Test {
protected:
    static constexpr std::chrono::seconds kPatience{20};
    static constexpr IdRange kIds{70'000'000, 65'536};
    // CHOWN DAC_OVERRIDE FOWNER KILL SETGID SETUID NET_BIND_SERVICE
    static constexpr uint64_t kCapabilities = 0x4eb;

    void SetUp() override;
    void TearDown() override;

    void connect();
    std::string controlSocket() const { return directory_ + "/control.sock"; }
    std::string launcherSocket() const { return directory_ + "/launcher.sock"; }
    std::string logDirectory() const { return directory_ + "/log"; }
    static CloneRequest cloneRequest();
    LaunchPlan plan();
    static Command command(std::vector<std::string> argv);
    // All of a start; a test failure when a part of it fails. The child is killed in TearDown(). Idle without a
    // command.
    Child start(std::vector<std::string> argv = {});
    Child startCommand(const Command& command);
    void killAtEnd(const Child& child);
    // The child's end will not be told, because its launcher died; the test sees to the child.
    void expectNoNews(const Child& child);

    // Runs a command in the sliver until its end.
    Output run(std::vector<std::string> argv, const std::string& input = "");
    Output shell(const std::string& script) { return run({"sh", "-c", script}); }
    // The wait status that the launcher told; -1 when it told none in time.
    int awaitEnd(const sys::ProcessIdentity& identity);

    std::string directory_;
    std::unique_ptr<Launcher> launcher_;

private:
    std::vector<sys::ProcessIdentity> started_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<pid_t, int> ends_;
};

}  // namespace homeslice::launcher
