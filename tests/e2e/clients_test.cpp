// What people use: ssh, redis, nginx and iperf3 of Debian in slivers, and their clients outside, at one address before
// and after a move.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using testing::HasSubstr;

class ClientsTest : public LabTest {
protected:
    static void SetUpTestSuite() {
        LabTest::SetUpTestSuite();
        if (!up_) return;
        HS_EXPECT_DONE(slicectl({"image", "build", "servers", "--recipes", HS_TEST_IMAGES_DIRECTORY}, "",
                                std::chrono::seconds(240)));
    }
    void SetUp() override {
        LabTest::SetUp();
        std::string directory = (std::filesystem::temp_directory_path() / "hst-clients-XXXXXX").string();
        ASSERT_NE(::mkdtemp(directory.data()), nullptr);
        directory_ = directory;
        HS_EXPECT_DONE(runCommand({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "hst-clients", "-f", key()}));
        HS_EXPECT_DONE(slicectl({"user", "key", "add", key() + ".pub"}));
    }
    void TearDown() override {
        LabTest::TearDown();
        HS_EXPECT_DONE(slicectl({"user", "key", "rm", "hst-clients"}));
        std::filesystem::remove_all(directory_);
    }

    void createServers(const std::vector<std::string>& placement) {
        slices_.push_back("servers");
        std::vector<std::string> arguments{"slice",    "create",   "servers",  "--image",  "servers",
                                           "--expose", "22/tcp",   "--expose", "6379/tcp", "--expose",
                                           "80/tcp",   "--expose", "5201/tcp"};
        arguments.insert(arguments.end(), placement.begin(), placement.end());
        arguments.insert(arguments.end(), {"--", "serve"});
        HS_EXPECT_DONE(slicectl(arguments));
    }

    std::string key() const { return directory_ + "/key"; }
    // The host key is taken on trust the first time, and has to be the same ever after.
    CommandResult ssh(const std::string& address, const std::string& command) const {
        return inClient({"ssh", "-i", key(), "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o",
                         "StrictHostKeyChecking=accept-new", "-o", "UserKnownHostsFile=" + directory_ + "/known_hosts",
                         "root@" + address, command});
    }
    static CommandResult redis(const std::string& address, std::vector<std::string> words) {
        words.insert(words.begin(), {"redis-cli", "-h", address});
        return inClient(words);
    }
    static double gigabitsBothWays(const std::string& address) {
        double least = 1e9;
        for (const char* direction : {"--get-server-output", "--reverse"}) {
            const CommandResult run = inClient({"iperf3", "-6", "-c", address, "-t", "1", direction, "-J"});
            HS_EXPECT_DONE(run);
            const auto report = nlohmann::json::parse(run.out, nullptr, false);
            const auto received = nlohmann::json::json_pointer("/end/sum_received/bits_per_second");
            least = std::min(least, report.is_object() ? report.value(received, 0.0) / 1e9 : 0.0);
        }
        return least;
    }
    void expectAllServe(const std::string& address) const {
        EXPECT_TRUE(eventually([&] { return redis(address, {"ping"}).out == "PONG\n"; }));
        EXPECT_TRUE(eventually([&] { return ssh(address, "hostname").out == "servers-1\n"; }))
            << ssh(address, "hostname").err;
        EXPECT_EQ(fetch(address), "servers-1\n");
        EXPECT_GT(gigabitsBothWays(address), 0.01);
    }

    std::string directory_;
};

TEST_F(ClientsTest, FindTheirServersAtOneAddressBeforeAndAfterAMove) {
    createServers({"--on", "node1"});
    const std::string address = homeAddress("servers/1");
    expectAllServe(address);
    EXPECT_EQ(redis(address, {"set", "kept", "by the disk"}).out, "OK\n");
    HS_EXPECT_DONE(ssh(address, "echo note > /root/note"));

    HS_EXPECT_DONE(slicectl({"sliver", "move", "servers/1", "--to", "node2"}));
    expectAllServe(address);
    EXPECT_EQ(redis(address, {"get", "kept"}).out, "by the disk\n");
    EXPECT_EQ(ssh(address, "cat /root/note").out, "note\n");
}

TEST_F(ClientsTest, ReachEachOtherFromSliverToSliver) {
    createServers({"--on", "node1,node3"});
    const std::string address = homeAddress("servers/1");
    EXPECT_TRUE(eventually([&] {
        return slicectl({"exec", "servers/2", "--", "redis-cli", "-h", address, "ping"}).out == "PONG\n";
    }));
    const CommandResult run =
        slicectl({"exec", "servers/2", "--", "iperf3", "-6", "-c", address, "-t", "1", "--connect-timeout", "5000"});
    HS_EXPECT_DONE(run);
    EXPECT_THAT(run.out, HasSubstr("receiver"));
}

}  // namespace
}  // namespace homeslice::testing_support
