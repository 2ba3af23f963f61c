#include "noded/api/node_service.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "noded/api/convert.h"
#include "noded/api/exec_call.h"
#include "noded/api/grpc_status.h"
#include "noded/api/produced_stream.h"
#include "noded/api/utf8.h"

namespace homeslice::api {
namespace {

// All are opened before the first is read: a rotation in between then neither repeats nor skips lines.
absl::StatusOr<std::vector<UniqueFd>> openLogs(const std::vector<std::string>& paths) {
    std::vector<UniqueFd> files;
    for (const std::string& path : paths) {
        auto file = openFile(path, O_RDONLY);
        if (file.ok()) {
            files.push_back(std::move(*file));
        } else if (!absl::IsNotFound(file.status())) {  // rotated away since it was listed
            return file.status();
        }
    }
    return files;
}

absl::Status copyAll(int from, int to) {
    constexpr size_t kPieceBytes = size_t{64} * 1024;
    std::string piece;
    for (;;) {
        piece.resize(kPieceBytes);
        const ssize_t count = read(from, piece.data(), piece.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errnoStatus(errno, "read");
        if (count == 0) return absl::OkStatus();
        piece.resize(static_cast<size_t>(count));
        HS_RETURN_IF_ERROR(writeAll(to, piece));
    }
}

}  // namespace

grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>* NodeService::Exec(
    grpc::CallbackServerContext* /*context*/) {
    return ExecCall::begin(manager_, loop_, workers_);
}

grpc::ServerWriteReactor<v1::Chunk>* NodeService::Logs(grpc::CallbackServerContext* /*context*/,
                                                       const v1::LogsRequest* request) {
    return ProducedStream::begin(loop_, workers_, [this, copy = *request](int fd) { return writeLogs(copy, fd); });
}

grpc::ServerWriteReactor<v1::Chunk>* NodeService::ExportDisk(grpc::CallbackServerContext* /*context*/,
                                                             const v1::ExportDiskRequest* request) {
    return ProducedStream::begin(loop_, workers_, [this, copy = *request](int fd) { return exportDisk(copy, fd); });
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
    HS_ASSIGN_OR_RETURN(const std::vector<std::string> paths, manager_.logFiles(id));
    HS_ASSIGN_OR_RETURN_CTX(const std::vector<UniqueFd> files, openLogs(paths), "log of " + id.toString());
    for (const UniqueFd& file : files) {
        HS_RETURN_IF_ERROR_CTX(copyAll(file.get(), fd), "log of " + id.toString());
    }
    return absl::OkStatus();
}

absl::Status NodeService::exportDisk(const v1::ExportDiskRequest& request, int fd) {
    HS_ASSIGN_OR_RETURN(const SliverId id, sliverIdOf(request.sliver()));
    return manager_.exportDisk(id, request.generation(), fd);
}

}  // namespace homeslice::api
