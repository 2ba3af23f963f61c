#include "base/status.h"
#include "noded/isolation/image_user.h"
#include "noded/isolation/isolators.h"
#include "noded/sys/capability.h"

namespace homeslice::isolation {
namespace {

// They count inside the sliver's user namespace only. Left out of the customary fourteen: MKNOD, SETFCAP and
// AUDIT_WRITE, which the kernel never grants, or which serve nobody, in a user namespace.
const std::vector<std::string> kKeptCapabilities = {
    "CHOWN",         // packages and daemons set owners
    "DAC_OVERRIDE",  // the sliver's root is root over its own files
    "FOWNER",
    "FSETID",
    "KILL",    // a supervisor ends what runs as another user
    "SETGID",  // daemons drop root: nginx, sshd, postgres
    "SETUID",
    "SETPCAP",           // and then what is left of their capabilities
    "NET_BIND_SERVICE",  // ports below 1024
    "NET_RAW",           // ping; a false source is dropped at the sliver's port
    "SYS_CHROOT",        // sshd's separated privileges
};

class UserIsolator : public Isolator {
public:
    explicit UserIsolator(IdPool& ids) : ids_(ids) {}

    std::string name() const override { return "user"; }

    absl::Status prepare(Start& start) override {
        if (start.runtime.ids.count == 0) {
            HS_ASSIGN_OR_RETURN(start.runtime.ids, ids_.allocate());
        }
        start.clone.ids = start.runtime.ids;
        HS_ASSIGN_OR_RETURN(start.plan.kept_capabilities, sys::parseCapabilities(kKeptCapabilities));
        return findUser(start);
    }

    absl::Status attach(Start&, const launcher::Child&) override { return absl::OkStatus(); }
    absl::Status adopt(Start& start, const launcher::Child&) override { return findUser(start); }
    absl::Status recover(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }
    // The disk is owned by the range: it stays the sliver's as long as the disk is.
    absl::Status cleanup(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }

    absl::Status destroy(const SliverSpec&, SliverRuntime& runtime) override {
        if (runtime.ids.count != 0) ids_.release(runtime.ids);
        runtime.ids = {};
        return absl::OkStatus();
    }

private:
    static absl::Status findUser(Start& start) {
        HS_ASSIGN_OR_RETURN(const ImageUser user, resolveImageUser(start.image.rootfs, start.image.config.user));
        start.command.uid = user.uid;
        start.command.gid = user.gid;
        return absl::OkStatus();
    }

    IdPool& ids_;
};

}  // namespace

std::unique_ptr<Isolator> makeUserIsolator(IdPool& ids) { return std::make_unique<UserIsolator>(ids); }

}  // namespace homeslice::isolation
