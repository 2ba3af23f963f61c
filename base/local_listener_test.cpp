#include "base/local_listener.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/status.h"

namespace homeslice {
namespace {

TEST(LocalListener, IsReachedByItsTarget) {
    const auto listener = LocalListener::open();
    ASSERT_TRUE(listener.ok()) << listener.status();
    EXPECT_FALSE(listener->accept().valid());
    const auto there = connectLocally(listener->target());
    ASSERT_TRUE(there.ok()) << there.status();
    const UniqueFd here = listener->accept();
    ASSERT_TRUE(here.valid());
    ASSERT_EQ(::write(there->get(), "word", 4), 4);
    char word[4];
    EXPECT_EQ(::read(here.get(), word, sizeof word), 4);
}

TEST(LocalListener, EachHasANameOfItsOwn) {
    EXPECT_NE(LocalListener::open()->target(), LocalListener::open()->target());
}

TEST(LocalListener, TurnsOtherProcessesAway) {
    const auto listener = LocalListener::open();
    ASSERT_TRUE(listener.ok()) << listener.status();
    const pid_t child = ::fork();
    if (child == 0) ::_exit(connectLocally(listener->target()).ok() ? 0 : 1);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_FALSE(listener->accept().valid());
}

TEST(LocalListener, OneThatIsGoneRefuses) {
    const std::string target = LocalListener::open()->target();
    EXPECT_EQ(errnoOf(connectLocally(target).status()), ECONNREFUSED);
    EXPECT_EQ(connectLocally("unix:/run/x").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace homeslice
