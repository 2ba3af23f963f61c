#include "noded/launcher/connection.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/defer.h"
#include "base/file.h"
#include "base/status.h"
#include "noded/launcher/protocol.h"
#include "noded/sys/unix_socket.h"

namespace homeslice::launcher {
namespace {

constexpr std::chrono::seconds kHelloTimeout(10);
constexpr int kBacklog = 8;

absl::StatusOr<UniqueFd> lock(const std::string& path) {
    HS_ASSIGN_OR_RETURN(UniqueFd file, openFile(path, O_RDWR | O_CREAT, 0600));
    while (::flock(file.get(), LOCK_EX) < 0) {
        if (errno != EINTR) return errnoStatus(errno, "flock " + path);
    }
    return file;
}

absl::Status awaitHello(int socket) {
    HS_ASSIGN_OR_RETURN(const sys::Message message, sys::receiveMessage(socket, kMaxMessageToNoded, kHelloTimeout));
    Hello hello;
    if (message.data.size() != sizeof(hello)) return internalError("the launcher sent a malformed greeting");
    std::memcpy(&hello, message.data.data(), sizeof(hello));
    if (hello.kind != Kind::hello) return internalError("the launcher sent a malformed greeting");
    if (hello.version == kVersion) return absl::OkStatus();
    return failedPrecondition("the running launcher speaks version " + std::to_string(hello.version) + ", noded " +
                              std::to_string(kVersion) + ": stop its slivers first");
}

// The program as leader of a session of its own, with the listening socket and stderr alone (the program closes the
// rest), and default signals.
absl::StatusOr<pid_t> spawnLauncher(const std::string& program, int listening) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
    const Defer destroy([&] {
        ::posix_spawn_file_actions_destroy(&files);
        ::posix_spawnattr_destroy(&attributes);
    });
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_RDWR, 0);
    ::posix_spawn_file_actions_adddup2(&files, listening, kListeningFd);

    std::string name = "noded-launcher";
    char* const argv[] = {name.data(), nullptr};
    char* const environment[] = {nullptr};
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, program.c_str(), &files, &attributes, argv, environment);
    if (error != 0) return errnoStatus(error, "start " + program);
    return pid;
}

// Connected before the launcher runs: it ends at once when it finds nobody waiting.
absl::StatusOr<Connection> start(const std::string& program, const std::string& socket_path) {
    Connection connection;
    HS_ASSIGN_OR_RETURN(const UniqueFd listening, sys::listenSeqpacket(socket_path, kBacklog));
    HS_ASSIGN_OR_RETURN(connection.socket, sys::connectSeqpacket(socket_path));
    HS_ASSIGN_OR_RETURN(connection.started, spawnLauncher(program, listening.get()));
    return connection;
}

}  // namespace

absl::StatusOr<Connection> connectOrStart(const std::string& program, const std::string& socket_path) {
    HS_ASSIGN_OR_RETURN(const UniqueFd locked, lock(socket_path + ".lock"));
    auto socket = sys::connectSeqpacket(socket_path);
    if (socket.ok()) {
        const absl::Status hello = awaitHello(socket->get());
        if (hello.ok()) return Connection{std::move(*socket), 0};
        // One that was about to end may have left the connection unanswered.
        if (!absl::IsUnavailable(hello)) return hello;
    } else if (!absl::IsUnavailable(socket.status()) && !absl::IsNotFound(socket.status())) {
        return socket.status();
    }
    HS_ASSIGN_OR_RETURN(Connection connection, start(program, socket_path));
    HS_RETURN_IF_ERROR_CTX(awaitHello(connection.socket.get()), "start " + program);
    return connection;
}

}  // namespace homeslice::launcher
