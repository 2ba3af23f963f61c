#include "tests/support/host_snapshot.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/support/command.h"

namespace homeslice::testing_support {
namespace {

namespace fs = std::filesystem;

std::string slurp(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

std::string linkTarget(const fs::path& path) {
    std::error_code error;
    return fs::read_symlink(path, error).string();
}

std::vector<std::string> entriesOf(const fs::path& directory) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error))
        names.push_back(entry.path().filename().string());
    return names;
}

bool isPid(const std::string& name) { return name.find_first_not_of("0123456789") == std::string::npos; }

// Field `n` (from 1, proc(5)) of /proc/PID/stat, counted behind the name in parentheses, which may hold anything.
std::string statField(const std::string& stat, int n) {
    const size_t close = stat.rfind(')');
    if (close == std::string::npos) return "";
    std::istringstream rest(stat.substr(close + 1));
    std::string field;
    for (int i = 3; i <= n && rest >> field; ++i) {
    }
    return field;
}

// Programs of ours, what is in their groups, and what the test started in a namespace of the lab: that stays in the
// test's own groups, unlike the services of the machine that have namespaces of their own.
bool mayBeOurs(const fs::path& process, const std::string& network) {
    static const std::string kOwnNetwork = linkTarget("/proc/self/ns/net");
    static const std::string kOwnGroups = slurp("/proc/self/cgroup");
    if (linkTarget(process / "exe").starts_with(HS_BIN_DIRECTORY "/")) return true;
    const std::string groups = slurp(process / "cgroup");
    return groups.find("/homeslice") != std::string::npos || (network != kOwnNetwork && groups == kOwnGroups);
}

void addProcesses(HostSnapshot& snapshot) {
    for (const std::string& pid : entriesOf("/proc")) {
        if (!isPid(pid)) continue;
        const fs::path directory = fs::path("/proc") / pid;
        const std::string stat = slurp(directory / "stat");
        const std::string state = statField(stat, 3);
        // A zombie holds nothing but its number until its parent looks.
        if (stat.empty() || state == "Z" || state == "X") continue;
        const std::string network = linkTarget(directory / "ns/net");
        if (network.empty() || !mayBeOurs(directory, network)) continue;
        snapshot.network_namespaces.insert(network);
        std::string name = slurp(directory / "comm");
        while (!name.empty() && name.back() == '\n') name.pop_back();
        snapshot.processes.insert(pid + " " + statField(stat, 22) + " " + name);
    }
    for (const std::string& name : entriesOf("/run/netns")) snapshot.network_namespaces.insert(name);
}

void addMounts(HostSnapshot& snapshot) {
    for (const std::string& line : linesOf(slurp("/proc/self/mountinfo"))) {
        std::istringstream fields(line);
        std::string field;
        for (int i = 0; i < 5; ++i) fields >> field;
        snapshot.mounts.insert(field);
    }
}

void addCgroups(HostSnapshot& snapshot) {
    std::error_code error;
    for (auto it = fs::recursive_directory_iterator("/sys/fs/cgroup", error); it != fs::recursive_directory_iterator();
         it.increment(error)) {
        if (error) break;
        if (!it->is_directory(error) || it->is_symlink(error)) continue;
        const std::string group = it->path().string();
        if (group.find("/homeslice") != std::string::npos) snapshot.cgroups.insert(group);
    }
}

void addBpfObjects(HostSnapshot& snapshot) {
    for (const std::string kind : {"map", "prog"}) {
        const CommandResult result = runCommand({"bpftool", "-j", kind, "show"});
        const auto objects = nlohmann::json::parse(result.out, nullptr, false);
        if (!objects.is_array()) continue;
        for (const auto& object : objects) {
            snapshot.bpf_objects.insert(kind + " " + std::to_string(object.value("id", 0)) + " " +
                                        object.value("name", ""));
        }
    }
}

void addFiles(HostSnapshot& snapshot, const fs::path& root) {
    std::error_code error;
    for (auto it = fs::recursive_directory_iterator(root, error); it != fs::recursive_directory_iterator();
         it.increment(error)) {
        if (error) break;
        snapshot.files.insert(it->path().string());
        if (it.depth() > 3) it.disable_recursion_pending();
    }
}

void addDifference(std::string& text, const char* kind, const std::set<std::string>& before,
                   const std::set<std::string>& after) {
    for (const std::string& item : after) {
        if (!before.contains(item)) text += std::string(kind) + " " + item + "\n";
    }
}

}  // namespace

HostSnapshot takeHostSnapshot() {
    HostSnapshot snapshot;
    addProcesses(snapshot);
    addMounts(snapshot);
    addCgroups(snapshot);
    addBpfObjects(snapshot);
    for (const std::string& name : entriesOf("/sys/class/net")) snapshot.links.insert(name);
    for (const char* root : {"/run/homeslice", "/var/lib/homeslice"}) addFiles(snapshot, root);
    return snapshot;
}

std::string leftovers(const HostSnapshot& before, const HostSnapshot& after) {
    std::string text;
    addDifference(text, "network namespace", before.network_namespaces, after.network_namespaces);
    addDifference(text, "mount", before.mounts, after.mounts);
    addDifference(text, "link", before.links, after.links);
    addDifference(text, "cgroup", before.cgroups, after.cgroups);
    addDifference(text, "bpf", before.bpf_objects, after.bpf_objects);
    addDifference(text, "process", before.processes, after.processes);
    addDifference(text, "file", before.files, after.files);
    return text;
}

std::string awaitNoLeftovers(const HostSnapshot& before) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    std::string left = leftovers(before, takeHostSnapshot());
    // Nothing announces the end of the kernel's deferred frees, so this looks again and again.
    while (!left.empty() && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        left = leftovers(before, takeHostSnapshot());
    }
    return left;
}

}  // namespace homeslice::testing_support
