#include <arpa/inet.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>

#include "base/names.h"
#include "base/status.h"
#include "spec/sliver_template.h"

namespace homeslice {
namespace {

// Far above what anybody needs, far below what would hurt.
constexpr size_t kMaxWords = 1024;
constexpr size_t kMaxWordsBytes = size_t{128} << 10;  // MAX_ARG_STRLEN of execve(2)
constexpr size_t kMaxPathBytes = 4095;                // PATH_MAX less the NUL
constexpr size_t kMaxListed = 256;                    // ports, files, volumes, hosts
constexpr size_t kMaxFilesBytes = size_t{1} << 20;    // all files of a sliver together
constexpr size_t kMaxServers = 3;                     // MAXNS of resolv.h
constexpr size_t kMaxSearchDomains = 6;               // MAXDNSRCH
constexpr size_t kMaxDomainBytes = 253;               // RFC 1035
constexpr size_t kMaxHostnameBytes = 63;              // one label
// Below these nothing starts: the kernel's smallest CPU quota (1 ms in 100 ms), and sliver-init with its command.
constexpr uint32_t kMinCpuMillis = 10;
constexpr uint32_t kMinPids = 2;
constexpr uint32_t kMaxCpuMillis = 10'000'000;
constexpr uint64_t kMaxBytes = uint64_t{1} << 60;
constexpr uint32_t kMaxPids = 4'194'304;         // PID_MAX_LIMIT
constexpr uint32_t kMaxResourceWeight = 10'000;  // cgroup-v2.rst, cpu.weight
constexpr uint64_t kMinMemoryBytes = uint64_t{1} << 20;
constexpr uint64_t kMinDiskBytes = uint64_t{16} << 20;  // what an ext4 needs to be of use
constexpr uint64_t kMinNetworkBps = 8'000;
constexpr uint32_t kPermissionBits = 07777;
constexpr auto kLongest = std::chrono::hours(24);
constexpr uint64_t kMinLogBytes = 4096;
constexpr uint32_t kMaxLogFiles = 100;

bool hasNul(const std::string& text) { return text.find('\0') != std::string::npos; }

absl::Status checkWords(const std::string& what, const std::vector<std::string>& words) {
    if (words.size() > kMaxWords) return invalidArgument(what + ": more than " + std::to_string(kMaxWords) + " words");
    size_t bytes = 0;
    for (const std::string& word : words) {
        if (hasNul(word)) return invalidArgument(what + ": a word with a NUL byte");
        bytes += word.size() + 1;
    }
    if (bytes <= kMaxWordsBytes) return absl::OkStatus();
    return invalidArgument(what + ": more than " + std::to_string(kMaxWordsBytes) + " bytes");
}

absl::Status checkPath(const std::string& what, const std::string& path) {
    if (!path.starts_with('/')) return invalidArgument(what + ": '" + path + "' is not an absolute path");
    if (path.size() > kMaxPathBytes || hasNul(path)) return invalidArgument(what + ": too long, or with a NUL byte");
    // What is below a path must be below it for everybody who reads it.
    for (const char* step : {"/../", "/./", "//"}) {
        if ((path + "/").find(step) != std::string::npos && path != "/") {
            return invalidArgument(what + ": '" + path + "' has an empty step, '.' or '..' in it");
        }
    }
    return absl::OkStatus();
}

absl::Status checkCount(const std::string& what, size_t count) {
    if (count <= kMaxListed) return absl::OkStatus();
    return invalidArgument(what + ": more than " + std::to_string(kMaxListed));
}

absl::Status checkAtMost(const std::string& what, uint64_t value, uint64_t most) {
    if (value <= most) return absl::OkStatus();
    return invalidArgument(what + ": " + std::to_string(value) + " is above " + std::to_string(most));
}

// 0 is "none".
absl::Status checkAtLeast(const std::string& what, uint64_t value, uint64_t least) {
    if (value == 0 || value >= least) return absl::OkStatus();
    return invalidArgument(what + ": " + std::to_string(value) + " is under " + std::to_string(least));
}

absl::Status checkDuration(const std::string& what, std::chrono::milliseconds value, std::chrono::milliseconds least) {
    if (value >= least && value <= kLongest) return absl::OkStatus();
    return invalidArgument(what + ": not between " + std::to_string(least.count()) + " ms and 24 h");
}

// "0-3,8": numbers and ranges, each with its ends in order (cpuset.cpus of cgroups(7)).
absl::Status checkCpuset(const std::string& list) {
    const auto bad = [&] { return invalidArgument("cpuset: '" + list + "' is not a list such as 0-3,8"); };
    constexpr size_t kMaxDigits = 4;
    size_t at = 0;
    const auto number = [&]() -> int {
        const size_t from = at;
        while (at < list.size() && list[at] >= '0' && list[at] <= '9') ++at;
        return at == from || at - from > kMaxDigits ? -1 : std::stoi(list.substr(from, at - from));
    };
    if (list.empty()) return absl::OkStatus();
    for (;;) {
        const int first = number();
        if (first < 0) return bad();
        if (at < list.size() && list[at] == '-') {
            ++at;
            if (number() < first) return bad();
        }
        if (at == list.size()) return absl::OkStatus();
        if (list[at++] != ',') return bad();
    }
}

absl::Status checkEnvironment(const std::vector<std::string>& env) {
    HS_RETURN_IF_ERROR(checkWords("env", env));
    for (const std::string& variable : env) {
        const size_t equals = variable.find('=');
        if (equals == std::string::npos || equals == 0) {
            return invalidArgument("env: '" + variable + "' is not NAME=value");
        }
    }
    return absl::OkStatus();
}

// Letters, digits, hyphens and dots only: what goes into hosts and resolv.conf must not bring lines of its own.
absl::Status checkDomain(const std::string& what, const std::string& domain) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    };
    const bool good = !domain.empty() && domain.size() <= kMaxDomainBytes && domain.front() != '-' &&
                      domain.front() != '.' && std::all_of(domain.begin(), domain.end(), allowed);
    return good ? absl::OkStatus() : invalidArgument(what + ": '" + domain + "' is not a host or domain name");
}

