#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <latch>
#include <sstream>

#include "base/file.h"
#include "base/unique_fd.h"
#include "ctl/commands/fake_controller.h"

namespace homeslice::ctl {
namespace {

using ::testing::HasSubstr;

using ExecStream = FakeController::ExecStream;

void sayOut(ExecStream& stream, const std::string& data) {
    v1::ExecResponse response;
    response.set_stdout_data(data);
    stream.Write(response);
}

void sayErr(ExecStream& stream, const std::string& data) {
    v1::ExecResponse response;
    response.set_stderr_data(data);
    stream.Write(response);
}

grpc::Status exitWith(ExecStream& stream, uint32_t exit_status) {
    v1::ExecResponse response;
    response.set_exit_status(exit_status);
    stream.Write(response);
    return grpc::Status::OK;
}

std::string inputOf(ExecStream& stream) {
    std::string input;
    v1::ExecRequest request;
    while (stream.Read(&request) && !request.stdin_closed()) input += request.stdin_data();
    return input;
}

class Exec : public ::testing::Test {
protected:
    Exec() {
        for (uint32_t i = 3; i >= 1; --i) controller_.addSliver("web", i, "node1");
        controller_.addSliver("solo", 1, "node1");
    }

    FakeController controller_;
};

TEST_F(Exec, OneSliverPassesEverythingAsItIs) {
    v1::ExecStart seen;
    controller_.exec = [&](const v1::ExecStart& start, ExecStream& stream) {
        seen = start;
        sayOut(stream, std::string("a\0b", 3));
        sayErr(stream, "warning");
        return exitWith(stream, 7);
    };
    const Outcome outcome = slicectl(controller_, {"exec", "web/2", "--", "ls", "--color", "--", "-i"});
    EXPECT_EQ(outcome.exit_status, 7);
    EXPECT_EQ(outcome.out, std::string("a\0b", 3));
    EXPECT_EQ(outcome.err, "warning");
    EXPECT_EQ(seen.sliver().index(), 2u);
    EXPECT_THAT(seen.argv(), ::testing::ElementsAre("ls", "--color", "--", "-i"));
}

TEST_F(Exec, SliceOfOneSliverHasNoLabels) {
    controller_.exec = [](const v1::ExecStart&, ExecStream& stream) {
        sayOut(stream, "x");
        return exitWith(stream, 0);
    };
    EXPECT_EQ(slicectl(controller_, {"exec", "solo", "--", "true"}).out, "x");
}

TEST_F(Exec, InputReachesASingleSliver) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    ASSERT_TRUE(writeAll(write_end.get(), "some input").ok());
    write_end.reset();
    controller_.exec = [](const v1::ExecStart&, ExecStream& stream) {
        sayOut(stream, inputOf(stream));
        return exitWith(stream, 0);
    };
    EXPECT_EQ(slicectl(controller_, {"exec", "web/1", "--", "cat"}, read_end.get()).out, "some input");
}

TEST_F(Exec, OpenInputDoesNotOutliveTheCommand) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd read_end(ends[0]);
    const UniqueFd write_end(ends[1]);
    controller_.exec = [](const v1::ExecStart&, ExecStream& stream) { return exitWith(stream, 0); };
    EXPECT_EQ(slicectl(controller_, {"exec", "web/1", "--", "true"}, read_end.get()).exit_status, 0);
}

TEST_F(Exec, AllSliversRunAtOnceWithLabels) {
    std::latch all_there(3);
    controller_.exec = [&](const v1::ExecStart& start, ExecStream& stream) {
        all_there.arrive_and_wait();
        EXPECT_EQ(inputOf(stream), "");
        sayOut(stream, "on " + std::to_string(start.sliver().index()));
        sayErr(stream, "oops\n");
        return exitWith(stream, 0);
    };
    const Outcome outcome = slicectl(controller_, {"exec", "web", "--", "hostname"});
    EXPECT_EQ(outcome.exit_status, 0);
    for (const char* line : {"web/1 | on 1\n", "web/2 | on 2\n", "web/3 | on 3\n"}) {
        EXPECT_THAT(outcome.out, HasSubstr(line));
    }
    EXPECT_THAT(outcome.err, HasSubstr("web/2 | oops\n"));
}

TEST_F(Exec, StatusIsTheFirstByIndexThatIsNotZero) {
    controller_.exec = [](const v1::ExecStart& start, ExecStream& stream) {
        return exitWith(stream, start.sliver().index() == 1 ? 0 : 10 + start.sliver().index());
    };
    EXPECT_EQ(slicectl(controller_, {"exec", "web", "--", "false"}).exit_status, 12);
}

TEST_F(Exec, OneThatIsAwayDoesNotHideTheOthers) {
    controller_.exec = [](const v1::ExecStart& start, ExecStream& stream) {
        if (start.sliver().index() == 2) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "node1 is away");
        sayOut(stream, "here\n");
        return exitWith(stream, 0);
    };
    const Outcome outcome = slicectl(controller_, {"exec", "web", "--", "true"});
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 2);
    EXPECT_EQ(outcome.err, "slicectl: web/2: node1 is away\n");
}

TEST_F(Exec, RefusalHasAStatusByItsCode) {
    controller_.exec = [](const v1::ExecStart&, ExecStream&) {
        return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "web/1 is stopped");
    };
    const Outcome outcome = slicectl(controller_, {"exec", "web/1", "--", "true"});
    EXPECT_EQ(outcome.exit_status, 4);
    EXPECT_EQ(outcome.err, "slicectl: web/1 is stopped\n");
}

TEST_F(Exec, LostExitStatusIsAnError) {
    controller_.exec = [](const v1::ExecStart&, ExecStream&) { return grpc::Status::OK; };
    EXPECT_EQ(slicectl(controller_, {"exec", "web/1", "--", "true"}).exit_status, 1);
}

TEST_F(Exec, UnknownSliceIsThree) {
    EXPECT_EQ(slicectl(controller_, {"exec", "nothing", "--", "true"}).exit_status, 3);
}

TEST_F(Exec, InteractiveNeedsASingleSliver) {
    const Outcome outcome = slicectl(controller_, {"exec", "web", "-i", "--", "cat"});
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_EQ(outcome.err, "slicectl: -i needs a single sliver: use SLICE/INDEX, such as web/1\n");
}

TEST_F(Exec, InterruptCancelsTheCall) {
    bool cancelled = false;
    controller_.exec = [&](const v1::ExecStart&, ExecStream& stream) {
        ::raise(SIGINT);
        v1::ExecRequest request;
        while (stream.Read(&request)) {
        }
        // The command's end as the node sees it: the stream breaks.
        v1::ExecResponse response;
        cancelled = !stream.Write(response);
        return grpc::Status::CANCELLED;
    };
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd read_end(ends[0]);
    const UniqueFd write_end(ends[1]);
    const Outcome outcome = slicectl(controller_, {"exec", "web/1", "--", "sleep", "100"}, read_end.get());
    EXPECT_EQ(outcome.exit_status, 130);
    EXPECT_EQ(outcome.err, "slicectl: interrupted\n");
}

}  // namespace
}  // namespace homeslice::ctl
