// The part of the desired picture that the data plane needs.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/ipv6.h"
#include "noded/mobility/access_gateway.h"

namespace homeslice::api {

struct NetworkPicture {
    Ipv6Prefix home_prefix;
    std::vector<mobility::HomeAgentAddress> home_agents;
    std::vector<Ipv6Address> peers;                 // care-of addresses of all nodes
    std::map<std::string, std::string> enrolments;  // by node name, that its certificate has to carry
    std::set<std::string> home_agent_names;         // nodes that may be one

    // On a home agent, see grant_check.h.
    std::string grant_key;
    std::map<std::string, std::string> node_grant_keys;  // by node name

    bool operator==(const NetworkPicture&) const = default;
};

}  // namespace homeslice::api
