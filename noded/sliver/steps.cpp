#include "noded/sliver/steps.h"

#include <algorithm>

#include "base/log.h"
#include "base/status.h"

namespace homeslice::sliver {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kGrace{10};
constexpr seconds kGraceOfInit{2};  // in which sliver-init does what it was asked to
constexpr seconds kKillTimeout{10};
constexpr milliseconds kLookAgain{20};
constexpr seconds kFirstRetry{1};
constexpr seconds kLastRetry{30};
constexpr seconds kRanWell{60};  // a sliver that ran this long begins with a clean sheet

milliseconds delayAfter(uint32_t failures) {
    const uint32_t doublings = std::min(failures > 0 ? failures - 1 : 0, 5U);
    return std::min<milliseconds>(kFirstRetry * (1U << doublings), kLastRetry);
}

// A step that came to nothing because the picture changed under it; no failure.
constexpr const char* kMeanwhile = "homeslice/meanwhile";

absl::Status changedMeanwhile(const SliverId& id) {
    absl::Status status = aborted("sliver " + id.toString() + " is desired otherwise by now");
    status.SetPayload(kMeanwhile, absl::Cord("1"));
    return status;
}

bool isChangedMeanwhile(const absl::Status& status) { return status.GetPayload(kMeanwhile).has_value(); }

bool waits(Step step) { return step != Step::request_stop && step != Step::await_end && step != Step::update; }

void noteFailure(Sliver& sliver) {
    ++sliver.failures;
    sliver.retry_at = Monotonic::now() + delayAfter(sliver.failures);
}

milliseconds untilThen(Monotonic::time_point then) {
    return std::max(std::chrono::ceil<milliseconds>(then - Monotonic::now()), milliseconds(0));
}

}  // namespace

std::optional<milliseconds> Steps::reconcile(const SliverId& id) {
    for (;;) {
        const Next now = next(id);
        if (now.step == Step::none) return std::nullopt;
        if (now.not_before > Monotonic::now()) return untilThen(now.not_before);
        const absl::Status status = perform(id, now.step);
        if (status.ok()) continue;
        if (isChangedMeanwhile(status)) return kLookAgain;
        return backOff(id, now.step, status);
    }
}

Steps::Next Steps::next(const SliverId& id) {
    Next next;
    const bool picture_known = slivers_.desiredRevision().has_value();
    slivers_.with(id, [&](const Sliver& sliver) {
        const SliverSpec& wanted = sliver.desired ? *sliver.desired : sliver.record.spec;
        next.step = decide({.record = sliver.record,
                            .desired = sliver.desired ? &*sliver.desired : nullptr,
                            .picture_known = picture_known,
                            .alive = sliver.pidfd.valid(),
                            .unclean = sliver.unclean,
                            .image_ready = dependencies_.images.has(wanted.base.image_digest)});
        if (sliver.exports > 0) next.step = Step::none;  // the end of the export asks for another look
        if (waits(next.step)) next.not_before = sliver.retry_at;
        if (next.step == Step::await_end) next.not_before = sliver.stop_deadline;
    });
    return next;
}

absl::Status Steps::perform(const SliverId& id, Step step) {
    switch (step) {
        case Step::none:
            return absl::OkStatus();
        case Step::settle:
            return settle(id);
        case Step::clean_up:
            return cleanUp(id);
        case Step::request_stop:
            return requestStop(id);
        case Step::await_end:
            return forceEnd(id);
        case Step::finish_stop:
            return finishStop(id);
        case Step::start:
            return start(id);
        case Step::prepare_image:
            return prepareImage(id);
        case Step::mark_stopped:
            return markStopped(id);
        case Step::update:
            return update(id);
        case Step::remove:
            return remove(id);
    }
    return absl::OkStatus();
}

milliseconds Steps::backOff(const SliverId& id, Step step, const absl::Status& status) {
    logWarning("sliver {}: {}", id.toString(), messageOf(status));
    milliseconds delay{0};
    const absl::Status noted = slivers_.commit(id, [&](Sliver& sliver) {
        noteFailure(sliver);
        delay = delayAfter(sliver.failures);
        sliver.record.reason = messageOf(status);
        if (step == Step::start || step == Step::prepare_image) sliver.record.state = State::failed;
        return absl::OkStatus();
    });
    if (!noted.ok()) logError("sliver {}: {}", id.toString(), messageOf(noted));
    return std::max(delay, delayAfter(1));
}

