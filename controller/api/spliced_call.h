// A call whose messages are the bytes of a connection: what comes in the call goes into a socket, what comes from the
// socket goes out in the call. One piece each way at a time, so that whoever is slow holds the other up.
#pragma once

#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/unique_fd.h"
#include "controller/api/fd_waiter.h"
#include "homeslice/v1/node.grpc.pb.h"

namespace homeslice::controller {

// `Request` has `data`. Deletes itself, as reactors do, when gRPC and the waiter are done with it.
template <typename Request>
class SplicedCall : public grpc::ServerBidiReactor<Request, v1::Chunk>,
                    public std::enable_shared_from_this<SplicedCall<Request>> {
public:
    explicit SplicedCall(FdWaiter& waiter) : waiter_(waiter) {}

    // First of all.
    void keep() { self_ = this->shared_from_this(); }

    // Once. False when the call has ended already.
    bool connect(UniqueFd socket) {
        const std::lock_guard lock(mutex_);
        UniqueFd twin(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
        if (finished_ || !twin) return false;
        in_ = std::move(socket);
        out_ = std::move(twin);
        this->StartRead(&request_);
        awaitBytes();
        return true;
    }
    void end(const grpc::Status& status) {
        const std::lock_guard lock(mutex_);
        endLocked(status);
    }

    void OnReadDone(bool ok) override {
        const std::lock_guard lock(mutex_);
        if (finished_) return;
        if (!ok) return endLocked(grpc::Status::OK);
        sent_ = 0;
        passDown();
    }
    void OnWriteDone(bool ok) override {
        const std::lock_guard lock(mutex_);
        if (finished_) return;
        if (!ok) return endLocked(grpc::Status::CANCELLED);
        awaitBytes();
    }
    void OnCancel() override { end(grpc::Status::CANCELLED); }
    void OnDone() override {
        // Ends with the last of what waits for the socket.
        waiter_.forget(in_.get());
        waiter_.forget(out_.get());
        self_.reset();
    }

protected:
    Request request_;

private:
    static constexpr size_t kMostBytes = size_t{64} * 1024;

    // All below with the lock held.
    void awaitBytes() {
        waiter_.waitOnce(in_.get(), EPOLLIN, [self = this->shared_from_this()] {
            const std::lock_guard lock(self->mutex_);
            self->passUp();
        });
    }

    void passUp() {
        if (finished_) return;
        std::string& data = *chunk_.mutable_data();
        data.resize(kMostBytes);
        const ssize_t n = ::recv(in_.get(), data.data(), data.size(), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return awaitBytes();
        if (n <= 0) return endLocked(grpc::Status::OK);
        data.resize(static_cast<size_t>(n));
        this->StartWrite(&chunk_);
    }

    void passDown() {
        const std::string& data = request_.data();
        while (!finished_ && sent_ < data.size()) {
            const ssize_t n = ::send(out_.get(), data.data() + sent_, data.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0 && errno == EAGAIN) {
                waiter_.waitOnce(out_.get(), EPOLLOUT, [self = this->shared_from_this()] {
                    const std::lock_guard lock(self->mutex_);
                    self->passDown();
                });
                return;
            }
            if (n <= 0) return endLocked(grpc::Status::OK);
            sent_ += static_cast<size_t>(n);
        }
        if (!finished_) this->StartRead(&request_);
    }

    void endLocked(const grpc::Status& status) {
        if (std::exchange(finished_, true)) return;
        if (in_) ::shutdown(in_.get(), SHUT_RDWR);
        this->Finish(status);
    }

    FdWaiter& waiter_;
    std::shared_ptr<SplicedCall> self_;
    std::mutex mutex_;
    UniqueFd in_;
    UniqueFd out_;  // the same, for a wait of its own
    bool finished_ = false;
    size_t sent_ = 0;  // of the request
    v1::Chunk chunk_;
};

}  // namespace homeslice::controller
