// Homeslice installed as docs/guide/installing.md says, on a machine that loses its power.
#include "tests/vm/machine_test.h"

namespace homeslice::testing_support {
namespace {

constexpr std::chrono::seconds kPatience{180};

class RebootTest : public MachineTest {
protected:
    static void install() {
        outputOf("systemd-sysusers");
        outputOf("mkdir -p /etc/homeslice && cp /usr/share/doc/homeslice/examples/*.conf /etc/homeslice");
        outputOf("systemctl daemon-reload && systemctl enable --now sliced");
        eventually([] { return run("slicectl node ls").status == 0; }, kPatience);
        outputOf("noded join --config /etc/homeslice/noded.conf --token $(slicectl node token node1)");
        outputOf("systemctl enable --now noded");
    }
    static bool awaitNode() {
        return eventually([] { return run("slicectl node ls -o json | jq -e '.[0].ready'").status == 0; }, kPatience);
    }
    static bool awaitAllRunning() {
        const std::string are_running = "jq -e '[.[].state == \"running\"] == [true, true, true]'";
        return eventually([&] { return run("slicectl sliver ls -o json | " + are_running).status == 0; }, kPatience);
    }
    // What a failed test shows.
    static std::string story() {
        return run("slicectl sliver ls; journalctl -b -u noded -u sliced --no-pager | tail -n 40").out;
    }
    static std::string homeAddressOf(const std::string& sliver) {
        return outputOf("slicectl sliver show " + sliver + " -o json | jq -r .home_address");
    }
    // The node itself asks.
    static std::string fetch(const std::string& address) {
        return run("curl -gs --max-time 5 'http://[" + address + "]/'").out;
    }
    // Its PID 1's, which no restart of it could keep.
    static std::string startTimeOf(const std::string& sliver) {
        return outputOf("slicectl exec " + sliver + " -- cut -d' ' -f22 /proc/1/stat");
    }
};

TEST_F(RebootTest, SliversComeBackWithTheirAddressesAndDisks) {
    install();
    ASSERT_TRUE(awaitNode()) << story();
    HS_EXPECT_DONE(run("slicectl image build busybox"));
    HS_EXPECT_DONE(
        run("slicectl slice create web --image busybox --nodes 1 --slivers 2 --expose 80/tcp --memory 64M"
            " -- httpd -f -p 80 -h /var/www"));
    HS_EXPECT_DONE(run("slicectl slice create idle --image busybox --nodes 1"));
    HS_EXPECT_DONE(run("slicectl exec web -- sh -c 'hostname >/var/www/index.html; sync'"));
    const std::string first = homeAddressOf("web/1");
    const std::string second = homeAddressOf("web/2");
    EXPECT_EQ(fetch(first), "web-1\n");
    EXPECT_EQ(fetch(second), "web-2\n");

    machine_->cutPower();
    ASSERT_TRUE(machine_->boot()) << machine_->console();
    ASSERT_TRUE(awaitNode()) << story();
    EXPECT_TRUE(awaitAllRunning()) << story();
    EXPECT_EQ(homeAddressOf("web/1"), first);
    EXPECT_EQ(homeAddressOf("web/2"), second);
    EXPECT_EQ(fetch(first), "web-1\n");
    EXPECT_EQ(fetch(second), "web-2\n");
    EXPECT_EQ(outputOf("systemctl --failed --plain --no-legend"), "");
}

TEST_F(RebootTest, AServiceManagerThatRestartsTheProgramsDisturbsNoSliver) {
    const std::string started = startTimeOf("web/1");
    HS_EXPECT_DONE(run("systemctl restart noded sliced"));
    ASSERT_TRUE(awaitNode()) << story();
    EXPECT_TRUE(awaitAllRunning()) << story();
    EXPECT_EQ(startTimeOf("web/1"), started);
}

}  // namespace
}  // namespace homeslice::testing_support
