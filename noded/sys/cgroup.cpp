#include "noded/sys/cgroup.h"

#include <fcntl.h>
#include <libcgroup.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <set>
#include <sstream>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"
#include "noded/sys/cgroup_files.h"

namespace homeslice::sys {
namespace {

constexpr const char* kControllers[] = {"cpu",     "cpuacct", "cpuset", "memory", "pids",
                                        "freezer", "devices", "blkio",  "io"};
constexpr std::chrono::seconds kKillTimeout{10};
constexpr std::chrono::seconds kDeleteTimeout{2};
constexpr std::chrono::milliseconds kDeleteRetry{2};

// libcgroup keeps its tables in globals.
std::mutex& libraryLock() {
    static std::mutex mutex;
    return mutex;
}

absl::Status libraryStatus(int code, const std::string& what) {
    if (code == 0) return absl::OkStatus();
    if (code == ECGOTHER) return errnoStatus(cgroup_get_last_errno(), what);
    return internalError(what + ": libcgroup: " + cgroup_strerror(code));
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// libcgroup finds hierarchies by their controllers; the v2 tree of a hybrid host may have none.
std::string findV2Mount() {
    FILE* mounts = ::setmntent("/proc/self/mounts", "re");
    if (mounts == nullptr) return "";
    const Defer close([mounts] { ::endmntent(mounts); });
    while (const mntent* entry = ::getmntent(mounts)) {
        if (std::string_view(entry->mnt_type) == "cgroup2") return entry->mnt_dir;
    }
    return "";
}

absl::StatusOr<std::map<std::string, std::string>> mountedControllers() {
    HS_RETURN_IF_ERROR(libraryStatus(cgroup_init(), "cgroup_init"));
    std::map<std::string, std::string> mounts;
    void* cursor = nullptr;
    const auto info = std::make_unique<cgroup_mount_point>();
    int code = cgroup_get_controller_begin(&cursor, info.get());
    const Defer end([&cursor] { cgroup_get_controller_end(&cursor); });
    for (; code == 0; code = cgroup_get_controller_next(&cursor, info.get())) mounts.emplace(info->name, info->path);
    if (code != ECGEOF) return libraryStatus(code, "cgroup_get_controller_next");
    return mounts;
}

using Limit = absl::Status (*)(const ControllerFiles&, const CgroupLimits&, GroupAge);
const std::pair<const char*, Limit> kLimits[] = {{"cpuset", limitCpuset}, {"cpu", limitCpu},  {"memory", limitMemory},
                                                 {"pids", limitPids},     {"blkio", limitIo}, {"io", limitIo}};

// The number after `key` in a flat keyed file ("oom_kill 3").
uint64_t keyedNumber(const std::string& text, const std::string& key) {
    std::istringstream lines(text);
    std::string name;
    uint64_t value = 0;
    while (lines >> name >> value) {
        if (name == key) return value;
    }
    return 0;
}

std::vector<pid_t> parsePids(const std::string& text) {
    std::istringstream lines(text);
    std::vector<pid_t> pids;
    for (pid_t pid = 0; lines >> pid;) pids.push_back(pid);
    return pids;
}

bool isBlank(const std::string& text) { return text.find_first_not_of(" \t\n") == std::string::npos; }

int millisUntil(Monotonic::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Monotonic::now()).count();
    return static_cast<int>(std::max<int64_t>(left, 0));
}

// Polls `fd` for `events` up to the deadline; false when it passed.
absl::StatusOr<bool> pollUntil(int fd, short events, Monotonic::time_point deadline) {
    pollfd poll_fd{.fd = fd, .events = events, .revents = 0};
    for (;;) {
        const int ready = ::poll(&poll_fd, 1, millisUntil(deadline));
        if (ready >= 0) return ready > 0;
        if (errno != EINTR) return errnoStatus(errno, "poll");
    }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Cgroups>> Cgroups::open() {
    const std::lock_guard lock(libraryLock());
    HS_ASSIGN_OR_RETURN(const auto mounted, mountedControllers());
    const std::string v2_mount = findV2Mount();
    std::map<std::string, Controller> controllers;
    for (const char* name : kControllers) {
        const auto found = mounted.find(name);
        if (found == mounted.end()) continue;
        // On v2 the controllers that limit are wanted; the others are for v1's sake.
        const int version = found->second == v2_mount ? 2 : 1;
        controllers.emplace(name, Controller{.version = version, .mount = found->second});
    }
    for (const char* name : {"cpu", "memory", "pids"}) {
        if (!controllers.contains(name)) {
            return failedPrecondition(std::string("the cgroup controller '") + name +
                                      "' is not mounted: slivers could not be limited");
        }
    }
    return std::unique_ptr<Cgroups>(new Cgroups(std::move(controllers), v2_mount));
}

std::string Cgroups::controlFile(int version, const std::string& controller, const std::string& group,
                                 const std::string& file) const {
    const auto found = controllers_.find(controller);
    if (found == controllers_.end() || found->second.version != version) return "";
    return found->second.mount + "/" + (group.empty() ? "" : group + "/") + file;
}

std::vector<std::string> Cgroups::v1Directories(const std::string& group) const {
    std::set<std::string> paths;  // controllers that are mounted together share one
    for (const auto& [name, controller] : controllers_) {
        if (controller.version == 1) paths.insert(controller.mount + "/" + group);
    }
    return {paths.begin(), paths.end()};
}

std::string Cgroups::v2Directory(const std::string& group) const {
    return v2_mount_.empty() ? "" : v2_mount_ + "/" + group;
}

std::vector<std::string> Cgroups::directories(const std::string& group) const {
    std::vector<std::string> paths = v1Directories(group);
    if (!v2_mount_.empty()) paths.push_back(v2Directory(group));
    return paths;
}

absl::Status Cgroups::createGroup(const std::string& group, const CgroupLimits& limits) {
    HS_RETURN_IF_ERROR(makeV2Group(group));
    // Not by libcgroup: it takes a millisecond for it, and one group at a time.
    for (const std::string& directory : v1Directories(group)) HS_RETURN_IF_ERROR(makeDirectories(directory));
    HS_RETURN_IF_ERROR(inheritCpuset(group));
    return applyLimits(group, limits, GroupAge::fresh);
}

absl::Status Cgroups::setLimits(const std::string& group, const CgroupLimits& limits) {
    if (!exists(controllers_.at("memory").mount + "/" + group)) return notFound("no cgroup " + group);
    return applyLimits(group, limits, GroupAge::existing);
}

absl::Status Cgroups::setFirstLimits(const std::string& group, const CgroupLimits& limits) {
    return applyLimits(group, limits, GroupAge::fresh);
}

absl::Status Cgroups::setCpuWeight(const std::string& group, uint32_t weight) {
    return limitCpu(filesOf("cpu", group), {.cpu_weight = weight}, GroupAge::fresh);
}

ControllerFiles Cgroups::filesOf(const std::string& controller, const std::string& group) const {
    const Controller& found = controllers_.at(controller);
    return ControllerFiles(found.version, found.mount + "/" + group);
}

absl::Status Cgroups::applyLimits(const std::string& group, const CgroupLimits& limits, GroupAge age) const {
    for (const auto& [controller, limit] : kLimits) {
        if (controllers_.contains(controller)) HS_RETURN_IF_ERROR(limit(filesOf(controller, group), limits, age));
    }
    if (!limits.cpuset.empty() && !controllers_.contains("cpuset"))
        return failedPrecondition("cpuset: this host has no such cgroup controller");
    if (limits.limitsIo() && !controllers_.contains("blkio") && !controllers_.contains("io"))
        return failedPrecondition("io limits: this host has no such cgroup controller");
    return absl::OkStatus();
}

// A v2 group has the controllers that each group above it hands down; libcgroup (2.0.2) tells only the last of those,
// and expects it to exist.
absl::Status Cgroups::makeV2Group(const std::string& group) const {
    if (v2_mount_.empty()) return absl::OkStatus();
    std::string wanted;
    for (const auto& [name, controller] : controllers_) {
        if (controller.version == 2) wanted += (wanted.empty() ? "+" : " +") + name;
    }
    std::string directory = v2_mount_;
    std::istringstream parts(group);
    for (std::string part; std::getline(parts, part, '/');) {
        if (!wanted.empty()) HS_RETURN_IF_ERROR(writeControlFile(directory + "/cgroup.subtree_control", wanted));
        directory += "/" + part;
        HS_RETURN_IF_ERROR(makeDirectories(directory));
    }
    return absl::OkStatus();
}

// A new v1 cpuset is empty, and takes no process before it has CPUs and memory nodes.
absl::Status Cgroups::inheritCpuset(const std::string& group) const {
    if (controlFile(1, "cpuset", group, "cpuset.cpus").empty()) return absl::OkStatus();
    for (const char* file : {"cpuset.cpus", "cpuset.mems"}) HS_RETURN_IF_ERROR(inheritedCpuset(group, file).status());
    return absl::OkStatus();
}

// What `group` has in `file`; when it has nothing, what it is given then, its parent's.
absl::StatusOr<std::string> Cgroups::inheritedCpuset(const std::string& group, const std::string& file) const {
    const std::string path = controlFile(1, "cpuset", group, file);
    HS_ASSIGN_OR_RETURN(std::string own, readFile(path));
    if (!isBlank(own) || group.empty()) return own;
    const size_t slash = group.rfind('/');
    HS_ASSIGN_OR_RETURN(own, inheritedCpuset(slash == std::string::npos ? "" : group.substr(0, slash), file));
    HS_RETURN_IF_ERROR(writeControlFile(path, own));
    return own;
}

// True when it is gone, false when something is still in it.
absl::StatusOr<bool> Cgroups::tryDelete(const std::string& group) const {
    for (const std::string& directory : directories(group)) {
        if (::rmdir(directory.c_str()) == 0 || errno == ENOENT) continue;
        if (errno == EBUSY || errno == ENOTEMPTY) return false;
        return errnoStatus(errno, "rmdir(" + directory + ")");
    }
    return true;
}

absl::Status Cgroups::deleteGroup(const std::string& group) {
    const auto deadline = Monotonic::now() + kDeleteTimeout;
    for (;;) {
        HS_ASSIGN_OR_RETURN(const bool gone, tryDelete(group));
        if (gone) return absl::OkStatus();
        if (Monotonic::now() >= deadline) return unavailable("cgroup " + group + " still has processes or children");
        // A killed process leaves its group a moment after it ended. v2 tells when; v1 has to be asked again.
        HS_RETURN_IF_ERROR(waitUntilEmpty(group, deadline));
        std::this_thread::sleep_for(kDeleteRetry);
    }
}

absl::StatusOr<std::vector<pid_t>> Cgroups::processes(const std::string& group) const {
    std::set<pid_t> pids;
    for (const std::string& directory : directories(group)) {
        const auto text = readFile(directory + "/cgroup.procs");
        if (!text.ok()) {
            if (errnoOf(text.status()) == ENOENT || errnoOf(text.status()) == ENODEV) continue;
            return text.status();
        }
        for (const pid_t pid : parsePids(*text)) pids.insert(pid);
    }
    return std::vector<pid_t>(pids.begin(), pids.end());
}

std::vector<pid_t> Cgroups::threads(const std::string& group) const {
    const Controller& cpu = controllers_.at("cpu");
    const auto text = readFile(cpu.mount + "/" + group + (cpu.version == 2 ? "/cgroup.threads" : "/tasks"));
    return text.ok() ? parsePids(*text) : std::vector<pid_t>();
}

CgroupCounter Cgroups::refusedForks(const std::string& group) const {
    return {controlFile(controllers_.at("pids").version, "pids", group, "pids.events"), "max"};
}

CgroupCounter Cgroups::oomKills(const std::string& group) const {
    const int version = controllers_.at("memory").version;
    return {controlFile(version, "memory", group, version == 2 ? "memory.events" : "memory.oom_control"), "oom_kill"};
}

CgroupCounter Cgroups::cpuMicros(const std::string& group) const {
    constexpr uint64_t kNanosPerMicro = 1000;
    const std::string v1 = controlFile(1, "cpuacct", group, "cpuacct.usage");
    if (!v1.empty()) return {v1, "", kNanosPerMicro};
    return {controlFile(2, "cpu", group, "cpu.stat"), "usage_usec"};
}

absl::Status Cgroups::killAll(const std::string& group) {
    // What v1's freezer holds does not die before it is let go.
    if (v2_mount_.empty() && exists(controlFile(1, "freezer", group, "freezer.state"))) {
        HS_RETURN_IF_ERROR(freeze(group, false));
    }
    const std::string kill_file = v2Directory(group) + "/cgroup.kill";
    if (!v2_mount_.empty() && exists(kill_file)) HS_RETURN_IF_ERROR(writeControlFile(kill_file, "1"));
    // Waits for those; kills what is only in a v1 group, and on hosts without cgroup.kill (before 5.14) everything.
    return killOneByOne(group);
}

absl::Status Cgroups::waitUntilEmpty(const std::string& group, Monotonic::time_point deadline) const {
    if (v2_mount_.empty()) return absl::OkStatus();
    const auto events = openFile(v2Directory(group) + "/cgroup.events", O_RDONLY);
    if (errnoOf(events.status()) == ENOENT) return absl::OkStatus();
    HS_RETURN_IF_ERROR(events.status());
    for (;;) {
        if (::lseek(events->get(), 0, SEEK_SET) < 0) return errnoStatus(errno, "lseek(cgroup.events)");
        const auto text = readAll(events->get());
        if (errnoOf(text.status()) == ENODEV) return absl::OkStatus();  // deleted meanwhile
        HS_RETURN_IF_ERROR(text.status());
        if (keyedNumber(*text, "populated") == 0) return absl::OkStatus();
        HS_ASSIGN_OR_RETURN(const bool changed, pollUntil(events->get(), POLLPRI, deadline));
        if (!changed) return deadlineExceeded("cgroup " + group + " still has processes");
    }
}

// Dying takes CPU time and, for whoever has to finish a call first, memory. Where a limit stays it only takes longer.
void Cgroups::liftForTheDying(const std::string& group) const {
    limitCpu(filesOf("cpu", group), {}, GroupAge::existing).IgnoreError();
    limitMemory(filesOf("memory", group), {}, GroupAge::existing).IgnoreError();
}

absl::Status Cgroups::killOneByOne(const std::string& group) const {
    const auto deadline = Monotonic::now() + kKillTimeout;
    for (;;) {
        HS_ASSIGN_OR_RETURN(const std::vector<pid_t> pids, processes(group));
        if (pids.empty()) return absl::OkStatus();
        if (Monotonic::now() >= deadline) return deadlineExceeded("cgroup " + group + " still has processes");
        std::vector<UniqueFd> victims;
        for (const pid_t pid : pids) {
            UniqueFd victim(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
            if (!victim.valid()) continue;  // has ended
            ::syscall(SYS_pidfd_send_signal, victim.get(), SIGKILL, nullptr, 0);
            victims.push_back(std::move(victim));
        }
        liftForTheDying(group);
        for (const UniqueFd& victim : victims) {
            HS_RETURN_IF_ERROR(pollUntil(victim.get(), POLLIN, deadline).status());
        }
    }
}

absl::StatusOr<CgroupUsage> Cgroups::usage(const std::string& group) const {
    const int version = controllers_.at("memory").version;
    const bool v2 = version == 2;
    const auto in_use =
        readFile(controlFile(version, "memory", group, v2 ? "memory.current" : "memory.usage_in_bytes"));
    HS_RETURN_IF_ERROR(in_use.status());
    HS_ASSIGN_OR_RETURN(const std::string events,
                        readFile(controlFile(version, "memory", group, v2 ? "memory.events" : "memory.oom_control")));
    return CgroupUsage{.memory_bytes = std::strtoull(in_use->c_str(), nullptr, 10),
                       .oom_kills = keyedNumber(events, "oom_kill")};
}

std::vector<std::string> Cgroups::children(const std::string& parent) const {
    std::set<std::string> names;
    for (const std::string& directory : directories(parent)) {
        std::error_code error;
        for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
             entry.increment(error)) {
            if (entry->is_directory(error)) names.insert(parent + "/" + entry->path().filename().string());
        }
    }
    return {names.begin(), names.end()};
}

}  // namespace homeslice::sys
