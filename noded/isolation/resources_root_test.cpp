// The resources and bandwidth isolators with processes that want more than they may have.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/stat.h>

#include <cmath>
#include <list>

#include <nlohmann/json.hpp>

#include "noded/isolation/isolators.h"
#include "noded/isolation/network.h"
#include "noded/sys/cgroup_fixture.h"
#include "tests/support/enforced_rate.h"

namespace homeslice::isolation {
namespace {

using testing::HasSubstr;

constexpr double kTolerance = 0.05;
constexpr double kWindow = 4;  // seconds

class ResourcesTest : public sys::CgroupFixture {
protected:
    void SetUp() override {
        CgroupFixture::SetUp();
        if (cgroups_ == nullptr) return;
        static const int kAlone = ::unshare(CLONE_NEWNET);  // before there are threads; for all tests
        ASSERT_EQ(kAlone, 0);
        IsolationConfig config;
        config.state_directory = "/var/tmp";
        config.cgroup_parent = parent_;
        resources_ = makeResourcesIsolator(config, *cgroups_);
        bandwidth_ = makeBandwidthIsolator(*cgroups_);
    }
    void TearDown() override {
        for (Sliver& sliver : slivers_) {
            endAll(sliver.runtime.cgroup);
            EXPECT_EQ(resources_->cleanup(sliver.spec, sliver.runtime), absl::OkStatus());
        }
        resources_.reset();
        CgroupFixture::TearDown();
    }

    struct Sliver {
        SliverSpec spec;
        SliverRuntime runtime;
    };
    Sliver& makeSliver(const Resources& limits) {
        slivers_.push_back({});
        Sliver& sliver = slivers_.back();
        sliver.spec.id = {.slice = "web", .index = static_cast<uint32_t>(slivers_.size())};
        sliver.spec.base.resources = limits;
        launcher::CloneRequest clone{};
        launcher::LaunchPlan plan{};
        launcher::Command command{};
        const image::Image image{};
        Start start{.spec = sliver.spec,
                    .runtime = sliver.runtime,
                    .image = image,
                    .clone = clone,
                    .plan = plan,
                    .command = command};
        prepared_ = resources_->prepare(start);
        return sliver;
    }
    static absl::Status change(Isolator& isolator, Sliver& sliver, const Resources& limits) {
        sliver.spec.base.resources = limits;
        return isolator.update(sliver.spec, sliver.runtime);
    }
    std::vector<double> cpuSecondsOfAll() const {
        std::vector<double> all;
        for (const Sliver& sliver : slivers_) all.push_back(cpuSeconds(sliver.runtime.cgroup));
        return all;
    }
    // CPUs that each sliver had in the window.
    std::vector<double> cpusOfAll() const {
        const std::vector<double> before = cpuSecondsOfAll();
        const auto begin = Monotonic::now();
        ::usleep(static_cast<useconds_t>(kWindow * 1e6));
        std::vector<double> rates = cpuSecondsOfAll();
        const double seconds = std::chrono::duration<double>(Monotonic::now() - begin).count();
        for (size_t i = 0; i < rates.size(); ++i) rates[i] = (rates[i] - before[i]) / seconds;
        return rates;
    }
    bool allAreBusy() {
        const std::vector<double> before = cpuSecondsOfAll();
        return eventually([&] {
            const std::vector<double> now = cpuSecondsOfAll();
            for (size_t i = 0; i < now.size(); ++i)
                if (now[i] < before[i] + 0.1) return false;
            return true;
        });
    }

