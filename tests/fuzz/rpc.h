// Any bytes as the messages of any call, to a server that runs as it does in earnest.
#pragma once

#include <google/protobuf/descriptor.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "target.h"

namespace homeslice::fuzz {

// A service, and whoever calls it.
struct Callee {
    const google::protobuf::ServiceDescriptor* service;
    std::shared_ptr<grpc::Channel> channel;
    std::string as{};  // who that is, where it has to be said: "node "
};

// The first piece of the input names a caller and a method, "homeslice.v1.ControllerService/GetNode"; anything else
// stands for some method. The other pieces are messages. Ends the process when a unary call has no answer within ten
// seconds; streams are cut off after a moment.
void callAny(const std::vector<Callee>& callees, const uint8_t* data, size_t size);

const google::protobuf::ServiceDescriptor* serviceNamed(const std::string& full_name);

}  // namespace homeslice::fuzz
