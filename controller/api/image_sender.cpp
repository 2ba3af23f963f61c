#include "controller/api/image_sender.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/status.h"
#include "controller/api/convert.h"
#include "pki/tls/credentials.h"

namespace homeslice::controller {
namespace {

constexpr size_t kChunkBytes = size_t{256} * 1024;

class ImageSender : public grpc::ServerWriteReactor<v1::Chunk> {
public:
    explicit ImageSender(absl::StatusOr<UniqueFd> archive) {
        if (!archive.ok()) {
            Finish(toGrpc(archive.status()));
            return;
        }
        archive_ = std::move(archive).value();
        sendNext();
    }
    void OnWriteDone(bool ok) override {
        if (ok) return sendNext();
        Finish(grpc::Status::CANCELLED);
    }
    void OnDone() override { delete this; }

private:
    void sendNext() {
        std::string& data = *chunk_.mutable_data();
        data.resize(kChunkBytes);
        const ssize_t n = ::read(archive_.get(), data.data(), data.size());
        if (n < 0) return Finish(toGrpc(errnoStatus(errno, "read the archive")));
        if (n == 0) return Finish(grpc::Status::OK);
        data.resize(static_cast<size_t>(n));
        StartWrite(&chunk_);
    }

    UniqueFd archive_;
    v1::Chunk chunk_;
};

}  // namespace

grpc::ServerWriteReactor<v1::Chunk>* sendImage(absl::StatusOr<UniqueFd> archive) {
    return new ImageSender(std::move(archive));
}

bool isController(const grpc::CallbackServerContext& context) {
    const auto peer = tls::peerOf(*context.auth_context());
    return peer.ok() && peer->identity.kind == pki::Kind::controller;
}

}  // namespace homeslice::controller
