#include "noded/api/keepalive_keys.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>

#include "homeslice/v1/binding.grpc.pb.h"
#include "noded/api/channel.h"
#include "noded/api/grpc_status.h"

namespace homeslice::api {
namespace {

constexpr std::chrono::milliseconds kFirstRetry{100};
constexpr std::chrono::seconds kPatience{2};

}  // namespace

mobility::KeepaliveClient::SetKey keepaliveKeys(std::shared_ptr<tls::Credentials> credentials,
                                                const Ipv6Address& care_of_address) {
    return [credentials = std::move(credentials), care_of_address](const mobility::HomeAgentAddress& home_agent,
                                                                   const std::string& key) {
        v1::BindingService::Stub stub(makeChannel(*credentials, targetOf(home_agent.address, home_agent.api_port),
                                                  pki::kAnyNodeName, kFirstRetry));
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + kPatience);
        context.set_wait_for_ready(true);
        v1::KeepaliveKey request;
        request.set_care_of_address(care_of_address.toBytes());
        request.set_key(key);
        v1::KeepaliveKeySet response;
        return fromGrpc(stub.SetKeepaliveKey(&context, request, &response));
    };
}

}  // namespace homeslice::api
