// Slices and slivers by name: inside slivers, and from outside by the home agent's DNS server. The askers are other
// people's programs: glibc's getent, curl, busybox's nslookup, BIND's dig.
#include <gmock/gmock.h>
#include <signal.h>

#include <cstdio>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using testing::HasSubstr;

constexpr const char* kServer = "@fd00:51ce::a0a0";

std::string dig(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"dig", "+tries=1", "+time=5", kServer});
    const CommandResult result = inClient(arguments);
    EXPECT_EQ(result.status, 0) << result.out;
    return result.out;
}

std::string addressByDig(const std::string& name) {
    std::string line = dig({"+short", name, "AAAA"});
    if (!line.empty() && line.back() == '\n') line.pop_back();
    return line;
}

class NamesTest : public LabTest {
protected:
    static void SetUpTestSuite() { bringUp({"--nodes", "2"}); }

    // The machine's own programs, with the network and the resolv.conf of the first sliver on `node`.
    static CommandResult asSliver(const std::string& node, const std::string& resolv_conf, const std::string& command) {
        const auto inspected = slicectlJson({"node", "inspect", node});
        const auto pid = inspected.at("slivers").at(0).at("record").at("process").at("pid").get<int>();
        const std::string path = testing::TempDir() + "hst-resolv-" + std::to_string(::getpid());
        std::FILE* const file = std::fopen(path.c_str(), "w");
        std::fputs(resolv_conf.c_str(), file);
        std::fclose(file);
        const CommandResult result =
            runCommand({"nsenter", "--target", std::to_string(pid), "--net", "unshare", "--mount", "sh", "-c",
                        "mount --bind " + path + " /etc/resolv.conf && " + command});
        std::remove(path.c_str());
        return result;
    }
    static std::string resolvConf(const std::string& id) {
        return slicectl({"exec", id, "--", "cat", "/etc/resolv.conf"}).out;
    }
};

TEST_F(NamesTest, SliversFindEachOtherByName) {
    createWebSlice("web", {"--nodes", "2"});
    HS_EXPECT_DONE(
        createSlice("other", {"--on", "node2", "--expose", "80/tcp", "--", "httpd", "-f", "-h", "/var/www"}));
    const std::string conf = resolvConf("web/1");
    EXPECT_EQ(conf, "nameserver fd51:1ce::53\nsearch slivers.internal\n");
    for (const char* name : {"2.web", "2.web.slivers.internal"}) {
        const CommandResult found = slicectl({"exec", "web/1", "--", "nslookup", "-type=aaaa", name});
        HS_EXPECT_DONE(found);
        EXPECT_THAT(found.out, HasSubstr(homeAddress("web/2")));
    }
    const CommandResult by_glibc = asSliver("node1", conf, "getent ahostsv6 2.web && getent ahostsv6 other");
    HS_EXPECT_DONE(by_glibc);
    EXPECT_THAT(by_glibc.out, HasSubstr(homeAddress("web/2")));
    EXPECT_THAT(by_glibc.out, HasSubstr(slicectlJson({"slice", "show", "other"}).value("address", "?")));
    const CommandResult fetched =
        asSliver("node1", conf, "curl -s --max-time 10 http://2.web/ && curl -s --max-time 10 http://other/");
    HS_EXPECT_DONE(fetched);
    EXPECT_THAT(fetched.out, HasSubstr("web-2"));
    const CommandResult by_address = asSliver("node1", conf, "getent hosts " + homeAddress("web/2"));
    EXPECT_THAT(by_address.out, HasSubstr("2.web.slivers.internal"));
    EXPECT_NE(asSliver("node1", conf, "getent ahostsv6 3.web.slivers.internal").status, 0);
}

