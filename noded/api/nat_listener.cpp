#include "noded/api/nat_listener.h"

#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/ipv4.h"
#include "base/log.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "homeslice/v1/node.grpc.pb.h"
#include "noded/api/byte_pump.h"
#include "noded/api/retry.h"

namespace homeslice::api {
namespace {

constexpr std::chrono::milliseconds kFirstRetry{100};
constexpr std::chrono::milliseconds kLastRetry{2000};

absl::StatusOr<UniqueFd> connectTo(const Ipv6Address& server, uint16_t port) {
    UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) return errnoStatus(errno, "socket");
    sockaddr_in6 name{};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(port);
    name.sin6_addr = server.toIn6();
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return fd;
    return errnoStatus(errno, "connect to " + endpointText(server, port));
}

class ListenStream final : public ByteStream {
public:
    explicit ListenStream(const leader::Controllers::Chosen& controller) : stub_(controller.channel) {
        stream_ = stub_.Listen(&context_);
    }
    bool read(std::string& data) override {
        if (!stream_->Read(&received_)) return false;
        data = std::move(*received_.mutable_data());
        return true;
    }
    bool write(const std::string& data) override {
        sent_.set_data(data);
        return stream_->Write(sent_);
    }
    void cancel() override { context_.TryCancel(); }
    void finish() override { status_ = stream_->Finish(); }

    const grpc::Status& status() const { return status_; }
    const grpc::ClientContext& context() const { return context_; }

private:
    grpc::ClientContext context_;
    v1::NodeLink::Stub stub_;
    std::unique_ptr<grpc::ClientReaderWriter<v1::Chunk, v1::Chunk>> stream_;
    v1::Chunk received_;
    v1::Chunk sent_;
    grpc::Status status_;
};

class ControllerSideListener final : public NatListener {
public:
    ControllerSideListener(std::shared_ptr<leader::Controllers> controllers, const Ipv6Address& server, uint16_t port)
        : controllers_(std::move(controllers)), server_(server), port_(port), thread_([this] { keep(); }) {}
    ~ControllerSideListener() override {
        stop_.set();
        {
            const std::lock_guard lock(mutex_);
            if (waiting_ != nullptr) waiting_->cancel();
        }
        thread_.join();
    }

private:
    void keep() {
        BackOff back_off(kFirstRetry, kLastRetry);
        do {
            while (takeConnection()) back_off.reset();
        } while (!stop_.waitFor(back_off.next()));
    }

    // Waits in a call until it is used; false when it ended before.
    bool takeConnection() {
        const leader::Controllers::Chosen asked = controllers_->current();
        auto call = std::make_unique<ListenStream>(asked);
        std::string first;
        if (!setWaiting(call.get())) call->cancel();
        const bool used = call->read(first);
        setWaiting(nullptr);
        if (!used) {
            call->finish();
            if (call->status().error_code() == grpc::StatusCode::UNAVAILABLE)
                controllers_->turnFrom(asked.address, call->context());
            if (!stop_.isSet()) logDebug("no way in through {}: {}", asked.address, call->status().error_message());
            return false;
        }
        std::erase_if(pumps_, [](const auto& pump) { return pump->isDone(); });
        auto connection = connectTo(server_, port_);
        if (!connection.ok()) logWarning("a call through the controller: {}", messageOf(connection.status()));
        pumps_.push_back(std::make_unique<BytePump>(connection.ok() ? *std::move(connection) : UniqueFd(),
                                                    std::move(call), std::move(first)));
        return true;
    }

    // False when nothing is to wait any more.
    bool setWaiting(ListenStream* call) {
        const std::lock_guard lock(mutex_);
        waiting_ = call;
        return !stop_.isSet();
    }

    const std::shared_ptr<leader::Controllers> controllers_;
    const Ipv6Address server_;
    const uint16_t port_;
    StopFlag stop_;
    std::mutex mutex_;
    ListenStream* waiting_ = nullptr;
    std::vector<std::unique_ptr<BytePump>> pumps_;  // the thread's own
    std::thread thread_;
};

}  // namespace

std::unique_ptr<NatListener> NatListener::start(std::shared_ptr<leader::Controllers> controllers,
                                                const Ipv6Address& server, uint16_t port) {
    return std::make_unique<ControllerSideListener>(std::move(controllers), server, port);
}

}  // namespace homeslice::api
