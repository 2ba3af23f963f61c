// Images: imports, which are operations, and removals.
#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/names.h"
#include "base/status.h"
#include "controller/core/controller.h"
#include "controller/operations/operations.h"

namespace homeslice::controller {
namespace {

OperationFailure failureOf(const Operation& import, const std::string& reason) {
    OperationFailure failure;
    failure.node = import.node;
    failure.reason = reason;
    return failure;
}

}  // namespace

absl::StatusOr<Operation> Controller::beginImport(const std::string& name) {
    HS_RETURN_IF_ERROR(checkName("image name", name));
    const std::lock_guard lock(mutex_);
    Operation operation = newOperation(OperationKind::importImage, {}, 1, "", clock_.utc_us());
    operation.node = name;
    Changes changes;
    changes.put_operations.push_back(operation);
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    import_bytes_[operation.id] = 0;
    return viewOperation(world(), operation);
}

// Watchers hear of it with the next tick.
void Controller::noteImported(const std::string& operation, uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto import = import_bytes_.find(operation);
    if (import != import_bytes_.end()) import->second = bytes;
}

absl::StatusOr<ImageView> Controller::addImage(const std::string& name, const std::string& digest, Receiver& receiver,
                                               const std::string& operation) {
    HS_RETURN_IF_ERROR(checkName("image name", name));
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Operation* import, findOperation(operation));
    if (import->ended()) return cancelled("the import of image '" + name + "' was " + import->step);
    // Under the lock: an archive that no row names yet would otherwise be swept up as unused.
    HS_RETURN_IF_ERROR(receiver.publish());
    const Image image{name, digest, receiver.size(), clock_.utc_us()};
    Changes changes;
    changes.put_images.push_back(image);
    changes.put_operations.push_back(succeeded(*import, "stored", clock_.utc_us()));
    HS_RETURN_IF_ERROR(commit(std::move(changes)));
    import_bytes_.erase(operation);
    logInfo("image {} is {}, {} bytes", name, digest, image.size_bytes);
    settleAll();
    return viewImage(world(), image);
}

void Controller::endImport(const std::string& operation, const absl::Status& why) {
    const std::lock_guard lock(mutex_);
    import_bytes_.erase(operation);
    const auto import = findOperation(operation);
    if (!import.ok() || (*import)->ended()) return;
    Changes changes;
    changes.put_operations.push_back(failed(**import, failureOf(**import, messageOf(why)), clock_.utc_us()));
    if (const absl::Status stored = commit(std::move(changes)); !stored.ok()) {
        logError("the end of an import is not stored: {}", messageOf(stored));
    }
    settleAll();
}

// Their streams ended with the process that had them.
absl::Status Controller::endInterruptedImports() {
    Changes changes;
    for (const auto& [id, operation] : snapshot_.operations) {
        if (operation.kind != OperationKind::importImage || operation.ended()) continue;
        changes.put_operations.push_back(failed(
            operation, failureOf(operation, "the controller was started anew: import it again"), clock_.utc_us()));
    }
    return changes.empty() ? absl::OkStatus() : commit(std::move(changes));
}

absl::Status Controller::removeImage(const std::string& name) {
    const std::lock_guard lock(mutex_);
    HS_ASSIGN_OR_RETURN(const Image* image, findImage(name));
    if (const uint32_t users = slicesUsing(snapshot_, image->digest); users != 0) {
        return failedPrecondition(
            fmt::format("image '{}' is in use by {} slice{}", name, users, users == 1 ? "" : "s"));
    }
    Changes changes;
    changes.erase_images.push_back(name);
    return commit(std::move(changes));
}

}  // namespace homeslice::controller