    std::unique_ptr<Isolator> resources_;
    std::unique_ptr<Isolator> bandwidth_;
    std::list<Sliver> slivers_;
    absl::Status prepared_;
};

// As many hogs in each sliver as there are CPUs, all at once. What else runs on the machine weighs a hundredth.
TEST_F(ResourcesTest, AReservationIsKeptWhenAllAreBusy) {
    const auto cpus = static_cast<uint32_t>(sys::onlineCpus()->size());
    const uint32_t reserved = cpus * 500;
    makeSliver({.cpu_reservation_millis = reserved});
    ASSERT_EQ(prepared_, absl::OkStatus());
    makeSliver({});
    makeSliver({.cpu_weight = 300});
    for (const Sliver& sliver : slivers_)
        run(sliver.runtime.cgroup, "stress-ng --quiet --cpu-method loop --cpu " + std::to_string(cpus));
    ASSERT_TRUE(allAreBusy());
    // The reservation, and beside it a fifth of what is not reserved, for the weight of 100 among 500 in all.
    constexpr double kShare = 0.5 + 0.5 / 5;
    const double least = reserved / 1000.0 * (1 - kTolerance);
    const auto share = [](const std::vector<double>& got) { return got[0] / (got[0] + got[1] + got[2]); };
    const auto is_as_promised = [&](const std::vector<double>& got) {
        return got[0] >= least && std::abs(share(got) - kShare) <= kShare * kTolerance &&
               std::abs(got[2] / got[1] - 3) <= 3 * 2 * kTolerance;
    };
    // What others outside take of the machine in one window is missing there, from whom chance would have it.
    std::vector<double> got = cpusOfAll();
    for (int window = 1; window < 6 && !is_as_promised(got); ++window) got = cpusOfAll();
    EXPECT_GE(got[0], least);
    EXPECT_NEAR(share(got), kShare, kShare * kTolerance);
    EXPECT_NEAR(got[2] / got[1], 3, 3 * 2 * kTolerance);
}

TEST_F(ResourcesTest, WeightsFollowTheReservationsOfOthers) {
    const auto weight = [&](const Sliver& sliver) {
        return text(sliver.runtime.cgroup, "cpu", "cpu.shares", "cpu.weight");
    };
    const auto cpus = static_cast<uint32_t>(sys::onlineCpus()->size());
    Sliver& first = makeSliver({.cpu_reservation_millis = cpus * 500});
    const std::string alone = weight(first);
    Sliver& second = makeSliver({});
    const std::string plain = weight(second);
    EXPECT_TRUE(eventually([&] { return weight(first) != alone; })) << "it has to outweigh two now";
    const std::string heavy = text(parent_, "cpu", "cpu.shares", "cpu.weight");
    EXPECT_TRUE(heavy == "102400" || heavy == "10000") << heavy;
    ASSERT_EQ(change(*resources_, second, {.cpu_reservation_millis = cpus * 250}), absl::OkStatus());
    EXPECT_NE(weight(second), plain);
    ASSERT_EQ(change(*resources_, first, {}), absl::OkStatus());
    ASSERT_EQ(change(*resources_, second, {}), absl::OkStatus());
    EXPECT_EQ(weight(first), plain);
    EXPECT_TRUE(eventually([&] { return text(parent_, "cpu", "cpu.shares", "cpu.weight") == plain; }));
}

TEST_F(ResourcesTest, AChangeThatIsRefusedLeavesTheWeight) {
    const auto cpus = static_cast<uint32_t>(sys::onlineCpus()->size());
    Sliver& sliver = makeSliver({.cpu_reservation_millis = cpus * 500, .cpu_weight = 200});
    const std::string before = text(sliver.runtime.cgroup, "cpu", "cpu.shares", "cpu.weight");
    EXPECT_FALSE(change(*resources_, sliver, {.cpuset = "4000"}).ok());
    EXPECT_EQ(text(sliver.runtime.cgroup, "cpu", "cpu.shares", "cpu.weight"), before);
}

TEST_F(ResourcesTest, IoLimitsAreSetOnTheDiskOfTheStore) {
    const Sliver& sliver = makeSliver({.io_read_bps = 1'000'000, .io_write_iops = 50});
    ASSERT_EQ(prepared_, absl::OkStatus());
    const std::string disk = sys::diskOf("/var/tmp")->toString();
    EXPECT_THAT(text(sliver.runtime.cgroup, "blkio", "blkio.throttle.read_bps_device", "io.max"), HasSubstr(disk));
    EXPECT_THAT(text(sliver.runtime.cgroup, "blkio", "blkio.throttle.write_iops_device", "io.max"), HasSubstr("50"));
}

TEST_F(ResourcesTest, ALimitThatCannotBeKeptAbortsTheStart) {
    makeSliver({.cpuset = "4000"});
    EXPECT_EQ(prepared_.code(), absl::StatusCode::kFailedPrecondition);
}

// A sliver's link by hand, and iperf3 inside.
class BandwidthTest : public ResourcesTest {
protected:
    void TearDown() override {
        // The kernel takes the other end's namespace down when it pleases, and the link with it.
        if (auto host = sys::Netlink::open(); host.ok()) {
            EXPECT_EQ(host->deleteLink(kOuterLink), absl::OkStatus());
        }
        ResourcesTest::TearDown();
    }

    static constexpr const char* kOuterLink = "hst-port";
    static constexpr const char* kHere = "fd00:7c::1";
    static constexpr const char* kInside = "fd00:7c::2";
    static constexpr uint8_t kLength = 64;

