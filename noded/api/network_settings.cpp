#include "noded/api/network_settings.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "base/status.h"
#include "noded/api/convert.h"
#include "pki/grant.h"

namespace homeslice::api {
namespace {

const std::string kTable = "network";
const std::string kKey = "picture";

// Stored as the message that it came in: what reads it back is then what checks messages.
absl::StatusOr<std::string> toJson(const NetworkPicture& picture) {
    v1::DesiredState message;
    message.set_home_prefix(picture.home_prefix.toString());
    for (const mobility::HomeAgentAddress& home_agent : picture.home_agents) {
        v1::HomeAgent& entry = *message.add_home_agents();
        entry.set_address(home_agent.address.toBytes());
        entry.set_api_port(home_agent.api_port);
    }
    for (const Ipv6Address& peer : picture.peers) message.add_node_addresses(peer.toBytes());
    for (const auto& [name, enrolment] : picture.enrolments) {
        v1::EnrolledNode& entry = *message.add_nodes();
        entry.set_name(name);
        entry.set_enrolment(enrolment);
        entry.set_home_agent(picture.home_agent_names.contains(name));
    }
    message.set_grant_key(picture.grant_key);
    for (const auto& [node, key] : picture.node_grant_keys) {
        v1::NodeGrantKey& own = *message.add_node_grant_keys();
        own.set_node(node);
        own.set_key(key);
    }
    std::string json;
    const auto status = google::protobuf::util::MessageToJsonString(message, &json);
    if (!status.ok()) return internalError("network picture: " + status.ToString());
    return json;
}

absl::StatusOr<NetworkPicture> parsePicture(const std::string& json) {
    v1::DesiredState message;
    const auto status = google::protobuf::util::JsonStringToMessage(json, &message);
    if (!status.ok()) return dataLoss("stored network picture: " + status.ToString());
    HS_ASSIGN_OR_RETURN_CTX(NetworkPicture picture, networkPictureOf(message), "stored network picture");
    return picture;
}

std::vector<Ipv6Address> addressesOf(const std::vector<mobility::HomeAgentAddress>& home_agents) {
    std::vector<Ipv6Address> result;
    for (const mobility::HomeAgentAddress& home_agent : home_agents) result.push_back(home_agent.address);
    return result;
}

}  // namespace

absl::Status NetworkSettings::restore() {
    HS_ASSIGN_OR_RETURN(const auto records, parts_.store.list(kTable));
    const auto found = records.find(kKey);
    if (found == records.end()) return absl::OkStatus();
    HS_ASSIGN_OR_RETURN(const NetworkPicture picture, parsePicture(found->second));
    const std::lock_guard lock(mutex_);
    picture_ = picture;
    applied_ = false;
    return settleLocked();
}

absl::Status NetworkSettings::set(const NetworkPicture& picture) {
    const std::lock_guard lock(mutex_);
    if (picture_ != picture) {
        picture_ = picture;
        applied_ = saved_ = false;
    }
    return settleLocked();
}

absl::Status NetworkSettings::guardController(const Ipv6Address& address) {
    const std::lock_guard lock(mutex_);
    if (guarded_ == address) return absl::OkStatus();
    HS_RETURN_IF_ERROR_CTX(parts_.forwarder.guard(address), "network");
    guarded_ = address;
    return absl::OkStatus();
}

absl::Status NetworkSettings::settle() {
    const std::lock_guard lock(mutex_);
    return settleLocked();
}

absl::Status NetworkSettings::settleLocked() {
    if (!applied_) HS_RETURN_IF_ERROR_CTX(apply(), "network");
    applied_ = true;
    if (!saved_) HS_RETURN_IF_ERROR_CTX(save(), "network");
    saved_ = true;
    return absl::OkStatus();
}

absl::Status NetworkSettings::apply() {
    const NetworkPicture& picture = *picture_;
    parts_.peers.set(picture.enrolments, picture.home_agent_names);
    // First who may send, then what is sent.
    HS_RETURN_IF_ERROR(parts_.forwarder.setTrustedPeers(picture.peers));
    if (const auto home_agent = homeAgentForForwarder()) {
        HS_RETURN_IF_ERROR(parts_.forwarder.setHomePrefix(picture.home_prefix, *home_agent));
    }
    if (parts_.home_agent != nullptr) {
        parts_.home_agent->setHomePrefix(picture.home_prefix);
        parts_.grants.setKeys(picture.grant_key, picture.node_grant_keys);
        if (parts_.duty != nullptr) {
            parts_.duty->setMembers(picture.home_prefix, addressesOf(picture.home_agents),
                                    pki::advertisementKeyOf(picture.grant_key));
        }
        if (parts_.followed_flows != nullptr) parts_.followed_flows->setHomeAgents(picture.home_agents);
    } else {
        if (parts_.keepalives != nullptr) parts_.keepalives->setHomeAgents(picture.home_agents);
        parts_.gateway.setHomeAgents(picture.home_agents);
    }
    return absl::OkStatus();
}

// Unset on the home agent itself; none while no home agent is known. Of several the gateway knows best.
std::optional<Ipv6Address> NetworkSettings::homeAgentForForwarder() const {
    if (parts_.home_agent != nullptr) return Ipv6Address();
    if (picture_->home_agents.empty()) return std::nullopt;
    const std::vector<Ipv6Address> known = addressesOf(picture_->home_agents);
    const std::optional<Ipv6Address> chosen = parts_.gateway.homeAgent();
    return chosen && std::find(known.begin(), known.end(), *chosen) != known.end() ? *chosen : known.front();
}

absl::Status NetworkSettings::save() {
    HS_ASSIGN_OR_RETURN(const std::string json, toJson(*picture_));
    return parts_.store.put(kTable, kKey, json);
}

}  // namespace homeslice::api
