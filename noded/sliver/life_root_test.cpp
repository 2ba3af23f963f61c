// What a template asks for, on real slivers: its files, names, volumes, limits of the disk, restarts, health, freezing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "noded/sliver/test_node.h"
#include "tests/support/privileges.h"

namespace homeslice::sliver {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr uint64_t kMebibyte = 1 << 20;

class LifeRootTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        ASSERT_EQ(TestNode::enterNetwork(), absl::OkStatus());
        auto created = TestNode::create("a");
        ASSERT_TRUE(created.ok()) << created.status();
        node_ = std::move(*created);
        spec_ = node_->sliver(1);
    }

    void run() {
        node_->desire({spec_});
        ASSERT_TRUE(node_->reaches(spec_.id, State::running)) << node_->manager().inspect();
    }
    void change(State state) {
        ++spec_.generation;
        node_->desire({spec_});
        ASSERT_TRUE(node_->eventually([&] {
            return node_->report(spec_.id).generation == spec_.generation && node_->report(spec_.id).state == state;
        })) << node_->manager().inspect();
    }
    // For what no report tells of.
    template <typename Condition>
    static bool soon(Condition condition) {
        const auto deadline = Monotonic::now() + std::chrono::seconds(20);
        while (!condition()) {
            if (Monotonic::now() > deadline) return false;
            ::usleep(10'000);
        }
        return true;
    }
    std::string output(const std::string& command) { return node_->run(spec_.id, command).output; }

    std::unique_ptr<TestNode> node_;
    SliverSpec spec_;
};

TEST_F(LifeRootTest, TheTemplateIsWhatTheSliverSees) {
    spec_.base.argv = {"sh", "-c", "echo $GREETING from $(id -u):$(id -g) in $PWD; sleep 1000"};
    spec_.base.env = {"GREETING=hello"};
    spec_.base.user = "33:44";
    spec_.base.working_directory = "/tmp";
    spec_.base.hostname = "other";
    spec_.base.hosts = {{.address = Ipv6Address::parse("fd00::5").value(), .name = "db.example"}};
    spec_.base.resolver = {.servers = {"fd00::53"}, .search = {"example", "test"}};
    run();
    EXPECT_EQ(output("hostname; cat /etc/hostname"), "other\nother\n");
    EXPECT_THAT(output("cat /etc/hosts"), HasSubstr("fd00::5 db.example\n"));
    EXPECT_EQ(output("cat /etc/resolv.conf"), "nameserver fd00::53\nsearch example test\n");
    const std::string log = node_->manager().logDirectory(spec_.id).value() + "/log";
    EXPECT_TRUE(soon([&] { return readFile(log).value_or("").find("hello from 33:44 in /tmp") != std::string::npos; }))
        << readFile(log).value_or("");
}

TEST_F(LifeRootTest, FilesGivenAtCreateGoWhereTheImagesLinksLead) {
    // The image has /alias as a link to /real, and /tmp for everybody.
    spec_.base.files = {{.path = "/etc/secret", .content = "42\n", .mode = 0600},
                        {.path = "/opt/new/deep/file", .content = "deep\n"},
                        {.path = "/tmp/open", .content = ""},
                        {.path = "/alias/through", .content = "followed\n"}};
    run();
    EXPECT_EQ(output("stat -c '%a %u:%g' /etc/secret; cat /etc/secret /opt/new/deep/file"), "600 0:0\n42\ndeep\n");
    EXPECT_EQ(output("stat -c %a /tmp; cat /real/through; readlink /alias"), "1777\nfollowed\n/real\n");
    ASSERT_EQ(node_->run(spec_.id, "echo mine > /etc/secret").status, 0);
    spec_.run = DesiredRun::stopped;
    change(State::stopped);
    spec_.run = DesiredRun::running;
    change(State::running);
    EXPECT_EQ(output("cat /etc/secret"), "mine\n") << "written once";
}

