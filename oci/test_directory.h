// A temporary directory for a test, and what tests ask about files.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cstdlib>
#include <string>

#include "base/file.h"

namespace homeslice::testing_support {

class TestDirectory {
public:
    TestDirectory() {
        char path[] = "/tmp/homeslice-image-XXXXXX";
        EXPECT_NE(::mkdtemp(path), nullptr);
        path_ = path;
    }
    ~TestDirectory() { EXPECT_TRUE(removeTree(path_).ok()); }
    TestDirectory(const TestDirectory&) = delete;
    TestDirectory& operator=(const TestDirectory&) = delete;

    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    std::string makeDirectory(const std::string& name) const {
        EXPECT_TRUE(makeDirectories(path_ + "/" + name).ok());
        return path_ + "/" + name;
    }

private:
    std::string path_;
};

inline bool exists(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0;
}

inline struct stat statOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
    return info;
}

inline std::string contentOf(const std::string& path) { return readFile(path).value_or("(unreadable)"); }

inline std::string xattrOf(const std::string& path, const std::string& name) {
    std::string value(65536, '\0');
    const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    return size < 0 ? "(none)" : value.substr(0, static_cast<size_t>(size));
}

}  // namespace homeslice::testing_support
