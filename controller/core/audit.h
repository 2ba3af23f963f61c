// Puts who asked for a change into the same batch as the change, so that neither is ever stored without the other.
#pragma once

#include <absl/status/status.h>

#include "controller/model/people.h"

namespace homeslice::controller {

class Controller;

// For the length of one request, which one thread carries out: the first batch that the thread stores meanwhile carries
// the entry, with the outcome "ok". A request that failed gets an entry of its own, by end(); one that changed nothing
// (a repeated one) gets none.
class AuditScope {
public:
    AuditScope(Controller& controller, AuditEntry entry);
    ~AuditScope();
    AuditScope(const AuditScope&) = delete;
    AuditScope& operator=(const AuditScope&) = delete;

    void end(const absl::Status& outcome);

    // The calling thread's entry, once. Null when there is none.
    static const AuditEntry* take();

private:
    Controller& controller_;
    AuditEntry entry_;
    bool taken_ = false;
};

}  // namespace homeslice::controller
