// The recipe of a start, and its undoing: isolators, launcher, isolators again, go.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <vector>

#include "noded/isolation/isolator.h"
#include "noded/launcher/client.h"
#include "noded/sliver/host.h"
#include "noded/sliver/manager.h"

namespace homeslice::sliver {

// Made ahead, for a sliver to come. Ends with its child, and leaves what `runtime` names.
struct Prepared {
    SliverSpec name;  // whose name it has until then
    std::string image_digest;
    isolation::SliverRuntime runtime;
    launcher::Child child;
};

class Starter {
public:
    using Isolators = std::vector<std::unique_ptr<isolation::Isolator>>;
    using Clone =
        std::function<absl::StatusOr<launcher::Child>(const launcher::CloneRequest&, const launcher::Meanwhile&)>;
    using Park = std::function<absl::Status(launcher::Child&, launcher::LaunchPlan, const launcher::Meanwhile&)>;
    using Assign = std::function<absl::Status(launcher::Child&, const launcher::Command&)>;
    struct Launching {
        Clone clone;
        Park park;
        Assign assign;
    };

    Starter(Isolators isolators, Launching launching, AtStep at_step = nullptr)
        : isolators_(std::move(isolators)), launching_(std::move(launching)), at_step_(std::move(at_step)) {}

    // The contracts of Host's functions of these names.
    absl::StatusOr<Started> start(const SliverSpec& spec, isolation::SliverRuntime& runtime, const image::Image& image,
                                  const std::function<absl::Status()>& persist);

    // An environment for a sliver to come, under a name that no sliver has; `runtime` holds its ids. After a failure
    // nothing is left of it.
    absl::StatusOr<Prepared> prepareAhead(const SliverSpec& name, const isolation::SliverRuntime& runtime,
                                          const image::Image& image);
    // start() with what was made ahead of the same image. Only for a sliver without a disk here.
    absl::StatusOr<Started> adopt(Prepared prepared, const SliverSpec& spec, isolation::SliverRuntime& runtime,
                                  const image::Image& image, const std::function<absl::Status()>& persist);
    void discard(Prepared prepared);

    absl::Status recover(const SliverSpec& spec, isolation::SliverRuntime& runtime);
    absl::Status update(const SliverSpec& before, const SliverSpec& spec, isolation::SliverRuntime& runtime);
    absl::Status cleanup(const SliverSpec& spec, isolation::SliverRuntime& runtime);
    absl::Status destroy(const SliverSpec& spec, isolation::SliverRuntime& runtime);

private:
    using Persist = std::function<absl::Status()>;
    // All of a start but the command: a sliver-init that waits for it, in everything that it needs.
    absl::StatusOr<launcher::Child> makeEnvironment(isolation::Start& start, const Persist& persist);
    absl::StatusOr<launcher::Child> cloneAndFurnish(isolation::Start& start);
    absl::Status parkAndConnect(isolation::Start& start, launcher::Child& child);
    absl::StatusOr<Started> giveCommand(const isolation::Start& start, launcher::Child child);
    absl::StatusOr<Started> tryStart(isolation::Start& start, const Persist& persist);
    absl::StatusOr<Started> tryAdopt(Prepared& prepared, isolation::Start& start, const Persist& persist);
    void undo(const SliverSpec& spec, isolation::SliverRuntime& runtime);
    // `part` of every isolator, in their order; `name` is the part's.
    using Part = std::function<absl::Status(isolation::Isolator&)>;
    absl::Status forAll(const std::string& name, const Part& part);
    void reached(const std::string& step) const {
        if (at_step_) at_step_(step);
    }

    const Isolators isolators_;
    const Launching launching_;
    const AtStep at_step_;
};

}  // namespace homeslice::sliver
