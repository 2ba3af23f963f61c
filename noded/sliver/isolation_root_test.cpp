// What a process in a sliver can see, do and use up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "noded/sliver/test_node.h"
#include "tests/support/privileges.h"

namespace homeslice::sliver {
namespace {

using testing::HasSubstr;
using testing::Not;

class IsolationRootTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        ASSERT_EQ(TestNode::enterNetwork(), absl::OkStatus());
        auto created = TestNode::create("a");
        ASSERT_TRUE(created.ok()) << created.status();
        node_ = std::move(*created);
        spec_ = node_->sliver(1);
    }

    bool startSliver() {
        node_->desire({spec_});
        return node_->reaches(spec_.id, State::running);
    }
    CommandResult run(const std::string& command) { return node_->run(spec_.id, command); }

    std::string groupFile(const std::string& controller, const std::string& v1_file, const std::string& v2_file) {
        const std::string group = node_->cgroupOf(spec_.id);
        const std::string v1 = node_->cgroups().controlFile(1, controller, group, v1_file);
        return readFile(v1.empty() ? node_->cgroups().controlFile(2, controller, group, v2_file) : v1).value_or("");
    }

    std::unique_ptr<TestNode> node_;
    SliverSpec spec_;
};

TEST_F(IsolationRootTest, RunsWithinItsLimits) {
    ASSERT_TRUE(startSliver()) << node_->manager().inspect();
    EXPECT_THAT(groupFile("cpu", "cpu.cfs_quota_us", "cpu.max"), HasSubstr("50000"));
    EXPECT_THAT(groupFile("memory", "memory.limit_in_bytes", "memory.max"), HasSubstr(std::to_string(48 << 20)));
    EXPECT_THAT(groupFile("pids", "pids.max", "pids.max"), HasSubstr("32"));
    const pid_t first = node_->firstProcess(spec_.id);
    EXPECT_THAT(node_->cgroups().processes(node_->cgroupOf(spec_.id)).value(), testing::Contains(first));
    for (const std::string& directory : node_->cgroups().v1Directories(node_->cgroupOf(spec_.id))) {
        EXPECT_THAT(readFile(directory + "/cgroup.procs").value(), HasSubstr(std::to_string(first))) << directory;
    }
}

TEST_F(IsolationRootTest, AForkBombStaysBelowTheLimit) {
    ASSERT_TRUE(startSliver()) << node_->manager().inspect();
    const CommandResult bomb = run("i=0; while [ $i -lt 200 ]; do sleep 1000 >/dev/null 2>&1 & i=$((i+1)); done");
    EXPECT_NE(bomb.status, 0);
    EXPECT_LE(node_->cgroups().processes(node_->cgroupOf(spec_.id))->size(), 32U);
}

TEST_F(IsolationRootTest, AMemoryHogIsKilledAndTheReasonSaysSo) {
    spec_.base.argv = {"dd", "if=/dev/zero", "of=/dev/null", "bs=200M"};
    node_->desire({spec_});
    ASSERT_TRUE(node_->reaches(spec_.id, State::exited)) << node_->manager().inspect();
    EXPECT_EQ(node_->report(spec_.id).exit_status, 137);
    EXPECT_THAT(node_->report(spec_.id).reason, HasSubstr("out of memory"));
}

TEST_F(IsolationRootTest, HasItsOwnIdsAndNamespaces) {
    ASSERT_TRUE(startSliver()) << node_->manager().inspect();
    EXPECT_THAT(run("cat /proc/self/uid_map").output, HasSubstr("300000000      65536"));
    EXPECT_EQ(run("ps | grep -c root").status, 0);
    EXPECT_EQ(run("cat /proc/1/comm").output, "sliver-init\n");
    EXPECT_THAT(run("cat /proc/self/cgroup").output, Not(HasSubstr("hst-sliver")));
    EXPECT_EQ(run("stat -c %u:%g /bin/busybox").output, "0:0\n") << "the image's owners are seen as the sliver's";
    const std::string pid = std::to_string(node_->firstProcess(spec_.id));
    for (const char* kind : {"user", "mnt", "pid", "net", "uts", "ipc", "cgroup"}) {
        char ours[64] = {};
        char theirs[64] = {};
        ASSERT_GT(::readlink((std::string("/proc/self/ns/") + kind).c_str(), ours, sizeof ours - 1), 0);
        ASSERT_GT(::readlink(("/proc/" + pid + "/ns/" + kind).c_str(), theirs, sizeof theirs - 1), 0);
        EXPECT_STRNE(ours, theirs);
    }
}

