// A system whose nodes and controller have IPv4 addresses alone, and whose nodes let slivers out.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Serves a word to whoever asks, as the outside client.
class OutsideServer {
public:
    OutsideServer() {
        EXPECT_TRUE(makeDirectories(directory_).ok());
        EXPECT_TRUE(replaceFile(directory_ + "/word", "from outside").ok());
        const CommandResult started =
            inClient({"sh", "-c", "busybox httpd -f -p '[::]:8080' -h " + directory_ + " >/dev/null 2>&1 & echo $!"});
        pid_ = std::atoi(started.out.c_str());
        EXPECT_GT(pid_, 1) << started.err;
    }
    ~OutsideServer() {
        if (pid_ > 1) ::kill(pid_, SIGKILL);
        EXPECT_TRUE(removeTree(directory_).ok());
    }
    OutsideServer(const OutsideServer&) = delete;
    OutsideServer& operator=(const OutsideServer&) = delete;

private:
    const std::string directory_ = testing::TempDir() + "outside-" + std::to_string(::getpid());
    pid_t pid_ = 0;
};

class PathsTest : public LabTest {
protected:
    static void SetUpTestSuite() { bringUp({"--nodes", "2", "--ipv4", "--outbound"}); }

    static std::string get(const std::string& sliver, const std::string& url) {
        const CommandResult got = slicectl({"exec", sliver, "--", "wget", "-q", "-O", "-", url});
        return got.status == 0 ? got.out : got.err;
    }
};

TEST_F(PathsTest, EverybodyIsReachedOverIpv4) {
    for (const auto& node : slicectlJson({"node", "ls"}))
        EXPECT_THAT(node.value("care_of_address", ""), StartsWith("10.51.")) << node;
    createWebSlice("web", {"--on", "node1,node2"});
    const std::string first = homeAddress("web/1");
    EXPECT_THAT(fetch(first), HasSubstr("web-1"));
    EXPECT_THAT(fetch(homeAddress("web/2")), HasSubstr("web-2"));
    EXPECT_THAT(get("web/2", "http://[" + first + "]/"), HasSubstr("web-1"));
    HS_EXPECT_DONE(slicectl({"sliver", "move", "web/1", "--to", "node2"}));
    EXPECT_TRUE(eventually([&] { return fetch(first).find("web-1") != std::string::npos; }));
    EXPECT_EQ(homeAddress("web/1"), first);
}

TEST_F(PathsTest, SliversReachHostsOutside) {
    const OutsideServer server;
    HS_EXPECT_DONE(createSlice("out", {"--nodes", "1"}));
    EXPECT_EQ(get("out/1", "http://10.51.204.204:8080/word"), "from outside") << "under the node's address";
    EXPECT_EQ(get("out/1", "http://[fd00:51ce::cccc]:8080/word"), "from outside") << "through the home agent";
}

}  // namespace
}  // namespace homeslice::testing_support
