#include "peers.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "base/status.h"
#include "node.h"
#include "noded/isolation/seccomp_profile.h"
#include "shell.h"

namespace homeslice::bench {
namespace {

using nlohmann::json;

constexpr uint32_t kFirstId = 50'000'000;
constexpr uint32_t kIds = 65536;
constexpr uint64_t kMemory = 64 << 20;
constexpr int kCpuPeriod = 100'000;  // and quota: one CPU
constexpr int kPids = 100;

const std::vector<std::string> kCapabilities = {"CHOWN",     "DAC_OVERRIDE", "FOWNER",  "FSETID",           "KILL",
                                                "SETGID",    "SETUID",       "SETPCAP", "NET_BIND_SERVICE", "NET_RAW",
                                                "SYS_CHROOT"};
const std::vector<std::string> kMaskedPaths = {
    "/proc/acpi",        "/proc/asound",        "/proc/interrupts",  "/proc/kcore",
    "/proc/keys",        "/proc/scsi",          "/proc/sched_debug", "/proc/timer_list",
    "/proc/timer_stats", "/proc/latency_stats", "/sys/firmware",     "/sys/devices/virtual/powercap"};
const std::vector<std::string> kReadOnlyPaths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                                 "/proc/sysrq-trigger"};

const std::vector<std::string>& commandOf(Payload payload) {
    return payload == Payload::brief ? kShortCommand : kLongCommand;
}

std::string slotName(const std::string& peer, Payload payload, uint32_t slot) {
    return peer + (payload == Payload::brief ? "-b" : "-l") + std::to_string(slot);
}

const char* ociAction(sys::SeccompAction action) {
    switch (action) {
        case sys::SeccompAction::allow:
            return "SCMP_ACT_ALLOW";
        case sys::SeccompAction::fail:
            return "SCMP_ACT_ERRNO";
        case sys::SeccompAction::kill_process:
            return "SCMP_ACT_KILL_PROCESS";
        case sys::SeccompAction::log:
            return "SCMP_ACT_LOG";
    }
    return "";
}

const char* ociOperator(sys::SeccompComparison::Operator op) {
    using Operator = sys::SeccompComparison::Operator;
    switch (op) {
        case Operator::equal:
            return "SCMP_CMP_EQ";
        case Operator::not_equal:
            return "SCMP_CMP_NE";
        case Operator::less:
            return "SCMP_CMP_LT";
        case Operator::less_equal:
            return "SCMP_CMP_LE";
        case Operator::greater:
            return "SCMP_CMP_GT";
        case Operator::greater_equal:
            return "SCMP_CMP_GE";
        case Operator::masked_equal:
            return "SCMP_CMP_MASKED_EQ";
    }
    return "";
}

json ociRule(const sys::SeccompRule& rule) {
    json object = {{"names", {rule.syscall}}, {"action", ociAction(rule.action)}};
    if (rule.action == sys::SeccompAction::fail) object["errnoRet"] = rule.error;
    for (const sys::SeccompComparison& each : rule.comparisons) {
        const bool masked = each.op == sys::SeccompComparison::Operator::masked_equal;
        object["args"].push_back({{"index", each.argument},
                                  {"value", masked ? each.mask : each.value},
                                  {"valueTwo", masked ? each.value : 0},
                                  {"op", ociOperator(each.op)}});
    }
    return object;
}

json ociSeccomp() {
    const sys::SeccompProfile profile = isolation::sliverSeccompProfile();
    json object = {{"defaultAction", ociAction(profile.default_action)},
                   {"defaultErrnoRet", profile.default_error},
                   {"architectures", {"SCMP_ARCH_X86_64"}}};
    for (const sys::SeccompRule& rule : profile.rules) {
        const bool same = rule.action == profile.default_action && rule.error == profile.default_error;
        if (!same) object["syscalls"].push_back(ociRule(rule));
    }
    return object;
}

json ociMounts() {
    const auto mount = [](const char* type, const char* destination, const std::vector<std::string>& options) {
        return json{{"type", type}, {"source", type}, {"destination", destination}, {"options", options}};
    };
    return {mount("proc", "/proc", {"nosuid", "nodev", "noexec"}),
            mount("sysfs", "/sys", {"nosuid", "nodev", "noexec", "ro"}),
            mount("tmpfs", "/dev", {"nosuid", "noexec", "mode=755", "size=64k"}),
            mount("devpts", "/dev/pts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}),
            mount("tmpfs", "/dev/shm", {"nosuid", "nodev", "noexec", "mode=1777"}),
            mount("mqueue", "/dev/mqueue", {"nosuid", "nodev", "noexec"})};
}

json ociLinux(const std::string& group) {
    const json ids = {{{"containerID", 0}, {"hostID", kFirstId}, {"size", kIds}}};
    json namespaces = json::array();
    for (const char* type : {"user", "mount", "pid", "network", "uts", "ipc", "cgroup"}) {
        namespaces.push_back({{"type", type}});
    }
    return {{"uidMappings", ids},
            {"gidMappings", ids},
            {"namespaces", namespaces},
            {"cgroupsPath", "/" + kCgroup + "/" + group},
            {"resources",
             {{"memory", {{"limit", kMemory}}},
              {"cpu", {{"quota", kCpuPeriod}, {"period", kCpuPeriod}}},
              {"pids", {{"limit", kPids}}},
              {"devices", {{{"allow", false}, {"access", "rwm"}}}}}},
            {"maskedPaths", kMaskedPaths},
            {"readonlyPaths", kReadOnlyPaths},
            {"seccomp", ociSeccomp()}};
}

std::string ociConfig(const Rootfs& rootfs, const std::string& group, Payload payload) {
    json capabilities;
    for (const std::string& name : kCapabilities) capabilities.push_back("CAP_" + name);
    const json config = {
        {"ociVersion", "1.0.2"},
        {"process",
         {{"terminal", false},
          {"user", {{"uid", 0}, {"gid", 0}}},
          {"args", commandOf(payload)},
          {"env", {"PATH=/bin"}},
          {"cwd", "/"},
          {"noNewPrivileges", true},
          {"capabilities", {{"bounding", capabilities}, {"effective", capabilities}, {"permitted", capabilities}}}}},
        {"root", {{"path", rootfs.directory}, {"readonly", true}}},
        {"hostname", "bench"},
        {"mounts", ociMounts()},
        {"linux", ociLinux(group)}};
    return config.dump(1);
}

// crun and runc: a bundle for each slot, since each container has a group of its own.
absl::StatusOr<std::vector<std::string>> ociCommand(const std::string& program, const std::string& directory,
                                                    const Rootfs& rootfs, Payload payload, uint32_t slot) {
    const std::string name = slotName(program, payload, slot);
    const std::string bundle = directory + "/" + name;
    HS_RETURN_IF_ERROR(makeDirectories(bundle));
    HS_RETURN_IF_ERROR(replaceFile(bundle + "/config.json", ociConfig(rootfs, name, payload)));
    return std::vector<std::string>{program, "--root", directory + "/" + program, "run", "--bundle", bundle, name};
}

std::string lxcSeccomp() {
    std::ostringstream text;
    text << "2\nallowlist errno " << isolation::sliverSeccompProfile().default_error << "\n";
    for (const sys::SeccompRule& rule : isolation::sliverSeccompProfile().rules) {
        if (rule.action == sys::SeccompAction::allow && rule.comparisons.empty()) text << rule.syscall << "\n";
    }
    // What the profile allows by arguments. lxc-init needs them too, and more: it mounts, and sets signal stacks.
    text << "socket\nclone\npersonality\nioctl\nprctl\nmount\n";
    return text.str();
}

std::string lxcConfig(const Rootfs& rootfs, const std::string& directory) {
    std::ostringstream text;
    text << "lxc.rootfs.path = dir:" << rootfs.directory << "\n"
         << "lxc.rootfs.options = ro\n"
         << "lxc.uts.name = bench\n"
         << "lxc.net.0.type = empty\n"
         << "lxc.mount.auto = proc:mixed sys:ro\n"
         << "lxc.no_new_privs = 1\n"
         << "lxc.cgroup.memory.limit_in_bytes = " << kMemory << "\n"
         << "lxc.cgroup.cpu.cfs_quota_us = " << kCpuPeriod << "\n"
         << "lxc.cgroup.pids.max = " << kPids << "\n"
         << "lxc.cgroup.devices.deny = a\n"
         << "lxc.cgroup.devices.allow = c 1:* rw\n"
         << "lxc.cgroup.devices.allow = c 5:* rw\n"
         << "lxc.seccomp.profile = " << directory << "/lxc.seccomp\n";
    for (const char* kind : {"u", "g"}) text << "lxc.idmap = " << kind << " 0 " << kFirstId << " " << kIds << "\n";
    return text.str();
}

absl::Status writeLxcFiles(const std::string& directory, const Rootfs& rootfs) {
    HS_RETURN_IF_ERROR(makeDirectories(directory + "/lxc"));
    HS_RETURN_IF_ERROR(replaceFile(directory + "/lxc.seccomp", lxcSeccomp()));
    return replaceFile(directory + "/lxc.conf", lxcConfig(rootfs, directory));
}

std::vector<std::string> lxcCommand(const std::string& directory, Payload payload, uint32_t slot) {
    const std::string name = slotName("lxc", payload, slot);
    std::vector<std::string> argv = {"lxc-execute",
                                     "-P",
                                     directory + "/lxc",
                                     "-n",
                                     name,
                                     "-f",
                                     directory + "/lxc.conf",
                                     "-s",
                                     "lxc.cgroup.dir=" + kCgroup + "/" + name,
                                     "--"};
    argv.insert(argv.end(), commandOf(payload).begin(), commandOf(payload).end());
    return argv;
}

// `filter`: the descriptor of the compiled profile, which the runner hands down.
std::vector<std::string> bubblewrapCommand(const Rootfs& rootfs, const std::string& filter, Payload payload) {
    std::vector<std::string> argv = {
        "bwrap",      "--unshare-all", "--unshare-user", "--uid",    "0",          "--gid",
        "0",          "--ro-bind",     rootfs.directory, "/",        "--proc",     "/proc",
        "--dev",      "/dev",          "--tmpfs",        "/dev/shm", "--mqueue",   "/dev/mqueue",
        "--hostname", "bench",         "--seccomp",      filter,     "--cap-drop", "ALL"};
    for (const std::string& name : kCapabilities) argv.insert(argv.end(), {"--cap-add", "CAP_" + name});
    argv.emplace_back("--");
    argv.insert(argv.end(), commandOf(payload).begin(), commandOf(payload).end());
    return argv;
}

Peer reference(const std::string& name, std::vector<std::string> prefix, const Rootfs& rootfs) {
    Peer peer{.name = name, .reference = true, .lacks = "everything else", .brief = {}, .lasting = {}};
    prefix.push_back(rootfs.directory + kShortCommand.front());
    peer.brief.assign(kPeerSlots, prefix);
    return peer;
}

absl::StatusOr<Peer> prepare(const std::string& name, const std::string& directory, const Rootfs& rootfs) {
    Peer peer{.name = name, .reference = false, .lacks = "", .brief = {}, .lasting = {}};
    if (name == "lxc-execute") HS_RETURN_IF_ERROR(writeLxcFiles(directory, rootfs));
    if (name == "lxc-execute") peer.lacks = "capability set (as it comes), seccomp arguments";
    if (name == "bubblewrap") peer.lacks = "limits, id range, hidden paths, sysfs";
    for (const Payload payload : {Payload::brief, Payload::lasting}) {
        auto& commands = payload == Payload::brief ? peer.brief : peer.lasting;
        for (uint32_t slot = 0; slot < kPeerSlots; ++slot) {
            if (name == "lxc-execute") {
                commands.push_back(lxcCommand(directory, payload, slot));
            } else if (name == "bubblewrap") {
                commands.push_back(bubblewrapCommand(rootfs, std::to_string(kFilterFd), payload));
            } else {
                HS_ASSIGN_OR_RETURN(auto command, ociCommand(name, directory, rootfs, payload, slot));
                commands.push_back(std::move(command));
            }
        }
    }
    return peer;
}

bool isInstalled(const std::string& name) { return hasProgram(name == "bubblewrap" ? "bwrap" : name); }

}  // namespace

absl::StatusOr<std::vector<Peer>> preparePeers(const std::string& directory, const Rootfs& rootfs) {
    std::vector<Peer> peers;
    HS_RETURN_IF_ERROR(makeDirectories(directory));
    HS_ASSIGN_OR_RETURN(const std::string filter, sys::compileProfile(isolation::sliverSeccompProfile()));
    HS_RETURN_IF_ERROR(replaceFile(directory + "/" + kFilterFile, filter));
    for (const std::string& name : kPeerNames) {
        if (!isInstalled(name)) continue;
        HS_ASSIGN_OR_RETURN(Peer peer, prepare(name, directory, rootfs));
        peers.push_back(std::move(peer));
    }
    peers.push_back(reference(
        kNamespaces,
        {"unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--fork"},
        rootfs));
    peers.push_back(reference(kSpawn, {}, rootfs));
    return peers;
}

}  // namespace homeslice::bench
