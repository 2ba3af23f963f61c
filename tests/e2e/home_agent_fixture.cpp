#include "tests/e2e/home_agent_fixture.h"

#include <signal.h>

#include <algorithm>

namespace homeslice::testing_support {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kSharedAddress = "fd00:51ce::a000";
// Of each. The goal is a second, which home_agent_test shows; this machine's processors may be elsewhere for a while.
constexpr milliseconds kTakeoverBound{2000};
constexpr uint64_t kSomeEchoes = 20;

}  // namespace

void HomeAgentTest::SetUp() {
    LabTest::SetUp();
    if (HasFatalFailure()) return;
    ASSERT_TRUE(eventually([] { return holders().size() == 1; })) << "nobody is in charge";
    // A switch floods what is for a link that is down; a standby that sees such packets forwards them, which would
    // hide the gap that is measured here.
    for (const char* name : {"ha", "ha2"})
        HS_EXPECT_DONE(runCommand({"bridge", "-n", "hs-lab-switch", "link", "set", "dev", name, "flood", "off"}));
}

void HomeAgentTest::TearDown() {
    for (const char* name : {"ha", "ha2"}) setLink(name, "up");
    HS_EXPECT_DONE(slicectl({"lab", "restart"}));
    LabTest::TearDown();
}

std::vector<std::string> HomeAgentTest::holders() {
    std::vector<std::string> result;
    for (const std::string name : {"ha", "ha2"}) {
        const CommandResult shown = runCommand({"ip", "-n", "hs-lab-" + name, "-6", "addr", "show", "dev", "eth0"});
        if (shown.out.find(kSharedAddress) != std::string::npos) result.push_back(name);
    }
    return result;
}

bool HomeAgentTest::holds(const std::string& name) {
    const auto all = holders();
    return std::find(all.begin(), all.end(), name) != all.end();
}

void HomeAgentTest::setLink(const std::string& host, const std::string& state) {
    HS_EXPECT_DONE(runCommand({"ip", "-n", "hs-lab-switch", "link", "set", host, state}));
}

pid_t HomeAgentTest::pidOf(const std::string& name) {
    for (const auto& program : labPrograms())
        if (program.value("name", "") == name) return program.value("pid", 0);
    ADD_FAILURE() << "no program " << name;
    return 0;
}

void HomeAgentTest::killProgram(const std::string& name) {
    const pid_t pid = pidOf(name);
    ASSERT_GT(pid, 0);
    EXPECT_EQ(::kill(pid, SIGKILL), 0) << name;
}

milliseconds HomeAgentTest::endAndExpectTakeover(const std::string& first, End end) {
    const std::string second = otherThan(first);
    const pid_t pid = pidOf(first);
    const auto ended = steady_clock::now();
    if (end == End::killed) {
        EXPECT_TRUE(pid > 0 && ::kill(pid, SIGKILL) == 0) << first;
    } else {
        setLink(first, "down");
    }
    EXPECT_TRUE(eventually([&] { return holds(second); })) << second << " does not take over";
    const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - ended);
    std::printf("takeover after %s: %d ms\n", end == End::killed ? "SIGKILL" : "a cut link",
                static_cast<int>(took.count()));
    EXPECT_LT(took, kTakeoverBound);
    return took;
}

void HomeAgentTest::bringBack(const std::string& name, End end) {
    if (end == End::killed) {
        HS_EXPECT_DONE(slicectl({"lab", "restart"}));
    } else {
        setLink(name, "up");
    }
    EXPECT_TRUE(eventually([&] { return holders() == std::vector<std::string>{otherThan(name)}; })) << holders().size();
}

void HomeAgentTest::createEcho(const std::string& name, const std::vector<std::string>& placement) {
    std::vector<std::string> arguments{"--file", std::string(HS_ECHO_PROGRAM) + ":/bin/echod:0755", "--expose",
                                       "7/tcp,7/udp"};
    arguments.insert(arguments.end(), placement.begin(), placement.end());
    arguments.insert(arguments.end(), {"--", "/bin/echod"});
    HS_EXPECT_DONE(createSlice(name, arguments));
    for (const auto& each : slicectlJson({"sliver", "ls", name})) {
        const std::string address = each.value("home_address", "");
        EXPECT_TRUE(eventually([&] { return EchoStream(address).connected(); })) << address << " does not answer";
    }
}

std::string HomeAgentTest::startEcho() {
    createEcho("echo", {"--on", "node1"});
    return homeAddress("echo/1");
}

Streams HomeAgentTest::streamsTo(const std::string& address, size_t count) {
    Streams streams;
    for (size_t i = 0; i < count; ++i) {
        streams.push_back(std::make_unique<EchoStream>(address));
        EXPECT_TRUE(streams.back()->connected()) << address << ", stream " << i << ": " << streams.back()->error();
        if (!streams.back()->connected()) streams.pop_back();
    }
    return streams;
}

void HomeAgentTest::expectGoesOn(const EchoStream& stream, const std::string& why) {
    expectGoesOn(stream, stream.echoed(), why);
}

void HomeAgentTest::expectGoesOn(const EchoStream& stream, uint64_t before, const std::string& why) {
    EXPECT_TRUE(eventually([&] { return stream.echoed() > before + kSomeEchoes || stream.broken(); })) << why;
    EXPECT_FALSE(stream.broken()) << why;
}

void HomeAgentTest::expectAllGoOn(const Streams& streams, const std::string& why) {
    std::vector<uint64_t> before;
    for (const auto& stream : streams) before.push_back(stream->echoed());
    for (size_t i = 0; i < streams.size(); ++i)
        expectGoesOn(*streams[i], before[i], why + ", with " + streams[i]->server());
}

}  // namespace homeslice::testing_support
