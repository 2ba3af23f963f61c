#include "noded/sliver/starter.h"

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "base/status.h"

namespace homeslice::sliver {
namespace {

constexpr const char* kDefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string nameOf(const std::string& variable) { return variable.substr(0, variable.find('=')); }

void setVariable(std::vector<std::string>& env, const std::string& variable) {
    const auto found =
        std::find_if(env.begin(), env.end(), [&](const std::string& each) { return nameOf(each) == nameOf(variable); });
    if (found == env.end()) {
        env.push_back(variable);
    } else {
        *found = variable;
    }
}

const std::string& firstGiven(const std::string& own, const std::string& fallback) {
    return own.empty() ? fallback : own;
}

// The template's command stands for the image's whole command, as `docker run IMAGE COMMAND` without an entry point.
void fillCommand(const SliverTemplate& base, const image::ImageConfig& config, launcher::Command& command) {
    command.argv = base.argv.empty() ? config.argv : base.argv;
    command.working_directory = firstGiven(base.working_directory, config.working_directory);
    command.env = {kDefaultPath};
    for (const std::string& variable : config.env) setVariable(command.env, variable);
    for (const std::string& variable : base.env) setVariable(command.env, variable);
    command.user = base.user;  // empty: the image's, which its isolator looks up
    command.log_bytes = base.log.max_bytes;
    command.log_files = base.log.files;
}

}  // namespace

absl::Status Starter::forAll(const std::string& name, const Part& part) {
    for (const auto& isolator : isolators_) {
        HS_RETURN_IF_ERROR_CTX(part(*isolator), isolator->name());
        reached(name + " " + isolator->name());
    }
    return absl::OkStatus();
}

absl::StatusOr<launcher::Child> Starter::cloneAndFurnish(isolation::Start& start) {
    std::optional<absl::Status> furnished;
    const auto furnish = [&] {
        if (!furnished) furnished = forAll("furnish", [&](isolation::Isolator& each) { return each.furnish(start); });
    };
    HS_ASSIGN_OR_RETURN_CTX(launcher::Child child, launching_.clone(start.clone, furnish), "clone");
    reached("clone");
    furnish();  // when a launcher had to be replaced, there was no time for it
    HS_RETURN_IF_ERROR(*furnished);
    return child;
}

absl::Status Starter::parkAndConnect(isolation::Start& start, launcher::Child& child) {
    absl::Status connected;
    const auto connect = [&] {
        start.spent.clear();
        connected = forAll("connect", [&](isolation::Isolator& each) { return each.connect(start, child); });
    };
    HS_RETURN_IF_ERROR_CTX(launching_.park(child, std::move(start.plan), connect), "launch");
    reached("launch");
    return connected;
}

absl::StatusOr<launcher::Child> Starter::makeEnvironment(isolation::Start& start, const Persist& persist) {
    HS_RETURN_IF_ERROR(forAll("prepare", [&](isolation::Isolator& each) { return each.prepare(start); }));
    HS_RETURN_IF_ERROR(persist());
    reached("remember the start");
    HS_ASSIGN_OR_RETURN(launcher::Child child, cloneAndFurnish(start));
    HS_RETURN_IF_ERROR(forAll("attach", [&](isolation::Isolator& each) { return each.attach(start, child); }));
    HS_RETURN_IF_ERROR(parkAndConnect(start, child));
    return child;
}

absl::StatusOr<Started> Starter::giveCommand(const isolation::Start& start, launcher::Child child) {
    HS_RETURN_IF_ERROR_CTX(launching_.assign(child, start.command), "command");
    reached("give the command");
    return Started{.process = child.identity, .pidfd = std::move(child.pidfd), .lifeline = std::move(child.setup)};
}

absl::StatusOr<Started> Starter::tryStart(isolation::Start& start, const Persist& persist) {
    fillCommand(start.spec.base, start.image.config, start.command);
    HS_ASSIGN_OR_RETURN(launcher::Child child, makeEnvironment(start, persist));
    return giveCommand(start, std::move(child));
}

absl::StatusOr<Started> Starter::start(const SliverSpec& spec, isolation::SliverRuntime& runtime,
                                       const image::Image& image, const std::function<absl::Status()>& persist) {
    launcher::CloneRequest clone{
        .key = spec.id.toString(), .ids = {}, .cgroup_v1_directories = {}, .cgroup_v2_directory = {}};
    launcher::LaunchPlan plan;
    launcher::Command command;
    isolation::Start start{
        .spec = spec, .runtime = runtime, .image = image, .clone = clone, .plan = plan, .command = command};
    absl::StatusOr<Started> started = tryStart(start, persist);
    if (started.ok()) return started;
    undo(spec, runtime);
    return started.status();
}

void Starter::undo(const SliverSpec& spec, isolation::SliverRuntime& runtime) {
    if (const absl::Status undone = cleanup(spec, runtime); !undone.ok()) {
        logError("sliver {}: undo a failed start: {}", spec.id.toString(), messageOf(undone));
    }
}

absl::StatusOr<Prepared> Starter::prepareAhead(const SliverSpec& name, const isolation::SliverRuntime& runtime,
                                               const image::Image& image) {
    launcher::CloneRequest clone{
        .key = name.id.toString(), .ids = {}, .cgroup_v1_directories = {}, .cgroup_v2_directory = {}};
    launcher::LaunchPlan plan;
    launcher::Command command;
    Prepared prepared{.name = name, .image_digest = image.digest, .runtime = runtime, .child = {}};
    isolation::Start start{.spec = name,
                           .runtime = prepared.runtime,
                           .image = image,
                           .clone = clone,
                           .plan = plan,
                           .command = command,
                           .ahead = true};
    // Nobody remembers it: what is left of it has no record, and is found by that.
    absl::StatusOr<launcher::Child> child = makeEnvironment(start, [] { return absl::OkStatus(); });
    if (child.ok()) {
        prepared.child = std::move(*child);
        return prepared;
    }
    discard(std::move(prepared));
    return child.status();
}

void Starter::discard(Prepared prepared) {
    undo(prepared.name, prepared.runtime);
    if (const absl::Status gone = destroy(prepared.name, prepared.runtime); !gone.ok()) {
        logError("{}: {}", prepared.name.id.toString(), messageOf(gone));
    }
}

// The names are remembered before they are changed: those of a start that is cut short are found by them.
absl::StatusOr<Started> Starter::tryAdopt(Prepared& prepared, isolation::Start& start, const Persist& persist) {
    fillCommand(start.spec.base, start.image.config, start.command);
    HS_RETURN_IF_ERROR(persist());
    reached("remember the start");
    HS_RETURN_IF_ERROR(forAll("adopt", [&](isolation::Isolator& each) { return each.adopt(start, prepared.child); }));
    return giveCommand(start, std::move(prepared.child));
}

absl::StatusOr<Started> Starter::adopt(Prepared prepared, const SliverSpec& spec, isolation::SliverRuntime& runtime,
                                       const image::Image& image, const std::function<absl::Status()>& persist) {
    launcher::CloneRequest clone;
    launcher::LaunchPlan plan;
    launcher::Command command;
    runtime = prepared.runtime;
    isolation::Start start{
        .spec = spec, .runtime = runtime, .image = image, .clone = clone, .plan = plan, .command = command};
    absl::StatusOr<Started> started = tryAdopt(prepared, start, persist);
    if (started.ok()) return started;
    undo(spec, runtime);
    return started.status();
}

absl::Status Starter::recover(const SliverSpec& spec, isolation::SliverRuntime& runtime) {
    for (const auto& isolator : isolators_) HS_RETURN_IF_ERROR_CTX(isolator->recover(spec, runtime), isolator->name());
    return absl::OkStatus();
}

absl::Status Starter::update(const SliverSpec& before, const SliverSpec& spec, isolation::SliverRuntime& runtime) {
    for (auto isolator = isolators_.begin(); isolator != isolators_.end(); ++isolator) {
        const absl::Status updated = (*isolator)->update(spec, runtime);
        if (updated.ok()) continue;
        for (auto undone = isolators_.begin(); undone != std::next(isolator); ++undone) {
            const absl::Status restored = (*undone)->update(before, runtime);
            if (!restored.ok()) logError("sliver {}: undo a change: {}", spec.id.toString(), messageOf(restored));
        }
        return withContext(updated, (*isolator)->name());
    }
    return absl::OkStatus();
}

// Goes on after a failure: what can be undone is. The first failure is returned.
absl::Status Starter::cleanup(const SliverSpec& spec, isolation::SliverRuntime& runtime) {
    absl::Status first;
    for (auto isolator = isolators_.rbegin(); isolator != isolators_.rend(); ++isolator) {
        first.Update(withContext((*isolator)->cleanup(spec, runtime), "cleanup: " + (*isolator)->name()));
        reached("cleanup " + (*isolator)->name());
    }
    return first;
}

// Stops at a failure: the id range must not be free while files of its owner remain.
absl::Status Starter::destroy(const SliverSpec& spec, isolation::SliverRuntime& runtime) {
    for (auto isolator = isolators_.rbegin(); isolator != isolators_.rend(); ++isolator) {
        HS_RETURN_IF_ERROR_CTX((*isolator)->destroy(spec, runtime), "destroy: " + (*isolator)->name());
        reached("destroy " + (*isolator)->name());
    }
    return absl::OkStatus();
}

}  // namespace homeslice::sliver
