#include "pki/certificate.h"

#include <gtest/gtest.h>

#include "base/names.h"
#include "base/status.h"

namespace homeslice::pki {
namespace {

using std::chrono::hours;

Identity nodeIdentity() { return {Kind::node, "node1", randomId()}; }

TEST(CertificateTest, SaysWhomItIsForAndForHowLong) {
    const Authority authority = Authority::create().value();
    const KeyHandle key = generateKey().value();
    const Identity identity = nodeIdentity();
    const Certificate issued = authority.issue(key, identity, hours(30)).value();
    const Certificate read = Certificate::parse(issued.toPem()).value();
    EXPECT_EQ(read.identity().value(), identity);
    EXPECT_TRUE(read.isSignedBy(authority.certificate()));
    EXPECT_TRUE(read.isOf(key));
    EXPECT_FALSE(read.isOf(generateKey().value()));
    EXPECT_GT(read.notAfter(), Utc::now() + hours(29));
    EXPECT_LT(read.notBefore(), Utc::now());
    EXPECT_GT(read.renewAfter(), Utc::now() + hours(19));
    EXPECT_LT(read.renewAfter(), Utc::now() + hours(21));
}

TEST(CertificateTest, AnotherAuthoritysIsNotOurs) {
    const Authority ours = Authority::create().value();
    const Authority other = Authority::create().value();
    const Certificate issued = other.issue(generateKey().value(), nodeIdentity(), hours(1)).value();
    EXPECT_FALSE(issued.isSignedBy(ours.certificate()));
    EXPECT_NE(ours.certificate().fingerprint(), other.certificate().fingerprint());
    EXPECT_EQ(ours.certificate().fingerprint().size(), 64U);
    EXPECT_FALSE(Authority::parse(ours.keyPem().value(), other.certificate().toPem()).ok());
    EXPECT_TRUE(Authority::parse(ours.keyPem().value(), ours.certificate().toPem()).ok());
}

TEST(CertificateTest, TheAuthoritysOwnNamesNobody) {
    EXPECT_FALSE(Authority::create().value().certificate().identity().ok());
}

TEST(CertificateTest, GarbageIsNoCertificate) {
    EXPECT_FALSE(Certificate::parse("").ok());
    EXPECT_FALSE(Certificate::parse("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").ok());
    EXPECT_FALSE(parseKey("no key").ok());
}

TEST(RequestTest, GivesTheKeyThatSignedIt) {
    const KeyHandle key = generateKey().value();
    const std::string request = makeRequest(key).value();
    const Certificate issued =
        Authority::create().value().issue(keyOfRequest(request).value(), nodeIdentity(), hours(1)).value();
    EXPECT_TRUE(issued.isOf(key));
}

TEST(RequestTest, OneThatWasTamperedWithIsRefused) {
    std::string request = makeRequest(generateKey().value()).value();
    const size_t middle = request.size() / 2;
    request[middle] = request[middle] == 'A' ? 'B' : 'A';
    EXPECT_EQ(keyOfRequest(request).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(keyOfRequest("").ok());
    EXPECT_FALSE(keyOfRequest(std::string(1 << 20, 'A')).ok());
}

TEST(IdentityTest, ParsesWhatItWrites) {
    for (const Kind kind : {Kind::controller, Kind::node, Kind::user}) {
        const Identity identity{kind, "a-1", randomId()};
        EXPECT_EQ(parseUri(toUri(identity)).value(), identity);
    }
    for (const char* bad : {"", "homeslice:", "homeslice:node", "homeslice:node/n", "homeslice:node/n/",
                            "homeslice:root/n/00000000000000000000000000000000", "http://node/n/0",
                            "homeslice:node/a/b/00000000000000000000000000000000",
                            "homeslice:node/UP/00000000000000000000000000000000"}) {
        EXPECT_FALSE(parseUri(bad).ok()) << bad;
    }
}

TEST(IdentityTest, AUserCannotPassForAServer) {
    EXPECT_TRUE(serverNamesOf({Kind::user, "controller", ""}).empty());
    EXPECT_EQ(serverNamesOf({Kind::node, "node1", ""}).front(), "node1.node.homeslice.internal");
}

}  // namespace
}  // namespace homeslice::pki
