// Mount points in the image are reached below the root's descriptor, one name deep and without following links, so that
// an image cannot lead a mount astray while the host's tree is still there.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "noded/launcher/steps.h"

namespace homeslice::launcher {
namespace {

struct Option {
    const char* key;
    const char* value;
};

// A detached mount of a new file system of the sliver's own.
UniqueFd makeMount(const Setup& setup, const char* type, const Option* options, size_t count, unsigned attributes) {
    const UniqueFd context(::fsopen(type, FSOPEN_CLOEXEC));
    setup.require(context.valid(), "fsopen", type);
    for (size_t i = 0; i < count; ++i) {
        const Option& option = options[i];
        setup.require(::fsconfig(context.get(), FSCONFIG_SET_STRING, option.key, option.value, 0) == 0, "mount", type);
    }
    setup.require(::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0, "mount", type);
    UniqueFd mount_fd(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
    setup.require(mount_fd.valid(), "fsmount", type);
    return mount_fd;
}

void makeDirectory(const Setup& setup, int parent, const char* name) {
    setup.require(::mkdirat(parent, name, 0755) == 0 || errno == EEXIST, "make directory", name);
}

void attach(const Setup& setup, int mount_fd, int parent, const char* name) {
    setup.require(::move_mount(mount_fd, "", parent, name, MOVE_MOUNT_F_EMPTY_PATH) == 0, "move_mount", name);
}

void mountOn(const Setup& setup, const UniqueFd& mount_fd, int parent, const char* name) {
    makeDirectory(setup, parent, name);
    attach(setup, mount_fd.get(), parent, name);
}

// A device node of the host's, by a bind mount: a user namespace may not make one.
void bindDevice(const Setup& setup, int dev, const char* name) {
    char path[32];
    ::snprintf(path, sizeof(path), "/dev/%s", name);
    const UniqueFd source(::open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    setup.require(source.valid(), "open_tree", path);
    const UniqueFd place(::openat(dev, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666));
    setup.require(place.valid(), "create", path);
    attach(setup, source.get(), dev, name);
}

void linkDevice(const Setup& setup, int dev, const char* target, const char* name) {
    setup.require(::symlinkat(target, dev, name) == 0, "symlink", name);
}

void mountPts(const Setup& setup, int dev) {
    constexpr Option kOptions[] = {{"mode", "0620"}, {"ptmxmode", "0666"}, {"gid", "5"}};
    mountOn(setup, makeMount(setup, "devpts", kOptions, 3, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), dev, "pts");
    linkDevice(setup, dev, "pts/ptmx", "ptmx");
}

void makeReadOnly(const Setup& setup, int mount_fd, const char* path) {
    mount_attr change{};
    change.attr_set = MOUNT_ATTR_RDONLY;
    const unsigned flags = AT_EMPTY_PATH | AT_RECURSIVE;
    setup.require(::mount_setattr(mount_fd, "", flags, &change, sizeof(change)) == 0, "make read-only", path);
}

// Over a path of the sliver's own tree, where links lead nowhere else.
void cover(const Setup& setup, const UniqueFd& mount_fd, const char* path) {
    constexpr unsigned kFlags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS;
    setup.require(::move_mount(mount_fd.get(), "", AT_FDCWD, path, kFlags) == 0, "move_mount", path);
}

UniqueFd cloneTree(const Setup& setup, const char* path, unsigned flags) {
    UniqueFd tree(::open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags));
    setup.require(tree.valid(), "open_tree", path);
    return tree;
}

void maskDirectory(const Setup& setup, const char* path) {
    constexpr Option kOptions[] = {{"nr_inodes", "1"}, {"mode", "0555"}};
    constexpr unsigned kAttributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    cover(setup, makeMount(setup, "tmpfs", kOptions, 2, kAttributes), path);
}

}  // namespace

void stopPropagation(const Setup& setup) {
    setup.require(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "stop propagation", "/");
}

void attachRoot(const Setup& setup, int root) { attach(setup, root, AT_FDCWD, "/"); }

void mountProc(const Setup& setup, int root) {
    constexpr unsigned kAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    mountOn(setup, makeMount(setup, "proc", nullptr, 0, kAttributes), root, "proc");
}

// Before the change of root: the kernel allows a new sysfs only to those who see an old one.
void mountSys(const Setup& setup, int root) {
    constexpr unsigned kAttributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    mountOn(setup, makeMount(setup, "sysfs", nullptr, 0, kAttributes), root, "sys");
}

void mountDev(const Setup& setup, int root) {
    // An empty file takes no memory of a tmpfs's size, but a kilobyte of the sliver's: without a bound on their number
    // even nobody's user inside could have everything in it killed for lack of memory.
    constexpr Option kOptions[] = {{"mode", "0755"}, {"size", "64k"}, {"nr_inodes", "1k"}};
    constexpr Option kShmOptions[] = {{"mode", "1777"}, {"nr_inodes", "16k"}};
    constexpr unsigned kNoSuidDevExec = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    mountOn(setup, makeMount(setup, "tmpfs", kOptions, 3, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), root, "dev");
    const UniqueFd dev(::openat(root, "dev", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    setup.require(dev.valid(), "open", "/dev");
    for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) bindDevice(setup, dev.get(), name);
    mountPts(setup, dev.get());
    mountOn(setup, makeMount(setup, "tmpfs", kShmOptions, 2, kNoSuidDevExec), dev.get(), "shm");
    mountOn(setup, makeMount(setup, "mqueue", nullptr, 0, kNoSuidDevExec), dev.get(), "mqueue");
    linkDevice(setup, dev.get(), "/proc/self/fd", "fd");
    linkDevice(setup, dev.get(), "/proc/self/fd/0", "stdin");
    linkDevice(setup, dev.get(), "/proc/self/fd/1", "stdout");
    linkDevice(setup, dev.get(), "/proc/self/fd/2", "stderr");
}

// pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the new one, where "." finds it.
void changeRoot(const Setup& setup, int root) {
    setup.require(::fchdir(root) == 0, "fchdir", "the new root");
    setup.require(::syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
    setup.require(::umount2(".", MNT_DETACH) == 0, "umount", "the old root");
    setup.require(::chdir("/") == 0, "chdir", "/");
}

// After the change of root: links in a target's path lead to places inside only.
void mountVolumes(const Setup& setup, char** targets, UniqueFd* mounts) {
    for (size_t i = 0; targets[i] != nullptr; ++i) {
        for (char* slash = ::strchr(targets[i] + 1, '/'); slash != nullptr; slash = ::strchr(slash + 1, '/')) {
            *slash = '\0';
            makeDirectory(setup, AT_FDCWD, targets[i]);
            *slash = '/';
        }
        makeDirectory(setup, AT_FDCWD, targets[i]);
        cover(setup, mounts[i], targets[i]);
        mounts[i].reset();
    }
}

void maskPaths(const Setup& setup, char** paths) {
    for (char** path = paths; *path != nullptr; ++path) {
        struct stat about {};
        if (::stat(*path, &about) < 0) {
            setup.require(errno == ENOENT || errno == ENOTDIR, "mask", *path);
        } else if (S_ISDIR(about.st_mode)) {
            maskDirectory(setup, *path);
        } else {
            cover(setup, cloneTree(setup, "/dev/null", 0), *path);
        }
    }
}

void protectPaths(const Setup& setup, char** paths) {
    for (char** path = paths; *path != nullptr; ++path) {
        struct stat about {};
        if (::stat(*path, &about) < 0) {
            setup.require(errno == ENOENT || errno == ENOTDIR, "make read-only", *path);
            continue;
        }
        const UniqueFd tree = cloneTree(setup, *path, AT_RECURSIVE);
        makeReadOnly(setup, tree.get(), *path);
        cover(setup, tree, *path);
    }
}

}  // namespace homeslice::launcher
