#include "pki/token.h"

#include <gtest/gtest.h>

#include "base/names.h"
#include "base/status.h"

namespace homeslice::pki {
namespace {

TEST(TokenTest, ParsesWhatItWrites) {
    const Token token{Kind::node, "node1", randomId(), randomId() + randomId()};
    const Token read = parseToken(token.toString()).value();
    EXPECT_EQ(read.kind, Kind::node);
    EXPECT_EQ(read.name, "node1");
    EXPECT_EQ(read.secret, token.secret);
    EXPECT_EQ(read.fingerprint, token.fingerprint);
}

TEST(TokenTest, RefusesTheRestWithoutRepeatingIt) {
    const std::string secret = randomId();
    const std::string fingerprint = secret + secret;
    for (const std::string& bad :
         {std::string(), std::string("...."), "node.node1." + secret, "node.node1." + secret + "." + fingerprint + ".x",
          "controller.c." + secret + "." + fingerprint, "node.UP." + secret + "." + fingerprint,
          "node.node1." + secret.substr(1) + "." + fingerprint}) {
        const absl::Status status = parseToken(bad).status();
        EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
        EXPECT_EQ(messageOf(status).find(secret.substr(1)), std::string::npos);
    }
}

TEST(TokenTest, DigestIsSha256) {
    EXPECT_EQ(digestOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace homeslice::pki
