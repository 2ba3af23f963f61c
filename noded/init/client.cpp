#include "noded/init/client.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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

absl::Status checkExec(const ExecRequest& exec) {
    if (exec.argv.empty() || exec.argv[0].empty()) return invalidArgument("exec: no command");
    if (exec.argv.size() + exec.env.size() > kMaxStrings) {
        return invalidArgument("exec: more than " + std::to_string(kMaxStrings) + " arguments and variables");
    }
    if (exec.terminal && (exec.stdin_fd || exec.stdout_fd || exec.stderr_fd)) {
        return invalidArgument("exec: a terminal and other streams");
    }
    return absl::OkStatus();
}

Request headerOf(const ExecRequest& exec, uint32_t streams) {
    Request request;
    request.kind = Request::Kind::exec;
    request.argument_count = static_cast<uint32_t>(exec.argv.size());
    request.environment_count = static_cast<uint32_t>(exec.env.size());
    request.streams = streams;
    if (exec.detached) request.flags |= Request::detached;
    if (exec.terminal) {
        request.flags |= Request::terminal;
        request.columns = exec.terminal->columns;
        request.rows = exec.terminal->rows;
    }
    return request;
}

absl::StatusOr<std::string> packExec(const ExecRequest& exec, uint32_t streams) {
    HS_RETURN_IF_ERROR(checkExec(exec));
    std::string message = asBytes(headerOf(exec, streams));
    std::vector<std::string> strings = {exec.working_directory.empty() ? "/" : exec.working_directory, exec.user};
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

struct Answer {
    Reply reply;
    UniqueFd fd;
};

absl::StatusOr<Answer> receiveAnswer(int socket, std::chrono::milliseconds timeout) {
    HS_ASSIGN_OR_RETURN(sys::Message message, sys::receiveMessage(socket, sizeof(Reply), timeout));
    if (message.data.size() != sizeof(Reply)) return internalError("sliver-init sent a malformed reply");
    Answer answer;
    std::memcpy(&answer.reply, message.data.data(), sizeof(Reply));
    if (!message.fds.empty()) answer.fd = std::move(message.fds[0]);
    return answer;
}

// The host is about to read and write it: it must not be anything else, whatever happened inside.
absl::Status checkTerminal(int master) {
    constexpr unsigned kMajor = 5;  // devices.rst: /dev/ptmx is 5:2
    constexpr unsigned kMinor = 2;
    struct stat about {};
    if (::fstat(master, &about) < 0) return errnoStatus(errno, "fstat of a terminal");
    const bool is_master =
        S_ISCHR(about.st_mode) && gnu_dev_major(about.st_rdev) == kMajor && gnu_dev_minor(about.st_rdev) == kMinor;
    return is_master ? absl::OkStatus() : internalError("sliver-init sent something else than a terminal");
}

absl::StatusOr<int> statusOf(const Reply& reply) {
    if (reply.kind == Reply::Kind::exited) return reply.value;
    if (reply.kind == Reply::Kind::detached) return cancelled("the command is detached");
    return internalError("sliver-init sent an unexpected reply");
}

class Running : public RunningCommand {
public:
    Running(UniqueFd socket, UniqueFd terminal) : socket_(std::move(socket)), terminal_(std::move(terminal)) {}

    absl::StatusOr<int> wait() override {
        const auto answer = receiveAnswer(socket_.get(), kForever);
        if (!answer.ok()) return withContext(answer.status(), "the sliver ended before the command");
        return statusOf(answer->reply);
    }

    absl::Status kill(int signal) override {
        if (signal < 1 || signal > SIGRTMAX) return invalidArgument("no such signal: " + std::to_string(signal));
        Request request;
        request.kind = Request::Kind::signal;
        request.signal_number = signal;
        return send(request);
    }

    absl::Status detach() override {
        Request request;
        request.kind = Request::Kind::detach;
        return send(request);
    }

    UniqueFd takeTerminal() override { return std::move(terminal_); }
    int descriptor() const override { return socket_.get(); }

private:
    absl::Status send(const Request& request) {
        const absl::Status sent = sys::sendMessage(socket_.get(), asBytes(request));
        // Gone is gone: sliver-init closes the connection when the command has ended.
        return absl::IsUnavailable(sent) ? absl::OkStatus() : sent;
    }

    UniqueFd socket_;
    UniqueFd terminal_;
};

// One whose end, or whose going on without us, was the first answer.
class Settled : public RunningCommand {
public:
    explicit Settled(const Reply& reply) : reply_(reply) {}

    absl::StatusOr<int> wait() override { return statusOf(reply_); }
    absl::Status kill(int) override { return absl::OkStatus(); }
    absl::Status detach() override { return absl::OkStatus(); }
    UniqueFd takeTerminal() override { return {}; }

private:
    Reply reply_;
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
    HS_ASSIGN_OR_RETURN_CTX(Answer answer, receiveAnswer(socket.get(), kAnswerTimeout), "exec");
    if (answer.reply.kind == Reply::Kind::refused) return errnoStatus(answer.reply.value, "exec of " + request.argv[0]);
    if (answer.reply.kind != Reply::Kind::started) return std::make_unique<Settled>(answer.reply);
    if (request.terminal) HS_RETURN_IF_ERROR(checkTerminal(answer.fd.get()));
    return std::make_unique<Running>(std::move(socket), std::move(answer.fd));
}

absl::Status resizeTerminal(int master, const TerminalSize& size) {
    winsize wanted{};
    wanted.ws_col = size.columns;
    wanted.ws_row = size.rows;
    return ::ioctl(master, TIOCSWINSZ, &wanted) < 0 ? errnoStatus(errno, "resize a terminal") : absl::OkStatus();
}

absl::Status stop(const std::string& control_socket_path, std::chrono::milliseconds grace, int signal) {
    if (grace.count() < 0 || grace.count() > std::numeric_limits<uint32_t>::max()) {
        return invalidArgument("stop: grace of " + std::to_string(grace.count()) + " ms");
    }
    if (signal < 0 || signal > SIGRTMAX) return invalidArgument("stop: no signal " + std::to_string(signal));
    Request request;
    request.kind = Request::Kind::stop;
    request.grace_ms = static_cast<uint32_t>(grace.count());
    request.signal_number = signal;
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
