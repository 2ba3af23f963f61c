#include "controller/auth/issuer.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/names.h"
#include "base/status.h"
#include "pki/files.h"

namespace homeslice::controller {
namespace {

constexpr std::chrono::hours kLifetime{24};

class IssuerTest : public ::testing::Test {
protected:
    void SetUp() override {
        std::string directory = (std::filesystem::temp_directory_path() / "hst-issuer-XXXXXX").string();
        ASSERT_NE(::mkdtemp(directory.data()), nullptr);
        directory_ = directory;
    }
    void TearDown() override { EXPECT_TRUE(removeTree(directory_).ok()); }

    absl::Status initialise(std::chrono::seconds lifetime = kLifetime) const {
        return Issuer::initialise(directory_, admin_, lifetime);
    }

    const pki::Identity admin_{pki::Kind::user, "admin", randomId()};
    std::string directory_;
};

TEST_F(IssuerTest, MakesAnAuthorityOnce) {
    EXPECT_EQ(Issuer::open(directory_, kLifetime).status().code(), absl::StatusCode::kFailedPrecondition);
    ASSERT_TRUE(initialise().ok());
    const std::string fingerprint = Issuer::open(directory_, kLifetime).value()->fingerprint();
    EXPECT_EQ(initialise().code(), absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(Issuer::open(directory_, kLifetime).value()->fingerprint(), fingerprint);
}

TEST_F(IssuerTest, EveryKeyIsForItsOwnerAlone) {
    ASSERT_TRUE(initialise().ok());
    for (const char* path : {"/pki/authority.key", "/pki/identity.pem", "/admin/identity.pem"}) {
        struct stat info {};
        ASSERT_EQ(::stat((directory_ + path).c_str(), &info), 0) << path;
        EXPECT_EQ(info.st_mode & 0777, 0600U) << path;
    }
}

TEST_F(IssuerTest, TheAdministratorHasACertificate) {
    ASSERT_TRUE(initialise().ok());
    const pki::Credentials files = pki::readCredentials(directory_ + "/admin").value();
    EXPECT_EQ(pki::Certificate::parse(files.certificate_pem)->identity().value(), admin_);
}

TEST_F(IssuerTest, ARunThatDiedHalfWayIsRepeated) {
    ASSERT_TRUE(initialise().ok());
    ASSERT_EQ(::rename((directory_ + "/pki").c_str(), (directory_ + "/pki.new").c_str()), 0);
    EXPECT_TRUE(initialise().ok());
    EXPECT_TRUE(Issuer::open(directory_, kLifetime).ok());
}

TEST_F(IssuerTest, IssuesForTheKeyOfTheRequest) {
    ASSERT_TRUE(initialise().ok());
    const auto issuer = Issuer::open(directory_, kLifetime).value();
    const pki::KeyHandle key = pki::generateKey().value();
    const pki::Identity node{pki::Kind::node, "node1", randomId()};
    const std::string pem = issuer->issue(pki::makeRequest(key).value(), node).value();
    const pki::Certificate certificate = pki::Certificate::parse(pem).value();
    EXPECT_TRUE(certificate.isOf(key));
    EXPECT_EQ(certificate.identity().value(), node);
    EXPECT_FALSE(issuer->issue("no request", node).ok());
}

TEST_F(IssuerTest, RenewsItsOwnCertificateInTime) {
    ASSERT_TRUE(initialise(-std::chrono::seconds(10)).ok());
    const auto expiry = [this] {
        const pki::Credentials files = pki::readCredentials(directory_ + "/pki").value();
        return pki::Certificate::parse(files.certificate_pem)->notAfter();
    };
    const auto soon = expiry();
    ASSERT_TRUE(Issuer::open(directory_, kLifetime).ok());
    const auto late = expiry();
    EXPECT_GT(late, soon + std::chrono::hours(1));
    ASSERT_TRUE(Issuer::open(directory_, kLifetime).ok());
    EXPECT_EQ(expiry(), late) << "renewed without need";
}

}  // namespace
}  // namespace homeslice::controller
