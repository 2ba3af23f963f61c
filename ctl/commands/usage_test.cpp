// What the command line refuses, and what it teaches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "ctl/commands/fake_controller.h"

namespace homeslice::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct BadInput {
    std::vector<std::string> arguments;
    std::string says;
};

class Usage : public ::testing::Test {
protected:
    FakeController controller_;
};

TEST_F(Usage, BadInputIsOneLineAndReachesNobody) {
    const std::vector<std::string> create{"slice", "create", "web", "--image", "debian", "--nodes", "1"};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), create.begin(), create.end());
        return more;
    };
    const std::vector<BadInput> cases{
        {with({"--memory", "-1"}), "--memory '-1' is not valid: use a whole number above 0"},
        {with({"--memory=-1"}), "--memory '-1' is not valid"},
        {with({"--memory", ""}), "--memory '' is not valid"},
        {with({"--memory", "0"}), "--memory '0' is not valid"},
        {with({"--memory", "99999999999T"}), "--memory '99999999999T' is not valid"},
        {with({"--pids", "-1"}), "--pids '-1' is not valid: use a whole number from 1 to 4194304"},
        {with({"--cpus", "0"}), "--cpus '0' is not valid"},
        {with({"--cpus", "-0.5"}), "--cpus '-0.5' is not valid"},
        {with({"--slivers", "0"}), "--slivers '0' is not valid"},
        {with({"--lease", "-7d"}), "--lease '-7d' is not valid"},
        {with({"--lease", "forever"}), "--lease 'forever' is not valid"},
        {with({"--expose", "80/sctp"}), "--expose '80/sctp' is not valid"},
        {with({"--expose", "80", "--expose", "80/tcp"}), "--expose names '80/tcp' twice"},
        {with({"--timeout", "0s"}), "--timeout '0s' is not valid"},
        {with({"--on", "node1"}), "say where: --nodes N"},
        {{"slice", "create", "web", "--image", "debian"}, "say where: --nodes N"},
        {{"slice", "create", "Web", "--image", "debian", "--nodes", "1"}, "slice name 'Web' is not valid"},
        {{"slice", "create", "web", "--image", "a/b", "--nodes", "1"}, "image name 'a/b' is not valid"},
        {{"slice", "create", "web", "--image", "debian", "--nodes", "-3"}, "--nodes '-3' is not valid"},
        {{"slice", "create", "web", "--image", "debian", "--on", "node1,node1"}, "twice"},
        {{"slice", "rm", "web-"}, "slice name 'web-' is not valid"},
        {{"sliver", "move", "web", "--to", "node1"}, "sliver 'web' is not valid"},
        {{"sliver", "move", "web/1", "--to", ""}, "node name '' is not valid"},
        {{"exec", "web/0", "--", "true"}, "sliver 'web/0' is not valid"},
        {{"logs", "web/x"}, "sliver 'web/x' is not valid"},
        {{"node", "show", "no_de"}, "node name 'no_de' is not valid"},
        {{"image", "import", "/nonexistent/file.tar"}, "/nonexistent/file.tar"},
        {{"image", "build", "../etc"}, "image name '../etc' is not valid"}};
    for (const BadInput& input : cases) {
        const Outcome outcome = slicectl(controller_, input.arguments);
        EXPECT_NE(outcome.exit_status, 0) << input.says;
        EXPECT_THAT(outcome.err, StartsWith("slicectl: "));
        EXPECT_THAT(outcome.err, HasSubstr(input.says));
        EXPECT_THAT(outcome.out, IsEmpty());
    }
    EXPECT_EQ(controller_.creations, 0);
}

TEST_F(Usage, BadValuesHaveOneLineAndStatusOne) {
    const Outcome outcome =
        slicectl(controller_, {"slice", "create", "web", "--image", "debian", "--nodes", "3", "--memory", "-1"});
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
}

