#include "noded/isolation/orphans.h"

#include <net/if.h>
#include <sys/stat.h>

#include <charconv>
#include <filesystem>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "noded/isolation/disk.h"
#include "noded/isolation/network.h"

namespace homeslice::isolation {
namespace {

void keepFirst(absl::Status& first, const std::string& what, const absl::Status& status) {
    if (status.ok()) {
        logWarning("removed {}, which no record knows", what);
    } else if (first.ok()) {
        first = withContext(status, "remove " + what);
    }
}

absl::Status removeGroup(sys::Cgroups& cgroups, const std::string& group) {
    HS_RETURN_IF_ERROR(cgroups.killAll(group));
    return cgroups.deleteGroup(group);
}

std::string lastPart(const std::string& path) { return std::filesystem::path(path).filename().string(); }

std::vector<std::string> entriesOf(const std::string& directory) {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
        names.push_back(entry->path().filename().string());
    }
    return names;
}

std::vector<std::string> linkNames() {
    std::vector<std::string> names;
    struct if_nameindex* links = ::if_nameindex();
    if (links == nullptr) return names;
    for (const struct if_nameindex* link = links; link->if_index != 0; ++link) names.emplace_back(link->if_name);
    ::if_freenameindex(links);
    return names;
}

// Another noded in this network namespace has id ranges of its own.
bool isOurs(const std::string& link, const IdPool& ids) {
    if (!link.starts_with(kLinkPrefix)) return false;
    const std::string digits = link.substr(kLinkPrefix.size());
    uint32_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size()) return false;
    return ids.holdsNumber(number);
}

absl::Status removeLink(const std::string& name) {
    HS_ASSIGN_OR_RETURN(sys::Netlink netlink, sys::Netlink::open());
    return netlink.deleteLink(name);
}

}  // namespace

absl::Status removeOrphans(const IsolationConfig& config, const IdPool& ids, sys::Cgroups& cgroups,
                           const KnownSlivers& known) {
    absl::Status first;
    for (const std::string& group : cgroups.children(config.cgroup_parent)) {
        if (known.group_names.contains(lastPart(group))) continue;
        keepFirst(first, "cgroup " + group, removeGroup(cgroups, group));
    }
    for (const std::string& link : linkNames()) {
        if (!isOurs(link, ids) || known.link_names.contains(link)) continue;
        keepFirst(first, "link " + link, removeLink(link));
    }
    for (const std::string& parent : {config.state_directory + "/slivers", config.run_directory + "/slivers"}) {
        for (const std::string& name : entriesOf(parent)) {
            if (known.file_names.contains(name)) continue;
            keepFirst(first, "directory " + parent + "/" + name, removeSliverDirectory(parent + "/" + name));
        }
    }
    return first;
}

SliverRuntime rediscover(const IsolationConfig& config, const sys::Cgroups& cgroups, const SliverId& id) {
    SliverRuntime runtime;
    runtime.directory = config.state_directory + "/slivers/" + id.fileName();
    runtime.socket_directory = config.run_directory + "/slivers/" + id.fileName();
    runtime.cgroup = config.cgroup_parent + "/" + id.fileName();
    struct stat about {};
    const bool owned = ::lstat(runtime.logDirectory().c_str(), &about) == 0 && about.st_uid != 0;
    if (!owned) return runtime;
    runtime.ids = {.first = about.st_uid, .count = kIdRangeSize};
    runtime.link_name = linkNameOf(runtime.ids);
    const std::string made_ahead = nameAhead(runtime.ids).fileName();
    for (const std::string& group : cgroups.children(config.cgroup_parent)) {
        if (lastPart(group) == made_ahead) runtime.cgroup = config.cgroup_parent + "/" + made_ahead;
    }
    return runtime;
}

}  // namespace homeslice::isolation
