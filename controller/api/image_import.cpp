#include "controller/api/image_import.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

#include "base/names.h"
#include "base/status.h"
#include "controller/api/convert.h"

namespace homeslice::controller {
namespace {

// An operation whose work is done here: whoever cancels that ends the stream, also one whose client has gone silent.
class ImageImport : public grpc::ServerReadReactor<v1::ImportImageRequest>,
                    public OperationWatcher,
                    public std::enable_shared_from_this<ImageImport> {
public:
    ImageImport(const Gate& gate, Caller caller, ImageFiles& images, v1::Image& image)
        : gate_(gate), caller_(std::move(caller)), images_(images), image_(image) {}

    void begin() {
        self_ = shared_from_this();
        StartRead(&request_);
    }

    void OnReadDone(bool ok) override {
        if (!ok) return end(client_left_ ? cancelled("the client went away") : store());
        if (const absl::Status taken = take(); !taken.ok()) return end(taken);
        const std::lock_guard lock(mutex_);
        if (!finished_) StartRead(&request_);
    }
    // Half an archive ends the stream of requests just as a whole one does; only this tells them apart.
    void OnCancel() override { client_left_ = true; }
    void OnDone() override { self_.reset(); }

    void changed(const Operation& operation) override {
        if (operation.state != OperationState::cancelled || !isFirstToEnd()) return;
        Finish(toGrpc(cancelled("the import was " + operation.step)));
    }

private:
    absl::Status take() {
        if (request_.has_header() && receiver_ == nullptr) return receive(request_.header().name());
        if (!request_.has_chunk() || receiver_ == nullptr) return invalidArgument("an import is a header, then chunks");
        HS_RETURN_IF_ERROR(receiver_->write(request_.chunk().data()));
        bytes_ += request_.chunk().data().size();
        gate_.controller().noteImported(operation_, bytes_);
        return absl::OkStatus();
    }

    absl::Status receive(const std::string& name) {
        HS_RETURN_IF_ERROR(checkName("image name", name));
        name_ = name;
        HS_ASSIGN_OR_RETURN(receiver_, images_.receive());
        HS_ASSIGN_OR_RETURN(const Operation operation, gate_.controller().beginImport(name));
        operation_ = operation.id;
        return gate_.controller().watchOperation(operation_, weak_from_this());
    }

    absl::Status store() {
        if (receiver_ == nullptr) return invalidArgument("an import is a header, then chunks");
        HS_ASSIGN_OR_RETURN(const std::string digest, receiver_->finish());
        Change recorded(gate_, caller_, kMethod, name_);
        recorded_ = true;
        const auto view = gate_.controller().addImage(name_, digest, *receiver_, operation_);
        recorded.end(view.status());
        if (view.ok()) toProto(*view, image_);
        return view.status();
    }

    void end(const absl::Status& status) {
        if (!status.ok() && !operation_.empty()) gate_.controller().endImport(operation_, status);
        if (!isFirstToEnd()) return;  // cancelled from beside, which has an entry of its own
        if (!status.ok() && !recorded_) {
            gate_.controller().recordAudit({0, caller_.name, kMethod, name_, messageOf(status)});
        }
        Finish(toGrpc(status));
    }

    bool isFirstToEnd() {
        const std::lock_guard lock(mutex_);
        return !std::exchange(finished_, true);
    }

    static constexpr const char* kMethod = "ImportImage";

    const Gate& gate_;
    const Caller caller_;
    ImageFiles& images_;
    v1::Image& image_;
    v1::ImportImageRequest request_;
    std::string name_;
    std::string operation_;  // id; empty before the header has come
    uint64_t bytes_ = 0;
    bool recorded_ = false;  // in the audit log
    std::unique_ptr<Receiver> receiver_;
    std::atomic<bool> client_left_ = false;
    std::shared_ptr<ImageImport> self_;  // until gRPC is done
    std::mutex mutex_;
    bool finished_ = false;
};

}  // namespace

grpc::ServerReadReactor<v1::ImportImageRequest>* importImage(const Gate& gate, const Caller& caller, ImageFiles& images,
                                                             v1::Image& image) {
    const auto import = std::make_shared<ImageImport>(gate, caller, images, image);
    import->begin();
    return import.get();
}

}  // namespace homeslice::controller
