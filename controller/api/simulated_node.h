// For tests of the API: a node that speaks real gRPC to the controller and serves NodeService and BindingService, over
// slivers that exist as rows only. Whatever its picture asks for is true at once.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/ipv6.h"
#include "homeslice/v1/binding.grpc.pb.h"
#include "homeslice/v1/node.grpc.pb.h"
#include "pki/tls/credentials.h"
#include "spec/wire/merge.h"

namespace homeslice::controller::testing_support {

// Echoes input to stdout, a first "err" to stderr, and ends with 128 + the signal's number or 7.
class EchoNodeService : public v1::NodeService::Service {
public:
    grpc::Status Exec(grpc::ServerContext* context,
                      grpc::ServerReaderWriter<v1::ExecResponse, v1::ExecRequest>* stream) override {
        v1::ExecRequest request;
        if (!stream->Read(&request) || !request.has_start()) return {grpc::StatusCode::INVALID_ARGUMENT, "no start"};
        const std::string command = request.start().argv(0);
        if (command == "refuse") return {grpc::StatusCode::FAILED_PRECONDITION, "it does not run"};
        v1::ExecResponse response;
        response.set_stderr_data("err");
        stream->Write(response);
        uint32_t exit_status = 7;
        while (stream->Read(&request)) {
            if (request.has_signal()) exit_status = 128 + request.signal();
            if (request.has_signal() || request.has_stdin_closed()) break;
            response.set_stdout_data(request.stdin_data());
            if (!stream->Write(response)) break;
        }
        // A cancelled client is seen as the end of its input first. This command does not mind that, and talks until it
        // is cut off.
        if (command == "yes" && !request.has_signal()) {
            while (stream->Write(response)) continue;
            const std::lock_guard lock(mutex_);
            cancelled_ = context->IsCancelled();
            changed_.notify_all();
            return grpc::Status::CANCELLED;
        }
        response.set_exit_status(exit_status);
        stream->Write(response);
        return grpc::Status::OK;
    }
    grpc::Status Logs(grpc::ServerContext* /*context*/, const v1::LogsRequest* request,
                      grpc::ServerWriter<v1::Chunk>* writer) override {
        v1::Chunk chunk;
        for (int i = 0; i < 100; ++i) {
            chunk.set_data(request->sliver().slice() + " line " + std::to_string(i) + "\n");
            writer->Write(chunk);
        }
        return grpc::Status::OK;
    }
    grpc::Status Inspect(grpc::ServerContext* /*context*/, const v1::InspectRequest* /*request*/,
                         v1::InspectResponse* response) override {
        response->set_json("{}");
        return grpc::Status::OK;
    }
    bool waitUntilCancelled() {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [this] { return cancelled_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool cancelled_ = false;
};

// One binding, then the end of the snapshot, then silence until cancelled.
class OneBindingService : public v1::BindingService::Service {
public:
    grpc::Status Watch(grpc::ServerContext* context, const v1::WatchBindingsRequest* /*request*/,
                       grpc::ServerWriter<v1::BindingEvent>* writer) override {
        v1::BindingEvent event;
        event.mutable_bound()->set_home_address(Ipv6Address::parse("fd51:1ce:0:1::1:1").value().toBytes());
        event.mutable_bound()->set_care_of_address(Ipv6Address::parse("::1").value().toBytes());
        event.mutable_bound()->set_generation(3);
        writer->Write(event);
        event.set_snapshot_end(true);
        writer->Write(event);
        while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return grpc::Status::CANCELLED;
    }
};

class SimulatedNode {
public:
    // Connects at once; obeys pictures on a thread of its own until destroyed.
    // `controller`: where it serves TLS; `name`: what it calls itself, whatever its credentials say.
    SimulatedNode(const std::string& controller, std::shared_ptr<tls::Credentials> credentials, const std::string& name,
                  bool home_agent, uint32_t cpus = 0)
        : credentials_(std::move(credentials)),
          stub_(v1::NodeLink::NewStub(credentials_->channel(controller, pki::kControllerName, keepalive()))) {
        grpc::ServerBuilder builder;
        builder.AddListeningPort("[::1]:0", credentials_->forServer(tls::ClientCertificate::required), &port_);
        builder.RegisterService(&service);
        builder.RegisterService(&bindings_);
        server_ = builder.BuildAndStart();
        stream_ = stub_->Connect(&context_);
        v1::NodeMessage message;
        v1::NodeHello& hello = *message.mutable_hello();
        hello.set_name(name);
        hello.set_care_of_address(Ipv6Address::parse("::1").value().toBytes());
        hello.set_api_port(static_cast<uint32_t>(port_));
        hello.set_home_agent(home_agent);
        hello.set_cpus(cpus);
        hello.set_boot_id("boot");
        stream_->Write(message);
        reader_ = std::thread([this] { obey(); });
    }
    ~SimulatedNode() {
        context_.TryCancel();
        reader_.join();
        server_->Shutdown(std::chrono::system_clock::now());
    }
    SimulatedNode(const SimulatedNode&) = delete;
    SimulatedNode& operator=(const SimulatedNode&) = delete;

    v1::DesiredState lastPicture() {
        const std::lock_guard lock(mutex_);
        return picture_;
    }
    // How the stream ended; waits for it.
    grpc::Status end() {
        std::unique_lock lock(mutex_);
        ended_changed_.wait_for(lock, std::chrono::seconds(20), [this] { return ended_; });
        return end_;
    }

    bool ended() {
        const std::lock_guard lock(mutex_);
        return ended_;
    }

    EchoNodeService service;

private:
    // As noded: a controller that was cut off is noticed.
    static grpc::ChannelArguments keepalive() {
        grpc::ChannelArguments arguments;
        // A node that is made anew does not wait because an earlier one's connection failed.
        arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
        arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 1000);
        arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 1000);
        return arguments;
    }
    static v1::SliverStatus obeyed(const v1::DesiredSliver& desired) {
        v1::SliverStatus status;
        *status.mutable_sliver() = desired.sliver();
        status.set_generation(desired.generation());
        status.set_image_ready(true);
        status.set_state(desired.run() == v1::DESIRED_RUN_RUNNING    ? v1::SLIVER_STATE_RUNNING
                         : desired.run() == v1::DESIRED_RUN_FROZEN   ? v1::SLIVER_STATE_FROZEN
                         : desired.run() == v1::DESIRED_RUN_PREPARED ? v1::SLIVER_STATE_PREPARING
                                                                     : v1::SLIVER_STATE_STOPPED);
        status.set_health(v1::HEALTH_HEALTHY);
        return status;
    }
    void obey() {
        v1::ControllerMessage message;
        while (stream_->Read(&message)) {
            if (!message.has_desired()) continue;
            v1::NodeMessage answer;
            v1::NodeStatus& status = *answer.mutable_status();
            {
                const std::lock_guard lock(mutex_);
                wire::merge(picture_, std::move(*message.mutable_desired()));
                if (!wire::foldNodeLists(picture_).ok()) break;
                status.set_desired_revision(picture_.revision());
                for (const auto& desired : picture_.slivers()) *status.add_slivers() = obeyed(desired);
            }
            stream_->Write(answer);
        }
        const grpc::Status status = stream_->Finish();
        const std::lock_guard lock(mutex_);
        end_ = status;
        ended_ = true;
        ended_changed_.notify_all();
    }

    const std::shared_ptr<tls::Credentials> credentials_;
    OneBindingService bindings_;
    int port_ = 0;
    std::unique_ptr<grpc::Server> server_;
    std::unique_ptr<v1::NodeLink::Stub> stub_;
    grpc::ClientContext context_;
    std::unique_ptr<grpc::ClientReaderWriter<v1::NodeMessage, v1::ControllerMessage>> stream_;
    std::mutex mutex_;
    std::condition_variable ended_changed_;
    v1::DesiredState picture_;
    grpc::Status end_;
    bool ended_ = false;
    std::thread reader_;
};

}  // namespace homeslice::controller::testing_support
