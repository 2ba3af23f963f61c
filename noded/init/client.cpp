#include "noded/init/client.h"

#include <fcntl.h>
#include <signal.h>

#include <charconv>
#include <cstring>
#include <limits>

#include "base/file.h"
#include "base/status.h"
#include "noded/init/log_format.h"
#include "noded/init/protocol.h"
#include "noded/sys/packed_strings.h"
#include "noded/sys/unix_socket.h"

namespace homeslice::init {
namespace {

// sliver-init answers an exec at once; one that does not is frozen.
constexpr std::chrono::seconds kAnswerTimeout(10);
constexpr std::chrono::milliseconds kForever(-1);
constexpr int kBacklog = 64;

std::string asBytes(const Request& request) { return {reinterpret_cast<const char*>(&request), sizeof(request)}; }

absl::StatusOr<std::string> packExec(const ExecRequest& exec, uint32_t streams) {
    if (exec.argv.empty() || exec.argv[0].empty()) return invalidArgument("exec: no command");
    if (exec.argv.size() + exec.env.size() > kMaxStrings) {
        return invalidArgument("exec: more than " + std::to_string(kMaxStrings) + " arguments and variables");
    }
    Request request;
    request.kind = Request::exec;
    request.argument_count = static_cast<uint32_t>(exec.argv.size());
    request.environment_count = static_cast<uint32_t>(exec.env.size());
    request.streams = streams;
    std::string message = asBytes(request);
    std::vector<std::string> strings = {exec.working_directory.empty() ? "/" : exec.working_directory};
    strings.insert(strings.end(), exec.argv.begin(), exec.argv.end());
    strings.insert(strings.end(), exec.env.begin(), exec.env.end());
    for (const std::string& text : strings) {
        if (!sys::isPackable(text)) return invalidArgument("exec: NUL in an argument");
        sys::packString(message, text);
    }
    if (message.size() > kMaxRequestSize) {
        return invalidArgument("exec: arguments and variables of " + std::to_string(message.size()) +
                               " bytes, at most " + std::to_string(kMaxRequestSize) + " fit");
    }
    return message;
}

absl::StatusOr<Reply> receiveReply(int socket, std::chrono::milliseconds timeout) {
    HS_ASSIGN_OR_RETURN(const sys::Message message, sys::receiveMessage(socket, sizeof(Reply), timeout));
    if (message.data.size() != sizeof(Reply)) return internalError("sliver-init sent a malformed reply");
    Reply reply;
    std::memcpy(&reply, message.data.data(), sizeof(reply));
    return reply;
}

class Running : public RunningCommand {
public:
    explicit Running(UniqueFd socket) : socket_(std::move(socket)) {}

    absl::StatusOr<int> wait() override {
        const auto reply = receiveReply(socket_.get(), kForever);
        if (!reply.ok()) return withContext(reply.status(), "the sliver ended before the command");
        if (reply->kind != Reply::exited) return internalError("sliver-init sent an unexpected reply");
        return reply->value;
    }

    absl::Status kill(int signal) override {
        if (signal < 1 || signal > SIGRTMAX) return invalidArgument("no such signal: " + std::to_string(signal));
        Request request;
        request.kind = Request::signal;
        request.signal_number = signal;
        const absl::Status sent = sys::sendMessage(socket_.get(), asBytes(request));
        // Gone is gone: sliver-init closes the connection when the command has ended.
        return absl::IsUnavailable(sent) ? absl::OkStatus() : sent;
    }

private:
    UniqueFd socket_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RunningCommand>> exec(const std::string& control_socket_path, ExecRequest request) {
    std::vector<int> fds;
    uint32_t streams = 0;
    const UniqueFd* given[] = {&request.stdin_fd, &request.stdout_fd, &request.stderr_fd};
    for (unsigned stream = 0; stream < 3; ++stream) {
        if (!given[stream]->valid()) continue;
        streams |= 1U << stream;
        fds.push_back(given[stream]->get());
    }
    HS_ASSIGN_OR_RETURN(const std::string message, packExec(request, streams));
    HS_ASSIGN_OR_RETURN_CTX(UniqueFd socket, sys::connectSeqpacket(control_socket_path), "exec");
    HS_RETURN_IF_ERROR_CTX(sys::sendMessage(socket.get(), message, fds), "exec");
    HS_ASSIGN_OR_RETURN_CTX(const Reply reply, receiveReply(socket.get(), kAnswerTimeout), "exec");
    if (reply.kind == Reply::refused) return errnoStatus(reply.value, "exec of " + request.argv[0]);
    if (reply.kind != Reply::started) return internalError("sliver-init sent an unexpected reply");
    return std::make_unique<Running>(std::move(socket));
}

absl::Status stop(const std::string& control_socket_path, std::chrono::milliseconds grace) {
    if (grace.count() < 0 || grace.count() > std::numeric_limits<uint32_t>::max()) {
        return invalidArgument("stop: grace of " + std::to_string(grace.count()) + " ms");
    }
    Request request;
    request.kind = Request::stop;
    request.grace_ms = static_cast<uint32_t>(grace.count());
    HS_ASSIGN_OR_RETURN_CTX(const UniqueFd socket, sys::connectSeqpacket(control_socket_path), "stop");
    return withContext(sys::sendMessage(socket.get(), asBytes(request)), "stop");
}

absl::StatusOr<UniqueFd> listenControlSocket(const std::string& path) { return sys::listenSeqpacket(path, kBacklog); }

absl::StatusOr<int> readExitStatus(const std::string& log_directory) {
    const std::string path = log_directory + "/" + kExitFile;
    HS_ASSIGN_OR_RETURN(const std::string text, readFile(path));
    int status = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
    if (error != std::errc() || end == text.data() + text.size() || *end != '\n' || status < 0 || status > 255)
        return dataLoss("malformed " + path);
    return status;
}

}  // namespace homeslice::init
