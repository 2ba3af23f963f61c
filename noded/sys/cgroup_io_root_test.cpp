// Throughput of a disk, measured by the kernel's counters of the group.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmath>

#include "base/defer.h"
#include "noded/sys/cgroup_fixture.h"
#include "tests/support/enforced_rate.h"

namespace homeslice::sys {
namespace {

using testing::HasSubstr;

constexpr double kTolerance = 0.05;
constexpr double kWindow = 4;  // seconds
constexpr double kMB = 1'000'000;

class CgroupIoTest : public CgroupFixture {
protected:
    void SetUp() override {
        CgroupFixture::SetUp();
        if (cgroups_ == nullptr) return;
        std::string path = "/var/tmp/hst-io-XXXXXX";
        ASSERT_NE(::mkdtemp(path.data()), nullptr);
        directory_ = path;
        const auto disk = diskOf(directory_);
        ASSERT_TRUE(disk.ok()) << disk.status();
        disk_ = *disk;
    }
    void TearDown() override {
        CgroupFixture::TearDown();
        EXPECT_EQ(directory_.empty() ? absl::OkStatus() : removeTree(directory_), absl::OkStatus());
    }

    // "254:0 Read 8192" on v1, "254:0 rbytes=8192 wbytes=0 rios=1 ..." on v2.
    double counted(const std::string& group, const std::string& v1_file, const std::string& v1_kind,
                   const std::string& v2_key) const {
        const std::string all = text(group, "blkio", v1_file, "io.stat");
        std::istringstream lines(all);
        for (std::string line; std::getline(lines, line);) {
            if (!line.starts_with(disk_.toString() + " ")) continue;
            for (const std::string& key : {" " + v1_kind + " ", " " + v2_key + "="}) {
                const size_t at = line.find(key);
                if (at != std::string::npos) return std::stod(line.substr(at + key.size()));
            }
        }
        return 0;
    }
    double bytesRead(const std::string& group) const {
        return counted(group, "blkio.throttle.io_service_bytes", "Read", "rbytes");
    }
    double bytesWritten(const std::string& group) const {
        return counted(group, "blkio.throttle.io_service_bytes", "Write", "wbytes");
    }
    double reads(const std::string& group) const {
        return counted(group, "blkio.throttle.io_serviced", "Read", "rios");
    }
    double writes(const std::string& group) const {
        return counted(group, "blkio.throttle.io_serviced", "Write", "wios");
    }
    std::string makeFile() {
        std::string path = directory_ + "/data";
        EXPECT_EQ(::system(("dd if=/dev/zero of=" + path + " bs=1M count=64 oflag=direct 2>/dev/null").c_str()), 0);
        return path;
    }
    void write(const std::string& group, const std::string& block) {
        run(group, "dd if=/dev/zero of=" + directory_ + "/out bs=" + block + " oflag=direct 2>/dev/null");
    }
    void read(const std::string& group, const std::string& block) {
        const std::string file = makeFile();
        run(group,
            "sh -c 'while :; do dd if=" + file + " of=/dev/null bs=" + block + " iflag=direct 2>/dev/null; done'");
    }
    template <typename Counter>
    void expectRate(Counter counter, double limit) {
        const double before = counter();
        ASSERT_TRUE(eventually([&] { return counter() > before + limit / 2; })) << "no load";
        testing_support::expectEnforced(limit, kTolerance, [&] { return ratePerSecond(counter, kWindow); });
    }

