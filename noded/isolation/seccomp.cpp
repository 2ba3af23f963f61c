#include "noded/sys/seccomp.h"

#include "base/status.h"
#include "noded/isolation/isolators.h"
#include "noded/isolation/seccomp_profile.h"

namespace homeslice::isolation {
namespace {

class SeccompIsolator : public Isolator {
public:
    explicit SeccompIsolator(std::string program) : program_(std::move(program)) {}

    std::string name() const override { return "seccomp"; }
    absl::Status prepare(Start& start) override {
        start.plan.seccomp_program = program_;
        return absl::OkStatus();
    }
    absl::Status attach(Start&, const launcher::Child&) override { return absl::OkStatus(); }
    absl::Status adopt(Start&, const launcher::Child&) override { return absl::OkStatus(); }
    absl::Status recover(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }
    absl::Status cleanup(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }
    absl::Status destroy(const SliverSpec&, SliverRuntime&) override { return absl::OkStatus(); }

private:
    const std::string program_;  // compiled once: that costs milliseconds, loading it microseconds
};

}  // namespace

absl::StatusOr<std::unique_ptr<Isolator>> makeSeccompIsolator() {
    HS_ASSIGN_OR_RETURN(std::string program, sys::compileProfile(sliverSeccompProfile()));
    return std::make_unique<SeccompIsolator>(std::move(program));
}

}  // namespace homeslice::isolation
