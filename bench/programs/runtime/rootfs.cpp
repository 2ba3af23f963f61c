#include "rootfs.h"

#include "base/file.h"
#include "base/status.h"
#include "oci/archive.h"
#include "shell.h"

namespace homeslice::bench {

absl::StatusOr<Rootfs> makeRootfs(const std::string& directory) {
    Rootfs rootfs{.directory = directory + "/rootfs", .archive = directory + "/image.tar", .digest = ""};
    const std::string tar = directory + "/rootfs.tar";
    // lxc-execute mounts its own init at /usr/sbin.
    HS_RETURN_IF_ERROR(shell("cd " + directory + " && mkdir -p -m 755 rootfs && cd rootfs && " +
                             "mkdir -m 755 bin dev etc proc sbin sys tmp usr usr/sbin && " +
                             "cp \"$(command -v busybox)\" bin/busybox && " +
                             "for name in sh sleep true; do ln -s busybox bin/$name; done && " +
                             "echo root:x:0:0::/:/bin/sh > etc/passwd && tar --owner=0 --group=0 -cf " + tar + " ."));
    HS_RETURN_IF_ERROR(oci::writeOciArchive(tar, {}, rootfs.archive));
    HS_ASSIGN_OR_RETURN(rootfs.digest, oci::digestOf(rootfs.archive));
    return rootfs;
}

}  // namespace homeslice::bench
