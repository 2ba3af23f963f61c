#include "noded/api/node_service.h"

#include "base/status.h"
#include "base/utf8.h"
#include "noded/api/convert.h"
#include "noded/api/exec_call.h"
#include "noded/api/grpc_status.h"
#include "noded/api/produced_stream.h"
#include "noded/init/log_reader.h"

namespace homeslice::api {

grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>* NodeService::Exec(
    grpc::CallbackServerContext* /*context*/) {
    return ExecCall::begin(manager_, loop_, workers_);
}

grpc::ServerWriteReactor<v1::Chunk>* NodeService::Logs(grpc::CallbackServerContext* /*context*/,
                                                       const v1::LogsRequest* request) {
    return ProducedStream::begin(loop_, workers_, [this, copy = *request](int fd) { return writeLogs(copy, fd); });
}

grpc::ServerWriteReactor<v1::Chunk>* NodeService::ExportDisk(grpc::CallbackServerContext* context,
                                                             const v1::ExportDiskRequest* request) {
    const auto id = sliverIdOf(request->sliver());
    const absl::Status allowed = id.ok() ? peers_.checkDiskReader(*context, *id) : id.status();
    return ProducedStream::begin(loop_, workers_, [this, allowed, copy = *request](int fd) {
        return allowed.ok() ? exportDisk(copy, fd) : allowed;
    });
}

grpc::ServerUnaryReactor* NodeService::Inspect(grpc::CallbackServerContext* context,
                                               const v1::InspectRequest* /*request*/, v1::InspectResponse* response) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const bool taken = workers_.tryRun([this, reactor, response] {
        response->set_json(asUtf8(inspect_()));
        reactor->Finish(grpc::Status::OK);
    });
    if (!taken) reactor->Finish(toGrpc(resourceExhausted("too many calls at once on this node")));
    return reactor;
}

absl::Status NodeService::writeLogs(const v1::LogsRequest& request, int fd) {
    HS_ASSIGN_OR_RETURN(const SliverId id, sliverIdOf(request.sliver()));
    HS_ASSIGN_OR_RETURN(const std::string directory, manager_.logDirectory(id));
    const init::LogRange range{.since_us = request.since_us(), .tail = request.tail(), .follow = request.follow()};
    return withContext(init::copyLog(directory, range, fd), "log of " + id.toString());
}

absl::Status NodeService::exportDisk(const v1::ExportDiskRequest& request, int fd) {
    HS_ASSIGN_OR_RETURN(const SliverId id, sliverIdOf(request.sliver()));
    return manager_.exportDisk(id, request.generation(), fd);
}

}  // namespace homeslice::api
