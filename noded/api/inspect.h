// The node's debug dump: one JSON object of what noded believes and what the kernel says.
#pragma once

#include <string>

#include "noded/mobility/access_gateway.h"
#include "noded/mobility/forwarder.h"
#include "noded/mobility/home_agent.h"
#include "noded/mobility/home_agent_duty.h"
#include "noded/sliver/manager.h"

namespace homeslice::api {

struct InspectedParts {
    sliver::Manager& manager;
    mobility::Forwarder& forwarder;
    mobility::AccessGateway& gateway;
    mobility::HomeAgent* home_agent;          // null without that role
    mobility::HomeAgentDuty* duty = nullptr;  // the same
};

std::string inspect(const InspectedParts& parts);

}  // namespace homeslice::api
