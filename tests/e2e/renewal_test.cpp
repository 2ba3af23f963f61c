// Certificates of a few seconds, on the real programs: nodes and users renew theirs and all goes on, whoever is late is
// out.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "base/file.h"
#include "tests/support/lab_users.h"

namespace homeslice::testing_support {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kStates = "/var/lib/homeslice/lab/";
constexpr std::chrono::seconds kLifetime{48};

class RenewalTest : public LabUsersTest {
protected:
    static void SetUpTestSuite() {
        bringUp({"--nodes", "2", "--certificate-lifetime", std::to_string(kLifetime.count()) + "s"});
    }
    static bool hasExpired(const std::string& identity) {
        return runCommand({"openssl", "x509", "-noout", "-checkend", "0", "-in", identity}).status == 1;
    }
};

TEST_F(RenewalTest, NodesAndUsersRenewInTimeWhileEverythingGoesOn) {
    addUser("alice");
    addUser("late");
    createWebSlice("web", {"--on", "node1,node2"});
    const std::string address = homeAddress("web/1");
    const auto bootOf = [](const std::string& sliver) {
        return slicectl({"exec", sliver, "--", "cut", "-d", " ", "-f", "22", "/proc/1/stat"}).out;
    };
    const std::string boot = bootOf("web/1");
    std::map<std::string, std::string> first;  // by file
    for (const std::string owner : {"ha/tls", "node1/tls", "node2/tls"}) {
        first[kStates + owner + "/identity.pem"];
    }
    first[identityOf("alice")];
    for (auto& [path, content] : first) content = readFile(path).value_or("");
    const std::string old_node = directory_ + "/old-node1.pem";
    ASSERT_TRUE(replaceFile(old_node, first[kStates + "node1/tls/identity.pem"]).ok());

    // Who has a certificate uses it now and then; that renews it.
    const auto allAreOthers = [&] {
        HS_EXPECT_DONE(as("alice", {"slice", "ls"}));
        return hasExpired(old_node) && std::all_of(first.begin(), first.end(), [](const auto& file) {
                   return readFile(file.first).value_or(file.second) != file.second;
               });
    };
    EXPECT_TRUE(eventually(allAreOthers, 3 * kLifetime));
    for (const auto& [path, content] : first) EXPECT_FALSE(hasExpired(path)) << path;

    EXPECT_TRUE(eventually([] {
        const auto nodes = slicectlJson({"node", "ls"});
        return nodes.size() == 3 &&
               std::all_of(nodes.begin(), nodes.end(), [](const auto& node) { return node.value("ready", false); });
    }));
    EXPECT_THAT(readFile("/run/homeslice/lab/sliced.log").value_or(""),
                AllOf(HasSubstr("node node1 connected"), Not(HasSubstr("disconnected"))));
    EXPECT_EQ(bootOf("web/1"), boot);
    EXPECT_TRUE(eventually([&] { return !fetch(address).empty(); }));
    HS_EXPECT_DONE(slicectl({"sliver", "move", "web/1", "--to", "node2"}));
    EXPECT_TRUE(eventually([&] { return !fetch(address).empty(); })) << "a move needs every connection anew";

    ASSERT_TRUE(eventually([this] { return hasExpired(identityOf("late")); }, kLifetime));
    const CommandResult late = as("late", {"slice", "ls"});
    EXPECT_NE(late.status, 0);
    EXPECT_THAT(late.err, HasSubstr("your certificate expired"));
    HS_EXPECT_DONE(slicectl({"slice", "rm", "web"}));
}

}  // namespace
}  // namespace homeslice::testing_support
