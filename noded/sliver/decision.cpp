#include "noded/sliver/decision.h"

namespace homeslice::sliver {
namespace {

bool isToLive(const SliverSpec& desired) {
    return desired.run == DesiredRun::running || desired.run == DesiredRun::frozen;
}

Step whileAlive(const Situation& now) {
    if (!now.alive) return Step::settle;
    if (!now.picture_known) return Step::none;
    if (now.desired == nullptr || !isToLive(*now.desired)) return Step::request_stop;
    if (needsRestart(now.record.spec, *now.desired) || needsDisk(now.record, *now.desired)) return Step::request_stop;
    // Before the update: one that fails again and again must not keep a sliver frozen.
    const bool frozen = now.record.state == State::frozen;
    if (frozen && now.desired->run == DesiredRun::running) return Step::thaw;
    if (!frozen && now.desired->run == DesiredRun::frozen) return Step::freeze;
    return now.record.spec == *now.desired ? Step::none : Step::update;
}

// New limits, or an order to stand still, are no reason to run a command again.
bool needsAnotherRun(const Situation& now) {
    return now.record.spec.generation != now.desired->generation || needsRestart(now.record.spec, *now.desired) ||
           needsDisk(now.record, *now.desired);
}

Step towardsRunning(const Situation& now) {
    // A command that ended by itself is run again when its policy says so, or when something else is asked for.
    const bool ended_as_desired = now.record.state == State::exited && !needsAnotherRun(now);
    return ended_as_desired && !mayRestart(now.record) ? Step::none : Step::start;
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
    if (now.record.broken) return now.picture_known && now.desired == nullptr ? Step::remove : Step::none;
    switch (now.record.state) {
        case State::running:
        case State::frozen:
            return whileAlive(now);
        case State::stopping:
            return now.alive ? Step::await_end : Step::finish_stop;
        default:
            return withoutProcess(now);
    }
}

bool needsRestart(const SliverSpec& current, const SliverSpec& desired) {
    SliverTemplate changed = current.base;
    changed.image = desired.base.image;  // its digest counts
    changed.exposed = desired.base.exposed;
    changed.restart = desired.base.restart;
    changed.health = desired.base.health;
    changed.stop = desired.base.stop;
    changed.files = desired.base.files;  // of a new disk
    changed.balance = desired.base.balance;
    changed.resources = desired.base.resources;
    changed.resources.disk_medium = current.base.resources.disk_medium;
    return changed != desired.base || current.home_address != desired.home_address ||
           current.slice_address != desired.slice_address;
}

bool mayRestart(const Record& record) {
    if (record.state != State::exited) return false;
    const RestartWhen when = record.spec.base.restart;
    return when == RestartWhen::always || (when == RestartWhen::on_failure && record.exit_status != 0);
}

bool needsDisk(const Record& record, const SliverSpec& desired) {
    return desired.disk_source && record.disk_generation < desired.disk_source->generation;
}

}  // namespace homeslice::sliver
