// What a home agent tells nodes, acknowledgements and events of its binding cache, and other home agents: flows. A byte
// says which.
#include "homeslice/v1/binding.pb.h"
#include "messages.h"
#include "noded/api/binding_convert.h"
#include "target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace homeslice;
    fuzz::Input input(data, size);
    const auto kind = input.byte();
    const Monotonic::time_point now;
    constexpr uint8_t kFlows = 3;
    if (kind == kFlows) {
        const auto message = fuzz::parsed<v1::FlowBatch>(input.rest());
        const auto flows = message ? api::flowsOf(*message) : std::vector<mobility::ChosenFlow>();
        if (!flows.ok()) return 0;
        v1::FlowBatch told;
        for (const mobility::ChosenFlow& flow : *flows) *told.add_flows() = api::toMessage(flow);
        const auto again = api::flowsOf(told);
        fuzz::require(again.ok() && *again == *flows, "the same after a way over the wire");
    } else if (kind && *kind % 2 == 0) {
        const auto message = fuzz::parsed<v1::BindingAcknowledgement>(input.rest());
        if (!message) return 0;
        const auto acknowledgement = api::acknowledgementOf(*message);
        if (!acknowledgement.ok()) return 0;
        const auto again = api::acknowledgementOf(api::toMessage(*acknowledgement));
        fuzz::require(again.ok() && again->status == acknowledgement->status, "the same after a way over the wire");
    } else if (kind) {
        const auto message = fuzz::parsed<v1::BindingEvent>(input.rest());
        if (!message) return 0;
        const auto event = api::bindingEventOf(*message, now);
        if (!event.ok()) return 0;
        const auto again = api::bindingEventOf(api::toMessage(*event, {}, now), now);
        fuzz::require(again.ok() && again->kind == event->kind, "the same after a way over the wire");
    }
    return 0;
}