absl::Status checkUser(const std::string& user) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
               c == '_' || c == ':';
    };
    const bool good = user.size() <= 2 * kMaxHostnameBytes && std::all_of(user.begin(), user.end(), allowed) &&
                      std::count(user.begin(), user.end(), ':') <= 1 && !user.starts_with(':');
    return good ? absl::OkStatus() : invalidArgument("user: '" + user + "' is not NAME or UID, with :GROUP or :GID");
}

absl::Status checkExposed(const std::vector<ExposedPort>& exposed) {
    HS_RETURN_IF_ERROR(checkCount("exposed ports", exposed.size()));
    std::set<ExposedPort> seen;
    for (const ExposedPort& port : exposed) {
        if (port.port == 0) return invalidArgument("exposed port: 0 is not a port: use 1 to 65535");
        if (port.protocol != IPPROTO_TCP && port.protocol != IPPROTO_UDP) {
            return invalidArgument("exposed port: of protocol tcp or udp only");
        }
        if (!seen.insert(port).second) {
            return invalidArgument("exposed port: " + std::to_string(port.port) + " is given twice");
        }
    }
    return absl::OkStatus();
}

absl::Status checkFiles(const std::vector<File>& files) {
    HS_RETURN_IF_ERROR(checkCount("files", files.size()));
    size_t bytes = 0;
    std::set<std::string> paths;
    for (const File& file : files) {
        HS_RETURN_IF_ERROR(checkPath("file", file.path));
        if (file.path.ends_with('/')) return invalidArgument("file: '" + file.path + "' names a directory");
        if (!paths.insert(file.path).second) return invalidArgument("file: " + file.path + " is given twice");
        HS_RETURN_IF_ERROR(checkAtMost("file mode", file.mode, kPermissionBits));
        bytes += file.content.size();
    }
    return checkAtMost("bytes of all files", bytes, kMaxFilesBytes);
}

