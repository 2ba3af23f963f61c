// Attempts on files that are not the sliver's: the kernel's settings, devices, the node's programs and directories.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "tests/escape/escape_fixture.h"

namespace homeslice::escape {
namespace {

using Control = Attempt::Control;
using testing::HasSubstr;
using testing::Not;

class FileEscape : public RefusedTest {};
TEST_P(FileEscape, IsRefused) { expectRefused(GetParam()); }

Attempt write(const std::string& name, const std::string& path, int refused, Control control = Control::outside) {
    return {.name = name, .arguments = {"write", path}, .refused = refused, .control = control};
}

INSTANTIATE_TEST_SUITE_P(
    Write, FileEscape,
    testing::Values(write("core_pattern", "/proc/sys/kernel/core_pattern", EACCES),
                    write("modprobe", "/proc/sys/kernel/modprobe", EACCES),
                    write("hostname_setting", "/proc/sys/kernel/hostname", EACCES),
                    write("network_setting", "/proc/sys/net/ipv6/conf/eth0/accept_ra", EACCES, Control::none),
                    write("ipc_setting", "/proc/sys/kernel/msgmax", EROFS, Control::none),
                    write("namespace_limit", "/proc/sys/user/max_user_namespaces", EACCES, Control::none),
                    Attempt{"sysrq_trigger", {"write", "/proc/sysrq-trigger", "h"}, EACCES, Control::outside},
                    write("uevent_of_a_device", "/sys/class/net/lo/uevent", EACCES, Control::none),
                    write("address_of_the_link", "/sys/class/net/eth0/mtu", EROFS, Control::none),
                    write("kernel_memory_management", "/sys/kernel/mm/transparent_hugepage/enabled", EACCES,
                          Control::none),
                    write("irq_affinity", "/proc/irq/default_smp_affinity", EACCES),
                    Attempt{"kernel_memory", {"write", "/dev/mem", "x"}, ENOENT},
                    Attempt{"kernel_log", {"write", "/dev/kmsg", "x"}, ENOENT}),
    nameOf);

INSTANTIATE_TEST_SUITE_P(Read, FileEscape,
                         testing::Values(Attempt{"kernel_core", {"read", "/proc/kcore"}, ENOENT, Control::outside},
                                         Attempt{"keys", {"read", "/proc/keys"}, ENOENT, Control::outside},
                                         Attempt{"interrupts", {"read", "/proc/interrupts"}, ENOENT, Control::outside},
                                         Attempt{"firmware", {"list", "/sys/firmware"}, ENOENT, Control::outside},
                                         Attempt{"kernel_messages", {"read", "/proc/kmsg"}, EACCES},
                                         Attempt{"page_flags", {"read", "/proc/kpageflags"}, EACCES, Control::outside},
                                         Attempt{"slabs", {"read", "/proc/slabinfo"}, EACCES, Control::outside}),
                         nameOf);

INSTANTIATE_TEST_SUITE_P(Nodes, FileEscape,
                         testing::Values(Attempt{"mknod_disk", {"mknod_disk"}, EPERM, Control::outside},
                                         Attempt{"mknod_memory", {"mknod_memory"}, EPERM, Control::outside},
                                         Attempt{"mknod_kernel_log", {"mknod_kernel_log"}, EPERM, Control::outside},
                                         Attempt{
                                             "mknod_overlay_whiteout", {"mknod_whiteout"}, EPERM, Control::outside}),
                         nameOf);

using Files = EscapeTest;

// CVE-2024-21626: a descriptor of the host's that is still open while the working directory is entered.
TEST_F(Files, WorkingDirectoryThroughALeakedDescriptor) {
    for (int fd = 3; fd < 32; ++fd) {
        init::ExecRequest request;
        request.argv = {kAttackerInside, "list_descriptors"};
        request.working_directory = "/proc/self/fd/" + std::to_string(fd);
        const Outcome outcome = run(attacker_.id, std::move(request));
        EXPECT_THAT(outcome.status, testing::AnyOf(126, 127)) << "descriptor " << fd << " led to: " << outcome.output;
    }
    init::ExecRequest control;
    control.argv = {kAttackerInside, "list_descriptors"};
    control.working_directory = "/proc/self/root/tmp";
    EXPECT_THAT(run(attacker_.id, std::move(control)).output, HasSubstr("cwd /tmp\n"));
}

TEST_F(Files, CommandsInheritTheirThreeStreamsAndNothingElse) {
    const Outcome outcome = inside({"list_descriptors"});
    EXPECT_EQ(outcome.output, "fd 0\nfd 1\nfd 2\ncwd /\n");
}

TEST_F(Files, TheSliversOwnCommandInheritsNothingElseEither) {
    const SliverSpec third = node_->sliver(
        3, {"sh", "-c", "for n in $(seq 3 63); do [ -e /proc/$$/fd/$n ] && echo open $n; done; echo in $(pwd)"});
    node_->desire({attacker_, neighbour_, third});
    ASSERT_TRUE(node_->reaches(third.id, sliver::State::exited)) << node_->manager().inspect();
    const auto logs = node_->manager().logDirectory(third.id);
    ASSERT_TRUE(logs.ok()) << logs.status();
    EXPECT_THAT(readFile(*logs + "/log").value(), testing::MatchesRegex("[^ ]+ stdout F in /\n"));
    node_->desire({attacker_, neighbour_});
}

std::string programOf(pid_t process) {
    char path[PATH_MAX] = {};
    const ssize_t size = ::readlink(("/proc/" + std::to_string(process) + "/exe").c_str(), path, sizeof path - 1);
    return size < 0 ? "" : path;
}

// CVE-2019-5736: a command whose interpreter is the program that starts commands, and a process beside it that waits
// for a chance to open that program.
TEST_F(Files, OverwriteSliverInit) {
    ASSERT_EQ(shell("printf '#!/proc/self/exe\\n' > /tmp/trap && chmod 755 /tmp/trap && cp /attacker /tmp/copy").status,
              0);
    const std::string program = programOf(node_->firstProcess(attacker_.id));
    const std::string before = readFile(program).value();
    init::ExecRequest watch;
    watch.argv = {kAttackerInside, "overwrite_executables", "3", kAttackerInside};
    const auto watching = node_->manager().exec(attacker_.id, std::move(watch));
    ASSERT_TRUE(watching.ok()) << watching.status();
    for (int i = 0; i < 100; ++i) {
        init::ExecRequest trap;
        trap.argv = {"/tmp/trap"};
        EXPECT_NE(run(attacker_.id, std::move(trap)).status, 0);
    }
    EXPECT_EQ((*watching)->wait().value_or(-1), EACCES);
    EXPECT_EQ(readFile(program).value(), before);
    struct stat about {};
    ASSERT_EQ(::stat(program.c_str(), &about), 0);
    EXPECT_EQ(about.st_uid, 0U) << "of the host's root, whom no sliver maps";
    EXPECT_EQ(about.st_mode & 0777U, 0711U);
}

// The same watcher gets at a program of the sliver's own.
TEST_F(Files, OverwriteAnotherProgramAsAControl) {
    ASSERT_EQ(shell("cp /attacker /tmp/copy").status, 0);
    init::ExecRequest watch;
    watch.argv = {kAttackerInside, "overwrite_executables", "20", kAttackerInside};
    const auto watching = node_->manager().exec(attacker_.id, std::move(watch));
    ASSERT_TRUE(watching.ok()) << watching.status();
    shell("/tmp/copy overwrite_executables 1 " + std::string(kAttackerInside) + "; true");
    EXPECT_EQ((*watching)->wait().value_or(-1), 0);
}

// What the node puts into a disk at a start is not to follow what the sliver left there.
TEST_F(Files, LinksInPlaceOfWhatTheNodeWrites) {
    std::string outside = "/tmp/hst-outside-XXXXXX";
    ASSERT_NE(::mkdtemp(outside.data()), nullptr);
    ASSERT_EQ(::chmod(outside.c_str(), 0777), 0);
    ASSERT_EQ(shell("rm -rf /etc /dev /proc 2>/dev/null; ln -s " + outside + " /etc").status, 0);
    SliverSpec stopped = attacker_;
    stopped.run = DesiredRun::stopped;
    node_->desire({stopped, neighbour_});
    ASSERT_TRUE(node_->reaches(attacker_.id, sliver::State::stopped)) << node_->manager().inspect();
    node_->desire({attacker_, neighbour_});
    ASSERT_TRUE(node_->reaches(attacker_.id, sliver::State::running)) << node_->manager().inspect();
    EXPECT_EQ(shell("[ -L /etc ] && rm /etc && mkdir /etc").status, 0);
    EXPECT_TRUE(std::filesystem::is_empty(outside));
    EXPECT_EQ(removeTree(outside), absl::OkStatus());
}

TEST_F(Files, OfTheImageAreSharedAndChangesAreNot) {
    ASSERT_EQ(shell("echo changed > /bin/busybox.new && mv /bin/busybox.new /bin/vi && rm /bin/ed").status, 0);
    EXPECT_EQ(node_->run(neighbour_.id, "readlink /bin/vi && ls /bin/ed").status, 0);
}

TEST_F(Files, OfTheNeighbourAreNotThere) {
    ASSERT_EQ(node_->run(neighbour_.id, "echo secret > /secret").status, 0);
    EXPECT_EQ(inside({"read", "/secret"}).status, ENOENT);
    EXPECT_EQ(nextDoor({"read", "/secret"}).status, 0);
}

}  // namespace
}  // namespace homeslice::escape
