#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace homeslice {
namespace {

TEST(Status, KeepsErrnoThroughContext) {
    const absl::Status status = withContext(errnoStatus(EBUSY, "mount(overlay)"), "sliver web/2");
    EXPECT_EQ(errnoOf(status), EBUSY);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(messageOf(status), "sliver web/2: mount(overlay): EBUSY (Device or resource busy)");
}

TEST(Status, ContextLeavesOkAlone) { EXPECT_TRUE(withContext(absl::OkStatus(), "x").ok()); }

TEST(Status, WithoutErrnoIsZero) { EXPECT_EQ(errnoOf(notFound("x")), 0); }

absl::StatusOr<int> half(int n) {
    if (n % 2 != 0) return invalidArgument("odd");
    return n / 2;
}

absl::StatusOr<int> quarter(int n) {
    HS_ASSIGN_OR_RETURN(const int h, half(n));
    HS_ASSIGN_OR_RETURN_CTX(const int q, half(h), "second half");
    return q;
}

TEST(Status, AssignOrReturn) {
    EXPECT_EQ(quarter(8).value(), 2);
    EXPECT_EQ(messageOf(quarter(3).status()), "odd");
    EXPECT_EQ(messageOf(quarter(2).status()), "second half: odd");
}

}  // namespace
}  // namespace homeslice
