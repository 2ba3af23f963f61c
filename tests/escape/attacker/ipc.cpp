// Objects that processes share by name: whose are there?
#include <fcntl.h>
#include <mqueue.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>

#include "attempt.h"

namespace homeslice::attacker {
namespace {

int keyOf(const Arguments& arguments) { return std::atoi(arguments.at(0).c_str()); }

int connectAbstract(const Arguments& arguments) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const size_t size = arguments.at(0).copy(address.sun_path + 1, sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
    return fd < 0 ? errno : answer(::connect(fd, reinterpret_cast<const sockaddr*>(&address), length));
}

constexpr Attempt kAttempts[] = {
    {"shmget", [](const Arguments& arguments) { return answer(::shmget(keyOf(arguments), 0, 0)); }},
    {"semget", [](const Arguments& arguments) { return answer(::semget(keyOf(arguments), 0, 0)); }},
    {"msgget", [](const Arguments& arguments) { return answer(::msgget(keyOf(arguments), 0)); }},
    {"mq_open", [](const Arguments& arguments) { return answer(::mq_open(arguments.at(0).c_str(), O_RDONLY)); }},
    {"shm_open", [](const Arguments& arguments) { return answer(::shm_open(arguments.at(0).c_str(), O_RDONLY, 0)); }},
    {"connect_abstract", connectAbstract},
};

}  // namespace

std::span<const Attempt> ipcAttempts() { return kAttempts; }

}  // namespace homeslice::attacker
