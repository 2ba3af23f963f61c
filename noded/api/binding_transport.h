// mobility::BindingTransport over gRPC: one Update and one Watch stream to a home agent, each kept going by a thread
// that connects again with back-off (50 ms to 2 s). Callbacks come from gRPC's threads and these; a transport's
// destructor waits for them, so it must not be called from one.
#pragma once

#include "noded/mobility/access_gateway.h"
#include "pki/tls/credentials.h"

namespace homeslice::api {

mobility::TransportFactory bindingTransports(std::shared_ptr<tls::Credentials> credentials);

}  // namespace homeslice::api
