// A lease of seconds and a short grace, for real: what its end stops, what a renewal brings back, and that nothing is
// left when the grace is over.
#include <gmock/gmock.h>

#include "tests/support/lab.h"

namespace homeslice::testing_support {
namespace {

using ::testing::HasSubstr;

constexpr int kSlices = 15;  // that a /60 has room for
constexpr std::chrono::seconds kGrace{10};
constexpr std::chrono::seconds kLook{1};
constexpr std::chrono::seconds kEnd{60};

class LeaseTest : public LabTest {
protected:
    static void SetUpTestSuite() {
        bringUp({"--nodes", "1", "--home-prefix", "fd51:1ce::/60", "--grace", std::to_string(kGrace.count()) + "s"});
    }

    static std::string sliceState() { return slicectlJson({"slice", "show", "brief"}).value("state", ""); }
    std::string sliverState() { return sliver("brief/1").value("state", ""); }
    // Of the command, which writes a line after the other.
    static std::string lastWord() { return slicectl({"logs", "brief/1", "--tail", "1"}).out; }
    // To a later slice, after all others.
    bool comesBack(const std::string& address) {
        for (int i = 0; i < kSlices; ++i) {
            HS_EXPECT_DONE(createSlice("next", {"--on", "node1", "--no-wait"}));
            const bool is_back = homeAddress("next/1") == address;
            HS_EXPECT_DONE(slicectl({"slice", "rm", "next"}));
            if (is_back) return true;
        }
        return false;
    }
    static bool goesOn() {
        const std::string word = lastWord();
        return eventually([&word] { return lastWord() != word; }, kLook);
    }
};

TEST_F(LeaseTest, AnEndedLeaseFreezesARenewalThawsAndTheEndOfTheGraceLeavesNothing) {
    HS_EXPECT_DONE(createSlice("brief", {"--on", "node1", "--expose", "80/tcp", "--", "sh", "-c",
                                         "echo hello > /var/www/index.html; httpd -p 80 -h /var/www; "
                                         "i=0; while :; do echo $i; i=$((i + 1)); sleep 0.1; done"}));
    const std::string address = homeAddress("brief/1");
    EXPECT_TRUE(eventually([&] { return fetch(address) == "hello\n"; }));
    EXPECT_TRUE(goesOn());
    EXPECT_EQ(slicectlJson({"slice", "renew", "brief", "--lease", "2s"}).value("state", ""), "ending");
    EXPECT_THAT(slicectl({"slice", "ls"}).out, HasSubstr("ending")) << "the warning";

    EXPECT_TRUE(eventually([] { return sliceState() == "suspended"; }));
    ASSERT_TRUE(eventually([this] { return sliverState() == "frozen"; }));
    EXPECT_FALSE(goesOn()) << "its processes stand still";
    EXPECT_EQ(fetch(address), "");
    const std::string word = lastWord();

    HS_EXPECT_DONE(slicectl({"slice", "renew", "brief", "--lease", "2d"}));
    EXPECT_TRUE(eventually([this] { return sliverState() == "running"; }));
    EXPECT_EQ(sliceState(), "active");
    EXPECT_TRUE(goesOn());
    EXPECT_GT(std::stoi(lastWord()), std::stoi(word)) << "it is the same process";
    EXPECT_TRUE(eventually([&] { return fetch(address) == "hello\n"; }));

    HS_EXPECT_DONE(slicectl({"slice", "renew", "brief", "--lease", "2s"}));
    EXPECT_TRUE(eventually([this] { return sliverState() == "frozen"; }));
    EXPECT_TRUE(eventually([] { return slicectl({"slice", "show", "brief"}).status == 3; }, kEnd));
    EXPECT_EQ(slicectlJson({"sliver", "ls"}).size(), 0U);
    EXPECT_EQ(slicectlJson({"home", "ls"}).size(), 0U) << "no home agent knows its addresses";
    const auto node = slicectlJson({"node", "inspect", "node1"});
    EXPECT_TRUE(node.at("slivers").empty()) << node.at("slivers");
    EXPECT_TRUE(comesBack(address));

    const std::string log = slicectl({"audit", "log", "--tail", "50"}).out;
    for (const char* entry : {"LeaseEnding", "SuspendSlice", "RenewSlice"}) EXPECT_THAT(log, HasSubstr(entry));
}

}  // namespace
}  // namespace homeslice::testing_support
