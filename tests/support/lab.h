// A lab for end-to-end tests, driven by the built slicectl as a user would. One lab per machine: register tests that
// use it with SERIAL lab.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/command.h"
#include "tests/support/host_snapshot.h"
#include "tests/support/privileges.h"

namespace homeslice::testing_support {

// slicectl of this build with `arguments`.
CommandResult slicectl(const std::vector<std::string>& arguments, const std::string& input = "",
                       std::chrono::seconds timeout = std::chrono::seconds(120));
// As slicectl -o json; null when it failed or said anything but JSON (then the test has failed too).
nlohmann::json slicectlJson(std::vector<std::string> arguments);
// The programs of `lab status`.
nlohmann::json labPrograms();
// Stores the busybox image, built by this tree's recipe.
CommandResult buildBusybox();
// A program in the outside client's or in a node's network namespace.
CommandResult inClient(const std::vector<std::string>& argv);

// "http://[address]/path" fetched by the outside client with curl; "" when it failed within two seconds.
std::string fetch(const std::string& address, const std::string& path = "");

// Expects success, and shows what the program said otherwise.
#define HS_EXPECT_DONE(result)                                                                          \
    do {                                                                                                \
        const ::homeslice::testing_support::CommandResult& hs_result = (result);                        \
        EXPECT_EQ(hs_result.status, 0) << "stdout:\n" << hs_result.out << "stderr:\n" << hs_result.err; \
    } while (false)

// Brings a lab of three nodes with the busybox image up before the first test of the suite and down after the last;
// each test removes the slices that it made (removeSlice() in TearDown for those in `slices_`).
class LabTest : public testing::Test {
protected:
    static void SetUpTestSuite();
    static void TearDownTestSuite();
    // `lab up ARGUMENTS...` and the image, for suites that want another lab.
    static void bringUp(const std::vector<std::string>& arguments);
    void SetUp() override;
    void TearDown() override;

    // `slice create NAME --image busybox ARGUMENTS...`, removed at the end of the test.
    CommandResult createSlice(const std::string& name, const std::vector<std::string>& arguments);
    // A slice that serves each sliver's host name at / and keeps its files in /var/www.
    void createWebSlice(const std::string& name, const std::vector<std::string>& placement);
    nlohmann::json sliver(const std::string& id) { return slicectlJson({"sliver", "show", id}); }
    std::string homeAddress(const std::string& id) { return sliver(id).value("home_address", ""); }

    static HostSnapshot before_;
    static bool up_;  // the lab is this suite's
    std::vector<std::string> slices_;
};

// Calls `holds` until it is true or `timeout` has passed; what is awaited is seen from outside only, by asking again.
template <typename Condition>
bool eventually(Condition holds, std::chrono::seconds timeout = std::chrono::seconds(20));

void pauseBetweenLooks();

template <typename Condition>
bool eventually(Condition holds, std::chrono::seconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        pauseBetweenLooks();
    }
    return true;
}

}  // namespace homeslice::testing_support
