// Two home agents for one prefix: one is in charge, the other takes over when it is killed or cut off, also without a
// controller. What a client has open goes on.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "base/unique_fd.h"
#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

constexpr const char* kSharedAddress = "fd00:51ce::a000";
constexpr uint16_t kEchoPort = 7;
// The goal is a second. This machine's processors may be elsewhere for a while.
constexpr milliseconds kTakeoverBound{2000};
// TCP repeats at growing intervals what was lost meanwhile.
constexpr milliseconds kEchoBound{4000};
constexpr milliseconds kPause{10};

class Namespace {
public:
    explicit Namespace(const std::string& name)
        : fd_(::open(("/run/netns/hs-lab-" + name).c_str(), O_RDONLY | O_CLOEXEC)) {}
    UniqueFd socket(int type, int protocol) const {
        UniqueFd result;
        std::thread([&] {
            EXPECT_EQ(::setns(fd_.get(), CLONE_NEWNET), 0) << std::strerror(errno);
            result.reset(::socket(AF_INET6, type | SOCK_CLOEXEC, protocol));
        }).join();
        return result;
    }

private:
    UniqueFd fd_;
};

// One TCP connection to an echo server that carries a counter there and back, on and on.
class EchoStream {
public:
    explicit EchoStream(const std::string& address) : fd_(Namespace("client").socket(SOCK_STREAM, 0)) {
        sockaddr_in6 to{};
        to.sin6_family = AF_INET6;
        to.sin6_port = htons(kEchoPort);
        EXPECT_EQ(::inet_pton(AF_INET6, address.c_str(), &to.sin6_addr), 1);
        const int on = 1;
        ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connected_ = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
        thread_ = std::thread([this] { run(); });
    }
    ~EchoStream() { stop(); }
    EchoStream(const EchoStream&) = delete;
    EchoStream& operator=(const EchoStream&) = delete;

    bool connected() const { return connected_; }
    uint64_t echoed() const { return echoed_; }
    // The longest time that an echo took.
    milliseconds longest() const { return milliseconds(longest_ms_); }
    bool broken() const { return broken_; }
    void stop() {
        stopping_ = true;
        if (!thread_.joinable()) return;
        thread_.join();
        ::shutdown(fd_.get(), SHUT_RDWR);
    }

private:
    void run() {
        for (uint64_t next = 1; connected_ && !stopping_ && !broken_; ++next) {
            uint64_t answer = 0;
            const auto sent = steady_clock::now();
            if (::send(fd_.get(), &next, sizeof next, MSG_NOSIGNAL) != sizeof next || !receive(answer)) return;
            broken_ = answer != next;
            echoed_ = next;
            const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - sent);
            longest_ms_ = std::max<int64_t>(longest_ms_, took.count());
            std::this_thread::sleep_for(kPause);
        }
    }
    bool receive(uint64_t& answer) {
        pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
        while (::poll(&waiting, 1, 100) == 0)
            if (stopping_) return false;
        broken_ = ::recv(fd_.get(), &answer, sizeof answer, MSG_WAITALL) != sizeof answer;
        return !broken_;
    }

    UniqueFd fd_;
    bool connected_ = false;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> broken_{false};
    std::atomic<uint64_t> echoed_{0};
    std::atomic<int64_t> longest_ms_{0};
    std::thread thread_;
};

class HomeAgentTest : public LabTest {
protected:
    static void SetUpTestSuite() { bringUp({"--nodes", "2", "--home-agents", "2"}); }
    void SetUp() override {
        LabTest::SetUp();
        if (HasFatalFailure()) return;
        ASSERT_TRUE(eventually([] { return holders().size() == 1; })) << "nobody is in charge";
        // A switch floods what is for a link that is down; a standby that sees such packets forwards them, which would
        // hide the gap that is measured here.
        for (const char* name : {"ha", "ha2"})
            HS_EXPECT_DONE(runCommand({"bridge", "-n", "hs-lab-switch", "link", "set", "dev", name, "flood", "off"}));
    }
    void TearDown() override {
        for (const char* name : {"ha", "ha2"}) setLink(name, "up");
        HS_EXPECT_DONE(slicectl({"lab", "restart"}));
        LabTest::TearDown();
    }

