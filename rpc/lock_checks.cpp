#include "rpc/lock_checks.h"

#include <absl/synchronization/mutex.h>

namespace homeslice::rpc {

void endLockChecks() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace homeslice::rpc
