// For tests of the API: a controller's and two nodes' credentials, and a peer table that knows the nodes; the first may
// be a home agent.
#pragma once

#include <memory>
#include <string>

#include "noded/api/channel.h"
#include "noded/api/grant_check.h"
#include "noded/api/peer_table.h"
#include "pki/grant.h"
#include "pki/test_authority.h"

namespace homeslice::api {

class TestPki {
public:
    TestPki() {
        peers.set({{"node1", node1->identity().enrolment}, {"node2", node2->identity().enrolment}}, {"node1"});
        grants.setKeys(kGrantKey, {});
    }

    // The controller's word that `node` has the address under this generation.
    static std::string grantOf(const std::string& node, const mobility::BindingKey& key, uint64_t generation) {
        return pki::grantOf(kGrantKey, {node, key.home_address, key.binding_id, generation});
    }

    std::shared_ptr<tls::Credentials> open(pki::Kind kind, const std::string& name) const {
        return tls::Credentials::open(authority_.credentialsOf(kind, name)).value();
    }
    // Of the same enrolment as `known`'s, good for so long; not at all when that is negative.
    std::shared_ptr<tls::Credentials> shortLived(const tls::Credentials& known, std::chrono::seconds lifetime) const {
        const std::string path = known.directory() + "-for-" + std::to_string(lifetime.count());
        authority_.write(path, known.identity(), lifetime);
        return tls::Credentials::open(path).value();
    }
    // To node1 or another node that the test serves as, or to the controller.
    std::shared_ptr<grpc::Channel> channelTo(const std::string& target, const tls::Credentials& as,
                                             const std::string& server_name = pki::kAnyNodeName) const {
        return makeChannel(as, target, server_name, std::chrono::milliseconds(50));
    }

private:
    const pki::testing_support::TestAuthority authority_;

public:
    const std::shared_ptr<tls::Credentials> controller = open(pki::Kind::controller, "controller");
    const std::shared_ptr<tls::Credentials> node1 = open(pki::Kind::node, "node1");
    const std::shared_ptr<tls::Credentials> node2 = open(pki::Kind::node, "node2");
    PeerTable peers;
    GrantCheck grants;

    static constexpr const char* kGrantKey = "what the controller and home agents share";
};

}  // namespace homeslice::api
