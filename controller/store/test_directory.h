// A directory for one test, gone with the object.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file.h"

namespace homeslice::controller::testing_support {

class TestDirectory {
public:
    TestDirectory() : path_((std::filesystem::temp_directory_path() / "hst-store-XXXXXX").string()) {
        EXPECT_NE(::mkdtemp(path_.data()), nullptr);
    }
    ~TestDirectory() { EXPECT_TRUE(removeTree(path_).ok()); }
    TestDirectory(const TestDirectory&) = delete;
    TestDirectory& operator=(const TestDirectory&) = delete;

    std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

}  // namespace homeslice::controller::testing_support
