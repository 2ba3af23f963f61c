#include "tests/support/lab.h"

#include <thread>

namespace homeslice::testing_support {

HostSnapshot LabTest::before_;
bool LabTest::up_ = false;

CommandResult slicectl(const std::vector<std::string>& arguments, const std::string& input,
                       std::chrono::seconds timeout) {
    std::vector<std::string> argv{std::string(HS_BIN_DIRECTORY) + "/slicectl"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return runCommand(argv, input, timeout);
}

nlohmann::json slicectlJson(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-o", "json"});
    const CommandResult result = slicectl(arguments);
    HS_EXPECT_DONE(result);
    auto value = nlohmann::json::parse(result.out, nullptr, false);
    if (value.is_discarded()) {
        ADD_FAILURE() << "not JSON: " << result.out;
        return nullptr;
    }
    return value;
}

nlohmann::json labPrograms() { return slicectlJson({"lab", "status"}).value("programs", nlohmann::json::array()); }

CommandResult buildBusybox() { return slicectl({"image", "build", "busybox", "--recipes", HS_IMAGES_DIRECTORY}); }

CommandResult inClient(const std::vector<std::string>& argv) {
    std::vector<std::string> arguments{"lab", "client", "--"};
    arguments.insert(arguments.end(), argv.begin(), argv.end());
    return slicectl(arguments);
}

std::string fetch(const std::string& address, const std::string& path) {
    const CommandResult result = inClient({"curl", "-gsf", "--max-time", "2", "http://[" + address + "]/" + path});
    return result.status == 0 ? result.out : "";
}

void pauseBetweenLooks() { std::this_thread::sleep_for(std::chrono::milliseconds(50)); }

void LabTest::SetUpTestSuite() { bringUp({"--nodes", "3"}); }

void LabTest::bringUp(const std::vector<std::string>& arguments) {
    if (::geteuid() != 0) return;  // SetUp() says so
    before_ = takeHostSnapshot();
    std::vector<std::string> up{"lab", "up"};
    up.insert(up.end(), arguments.begin(), arguments.end());
    const CommandResult brought_up = slicectl(up);
    HS_EXPECT_DONE(brought_up);
    up_ = brought_up.status == 0;
    if (up_) HS_EXPECT_DONE(buildBusybox());
}

void LabTest::TearDownTestSuite() {
    if (!up_) return;
    HS_EXPECT_DONE(slicectl({"lab", "down"}));
    EXPECT_EQ(awaitNoLeftovers(before_), "");
}

void LabTest::SetUp() {
    HS_REQUIRE_ROOT();
    ASSERT_TRUE(up_) << "there is no lab to test in";
}

void LabTest::TearDown() {
    for (const std::string& name : slices_) {
        const CommandResult result = slicectl({"slice", "rm", name});
        EXPECT_TRUE(result.status == 0 || result.status == 3) << result.err;
    }
}

CommandResult LabTest::createSlice(const std::string& name, const std::vector<std::string>& arguments) {
    std::vector<std::string> all{"slice", "create", name, "--image", "busybox"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    slices_.push_back(name);
    return slicectl(all);
}

void LabTest::createWebSlice(const std::string& name, const std::vector<std::string>& placement) {
    std::vector<std::string> arguments = placement;
    arguments.insert(arguments.end(), {"--expose", "80/tcp", "--", "sh", "-c",
                                       "hostname > /var/www/index.html; exec httpd -f -p 80 -h /var/www"});
    HS_EXPECT_DONE(createSlice(name, arguments));
    for (const auto& each : slicectlJson({"sliver", "ls", name})) {
        const std::string address = each.value("home_address", "");
        EXPECT_TRUE(eventually([&address] { return !fetch(address).empty(); })) << address << " does not answer";
    }
}

}  // namespace homeslice::testing_support
