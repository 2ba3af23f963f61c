#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "noded/launcher/steps.h"

namespace homeslice::launcher {

void bringUpLoopback(const Setup& setup) {
    const UniqueFd any(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    setup.require(any.valid(), "bring up loopback", "socket");
    ifreq request{};
    ::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
    setup.require(::ioctl(any.get(), SIOCGIFFLAGS, &request) == 0, "bring up loopback", "SIOCGIFFLAGS");
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    setup.require(::ioctl(any.get(), SIOCSIFFLAGS, &request) == 0, "bring up loopback", "SIOCSIFFLAGS");
}

void setHostname(const Setup& setup, const char* hostname) {
    setup.require(::sethostname(hostname, ::strlen(hostname)) == 0, "sethostname", hostname);
}

}  // namespace homeslice::launcher
