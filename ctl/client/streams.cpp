// The calls that carry data in streams: images up, logs down, exec both ways.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
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

// In a row without a word: for more time than a node or a controller takes to start again.
constexpr int kMostAttempts = 150;
constexpr std::chrono::milliseconds kLogPause{200};
constexpr std::chrono::seconds kRefusedWithin{1};

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

// A node or a controller that has just ended is back in a moment.
bool mayPass(const absl::Status& status) {
    return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsCancelled(status);
}

void closeInput(ExecStream& stream) {
    v1::ExecRequest closed;
    closed.set_stdin_closed(true);
    if (stream.Write(closed)) stream.WritesDone();
}

// Carries what the user gives to the command, in a thread of its own.
class InputPump {
public:
    // `stop` becomes readable when the command has ended.
    InputPump(ExecStream& stream, const Client::ExecInput& input, int stop)
        : stream_(stream), input_(input), stop_(stop) {}

    // Until end of file, the detach keys, or the end of the command.
    void run() {
        bool open = true;
        while (open) {
            const Event event = wait();
            if (event == Event::stop) break;
            if (event == Event::resize && !sendSize()) return;
            if (event == Event::input) open = sendInput();
        }
        if (!keys_.typed()) closeInput(stream_);
    }
    // Of use when run() has returned.
    bool detached() const { return keys_.typed(); }

private:
    enum class Event { input, resize, stop };

    Event wait() const {
        const int resized = input_.terminal == nullptr ? -1 : input_.terminal->resized();
        std::array<pollfd, 3> events{{{.fd = stop_, .events = POLLIN, .revents = 0},
                                      {.fd = resized, .events = POLLIN, .revents = 0},
                                      {.fd = input_.fd, .events = POLLIN, .revents = 0}}};
        while (::poll(events.data(), events.size(), -1) < 0) {
            if (errno != EINTR) return Event::stop;
        }
        if (events[0].revents != 0) return Event::stop;
        return events[1].revents != 0 ? Event::resize : Event::input;
    }

    bool sendSize() const {
        input_.terminal->clearResized();
        const TerminalSize size = input_.terminal->size();
        v1::ExecRequest request;
        request.mutable_resize()->set_columns(size.columns);
        request.mutable_resize()->set_rows(size.rows);
        return stream_.Write(request);
    }

    // False when nothing more is to be sent.
    bool sendInput() {
        absl::StatusOr<std::string> data = readChunk(input_.fd);
        if (!data.ok() || data->empty()) return false;
        v1::ExecRequest request;
        if (input_.terminal != nullptr) *data = keys_.feed(*data);
        if (!data->empty()) {
            request.set_stdin_data(*std::move(data));
            if (!stream_.Write(request)) return false;
        }
        if (!keys_.typed()) return true;
        request.set_detach(true);
        stream_.Write(request);
        return false;
    }

    ExecStream& stream_;
    const Client::ExecInput& input_;
    const int stop_;
    DetachKeys keys_;
};

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
    const Impl::Asked asked = impl_->ask();
    CallContext context(impl_->cancellation, kUploadWithin);
    v1::Image image;
    const auto writer = asked.stub->ImportImage(context.get(), &image);
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
    HS_RETURN_IF_ERROR(impl_->toStatus(asked, writer->Finish()));
    return image;
}

absl::Status Client::logs(v1::LogsRequest request, const Sink& sink,
                          const std::function<std::optional<int64_t>()>& reconnect) {
    absl::Status status;
    bool begun = false;
    for (int silent = 0; silent < kMostAttempts; ++silent) {
        const auto asked_at = std::chrono::steady_clock::now();
        const Impl::Asked asked = impl_->ask();
        CallContext context(impl_->cancellation, std::nullopt);
        const auto reader = asked.stub->Logs(context.get(), request);
        v1::Chunk chunk;
        bool told = false;
        for (; reader->Read(&chunk); told = true) sink(chunk.data());
        const grpc::Status end = reader->Finish();
        status = impl_->toStatus(asked, end);
        // What ends at once, and has told nothing, was refused. A log may be silent for long.
        if (told || std::chrono::steady_clock::now() - asked_at > kRefusedWithin) {
            begun = true;
            silent = 0;
        }
        if (begun && absl::IsNotFound(status)) return absl::OkStatus();  // removed meanwhile
        if (!request.follow() || !begun || !mayPass(status)) return status;
        impl_->turn(asked, end, *context.get(), true);
        if (impl_->cancellation.waitFor(kLogPause)) return cancelled("interrupted");
        request.set_tail(0);
        if (const auto since = reconnect()) request.set_since_us(*since);
    }
    return status;
}

absl::StatusOr<std::optional<int>> Client::exec(const v1::ExecStart& start, const ExecInput& input,
                                                const Sink& stdout_sink, const Sink& stderr_sink) {
    const UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
    if (!stop) return errnoStatus(errno, "eventfd");
    const Impl::Asked asked = impl_->ask();
    CallContext context(impl_->cancellation, std::nullopt);
    const auto stream = asked.stub->Exec(context.get());
    v1::ExecRequest first;
    *first.mutable_start() = start;
    stream->Write(first);  // a refusal shows in Finish()

    InputPump pump(*stream, input, stop.get());
    std::thread pumping;
    if (input.fd < 0) {
        closeInput(*stream);
    } else {
        pumping = std::thread([&pump] { pump.run(); });
    }
    const int exit_status = pumpOutput(*stream, stdout_sink, stderr_sink);
    ::eventfd_write(stop.get(), 1);
    if (pumping.joinable()) pumping.join();
    HS_RETURN_IF_ERROR(impl_->toStatus(asked, stream->Finish()));
    if (pump.detached()) return std::nullopt;
    if (exit_status < 0) return internalError("the command's exit status was lost");
    return exit_status;
}

}  // namespace homeslice::ctl
