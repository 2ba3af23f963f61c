// NodeService: commands in slivers, their logs, disks for other nodes, and a debug dump. Internal to api/server.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>

#include "homeslice/v1/node.grpc.pb.h"
#include "noded/api/io_loop.h"
#include "noded/api/peer_table.h"
#include "noded/api/workers.h"
#include "noded/sliver/manager.h"

namespace homeslice::api {

class NodeService final : public v1::NodeService::CallbackService {
public:
    // All outlive the gRPC server that serves this. `inspect` answers one JSON object and may block.
    NodeService(sliver::Manager& manager, std::function<std::string()> inspect, const PeerTable& peers, IoLoop& loop,
                Workers& workers)
        : manager_(manager), inspect_(std::move(inspect)), peers_(peers), loop_(loop), workers_(workers) {}

    grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>* Exec(grpc::CallbackServerContext* context) override;
    grpc::ServerWriteReactor<v1::Chunk>* Logs(grpc::CallbackServerContext* context,
                                              const v1::LogsRequest* request) override;
    grpc::ServerWriteReactor<v1::Chunk>* ExportDisk(grpc::CallbackServerContext* context,
                                                    const v1::ExportDiskRequest* request) override;
    grpc::ServerUnaryReactor* Inspect(grpc::CallbackServerContext* context, const v1::InspectRequest* request,
                                      v1::InspectResponse* response) override;

private:
    absl::Status writeLogs(const v1::LogsRequest& request, int fd);
    absl::Status exportDisk(const v1::ExportDiskRequest& request, int fd);

    sliver::Manager& manager_;
    std::function<std::string()> inspect_;
    const PeerTable& peers_;
    IoLoop& loop_;
    Workers& workers_;
};

}  // namespace homeslice::api
