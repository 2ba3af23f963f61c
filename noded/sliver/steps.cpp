#include "noded/sliver/steps.h"

#include <algorithm>

#include "base/log.h"
#include "base/status.h"
#include "noded/sliver/meanwhile.h"

namespace homeslice::sliver {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kLookAgain{20};
constexpr seconds kRanWell{60};  // a sliver that ran this long begins with a clean sheet

bool isChangeWhileItLives(Step step) { return step == Step::update || step == Step::freeze || step == Step::thaw; }

// When `step` may be done at the earliest.
Monotonic::time_point dueTime(const Sliver& sliver, Step step) {
    switch (step) {
        case Step::request_stop:
        case Step::freeze:
        case Step::thaw:
            return {};
        case Step::await_end:
            return sliver.stop_deadline;
        case Step::update:
            return sliver.update_retry.at;
        default:
            return sliver.retry.at;
    }
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
                            .image_ready = wanted.run == DesiredRun::prepared &&  // else it need not be looked for
                                           dependencies_.images.has(wanted.base.image_digest)});
        if (sliver.exports > 0) next.step = Step::none;  // the end of the export asks for another look
        next.not_before = dueTime(sliver, next.step);
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
        case Step::freeze:
            return freeze(id);
        case Step::thaw:
            return thaw(id);
        case Step::remove:
            return remove(id);
    }
    return absl::OkStatus();
}

milliseconds Steps::backOff(const SliverId& id, Step step, const absl::Status& status) {
    logWarning("sliver {}: {}", id.toString(), messageOf(status));
    milliseconds delay{0};
    const absl::Status noted = slivers_.commit(id, [&](Sliver& sliver) {
        Retry& retry = isChangeWhileItLives(step) ? sliver.update_retry : sliver.retry;
        retry.fail();
        delay = Retry::delayAfter(retry.failures);
        sliver.record.reason = messageOf(status);
        if (step == Step::start || step == Step::prepare_image) sliver.record.state = State::failed;
        return absl::OkStatus();
    });
    if (!noted.ok()) logError("sliver {}: {}", id.toString(), messageOf(noted));
    return std::max(delay, Retry::delayAfter(1));
}

absl::StatusOr<Record> Steps::recordOf(const SliverId& id) {
    absl::StatusOr<Record> record = changedMeanwhile(id);
    slivers_.with(id, [&](const Sliver& sliver) { record = sliver.record; });
    return record;
}

// A restart is a start after an end that nobody asked for, with nothing else asked for since.
uint32_t Steps::restartsOf(const Sliver& sliver) {
    const Record& record = sliver.record;
    if (record.spec != *sliver.desired || record.state == State::stopped) return 0;
    return record.restarts + (sliver.ended || record.state == State::exited ? 1 : 0);
}

absl::StatusOr<SliverSpec> Steps::begin(const SliverId& id, State state) {
    SliverSpec spec;
    HS_RETURN_IF_ERROR(slivers_.note(id, [&](Sliver& sliver) {
        if (!sliver.desired || sliver.exports > 0) return changedMeanwhile(id);
        sliver.record.restarts = restartsOf(sliver);
        sliver.ended = false;
        sliver.update_retry.reset();
        sliver.record.spec = spec = *sliver.desired;
        sliver.record.state = state;
        sliver.record.reason.clear();
        sliver.record.exit_status = 0;
        return absl::OkStatus();
    }));
    return spec;
}

absl::Status Steps::remember(const SliverId& id) {
    return slivers_.commit(id, [](Sliver&) { return absl::OkStatus(); });
}

absl::Status Steps::start(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const SliverSpec spec, begin(id, State::preparing));
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    const bool needs_disk = needsDisk(record, spec);
    // With all of it here, the record of the start itself comes in a moment, and before anything is done.
    if (needs_disk || !dependencies_.images.has(spec.base.image_digest)) HS_RETURN_IF_ERROR(remember(id));
    HS_ASSIGN_OR_RETURN_CTX(const image::Image image,
                            dependencies_.images.ensure(spec.base.image_digest, dependencies_.fetch_image),
                            "image " + spec.base.image);
    reached("fetch the image");
    if (needs_disk) HS_RETURN_IF_ERROR(importDisk(spec));
    HS_RETURN_IF_ERROR(launch(spec, image));
    takeUp(spec);
    reached("bind");
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
    reached("import the disk");
    // The other node's disk may be removed as soon as this one runs.
    return dependencies_.store.sync();
}

