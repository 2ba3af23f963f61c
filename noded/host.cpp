#include "noded/host.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/defer.h"
#include "base/file.h"
#include "base/ipv4.h"
#include "base/status.h"
#include "noded/sys/process.h"

namespace homeslice {
namespace {

bool isGlobal(const in6_addr& address) {
    return !IN6_IS_ADDR_LINKLOCAL(&address) && !IN6_IS_ADDR_LOOPBACK(&address) && !IN6_IS_ADDR_MULTICAST(&address) &&
           !IN6_IS_ADDR_UNSPECIFIED(&address);
}

bool isGlobal(const in_addr& address) {
    const uint32_t bits = ntohl(address.s_addr);
    const bool is_link_local = bits >> 16 == 0xa9fe;
    return !is_link_local && bits >> 24 != IN_LOOPBACKNET && !IN_MULTICAST(bits) && bits != INADDR_ANY;
}

// Unspecified when it is no global address.
Ipv6Address globalAddressOf(const sockaddr* address) {
    if (address == nullptr) return {};
    if (address->sa_family == AF_INET6) {
        const in6_addr& ipv6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
        return isGlobal(ipv6) ? Ipv6Address(ipv6) : Ipv6Address();
    }
    if (address->sa_family != AF_INET) return {};
    const in_addr& ipv4 = reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
    return isGlobal(ipv4) ? mappedAddress(ipv4) : Ipv6Address();
}

}  // namespace

absl::StatusOr<Ipv6Address> firstGlobalAddress(const std::string& link) {
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return errnoStatus(errno, "getifaddrs");
    const Defer release([list] { freeifaddrs(list); });
    Ipv6Address found;
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (link != entry->ifa_name) continue;
        const Ipv6Address address = globalAddressOf(entry->ifa_addr);
        if (address.isUnspecified()) continue;
        if (!isIpv4(address)) return address;
        if (found.isUnspecified()) found = address;
    }
    if (!found.isUnspecified()) return found;
    return notFound("link " + link + " has no global address");
}

absl::StatusOr<UniqueFd> lockDirectory(const std::string& directory) {
    constexpr unsigned kOwnerOnly = 0600;
    HS_ASSIGN_OR_RETURN(UniqueFd lock, openFile(directory + "/lock", O_RDWR | O_CREAT, kOwnerOnly));
    if (flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno == EWOULDBLOCK) return failedPrecondition(directory + " is in use by another noded");
    return errnoStatus(errno, "flock " + directory + "/lock");
}

absl::Status ensureBpffs(const std::string& path) {
    HS_RETURN_IF_ERROR(makeDirectories(path));
    struct statfs info {};
    if (statfs(path.c_str(), &info) != 0) return errnoStatus(errno, "statfs " + path);
    if (static_cast<uint64_t>(info.f_type) == BPF_FS_MAGIC) return absl::OkStatus();
    if (mount("bpf", path.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0) {
        return errnoStatus(errno, "mount(bpf, " + path + ")");
    }
    return absl::OkStatus();
}

absl::Status raiseDescriptorLimit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return errnoStatus(errno, "getrlimit(RLIMIT_NOFILE)");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return errnoStatus(errno, "setrlimit(RLIMIT_NOFILE)");
    return absl::OkStatus();
}

absl::StatusOr<std::string> executableDirectory() {
    std::error_code error;
    const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return errnoStatus(error.value(), "readlink /proc/self/exe");
    return path.parent_path().string();
}

absl::StatusOr<HostFacts> hostFacts() {
    HostFacts facts;
    facts.cpus = static_cast<uint32_t>(get_nprocs());
    struct sysinfo memory {};
    if (sysinfo(&memory) != 0) return errnoStatus(errno, "sysinfo");
    facts.memory_bytes = uint64_t{memory.totalram} * memory.mem_unit;
    utsname kernel{};
    if (uname(&kernel) != 0) return errnoStatus(errno, "uname");
    facts.kernel = static_cast<const char*>(kernel.release);
    HS_ASSIGN_OR_RETURN(facts.boot_id, sys::bootId());
    return facts;
}

}  // namespace homeslice
