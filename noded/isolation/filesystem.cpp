#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/file.h"
#include "base/status.h"
#include "noded/init/client.h"
#include "noded/isolation/disk.h"
#include "noded/isolation/first_disk.h"
#include "noded/isolation/isolators.h"
#include "noded/isolation/volumes.h"
#include "noded/sys/mount.h"
#include "noded/sys/process.h"

namespace homeslice::isolation {
namespace {

// What the OCI runtime specification's users agree on: kernel internals and facts about the machine.
const std::vector<std::string> kMaskedPaths = {
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
};
const std::vector<std::string> kReadOnlyPaths = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

// Through the overlay that is mounted inside, where nothing has run yet but sliver-init. Links are the image's own.
absl::Status fillFile(int root, const std::string& path, const std::string& text) {
    open_how how{};
    how.flags = O_WRONLY | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const UniqueFd file(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
    if (!file) return errnoStatus(errno, "open " + path + " of the sliver");
    return writeAll(file.get(), text);
}

// The root of a process that lives, whatever its number belongs to a moment later.
absl::StatusOr<UniqueFd> openRoot(const launcher::Child& child) {
    HS_ASSIGN_OR_RETURN(UniqueFd root,
                        openFile("/proc/" + std::to_string(child.identity.pid) + "/root", O_PATH | O_DIRECTORY));
    HS_ASSIGN_OR_RETURN(const bool ended, sys::waitForEnd(child.pidfd.get(), std::chrono::milliseconds(0)));
    if (ended) return unavailable("the environment that was made ahead has ended");
    return root;
}

absl::Status renameHost(const launcher::Child& child, const std::string& hostname) {
    HS_ASSIGN_OR_RETURN(const UniqueFd here, openFile("/proc/thread-self/ns/uts", O_RDONLY));
    if (::setns(child.pidfd.get(), CLONE_NEWUTS) != 0) return errnoStatus(errno, "setns(uts)");
    const int error = ::sethostname(hostname.data(), hostname.size()) == 0 ? 0 : errno;
    if (::setns(here.get(), CLONE_NEWUTS) != 0) return errnoStatus(errno, "setns(uts, back)");
    return error == 0 ? absl::OkStatus() : errnoStatus(error, "sethostname");
}

absl::Status renameDirectory(std::string& directory, const std::string& name) {
    if (::rename(directory.c_str(), name.c_str()) != 0) return errnoStatus(errno, "rename to " + name);
    directory = name;
    return absl::OkStatus();
}

// The copy belongs to host root, whom no sliver's ids map: executable inside, but neither readable nor writable.
absl::StatusOr<std::string> installInit(const IsolationConfig& config) {
    const std::string path = config.state_directory + "/sliver-init";
    HS_RETURN_IF_ERROR(makeDirectories(config.state_directory, 0755));
    HS_ASSIGN_OR_RETURN(const std::string program, readFile(config.init_program));
    HS_RETURN_IF_ERROR(replaceFile(path, program, 0711));
    if (::chmod(path.c_str(), 0711) != 0) return errnoStatus(errno, "chmod(" + path + ")");
    return path;
}

class FilesystemIsolator : public Isolator {
public:
    FilesystemIsolator(const IsolationConfig& config, std::string init_program)
        : slivers_(config.state_directory + "/slivers"),
          sockets_(config.run_directory + "/slivers"),
          volumes_(config.volumes),
          init_program_(std::move(init_program)) {}

    std::string name() const override { return "filesystem"; }

    absl::Status prepare(Start& start) override {
        place(start.spec, start.runtime);
        return absl::OkStatus();
    }

    absl::Status furnish(Start& start) override {
        const SliverRuntime& runtime = start.runtime;
        HS_RETURN_IF_ERROR(makeDirectories(slivers_, 0700));
        HS_RETURN_IF_ERROR(makeSliverDirectories(runtime));
        HS_RETURN_IF_ERROR(mountDisk(start.spec, runtime));
        HS_RETURN_IF_ERROR(makeFirstDisk(start.spec, runtime, start.image.rootfs, start.ahead));
        HS_RETURN_IF_ERROR(makeDirectories(sockets_, 0700));
        HS_RETURN_IF_ERROR(makeDirectories(runtime.socket_directory, 0700));
        HS_ASSIGN_OR_RETURN(start.plan.control_socket, init::listenControlSocket(runtime.controlSocket()));
        HS_ASSIGN_OR_RETURN(start.plan.log_directory, openFile(runtime.logDirectory(), O_PATH | O_DIRECTORY));
        HS_ASSIGN_OR_RETURN(start.plan.init_program, openFile(init_program_, O_PATH));
        start.plan.hostname = hostnameOf(start.spec);
        start.plan.masked_paths = kMaskedPaths;
        start.plan.read_only_paths = kReadOnlyPaths;
        return absl::OkStatus();
    }

    // Needs the child's user namespace: the image's files, owned by host ids 0 and up on disk, are seen through its
    // maps.
    absl::Status attach(Start& start, const launcher::Child& child) override {
        HS_ASSIGN_OR_RETURN(UniqueFd image,
                            sys::idmappedClone(start.image.rootfs, child.user_namespace.get(), sys::kMountReadOnly));
        HS_ASSIGN_OR_RETURN(start.plan.root_mount, sys::makeOverlay({.lower = {image.get()},
                                                                     .upper = start.runtime.upperDirectory(),
                                                                     .work = start.runtime.workDirectory(),
                                                                     .scratch = start.runtime.directory + "/scratch",
                                                                     .spent = &start.spent}));
        start.spent.push_back(std::move(image));
        for (const Volume& volume : start.spec.base.volumes) {
            HS_ASSIGN_OR_RETURN(UniqueFd mount, openVolume(volume, volumes_, child.user_namespace.get()));
            start.plan.volumes.push_back({.target = volume.target, .mount = std::move(mount)});
        }
        return absl::OkStatus();
    }

    absl::Status adopt(Start& start, const launcher::Child& child) override {
        SliverRuntime& runtime = start.runtime;
        SliverRuntime wanted;
        place(start.spec, wanted);
        HS_RETURN_IF_ERROR(renameDirectory(runtime.directory, wanted.directory));
        HS_RETURN_IF_ERROR(renameDirectory(runtime.socket_directory, wanted.socket_directory));
        HS_RETURN_IF_ERROR(renameHost(child, hostnameOf(start.spec)));
        HS_ASSIGN_OR_RETURN(const UniqueFd root, openRoot(child));
        for (const File& file : nameFiles(start.spec)) {
            HS_RETURN_IF_ERROR_CTX(fillFile(root.get(), file.path, file.content), "file " + file.path);
        }
        return absl::OkStatus();
    }

    absl::Status recover(const SliverSpec& spec, SliverRuntime& runtime) override {
        place(spec, runtime);
        return absl::OkStatus();
    }

    absl::Status update(const SliverSpec& spec, SliverRuntime& runtime) override { return resizeDisk(spec, runtime); }

    absl::Status cleanup(const SliverSpec& spec, SliverRuntime& runtime) override {
        place(spec, runtime);
        HS_RETURN_IF_ERROR(unmountDisk(runtime));
        return removeTree(runtime.socket_directory);
    }

    absl::Status destroy(const SliverSpec& spec, SliverRuntime& runtime) override {
        place(spec, runtime);
        return removeSliverDirectory(runtime.directory);
    }

private:
    void place(const SliverSpec& spec, SliverRuntime& runtime) const {
        runtime.directory = slivers_ + "/" + spec.id.fileName();
        runtime.socket_directory = sockets_ + "/" + spec.id.fileName();
    }

    const std::string slivers_;
    const std::string sockets_;
    const std::vector<std::string> volumes_;
    const std::string init_program_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Isolator>> makeFilesystemIsolator(const IsolationConfig& config) {
    HS_ASSIGN_OR_RETURN_CTX(std::string init_program, installInit(config), "install sliver-init");
    return std::make_unique<FilesystemIsolator>(config, std::move(init_program));
}

}  // namespace homeslice::isolation
