#include "tests/support/lab_users.h"

#include <cstdlib>
#include <filesystem>

namespace homeslice::testing_support {

void LabUsersTest::SetUp() {
    LabTest::SetUp();
    std::string directory = (std::filesystem::temp_directory_path() / "hst-users-XXXXXX").string();
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    directory_ = directory;
}

void LabUsersTest::TearDown() {
    LabTest::TearDown();
    for (const std::string& user : users_) HS_EXPECT_DONE(slicectl({"user", "rm", user}));
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
}

void LabUsersTest::addUser(const std::string& user) {
    const CommandResult added = slicectl({"user", "add", user});
    HS_EXPECT_DONE(added);
    users_.push_back(user);
    HS_EXPECT_DONE(as(user, {"context", "add", "lab", "--controller", kLabController, "--token", lastLine(added.out)}));
}

CommandResult LabUsersTest::as(const std::string& user, const std::vector<std::string>& arguments) const {
    std::vector<std::string> argv{"env", "XDG_CONFIG_HOME=" + directory_ + "/" + user,
                                  std::string(HS_BIN_DIRECTORY) + "/slicectl"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return inClient(argv);
}

std::string LabUsersTest::identityOf(const std::string& user) const {
    return directory_ + "/" + user + "/homeslice/contexts/lab/identity.pem";
}

}  // namespace homeslice::testing_support
