#include "noded/migration/disk.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <thread>

#include "base/file.h"
#include "base/status.h"
#include "noded/migration/id_xattrs.h"
#include "oci/tar_maker.h"
#include "oci/test_directory.h"
#include "tests/support/privileges.h"

namespace homeslice::migration {
namespace {

using testing_support::contentOf;
using testing_support::exists;
using testing_support::statOf;
using testing_support::TarMaker;
using testing_support::TestDirectory;
using testing_support::xattrOf;

constexpr uint32_t kSourceId = 200'000'000;
constexpr uint32_t kTargetId = 300'065'536;

std::string capabilityOf(uint32_t root_id) {
    std::string value("\x01\0\0\x03\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    for (int shift = 0; shift < 32; shift += 8) value += static_cast<char>(root_id >> static_cast<unsigned>(shift));
    return value;
}

void setXattr(const std::string& path, const char* name, const std::string& value) {
    ASSERT_EQ(::lsetxattr(path.c_str(), name, value.data(), value.size(), 0), 0) << path << " " << name;
}

void writeFile(const std::string& path, const std::string& content, uint32_t id, mode_t mode) {
    ASSERT_TRUE(replaceFile(path, content).ok());
    ASSERT_EQ(::chown(path.c_str(), kSourceId + id, kSourceId + id), 0);
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
}

class DiskTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        ::signal(SIGPIPE, SIG_IGN);
        source_ = dir_.makeDirectory("source");
        target_ = dir_.makeDirectory("target");
        ASSERT_EQ(::chown(source_.c_str(), kSourceId, kSourceId), 0);
    }

    absl::Status exportToFile() {
        HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(stream_, O_WRONLY | O_CREAT | O_TRUNC, 0600));
        return exportDisk(source_, kSourceId, fd.get());
    }
    absl::Status importFromFile() {
        HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(stream_, O_RDONLY));
        return importDisk(fd.get(), target_, kTargetId);
    }
    void emptyTarget() {
        ASSERT_TRUE(removeTree(target_).ok());
        dir_.makeDirectory("target");
    }

    TestDirectory dir_;
    std::string source_;
    std::string target_;
    const std::string stream_ = dir_ / "stream.tar";
};

