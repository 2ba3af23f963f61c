#include "base/reason.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace homeslice {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::MatchesRegex;
using ::testing::Pair;

TEST(Reason, StaysWithAStatusThatGetsContext) {
    const absl::Status inner = because(notFound("no slice 'web'"), reason::kSliceNotFound, {{"slice", "web"}});
    const absl::Status status = withContext(inner, "renew");
    EXPECT_EQ(messageOf(status), "renew: no slice 'web'");
    EXPECT_EQ(reasonOf(status).word, "SLICE_NOT_FOUND");
    EXPECT_THAT(reasonOf(status).facts, Contains(Pair("slice", "web")));
}

TEST(Reason, IsTheCodesWhereNoneIsGiven) {
    EXPECT_EQ(reasonOf(invalidArgument("x")).word, "INVALID_ARGUMENT");
    EXPECT_TRUE(reasonOf(invalidArgument("x")).facts.empty());
    EXPECT_EQ(reasonOf(absl::OkStatus()).word, "");
    EXPECT_TRUE(because(absl::OkStatus(), reason::kNodeAway).ok());
}

TEST(Reason, KeepsEmptyFacts) {
    const ErrorReason reason = reasonOf(because(notFound("x"), reason::kNodeNotFound, {{"a", ""}, {"b", "c"}}));
    EXPECT_EQ(reason.facts, (ErrorFacts{{"a", ""}, {"b", "c"}}));
}

TEST(Reason, WordsAreUpperSnakeCase) { EXPECT_THAT(reasonWords(), Each(MatchesRegex("[A-Z]+(_[A-Z]+)*"))); }

}  // namespace
}  // namespace homeslice
