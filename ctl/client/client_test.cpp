#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <future>

#include "base/status.h"
#include "ctl/client/address.h"
#include "ctl/client/cancellation.h"
#include "ctl/client/client.h"
#include "ctl/client/exit_status.h"
#include "pki/test_authority.h"

namespace homeslice::ctl {
namespace {

using ::testing::HasSubstr;

TEST(Address, TakesSocketsAndHosts) {
    EXPECT_EQ(*grpcTarget("unix:/run/sliced.sock"), "unix:/run/sliced.sock");
    EXPECT_EQ(*grpcTarget("controller.example:7400"), "dns:///controller.example:7400");
    EXPECT_EQ(*grpcTarget("[fd00:51ce::c0c0]:7400"), "dns:///[fd00:51ce::c0c0]:7400");
}

TEST(Address, TakesSeveralHosts) {
    EXPECT_EQ(*grpcTargets("a:1,[::1]:2"), (std::vector<std::string>{"dns:///a:1", "dns:///[::1]:2"}));
    EXPECT_EQ(*grpcTargets("unix:/a,b"), std::vector<std::string>{"unix:/a,b"});
    for (const char* bad : {"", ",", "a:1,b", "a:1,unix:/x"}) EXPECT_FALSE(grpcTargets(bad).ok()) << bad;
}

TEST(Address, RefusesTheRestInOneLine) {
    for (const char* bad : {"", "unix:", "host", "host:", "host:0", "host:70000", "host:7400x", "fd00::1:7400",
                            "[fd00::1:7400", "[nonsense]:7400", "a b:7400", "http://host:7400"}) {
        const auto target = grpcTarget(bad);
        ASSERT_FALSE(target.ok()) << bad;
        EXPECT_THAT(messageOf(target.status()), HasSubstr("use unix:PATH, HOST:PORT or [IPv6]:PORT"));
    }
}

TEST(Address, OptionBeatsEnvironment) {
    ::setenv("HOMESLICE_CONTROLLER", "unix:/env", 1);
    EXPECT_EQ(resolveEndpoint("unix:/option", "")->address, "unix:/option");
    EXPECT_EQ(resolveEndpoint("", "")->address, "unix:/env");
    ::unsetenv("HOMESLICE_CONTROLLER");
}

TEST(Connect, SaysWhenThereIsNoController) {
    Cancellation cancellation;
    const auto client = Client::connect({"unix:/nonexistent/sliced.sock", ""}, cancellation);
    EXPECT_EQ(messageOf(client.status()),
              "no controller at unix:/nonexistent/sliced.sock: is a lab up? (slicectl lab up)");
    EXPECT_EQ(exitStatusOf(client.status()), 1);
}

TEST(Connect, SaysSoForAnIpv6AddressToo) {
    const pki::testing_support::TestAuthority authority;
    Cancellation cancellation;
    const auto client = Client::connect({"[::1]:1", authority.credentialsOf(pki::Kind::user, "alice")}, cancellation);
    EXPECT_THAT(messageOf(client.status()), HasSubstr("no controller at [::1]:1"));
}

// gRPC's threads begin with the first channel and end with the last.
TEST(Connect, EndsAsOftenAsItBegins) {
    constexpr int kTimes = 50;
    for (int i = 0; i < kTimes; ++i) {
        Cancellation cancellation;
        const auto client = Client::connect({"unix:/nonexistent/sliced.sock", ""}, cancellation);
        EXPECT_THAT(messageOf(client.status()), HasSubstr("no controller at"));
    }
}

TEST(Connect, SaysThatACertificateHasExpired) {
    const pki::testing_support::TestAuthority authority;
    Cancellation cancellation;
    const std::string old = authority.credentialsOf(pki::Kind::user, "alice", -std::chrono::seconds(2));
    const auto client = Client::connect({"[::1]:1", old}, cancellation);
    EXPECT_THAT(messageOf(client.status()), HasSubstr("your certificate expired on"));
}

TEST(ExitStatus, FollowsTheCode) {
    EXPECT_EQ(exitStatusOf(absl::OkStatus()), 0);
    EXPECT_EQ(exitStatusOf(invalidArgument("x")), 1);
    EXPECT_EQ(exitStatusOf(unavailable("x")), 1);
    EXPECT_EQ(exitStatusOf(resourceExhausted("x")), 2);
    EXPECT_EQ(exitStatusOf(notFound("x")), 3);
    EXPECT_EQ(exitStatusOf(alreadyExists("x")), 4);
    EXPECT_EQ(exitStatusOf(aborted("x")), 4);
    EXPECT_EQ(exitStatusOf(failedPrecondition("x")), 4);
    EXPECT_EQ(exitStatusOf(deadlineExceeded("x")), 124);
    EXPECT_EQ(exitStatusOf(cancelled("x")), 130);
}

TEST(Cancellation, CallsWhatIsRegisteredOnceAndLateComersAtOnce) {
    Cancellation cancellation;
    int early = 0;
    int gone = 0;
    int late = 0;
    const Cancellation::Registration first(cancellation, [&] { ++early; });
    {
        const Cancellation::Registration second(cancellation, [&] { ++gone; });
    }
    cancellation.cancel();
    cancellation.cancel();
    const Cancellation::Registration third(cancellation, [&] { ++late; });
    EXPECT_EQ(early, 1);
    EXPECT_EQ(gone, 0);
    EXPECT_EQ(late, 1);
    EXPECT_TRUE(cancellation.cancelled());
}

TEST(SignalWatch, TurnsASignalIntoCancellation) {
    Cancellation cancellation;
    std::promise<void> called;
    const Cancellation::Registration registration(cancellation, [&] { called.set_value(); });
    const SignalWatch watch(cancellation);
    ::raise(SIGTERM);
    EXPECT_EQ(called.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

}  // namespace
}  // namespace homeslice::ctl