TEST_F(IsolationRootTest, HasItsAddressesAndARoute) {
    ASSERT_TRUE(startSliver()) << node_->manager().inspect();
    const std::string addresses = run("ip -6 addr show dev eth0").output;
    EXPECT_THAT(addresses, HasSubstr(spec_.home_address.toString() + "/128"));
    EXPECT_THAT(addresses, HasSubstr(spec_.slice_address.toString() + "/128"));
    EXPECT_THAT(addresses, HasSubstr("mtu 1460"));
    EXPECT_THAT(run("ip -6 route").output, HasSubstr("default via fe80::1 dev eth0"));
}

TEST_F(IsolationRootTest, HasIpv4WhereItsNodeLetsItOut) {
    ASSERT_TRUE(startSliver()) << node_->manager().inspect();
    EXPECT_THAT(run("ip -4 addr show dev eth0").output, Not(HasSubstr("inet")));
    node_->forwarder().giveIpv4();
    SliverSpec other = node_->sliver(2);
    node_->desire({spec_, other});
    ASSERT_TRUE(node_->reaches(other.id, State::running)) << node_->manager().inspect();
    const std::string addresses = node_->run(other.id, "ip -4 addr show dev eth0").output;
    EXPECT_THAT(addresses, HasSubstr("inet 100.64."));
    EXPECT_THAT(addresses, HasSubstr("/32"));
    EXPECT_THAT(node_->run(other.id, "cat /proc/net/route").output, HasSubstr("eth0\t00000000\t"));
}

TEST_F(IsolationRootTest, HoldsFewCapabilitiesAndCannotGainAny) {
    ASSERT_TRUE(startSliver()) << node_->manager().inspect();
    const std::string status = run("cat /proc/self/status").output;
    EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
    EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
    const size_t at = status.find("CapBnd:\t");
    ASSERT_NE(at, std::string::npos);
    const uint64_t bounding = std::stoull(status.substr(at + 8, 16), nullptr, 16);
    constexpr uint64_t kNetAdmin = 1ULL << 12;
    constexpr uint64_t kSysAdmin = 1ULL << 21;
    constexpr uint64_t kNetBindService = 1ULL << 10;
    EXPECT_EQ(bounding & (kNetAdmin | kSysAdmin), 0U);
    EXPECT_NE(bounding & kNetBindService, 0U);
}

TEST_F(IsolationRootTest, RefusesWhatWouldBreachIt) {
    ASSERT_TRUE(startSliver()) << node_->manager().inspect();
    for (const char* command :
         {"unshare -U true", "unshare -m true", "unshare -n true", "mount -t tmpfs none /tmp", "umount /proc",
          "umount -l /proc/kcore", "mknod /tmp/sda b 8 0", "echo b > /proc/sysrq-trigger",
          "echo 1 > /proc/sys/kernel/panic", "cat /sys/firmware/* /dev/mem", "dmesg", "ip link set eth0 down",
          "nsenter -t 1 -n true", "cat /proc/1/exe", "hostname other && false"}) {
        EXPECT_NE(run(command).status, 0) << command;
    }
    EXPECT_THAT(run("date -s 2001-01-01").output, HasSubstr("not permitted"));
    EXPECT_EQ(run("wc -c < /proc/interrupts").output, "0\n") << "masked";
    EXPECT_EQ(run("cat /proc/keys").output, "");
}

TEST_F(IsolationRootTest, KeepsItsFilesToItself) {
    const SliverSpec other = node_->sliver(2);
    node_->desire({spec_, other});
    ASSERT_TRUE(node_->reaches(spec_.id, State::running)) << node_->manager().inspect();
    ASSERT_TRUE(node_->reaches(other.id, State::running));
    ASSERT_EQ(run("echo mine > /secret && rm /bin/vi").status, 0);
    EXPECT_NE(node_->run(other.id, "cat /secret").status, 0);
    EXPECT_EQ(node_->run(other.id, "ls /bin/vi").status, 0) << "the image is shared, changes are not";
    EXPECT_NE(node_->run(other.id, "cat /proc/self/uid_map").output, run("cat /proc/self/uid_map").output);
}

}  // namespace
}  // namespace homeslice::sliver
