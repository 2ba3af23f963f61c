// Bandwidth between two network namespaces, with iperf3; what was sent comes from the queue's own counters.
#include "noded/sys/traffic_control.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "tests/support/enforced_rate.h"
#include "tests/support/privileges.h"

namespace homeslice::sys {
namespace {

constexpr double kTolerance = 0.05;
constexpr uint64_t kRate = 6'250'000;  // 50 Mbit/s

// A veth pair, one end in each of two named namespaces.
class TrafficControlTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        const std::string id = std::to_string(::getpid());
        here_ = "hst-tc-a" + id;
        there_ = "hst-tc-b" + id;
        for (const std::string& name : {here_, there_}) command("ip netns add " + name);
        command("ip -n " + here_ + " link add eth0 type veth peer name eth0 netns " + there_);
        for (const auto& [name, address] : {std::pair{here_, kHere}, std::pair{there_, kThere}}) {
            command("ip -n " + name + " addr add " + address + "/64 dev eth0 nodad");
            command("ip -n " + name + " link set eth0 up");
        }
        auto netns = openFile("/run/netns/" + here_, O_RDONLY);
        ASSERT_TRUE(netns.ok()) << netns.status();
        auto opened = Netlink::openIn(netns->get());
        ASSERT_TRUE(opened.ok()) << opened.status();
        netlink_ = std::make_unique<Netlink>(std::move(*opened));
        index_ = netlink_->link("eth0")->index;
        startServer();
    }
    void TearDown() override {
        if (server_ > 0) {
            ::kill(server_, SIGTERM);
            ::waitpid(server_, nullptr, 0);
        }
        for (const std::string& name : {here_, there_}) {
            if (!name.empty()) command("ip netns del " + name);
        }
    }

    // What a shell command says.
    static std::string command(const std::string& line) {
        FILE* pipe = ::popen(line.c_str(), "re");
        if (pipe == nullptr) return "";
        std::string said = readAll(::fileno(pipe)).value_or("");
        EXPECT_EQ(::pclose(pipe), 0) << line << ": " << said;
        return said;
    }
    void startServer() {
        server_ = ::fork();
        if (server_ == 0) {
            ::execlp("ip", "ip", "netns", "exec", there_.c_str(), "iperf3", "-s", "--logfile", "/dev/null", nullptr);
            ::_exit(127);
        }
        const auto deadline = Monotonic::now() + std::chrono::seconds(10);
        while (command("ip netns exec " + there_ + " ss -Hltn sport = :5201").empty() && Monotonic::now() < deadline)
            std::this_thread::yield();
    }
    nlohmann::json queue() const {
        const auto all = nlohmann::json::parse(command("tc -n " + here_ + " -s -j qdisc show dev eth0"));
        return all.empty() ? nlohmann::json::object() : all[0];
    }
    double sentBytes() const { return queue()["bytes"].get<double>(); }
    // Received payload, bytes per second.
    double iperf(const std::string& options) const {
        const auto report = nlohmann::json::parse(
            command("ip netns exec " + here_ + " timeout 30 iperf3 -J -c " + kThere + " -t 5 " + options), nullptr,
            false);
        return report["end"]["sum_received"]["bits_per_second"].get<double>() / 8;
    }
    void expectRate(double rate, const std::string& options) const {
        testing_support::expectEnforced(rate, kTolerance, [&] { return rateWhile(options); });
    }
    // What the queue let pass in a second, while `options` of iperf3 send.
    double rateWhile(const std::string& options) const {
        std::thread load([&] { EXPECT_GT(iperf(options), 0); });
        const auto begin = Monotonic::now() + std::chrono::seconds(1);  // the first burst and slow start
        std::this_thread::sleep_until(begin);
        const double before = sentBytes();
        const auto measured_from = Monotonic::now();
        std::this_thread::sleep_for(std::chrono::milliseconds(3500));
        const double sent = sentBytes() - before;
        const double seconds = std::chrono::duration<double>(Monotonic::now() - measured_from).count();
        load.join();
        return sent / seconds;
    }

