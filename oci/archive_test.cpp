#include "oci/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "oci/layout.h"
#include "oci/tar_maker.h"
#include "oci/test_directory.h"
#include "tests/support/privileges.h"

namespace homeslice::oci {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing_support::contentOf;
using testing_support::exists;
using testing_support::statOf;
using testing_support::TarMaker;
using testing_support::TestDirectory;
using testing_support::xattrOf;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class ArchiveTest : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        rootfs_ = dir_.makeDirectory("rootfs");
    }

    // Unpacks an image with the one layer that stands in layer_.
    absl::StatusOr<ImageConfig> unpackLayer() {
        EXPECT_TRUE(writeLayers({layer_}).ok());
        return unpackOciArchive(image_, rootfs_);
    }

    // An archive with these tar files as layers; writeOciArchive() does one only, and refuses bad ones.
    absl::Status writeLayers(const std::vector<std::string>& layers, const char* media_type = kTarType) {
        TarMaker maker(image_);
        json described = json::array();
        const auto blob = [&maker](const std::string& type, const std::string& content) {
            const std::string path = "/tmp/homeslice-blob-" + std::to_string(::getpid());
            EXPECT_TRUE(replaceFile(path, content).ok());
            const std::string digest = digestOf(path).value();
            ::unlink(path.c_str());
            maker.file(blobPath(digest), content);
            return json{{"mediaType", type}, {"digest", digest}, {"size", content.size()}};
        };
        for (const std::string& layer : layers) {
            HS_ASSIGN_OR_RETURN(const std::string content, readFile(layer));
            described.push_back(blob(media_type, content));
        }
        const json config = blob(kConfigType, R"({"config":{"Entrypoint":["/bin/a"],"Cmd":["b"],"Env":null}})");
        const json manifest = blob(kManifestType, json{{"config", config}, {"layers", described}}.dump());
        maker.file("index.json", json{{"manifests", json::array({manifest})}}.dump());
        maker.file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
        return absl::OkStatus();
    }

    bool rootfsIsEmpty() const { return ::rmdir(rootfs_.c_str()) == 0; }

    TestDirectory dir_;
    std::string rootfs_;
    const std::string layer_ = dir_ / "layer.tar";
    const std::string image_ = dir_ / "image.tar";
};