absl::StatusOr<Record> Steps::recordOf(const SliverId& id) {
    absl::StatusOr<Record> record = changedMeanwhile(id);
    slivers_.with(id, [&](const Sliver& sliver) { record = sliver.record; });
    return record;
}

absl::StatusOr<SliverSpec> Steps::begin(const SliverId& id, State state) {
    SliverSpec spec;
    HS_RETURN_IF_ERROR(slivers_.commit(id, [&](Sliver& sliver) {
        if (!sliver.desired || sliver.exports > 0) return changedMeanwhile(id);
        sliver.record.spec = spec = *sliver.desired;
        sliver.record.state = state;
        sliver.record.reason.clear();
        sliver.record.exit_status = 0;
        return absl::OkStatus();
    }));
    return spec;
}

absl::Status Steps::start(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const SliverSpec spec, begin(id, State::preparing));
    HS_ASSIGN_OR_RETURN_CTX(const image::Image image,
                            dependencies_.images.ensure(spec.base.image_digest, dependencies_.fetch_image),
                            "image " + spec.base.image);
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    if (needsDisk(record, spec)) HS_RETURN_IF_ERROR(importDisk(spec));
    HS_RETURN_IF_ERROR(launch(spec, image));
    bind(spec);
    return absl::OkStatus();
}

absl::Status Steps::importDisk(const SliverSpec& spec) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(spec.id));
    isolation::SliverRuntime runtime = record.runtime;
    const auto persist = [&] {
        return slivers_.commit(spec.id, [&](Sliver& sliver) {
            sliver.record.runtime = runtime;
            return absl::OkStatus();
        });
    };
    HS_RETURN_IF_ERROR(host_.importDisk(
        spec, runtime, persist, [&](int fd) { return dependencies_.fetch_disk(spec.id, *spec.disk_source, fd); }));
    HS_RETURN_IF_ERROR(slivers_.commit(spec.id, [&](Sliver& sliver) {
        sliver.record.disk_generation = spec.generation;
        return absl::OkStatus();
    }));
    // The other node's disk may be removed as soon as this one runs.
    return dependencies_.store.sync();
}

absl::Status Steps::launch(const SliverSpec& spec, const image::Image& image) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(spec.id));
    isolation::SliverRuntime runtime = record.runtime;
    absl::StatusOr<Started> started = host_.start(spec, runtime, image, [&] {
        return slivers_.commit(spec.id, [&](Sliver& sliver) {
            sliver.record.runtime = runtime;
            sliver.record.state = State::starting;
            sliver.record.disk_generation = spec.generation;
            return absl::OkStatus();
        });
    });
    if (!started.ok()) {
        slivers_.with(spec.id, [&](Sliver& sliver) { sliver.record.runtime = runtime; });
        return started.status();
    }
    absl::Status settled = slivers_.commit(spec.id, [&](Sliver& sliver) {
        sliver.record.state = State::running;
        sliver.record.process = started->process;
        sliver.record.running_since_us = toUnixMicros(Utc::now());
        return absl::OkStatus();
    });
    if (settled.ok()) settled = supervise(spec.id, std::move(started->pidfd));
    if (settled.ok()) return settled;
    // What noded could not find again after its death must not run.
    settled.Update(host_.cleanup(spec, runtime));
    slivers_.with(spec.id, [](Sliver& sliver) { sliver.pidfd.reset(); });
    return settled;
}

absl::Status Steps::supervise(const SliverId& id, UniqueFd pidfd) {
    // In this order: the end may be told at once.
    const int raw = pidfd.get();
    slivers_.with(id, [&](Sliver& sliver) { sliver.pidfd = std::move(pidfd); });
    return supervisor_.watch(id, raw);
}

absl::Status Steps::prepareImage(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const SliverSpec spec, begin(id, State::preparing));
    HS_RETURN_IF_ERROR_CTX(dependencies_.images.ensure(spec.base.image_digest, dependencies_.fetch_image).status(),
                           "image " + spec.base.image);
    if (dependencies_.changed) dependencies_.changed();
    return absl::OkStatus();
}

absl::Status Steps::markStopped(const SliverId& id) { return begin(id, State::stopped).status(); }