TEST_F(LifeRootTest, VolumesAreBoundWithinTheAllowList) {
    const std::string data = node_->volume() + "/data";
    ASSERT_EQ(makeDirectories(data), absl::OkStatus());
    ASSERT_EQ(replaceFile(data + "/given", "given\n", 0644), absl::OkStatus());
    spec_.base.volumes = {{.source = data, .target = "/data"},
                          {.source = data, .target = "/mnt/deep/read-only", .read_only = true}};
    run();
    EXPECT_EQ(output("cat /data/given; echo back > /data/back; stat -c %u /data/given"), "given\n0\n");
    EXPECT_EQ(readFile(data + "/back").value_or(""), "back\n");
    EXPECT_NE(node_->run(spec_.id, "touch /mnt/deep/read-only/x").status, 0);
    EXPECT_THAT(output("grep ' /data ' /proc/self/mountinfo"), testing::AllOf(HasSubstr("nosuid"), HasSubstr("nodev")));
}

TEST_F(LifeRootTest, OtherDirectoriesAndLinksAreRefused) {
    ASSERT_EQ(::symlink("/etc", (node_->volume() + "/link").c_str()), 0);
    for (const std::string& source : {std::string("/etc"), node_->volume() + "/link"}) {
        spec_.base.volumes = {{.source = source, .target = "/data"}};
        ++spec_.generation;
        node_->desire({spec_});
        ASSERT_TRUE(node_->eventually([&] {
            const SliverReport report = node_->report(spec_.id);
            return report.state == State::failed && report.reason.find(source) != std::string::npos;
        })) << node_->manager().inspect();
    }
}

TEST_F(LifeRootTest, LimitsChangeWhileItRuns) {
    run();
    const pid_t before = node_->firstProcess(spec_.id);
    spec_.base.resources.pids = 17;
    change(State::running);
    EXPECT_EQ(node_->firstProcess(spec_.id), before);
    const std::string file = node_->cgroups().controlFile(1, "pids", node_->cgroupOf(spec_.id), "pids.max") +
                             node_->cgroups().controlFile(2, "pids", node_->cgroupOf(spec_.id), "pids.max");
    EXPECT_EQ(readFile(file).value_or(""), "17\n");
}

TEST_F(LifeRootTest, AMemoryKillOfAnExecIsTold) {
    spec_.base.resources.memory_bytes = 24 * kMebibyte;
    run();
    EXPECT_NE(node_->run(spec_.id, "dd if=/dev/zero of=/dev/null bs=64M count=1").status, 0);
    EXPECT_THAT(node_->report(spec_.id).reason,
                HasSubstr("out of memory: 1 process was killed at the limit of 25165824 bytes"));
    EXPECT_EQ(node_->report(spec_.id).state, State::running);
}

