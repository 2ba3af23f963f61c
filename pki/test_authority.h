// For tests: an authority, and credentials directories of its making, all gone with it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/names.h"
#include "base/status.h"
#include "pki/certificate.h"
#include "pki/files.h"

namespace homeslice::pki::testing_support {

class TestAuthority {
public:
    TestAuthority() : authority_(Authority::create().value()) {
        std::string directory = (std::filesystem::temp_directory_path() / "hst-pki-XXXXXX").string();
        EXPECT_NE(::mkdtemp(directory.data()), nullptr);
        directory_ = directory;
    }
    ~TestAuthority() { EXPECT_TRUE(removeTree(directory_).ok()); }
    TestAuthority(const TestAuthority&) = delete;
    TestAuthority& operator=(const TestAuthority&) = delete;

    const Authority& authority() const { return authority_; }

    // The directory of an identity, made when first asked for; `lifetime` may be in the past.
    std::string credentialsOf(Kind kind, const std::string& name,
                              std::chrono::seconds lifetime = std::chrono::hours(1)) const {
        const std::string path = directory_ + "/" + toString(kind) + "-" + name;
        if (!std::filesystem::exists(path)) write(path, {kind, name, randomId()}, lifetime);
        return path;
    }
    void write(const std::string& path, const Identity& identity, std::chrono::seconds lifetime) const {
        const KeyHandle key = generateKey().value();
        std::string chain = authority_.issue(key, identity, lifetime).value().toPem();
        if (identity.kind == Kind::controller) chain += authority_.certificate().toPem();
        const absl::Status written =
            writeCredentials(path, {authority_.certificate().toPem(), toPem(key).value(), chain});
        EXPECT_TRUE(written.ok()) << written;
    }

private:
    Authority authority_;
    std::string directory_;
};

}  // namespace homeslice::pki::testing_support
