#include "noded/host.h"

#include <absl/status/status.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"

namespace homeslice {
namespace {

TEST(Host, OneLockADirectory) {
    const std::string directory = testing::TempDir() + "noded-lock-" + std::to_string(getpid());
    ASSERT_TRUE(makeDirectories(directory).ok());
    {
        const auto first = lockDirectory(directory);
        ASSERT_TRUE(first.ok()) << first.status();
        EXPECT_TRUE(absl::IsFailedPrecondition(lockDirectory(directory).status()));
    }
    EXPECT_TRUE(lockDirectory(directory).ok());
    EXPECT_TRUE(absl::IsNotFound(lockDirectory(directory + "/none").status()));
    EXPECT_TRUE(removeTree(directory).ok());
}

TEST(Host, NoAddressOfALinkThatIsNotThere) {
    EXPECT_TRUE(absl::IsNotFound(firstGlobalAddress("no-such-link").status()));
}

TEST(Host, RaisesTheDescriptorLimit) {
    ASSERT_TRUE(raiseDescriptorLimit().ok());
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_EQ(limit.rlim_cur, limit.rlim_max);
}

TEST(Host, KnowsItself) {
    const auto facts = hostFacts();
    ASSERT_TRUE(facts.ok()) << facts.status();
    EXPECT_GT(facts->cpus, 0U);
    EXPECT_GT(facts->memory_bytes, 0U);
    EXPECT_FALSE(facts->kernel.empty());
    EXPECT_FALSE(facts->boot_id.empty());
    const auto directory = executableDirectory();
    ASSERT_TRUE(directory.ok());
    EXPECT_TRUE(std::filesystem::exists(*directory + "/noded_test"));
}

}  // namespace
}  // namespace homeslice
