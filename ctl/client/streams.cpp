// The calls that carry data in streams: images up, logs down, exec both ways.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>
#include <utility>

#include "base/file.h"
#include "base/unique_fd.h"
#include "ctl/client/channel.h"
#include "ctl/client/client.h"

namespace homeslice::ctl {
namespace {

constexpr size_t kChunk = 256 << 10;  // as the API limits it
constexpr std::chrono::minutes kUploadWithin{30};

using Sink = std::function<void(const std::string&)>;
using ExecStream = grpc::ClientReaderWriter<v1::ExecRequest, v1::ExecResponse>;

// At most kChunk bytes; empty at end of file.
absl::StatusOr<std::string> readChunk(int fd) {
    std::string data(kChunk, '\0');
    ssize_t got = 0;
    do {
        got = ::read(fd, data.data(), data.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) return errnoStatus(errno, "read");
    data.resize(static_cast<size_t>(got));
    return data;
}

// False when `stop` became readable first.
bool waitForInput(int fd, int stop) {
    std::array<pollfd, 2> events{
        {{.fd = fd, .events = POLLIN, .revents = 0}, {.fd = stop, .events = POLLIN, .revents = 0}}};
    while (::poll(events.data(), events.size(), -1) < 0) {
        if (errno != EINTR) return false;
    }
    return events[1].revents == 0;
}

void closeInput(ExecStream& stream) {
    v1::ExecRequest closed;
    closed.set_stdin_closed(true);
    if (stream.Write(closed)) stream.WritesDone();
}

// Carries `fd` to the command until end of file, or until `stop` says that the command has ended.
void pumpInput(ExecStream& stream, int fd, int stop) {
    while (waitForInput(fd, stop)) {
        absl::StatusOr<std::string> data = readChunk(fd);
        if (!data.ok() || data->empty()) break;
        v1::ExecRequest request;
        request.set_stdin_data(*std::move(data));
        if (!stream.Write(request)) return;
    }
    closeInput(stream);
}

// The exit status, which is the last response; -1 when the stream ended without one.
int pumpOutput(ExecStream& stream, const Sink& stdout_sink, const Sink& stderr_sink) {
    v1::ExecResponse response;
    while (stream.Read(&response)) {
        if (response.has_stdout_data()) stdout_sink(response.stdout_data());
        if (response.has_stderr_data()) stderr_sink(response.stderr_data());
        if (response.has_exit_status()) return static_cast<int>(response.exit_status() & 0xff);
    }
    return -1;
}

}  // namespace

absl::StatusOr<v1::Image> Client::importImage(const std::string& name, const std::string& archive_path,
                                              const std::function<void(uint64_t)>& sent) {
    HS_ASSIGN_OR_RETURN(const UniqueFd archive, openFile(archive_path, O_RDONLY));
    CallContext context(impl_->cancellation, kUploadWithin);
    v1::Image image;
    const auto writer = impl_->stub->ImportImage(context.get(), &image);
    v1::ImportImageRequest request;
    request.mutable_header()->set_name(name);
    bool accepted = writer->Write(request);
    uint64_t total = 0;
    while (accepted) {
        absl::StatusOr<std::string> data = readChunk(archive.get());
        if (!data.ok()) {
            context.get()->TryCancel();
            static_cast<void>(writer->Finish());
            return withContext(data.status(), archive_path);
        }
        if (data->empty()) break;
        total += data->size();
        request.mutable_chunk()->set_data(*std::move(data));
        accepted = writer->Write(request);
        sent(total);
    }
    writer->WritesDone();
    HS_RETURN_IF_ERROR(impl_->toStatus(writer->Finish()));
    return image;
}

absl::Status Client::logs(const v1::SliverId& id, const Sink& sink) {
    v1::LogsRequest request;
    *request.mutable_sliver() = id;
    CallContext context(impl_->cancellation, std::nullopt);
    const auto reader = impl_->stub->Logs(context.get(), request);
    v1::Chunk chunk;
    while (reader->Read(&chunk)) sink(chunk.data());
    return impl_->toStatus(reader->Finish());
}

absl::StatusOr<int> Client::exec(const v1::ExecStart& start, int stdin_fd, const Sink& stdout_sink,
                                 const Sink& stderr_sink) {
    const UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
    if (!stop) return errnoStatus(errno, "eventfd");
    CallContext context(impl_->cancellation, std::nullopt);
    const auto stream = impl_->stub->Exec(context.get());
    v1::ExecRequest first;
    *first.mutable_start() = start;
    stream->Write(first);  // a refusal shows in Finish()

    std::thread input;
    if (stdin_fd < 0) {
        closeInput(*stream);
    } else {
        input = std::thread([&] { pumpInput(*stream, stdin_fd, stop.get()); });
    }
    const int exit_status = pumpOutput(*stream, stdout_sink, stderr_sink);
    ::eventfd_write(stop.get(), 1);
    if (input.joinable()) input.join();
    HS_RETURN_IF_ERROR(impl_->toStatus(stream->Finish()));
    if (exit_status < 0) return internalError("the command's exit status was lost");
    return exit_status;
}

}  // namespace homeslice::ctl