TEST_F(ArchiveTest, RoundTripKeepsFilesAndConfiguration) {
    const std::string capability("\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    TarMaker(layer_)
        .add({.path = "./", .type = AE_IFDIR, .mode = 0711})
        .directory("./bin")
        .add({.path = "./bin/su", .content = "setuid", .mode = 04755})
        .add({.path = "./bin/ping", .content = "caps", .mode = 0755, .xattr = {"security.capability", capability}})
        .hardLink("bin/su2", "./bin/su")
        .symlink("sbin", "bin")
        .symlink("etc-outside", "/etc")
        .add({.path = "var/lib/mail", .type = AE_IFDIR, .mode = 02775, .uid = 8, .gid = 12, .mtime = 1234567890})
        .add({.path = "var/lib/mail/box", .content = "m", .mode = 0600, .uid = 1000, .gid = 100})
        .add({.path = "fifo", .type = AE_IFIFO, .mode = 0600})
        .add({.path = "null", .type = AE_IFCHR, .mode = 0666, .device = 0x103})
        .file("na\xc3\xafve", "utf-8");
    const ImageConfig config{{"/bin/su", "-x"}, {"A=b", "C="}, "/var", "8:12"};
    ASSERT_TRUE(writeOciArchive(layer_, config, image_).ok());
    EXPECT_EQ(detectArchive(image_).value(), ArchiveKind::oci_layout);
    EXPECT_EQ(detectArchive(layer_).value(), ArchiveKind::rootfs_tar);
    EXPECT_EQ(checkOciArchive(image_).value(), config);
    const auto unpacked = unpackOciArchive(image_, rootfs_);
    ASSERT_TRUE(unpacked.ok()) << messageOf(unpacked.status());
    EXPECT_EQ(*unpacked, config);

    EXPECT_EQ(statOf(rootfs_).st_mode & 07777U, 0711U);
    EXPECT_EQ(statOf(rootfs_ + "/bin/su").st_mode & 07777U, 04755U);
    EXPECT_EQ(statOf(rootfs_ + "/bin/su").st_ino, statOf(rootfs_ + "/bin/su2").st_ino);
    EXPECT_EQ(statOf(rootfs_ + "/bin/su").st_mtime, 1'000'000'000);
    EXPECT_EQ(xattrOf(rootfs_ + "/bin/ping", "security.capability"), capability);
    const auto mail = statOf(rootfs_ + "/var/lib/mail");
    EXPECT_EQ(mail.st_mode & 07777U, 02775U);
    EXPECT_EQ(mail.st_uid, 8U);
    EXPECT_EQ(mail.st_gid, 12U);
    EXPECT_EQ(mail.st_mtime, 1234567890) << "also after a file was written into it";
    EXPECT_EQ(statOf(rootfs_ + "/var/lib/mail/box").st_uid, 1000U);
    EXPECT_EQ(contentOf(rootfs_ + "/sbin/su"), "setuid");
    EXPECT_TRUE(S_ISFIFO(statOf(rootfs_ + "/fifo").st_mode));
    EXPECT_FALSE(exists(rootfs_ + "/null")) << "device nodes are left out";
    EXPECT_EQ(contentOf(rootfs_ + "/na\xc3\xafve"), "utf-8");
}

TEST_F(ArchiveTest, CompressedLayersAndSameBytesEachTime) {
    for (const int filter : {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD}) {
        { TarMaker(layer_, filter).file("a", std::string(100000, 'x')); }
        ASSERT_TRUE(writeOciArchive(layer_, {}, image_).ok());
        ASSERT_TRUE(writeOciArchive(layer_, {}, dir_ / "again.tar").ok());
        EXPECT_EQ(digestOf(image_).value(), digestOf(dir_ / "again.tar").value());
        const std::string rootfs = dir_.makeDirectory("rootfs-" + std::to_string(filter));
        ASSERT_TRUE(unpackOciArchive(image_, rootfs).ok());
        EXPECT_EQ(statOf(rootfs + "/a").st_size, 100000);
        EXPECT_EQ(detectArchive(layer_).value(), ArchiveKind::rootfs_tar);
    }
}

TEST_F(ArchiveTest, WhiteoutsRemoveWhatLowerLayersHave) {
    const std::string upper = dir_ / "upper.tar";
    TarMaker(layer_)
        .file("gone", "1")
        .file("tree/deep/file", "1")
        .file("opaque/old", "1")
        .file("opaque/both", "1")
        .directory("was-directory")
        .file("was-directory/child", "1")
        .directory("usr/bin")
        .symlink("bin", "usr/bin");
    // A whiteout speaks of lower layers only, wherever it stands in its own.
    TarMaker(upper)
        .file("opaque/new", "2")
        .file("opaque/both", "2")
        .file("opaque/.wh..wh..opq", "")
        .file(".wh.gone", "")
        .file(".wh.never-was", "")
        .file("nowhere/.wh.never-was", "")
        .file(".wh.tree", "")
        .file("tree/again", "2")
        .file("was-directory", "2")
        .file("bin/through-a-link", "2");
    ASSERT_TRUE(writeLayers({layer_, upper}).ok());
    const auto config = unpackOciArchive(image_, rootfs_);
    ASSERT_TRUE(config.ok()) << messageOf(config.status());
    EXPECT_THAT(config->argv, testing::ElementsAre("/bin/a", "b"));
    EXPECT_FALSE(exists(rootfs_ + "/gone"));
    EXPECT_FALSE(exists(rootfs_ + "/tree/deep"));
    EXPECT_EQ(contentOf(rootfs_ + "/tree/again"), "2");
    EXPECT_FALSE(exists(rootfs_ + "/opaque/old"));
    EXPECT_EQ(contentOf(rootfs_ + "/opaque/both"), "2");
    EXPECT_EQ(contentOf(rootfs_ + "/opaque/new"), "2");
    EXPECT_FALSE(exists(rootfs_ + "/opaque/.wh..wh..opq"));
    EXPECT_EQ(contentOf(rootfs_ + "/was-directory"), "2");
    EXPECT_EQ(contentOf(rootfs_ + "/usr/bin/through-a-link"), "2");
}

TEST_F(ArchiveTest, RefusesToLeaveItsRoot) {
    const std::string outside = dir_.makeDirectory("outside");
    ASSERT_TRUE(replaceFile(outside + "/victim", "untouched").ok());
    const std::string far_up = "../../../../../../../..";
    using Attack = std::function<void(TarMaker&)>;
    const std::vector<std::pair<std::string, Attack>> attacks{
        {"parent", [](TarMaker& tar) { tar.file("../outside/new", "x"); }},
        {"inner parent", [](TarMaker& tar) { tar.file("a/../../outside/new", "x"); }},
        {"absolute path", [&](TarMaker& tar) { tar.file(outside + "/new", "x"); }},
        {"absolute link", [&](TarMaker& tar) { tar.symlink("l", outside).file("l/new", "x"); }},
        {"relative link", [&](TarMaker& tar) { tar.symlink("l", "../outside").file("l/new", "x"); }},
        {"link far up", [&](TarMaker& tar) { tar.symlink("l", far_up + outside).file("l/new", "x"); }},
        {"directory by link", [&](TarMaker& tar) { tar.symlink("l", outside).directory("l/new"); }},
        {"chain of links",
         [&](TarMaker& tar) {
             tar.directory("a").symlink("a/b", "../..").symlink("l", "a/b").file("l/outside/new", "x");
         }},
        {"hard link to outside", [&](TarMaker& tar) { tar.hardLink("h", outside + "/victim"); }},
        {"hard link to parent", [&](TarMaker& tar) { tar.hardLink("h", "../outside/victim"); }},
        {"hard link by link",
         [&](TarMaker& tar) { tar.symlink("l", outside).hardLink("h", "l/victim").file("h", "changed"); }},
        {"swapped directory",
         [&](TarMaker& tar) { tar.file("d/a", "x").symlink("d", "../outside").file("d/new", "x"); }},
        {"proc link", [](TarMaker& tar) { tar.symlink("l", "/proc/self/cwd").file("l/new", "x"); }},
        {"whiteout of parent", [](TarMaker& tar) { tar.file("a/.wh...", ""); }},
        {"root as a file", [](TarMaker& tar) { tar.symlink("./", "/etc"); }},
    };
    for (const auto& [name, attack] : attacks) {
        {
            TarMaker tar(layer_);
            attack(tar.file("first", "x"));
        }
        const auto result = unpackLayer();
        EXPECT_EQ(result.status().code(), kInvalid) << name << ": " << result.status();
        EXPECT_TRUE(rootfsIsEmpty()) << name;
        dir_.makeDirectory("rootfs");
        EXPECT_FALSE(exists(outside + "/new")) << name;
        EXPECT_EQ(contentOf(outside + "/victim"), "untouched") << name;
        EXPECT_EQ(statOf(outside + "/victim").st_nlink, 1U) << name;
    }
}

TEST_F(ArchiveTest, LinkIsReplacedNotWrittenThrough) {
    const std::string victim = dir_ / "victim";
    ASSERT_TRUE(replaceFile(victim, "untouched").ok());
    { TarMaker(layer_).symlink("f", victim).file("f", "inside"); }
    ASSERT_TRUE(unpackLayer().ok());
    EXPECT_EQ(contentOf(victim), "untouched");
    EXPECT_EQ(contentOf(rootfs_ + "/f"), "inside");
    EXPECT_TRUE(S_ISREG(statOf(rootfs_ + "/f").st_mode));
}

TEST_F(ArchiveTest, WhiteoutDoesNotReachOutside) {
    const std::string outside = dir_.makeDirectory("outside");
    ASSERT_TRUE(replaceFile(outside + "/victim", "untouched").ok());
    for (const char* whiteout : {"l/.wh.victim", "l/.wh..wh..opq"}) {
        { TarMaker(layer_).symlink("l", outside); }
        { TarMaker(dir_ / "upper.tar").file(whiteout, ""); }
        ASSERT_TRUE(writeLayers({layer_, dir_ / "upper.tar"}).ok());
        EXPECT_EQ(unpackOciArchive(image_, rootfs_).status().code(), kInvalid);
        EXPECT_EQ(contentOf(outside + "/victim"), "untouched");
    }
}

TEST_F(ArchiveTest, RefusesAbsurdDepthAndSize) {
    std::string deep;
    for (int i = 0; i < 200; ++i) deep += "d/";
    { TarMaker(layer_).file(deep + "f", "x"); }
    EXPECT_EQ(unpackLayer().status().code(), kInvalid);
    // Links that add depth to depth.
    std::string step;
    for (int i = 0; i < 100; ++i) step += "d/";
    { TarMaker(layer_).directory(step).symlink("l", step).file("l/" + step + "f", "x"); }
    EXPECT_EQ(unpackLayer().status().code(), kInvalid);
    EXPECT_TRUE(rootfsIsEmpty());
}

TEST_F(ArchiveTest, RefusesTruncatedAndCorruptArchives) {
    { TarMaker(layer_).file("a", std::string(50000, 'x')); }
    ASSERT_TRUE(writeOciArchive(layer_, {}, image_).ok());
    const std::string whole = readFile(image_).value();
    for (const size_t size : {size_t{0}, size_t{100}, size_t{700}, size_t{3000}, whole.size() / 2}) {
        ASSERT_TRUE(replaceFile(image_, whole.substr(0, size)).ok());
        EXPECT_EQ(checkOciArchive(image_).status().code(), kInvalid) << size;
        EXPECT_EQ(unpackOciArchive(image_, rootfs_).status().code(), kInvalid) << size;
    }
    std::string changed = whole;
    changed[changed.find("xxxx") + 7] = 'y';
    ASSERT_TRUE(replaceFile(image_, changed).ok());
    EXPECT_THAT(messageOf(checkOciArchive(image_).status()), HasSubstr("another digest"));
    EXPECT_EQ(unpackOciArchive(image_, rootfs_).status().code(), kInvalid);
    EXPECT_TRUE(rootfsIsEmpty());
}

TEST_F(ArchiveTest, RefusesWhatIsNoImage) {
    ASSERT_TRUE(replaceFile(image_, "no archive at all").ok());
    EXPECT_EQ(detectArchive(image_).status().code(), kInvalid);
    EXPECT_EQ(writeOciArchive(image_, {}, dir_ / "out.tar").code(), kInvalid);
    EXPECT_FALSE(exists(dir_ / "out.tar"));
    EXPECT_EQ(checkOciArchive(dir_ / "missing").status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(detectArchive(dir_ / "").status().code(), absl::StatusCode::kFailedPrecondition);
    { TarMaker(layer_).file("a", "x"); }
    EXPECT_EQ(checkOciArchive(layer_).status().code(), kInvalid);
    ASSERT_TRUE(writeLayers({layer_}, "application/x-surprise").ok());
    EXPECT_THAT(messageOf(checkOciArchive(image_).status()), HasSubstr("not supported"));
    for (const char* index :
         {"", "{", "[]", "{}", R"({"manifests":[]})", R"({"manifests":[1]})",
          R"({"manifests":[{"digest":"sha256:../../etc/passwd","size":1}]})", R"({"manifests":[{},{}]})"}) {
        { TarMaker(image_).file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})").file("index.json", index); }
        EXPECT_EQ(checkOciArchive(image_).status().code(), kInvalid) << index;
    }
}

TEST_F(ArchiveTest, RefusesADirectoryInUse) {
    { TarMaker(layer_).file("a", "x"); }
    ASSERT_TRUE(writeOciArchive(layer_, {}, image_).ok());
    ASSERT_TRUE(replaceFile(rootfs_ + "/mine", "x").ok());
    EXPECT_EQ(unpackOciArchive(image_, rootfs_).status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(contentOf(rootfs_ + "/mine"), "x");
}

}  // namespace
}  // namespace homeslice::oci
