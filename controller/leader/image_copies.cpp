#include "controller/leader/image_copies.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "homeslice/v1/node.grpc.pb.h"
#include "pki/tls/credentials.h"

namespace homeslice::controller {
namespace {

constexpr std::chrono::seconds kLookEvery{1};
constexpr std::chrono::minutes kFetchWithin{10};

class CopyingThread : public ImageCopies {
public:
    CopyingThread(EtcdSeat& seat, ImageFiles& images, std::shared_ptr<tls::Credentials> credentials)
        : seat_(seat), images_(images), credentials_(std::move(credentials)), thread_([this] { keep(); }) {}
    ~CopyingThread() override {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
            if (under_way_ != nullptr) under_way_->TryCancel();
            changed_.notify_all();
        }
        thread_.join();
    }

private:
    void keep() {
        std::unique_lock lock(mutex_);
        while (!stop_) {
            lock.unlock();
            if (const absl::Status looked = look(); !looked.ok()) say(messageOf(looked));
            lock.lock();
            changed_.wait_for(lock, kLookEvery, [this] { return stop_; });
        }
    }

    // Once a trouble.
    void say(const std::string& trouble) {
        if (std::exchange(said_, trouble) != trouble) logWarning("images of the other controllers: {}", trouble);
    }

    absl::Status look() {
        HS_ASSIGN_OR_RETURN(const std::vector<std::string> digests, seat_.imageDigests());
        for (const std::string& digest : digests) {
            if (!images_.openArchive(digest).ok()) HS_RETURN_IF_ERROR(fetch(digest));
        }
        return absl::OkStatus();
    }

    absl::Status fetch(const std::string& digest) {
        HS_ASSIGN_OR_RETURN(const std::vector<std::string> others, seat_.others());
        absl::Status status = notFound("no other controller is up that could have " + digest);
        for (const std::string& other : others) {
            status = fetchFrom(other, digest);
            if (status.ok()) return status;
        }
        return status;
    }

    absl::Status fetchFrom(const std::string& other, const std::string& digest) {
        const auto stub = v1::NodeLink::NewStub(credentials_->channel("dns:///" + other, pki::kControllerName, {}));
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + kFetchWithin);
        if (!enlist(&context)) return aborted("sliced is ending");
        const absl::Status status = withContext(receive(*stub, context, digest), "from " + other);
        enlist(nullptr);
        if (status.ok()) logInfo("image archive {} is copied from the controller at {}", digest, other);
        return status;
    }

    absl::Status receive(v1::NodeLink::Stub& stub, grpc::ClientContext& context, const std::string& digest) {
        v1::FetchImageRequest request;
        request.set_digest(digest);
        HS_ASSIGN_OR_RETURN(const auto receiver, images_.receive());
        const auto reader = stub.FetchImage(&context, request);
        v1::Chunk chunk;
        absl::Status written;
        while (written.ok() && reader->Read(&chunk)) written = receiver->write(chunk.data());
        if (!written.ok()) context.TryCancel();
        const grpc::Status end = reader->Finish();
        HS_RETURN_IF_ERROR(written);
        if (!end.ok()) return {static_cast<absl::StatusCode>(end.error_code()), end.error_message()};
        HS_ASSIGN_OR_RETURN(const std::string got, receiver->finish());
        return got == digest ? receiver->publish() : dataLoss("what came has digest " + got);
    }

    bool enlist(grpc::ClientContext* context) {
        const std::lock_guard lock(mutex_);
        under_way_ = context;
        return !stop_;
    }

    EtcdSeat& seat_;
    ImageFiles& images_;
    const std::shared_ptr<tls::Credentials> credentials_;
    std::string said_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool stop_ = false;
    grpc::ClientContext* under_way_ = nullptr;
    std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ImageCopies>> ImageCopies::start(EtcdSeat& seat, ImageFiles& images,
                                                                const Issuer& issuer) {
    HS_ASSIGN_OR_RETURN(auto credentials, tls::Credentials::open(issuer.credentialsDirectory()));
    return std::make_unique<CopyingThread>(seat, images, std::move(credentials));
}

}  // namespace homeslice::controller
