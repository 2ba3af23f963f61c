#include "oci/tar_reader.h"

#include <gtest/gtest.h>

#include "base/status.h"
#include "oci/member_path.h"
#include "oci/tar_maker.h"
#include "oci/test_directory.h"

namespace homeslice::oci {
namespace {

using testing_support::TarMaker;
using testing_support::TestDirectory;

absl::Status readAllMembers(const std::string& path, Limits limits) {
    HS_ASSIGN_OR_RETURN(TarReader tar, TarReader::openFile(path, limits));
    for (;;) {
        HS_ASSIGN_OR_RETURN(const archive_entry* entry, tar.next());
        if (entry == nullptr) return absl::OkStatus();
    }
}

TEST(TarReader, KeepsToItsLimits) {
    const TestDirectory dir;
    const std::string path = dir / "a.tar";
    { TarMaker(path).file("a", "xxxxx").file("b", "xxxxx").file("c", "xxxxx"); }
    constexpr Limits kEnough{.members = 3, .bytes = 16384};
    EXPECT_TRUE(readAllMembers(path, kEnough).ok());
    EXPECT_EQ(readAllMembers(path, {.members = 2, .bytes = 16384}).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(readAllMembers(path, {.members = 3, .bytes = 14}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(TarReader, BombOfZerosEndsInAnError) {
    const TestDirectory dir;
    const std::string path = dir / "bomb.tar.zst";
    { TarMaker(path, ARCHIVE_FILTER_ZSTD).file("zeros", std::string(size_t{64} << 20, '\0')).file("b", ""); }
    EXPECT_EQ(readAllMembers(path, {.members = 10, .bytes = 1 << 20}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(TarReader, KeepsTheErrorOfItsSource) {
    const auto tar = TarReader::openSource([] { return unavailable("the peer is gone"); }, kImageLimits);
    EXPECT_EQ(tar.status(), unavailable("the peer is gone"));
}

TEST(MemberPath, IsRelativeAndPlain) {
    EXPECT_EQ(memberPath("./a//b/./c/").value(), "a/b/c");
    EXPECT_EQ(memberPath("./").value(), "");
    EXPECT_EQ(memberPath("..a/b..").value(), "..a/b..");
    for (const char* bad : {"..", "../a", "a/..", "a/../b", "/", "/a"}) {
        EXPECT_EQ(memberPath(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
    }
    EXPECT_FALSE(memberPath(nullptr).ok());
    EXPECT_FALSE(memberPath(std::string(5000, 'a').c_str()).ok());
}

}  // namespace
}  // namespace homeslice::oci
