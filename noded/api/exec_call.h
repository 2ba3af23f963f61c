// One NodeService.Exec call. Internal to node_service.
//
// Lives on the event loop: gRPC's reactions are posted there. A worker thread starts the command and waits for its end.
// Back-pressure both ways: output is read only when the client took the last piece, input only when the command did.
#pragma once

#include <grpcpp/grpcpp.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "homeslice/v1/node.grpc.pb.h"
#include "noded/api/convert.h"
#include "noded/api/io_loop.h"
#include "noded/api/workers.h"
#include "noded/sliver/manager.h"

namespace homeslice::api {

class ExecCall final : public grpc::ServerBidiReactor<v1::ExecRequest, v1::ExecResponse>,
                       public std::enable_shared_from_this<ExecCall> {
public:
    // The call owns itself until gRPC and the command are done with it.
    static ExecCall* begin(sliver::Manager& manager, IoLoop& loop, Workers& workers);

    void OnReadDone(bool ok) override;
    void OnWriteDone(bool ok) override;
    void OnCancel() override;
    void OnDone() override;

private:
    struct Output {
        UniqueFd fd;
        v1::ExecResponse::MessageCase kind;
    };

    ExecCall(sliver::Manager& manager, IoLoop& loop, Workers& workers)
        : manager_(manager), loop_(loop), workers_(workers) {}
    void post(void (ExecCall::*step)());

    // Requests.
    void handleRequest();
    void start();
    absl::Status tryStart();
    absl::Status openPipes(init::ExecRequest& request);
    void runCommand(ExecStart start);
    void takeInput();
    void feedCommand();
    void endInput();
    void closeInput();
    void sendSignal();
    void resize();
    void detach();

    // The command.
    void handleStarted(std::shared_ptr<init::RunningCommand> command);
    void takeTerminal();
    void handleEnd(const absl::StatusOr<int>& end);

    // Responses.
    void pump();
    enum class Piece { sent, nothing_yet, end };
    Piece sendPiece(Output& output);
    void finishAfterOutput();
    void finish(const grpc::Status& status);
    void abandon(const grpc::Status& status);
    void close();

    sliver::Manager& manager_;
    IoLoop& loop_;
    Workers& workers_;
    std::shared_ptr<ExecCall> self_;

    v1::ExecRequest request_;
    v1::ExecResponse response_;
    bool started_ = false;   // `start` was taken
    bool writing_ = false;   // a response is on its way
    bool finished_ = false;  // Finish was called, or will be when the response is out
    std::optional<grpc::Status> status_after_write_;

    UniqueFd input_;
    size_t input_written_ = 0;  // of the current request's data
    char last_input_ = '\n';
    bool terminal_ = false;     // input and output are the two directions of one
    bool input_ended_ = false;  // on a terminal
    std::array<Output, 2> outputs_{Output{UniqueFd(), v1::ExecResponse::kStdoutData},
                                   Output{UniqueFd(), v1::ExecResponse::kStderrData}};
    size_t next_output_ = 0;  // taken in turns, so that neither starves
    std::shared_ptr<init::RunningCommand> command_;
    std::optional<absl::StatusOr<int>> end_;
};

}  // namespace homeslice::api
