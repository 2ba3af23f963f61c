// Attempts on the node's own copying of a sliver's disk: links that change places with what they stand beside, while
// the node, with every right there is, reads or writes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/status.h"
#include "noded/migration/disk.h"
#include "tests/support/privileges.h"

namespace homeslice::escape {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kFirstId = 300'000'000;
constexpr int kTries = 300;
const std::string kSecret = "what only the host may know";

// Two names change places, again and again, for as long as this lives.
class Swapper {
public:
    Swapper(std::string first, std::string second)
        : thread_([this, first = std::move(first), second = std::move(second)] {
              while (!stop_) ::renameat2(AT_FDCWD, first.c_str(), AT_FDCWD, second.c_str(), RENAME_EXCHANGE);
          }) {}
    ~Swapper() {
        stop_ = true;
        thread_.join();
    }
    Swapper(const Swapper&) = delete;
    Swapper& operator=(const Swapper&) = delete;

private:
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

class CopyEscape : public testing::Test {
protected:
    void SetUp() override {
        HS_REQUIRE_ROOT();
        ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
        for (const char* name : {"disk/d", "outside", "incoming"}) {
            ASSERT_EQ(makeDirectories(path(name)), absl::OkStatus());
        }
        write("outside/f", kSecret);
        write("disk/d/f", "the sliver's own");
    }
    void TearDown() override { EXPECT_EQ(removeTree(directory_), absl::OkStatus()); }

    std::string path(const std::string& name) const { return directory_ + "/" + name; }
    void write(const std::string& name, const std::string& text) const {
        ASSERT_EQ(replaceFile(path(name), text), absl::OkStatus());
    }
    void link(const std::string& target, const std::string& name) const {
        ASSERT_EQ(::symlink(path(target).c_str(), path(name).c_str()), 0);
    }

    // The stream, whatever the end of it; an export that notices the game may give up.
    std::string exported() const {
        const UniqueFd file(::memfd_create("stream", MFD_CLOEXEC));
        const absl::Status done = migration::exportDisk(path("disk"), kFirstId, file.get());
        completed_ += done.ok() ? 1 : 0;
        ::lseek(file.get(), 0, SEEK_SET);
        return readAll(file.get()).value_or("");
    }
    void importFrom(const std::string& stream) const {
        const UniqueFd file(::memfd_create("stream", MFD_CLOEXEC));
        ASSERT_EQ(writeAll(file.get(), stream), absl::OkStatus());
        ::lseek(file.get(), 0, SEEK_SET);
        completed_ += migration::importDisk(file.get(), path("incoming"), kFirstId).ok() ? 1 : 0;
    }

    void expectExportKeepsTheSecret() const {
        for (int i = 0; i < kTries; ++i) {
            ASSERT_EQ(exported().find(kSecret), std::string::npos) << "try " << i;
        }
    }
    // The same by one who follows paths: the game can be won.
    void expectPathLeaks(const std::string& name) const {
        for (int i = 0; i < 1000 * kTries; ++i) {
            if (readFile(path(name)).value_or("") == kSecret) return;
        }
        ADD_FAILURE() << "control: nobody fell for it";
    }

    std::string directory_ = "/tmp/hst-copies-XXXXXX";
    mutable int completed_ = 0;
};

TEST_F(CopyEscape, ExportWhileAFileBecomesALink) {
    link("outside/f", "disk/d/link");
    const Swapper swapper(path("disk/d/f"), path("disk/d/link"));
    expectExportKeepsTheSecret();
    expectPathLeaks("disk/d/f");
}

TEST_F(CopyEscape, ExportWhileADirectoryBecomesALink) {
    link("outside", "disk/link");
    const Swapper swapper(path("disk/d"), path("disk/link"));
    expectExportKeepsTheSecret();
    expectPathLeaks("disk/d/f");
}

TEST_F(CopyEscape, ExportWhileAFileBecomesAPipe) {
    ASSERT_EQ(::mkfifo(path("disk/d/pipe").c_str(), 0600), 0);
    const Swapper swapper(path("disk/d/f"), path("disk/d/pipe"));
    for (int i = 0; i < kTries; ++i) exported();  // would wait for a writer for ever
}

TEST_F(CopyEscape, ImportWhileADirectoryBecomesALink) {
    for (int i = 0; i < 20; ++i) write("disk/d/planted" + std::to_string(i), "x");
    const std::string stream = exported();
    ASSERT_EQ(completed_, 1);
    for (int i = 0; i < kTries / 10; ++i) {
        link("outside", "link");
        {
            const Swapper swapper(path("incoming/d"), path("link"));
            importFrom(stream);
        }
        ASSERT_EQ(removeTree(path("incoming")), absl::OkStatus());
        ASSERT_EQ(removeTree(path("link")), absl::OkStatus());
        ASSERT_EQ(makeDirectories(path("incoming")), absl::OkStatus());
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(path("outside")), fs::directory_iterator()), 1);
    EXPECT_EQ(readFile(path("outside/f")).value_or(""), kSecret);

    ASSERT_EQ(makeDirectories(path("incoming/d")), absl::OkStatus());
    link("outside", "link");
    const Swapper swapper(path("incoming/d"), path("link"));
    for (int i = 0; i < 1000 * kTries && !fs::exists(path("outside/planted")); ++i) {
        static_cast<void>(openFile(path("incoming/d/planted"), O_WRONLY | O_CREAT, 0600).ok());
    }
    EXPECT_TRUE(fs::exists(path("outside/planted"))) << "control: one who follows paths falls for it";
}

// The other way to a link in the way: it comes with the stream, before what is written through it.
TEST_F(CopyEscape, ImportOfAStreamWithALinkAndAFileBehindIt) {
    const std::string make = "cd " + directory_ + " && mkdir -p a b/evil && ln -s " + path("outside") +
                             " a/evil && echo x > b/evil/planted && tar -C a -cf s.tar evil && "
                             "tar -C b -rf s.tar evil/planted && tar -C b --no-recursion -rf s.tar .";
    ASSERT_EQ(std::system(make.c_str()), 0);
    importFrom(readFile(path("s.tar")).value());
    EXPECT_FALSE(fs::exists(path("outside/planted")));
    ASSERT_EQ(
        std::system(("cd " + directory_ + " && mkdir c && ln -s ../outside c/evil && echo x > c/evil/planted").c_str()),
        0);
    EXPECT_TRUE(fs::exists(path("outside/planted"))) << "control";
}

}  // namespace
}  // namespace homeslice::escape
