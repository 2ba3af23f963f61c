#include "noded/sys/cgroup_devices.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstring>

#include "noded/sys/cgroup_fixture.h"

namespace homeslice::sys {
namespace {

const std::vector<DeviceRule> kNullAndReadableZero = {{.major = 1, .minor = 3},
                                                      {.major = 1, .minor = 5, .write = false}};

TEST(DeviceRuleTest, ReadsAsTheControllerTakesIt) {
    EXPECT_EQ((DeviceRule{.major = 1, .minor = 3}).toString(), "c 1:3 rw");
    EXPECT_EQ((DeviceRule{.major = 136, .minor = {}}).toString(), "c 136:* rw");
    EXPECT_EQ(
        (DeviceRule{.type = DeviceRule::Type::block, .major = 8, .minor = 0, .write = false, .mknod = true}).toString(),
        "b 8:0 rm");
}

class DeviceProgramTest : public CgroupFixture {
protected:
    void SetUp() override {
        CgroupFixture::SetUp();
        if (cgroups_ == nullptr) return;
        ASSERT_FALSE(cgroups_->v2Directory("").empty()) << "needs a cgroup v2 tree";
        group_ = makeGroup("devices", {});
    }
    void attach(const std::vector<DeviceRule>& allowed) {
        const auto program = DeviceProgram::load(allowed);
        ASSERT_TRUE(program.ok()) << program.status();
        ASSERT_EQ(program->attach(cgroups_->v2Directory(group_)), absl::OkStatus());
    }
    // The errno of `attempt` in the group, 0 for none.
    template <typename Attempt>
    int errnoOfTry(Attempt attempt) {
        return WEXITSTATUS(waitFor(spawn(group_, [&] { ::_exit(attempt() < 0 ? errno : 0); })));
    }
    int errnoOfOpen(const char* path, int flags) {
        return errnoOfTry([&] { return ::open(path, flags | O_CLOEXEC); });
    }

    std::string group_;
};

TEST_F(DeviceProgramTest, OnlyWhatIsAllowedCanBeOpened) {
    ASSERT_EQ(errnoOfOpen("/dev/urandom", O_RDONLY), 0);
    attach(kNullAndReadableZero);
    EXPECT_EQ(errnoOfOpen("/dev/null", O_RDWR), 0);
    EXPECT_EQ(errnoOfOpen("/dev/zero", O_RDONLY), 0);
    EXPECT_EQ(errnoOfOpen("/dev/zero", O_WRONLY), EPERM);
    EXPECT_EQ(errnoOfOpen("/dev/zero", O_RDWR), EPERM);
    EXPECT_EQ(errnoOfOpen("/dev/urandom", O_RDONLY), EPERM);
    EXPECT_EQ(errnoOfOpen("/dev/kmsg", O_RDONLY), EPERM);
    EXPECT_EQ(errnoOfOpen("/proc/self/status", O_RDONLY), 0) << "no device";
}

TEST_F(DeviceProgramTest, DeviceNodesAreMadeOnlyWhereAllowed) {
    const std::string path = "/var/tmp/hst-node-" + std::to_string(::getpid());
    const auto make = [&](mode_t type, dev_t device) {
        const int error = errnoOfTry([&] { return ::mknod(path.c_str(), type | 0600, device); });
        ::unlink(path.c_str());
        return error;
    };
    attach({{.major = 1, .minor = 3, .mknod = true}});
    EXPECT_EQ(make(S_IFCHR, ::gnu_dev_makedev(1, 3)), 0);
    EXPECT_EQ(make(S_IFBLK, ::gnu_dev_makedev(1, 3)), EPERM) << "another type";
    EXPECT_EQ(make(S_IFCHR, ::gnu_dev_makedev(1, 1)), EPERM);
    EXPECT_EQ(make(S_IFIFO, 0), 0) << "no device";
    attach(kNullAndReadableZero);
    EXPECT_EQ(make(S_IFCHR, ::gnu_dev_makedev(1, 3)), EPERM) << "may be opened, not made";
}

TEST_F(DeviceProgramTest, AnyMinorAndTheLastProgramCount) {
    attach({{.major = 1, .minor = {}}});
    EXPECT_EQ(errnoOfOpen("/dev/urandom", O_RDWR), 0);
    attach({});
    EXPECT_EQ(errnoOfOpen("/dev/urandom", O_RDONLY), EPERM);
    EXPECT_EQ(errnoOfOpen("/dev/null", O_RDONLY), EPERM);
}

TEST_F(DeviceProgramTest, ManyRulesLoad) {
    std::vector<DeviceRule> rules(1000, DeviceRule{.major = 240, .minor = 1});
    EXPECT_TRUE(DeviceProgram::load(rules).ok());
    rules.push_back(rules.front());
    EXPECT_EQ(DeviceProgram::load(rules).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace homeslice::sys
