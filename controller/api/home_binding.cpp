#include "controller/api/home_binding.h"

namespace homeslice::controller {

bool toHomeBinding(const Controller& controller, const NodeEndpoint& agent, bool in_charge, const v1::Binding& binding,
                   v1::HomeBinding& out) {
    const auto home = Ipv6Address::fromBytes(binding.home_address());
    const auto care_of = Ipv6Address::fromBytes(binding.care_of_address());
    if (!home.ok() || !care_of.ok()) return false;
    const BindingOwner owner = controller.describeBinding(*home, binding.binding_id(), *care_of);
    out.set_home_address(binding.home_address());
    out.set_care_of_address(binding.care_of_address());
    out.set_binding_id(binding.binding_id());
    out.set_sequence(binding.sequence());
    out.set_generation(binding.generation());
    out.set_lifetime_s(binding.lifetime_s());
    out.set_remaining_s(binding.remaining_s());
    out.set_registered_us(binding.registered_us());
    out.set_forwarded_packets(binding.forwarded_packets());
    out.set_forwarded_bytes(binding.forwarded_bytes());
    out.set_round_trip_us(binding.round_trip_us());
    out.set_slice(owner.slice);
    out.set_sliver_index(owner.sliver_index);
    out.set_node(owner.node);
    out.set_priority(binding.terms().priority());
    out.set_weight(binding.terms().weight());
    out.set_draining(binding.terms().draining());
    out.set_home_agent(agent.name);
    out.set_in_charge(in_charge);
    return true;
}

}  // namespace homeslice::controller
