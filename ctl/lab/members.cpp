#include "ctl/lab/members.h"

#include <sys/stat.h>

#include <charconv>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/status.h"
#include "ctl/lab/cgroups.h"
#include "ctl/lab/network.h"
#include "ctl/lab/processes.h"

namespace homeslice::ctl::lab {
namespace {

using FileId = std::pair<dev_t, ino_t>;

std::set<FileId> namespaceIds() {
    std::set<FileId> ids;
    for (const std::string& name : labNamespaces()) {
        struct stat info {};
        const absl::StatusOr<UniqueFd> fd = openNamespace(name);
        if (fd.ok() && ::fstat(fd->get(), &info) == 0) ids.emplace(info.st_dev, info.st_ino);
    }
    return ids;
}

void addNamespaceMembers(std::set<pid_t>& members) {
    const std::set<FileId> namespaces = namespaceIds();
    if (namespaces.empty()) return;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
        const std::string name = entry.path().filename().string();
        pid_t pid = 0;
        const auto [end, not_a_number] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (not_a_number != std::errc() || end != name.data() + name.size()) continue;
        struct stat info {};
        const bool known = ::stat(("/proc/" + name + "/ns/net").c_str(), &info) == 0;
        if (known && namespaces.contains({info.st_dev, info.st_ino})) members.insert(pid);
    }
}

absl::Status addCgroupMembers(std::set<pid_t>& members) {
    HS_ASSIGN_OR_RETURN(const std::vector<std::string> groups, labCgroups());
    for (const std::string& group : groups) {
        for (const pid_t pid : processesBelow(group)) members.insert(pid);
    }
    return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<pid_t>> findMembers(const std::vector<StartedProgram>& recorded) {
    std::set<pid_t> members;
    addNamespaceMembers(members);
    HS_RETURN_IF_ERROR(addCgroupMembers(members));
    for (const StartedProgram& program : recorded) {
        if (isAlive(program.process)) members.insert(program.process.pid);
    }
    return std::vector<pid_t>(members.begin(), members.end());
}

}  // namespace homeslice::ctl::lab
