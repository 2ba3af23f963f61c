// Attempts on other processes, on the kernel by its system calls, and for more rights.
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>

#include "base/defer.h"
#include "tests/escape/escape_fixture.h"

namespace homeslice::escape {
namespace {

using Control = Attempt::Control;
constexpr int kBadSystemCall = 128 + SIGSYS;

class ProcessEscape : public RefusedTest {};
TEST_P(ProcessEscape, IsRefused) { expectRefused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(SystemCalls, ProcessEscape,
                         testing::Values(Attempt{"io_uring_setup", {"io_uring_setup"}, EPERM, Control::outside},
                                         Attempt{"bpf", {"bpf"}, EPERM, Control::outside},
                                         Attempt{"perf_event_open", {"perf_event_open"}, EPERM, Control::outside},
                                         Attempt{"userfaultfd", {"userfaultfd"}, EPERM, Control::outside},
                                         Attempt{"add_key", {"add_key"}, EPERM, Control::outside},
                                         Attempt{"request_key", {"request_key"}, EPERM, Control::outside, {}, ENOKEY},
                                         Attempt{"keyctl", {"keyctl"}, EPERM, Control::outside},
                                         Attempt{"kexec_load", {"kexec_load"}, EPERM, Control::outside, {}, EINVAL},
                                         Attempt{"init_module", {"init_module"}, EPERM, Control::outside, {}, ENOEXEC},
                                         Attempt{"finit_module", {"finit_module"}, EPERM, Control::outside, {}, EBADF},
                                         Attempt{
                                             "delete_module", {"delete_module"}, EPERM, Control::outside, {}, ENOENT},
                                         Attempt{"reboot", {"reboot"}, EPERM, Control::outside, {}, EINVAL},
                                         Attempt{"open_by_handle_at", {"open_by_handle_at"}, EPERM, Control::outside},
                                         Attempt{"fanotify_init", {"fanotify_init"}, EPERM, Control::outside},
                                         Attempt{"quotactl", {"quotactl"}, EPERM, Control::outside},
                                         Attempt{"swapon", {"swapon"}, EPERM, Control::outside, {}, ENOENT},
                                         Attempt{"acct", {"acct"}, EPERM, Control::outside, {}, ENOENT},
                                         Attempt{"syslog", {"syslog"}, EPERM, Control::outside},
                                         Attempt{"clock_settime", {"clock_settime"}, EPERM, Control::outside},
                                         Attempt{"adjtimex", {"adjtimex"}, EPERM, Control::outside},
                                         Attempt{"iopl", {"iopl"}, EPERM, Control::outside},
                                         Attempt{"modify_ldt", {"modify_ldt"}, EPERM, Control::outside},
                                         Attempt{"personality", {"personality"}, ENOSYS, Control::outside},
                                         Attempt{"move_pages", {"move_pages"}, EPERM, Control::outside},
                                         Attempt{"vsock_socket", {"vsock_socket"}, EAFNOSUPPORT},
                                         Attempt{"alg_socket", {"alg_socket"}, EAFNOSUPPORT},
                                         Attempt{"can_socket", {"can_socket"}, EAFNOSUPPORT},
                                         Attempt{"i386_call", {"i386_call"}, kBadSystemCall, Control::outside},
                                         Attempt{"x32_call", {"x32_call"}, kBadSystemCall, Control::outside}),
                         nameOf);

// Each by the sliver's root, who holds every right over his own processes.
INSTANTIATE_TEST_SUITE_P(
    Init, ProcessEscape,
    testing::Values(
        Attempt{"ptrace", {"ptrace", "1"}, EPERM, Control::inside, {"ptrace", "child"}},
        Attempt{"read_memory", {"process_vm_readv", "1"}, EPERM, Control::inside, {"process_vm_readv", "child"}},
        Attempt{"write_memory", {"process_vm_writev", "1"}, EPERM, Control::inside, {"process_vm_writev", "child"}},
        Attempt{"open_mem", {"open_of", "1", "mem", "write"}, EACCES, Control::inside, {"open_of", "child", "mem"}},
        Attempt{"steal_descriptor", {"pidfd_getfd", "1"}, EPERM, Control::inside, {"pidfd_getfd", "child"}},
        Attempt{"open_environ", {"open_of", "1", "environ"}, EACCES, Control::inside, {"open_of", "child", "environ"}},
        Attempt{"open_maps", {"open_of", "1", "maps"}, EACCES, Control::inside, {"open_of", "child", "maps"}},
        Attempt{"open_executable", {"open_of", "1", "exe"}, EACCES, Control::inside, {"open_of", "child", "exe"}},
        Attempt{
            "control_socket", {"readlink_of", "1", "fd/4"}, EACCES, Control::inside, {"readlink_of", "child", "fd/0"}},
        Attempt{"open_log_directory", {"open_of", "1", "fd/5"}, EACCES, Control::inside, {"open_of", "child", "fd/0"}},
        Attempt{"enter_root",
                {"change_directory", "/proc/1/root"},
                EACCES,
                Control::inside,
                {"change_directory", "/proc/self/root"}},
        Attempt{"enter_directory",
                {"change_directory", "/proc/1/cwd"},
                EACCES,
                Control::inside,
                {"change_directory", "/proc/self/cwd"}}),
    nameOf);

INSTANTIATE_TEST_SUITE_P(
    MoreRights, ProcessEscape,
    testing::Values(Attempt{"set_user_id_program", {"set_user_id"}, EPERM, Control::outside},
                    Attempt{"raise_capabilities", {"raise_capabilities"}, EPERM, Control::outside},
                    Attempt{"real_time_priority", {"be_real_time"}, EPERM, Control::outside},
                    Attempt{"high_priority", {"be_favoured"}, EACCES, Control::outside},
                    Attempt{"raise_hard_limit", {"raise_limit"}, EPERM},
                    Attempt{"never_be_killed_for_memory", {"write", "/proc/self/oom_score_adj", "-1000"}, EACCES}),
    nameOf);

using Processes = EscapeTest;

TEST_F(Processes, InitOutlivesSignalsFromInside) {
    for (const int signal : {SIGKILL, SIGSTOP, SIGTERM, SIGSEGV}) {
        EXPECT_EQ(inside({"kill", "1", std::to_string(signal)}).status, 0);
    }
    EXPECT_EQ(shell("echo alive").output, "alive\n");
    EXPECT_EQ(node_->report(attacker_.id).state, sliver::State::running);
}

TEST_F(Processes, OfTheHostAreNotThere) {
    EXPECT_EQ(inside({"kill", std::to_string(::getpid()), "0"}).status, ESRCH);
    EXPECT_EQ(outside({"kill", std::to_string(::getpid()), "0"}).status, 0);
    EXPECT_THAT(shell("cat /proc/[0-9]*/comm").output, testing::MatchesRegex("sliver-init\n(sh\n|cat\n)*"));
}

constexpr int kKey = 0x6873;
const std::string kName = "/hst-escape";

// What the host holds under a name, a sliver does not find under it, nor what its neighbour holds.
TEST_F(Processes, SystemVObjectsOfOthersAreNotThere) {
    const int memory = ::shmget(kKey, 4096, IPC_CREAT | 0666);
    const int semaphores = ::semget(kKey, 1, IPC_CREAT | 0666);
    const int messages = ::msgget(kKey, IPC_CREAT | 0666);
    const Defer remove([&] {
        ::shmctl(memory, IPC_RMID, nullptr);
        ::semctl(semaphores, 0, IPC_RMID);
        ::msgctl(messages, IPC_RMID, nullptr);
    });
    for (const char* attempt : {"shmget", "semget", "msgget"}) {
        EXPECT_EQ(inside({attempt, std::to_string(kKey)}).status, ENOENT) << attempt;
        EXPECT_EQ(outside({attempt, std::to_string(kKey)}).status, 0) << attempt;
    }
}

TEST_F(Processes, MessageQueuesOfOthersAreNotThere) {
    const mqd_t queue = ::mq_open(kName.c_str(), O_CREAT | O_RDWR, 0666, nullptr);
    ASSERT_GE(queue, 0);
    const Defer remove([&] {
        ::mq_close(queue);
        ::mq_unlink(kName.c_str());
    });
    EXPECT_EQ(inside({"mq_open", kName}).status, ENOENT);
    EXPECT_EQ(outside({"mq_open", kName}).status, 0);
    EXPECT_EQ(inside({"list", "/dev/mqueue"}).status, ENOENT) << "a mount of the sliver's own namespace";
}

TEST_F(Processes, SharedMemoryOfOthersIsNotThere) {
    const UniqueFd memory(::shm_open(kName.c_str(), O_CREAT | O_RDWR, 0666));
    ASSERT_TRUE(memory.valid());
    const Defer remove([] { ::shm_unlink(kName.c_str()); });
    EXPECT_EQ(inside({"shm_open", kName}).status, ENOENT);
    EXPECT_EQ(outside({"shm_open", kName}).status, 0);
}

TEST_F(Processes, AbstractSocketsOfOthersAreNotThere) {
    const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const size_t size = kName.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
    ASSERT_EQ(::listen(listener.get(), 4), 0);
    EXPECT_EQ(inside({"connect_abstract", kName}).status, ECONNREFUSED);
    EXPECT_EQ(outside({"connect_abstract", kName}).status, 0);
}

TEST_F(Processes, TheKeyringIsTheirOwn) {
    EXPECT_EQ(inside({"read", "/proc/keys"}).status, ENOENT);
    EXPECT_EQ(outside({"read", "/proc/keys"}).status, 0);
}

}  // namespace
}  // namespace homeslice::escape
