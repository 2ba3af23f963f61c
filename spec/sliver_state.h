// Where a sliver is in its life. The transitions between them: docs/design/life-of-a-sliver.md.
#pragma once

#include <absl/status/statusor.h>

#include <string>

namespace homeslice {

enum class SliverState { pending, preparing, starting, running, frozen, stopping, stopped, exited, failed, deleting };

inline constexpr SliverState kSliverStates[] = {
    SliverState::pending,  SliverState::preparing, SliverState::starting, SliverState::running, SliverState::frozen,
    SliverState::stopping, SliverState::stopped,   SliverState::exited,   SliverState::failed,  SliverState::deleting,
};

const char* toString(SliverState state);
absl::StatusOr<SliverState> parseSliverState(const std::string& text);

// What its health check says; none without a check.
enum class Health { none, starting, healthy, unhealthy };

const char* toString(Health health);

}  // namespace homeslice
