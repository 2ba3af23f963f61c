#include "noded/api/dialled_way.h"

#include <grpcpp/grpcpp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>
#include <utility>
#include <vector>

#include "base/local_listener.h"
#include "base/status.h"
#include "homeslice/v1/node.grpc.pb.h"
#include "noded/api/byte_pump.h"

namespace homeslice::api {
namespace {

class DialStream final : public ByteStream {
public:
    DialStream(const leader::Controllers::Chosen& controller, const Ipv6Address& care_of_address)
        : stub_(controller.channel) {
        stream_ = stub_.Dial(&context_);
        sent_.set_care_of_address(care_of_address.toBytes());
        stream_->Write(sent_);  // if it fails, so does the next one
        sent_.clear_care_of_address();
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
    void finish() override { stream_->Finish(); }

private:
    grpc::ClientContext context_;
    v1::NodeLink::Stub stub_;
    std::unique_ptr<grpc::ClientReaderWriter<v1::DialRequest, v1::Chunk>> stream_;
    v1::DialRequest sent_;
    v1::Chunk received_;
};

class LocalWay final : public DialledWay {
public:
    LocalWay(std::shared_ptr<leader::Controllers> controllers, const Ipv6Address& care_of_address,
             LocalListener listener, UniqueFd stop)
        : controllers_(std::move(controllers)),
          care_of_address_(care_of_address),
          listener_(std::move(listener)),
          stop_(std::move(stop)),
          thread_([this] { run(); }) {}
    ~LocalWay() override {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof one);
        thread_.join();
    }
    std::string target() const override { return listener_.target(); }

private:
    void run() {
        std::array<pollfd, 2> waited{pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                     pollfd{.fd = listener_.fd(), .events = POLLIN, .revents = 0}};
        while (waited[0].revents == 0) {
            if (::poll(waited.data(), waited.size(), -1) < 0) continue;
            UniqueFd connection = listener_.accept();
            if (!connection) continue;
            std::erase_if(pumps_, [](const auto& pump) { return pump->isDone(); });
            pumps_.push_back(std::make_unique<BytePump>(
                std::move(connection), std::make_unique<DialStream>(controllers_->current(), care_of_address_)));
        }
    }

    const std::shared_ptr<leader::Controllers> controllers_;
    const Ipv6Address care_of_address_;
    const LocalListener listener_;
    const UniqueFd stop_;
    std::vector<std::unique_ptr<BytePump>> pumps_;  // the thread's own
    std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DialledWay>> DialledWay::open(std::shared_ptr<leader::Controllers> controllers,
                                                             const Ipv6Address& care_of_address) {
    HS_ASSIGN_OR_RETURN(LocalListener listener, LocalListener::open());
    UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
    if (!stop) return errnoStatus(errno, "eventfd");
    return std::make_unique<LocalWay>(std::move(controllers), care_of_address, std::move(listener), std::move(stop));
}

}  // namespace homeslice::api