absl::Status Steps::cleanup(const SliverId& id, const Record& record) {
    isolation::SliverRuntime runtime = record.runtime;
    HS_RETURN_IF_ERROR(host_.cleanup(record.spec, runtime));
    slivers_.with(id, [&](Sliver& sliver) { sliver.record.runtime = runtime; });
    return absl::OkStatus();
}

absl::Status Steps::settle(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    unbind(record.spec);
    const Verdict verdict = judge(host_.ending(record.runtime, record.process), record.spec.base.resources);
    // Told before the clean-up, which takes the kernel some milliseconds and concerns nobody else.
    return slivers_.commit(id, [&](Sliver& sliver) {
        sliver.unclean = true;
        if (Monotonic::now() - sliver.state_since > kRanWell) sliver.failures = 0;
        if (verdict.state == State::failed) noteFailure(sliver);
        sliver.record.state = verdict.state;
        sliver.record.exit_status = verdict.exit_status;
        sliver.record.reason = verdict.reason;
        sliver.record.running_since_us = 0;
        sliver.record.process = {};
        return absl::OkStatus();
    });
}

absl::Status Steps::cleanUp(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    HS_RETURN_IF_ERROR(cleanup(id, record));
    slivers_.with(id, [](Sliver& sliver) { sliver.unclean = false; });
    return absl::OkStatus();
}

absl::Status Steps::requestStop(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    unbind(record.spec);
    HS_RETURN_IF_ERROR(slivers_.commit(id, [](Sliver& sliver) {
        sliver.record.state = State::stopping;
        sliver.record.reason.clear();
        sliver.stop_deadline = Monotonic::now() + kGrace + kGraceOfInit;
        return absl::OkStatus();
    }));
    if (const absl::Status asked = host_.requestStop(record.runtime, kGrace); !asked.ok()) {
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

absl::Status Steps::finishStop(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    HS_RETURN_IF_ERROR(cleanup(id, record));
    return slivers_.commit(id, [](Sliver& sliver) {
        sliver.record.state = State::stopped;
        sliver.record.reason.clear();
        sliver.record.running_since_us = 0;
        sliver.record.process = {};
        sliver.failures = 0;
        if (sliver.desired && sliver.desired->run == DesiredRun::stopped) sliver.record.spec = *sliver.desired;
        return absl::OkStatus();
    });
}

absl::Status Steps::update(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    std::optional<SliverSpec> spec;
    slivers_.with(id, [&](const Sliver& sliver) { spec = sliver.desired; });
    if (!spec) return changedMeanwhile(id);
    isolation::SliverRuntime runtime = record.runtime;
    if (spec->base.exposed != record.spec.base.exposed) HS_RETURN_IF_ERROR(host_.recover(*spec, runtime));
    HS_RETURN_IF_ERROR(slivers_.commit(id, [&](Sliver& sliver) {
        sliver.record.spec = *spec;
        sliver.record.disk_generation = spec->generation;
        return absl::OkStatus();
    }));
    bind(*spec);
    return absl::OkStatus();
}

absl::Status Steps::remove(const SliverId& id) {
    HS_RETURN_IF_ERROR(slivers_.commit(id, [&](Sliver& sliver) {
        if (sliver.exports > 0) return changedMeanwhile(id);
        sliver.record.state = State::deleting;
        return absl::OkStatus();
    }));
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    isolation::SliverRuntime runtime = record.runtime;
    unbind(record.spec);
    HS_RETURN_IF_ERROR(host_.cleanup(record.spec, runtime));
    HS_RETURN_IF_ERROR(host_.destroy(record.spec, runtime));
    return slivers_.forget(id);
}

void Steps::bind(const SliverSpec& spec) {
    dependencies_.gateway.bind({.home_address = spec.home_address, .binding_id = 0}, spec.generation);
    dependencies_.gateway.bind({.home_address = spec.slice_address, .binding_id = static_cast<uint16_t>(spec.id.index)},
                               spec.generation);
}

void Steps::unbind(const SliverSpec& spec) {
    dependencies_.gateway.unbind({.home_address = spec.home_address, .binding_id = 0});
    dependencies_.gateway.unbind(
        {.home_address = spec.slice_address, .binding_id = static_cast<uint16_t>(spec.id.index)});
}

}  // namespace homeslice::sliver
