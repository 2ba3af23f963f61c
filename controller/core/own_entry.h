// Entries of the audit log for what the controller does unasked. Internal to core.
#pragma once

#include <string>
#include <utility>

#include "controller/model/people.h"

namespace homeslice::controller {

// For the batch that it is about; `text` says why.
inline AuditEntry ownEntry(int64_t now_us, std::string what, std::string subject, std::string text) {
    return {now_us, "controller", std::move(what), std::move(subject), std::move(text)};
}

}  // namespace homeslice::controller
