// Users of a lab, each with credentials of their own at the outside client.
#pragma once

#include <string>
#include <vector>

#include "tests/support/lab.h"

namespace homeslice::testing_support {

// Where the lab's controller listens, as seen from the outside client and from nodes.
inline const std::string kLabController = "[fd00:51ce::c0c0]:7400";

// For suites with such users; they and their files go with each test, after the slices.
class LabUsersTest : public LabTest {
protected:
    void SetUp() override;
    void TearDown() override;

    // Makes the user, who redeems the token at the outside client.
    void addUser(const std::string& user);
    // slicectl as that user, on the outside client.
    CommandResult as(const std::string& user, const std::vector<std::string>& arguments) const;
    // The file with the user's certificate and key.
    std::string identityOf(const std::string& user) const;

    std::string directory_;
    std::vector<std::string> users_;  // that are removed in the end
};

}  // namespace homeslice::testing_support
