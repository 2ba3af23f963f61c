#include "ctl/lab/mounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace homeslice::ctl::lab {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(MountInfoTest, ReadsPointAndTypeWhateverTheNumberOfTags) {
    EXPECT_THAT(parseMountInfo("22 1 8:1 / / rw,noatime - ext4 /dev/sda1 rw\n"
                               "23 22 0:20 / /sys/fs/cgroup rw shared:4 master:1 - cgroup2 cgroup rw\n"),
                ElementsAre(Mount{"/", "ext4"}, Mount{"/sys/fs/cgroup", "cgroup2"}));
}

TEST(MountInfoTest, DecodesBlanksInPaths) {
    EXPECT_THAT(parseMountInfo(R"(22 1 0:4 / /mnt/a\040b\134c rw - tmpfs tmpfs rw)"),
                ElementsAre(Mount{"/mnt/a b\\c", "tmpfs"}));
}

TEST(MountInfoTest, LeavesOutMalformedLines) {
    EXPECT_THAT(parseMountInfo("\n22 1\n22 1 0:4 / /mnt rw\n22 1 0:4 / /mnt rw -\n"), IsEmpty());
}

}  // namespace
}  // namespace homeslice::ctl::lab
