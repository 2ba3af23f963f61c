#include "noded/launcher/home_groups.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

namespace homeslice::launcher {
namespace {

std::string readText(const char* path) {
    const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
    std::string text;
    char chunk[4096];
    for (ssize_t size; (size = ::read(file.get(), chunk, sizeof(chunk))) > 0;)
        text.append(chunk, static_cast<size_t>(size));
    return text;
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    size_t begin = 0;
    for (size_t end; (end = text.find(separator, begin)) != std::string::npos; begin = end + 1) {
        parts.push_back(text.substr(begin, end - begin));
    }
    parts.push_back(text.substr(begin));
    return parts;
}

bool contains(const std::vector<std::string>& list, const std::string& item) {
    for (const std::string& each : list) {
        if (each == item) return true;
    }
    return false;
}

// The group of the hierarchy whose mount has these options, from /proc/self/cgroup lines "4:cpu,cpuacct:/group".
std::string groupOf(const std::vector<std::string>& membership, const std::vector<std::string>& super_options) {
    for (const std::string& line : membership) {
        const size_t first = line.find(':');
        const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos || second == first + 1) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        if (contains(super_options, controllers.substr(0, controllers.find(',')))) return line.substr(second + 1);
    }
    return "/";
}

// `group` as seen below a mount that shows the hierarchy from `root` on.
std::string below(const std::string& mount_point, const std::string& root, const std::string& group) {
    if (root == "/") return mount_point + group;
    if (group.compare(0, root.size(), root) == 0) return mount_point + group.substr(root.size());
    return mount_point;
}

UniqueFd openTasks(const std::string& directory) {
    return UniqueFd(::open((directory + "/tasks").c_str(), O_WRONLY | O_CLOEXEC));
}

int moveTo(const UniqueFd& tasks) {
    if (!tasks) return errno == 0 ? EBADF : errno;
    return ::write(tasks.get(), "0", 1) == 1 ? 0 : errno;
}

bool isBelow(const std::string& path, const std::string& mount_point) {
    return path.compare(0, mount_point.size(), mount_point) == 0 && path[mount_point.size()] == '/';
}

}  // namespace

HomeGroups HomeGroups::find() {
    HomeGroups groups;
    const std::vector<std::string> membership = split(readText("/proc/self/cgroup"), '\n');
    // proc(5): 36 35 98:0 ROOT MOUNT_POINT options ... - FILE_SYSTEM source SUPER_OPTIONS
    for (const std::string& line : split(readText("/proc/self/mountinfo"), '\n')) {
        const size_t dash = line.find(" - cgroup ");
        if (dash == std::string::npos) continue;
        const std::vector<std::string> mount = split(line.substr(0, dash), ' ');
        const std::vector<std::string> super = split(line.substr(dash + 3), ' ');
        if (mount.size() < 5 || super.size() < 3) continue;
        const std::string group = groupOf(membership, split(super[2], ','));
        const std::string home = below(mount[4], mount[3], group);
        groups.hierarchies_.push_back({mount[4], home, openTasks(home)});
    }
    return groups;
}

int HomeGroups::enter(const char* directory) {
    for (Hierarchy& hierarchy : hierarchies_) {
        if (!isBelow(directory, hierarchy.mount_point)) continue;
        const int error = moveTo(openTasks(directory));
        if (error == 0) hierarchy.away = true;
        return error;
    }
    return ENOENT;
}

void HomeGroups::comeBack() {
    for (Hierarchy& hierarchy : hierarchies_) {
        if (!hierarchy.away) continue;
        hierarchy.away = false;
        // A home that was removed meanwhile leaves the hierarchy's root.
        if (moveTo(hierarchy.home_tasks) == 0 || moveTo(openTasks(hierarchy.mount_point)) == 0) continue;
        ::dprintf(STDERR_FILENO, "noded-launcher: cannot return to %s\n", hierarchy.home.c_str());
    }
}

}  // namespace homeslice::launcher
