#include "rpc/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <mutex>
#include <set>
#include <utility>

#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "rpc/status.h"

namespace homeslice::rpc {
namespace {

using google::protobuf::FileDescriptor;

void addWithImports(const FileDescriptor& file, std::set<const FileDescriptor*>& added, std::vector<std::string>& out) {
    if (!added.insert(&file).second) return;
    google::protobuf::FileDescriptorProto proto;
    file.CopyTo(&proto);
    out.push_back(proto.SerializeAsString());
    for (int i = 0; i < file.dependency_count(); ++i) addWithImports(*file.dependency(i), added, out);
}

// What both versions have in common, which is all but their names.
struct Knowledge {
    std::vector<std::string> services;
    Reflection::Admit admit;

    template <typename Request, typename Response>
    void answer(const Request& request, Response& response) const {
        response.Clear();
        response.set_valid_host(request.host());
        *response.mutable_original_request() = request;
        const auto& pool = *google::protobuf::DescriptorPool::generated_pool();
        switch (request.message_request_case()) {
            case Request::kFileByFilename:
                return answerFile(pool.FindFileByName(request.file_by_filename()), response);
            case Request::kFileContainingSymbol:
                return answerFile(pool.FindFileContainingSymbol(request.file_containing_symbol()), response);
            case Request::kListServices:
                for (const std::string& name : services) {
                    response.mutable_list_services_response()->add_service()->set_name(name);
                }
                return;
            default:
                response.mutable_error_response()->set_error_code(grpc::StatusCode::UNIMPLEMENTED);
                response.mutable_error_response()->set_error_message("no such question");
        }
    }

private:
    template <typename Response>
    static void answerFile(const FileDescriptor* file, Response& response) {
        if (file == nullptr) {
            response.mutable_error_response()->set_error_code(grpc::StatusCode::NOT_FOUND);
            response.mutable_error_response()->set_error_message("nothing of that name is known");
            return;
        }
        std::set<const FileDescriptor*> added;
        std::vector<std::string> files;
        addWithImports(*file, added, files);
        for (std::string& each : files) {
            response.mutable_file_descriptor_response()->add_file_descriptor_proto(std::move(each));
        }
    }
};

// One question at a time, as they come.
template <typename Request, typename Response>
class Conversation : public grpc::ServerBidiReactor<Request, Response> {
public:
    Conversation(const Knowledge& knowledge, const absl::Status& admitted) : knowledge_(knowledge) {
        if (admitted.ok())
            this->StartRead(&request_);
        else
            finish(toGrpc(admitted));
    }
    void OnReadDone(bool ok) override {
        if (!ok) return finish(grpc::Status::OK);
        knowledge_.answer(request_, response_);
        const std::lock_guard lock(mutex_);
        if (!finished_) this->StartWrite(&response_);
    }
    void OnWriteDone(bool ok) override {
        if (!ok) return finish(grpc::Status::CANCELLED);
        const std::lock_guard lock(mutex_);
        if (!finished_) this->StartRead(&request_);
    }
    void OnCancel() override { finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }

private:
    void finish(const grpc::Status& status) {
        const std::lock_guard lock(mutex_);
        if (!std::exchange(finished_, true)) this->Finish(status);
    }

    const Knowledge& knowledge_;
    Request request_;
    Response response_;
    std::mutex mutex_;
    bool finished_ = false;
};

template <typename Service, typename Request, typename Response>
class Version : public Service::CallbackService {
public:
    explicit Version(Knowledge knowledge) : knowledge_(std::move(knowledge)) {}
    grpc::ServerBidiReactor<Request, Response>* ServerReflectionInfo(grpc::CallbackServerContext* context) override {
        return new Conversation<Request, Response>(knowledge_, knowledge_.admit(*context));
    }

private:
    const Knowledge knowledge_;
};

namespace v1 = grpc::reflection::v1;
namespace v1alpha = grpc::reflection::v1alpha;
using V1 = Version<v1::ServerReflection, v1::ServerReflectionRequest, v1::ServerReflectionResponse>;
using V1alpha = Version<v1alpha::ServerReflection, v1alpha::ServerReflectionRequest, v1alpha::ServerReflectionResponse>;

}  // namespace

Reflection::Reflection(std::vector<std::string> services, Admit admit) {
    services.insert(services.end(),
                    {v1::ServerReflection::service_full_name(), v1alpha::ServerReflection::service_full_name()});
    const Knowledge knowledge{std::move(services), std::move(admit)};
    versions_.push_back(std::make_unique<V1>(knowledge));
    versions_.push_back(std::make_unique<V1alpha>(knowledge));
}

Reflection::~Reflection() = default;

void Reflection::registerWith(grpc::ServerBuilder& builder) {
    for (const auto& version : versions_) builder.RegisterService(version.get());
}

}  // namespace homeslice::rpc
