// Standing still. The v2 tree's way is preferred also on a hybrid host: what is frozen there can be killed, and the
// kernel tells when it is done.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/file.h"
#include "base/status.h"
#include "noded/sys/cgroup.h"

namespace homeslice::sys {
namespace {

constexpr std::chrono::seconds kFreezeTimeout{10};
constexpr std::chrono::milliseconds kAskAgain{2};

absl::Status tooSlow(const std::string& group) {
    return deadlineExceeded("cgroup " + group + " does not come to a stand");
}

int millisecondsUntil(Monotonic::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Monotonic::now()).count();
    return left > 0 ? static_cast<int>(left) : 0;
}

absl::Status awaitV2(const std::string& directory, const std::string& group, bool frozen) {
    const auto deadline = Monotonic::now() + kFreezeTimeout;
    const std::string wanted = frozen ? "frozen 1" : "frozen 0";
    HS_ASSIGN_OR_RETURN(const UniqueFd events, openFile(directory + "/cgroup.events", O_RDONLY));
    for (;;) {
        if (::lseek(events.get(), 0, SEEK_SET) < 0) return errnoStatus(errno, "lseek(cgroup.events)");
        HS_ASSIGN_OR_RETURN(const std::string text, readAll(events.get()));
        if (text.find(wanted) != std::string::npos) return absl::OkStatus();
        pollfd waited{.fd = events.get(), .events = POLLPRI, .revents = 0};
        const int changed = ::poll(&waited, 1, millisecondsUntil(deadline));
        if (changed < 0 && errno != EINTR) return errnoStatus(errno, "poll(cgroup.events)");
        if (changed == 0) return tooSlow(group);
    }
}

// freezer-subsystem.rst: while it says FREEZING some of its processes still run; v1 has no way to wait.
absl::Status awaitV1(const std::string& file, const std::string& group, const std::string& wanted) {
    const auto deadline = Monotonic::now() + kFreezeTimeout;
    for (;;) {
        HS_ASSIGN_OR_RETURN(const std::string state, readFile(file));
        if (state.starts_with(wanted)) return absl::OkStatus();
        if (Monotonic::now() >= deadline) return tooSlow(group);
        std::this_thread::sleep_for(kAskAgain);
        HS_RETURN_IF_ERROR(writeControlFile(file, wanted));
    }
}

}  // namespace

absl::Status Cgroups::freeze(const std::string& group, bool frozen) {
    const std::string v2 = v2Directory(group);
    if (!v2.empty() && ::access((v2 + "/cgroup.freeze").c_str(), F_OK) == 0) {
        HS_RETURN_IF_ERROR(writeControlFile(v2 + "/cgroup.freeze", frozen ? "1" : "0"));
        return awaitV2(v2, group, frozen);
    }
    const std::string file = controlFile(1, "freezer", group, "freezer.state");
    if (file.empty() && !v2.empty() && ::access(v2.c_str(), F_OK) != 0) return notFound("no cgroup " + group);
    if (file.empty()) return failedPrecondition("this host cannot freeze: it has no freezer controller");
    const std::string wanted = frozen ? "FROZEN" : "THAWED";
    HS_RETURN_IF_ERROR(writeControlFile(file, wanted));
    return awaitV1(file, group, wanted);
}

}  // namespace homeslice::sys
