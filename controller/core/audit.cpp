#include "controller/core/audit.h"

#include "base/status.h"
#include "controller/core/controller.h"

namespace homeslice::controller {
namespace {

thread_local AuditScope* current_scope = nullptr;

}  // namespace

AuditScope::AuditScope(Controller& controller, AuditEntry entry) : controller_(controller), entry_(std::move(entry)) {
    entry_.outcome = "ok";
    current_scope = this;
}

AuditScope::~AuditScope() { current_scope = nullptr; }

void AuditScope::end(const absl::Status& outcome) {
    if (outcome.ok() || taken_) return;
    entry_.outcome = messageOf(outcome);
    controller_.recordAudit(entry_);
}

const AuditEntry* AuditScope::take() {
    if (current_scope == nullptr || current_scope->taken_) return nullptr;
    current_scope->taken_ = true;
    return &current_scope->entry_;
}

}  // namespace homeslice::controller
