#include "controller/api/operation_stream.h"

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "controller/api/convert.h"

namespace homeslice::controller {
namespace {

// A slow client gets the newest state rather than all of them.
class OperationStream : public grpc::ServerWriteReactor<v1::Operation>,
                        public OperationWatcher,
                        public std::enable_shared_from_this<OperationStream> {
public:
    void begin(Controller& controller, const std::string& id) {
        self_ = shared_from_this();
        const absl::Status watching = controller.watchOperation(id, weak_from_this());
        if (!watching.ok()) end(toGrpc(watching));
    }

    void changed(const Operation& operation) override {
        const std::lock_guard lock(mutex_);
        next_ = operation;
        writeNext();
    }
    void OnWriteDone(bool ok) override {
        const std::lock_guard lock(mutex_);
        writing_ = false;
        if (!ok) return endLocked(grpc::Status::CANCELLED);
        if (!next_ && ended_) return endLocked(grpc::Status::OK);
        writeNext();
    }
    void OnCancel() override { end(grpc::Status::CANCELLED); }
    void OnDone() override { self_.reset(); }

private:
    // With the lock held.
    void writeNext() {
        if (writing_ || finished_ || !next_) return;
        ended_ = next_->ended();
        outgoing_.Clear();
        toProto(*std::exchange(next_, std::nullopt), outgoing_);
        writing_ = true;
        StartWrite(&outgoing_);
    }
    void end(const grpc::Status& status) {
        const std::lock_guard lock(mutex_);
        endLocked(status);
    }
    void endLocked(const grpc::Status& status) {
        if (!std::exchange(finished_, true)) Finish(status);
    }

    std::shared_ptr<OperationStream> self_;  // until gRPC is done
    std::mutex mutex_;
    std::optional<Operation> next_;
    v1::Operation outgoing_;
    bool writing_ = false;
    bool ended_ = false;  // what was written last is the operation's end
    bool finished_ = false;
};

}  // namespace

grpc::ServerWriteReactor<v1::Operation>* streamOperation(Controller& controller, const std::string& id) {
    const auto stream = std::make_shared<OperationStream>();
    stream->begin(controller, id);
    return stream.get();
}

}  // namespace homeslice::controller
