// A lab on a stock Debian 12: its kernel takes the other turns in noded's code (layers by path, groups of cgroup v2
// alone).
#include <gmock/gmock.h>

#include "tests/vm/machine_test.h"

namespace homeslice::testing_support {
namespace {

using testing::StartsWith;

class LabOnDebianTest : public MachineTest {
protected:
    static void SetUpTestSuite() {
        MachineTest::SetUpTestSuite();
        if (!up_) return;
        HS_EXPECT_DONE(run("slicectl lab up --nodes 2"));
        HS_EXPECT_DONE(run("slicectl image build busybox"));
    }

    void TearDown() override {
        if (up_) run("slicectl slice rm web");
    }

    static void createWeb(const std::string& options) {
        HS_EXPECT_DONE(run("slicectl slice create web --image busybox --expose 80/tcp " + options +
                           " -- sh -c 'hostname >/var/www/index.html; exec httpd -f -p 80 -h /var/www'"));
    }
    static std::string fieldOf(const std::string& sliver, const std::string& field) {
        return outputOf("slicectl sliver show " + sliver + " -o json | jq -r ." + field);
    }
    static std::string groupFile(const std::string& name) {
        return outputOf("cat /sys/fs/cgroup/homeslice-lab/node1/web.1/" + name);
    }
    static std::string fetch(const std::string& address, const std::string& page) {
        return outputOf("slicectl lab client -- curl -gs --max-time 10 'http://[" + address + "]/" + page + "'");
    }
};

TEST_F(LabOnDebianTest, IsWhatItIsMeantToBe) {
    EXPECT_THAT(outputOf("uname -r"), StartsWith("6.1."));
    EXPECT_EQ(outputOf("stat -f -c %T /sys/fs/cgroup"), "cgroup2fs");
    EXPECT_EQ(run("grep ' cgroup ' /proc/self/mounts").out, "") << "no hierarchy of version 1";
}

TEST_F(LabOnDebianTest, LimitsAreInTheGroupOfAllProcesses) {
    createWeb("--on node1 --cpus 0.5 --memory 64M --pids 40");
    EXPECT_EQ(groupFile("cpu.max"), "50000 100000");
    EXPECT_EQ(groupFile("memory.max"), std::to_string(64 << 20));
    EXPECT_EQ(groupFile("memory.swap.max"), "0");
    EXPECT_EQ(groupFile("pids.max"), "40");
    // Inside, the group is the root of what can be seen: a process cloned elsewhere and moved would show a path.
    EXPECT_EQ(outputOf("slicectl exec web/1 -- cat /proc/self/cgroup"), "0::/");
    EXPECT_EQ(outputOf("slicectl exec web/1 -- cat /proc/1/cgroup"), "0::/");
    EXPECT_EQ(
        run("slicectl exec web/1 -- sh -c 'i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done; wait'").status, 2);
    EXPECT_NE(groupFile("pids.events"), "max 0");
}

TEST_F(LabOnDebianTest, TheImageIsSharedAndTheDiskIsTheSliversOwn) {
    createWeb("--on node1");
    EXPECT_EQ(outputOf("slicectl exec web/1 -- stat -c %u:%g /bin/busybox"), "0:0");
    HS_EXPECT_DONE(run("slicectl exec web/1 -- sh -c 'echo mine >/root/note; chown 33:33 /root/note'"));
    const std::string store = "/var/lib/homeslice/lab/node1";
    const std::string owner = outputOf("find " + store + " -path '*/root/note' -exec stat -c %u {} +");
    EXPECT_EQ(std::stoul(owner) % 65536, (100'000'000 + 33) % 65536) << owner;
    EXPECT_EQ(outputOf("find " + store + " -name busybox ! -uid 0"), "") << "the image was copied or chowned";
}

TEST_F(LabOnDebianTest, AnAddressIsReachedThroughTheHomeAgentAndMoves) {
    createWeb("--nodes 2");
    const std::string address = fieldOf("web/1", "home_address");
    EXPECT_EQ(fetch(address, ""), "web-1");
    HS_EXPECT_DONE(run("slicectl exec web/1 -- sh -c 'echo carried >/var/www/note'"));
    const std::string target = fieldOf("web/1", "node") == "node1" ? "node2" : "node1";
    HS_EXPECT_DONE(run("slicectl sliver move web/1 --to " + target));
    EXPECT_EQ(fieldOf("web/1", "node"), target);
    EXPECT_EQ(fetch(address, "note"), "carried");
}

TEST_F(LabOnDebianTest, NothingIsLeft) {
    createWeb("--nodes 2");
    HS_EXPECT_DONE(run("slicectl slice rm web"));
    EXPECT_EQ(outputOf("find /sys/fs/cgroup/homeslice-lab -mindepth 2 -type d"), "");
    HS_EXPECT_DONE(run("slicectl lab down"));
    EXPECT_EQ(outputOf("ls -d /sys/fs/cgroup/homeslice-lab* /run/netns/hs-lab-* 2>/dev/null || true"), "");
    EXPECT_EQ(outputOf("grep homeslice /proc/self/mounts || true"), "");
}

}  // namespace
}  // namespace homeslice::testing_support
