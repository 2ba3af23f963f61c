// gRPC channels as all of noded's clients use them.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/ipv6.h"
#include "leader/controllers.h"
#include "pki/tls/credentials.h"

namespace homeslice::api {

// "ipv6:[fd00::1]:7401", "ipv4:192.0.2.1:7401"
std::string targetOf(const Ipv6Address& address, uint16_t port);

// The address in what gRPC says of a connection's other end, "ipv6:%5Bfe80::1%25eth0%5D:7400" or
// "ipv4:192.0.2.1:7400"; INVALID_ARGUMENT for other kinds of peers.
absl::StatusOr<Ipv6Address> addressOfPeer(const std::string& peer);

// Connects when first used, and again with back-off from `first_retry` to 2 s; speaks only to a peer whose certificate
// has `server_name` (pki/identity.h). One that stops answering is noticed within 5 s. Never through a proxy.
std::shared_ptr<grpc::Channel> makeChannel(const tls::Credentials& credentials, const std::string& target,
                                           const std::string& server_name, std::chrono::milliseconds first_retry);

// The controllers of `list`, HOST:PORT with commas between, of which one leads.
std::shared_ptr<leader::Controllers> controllersOf(const std::string& list,
                                                   std::shared_ptr<tls::Credentials> credentials);

}  // namespace homeslice::api
