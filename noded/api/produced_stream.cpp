#include "noded/api/produced_stream.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/status.h"
#include "noded/api/grpc_status.h"
#include "noded/api/stream_pipe.h"

namespace homeslice::api {
namespace {

constexpr int kChunkBytes = 256 * 1024;  // the API's limit

}  // namespace

ProducedStream* ProducedStream::begin(IoLoop& loop, Workers& workers, Producer producer) {
    const std::shared_ptr<ProducedStream> call(new ProducedStream(loop));
    call->self_ = call;
    loop.post([call, &workers, producer = std::move(producer)] { call->start(workers, producer); });
    return call.get();
}

void ProducedStream::OnWriteDone(bool ok) {
    loop_.post([self = shared_from_this(), ok] {
        self->writing_ = false;
        if (!ok) self->finish(grpc::Status::CANCELLED);
        self->pump();
    });
}

void ProducedStream::OnCancel() {
    loop_.post([self = shared_from_this()] {
        self->stopReading();
        if (!self->produced_) self->produced_ = grpc::Status::CANCELLED;
        self->pump();
    });
}

void ProducedStream::OnDone() {
    loop_.post([self = shared_from_this()] {
        self->stopReading();
        self->self_.reset();
    });
}

void ProducedStream::start(Workers& workers, Producer producer) {
    const absl::Status status = tryStart(workers, std::move(producer));
    if (!status.ok()) {
        stopReading();
        finish(toGrpc(status));
        return;
    }
    pump();
}

absl::Status ProducedStream::tryStart(Workers& workers, Producer producer) {
    HS_ASSIGN_OR_RETURN(StreamPipe made, makeStreamPipe(LoopEnd::read));
    // Fewer, larger pieces. May be refused (fs.pipe-user-pages-soft): the default size does too.
    fcntl(made.read_end.get(), F_SETPIPE_SZ, kChunkBytes);
    pipe_ = std::move(made.read_end);
    auto sink = std::make_shared<UniqueFd>(std::move(made.write_end));
    const auto produce = [self = shared_from_this(), sink, producer = std::move(producer)] {
        const absl::Status status = producer(sink->get());
        sink->reset();
        self->loop_.post([self, status] {
            if (!self->produced_) self->produced_ = toGrpc(status);
            self->pump();
        });
    };
    if (!workers.tryRun(produce)) return resourceExhausted("too many calls at once on this node");
    return absl::OkStatus();
}

void ProducedStream::pump() {
    if (writing_ || finished_) return;
    if (pipe_) sendOrWait();
    if (!writing_ && !pipe_ && produced_) finish(*produced_);
}

void ProducedStream::sendOrWait() {
    std::string& data = *chunk_.mutable_data();
    data.resize(kChunkBytes);
    ssize_t count = 0;
    do {
        count = read(pipe_.get(), data.data(), data.size());
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        data.resize(static_cast<size_t>(count));
        writing_ = true;
        StartWrite(&chunk_);
    } else if (count < 0 && errno == EAGAIN) {
        loop_.waitOnce(pipe_.get(), EPOLLIN, [self = shared_from_this()] { self->pump(); });
    } else {
        stopReading();
    }
}

void ProducedStream::stopReading() {
    if (!pipe_) return;
    loop_.forget(pipe_.get());
    pipe_.reset();
}

void ProducedStream::finish(const grpc::Status& status) {
    if (finished_) return;
    finished_ = true;
    Finish(status);
}

}  // namespace homeslice::api
