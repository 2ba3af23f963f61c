// mobility::KeepaliveClient::SetKey over gRPC (BindingService.SetKeepaliveKey): blocking, two seconds at most.
#pragma once

#include <memory>

#include "noded/mobility/keepalive_client.h"
#include "pki/tls/credentials.h"

namespace homeslice::api {

mobility::KeepaliveClient::SetKey keepaliveKeys(std::shared_ptr<tls::Credentials> credentials,
                                                const Ipv6Address& care_of_address);

}  // namespace homeslice::api