    // The home agents that hold the shared address.
    static std::vector<std::string> holders() {
        std::vector<std::string> result;
        for (const std::string name : {"ha", "ha2"}) {
            const CommandResult shown = runCommand({"ip", "-n", "hs-lab-" + name, "-6", "addr", "show", "dev", "eth0"});
            if (shown.out.find(kSharedAddress) != std::string::npos) result.push_back(name);
        }
        return result;
    }
    static std::string otherThan(const std::string& name) { return name == "ha" ? "ha2" : "ha"; }
    static bool holds(const std::string& name) {
        const auto all = holders();
        return std::find(all.begin(), all.end(), name) != all.end();
    }
    // What the switch's end of a host's link is set to: "down" is a cut cable.
    static void setLink(const std::string& host, const std::string& state) {
        HS_EXPECT_DONE(runCommand({"ip", "-n", "hs-lab-switch", "link", "set", host, state}));
    }
    static void killProgram(const std::string& name) {
        for (const auto& program : labPrograms()) {
            if (program.value("name", "") != name) continue;
            EXPECT_EQ(::kill(program.value("pid", 0), SIGKILL), 0);
        }
    }
    std::string startEcho() {
        HS_EXPECT_DONE(createSlice(
            "echo", {"--on", "node1", "--expose", "7/tcp", "--", "nc", "-ll", "-p", "7", "-e", "/bin/cat"}));
        const std::string address = homeAddress("echo/1");
        EXPECT_TRUE(eventually([&] { return EchoStream(address).connected(); })) << address << " does not answer";
        return address;
    }
    static void expectGoesOn(const EchoStream& stream, const std::string& why) {
        const uint64_t before = stream.echoed();
        EXPECT_TRUE(eventually([&] { return stream.echoed() > before + 20 || stream.broken(); })) << why;
        EXPECT_FALSE(stream.broken()) << why;
    }
    // The time until `name` has taken over.
    static milliseconds takeoverBy(const std::string& name, steady_clock::time_point since) {
        EXPECT_TRUE(eventually([&] { return holds(name); })) << name << " does not take over";
        return std::chrono::duration_cast<milliseconds>(steady_clock::now() - since);
    }
};

TEST_F(HomeAgentTest, TakeoverAfterAKillWithoutAController) {
    const std::string address = startEcho();
    const std::string first = holders().at(0);
    EchoStream stream(address);
    expectGoesOn(stream, "before");
    killProgram("sliced");
    const auto killed = steady_clock::now();
    killProgram(first);
    const milliseconds took = takeoverBy(otherThan(first), killed);
    std::printf("takeover after SIGKILL: %d ms\n", static_cast<int>(took.count()));
    EXPECT_LT(took, kTakeoverBound);
    expectGoesOn(stream, "after the takeover");
    // The dead one's kernel gives the address up by itself, and the stream does not mind.
    EXPECT_TRUE(eventually([&] { return !holds(first); })) << "two hold the address for good";
    expectGoesOn(stream, "after the lease of the dead one");
    std::printf("longest echo over TCP: %d ms\n", static_cast<int>(stream.longest().count()));
    stream.stop();

    HS_EXPECT_DONE(slicectl({"lab", "restart"}));
    const auto inCharge = [] {
        std::vector<std::string> names;
        for (const auto& binding : slicectlJson({"home", "ls"}))
            if (binding.value("in_charge", false) && binding.value("binding_id", 1) == 0)
                names.push_back(binding.value("home_agent", ""));
        return names;
    };
    EXPECT_TRUE(eventually([&] { return inCharge() == std::vector<std::string>{otherThan(first)}; }))
        << "one that returns stands by";
}

TEST_F(HomeAgentTest, TakeoverAfterACutLinkAndNoSecondOneAfterwards) {
    const std::string address = startEcho();
    const std::string first = holders().at(0);
    EchoStream stream(address);
    expectGoesOn(stream, "before");
    const auto cut = steady_clock::now();
    setLink(first, "down");
    const milliseconds took = takeoverBy(otherThan(first), cut);
    std::printf("takeover after a cut link: %d ms\n", static_cast<int>(took.count()));
    EXPECT_LT(took, kTakeoverBound);
    expectGoesOn(stream, "after the takeover");
    setLink(first, "up");
    EXPECT_TRUE(eventually([&] { return !holds(first); })) << "two in charge after the link is back";
    EXPECT_TRUE(holds(otherThan(first)));
    expectGoesOn(stream, "after the link is back");
    std::printf("longest echo over TCP, retransmission and all: %d ms\n", static_cast<int>(stream.longest().count()));
    EXPECT_LT(stream.longest(), kEchoBound);
    EXPECT_THAT(slicectl({"home", "show", "echo/1"}).out, HasSubstr("active"));
}

}  // namespace
}  // namespace homeslice::testing_support
