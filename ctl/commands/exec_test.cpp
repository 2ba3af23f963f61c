#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <latch>
#include <sstream>

#include "base/file.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "ctl/commands/fake_controller.h"
#include "rpc/status.h"

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
        if (start.sliver().index() == 2) return rpc::toGrpc(unavailable("node1 is away"));
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

TEST_F(Exec, OptionsReachTheCommand) {
    v1::ExecStart seen;
    controller_.exec = [&](const v1::ExecStart& start, ExecStream& stream) {
        seen = start;
        return exitWith(stream, 0);
    };
    EXPECT_EQ(slicectl(controller_, {"exec", "web/1", "-d", "--user", "ana:sudo", "-w", "/srv", "-e", "A=[1,2]", "-e",
                                     "B=", "--", "true"})
                  .exit_status,
              0);
    EXPECT_EQ(seen.user(), "ana:sudo");
    EXPECT_EQ(seen.working_directory(), "/srv");
    EXPECT_THAT(seen.env(), ::testing::ElementsAre("A=[1,2]", "B="));
    EXPECT_TRUE(seen.detached());
    EXPECT_FALSE(seen.tty());
    const Outcome outcome = slicectl(controller_, {"exec", "web/1", "-e", "NAME", "--", "true"});
    EXPECT_EQ(outcome.err, "slicectl: --env 'NAME' is not valid: use NAME=VALUE\n");
}

class ExecOnTerminal : public Exec {
protected:
    ExecOnTerminal() {
        winsize size{};
        size.ws_col = 100;
        size.ws_row = 30;
        int master = -1;
        int slave = -1;
        EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
        master_.reset(master);
        slave_.reset(slave);
    }
    void type(const std::string& keys) { EXPECT_TRUE(writeAll(master_.get(), keys).ok()); }

    UniqueFd master_;
    UniqueFd slave_;
};

TEST_F(ExecOnTerminal, PassesKeysAndSizes) {
    v1::ExecStart seen;
    std::string keys;
    v1::TerminalSize size;
    controller_.exec = [&](const v1::ExecStart& start, ExecStream& stream) {
        seen = start;
        type("\x03\x10z");
        v1::ExecRequest request;
        while (keys.size() < 3 && stream.Read(&request)) keys += request.stdin_data();
        winsize changed{};
        changed.ws_col = 132;
        changed.ws_row = 50;
        EXPECT_EQ(::ioctl(master_.get(), TIOCSWINSZ, &changed), 0);
        ::raise(SIGWINCH);
        while (!request.has_resize() && stream.Read(&request)) {
        }
        size = request.resize();
        return exitWith(stream, 5);
    };
    EXPECT_EQ(slicectl(controller_, {"exec", "-t", "web/1", "--", "vi"}, slave_.get()).exit_status, 5);
    EXPECT_TRUE(seen.tty());
    EXPECT_EQ(seen.size().columns(), 100U);
    EXPECT_EQ(seen.size().rows(), 30U);
    EXPECT_EQ(keys, "\x03\x10z");
    EXPECT_EQ(size.columns(), 132U);
    EXPECT_EQ(size.rows(), 50U);
}

TEST_F(ExecOnTerminal, DetachesByItsKeys) {
    std::string keys;
    bool detached = false;
    controller_.exec = [&](const v1::ExecStart&, ExecStream& stream) {
        type("ab\x10\x11");
        v1::ExecRequest request;
        while (!detached && stream.Read(&request)) {
            keys += request.stdin_data();
            detached = request.detach();
        }
        return exitWith(stream, 0);
    };
    const Outcome outcome = slicectl(controller_, {"exec", "-it", "web/1", "--", "vi"}, slave_.get());
    EXPECT_EQ(outcome.exit_status, 0);
    EXPECT_EQ(outcome.err, "\nslicectl: detached from web/1; the command goes on there\n");
    EXPECT_TRUE(detached);
    EXPECT_EQ(keys, "ab");
}

TEST_F(ExecOnTerminal, NeedsASingleSliver) {
    const Outcome outcome = slicectl(controller_, {"exec", "-t", "web", "--", "vi"}, slave_.get());
    EXPECT_EQ(outcome.err, "slicectl: -t needs a single sliver: use SLICE/INDEX, such as web/1\n");
}

TEST_F(ExecOnTerminal, ShellIsALoginShellOfTheFirstSliver) {
    v1::ExecStart seen;
    controller_.exec = [&](const v1::ExecStart& start, ExecStream& stream) {
        seen = start;
        return exitWith(stream, 0);
    };
    EXPECT_EQ(slicectl(controller_, {"shell", "web"}, slave_.get()).exit_status, 0);
    EXPECT_EQ(seen.sliver().index(), 1U);
    EXPECT_TRUE(seen.tty());
    EXPECT_THAT(seen.argv(2), HasSubstr("exec bash -l"));
    EXPECT_EQ(slicectl(controller_, {"shell", "web/3", "--user", "ana"}).exit_status, 0);
    EXPECT_EQ(seen.sliver().index(), 3U);
    EXPECT_EQ(seen.user(), "ana");
    EXPECT_FALSE(seen.tty()) << "a script on its input";
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