    Sliver& plug(const Resources& limits) {
        Sliver& sliver = makeSliver(limits);
        EXPECT_EQ(prepared_, absl::OkStatus());
        sliver.runtime.link_name = kOuterLink;
        sliver.runtime.sliver_mac = sys::randomMac();
        const pid_t server = spawn(sliver.runtime.cgroup, [] {
            if (::unshare(CLONE_NEWNET) == 0) ::execlp("iperf3", "iperf3", "-s", "--logfile", "/dev/null", nullptr);
            ::_exit(127);
        });
        const std::string netns = "/proc/" + std::to_string(server) + "/ns/net";
        const auto is_alone = [&] {
            struct stat ours {};
            struct stat theirs {};
            return ::stat("/proc/self/ns/net", &ours) == 0 && ::stat(netns.c_str(), &theirs) == 0 &&
                   ours.st_ino != theirs.st_ino;
        };
        EXPECT_TRUE(eventually(is_alone));
        child_.network_namespace = std::move(*openFile(netns, O_RDONLY));
        connect(sliver);
        return sliver;
    }
    void connect(const Sliver& sliver) {
        auto host = sys::Netlink::open();
        auto inside = sys::Netlink::openIn(child_.network_namespace.get());
        ASSERT_TRUE(host.ok() && inside.ok());
        ASSERT_EQ(host->addVeth({.name = sliver.runtime.link_name,
                                 .mac = sys::randomMac(),
                                 .peer_name = kInnerLink,
                                 .peer_mac = sliver.runtime.sliver_mac,
                                 .peer_netns_fd = child_.network_namespace.get(),
                                 .mtu = 1460}),
                  absl::OkStatus());
        const auto up = [](sys::Netlink& netlink, const std::string& name, const char* address) {
            const int index = netlink.link(name)->index;
            EXPECT_EQ(netlink.setUp(index), absl::OkStatus());
            EXPECT_EQ(netlink.addAddress(index, *Ipv6Address::parse(address), kLength), absl::OkStatus());
        };
        up(*inside, kInnerLink, kInside);
        up(*inside, "lo", "::1");
        up(*host, sliver.runtime.link_name, kHere);
    }
    absl::Status limitBandwidth(Sliver& sliver) {
        launcher::CloneRequest clone{};
        launcher::LaunchPlan plan{};
        launcher::Command command{};
        const image::Image image{};
        Start start{.spec = sliver.spec,
                    .runtime = sliver.runtime,
                    .image = image,
                    .clone = clone,
                    .plan = plan,
                    .command = command};
        return bandwidth_->connect(start, child_);
    }
    // Payload in bits per second that the receiver got, without the first second.
    static double iperf(const std::string& options) {
        double rate = 0;
        const auto answers = [&] {
            FILE* pipe =
                ::popen((std::string("timeout 30 iperf3 -J -O 1 -t 4 -c ") + kInside + " " + options).c_str(), "re");
            const auto report = nlohmann::json::parse(readAll(::fileno(pipe)).value_or(""), nullptr, false);
            if (::pclose(pipe) != 0) return false;
            // One that came to nothing may end with 0 all the same.
            rate = report.value(nlohmann::json::json_pointer("/end/sum_received/bits_per_second"), 0.0);
            return rate > 0;
        };
        EXPECT_TRUE(eventually(answers)) << "iperf3 " << options;
        return rate;
    }
    static void expectRate(const std::string& options, double limit) {
        SCOPED_TRACE(options);
        testing_support::expectEnforced(limit, kTolerance, [&] { return iperf(options); });
    }

    launcher::Child child_;
};

TEST_F(BandwidthTest, EachWayHasItsOwnLimitAndBothChangeLive) {
    Sliver& sliver = plug({.network_egress_bps = 40'000'000, .network_ingress_bps = 90'000'000});
    ASSERT_EQ(limitBandwidth(sliver), absl::OkStatus());
    expectRate("-P 4", 90e6);
    expectRate("-R -P 4", 40e6);
    ASSERT_EQ(change(*bandwidth_, sliver, {.network_egress_bps = 10'000'000}), absl::OkStatus());
    expectRate("-R -P 4", 10e6);
    EXPECT_GT(iperf(""), 200e6) << "without a limit";
}

TEST_F(BandwidthTest, DatagramsAreLimitedToo) {
    Sliver& sliver = plug({.network_egress_bps = 20'000'000, .network_ingress_bps = 20'000'000});
    ASSERT_EQ(limitBandwidth(sliver), absl::OkStatus());
    expectRate("-u -b 60M -l 1412", 20e6);
    expectRate("-u -b 60M -l 1412 -R", 20e6);
}

}  // namespace
}  // namespace homeslice::isolation
