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

class Starter {
public:
    using Isolators = std::vector<std::unique_ptr<isolation::Isolator>>;
    using Clone = std::function<absl::StatusOr<launcher::Child>(const launcher::CloneRequest&)>;
    using Finish = std::function<absl::Status(launcher::Child&, launcher::LaunchPlan)>;

    Starter(Isolators isolators, Clone clone, Finish finish, AtStep at_step = nullptr)
        : isolators_(std::move(isolators)),
          clone_(std::move(clone)),
          finish_(std::move(finish)),
          at_step_(std::move(at_step)) {}

    // The contracts of Host's functions of these names.
    absl::StatusOr<Started> start(const SliverSpec& spec, isolation::SliverRuntime& runtime, const image::Image& image,
                                  const std::function<absl::Status()>& persist);
    absl::Status recover(const SliverSpec& spec, isolation::SliverRuntime& runtime);
    absl::Status update(const SliverSpec& before, const SliverSpec& spec, isolation::SliverRuntime& runtime);
    absl::Status cleanup(const SliverSpec& spec, isolation::SliverRuntime& runtime);
    absl::Status destroy(const SliverSpec& spec, isolation::SliverRuntime& runtime);

private:
    absl::StatusOr<Started> tryStart(isolation::Start& start, const std::function<absl::Status()>& persist);
    absl::Status prepare(isolation::Start& start);
    absl::Status attach(isolation::Start& start, const launcher::Child& child);
    void reached(const std::string& step) const {
        if (at_step_) at_step_(step);
    }

    const Isolators isolators_;
    const Clone clone_;
    const Finish finish_;
    const AtStep at_step_;
};

}  // namespace homeslice::sliver