    static constexpr const char* kHere = "fd00:7c::1";
    static constexpr const char* kThere = "fd00:7c::2";
    std::string here_;
    std::string there_;
    std::unique_ptr<Netlink> netlink_;
    int index_ = 0;
    pid_t server_ = 0;
};

TEST_F(TrafficControlTest, TcpGetsTheRate) {
    const TokenBucket bucket{.bytes_per_second = kRate, .burst_bytes = 65'536, .queue_bytes = 400'000};
    ASSERT_EQ(limitSending(*netlink_, index_, bucket), absl::OkStatus());
    expectRate(kRate, "");
}

TEST_F(TrafficControlTest, UdpGetsNoMoreThanTheRate) {
    const TokenBucket bucket{.bytes_per_second = kRate, .burst_bytes = 65'536, .queue_bytes = 400'000};
    ASSERT_EQ(limitSending(*netlink_, index_, bucket), absl::OkStatus());
    expectRate(kRate, "-u -b 200M -l 1400");
}

TEST_F(TrafficControlTest, TheRateChangesInPlace) {
    TokenBucket bucket{.bytes_per_second = 1000, .burst_bytes = 30'000, .queue_bytes = 100'000};
    ASSERT_EQ(limitSending(*netlink_, index_, bucket), absl::OkStatus());
    const std::string handle = queue()["handle"];
    constexpr uint64_t kLess = kRate / 5;
    bucket.bytes_per_second = kLess;
    ASSERT_EQ(limitSending(*netlink_, index_, bucket), absl::OkStatus());
    EXPECT_EQ(queue()["handle"], handle);
    expectRate(kLess, "");
}

// Large packets wait when the burst becomes smaller than they are.
TEST_F(TrafficControlTest, ASmallerBurstDoesNotBlockTheQueue) {
    ASSERT_EQ(
        limitSending(*netlink_, index_, {.bytes_per_second = kRate, .burst_bytes = 65'536, .queue_bytes = 400'000}),
        absl::OkStatus());
    std::thread load([&] { EXPECT_GT(iperf(""), 0); });
    const auto deadline = Monotonic::now() + std::chrono::seconds(3);
    bool waits = false;
    while (!waits && Monotonic::now() < deadline) waits = queue()["backlog"].get<uint64_t>() > 20'000;
    EXPECT_TRUE(waits);
    EXPECT_EQ(
        limitSending(*netlink_, index_, {.bytes_per_second = kRate, .burst_bytes = 3'000, .queue_bytes = 400'000}),
        absl::OkStatus());
    const double before = sentBytes();
    load.join();
    EXPECT_GT(sentBytes() - before, 100'000);
}

TEST_F(TrafficControlTest, WithoutALimitItIsFast) {
    ASSERT_EQ(unlimitSending(*netlink_, index_), absl::OkStatus()) << "none was there";
    ASSERT_EQ(limitSending(*netlink_, index_, {.bytes_per_second = 1000, .burst_bytes = 3000, .queue_bytes = 10'000}),
              absl::OkStatus());
    ASSERT_EQ(unlimitSending(*netlink_, index_), absl::OkStatus());
    EXPECT_GT(iperf(""), 10.0 * kRate);
}

TEST_F(TrafficControlTest, RatesBeyond32BitsAreKept) {
    constexpr uint64_t kFast = 12'500'000'000;  // 100 Gbit/s
    ASSERT_EQ(limitSending(*netlink_, index_,
                           {.bytes_per_second = kFast, .burst_bytes = 10'000'000, .queue_bytes = 10'000'000}),
              absl::OkStatus());
    EXPECT_EQ(queue()["options"]["rate"].get<uint64_t>(), kFast);
}

TEST_F(TrafficControlTest, NoSuchLink) {
    EXPECT_FALSE(limitSending(*netlink_, 9999, {.bytes_per_second = 1, .burst_bytes = 1, .queue_bytes = 1}).ok());
}

}  // namespace
}  // namespace homeslice::sys
