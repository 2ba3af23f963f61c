#include "box.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <thread>

#include "base/file.h"
#include "base/status.h"
#include "shell.h"

namespace homeslice::bench {

absl::StatusOr<Box> Box::make() {
    absl::StatusOr<UniqueFd> netns = internalError("no network namespace");
    std::thread([&] {
        if (::unshare(CLONE_NEWNET) == 0)
            netns = openFile("/proc/thread-self/ns/net", O_RDONLY);
        else
            netns = errnoStatus(errno, "unshare");
    }).join();
    if (!netns.ok()) return netns.status();
    Box box(std::move(*netns));
    HS_RETURN_IF_ERROR(box.sh("ip link set lo up; sysctl -qw net.ipv6.conf.default.accept_dad=0"));
    return box;
}

void Box::run(const std::function<void()>& work) const {
    std::thread([&] {
        if (::setns(netns_.get(), CLONE_NEWNET) == 0) work();
    }).join();
}

absl::Status Box::sh(const std::string& script) const {
    absl::Status status = internalError("cannot enter the network namespace");
    run([&] { status = shell("set -e; " + script); });
    return status;
}

std::string Box::path() const { return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(netns_.get()); }

int Box::index(const std::string& link) const {
    int index = -1;
    run([&] { index = static_cast<int>(::if_nametoindex(link.c_str())); });
    return index;
}

}  // namespace homeslice::bench
