#include "base/names.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace homeslice {
namespace {

TEST(Names, AcceptsDnsLabels) {
    for (const char* name : {"a", "web", "web-2", "0"}) EXPECT_TRUE(checkName("slice name", name).ok()) << name;
    EXPECT_TRUE(checkName("slice name", std::string(40, 'a')).ok());
}

TEST(Names, RefusesTheRestAndSaysWhy) {
    for (const char* name : {"", "Web", "-web", "web-", "a/b", "../x", "a b", "w\xc3\xa9"}) {
        EXPECT_FALSE(checkName("slice name", name).ok()) << name;
    }
    EXPECT_FALSE(checkName("slice name", std::string(41, 'a')).ok());
    EXPECT_EQ(messageOf(checkName("slice name", "Web")),
              "slice name 'Web' is not valid: use lower-case letters, digits and hyphens");
}

TEST(Names, RandomIdsDiffer) {
    EXPECT_EQ(randomId().size(), 32U);
    EXPECT_NE(randomId(), randomId());
}

}  // namespace
}  // namespace homeslice
