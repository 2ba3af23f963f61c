// System calls that reach kernel code which no sliver needs. Arguments are harmless where the call is allowed: what
// matters is who refuses.
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sys/fanotify.h>
#include <sys/personality.h>
#include <sys/quota.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cstring>
#include <ctime>

#include "attempt.h"

namespace homeslice::attacker {
namespace {

template <typename... Values>
int call(long number, Values... values) {
    return answer(::syscall(number, values...));
}

int ioUring(const Arguments&) {
    io_uring_params parameters{};
    return call(SYS_io_uring_setup, 4, &parameters);
}

int createBpfMap(const Arguments&) {
    bpf_attr map{};
    map.map_type = BPF_MAP_TYPE_ARRAY;
    map.key_size = 4;
    map.value_size = 4;
    map.max_entries = 1;
    return call(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map);
}

int watchPerformance(const Arguments&) {
    perf_event_attr event{};
    event.type = PERF_TYPE_SOFTWARE;
    event.size = sizeof event;
    event.config = PERF_COUNT_SW_CPU_CLOCK;
    return call(SYS_perf_event_open, &event, 0, -1, -1, 0);
}

int addKey(const Arguments&) { return call(SYS_add_key, "user", "hst-escape", "x", 1, KEY_SPEC_PROCESS_KEYRING); }
int requestKey(const Arguments&) { return call(SYS_request_key, "user", "hst-none", nullptr, 0); }
int askKeyring(const Arguments&) { return call(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0); }

int loadKernel(const Arguments&) { return call(SYS_kexec_load, 0, 1, nullptr, ~0UL); }
int loadModule(const Arguments&) { return call(SYS_init_module, "", 0, ""); }
int loadModuleFile(const Arguments&) { return call(SYS_finit_module, -1, "", 0); }
int unloadModule(const Arguments&) { return call(SYS_delete_module, "hst_none", O_NONBLOCK); }
int reboot(const Arguments&) { return call(SYS_reboot, 0, 0, 0, nullptr); }  // not the magic numbers

int openByHandle(const Arguments&) {
    alignas(file_handle) unsigned char space[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
    auto* handle = reinterpret_cast<file_handle*>(space);
    handle->handle_bytes = MAX_HANDLE_SZ;
    int mount_id = 0;
    const int directory = ::open("/dev/shm", O_RDONLY | O_DIRECTORY);  // overlays have no handles
    if (::name_to_handle_at(directory, "", handle, &mount_id, AT_EMPTY_PATH) < 0) return errno;
    return answer(::open_by_handle_at(directory, handle, O_RDONLY));
}

int watchFileSystem(const Arguments&) { return call(SYS_fanotify_init, FAN_CLASS_CONTENT, O_RDONLY); }
int askQuota(const Arguments&) { return call(SYS_quotactl, QCMD(Q_SYNC, USRQUOTA), nullptr, 0, nullptr); }
int swapOn(const Arguments&) { return call(SYS_swapon, "/hst-none", 0); }
int account(const Arguments&) { return call(SYS_acct, "/hst-none"); }
int readKernelLog(const Arguments&) { return call(SYS_syslog, 10, nullptr, 0); }  // SYSLOG_ACTION_SIZE_BUFFER

int setClock(const Arguments&) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return answer(::clock_settime(CLOCK_REALTIME, &now));
}
int adjustClock(const Arguments&) {
    timex nothing{};
    return call(SYS_adjtimex, &nothing);
}

int raiseIoLevel(const Arguments&) { return call(SYS_iopl, 3); }
int readDescriptorTable(const Arguments&) { return call(SYS_modify_ldt, 0, nullptr, 0); }
int dropAddressRandomization(const Arguments&) { return answer(::personality(ADDR_NO_RANDOMIZE)); }
int moveMemory(const Arguments&) { return call(SYS_move_pages, 0, 0, nullptr, nullptr, nullptr, 0); }

int openFamily(int family) { return answer(::socket(family, SOCK_DGRAM, 0)); }
int vsockSocket(const Arguments&) { return openFamily(AF_VSOCK); }
int algSocket(const Arguments&) { return answer(::socket(AF_ALG, SOCK_SEQPACKET, 0)); }
int canSocket(const Arguments&) { return openFamily(AF_CAN); }

// The same kernel by its other doors, which a filter for one ABI would not see.
int callAs32Bit(const Arguments&) {
    long result = 0;
    asm volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");  // getpid
    return result > 0 ? 0 : ENOSYS;
}
int callAsX32(const Arguments&) { return call(0x40000000 | SYS_getpid); }

constexpr Attempt kAttempts[] = {
    {"io_uring_setup", ioUring},
    {"bpf", createBpfMap},
    {"perf_event_open", watchPerformance},
    {"userfaultfd", [](const Arguments&) { return call(SYS_userfaultfd, 0); }},
    {"add_key", addKey},
    {"request_key", requestKey},
    {"keyctl", askKeyring},
    {"kexec_load", loadKernel},
    {"init_module", loadModule},
    {"finit_module", loadModuleFile},
    {"delete_module", unloadModule},
    {"reboot", reboot},
    {"open_by_handle_at", openByHandle},
    {"fanotify_init", watchFileSystem},
    {"quotactl", askQuota},
    {"swapon", swapOn},
    {"acct", account},
    {"syslog", readKernelLog},
    {"clock_settime", setClock},
    {"adjtimex", adjustClock},
    {"iopl", raiseIoLevel},
    {"modify_ldt", readDescriptorTable},
    {"personality", dropAddressRandomization},
    {"move_pages", moveMemory},
    {"vsock_socket", vsockSocket},
    {"alg_socket", algSocket},
    {"can_socket", canSocket},
    {"i386_call", callAs32Bit},
    {"x32_call", callAsX32},
};

}  // namespace

std::span<const Attempt> systemCallAttempts() { return kAttempts; }

}  // namespace homeslice::attacker
