// A response stream of Chunks whose bytes a blocking producer writes into a pipe. Internal to node_service.
//
// Lives on the event loop as ExecCall does. When the client goes away, the producer's next write gives EPIPE.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>

#include "homeslice/v1/node.grpc.pb.h"
#include "noded/api/io_loop.h"
#include "noded/api/workers.h"

namespace homeslice::api {

class ProducedStream final : public grpc::ServerWriteReactor<v1::Chunk>,
                             public std::enable_shared_from_this<ProducedStream> {
public:
    // Writes everything to the descriptor; the status that it returns ends the call, after all its output.
    using Producer = std::function<absl::Status(int fd)>;

    // The call owns itself until gRPC and the producer are done with it.
    static ProducedStream* begin(IoLoop& loop, Workers& workers, Producer producer);

    void OnWriteDone(bool ok) override;
    void OnCancel() override;
    void OnDone() override;

private:
    explicit ProducedStream(IoLoop& loop) : loop_(loop) {}
    void start(Workers& workers, Producer producer);
    absl::Status tryStart(Workers& workers, Producer producer);
    void pump();
    void sendOrWait();
    void stopReading();
    void finish(const grpc::Status& status);

    IoLoop& loop_;
    std::shared_ptr<ProducedStream> self_;
    UniqueFd pipe_;
    v1::Chunk chunk_;
    bool writing_ = false;
    bool finished_ = false;
    std::optional<grpc::Status> produced_;
};

}  // namespace homeslice::api