    std::string directory_;
    BlockDevice disk_;
};

TEST_F(CgroupIoTest, BytesWrittenAreLimited) {
    const std::string group = makeGroup("writer", {.io_write_bps = 8'000'000, .io_device = disk_});
    write(group, "64k");
    expectRate([&] { return bytesWritten(group); }, 8 * kMB);
    ASSERT_EQ(cgroups_->setLimits(group, {.io_write_bps = 4'000'000, .io_device = disk_}), absl::OkStatus());
    expectRate([&] { return bytesWritten(group); }, 4 * kMB);
}

TEST_F(CgroupIoTest, BytesReadAreLimited) {
    const std::string group = makeGroup("reader", {.io_read_bps = 6'000'000, .io_device = disk_});
    read(group, "64k");
    expectRate([&] { return bytesRead(group); }, 6 * kMB);
}

TEST_F(CgroupIoTest, OperationsAreLimited) {
    const std::string writer = makeGroup("writer", {.io_write_iops = 200, .io_device = disk_});
    const std::string reader = makeGroup("reader", {.io_read_iops = 300, .io_device = disk_});
    write(writer, "4k");
    read(reader, "4k");
    expectRate([&] { return writes(writer); }, 200);
    expectRate([&] { return reads(reader); }, 300);
}

TEST_F(CgroupIoTest, WithoutALimitItIsFast) {
    const std::string group = makeGroup("free", {.io_write_bps = 1'000'000, .io_device = disk_});
    ASSERT_EQ(cgroups_->setLimits(group, {.io_device = disk_}), absl::OkStatus());
    write(group, "1M");
    EXPECT_TRUE(eventually([&] { return bytesWritten(group) > 40 * kMB; }));
}

TEST_F(CgroupIoTest, NoDiskSaysSoWhenALimitIsAskedFor) {
    const std::string group = makeGroup("none", {});
    const absl::Status no_disk = cgroups_->setLimits(group, {.io_read_bps = 1});
    EXPECT_EQ(no_disk.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(no_disk.ToString(), HasSubstr("no block device"));
}

// A loop device takes any scheduler.
class CgroupIoWeightTest : public CgroupIoTest {
protected:
    void SetUp() override {
        CgroupIoTest::SetUp();
        if (!disk_.isSet()) return;
        loop_ = said("losetup --direct-io=on -f --show " + makeFile());
        struct stat facts {};
        ASSERT_EQ(::stat(loop_.c_str(), &facts), 0) << "losetup: " << loop_;
        loop_device_ = {.major = ::gnu_dev_major(facts.st_rdev), .minor = ::gnu_dev_minor(facts.st_rdev)};
    }
    void TearDown() override {
        if (!loop_.empty()) {
            schedule("none");
            said("losetup -d " + loop_);
        }
        CgroupIoTest::TearDown();
    }
    static std::string said(const std::string& command) {
        FILE* pipe = ::popen(command.c_str(), "re");
        std::string text = readAll(::fileno(pipe)).value_or("");
        EXPECT_EQ(::pclose(pipe), 0) << command;
        text.erase(text.find_last_not_of('\n') + 1);
        return text;
    }
    void schedule(const std::string& scheduler) const {
        const std::string file = "/sys/dev/block/" + loop_device_.toString() + "/queue/scheduler";
        EXPECT_EQ(writeControlFile(file, scheduler), absl::OkStatus());
    }

    std::string loop_;
    BlockDevice loop_device_;
};

TEST_F(CgroupIoWeightTest, NeedsASchedulerThatKnowsIt) {
    const std::string group = makeGroup("weighed", {});
    const auto weight = [&] { return text(group, "blkio", "blkio.bfq.weight", "io.bfq.weight"); };
    schedule("none");
    const absl::Status refused = cgroups_->setLimits(group, {.io_weight = 300, .io_device = loop_device_});
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(refused.ToString(), HasSubstr("no scheduler that knows weights"));
    schedule("bfq");
    ASSERT_EQ(cgroups_->setLimits(group, {.io_weight = 300, .io_device = loop_device_}), absl::OkStatus());
    EXPECT_THAT(weight(), HasSubstr("300"));
    ASSERT_EQ(cgroups_->setLimits(group, {.io_device = loop_device_}), absl::OkStatus());
    EXPECT_THAT(weight(), HasSubstr("100"));
}

TEST_F(CgroupIoWeightTest, SharesADiskThatAllWant) {
    schedule("bfq");
    disk_ = loop_device_;
    const std::string heavy = makeGroup("heavy", {.io_weight = 300, .io_device = disk_});
    const std::string light = makeGroup("light", {.io_weight = 100, .io_device = disk_});
    for (const std::string& group : {heavy, light}) {
        // Several readers of large pieces, so that the group has a request waiting at any moment.
        const std::string reader = "while :; do dd if=" + loop_ + " of=/dev/null bs=1M iflag=direct 2>/dev/null; done";
        run(group, "sh -c '" + reader + " & " + reader + " & " + reader + " & " + reader + "'");
        ASSERT_TRUE(eventually([&] { return bytesRead(group) > kMB; })) << "no load";
    }
    // 3 to 1 is what the scheduler aims at with a disk that is slower than its readers, which nothing here is for sure.
    constexpr double kClearlyMore = 0.6;
    constexpr int kWindows = 12;  // what else the machine does may keep one of them from reading in a window
    double share = 0;
    for (int i = 0; i < kWindows && share < kClearlyMore; ++i) {
        const double heavy_before = bytesRead(heavy);
        const double light_before = bytesRead(light);
        ::usleep(static_cast<useconds_t>(kWindow * 1e6));
        const double more = bytesRead(heavy) - heavy_before;
        share = more / (more + bytesRead(light) - light_before);
    }
    EXPECT_GE(share, kClearlyMore);
}

}  // namespace
}  // namespace homeslice::sys