absl::Status checkVolumes(const std::vector<Volume>& volumes) {
    HS_RETURN_IF_ERROR(checkCount("volumes", volumes.size()));
    std::set<std::string> targets;
    for (const Volume& volume : volumes) {
        HS_RETURN_IF_ERROR(checkPath("volume", volume.source));
        HS_RETURN_IF_ERROR(checkPath("volume", volume.target));
        if (volume.target == "/") return invalidArgument("volume: / of a sliver cannot be replaced");
        if (!targets.insert(volume.target).second) return invalidArgument("volume: two at " + volume.target);
    }
    return absl::OkStatus();
}

absl::Status checkHealth(const HealthCheck& health) {
    HS_RETURN_IF_ERROR(checkWords("health check", health.argv));
    if (health.argv.empty()) return absl::OkStatus();
    HS_RETURN_IF_ERROR(checkDuration("health interval", health.interval, std::chrono::milliseconds(100)));
    HS_RETURN_IF_ERROR(checkDuration("health timeout", health.timeout, std::chrono::milliseconds(10)));
    HS_RETURN_IF_ERROR(checkDuration("health start period", health.start_period, std::chrono::milliseconds(0)));
    if (health.failures == 0) return invalidArgument("health failures: at least 1");
    return absl::OkStatus();
}

absl::Status checkStop(const StopPolicy& stop) {
    if (stop.signal < 1 || stop.signal >= NSIG) {
        return invalidArgument("stop signal: " + std::to_string(stop.signal) + " is no signal");
    }
    return checkDuration("stop grace", stop.grace, std::chrono::milliseconds(0));
}

absl::Status checkNames(const SliverTemplate& base) {
    if (!base.hostname.empty()) HS_RETURN_IF_ERROR(checkDomain("hostname", base.hostname));
    HS_RETURN_IF_ERROR(checkAtMost("hostname length", base.hostname.size(), kMaxHostnameBytes));
    HS_RETURN_IF_ERROR(checkCount("hosts", base.hosts.size()));
    for (const HostEntry& host : base.hosts) HS_RETURN_IF_ERROR(checkDomain("host", host.name));
    HS_RETURN_IF_ERROR(checkAtMost("name servers", base.resolver.servers.size(), kMaxServers));
    for (const std::string& server : base.resolver.servers) {
        std::array<std::byte, 16> address{};
        const bool known = ::inet_pton(AF_INET6, server.c_str(), address.data()) == 1 ||
                           ::inet_pton(AF_INET, server.c_str(), address.data()) == 1;
        if (!known || hasNul(server)) return invalidArgument("name server: '" + server + "' is not an IP address");
    }
    HS_RETURN_IF_ERROR(checkAtMost("search domains", base.resolver.search.size(), kMaxSearchDomains));
    for (const std::string& domain : base.resolver.search) HS_RETURN_IF_ERROR(checkDomain("search domain", domain));
    return absl::OkStatus();
}

absl::Status checkDigest(const std::string& digest) {
    constexpr size_t kHexDigits = 64;
    const std::string scheme = "sha256:";
    const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    const bool good = digest.size() == scheme.size() + kHexDigits && digest.starts_with(scheme) &&
                      std::all_of(digest.begin() + static_cast<std::ptrdiff_t>(scheme.size()), digest.end(), is_hex);
    return good ? absl::OkStatus() : invalidArgument("image digest: not sha256: and 64 hex digits");
}

}  // namespace

