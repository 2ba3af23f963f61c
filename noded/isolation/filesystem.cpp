#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "noded/init/client.h"
#include "noded/isolation/disk.h"
#include "noded/isolation/isolators.h"
#include "noded/sys/mount.h"

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

std::string hostnameOf(const SliverId& id) { return id.slice + "-" + std::to_string(id.index); }

std::string hostsFile(const SliverSpec& spec) {
    return "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" + spec.home_address.toString() + " " +
           hostnameOf(spec.id) + "\n" + spec.slice_address.toString() + " " + spec.id.slice + "\n";
}

absl::Status writeOwnedFile(const std::string& path, const std::string& text, uint32_t owner) {
    HS_ASSIGN_OR_RETURN(const UniqueFd fd, openFile(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
    HS_RETURN_IF_ERROR_CTX(writeAll(fd.get(), text), path);
    if (::fchmod(fd.get(), 0644) != 0) return errnoStatus(errno, "fchmod(" + path + ")");
    if (::fchown(fd.get(), owner, owner) != 0) return errnoStatus(errno, "fchown(" + path + ")");
    return absl::OkStatus();
}

// At the first start of a disk. Later the directory belongs to the sliver, which may have put links anywhere in it. It
// is made aside and renamed, so that a start that was cut short does not leave half of it.
absl::Status writeFirstFiles(const SliverSpec& spec, const SliverRuntime& runtime) {
    const std::string etc = runtime.upperDirectory() + "/etc";
    struct stat info {};
    if (::lstat(etc.c_str(), &info) == 0) return absl::OkStatus();
    const std::string draft = runtime.directory + "/etc";
    const uint32_t root = runtime.ids.first;
    HS_RETURN_IF_ERROR(removeTree(draft));
    HS_RETURN_IF_ERROR(makeDirectories(draft));
    HS_RETURN_IF_ERROR(writeOwnedFile(draft + "/hostname", hostnameOf(spec.id) + "\n", root));
    HS_RETURN_IF_ERROR(writeOwnedFile(draft + "/hosts", hostsFile(spec), root));
    // The resolvers of the machine that built the image are none of ours, and each would cost a time-out.
    HS_RETURN_IF_ERROR(writeOwnedFile(draft + "/resolv.conf", "# Slices bring their own name servers.\n", root));
    if (::chown(draft.c_str(), root, root) != 0) return errnoStatus(errno, "chown(" + draft + ")");
    if (::rename(draft.c_str(), etc.c_str()) != 0) return errnoStatus(errno, "rename to " + etc);
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
          init_program_(std::move(init_program)) {}

    std::string name() const override { return "filesystem"; }

    absl::Status prepare(Start& start) override {
        SliverRuntime& runtime = start.runtime;
        place(start.spec, runtime);
        HS_RETURN_IF_ERROR(makeDirectories(slivers_, 0700));
        HS_RETURN_IF_ERROR(makeSliverDirectories(runtime));
        HS_RETURN_IF_ERROR(writeFirstFiles(start.spec, runtime));
        HS_RETURN_IF_ERROR(makeDirectories(sockets_, 0700));
        HS_RETURN_IF_ERROR(makeDirectories(runtime.socket_directory, 0700));
        HS_ASSIGN_OR_RETURN(start.plan.control_socket, init::listenControlSocket(runtime.controlSocket()));
        HS_ASSIGN_OR_RETURN(start.plan.log_directory, openFile(runtime.logDirectory(), O_PATH | O_DIRECTORY));
        HS_ASSIGN_OR_RETURN(start.plan.init_program, openFile(init_program_, O_PATH));
        start.plan.hostname = hostnameOf(start.spec.id);
        start.plan.masked_paths = kMaskedPaths;
        start.plan.read_only_paths = kReadOnlyPaths;
        return absl::OkStatus();
    }

    // Needs the child's user namespace: the image's files, owned by host ids 0 and up on disk, are seen through its
    // maps.
    absl::Status attach(Start& start, const launcher::Child& child) override {
        HS_ASSIGN_OR_RETURN(const UniqueFd image,
                            sys::idmappedClone(start.image.rootfs, child.user_namespace.get(), sys::kMountReadOnly));
        HS_ASSIGN_OR_RETURN(start.plan.root_mount, sys::makeOverlay({.lower = {image.get()},
                                                                     .upper = start.runtime.upperDirectory(),
                                                                     .work = start.runtime.workDirectory(),
                                                                     .scratch = start.runtime.directory + "/scratch"}));
        return absl::OkStatus();
    }

    absl::Status recover(const SliverSpec& spec, SliverRuntime& runtime) override {
        place(spec, runtime);
        return absl::OkStatus();
    }

    absl::Status cleanup(const SliverSpec& spec, SliverRuntime& runtime) override {
        place(spec, runtime);
        return removeTree(runtime.socket_directory);
    }

    absl::Status destroy(const SliverSpec& spec, SliverRuntime& runtime) override {
        place(spec, runtime);
        return removeTree(runtime.directory);
    }

private:
    void place(const SliverSpec& spec, SliverRuntime& runtime) const {
        runtime.directory = slivers_ + "/" + spec.id.fileName();
        runtime.socket_directory = sockets_ + "/" + spec.id.fileName();
    }

    const std::string slivers_;
    const std::string sockets_;
    const std::string init_program_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Isolator>> makeFilesystemIsolator(const IsolationConfig& config) {
    HS_ASSIGN_OR_RETURN_CTX(std::string init_program, installInit(config), "install sliver-init");
    return std::make_unique<FilesystemIsolator>(config, std::move(init_program));
}

}  // namespace homeslice::isolation