absl::Status Steps::launch(const SliverSpec& spec, const image::Image& image) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(spec.id));
    isolation::SliverRuntime runtime = record.runtime;
    absl::StatusOr<Started> started = host_.start(spec, runtime, image, [&] {
        return slivers_.commitInPassing(spec.id, [&](Sliver& sliver) {
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
        sliver.record.runtime = runtime;
        sliver.record.state = State::running;
        sliver.record.process = started->process;
        sliver.record.running_since_us = toUnixMicros(Utc::now());
        return absl::OkStatus();
    });
    reached("remember the process");
    if (settled.ok()) settled = supervise(spec.id, std::move(started->pidfd), std::move(started->lifeline));
    if (settled.ok()) return settled;
    // What noded could not find again after its death must not run.
    settled.Update(host_.cleanup(spec, runtime));
    slivers_.with(spec.id, [](Sliver& sliver) { sliver.pidfd.reset(); });
    return settled;
}

absl::Status Steps::supervise(const SliverId& id, UniqueFd pidfd, UniqueFd lifeline) {
    // In this order: the end may be told at once.
    const int watched = lifeline.valid() ? lifeline.get() : pidfd.get();
    slivers_.with(id, [&](Sliver& sliver) {
        sliver.pidfd = std::move(pidfd);
        sliver.lifeline = std::move(lifeline);
    });
    return supervisor_.watch(id, watched);
}

absl::Status Steps::prepareImage(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const SliverSpec spec, begin(id, State::preparing));
    HS_RETURN_IF_ERROR(remember(id));
    HS_RETURN_IF_ERROR_CTX(dependencies_.images.ensure(spec.base.image_digest, dependencies_.fetch_image).status(),
                           "image " + spec.base.image);
    if (dependencies_.changed) dependencies_.changed();
    return absl::OkStatus();
}

absl::Status Steps::markStopped(const SliverId& id) {
    HS_RETURN_IF_ERROR(begin(id, State::stopped).status());
    return remember(id);
}

absl::Status Steps::cleanup(const SliverId& id, const Record& record) {
    isolation::SliverRuntime runtime = record.runtime;
    HS_RETURN_IF_ERROR(host_.cleanup(record.spec, runtime));
    slivers_.with(id, [&](Sliver& sliver) { sliver.record.runtime = runtime; });
    return absl::OkStatus();
}

absl::Status Steps::settle(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    leave(record.spec);
    const Verdict verdict = judge(host_.ending(record.runtime, record.process), record.spec.base.resources);
    // Told before the clean-up, which takes the kernel some milliseconds and concerns nobody else.
    return slivers_.commit(id, [&](Sliver& sliver) {
        sliver.unclean = true;
        sliver.ended = true;
        if (Monotonic::now() - sliver.state_since > kRanWell) sliver.retry.reset();
        sliver.record.state = verdict.state;
        sliver.record.exit_status = verdict.exit_status;
        sliver.record.reason = verdict.reason;
        sliver.record.running_since_us = 0;
        sliver.record.process = {};
        if (verdict.state == State::failed || mayRestart(sliver.record)) sliver.retry.fail();
        return absl::OkStatus();
    });
}

absl::Status Steps::cleanUp(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    HS_RETURN_IF_ERROR(cleanup(id, record));
    slivers_.with(id, [](Sliver& sliver) { sliver.unclean = false; });
    return absl::OkStatus();
}

absl::Status Steps::finishStop(const SliverId& id) {
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    HS_RETURN_IF_ERROR(cleanup(id, record));
    HS_RETURN_IF_ERROR(slivers_.commit(id, [](Sliver& sliver) {
        sliver.record.state = State::stopped;
        sliver.record.reason.clear();
        sliver.record.running_since_us = 0;
        sliver.record.process = {};
        sliver.retry.reset();
        if (sliver.desired && sliver.desired->run == DesiredRun::stopped) sliver.record.spec = *sliver.desired;
        return absl::OkStatus();
    }));
    reached("remember the stop");
    return absl::OkStatus();
}

absl::Status Steps::remove(const SliverId& id) {
    HS_RETURN_IF_ERROR(slivers_.commit(id, [&](Sliver& sliver) {
        if (sliver.exports > 0) return changedMeanwhile(id);
        sliver.record.state = State::deleting;
        sliver.record.broken = false;  // nothing of it will be repaired any more
        return absl::OkStatus();
    }));
    reached("remember the removal");
    HS_ASSIGN_OR_RETURN(const Record record, recordOf(id));
    isolation::SliverRuntime runtime = record.runtime;
    leave(record.spec);
    HS_RETURN_IF_ERROR(host_.cleanup(record.spec, runtime));
    HS_RETURN_IF_ERROR(host_.destroy(record.spec, runtime));
    HS_RETURN_IF_ERROR(slivers_.forget(id));
    reached("forget");
    return absl::OkStatus();
}

}  // namespace homeslice::sliver