TEST_F(DiskTest, RoundTripThroughAPipeToAnotherIdRange) {
    writeFile(source_ + "/file", "content", 0, 0640);
    writeFile(source_ + "/setuid", "x", 1000, 04755);
    writeFile(source_ + "/.wh.not-special", "x", 0, 0600);
    setXattr(source_ + "/setuid", "security.capability", capabilityOf(kSourceId));
    setXattr(source_ + "/file", "user.note", std::string("a\0b", 3));
    ASSERT_TRUE(makeDirectories(source_ + "/opaque/inner").ok());
    ASSERT_EQ(::chmod((source_ + "/opaque").c_str(), 01777), 0);
    ASSERT_EQ(::chown((source_ + "/opaque").c_str(), kSourceId + 8, kSourceId + 12), 0);
    setXattr(source_ + "/opaque", "trusted.overlay.opaque", "y");
    ASSERT_EQ(::link((source_ + "/file").c_str(), (source_ + "/opaque/second").c_str()), 0);
    ASSERT_EQ(::symlink("/etc/passwd", (source_ + "/link").c_str()), 0);
    ASSERT_EQ(::mknod((source_ + "/removed").c_str(), S_IFCHR, 0), 0);
    ASSERT_EQ(::link((source_ + "/removed").c_str(), (source_ + "/removed-too").c_str()), 0);
    ASSERT_EQ(::mkfifo((source_ + "/fifo").c_str(), 0622), 0);
    writeFile(source_ + "/na\xc3\xafve \xff", "bytes", 0, 0600);
    constexpr timespec kThen{1'234'567'890, 987'654'321};
    const timespec times[2] = {kThen, kThen};
    ASSERT_EQ(::utimensat(AT_FDCWD, (source_ + "/opaque").c_str(), times, 0), 0);
    ASSERT_EQ(::chmod(source_.c_str(), 0711), 0);

    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd reader(ends[0]);
    absl::Status exported;
    {
        const std::jthread exporter(
            [&exported, this, writer = UniqueFd(ends[1])] { exported = exportDisk(source_, kSourceId, writer.get()); });
        const absl::Status imported = importDisk(reader.get(), target_, kTargetId);
        EXPECT_TRUE(imported.ok()) << imported;
    }
    EXPECT_TRUE(exported.ok()) << exported;

    EXPECT_EQ(statOf(target_).st_mode & 07777U, 0711U);
    EXPECT_EQ(statOf(target_).st_uid, kTargetId);
    EXPECT_EQ(contentOf(target_ + "/file"), "content");
    EXPECT_EQ(statOf(target_ + "/file").st_ino, statOf(target_ + "/opaque/second").st_ino);
    EXPECT_EQ(xattrOf(target_ + "/file", "user.note"), std::string("a\0b", 3));
    EXPECT_EQ(statOf(target_ + "/setuid").st_uid, kTargetId + 1000);
    EXPECT_EQ(statOf(target_ + "/setuid").st_mode & 07777U, 04755U);
    EXPECT_EQ(xattrOf(target_ + "/setuid", "security.capability"), capabilityOf(kTargetId));
    const auto opaque = statOf(target_ + "/opaque");
    EXPECT_EQ(opaque.st_uid, kTargetId + 8);
    EXPECT_EQ(opaque.st_gid, kTargetId + 12);
    EXPECT_EQ(opaque.st_mode & 07777U, 01777U);
    EXPECT_EQ(opaque.st_mtim.tv_sec, kThen.tv_sec);
    EXPECT_EQ(opaque.st_mtim.tv_nsec, kThen.tv_nsec);
    EXPECT_EQ(xattrOf(target_ + "/opaque", "trusted.overlay.opaque"), "y");
    EXPECT_TRUE(exists(target_ + "/opaque/inner"));
    for (const char* whiteout : {"/removed", "/removed-too"}) {
        EXPECT_TRUE(S_ISCHR(statOf(target_ + whiteout).st_mode));
        EXPECT_EQ(statOf(target_ + whiteout).st_rdev, 0U);
    }
    EXPECT_TRUE(S_ISLNK(statOf(target_ + "/link").st_mode));
    EXPECT_TRUE(S_ISFIFO(statOf(target_ + "/fifo").st_mode));
    EXPECT_EQ(contentOf(target_ + "/na\xc3\xafve \xff"), "bytes");
    EXPECT_EQ(contentOf(target_ + "/.wh.not-special"), "x");
}

TEST_F(DiskTest, SparseFilesStaySparse) {
    constexpr off_t kSize = off_t{1} << 30;
    {
        const UniqueFd fd = openFile(source_ + "/sparse", O_RDWR | O_CREAT, 0600).value();
        ASSERT_EQ(::pwrite(fd.get(), "middle", 6, kSize / 2), 6);
        ASSERT_EQ(::ftruncate(fd.get(), kSize), 0);
        const UniqueFd hole = openFile(source_ + "/hole", O_RDWR | O_CREAT, 0600).value();
        ASSERT_EQ(::ftruncate(hole.get(), kSize), 0);
    }
    writeFile(source_ + "/empty", "", 0, 0600);
    ASSERT_TRUE(exportToFile().ok());
    EXPECT_LT(statOf(stream_).st_size, 1 << 20);
    const absl::Status status = importFromFile();
    ASSERT_TRUE(status.ok()) << status;
    for (const char* name : {"/sparse", "/hole"}) {
        EXPECT_EQ(statOf(target_ + name).st_size, kSize) << name;
        EXPECT_LT(statOf(target_ + name).st_blocks, 1000) << name;
    }
    const UniqueFd fd = openFile(target_ + "/sparse", O_RDONLY).value();
    char text[6] = {};
    ASSERT_EQ(::pread(fd.get(), text, sizeof text, kSize / 2), 6);
    EXPECT_EQ(std::string(text, sizeof text), "middle");
    EXPECT_EQ(statOf(target_ + "/empty").st_size, 0);
}

TEST_F(DiskTest, EveryTruncationIsLostData) {
    writeFile(source_ + "/a", std::string(3000, 'a'), 0, 0600);
    writeFile(source_ + "/b", "b", 0, 0600);
    ASSERT_TRUE(exportToFile().ok());
    const std::string whole = readFile(stream_).value();
    // Past the last member's header only the zeros of tar's own end mark are missing.
    const size_t needed = whole.size() - 1024;
    for (size_t size = 0; size < needed; size += 256) {
        ASSERT_TRUE(replaceFile(stream_, whole.substr(0, size)).ok());
        EXPECT_EQ(importFromFile().code(), absl::StatusCode::kDataLoss) << size << " of " << whole.size();
        emptyTarget();
    }
}

TEST_F(DiskTest, LeavesOutSocketsAndRefusesDevices) {
    const UniqueFd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const std::string path = source_ + "/socket";
    std::copy(path.begin(), path.end(), address.sun_path);
    ASSERT_EQ(::bind(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_TRUE(exportToFile().ok());
    ASSERT_TRUE(importFromFile().ok());
    EXPECT_FALSE(exists(target_ + "/socket"));
    ASSERT_EQ(::mknod((source_ + "/null").c_str(), S_IFCHR | 0666, 0x103), 0);
    EXPECT_EQ(exportToFile().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(DiskTest, RefusesHostileStreams) {
    const std::string outside = dir_.makeDirectory("outside");
    ASSERT_TRUE(replaceFile(outside + "/victim", "untouched").ok());
    using Attack = std::function<void(TarMaker&)>;
    const std::vector<std::pair<std::string, Attack>> attacks{
        {"parent", [](TarMaker& tar) { tar.file("../outside/new", "x"); }},
        {"absolute path", [&](TarMaker& tar) { tar.file(outside + "/new", "x"); }},
        {"absolute link", [&](TarMaker& tar) { tar.symlink("l", outside).file("l/new", "x"); }},
        {"relative link", [](TarMaker& tar) { tar.symlink("l", "../outside").file("l/new", "x"); }},
        {"hard link", [](TarMaker& tar) { tar.hardLink("h", "../outside/victim"); }},
        {"hard link by link", [&](TarMaker& tar) { tar.symlink("l", outside).hardLink("h", "l/victim"); }},
        {"device", [](TarMaker& tar) { tar.add({.path = "d", .type = AE_IFCHR, .device = 0x103}); }},
        {"block device", [](TarMaker& tar) { tar.add({.path = "d", .type = AE_IFBLK, .device = 0}); }},
        {"owner out of range", [](TarMaker& tar) { tar.add({.path = "f", .uid = 65536}); }},
        {"group out of range", [](TarMaker& tar) { tar.add({.path = "f", .gid = int64_t{1} << 32}); }},
        {"more after the end", [](TarMaker& tar) { tar.directory("./").file("f", "x"); }},
    };
    for (const auto& [name, attack] : attacks) {
        {
            TarMaker tar(stream_);
            attack(tar);
            tar.directory("./");
        }
        const absl::Status status = importFromFile();
        EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name << ": " << status;
        emptyTarget();
        EXPECT_FALSE(exists(outside + "/new")) << name;
        EXPECT_EQ(statOf(outside + "/victim").st_nlink, 1U) << name;
    }
}

TEST_F(DiskTest, RefusesADirectoryInUseAndAMissingOne) {
    ASSERT_TRUE(exportToFile().ok());
    ASSERT_TRUE(replaceFile(target_ + "/mine", "x").ok());
    EXPECT_EQ(importFromFile().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(exportDisk(dir_ / "none", kSourceId, -1).code(), absl::StatusCode::kNotFound);
}

TEST_F(DiskTest, ReaderThatGoesAwayIsAnError) {
    writeFile(source_ + "/a", std::string(size_t{4} << 20, 'a'), 0, 0600);
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd writer(ends[1]);
    ::close(ends[0]);
    EXPECT_EQ(errnoOf(exportDisk(source_, kSourceId, writer.get())), EPIPE);
}

TEST(IdXattrs, ShiftsAclEntriesThatNameSomeone) {
    const auto acl = [](uint32_t user) {
        std::string value("\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0", 16);
        for (int shift = 0; shift < 32; shift += 8) value += static_cast<char>(user >> static_cast<unsigned>(shift));
        return value;
    };
    std::string value = acl(kSourceId + 33);
    idsToSliver("system.posix_acl_access", value, kSourceId);
    EXPECT_EQ(value, acl(33));
    EXPECT_TRUE(idsToHost("system.posix_acl_access", value, kTargetId));
    EXPECT_EQ(value, acl(kTargetId + 33));
    value = acl(70000);
    EXPECT_FALSE(idsToHost("system.posix_acl_access", value, kTargetId));
    value = "short";
    EXPECT_TRUE(idsToHost("system.posix_acl_default", value, kTargetId));
    EXPECT_EQ(value, "short");
}

TEST(IdXattrs, IdsOutsideTheRangeAreNobody) {
    EXPECT_EQ(toSliverId(kSourceId + 65535, kSourceId), 65535U);
    EXPECT_EQ(toSliverId(kSourceId + 65536, kSourceId), 65534U);
    EXPECT_EQ(toSliverId(0, kSourceId), 65534U);
    EXPECT_FALSE(isDiskXattr("trusted.other"));
    EXPECT_FALSE(isDiskXattr("security.selinux"));
}

}  // namespace
}  // namespace homeslice::migration
