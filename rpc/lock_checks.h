// Abseil's search for lock cycles, which gRPC's locks all pass through.
#pragma once

namespace homeslice::rpc {

// Ends it for this process. Distributions build Abseil with the search, which looks a lock up in a table of fixed size
// each time it is taken: with ten thousand connections that is a fifth of all that a server does. To be called before
// there is a second thread. (absl/synchronization/mutex.h, SetMutexDeadlockDetectionMode.)
void endLockChecks();

}  // namespace homeslice::rpc