TEST_F(NamesTest, OutsidersAskAHomeAgent) {
    createWebSlice("web", {"--nodes", "2"});
    const std::string address = homeAddress("web/2");
    EXPECT_EQ(addressByDig("2.web.slivers.internal"), address);
    EXPECT_EQ(dig({"+short", "+tcp", "2.web.slivers.internal", "AAAA"}), address + "\n");
    EXPECT_EQ(dig({"+short", "-x", address}), "2.web.slivers.internal.\n");
    const std::string denied = dig({"mail.slivers.internal", "AAAA"});
    EXPECT_THAT(denied, HasSubstr("status: NXDOMAIN"));
    EXPECT_THAT(denied, HasSubstr("SOA"));
    EXPECT_THAT(dig({"2.web.slivers.internal", "A"}), HasSubstr("status: NOERROR"));
    EXPECT_THAT(dig({"example.com", "AAAA"}), HasSubstr("status: REFUSED"));
    const CommandResult fetched =
        inClient({"curl", "-s", "--max-time", "10", "--resolve",
                  "2.web.slivers.internal:80:[" + addressByDig("2.web.slivers.internal") + "]",
                  "http://2.web.slivers.internal/"});
    EXPECT_THAT(fetched.out, HasSubstr("web-2"));
}

TEST_F(NamesTest, NamesComeAndGoWithTheirSliceAndStayWhenASliverMoves) {
    EXPECT_EQ(addressByDig("late.slivers.internal"), "");
    HS_EXPECT_DONE(createSlice("late", {"--on", "node1"}));
    const std::string address = homeAddress("late/1");
    EXPECT_EQ(addressByDig("1.late.slivers.internal"), address) << "at once, a denial just before or not";
    HS_EXPECT_DONE(slicectl({"sliver", "move", "late/1", "--to", "node2"}));
    EXPECT_EQ(addressByDig("1.late.slivers.internal"), address);
    HS_EXPECT_DONE(slicectl({"slice", "rm", "late"}));
    EXPECT_EQ(addressByDig("1.late.slivers.internal"), "");
    EXPECT_EQ(addressByDig("late.slivers.internal"), "");
}

TEST_F(NamesTest, AreAnsweredWithoutAControllerAndByANodedThatHasJustBegun) {
    HS_EXPECT_DONE(createSlice("web", {"--nodes", "2"}));
    const std::string address = homeAddress("web/2");
    const std::string conf = resolvConf("web/1");
    const auto pid =
        slicectlJson({"node", "inspect", "node1"}).at("slivers").at(0).at("record").at("process").at("pid");
    for (const auto& program : labPrograms()) {
        if (program.value("name", "") != "sliced") continue;
        EXPECT_EQ(::kill(program.value("pid", 0), SIGKILL), 0);
    }
    EXPECT_EQ(addressByDig("2.web.slivers.internal"), address);
    const auto inSliver = [&] {
        return runCommand({"nsenter", "--target", std::to_string(pid.get<int>()), "--net", "dig", "+short", "+tries=1",
                           "+time=1", "@fd51:1ce::53", "2.web", "AAAA"})
            .out;
    };
    EXPECT_EQ(inSliver(), address + "\n");
    HS_EXPECT_DONE(slicectl({"lab", "restart"}));
    EXPECT_TRUE(eventually([&] { return inSliver() == address + "\n"; }));
}

// A sliver that floods its resolver hurts itself: others' questions, and its node's work, go on.
TEST_F(NamesTest, AFloodOfQuestionsHarmsNobodyElse) {
    HS_EXPECT_DONE(createSlice("loud", {"--on", "node1"}));
    createWebSlice("web", {"--on", "node1"});
    HS_EXPECT_DONE(slicectl({"exec", "loud/1", "--", "sh", "-c",
                             "for i in 1 2 3; do (timeout 6 sh -c 'while :; do head -c 40 /dev/urandom; done' | "
                             "timeout 6 nc -u fd51:1ce::53 53 >/dev/null 2>&1 &) ; done"}));
    for (int i = 0; i < 5; ++i) {
        const CommandResult found = slicectl({"exec", "web/1", "--", "nslookup", "-type=aaaa", "1.web"});
        HS_EXPECT_DONE(found);
    }
    EXPECT_NE(fetch(homeAddress("web/1")), "");
}

}  // namespace
}  // namespace homeslice::testing_support