TEST_F(LifeRootTest, AFrozenSliverStandsStillAcrossADeathOfNoded) {
    spec_.base.argv = {"sh", "-c", "while true; do date +%s%N > /now; done"};
    run();
    ASSERT_TRUE(soon([&] { return output("test -s /now && echo written") == "written\n"; }));
    spec_.run = DesiredRun::frozen;
    change(State::frozen);
    const CommandResult refused = node_->run(spec_.id, "true");
    EXPECT_EQ(refused.status, -1);
    EXPECT_THAT(refused.output, HasSubstr("is frozen, not running"));
    const std::string now = node_->sliverDirectory(spec_.id) + "/disk/upper/now";
    const std::string then = readFile(now).value();
    ASSERT_EQ(node_->restart(), absl::OkStatus());
    EXPECT_EQ(node_->report(spec_.id).state, State::frozen);
    ::usleep(50'000);  // for what must not happen
    EXPECT_EQ(readFile(now).value(), then);
    spec_.run = DesiredRun::running;
    change(State::running);
    EXPECT_TRUE(soon([&] { return output("cat /now") != then; }));
    spec_.run = DesiredRun::frozen;
    change(State::frozen);
    spec_.run = DesiredRun::stopped;
    change(State::stopped);
}

TEST_F(LifeRootTest, RestartsWhatFailsAndCounts) {
    spec_.base.argv = {"sh", "-c", "test -e /again && sleep 1000; touch /again; exit 3"};
    spec_.base.restart = RestartWhen::on_failure;
    node_->desire({spec_});
    ASSERT_TRUE(node_->eventually([&] { return node_->report(spec_.id).restarts == 1; }));
    ASSERT_TRUE(node_->reaches(spec_.id, State::running));
}

TEST_F(LifeRootTest, TheStopSignalAndItsGraceAreTheTemplates) {
    spec_.base.argv = {"sh", "-c",
                       "trap 'echo int > /told; exit 5' INT; trap '' TERM; touch /ready; while :; do sleep 0.1; done"};
    spec_.base.stop = {.signal = SIGINT, .grace = milliseconds(8000)};
    run();
    ASSERT_TRUE(soon([&] { return output("ls /ready") == "/ready\n"; }));
    spec_.run = DesiredRun::stopped;
    change(State::stopped);
    EXPECT_EQ(readFile(node_->sliverDirectory(spec_.id) + "/disk/upper/told").value_or(""), "int\n");
}

TEST_F(LifeRootTest, HealthIsWhatTheCheckSays) {
    spec_.base.health = {.argv = {"test", "-e", "/well"},
                         .interval = milliseconds(100),
                         .timeout = milliseconds(5000),
                         .start_period = milliseconds(0),
                         .failures = 2};
    run();
    ASSERT_TRUE(node_->eventually([&] { return node_->report(spec_.id).health == Health::unhealthy; }));
    ASSERT_EQ(node_->run(spec_.id, "touch /well").status, 0);
    ASSERT_TRUE(node_->eventually([&] { return node_->report(spec_.id).health == Health::healthy; }));
}

// Writes until nothing more fits; how many MiB did.
constexpr const char* kFill = "dd if=/dev/zero of=/full bs=1M 2>/dev/null; echo $(($(stat -c %s /full) >> 20))";

TEST_F(LifeRootTest, ADiskHasItsLimit) {
    spec_.base.resources.disk_bytes = 64 * kMebibyte;
    spec_.base.resources.memory_bytes = 128 * kMebibyte;
    run();
    const int fits = std::stoi(output(kFill));
    EXPECT_GE(fits, 61);
    EXPECT_LE(fits, 67);
    ASSERT_EQ(node_->run(spec_.id, "rm /full; echo kept > /kept").status, 0);
    spec_.base.resources.disk_bytes = 32 * kMebibyte;
    ++spec_.generation;
    node_->desire({spec_});
    ASSERT_TRUE(node_->eventually(
        [&] { return node_->report(spec_.id).reason.find("a disk can only grow") != std::string::npos; }));
    spec_.base.resources.disk_bytes = 96 * kMebibyte;
    spec_.run = DesiredRun::stopped;
    change(State::stopped);
    spec_.run = DesiredRun::running;
    change(State::running);
    EXPECT_EQ(output("cat /kept"), "kept\n");
    EXPECT_GE(std::stoi(output(kFill)), 90) << "grown while it was stopped";
}

bool hasSysResource() {
    constexpr uint64_t kSysResource = uint64_t{1} << 24;  // capabilities(7)
    const std::string status = readFile("/proc/self/status").value_or("");
    const size_t line = status.find("CapEff:");
    return line != std::string::npos && (std::stoull(status.substr(line + 7), nullptr, 16) & kSysResource) != 0;
}

TEST_F(LifeRootTest, ADiskGrowsWhileItIsUsedWhereTheKernelLetsNoded) {
    spec_.base.resources.disk_bytes = 32 * kMebibyte;
    run();
    const pid_t process = node_->firstProcess(spec_.id);
    spec_.base.resources.disk_bytes = 96 * kMebibyte;
    ++spec_.generation;
    node_->desire({spec_});
    if (hasSysResource()) {
        ASSERT_TRUE(node_->eventually([&] { return node_->report(spec_.id).generation == spec_.generation; }))
            << node_->manager().inspect();
        EXPECT_GE(std::stoi(output(kFill)), 90);
    } else {
        EXPECT_TRUE(node_->eventually(
            [&] { return node_->report(spec_.id).reason.find("CAP_SYS_RESOURCE") != std::string::npos; }));
    }
    EXPECT_EQ(node_->firstProcess(spec_.id), process);
}

TEST_F(LifeRootTest, ALimitedDiskLeavesNothing) {
    run();
    ASSERT_TRUE(node_->removesAll());
    const std::vector<std::string> before = node_->footprint();
    spec_.base.resources.disk_bytes = 32 * kMebibyte;
    SliverSpec memory = node_->sliver(2);
    memory.base.resources.disk_medium = DiskMedium::memory;
    memory.base.resources.disk_bytes = 16 * kMebibyte;
    node_->desire({spec_, memory});
    ASSERT_TRUE(node_->reaches(spec_.id, State::running)) << node_->manager().inspect();
    ASSERT_TRUE(node_->reaches(memory.id, State::running)) << node_->manager().inspect();
    ASSERT_EQ(node_->restart(), absl::OkStatus());
    ASSERT_TRUE(node_->removesAll());
    EXPECT_EQ(node_->footprint(), before);
    node_->desire({spec_, memory});
    ASSERT_TRUE(node_->reaches(memory.id, State::running));
    ASSERT_TRUE(node_->reaches(spec_.id, State::running));
    ASSERT_EQ(node_->restartWithoutRecords(), absl::OkStatus());
    EXPECT_EQ(node_->footprint(), before);
}

TEST_F(LifeRootTest, ADiskInMemoryHasItsLimitAndMoreOnRequest) {
    spec_.base.resources.disk_medium = DiskMedium::memory;
    spec_.base.resources.disk_bytes = 16 * kMebibyte;
    spec_.base.resources.memory_bytes = 128 * kMebibyte;
    run();
    EXPECT_LE(std::stoi(output(kFill)), 16);
    spec_.base.resources.disk_bytes = 32 * kMebibyte;
    change(State::running);
    EXPECT_GE(std::stoi(output(kFill)), 30);
}

TEST_F(LifeRootTest, LimitedDisksMove) {
    auto created = TestNode::create("b");
    ASSERT_TRUE(created.ok()) << created.status();
    TestNode& other = **created;
    other.fetch_disk = [this](const SliverId& id, const DiskSource& source, int fd) {
        return node_->manager().exportDisk(id, source.generation, fd);
    };
    for (const DiskMedium medium : {DiskMedium::store, DiskMedium::memory}) {
        spec_ = node_->sliver(medium == DiskMedium::store ? 1 : 2);
        spec_.base.resources.disk_bytes = 32 * kMebibyte;
        spec_.base.resources.disk_medium = medium;
        run();
        ASSERT_EQ(node_->run(spec_.id, "echo moved > /f && rm /bin/vi").status, 0);
        spec_.run = DesiredRun::stopped;
        node_->desire({spec_});
        ASSERT_TRUE(node_->reaches(spec_.id, State::stopped));
        SliverSpec there = spec_;
        there.run = DesiredRun::running;
        there.generation = 2;
        there.base.image_digest = other.sliver(1).base.image_digest;
        there.disk_source.emplace().generation = 1;
        other.desire({there});
        ASSERT_TRUE(other.reaches(there.id, State::running)) << other.manager().inspect();
        EXPECT_EQ(other.run(there.id, "cat /f; ls /bin/vi 2>/dev/null").output, "moved\n");
    }
}

TEST_F(LifeRootTest, ABrokenRecordKeepsItsIdsAndCanBeRemoved) {
    run();
    ASSERT_TRUE(node_->removesAll());
    const std::vector<std::string> before = node_->footprint();
    run();
    ASSERT_EQ(node_->breakRecord(spec_.id), absl::OkStatus());
    EXPECT_EQ(node_->report(spec_.id).state, State::failed);
    const SliverSpec second = node_->sliver(2);
    node_->desire({spec_, second});
    ASSERT_TRUE(node_->reaches(second.id, State::running)) << node_->manager().inspect();
    struct stat first_log {};
    struct stat second_log {};
    ASSERT_EQ(::stat((node_->sliverDirectory(spec_.id) + "/log").c_str(), &first_log), 0);
    ASSERT_EQ(::stat((node_->sliverDirectory(second.id) + "/log").c_str(), &second_log), 0);
    EXPECT_NE(first_log.st_uid, second_log.st_uid);
    ASSERT_TRUE(node_->removesAll());
    EXPECT_EQ(node_->footprint(), before);
}

}  // namespace
}  // namespace homeslice::sliver
