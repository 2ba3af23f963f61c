#include "noded/sys/cgroup_limits.h"

#include <gtest/gtest.h>

namespace homeslice::sys {
namespace {

using Cpus = std::set<uint32_t>;

TEST(CpuListTest, ReadsNumbersAndRanges) {
    EXPECT_EQ(parseCpuList("0").value(), Cpus({0}));
    EXPECT_EQ(parseCpuList("0-3,8").value(), Cpus({0, 1, 2, 3, 8}));
    EXPECT_EQ(parseCpuList("5,1-2").value(), Cpus({1, 2, 5}));
    EXPECT_EQ(parseCpuList("0-8191").value().size(), 8192U);
}

TEST(CpuListTest, RefusesTheRest) {
    for (const char* bad : {"", ",", "1,", ",1", "1-", "-1", "3-1", "a", "1-2-3", " 1", "8192", "0-4294967295",
                            "99999999999999999999", "1;2"}) {
        EXPECT_EQ(parseCpuList(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
    }
}

TEST(DiskOfTest, FindsWholeDisksOnly) {
    EXPECT_EQ(diskOf("/proc").status().code(), absl::StatusCode::kNotFound);
    EXPECT_FALSE(diskOf("/no/such/path").ok());
}

}  // namespace
}  // namespace homeslice::sys
