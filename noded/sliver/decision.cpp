#include "noded/sliver/decision.h"

namespace homeslice::sliver {
namespace {

Step whileRunning(const Situation& now) {
    if (!now.alive) return Step::settle;
    if (!now.picture_known) return Step::none;
    if (now.desired == nullptr || now.desired->run != DesiredRun::running) return Step::request_stop;
    if (needsRestart(now.record.spec, *now.desired) || needsDisk(now.record, *now.desired)) return Step::request_stop;
    return now.record.spec == *now.desired ? Step::none : Step::update;
}

Step towardsRunning(const Situation& now) {
    // A command that ended by itself is not run again until the controller asks for something else.
    const bool ended_as_desired = now.record.state == State::exited && now.record.spec == *now.desired;
    return ended_as_desired ? Step::none : Step::start;
}

Step towardsPrepared(const Situation& now) {
    const bool prepared = now.image_ready && now.record.state == State::preparing && now.record.spec == *now.desired;
    return prepared ? Step::none : Step::prepare_image;
}

Step towardsStopped(const Situation& now) {
    const bool stopped = now.record.state == State::stopped && now.record.spec == *now.desired;
    return stopped ? Step::none : Step::mark_stopped;
}

Step withoutProcess(const Situation& now) {
    if (now.unclean) return Step::clean_up;
    if (!now.picture_known) return Step::none;
    if (now.desired == nullptr || now.record.state == State::deleting) return Step::remove;
    switch (now.desired->run) {
        case DesiredRun::running:
        case DesiredRun::frozen:
            return towardsRunning(now);
        case DesiredRun::prepared:
            return towardsPrepared(now);
        case DesiredRun::stopped:
            return towardsStopped(now);
    }
    return Step::none;
}

}  // namespace

Step decide(const Situation& now) {
    if (now.record.broken) return Step::none;
    switch (now.record.state) {
        case State::running:
            return whileRunning(now);
        case State::stopping:
            return now.alive ? Step::await_end : Step::finish_stop;
        default:
            return withoutProcess(now);
    }
}

bool needsRestart(const SliverSpec& current, const SliverSpec& desired) {
    return current.base.image_digest != desired.base.image_digest || current.base.argv != desired.base.argv ||
           current.base.resources != desired.base.resources || current.home_address != desired.home_address ||
           current.slice_address != desired.slice_address;
}

bool needsDisk(const Record& record, const SliverSpec& desired) {
    return desired.disk_source && record.disk_generation < desired.disk_source->generation;
}

}  // namespace homeslice::sliver
