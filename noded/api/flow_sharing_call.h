// BindingService.WatchFlows. Internal to binding_service.
#pragma once

#include <grpcpp/grpcpp.h>

#include "homeslice/v1/binding.grpc.pb.h"
#include "noded/api/workers.h"
#include "noded/mobility/flow_news.h"
#include "noded/mobility/forwarder.h"

namespace homeslice::api {

// What `forwarder` remembers, then what `news` tells. All outlive the call. A reader that is too slow misses some.
grpc::ServerWriteReactor<v1::FlowBatch>* tellFlows(mobility::Forwarder& forwarder, mobility::FlowNews& news,
                                                   Workers& workers);

}  // namespace homeslice::api
