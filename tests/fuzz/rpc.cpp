#include "rpc.h"

#include <google/protobuf/stubs/logging.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <functional>
#include <future>
#include <utility>

namespace homeslice::fuzz {
namespace {

using google::protobuf::MethodDescriptor;

constexpr std::chrono::seconds kAnswerWithin{10};
constexpr std::chrono::milliseconds kStreamFor{20};
constexpr int kMostAnswers = 64;

struct Target {
    const MethodDescriptor* method;
    std::shared_ptr<grpc::Channel> channel;
    std::string name;
};

std::string pathOf(const MethodDescriptor& method) { return method.service()->full_name() + "/" + method.name(); }

std::vector<Target> targetsOf(const std::vector<Callee>& callees) {
    std::vector<Target> targets;
    for (const Callee& callee : callees) {
        for (int i = 0; i < callee.service->method_count(); ++i) {
            const MethodDescriptor* const method = callee.service->method(i);
            targets.push_back({method, callee.channel, callee.as + pathOf(*method)});
        }
    }
    return targets;
}

const Target& choose(const std::vector<Target>& targets, const std::string& name) {
    for (const Target& target : targets) {
        if (target.name == name) return target;
    }
    return targets[std::hash<std::string>()(name) % targets.size()];
}

bool isStream(const MethodDescriptor& method) { return method.client_streaming() || method.server_streaming(); }

// On the wire every call is a stream.
class Call : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
public:
    Call(const Target& target, const std::vector<std::string>& messages) : stub_(target.channel) {
        const auto within = isStream(*target.method) ? std::chrono::milliseconds(kStreamFor) : kAnswerWithin;
        context_.set_deadline(std::chrono::system_clock::now() + within);
        for (const std::string& message : messages) {
            const grpc::Slice slice(message);
            requests_.emplace_back(&slice, 1);
        }
        stub_.PrepareBidiStreamingCall(&context_, "/" + pathOf(*target.method), grpc::StubOptions(), this);
        AddHold();
        StartCall();
        StartRead(&answer_);
        writeNext();
    }
    grpc::Status end() { return ended_.get_future().get(); }

    void OnWriteDone(bool ok) override {
        if (ok) return writeNext();
        endWriting();
    }
    void OnReadDone(bool ok) override {
        if (!ok) return;
        if (++answers_ >= kMostAnswers) context_.TryCancel();
        StartRead(&answer_);
    }
    void OnDone(const grpc::Status& status) override { ended_.set_value(status); }

private:
    void writeNext() {
        if (written_ < requests_.size()) return StartWrite(&requests_[written_++]);
        StartWritesDone();
        endWriting();
    }
    void endWriting() {
        if (!std::exchange(writing_over_, true)) RemoveHold();
    }

    grpc::GenericStub stub_;
    grpc::ClientContext context_;
    std::vector<grpc::ByteBuffer> requests_;
    size_t written_ = 0;
    bool writing_over_ = false;
    grpc::ByteBuffer answer_;
    int answers_ = 0;
    std::promise<grpc::Status> ended_;
};

}  // namespace

const google::protobuf::ServiceDescriptor* serviceNamed(const std::string& full_name) {
    const auto* const service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(full_name);
    require(service != nullptr, "the service is linked");
    return service;
}

void callAny(const std::vector<Callee>& callees, const uint8_t* data, size_t size) {
    [[maybe_unused]] static const auto kEarlier = google::protobuf::SetLogHandler(nullptr);
    Input input(data, size);
    const auto name = input.piece();
    if (!name) return;
    const std::vector<Target> targets = targetsOf(callees);
    const Target& target = choose(targets, *name);
    std::vector<std::string> messages;
    while (auto piece = input.piece()) messages.push_back(*std::move(piece));
    if (!target.method->client_streaming()) messages.resize(1);
    const grpc::Status end = Call(target, messages).end();
    const bool timed_out = end.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    if (timed_out && !isStream(*target.method)) std::fprintf(stderr, "%s\n", pathOf(*target.method).c_str());
    require(!timed_out || isStream(*target.method), "a unary call is answered");
    const bool gone = end.error_code() == grpc::StatusCode::UNAVAILABLE &&
                      target.channel->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE;
    require(!gone, "the server stays");
}

}  // namespace homeslice::fuzz