absl::Status check(const Resources& resources) {
    HS_RETURN_IF_ERROR(checkAtMost("cpu_millis", resources.cpu_millis, kMaxCpuMillis));
    HS_RETURN_IF_ERROR(checkAtLeast("cpu_millis", resources.cpu_millis, kMinCpuMillis));
    HS_RETURN_IF_ERROR(checkAtMost("cpu_reservation_millis", resources.cpu_reservation_millis, kMaxCpuMillis));
    if (resources.cpu_millis != 0) {
        HS_RETURN_IF_ERROR(
            checkAtMost("CPU reservation (its cap)", resources.cpu_reservation_millis, resources.cpu_millis));
    }
    HS_RETURN_IF_ERROR(checkAtMost("cpu_weight", resources.cpu_weight, kMaxResourceWeight));
    HS_RETURN_IF_ERROR(checkCpuset(resources.cpuset));
    HS_RETURN_IF_ERROR(checkAtMost("memory_bytes", resources.memory_bytes, kMaxBytes));
    HS_RETURN_IF_ERROR(checkAtLeast("memory_bytes", resources.memory_bytes, kMinMemoryBytes));
    HS_RETURN_IF_ERROR(checkAtMost("memory_high_bytes", resources.memory_high_bytes, kMaxBytes));
    if (resources.memory_bytes != 0) {
        HS_RETURN_IF_ERROR(checkAtMost("memory_high_bytes (memory_bytes, which nothing passes)",
                                       resources.memory_high_bytes, resources.memory_bytes));
    }
    HS_RETURN_IF_ERROR(checkAtMost("swap_bytes", resources.swap_bytes, kMaxBytes));
    if (resources.swap_bytes != 0 && resources.memory_bytes == 0) {
        return invalidArgument("swap_bytes: without memory_bytes swap has no limit; give both");
    }
    HS_RETURN_IF_ERROR(checkAtMost("pids", resources.pids, kMaxPids));
    HS_RETURN_IF_ERROR(checkAtLeast("pids", resources.pids, kMinPids));
    HS_RETURN_IF_ERROR(checkAtMost("io_weight", resources.io_weight, kMaxResourceWeight));
    HS_RETURN_IF_ERROR(checkAtMost("io_read_bps", resources.io_read_bps, kMaxBytes));
    HS_RETURN_IF_ERROR(checkAtMost("io_write_bps", resources.io_write_bps, kMaxBytes));
    HS_RETURN_IF_ERROR(checkAtLeast("network_egress_bps", resources.network_egress_bps, kMinNetworkBps));
    HS_RETURN_IF_ERROR(checkAtLeast("network_ingress_bps", resources.network_ingress_bps, kMinNetworkBps));
    HS_RETURN_IF_ERROR(checkAtMost("disk_bytes", resources.disk_bytes, kMaxBytes));
    return checkAtLeast("disk_bytes", resources.disk_bytes, kMinDiskBytes);
}

absl::Status check(const SliverTemplate& base) {
    HS_RETURN_IF_ERROR(checkName("image name", base.image));
    if (!base.image_digest.empty()) HS_RETURN_IF_ERROR(checkDigest(base.image_digest));
    HS_RETURN_IF_ERROR(checkWords("argv", base.argv));
    if (!base.argv.empty() && base.argv.front().empty()) return invalidArgument("argv: the command's name is empty");
    HS_RETURN_IF_ERROR(checkEnvironment(base.env));
    HS_RETURN_IF_ERROR(checkUser(base.user));
    if (!base.working_directory.empty()) HS_RETURN_IF_ERROR(checkPath("working directory", base.working_directory));
    HS_RETURN_IF_ERROR(check(base.resources));
    HS_RETURN_IF_ERROR(checkExposed(base.exposed));
    HS_RETURN_IF_ERROR(checkFiles(base.files));
    HS_RETURN_IF_ERROR(checkVolumes(base.volumes));
    HS_RETURN_IF_ERROR(checkHealth(base.health));
    HS_RETURN_IF_ERROR(checkStop(base.stop));
    HS_RETURN_IF_ERROR(checkNames(base));
    HS_RETURN_IF_ERROR(checkAtLeast("log size", base.log.max_bytes, kMinLogBytes));
    if (base.log.files == 0) return invalidArgument("log files: at least 1");
    return checkAtMost("log files", base.log.files, kMaxLogFiles);
}

}  // namespace homeslice