TEST_F(Usage, MistakesPointToTheHelp) {
    const std::vector<BadInput> cases{
        {{"slice", "create", "web"}, "slicectl: --image is required (see slicectl slice create --help)\n"},
        {{"slice", "create", "web", "--image"}, "(see slicectl slice create --help)\n"},
        {{"slice", "create", "web", "--color", "red"}, "(see slicectl slice create --help)\n"},
        {{"slice", "frob"},
         "slicectl: unknown command 'frob'; there are: create, plan, ls, show, set, share, lend, return, loans, renew, "
         "rm (see slicectl slice"},
        {{"frob"}, "slicectl: unknown command 'frob'; there are: slice,"},
        {{}, "slicectl: a command is missing; there are: slice,"},
        {{"slice", "ls", "extra"}, "extra"},
        {{"slice", "ls", "-o", "xml"}, "'xml': use table, wide, json or yaml (see slicectl slice ls --help)\n"},
        {{"exec", "web"}, "slicectl: a command is missing: put it at the end, after -- (see slicectl exec --help)\n"},
        {{"exec", "web", "--"}, "a command is missing"},
        {{"slice", "ls", "--", "true"}, "slicectl: takes no command after -- (see slicectl slice ls --help)\n"}};
    for (const BadInput& input : cases) {
        const Outcome outcome = slicectl(controller_, input.arguments);
        EXPECT_EQ(outcome.exit_status, 1) << input.says;
        EXPECT_THAT(outcome.err, StartsWith("slicectl: "));
        EXPECT_THAT(outcome.err, HasSubstr(input.says));
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    }
}

TEST_F(Usage, HelpTeachesWithAnExample) {
    const std::vector<std::vector<std::string>> commands{{"slice", "create"},
                                                         {"slice", "ls"},
                                                         {"slice", "show"},
                                                         {"slice", "set"},
                                                         {"slice", "renew"},
                                                         {"slice", "rm"},
                                                         {"sliver", "freeze"},
                                                         {"sliver", "thaw"},
                                                         {"sliver", "ls"},
                                                         {"sliver", "show"},
                                                         {"sliver", "move"},
                                                         {"exec"},
                                                         {"logs"},
                                                         {"image", "build"},
                                                         {"image", "ls"},
                                                         {"image", "import"},
                                                         {"image", "rm"},
                                                         {"node", "ls"},
                                                         {"node", "show"},
                                                         {"node", "inspect"},
                                                         {"home", "ls"},
                                                         {"slice", "lend"},
                                                         {"slice", "return"},
                                                         {"slice", "loans"},
                                                         {"operation", "ls"},
                                                         {"operation", "show"},
                                                         {"operation", "cancel"},
                                                         {"reservation", "create"},
                                                         {"reservation", "ls"},
                                                         {"reservation", "rm"},
                                                         {"node", "rebalance"},
                                                         {"user", "show"},
                                                         {"user", "quota", "show"},
                                                         {"user", "quota", "set"}};
    for (std::vector<std::string> command : commands) {
        command.emplace_back("--help");
        const Outcome outcome = slicectl(controller_, command);
        EXPECT_EQ(outcome.exit_status, 0);
        EXPECT_THAT(outcome.out, HasSubstr("Example: slicectl " + command[0]));
    }
}

TEST_F(Usage, HelpShowsWhereTheCommandGoes) {
    EXPECT_THAT(slicectl(controller_, {"exec", "--help"}).out, HasSubstr("[OPTIONS] SLICE[/INDEX] -- CMD...\n"));
    EXPECT_THAT(slicectl(controller_, {"slice", "create", "--help"}).out, HasSubstr("[OPTIONS] NAME [-- CMD...]\n"));
}

TEST_F(Usage, Version) {
    const Outcome outcome = slicectl(controller_, {"--version"});
    EXPECT_EQ(outcome.exit_status, 0);
    EXPECT_THAT(outcome.out, StartsWith("slicectl 0."));
}

TEST_F(Usage, NamesLikeCommandsAreNames) {
    controller_.addSliver("home", 1, "node1");
    EXPECT_EQ(slicectl(controller_, {"slice", "show", "home"}).exit_status, 0);
    controller_.addSliver("show", 1, "node1");
    EXPECT_EQ(slicectl(controller_, {"slice", "show", "show"}).exit_status, 0);
}

}  // namespace
}  // namespace homeslice::ctl
