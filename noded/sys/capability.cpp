#include "noded/sys/capability.h"

#include <linux/capability.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/status.h"

namespace homeslice::sys {
namespace {

// By number; linux/capability.h.
constexpr std::array<const char*, 41> kNames = {"CHOWN",
                                                "DAC_OVERRIDE",
                                                "DAC_READ_SEARCH",
                                                "FOWNER",
                                                "FSETID",
                                                "KILL",
                                                "SETGID",
                                                "SETUID",
                                                "SETPCAP",
                                                "LINUX_IMMUTABLE",
                                                "NET_BIND_SERVICE",
                                                "NET_BROADCAST",
                                                "NET_ADMIN",
                                                "NET_RAW",
                                                "IPC_LOCK",
                                                "IPC_OWNER",
                                                "SYS_MODULE",
                                                "SYS_RAWIO",
                                                "SYS_CHROOT",
                                                "SYS_PTRACE",
                                                "SYS_PACCT",
                                                "SYS_ADMIN",
                                                "SYS_BOOT",
                                                "SYS_NICE",
                                                "SYS_RESOURCE",
                                                "SYS_TIME",
                                                "SYS_TTY_CONFIG",
                                                "MKNOD",
                                                "LEASE",
                                                "AUDIT_WRITE",
                                                "AUDIT_CONTROL",
                                                "SETFCAP",
                                                "MAC_OVERRIDE",
                                                "MAC_ADMIN",
                                                "SYSLOG",
                                                "WAKE_ALARM",
                                                "BLOCK_SUSPEND",
                                                "AUDIT_READ",
                                                "PERFMON",
                                                "BPF",
                                                "CHECKPOINT_RESTORE"};
static_assert(CAP_CHECKPOINT_RESTORE + 1 == kNames.size());

std::string normalized(const std::string& name) {
    std::string upper;
    for (const char c : name) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return upper.rfind("CAP_", 0) == 0 ? upper.substr(4) : upper;
}

}  // namespace

absl::StatusOr<uint64_t> parseCapabilities(const std::vector<std::string>& names) {
    uint64_t capabilities = 0;
    for (const std::string& name : names) {
        const auto found = std::find(kNames.begin(), kNames.end(), normalized(name));
        if (found == kNames.end()) return invalidArgument("no such capability: " + name);
        capabilities |= uint64_t{1} << (found - kNames.begin());
    }
    return capabilities;
}

std::vector<std::string> capabilityNames(uint64_t capabilities) {
    std::vector<std::string> names;
    for (unsigned number = 0; number < 64; ++number) {
        if ((capabilities >> number & 1) == 0) continue;
        names.push_back("CAP_" + (number < kNames.size() ? std::string(kNames[number]) : std::to_string(number)));
    }
    return names;
}

}  // namespace homeslice::sys
