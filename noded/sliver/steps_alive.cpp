// The steps of a sliver that lives: what changes under way, and the way to its end.
#include "base/log.h"
#include "base/status.h"
#include "noded/sliver/meanwhile.h"
#include "noded/sliver/steps.h"

namespace homeslice::sliver {
namespace {

constexpr std::chrono::seconds kGraceOfInit{2};  // in which sliver-init does what it was asked to
constexpr std::chrono::seconds kKillTimeout{10};

// What isolators can change under way.
bool changesInPlace(const SliverSpec& before, const SliverSpec& after) {
    return before.base.resources != after.base.resources || before.base.exposed != after.base.exposed ||
           before.base.balance != after.base.balance || before.weight != after.weight ||
           before.draining != after.draining;
}

}  // namespace

absl::Status Steps::update(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    std::optional<SliverSpec> spec;
    slivers_.with(id, [&](const Sliver& sliver) { spec = sliver.desired; });
    if (!spec) return changedMeanwhile(id);
    isolation::SliverRuntime runtime = record.runtime;
    if (changesInPlace(record.spec, *spec)) {
        HS_RETURN_IF_ERROR_CTX(host_.update(record.spec, *spec, runtime), "not changed");
    }
    HS_RETURN_IF_ERROR(slivers_.commit(id, [&](Sliver& sliver) {
        sliver.record.spec = *spec;
        sliver.record.runtime = runtime;
        sliver.record.disk_generation = spec->generation;
        if (sliver.update_retry.failures > 0) sliver.record.reason.clear();
        sliver.update_retry.reset();
        return absl::OkStatus();
    }));
    takeUp(*spec);
    return absl::OkStatus();
}

// It is called frozen when it is; what is frozen or thawed, but not yet called so when noded dies, recovery puts right.
absl::Status Steps::freeze(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    if (absl::Status frozen = host_.freeze(record.runtime, true); !frozen.ok()) {
        frozen.Update(host_.freeze(record.runtime, false));
        return frozen;
    }
    return slivers_.commit(id, [](Sliver& sliver) {
        sliver.record.state = State::frozen;
        return absl::OkStatus();
    });
}

absl::Status Steps::thaw(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    HS_RETURN_IF_ERROR(host_.freeze(record.runtime, false));
    return slivers_.commit(id, [](Sliver& sliver) {
        sliver.record.state = State::running;
        return absl::OkStatus();
    });
}

absl::Status Steps::requestStop(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    const StopPolicy& policy = record.spec.base.stop;
    leave(record.spec);
    HS_RETURN_IF_ERROR(slivers_.commit(id, [&](Sliver& sliver) {
        sliver.record.state = State::stopping;
        sliver.record.reason.clear();
        sliver.stop_deadline = Monotonic::now() + policy.grace + kGraceOfInit;
        return absl::OkStatus();
    }));
    reached("remember the request to stop");
    absl::Status asked;
    if (record.state == State::frozen) asked = host_.freeze(record.runtime, false);  // else it would hear nothing
    asked.Update(host_.requestStop(record.runtime, policy));
    reached("ask to stop");
    if (!asked.ok()) {
        logWarning("sliver {}: does not take the request to stop ({}); killing it", id.toString(), messageOf(asked));
        slivers_.with(id, [](Sliver& sliver) { sliver.stop_deadline = Monotonic::now(); });
    }
    return absl::OkStatus();
}

absl::Status Steps::forceEnd(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    HS_RETURN_IF_ERROR(host_.kill(record.runtime));
    if (const auto pidfd = host_.find(record.process); pidfd.ok()) {
        HS_ASSIGN_OR_RETURN(const bool ended, sys::waitForEnd(pidfd->get(), kKillTimeout));
        if (!ended) return deadlineExceeded("its first process does not end");
    }
    slivers_.with(id, [](Sliver& sliver) { sliver.pidfd.reset(); });
    return absl::OkStatus();
}

void Steps::takeUp(const SliverSpec& spec) {
    dependencies_.gateway.bind({.home_address = spec.home_address, .binding_id = 0},
                               {spec.generation, spec.home_address_grant});
    health_.watch(spec.id, spec.base.health);
    const std::optional<Record> record = slivers_.record(spec.id);
    shares_.take(spec, record ? record->process.pid : 0);
}

void Steps::leave(const SliverSpec& spec) {
    health_.forget(spec.id);
    dependencies_.gateway.unbind({.home_address = spec.home_address, .binding_id = 0});
    shares_.leave(spec);
}

}  // namespace homeslice::sliver
