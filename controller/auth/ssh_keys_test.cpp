#include "controller/auth/ssh_keys.h"

#include <gtest/gtest.h>

namespace homeslice::controller {
namespace {

const std::string kBody = "AAAAC3NzaC1lZDI1NTE5AAAAIGJvYmJvYmJvYmJvYmJvYmJvYmJvYmJvYmJvYmJv";
const std::string kKey = "ssh-ed25519 " + kBody + " bob@example laptop";

TEST(SshKeysTest, TakesOneKeyAndNothingElse) {
    EXPECT_EQ(parseSshKey("  ssh-ed25519   " + kBody + "  bob@example laptop \n").value(), kKey);
    EXPECT_TRUE(parseSshKey("ssh-ed25519 " + kBody).ok());
    for (const std::string& bad :
         {std::string(), std::string("ssh-ed25519"), "ssh-dss " + kBody, "ssh-ed25519 AAA!" + kBody, kKey + "\n" + kKey,
          "command=\"rm\" " + kKey, "ssh-ed25519 " + kBody + std::string(9000, 'x')}) {
        EXPECT_EQ(parseSshKey(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
    }
}

TEST(SshKeysTest, AKeyIsThereOnce) {
    const std::vector<std::string> one = withSshKey({}, kKey).value();
    EXPECT_EQ(withSshKey(one, "ssh-ed25519 " + kBody + " renamed").status().code(), absl::StatusCode::kAlreadyExists);
}

TEST(SshKeysTest, IsRemovedByItselfOrItsComment) {
    for (const std::string& by : {kKey, kBody, std::string("bob@example laptop")}) {
        EXPECT_TRUE(withoutSshKey({kKey}, by)->empty()) << by;
    }
    EXPECT_EQ(withoutSshKey({kKey}, "laptop").status().code(), absl::StatusCode::kNotFound);
    const std::string other = "ssh-rsa " + kBody + " bob@example laptop";
    EXPECT_EQ(withoutSshKey({kKey, other}, "bob@example laptop").status().code(),
              absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace homeslice::controller
