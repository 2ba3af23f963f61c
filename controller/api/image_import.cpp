#include "controller/api/image_import.h"

#include <atomic>
#include <memory>
#include <utility>

#include "base/names.h"
#include "base/status.h"
#include "controller/api/convert.h"

namespace homeslice::controller {
namespace {

class ImageImport : public grpc::ServerReadReactor<v1::ImportImageRequest> {
public:
    ImageImport(const Gate& gate, Caller caller, ImageFiles& images, v1::Image& image)
        : gate_(gate), caller_(std::move(caller)), images_(images), image_(image) {
        StartRead(&request_);
    }

    void OnReadDone(bool ok) override {
        if (!ok) return Finish(toGrpc(cancelled_ ? cancelled("the client went away") : store()));
        if (const absl::Status taken = take(); !taken.ok()) return Finish(toGrpc(taken));
        StartRead(&request_);
    }
    // Half an archive ends the stream of requests just as a whole one does; only this tells them apart.
    void OnCancel() override { cancelled_ = true; }
    void OnDone() override { delete this; }

private:
    absl::Status take() {
        if (request_.has_header() && receiver_ == nullptr) {
            HS_RETURN_IF_ERROR(checkName("image name", request_.header().name()));
            name_ = request_.header().name();
            HS_ASSIGN_OR_RETURN(receiver_, images_.receive());
            return absl::OkStatus();
        }
        if (!request_.has_chunk() || receiver_ == nullptr) return invalidArgument("an import is a header, then chunks");
        return receiver_->write(request_.chunk().data());
    }

    absl::Status store() {
        if (receiver_ == nullptr) return invalidArgument("an import is a header, then chunks");
        HS_ASSIGN_OR_RETURN(const std::string digest, receiver_->finish());
        Change recorded(gate_, caller_, "ImportImage", name_);
        const auto view = gate_.controller().addImage(name_, digest, *receiver_);
        recorded.end(view.status());
        if (view.ok()) toProto(*view, image_);
        return view.status();
    }

    const Gate& gate_;
    const Caller caller_;
    ImageFiles& images_;
    v1::Image& image_;
    v1::ImportImageRequest request_;
    std::string name_;
    std::unique_ptr<Receiver> receiver_;
    std::atomic<bool> cancelled_ = false;
};

}  // namespace

grpc::ServerReadReactor<v1::ImportImageRequest>* importImage(const Gate& gate, const Caller& caller, ImageFiles& images,
                                                             v1::Image& image) {
    return new ImageImport(gate, caller, images, image);
}

}  // namespace homeslice::controller
