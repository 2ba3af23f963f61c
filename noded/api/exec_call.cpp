#include "noded/api/exec_call.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "base/status.h"
#include "noded/api/grpc_status.h"
#include "noded/api/stream_pipe.h"

namespace homeslice::api {
namespace {

constexpr size_t kPieceBytes = size_t{64} * 1024;

}  // namespace

ExecCall* ExecCall::begin(sliver::Manager& manager, IoLoop& loop, Workers& workers) {
    const std::shared_ptr<ExecCall> call(new ExecCall(manager, loop, workers));
    call->self_ = call;
    call->StartRead(&call->request_);
    return call.get();
}

void ExecCall::post(void (ExecCall::*step)()) {
    loop_.post([self = shared_from_this(), step] { ((*self).*step)(); });
}

void ExecCall::OnReadDone(bool ok) { post(ok ? &ExecCall::handleRequest : &ExecCall::endInput); }

void ExecCall::OnWriteDone(bool ok) {
    loop_.post([self = shared_from_this(), ok] {
        self->writing_ = false;
        if (!ok) self->abandon(grpc::Status::CANCELLED);
        self->pump();
    });
}

void ExecCall::OnCancel() {
    loop_.post([self = shared_from_this()] { self->abandon(grpc::Status::CANCELLED); });
}

void ExecCall::OnDone() { post(&ExecCall::close); }

// ---- requests

void ExecCall::handleRequest() {
    if (finished_) return;
    if (!started_) {
        start();
        return;
    }
    switch (request_.message_case()) {
        case v1::ExecRequest::kStdinData:
            takeInput();
            return;
        case v1::ExecRequest::kStdinClosed:
            endInput();
            break;
        case v1::ExecRequest::kSignal:
            sendSignal();
            break;
        case v1::ExecRequest::kResize:
            resize();
            break;
        case v1::ExecRequest::kDetach:
            detach();
            break;
        default:
            abandon(toGrpc(invalidArgument("exec: an empty request, or a second `start`")));
            return;
    }
    if (!finished_) StartRead(&request_);
}

void ExecCall::start() {
    started_ = true;
    const absl::Status status = tryStart();
    if (!status.ok()) abandon(toGrpc(withContext(status, "exec")));
}

absl::Status ExecCall::tryStart() {
    if (!request_.has_start()) return invalidArgument("the first request must be `start`");
    HS_ASSIGN_OR_RETURN(ExecStart start, execStartOf(request_.start()));
    if (!start.request.terminal && !start.request.detached) HS_RETURN_IF_ERROR(openPipes(start.request));
    // std::function wants a copyable task; the descriptors are not.
    auto shared = std::make_shared<ExecStart>(std::move(start));
    if (!workers_.tryRun([self = shared_from_this(), shared] { self->runCommand(std::move(*shared)); })) {
        return resourceExhausted("too many calls at once on this node");
    }
    return absl::OkStatus();
}

absl::Status ExecCall::openPipes(init::ExecRequest& request) {
    HS_ASSIGN_OR_RETURN(StreamPipe input, makeStreamPipe(LoopEnd::write));
    HS_ASSIGN_OR_RETURN(StreamPipe output, makeStreamPipe(LoopEnd::read));
    HS_ASSIGN_OR_RETURN(StreamPipe errors, makeStreamPipe(LoopEnd::read));
    request.stdin_fd = std::move(input.read_end);
    request.stdout_fd = std::move(output.write_end);
    request.stderr_fd = std::move(errors.write_end);
    input_ = std::move(input.write_end);
    outputs_[0].fd = std::move(output.read_end);
    outputs_[1].fd = std::move(errors.read_end);
    return absl::OkStatus();
}

// In the worker's thread.
void ExecCall::runCommand(ExecStart start) {
    auto started = manager_.exec(start.sliver, std::move(start.request));
    if (!started.ok()) {
        loop_.post([self = shared_from_this(), status = started.status()] { self->abandon(toGrpc(status)); });
        return;
    }
    const std::shared_ptr<init::RunningCommand> command = std::move(*started);
    loop_.post([self = shared_from_this(), command] { self->handleStarted(command); });
    const absl::StatusOr<int> end = command->wait();
    loop_.post([self = shared_from_this(), end] { self->handleEnd(end); });
}

void ExecCall::takeInput() {
    input_written_ = 0;
    feedCommand();
}

void ExecCall::feedCommand() {
    const std::string& data = request_.stdin_data();
    while (input_ && input_written_ < data.size()) {
        const ssize_t count = write(input_.get(), data.data() + input_written_, data.size() - input_written_);
        if (count >= 0) {
            input_written_ += static_cast<size_t>(count);
        } else if (errno == EAGAIN) {
            loop_.waitOnce(input_.get(), EPOLLOUT, [self = shared_from_this()] { self->feedCommand(); });
            return;
        } else if (errno != EINTR) {
            closeInput();  // EPIPE: the command reads no more; the rest is dropped, as a shell's pipe would
        }
    }
    if (!data.empty()) last_input_ = data.back();
    if (!finished_) StartRead(&request_);
}

// The client has no more input: the end of the pipe, or the key that says so on a terminal.
void ExecCall::endInput() {
    if (!terminal_) {
        closeInput();
        return;
    }
    termios settings{};
    if (!input_ || std::exchange(input_ended_, true) || tcgetattr(input_.get(), &settings) != 0) return;
    const char key = static_cast<char>(settings.c_cc[VEOF]);
    // Within a line the key only hands over what there is of it.
    const std::string keys(last_input_ == '\n' ? 1 : 2, key);
    [[maybe_unused]] const ssize_t count = write(input_.get(), keys.data(), keys.size());
}

void ExecCall::closeInput() {
    if (!input_) return;
    loop_.forget(input_.get());
    input_.reset();
}

void ExecCall::sendSignal() {
    const uint32_t signal = request_.signal();
    if (signal == 0 || signal >= static_cast<uint32_t>(NSIG)) {
        abandon(toGrpc(invalidArgument("exec: no signal " + std::to_string(signal))));
        return;
    }
    // One that comes before the command has started, or after its end, has nobody to go to.
    if (command_ && !end_) command_->kill(static_cast<int>(signal)).IgnoreError();
}

void ExecCall::resize() {
    const auto size = terminalSizeOf(request_.resize());
    if (!size.ok()) {
        abandon(toGrpc(size.status()));
    } else if (terminal_ && input_) {
        init::resizeTerminal(input_.get(), *size).IgnoreError();
    }
}

// wait() ends then, as it does for a command that is detached from the start.
void ExecCall::detach() {
    if (command_ && !end_) command_->detach().IgnoreError();
}

// ---- the command

void ExecCall::handleStarted(std::shared_ptr<init::RunningCommand> command) {
    command_ = std::move(command);
    if (finished_) {
        command_->kill(SIGKILL).IgnoreError();
        return;
    }
    takeTerminal();
    StartRead(&request_);
    pump();
}

// Two descriptors, so that each direction waits for itself.
void ExecCall::takeTerminal() {
    UniqueFd terminal = command_->takeTerminal();
    if (!terminal) return;
    terminal_ = true;
    input_.reset(fcntl(terminal.get(), F_DUPFD_CLOEXEC, 0));
    outputs_[0].fd = std::move(terminal);
}

void ExecCall::handleEnd(const absl::StatusOr<int>& end) {
    end_ = absl::IsCancelled(end.status()) ? absl::StatusOr<int>(0) : end;  // detached
    closeInput();
    pump();
}

// ---- responses

void ExecCall::pump() {
    if (writing_) return;
    if (status_after_write_) {
        Finish(*status_after_write_);
        status_after_write_.reset();
        return;
    }
    if (finished_) return;
    for (size_t i = 0; i < outputs_.size(); ++i) {
        Output& output = outputs_.at(next_output_);
        next_output_ = (next_output_ + 1) % outputs_.size();
        if (output.fd && sendPiece(output) == Piece::sent) return;
    }
    // What the command wrote is in the pipes when it has ended, and they are empty now. Others that still hold them
    // (daemons that it left behind) are not waited for.
    if (end_) {
        finishAfterOutput();
        return;
    }
    for (Output& output : outputs_) {
        if (output.fd) loop_.waitOnce(output.fd.get(), EPOLLIN, [self = shared_from_this()] { self->pump(); });
    }
}

ExecCall::Piece ExecCall::sendPiece(Output& output) {
    std::string& data = *(output.kind == v1::ExecResponse::kStdoutData ? response_.mutable_stdout_data()
                                                                       : response_.mutable_stderr_data());
    data.resize(kPieceBytes);
    ssize_t count = 0;
    do {
        count = read(output.fd.get(), data.data(), data.size());
    } while (count < 0 && errno == EINTR);
    if (count < 0 && errno == EAGAIN) return Piece::nothing_yet;
    if (count <= 0) {
        loop_.forget(output.fd.get());
        output.fd.reset();
        return Piece::end;
    }
    data.resize(static_cast<size_t>(count));
    writing_ = true;
    StartWrite(&response_);
    return Piece::sent;
}

void ExecCall::finishAfterOutput() {
    if (!end_->ok()) {
        finish(toGrpc(withContext(end_->status(), "exec")));
        return;
    }
    response_.set_exit_status(static_cast<uint32_t>(**end_));
    finished_ = true;
    StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
}

void ExecCall::finish(const grpc::Status& status) {
    if (finished_) return;
    finished_ = true;
    if (writing_) {
        status_after_write_ = status;
    } else {
        Finish(status);
    }
}

void ExecCall::abandon(const grpc::Status& status) {
    finish(status);
    if (command_ && !end_) command_->kill(SIGKILL).IgnoreError();
}

void ExecCall::close() {
    closeInput();
    for (Output& output : outputs_) {
        if (output.fd) loop_.forget(output.fd.get());
        output.fd.reset();
    }
    self_.reset();
}

}  // namespace homeslice::api
