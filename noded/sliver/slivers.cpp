#include "noded/sliver/slivers.h"

#include "base/log.h"
#include "base/status.h"

namespace homeslice::sliver {
namespace {

Sliver newSliver(const SliverSpec& spec) {
    Sliver sliver;
    sliver.record.spec = spec;
    sliver.desired = spec;
    return sliver;
}

void logTransition(const Sliver& sliver, State from) {
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Monotonic::now() - sliver.state_since);
    const Record& record = sliver.record;
    logInfo("sliver {}: {} -> {} after {} ms{}{}", record.spec.id.toString(), toString(from), toString(record.state),
            spent.count(), record.reason.empty() ? "" : ": ", record.reason);
}

}  // namespace

void Slivers::adopt(Record record) {
    const std::lock_guard lock(mutex_);
    const SliverId id = record.spec.id;
    Sliver sliver;
    sliver.record = std::move(record);
    slivers_.insert_or_assign(id, std::move(sliver));
}

std::vector<SliverId> Slivers::setDesired(const Desired& desired) {
    const std::lock_guard lock(mutex_);
    revision_ = desired.revision;
    std::map<SliverId, const SliverSpec*> wanted;
    for (const SliverSpec& spec : desired.slivers) wanted[spec.id] = &spec;
    for (auto& [id, sliver] : slivers_) {
        const auto found = wanted.find(id);
        const std::optional<SliverSpec> now =
            found == wanted.end() ? std::nullopt : std::optional<SliverSpec>(*found->second);
        if (sliver.desired == now) continue;
        sliver.desired = now;
        sliver.retry.reset();  // something new may work at once
        if (sliver.update_retry.failures > 0) sliver.record.reason.clear();
        sliver.update_retry.reset();
    }
    std::vector<SliverId> all;
    for (const auto& [id, spec] : wanted) {
        if (!slivers_.contains(id)) slivers_.emplace(id, newSliver(*spec));
    }
    for (const auto& [id, sliver] : slivers_) all.push_back(id);
    return all;
}

std::optional<uint64_t> Slivers::desiredRevision() const {
    const std::lock_guard lock(mutex_);
    return revision_;
}

bool Slivers::with(const SliverId& id, const std::function<void(Sliver&)>& use) {
    const std::lock_guard lock(mutex_);
    const auto found = slivers_.find(id);
    if (found == slivers_.end()) return false;
    use(found->second);
    return true;
}

std::optional<Record> Slivers::record(const SliverId& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = slivers_.find(id);
    return found == slivers_.end() ? std::nullopt : std::optional<Record>(found->second.record);
}

void Slivers::forEach(const std::function<void(const Sliver&)>& use) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, sliver] : slivers_) use(sliver);
}

absl::StatusOr<Record> Slivers::change(const SliverId& id, const std::function<absl::Status(Sliver&)>& change) {
    const std::lock_guard lock(mutex_);
    const auto found = slivers_.find(id);
    if (found == slivers_.end()) return notFound("no sliver " + id.toString());
    Sliver& sliver = found->second;
    const Record before = sliver.record;
    absl::Status status = change(sliver);
    if (status.ok() && sliver.record.state != before.state) status = checkTransition(before.state, sliver.record.state);
    if (!status.ok()) {
        sliver.record = before;
        return status;
    }
    if (sliver.record.state != before.state) {
        logTransition(sliver, before.state);
        sliver.state_since = Monotonic::now();
    }
    return sliver.record;
}

absl::Status Slivers::commit(const SliverId& id, const std::function<absl::Status(Sliver&)>& change_one) {
    HS_ASSIGN_OR_RETURN(const Record record, change(id, change_one));
    absl::Status saved = save(record);
    if (changed_) changed_();
    return saved;
}

absl::Status Slivers::commitInPassing(const SliverId& id, const std::function<absl::Status(Sliver&)>& change_one) {
    HS_ASSIGN_OR_RETURN(const Record record, change(id, change_one));
    return save(record);
}

absl::Status Slivers::save(const Record& record) {
    return withContext(records_.save(record), "remember sliver " + record.spec.id.toString());
}

absl::Status Slivers::note(const SliverId& id, const std::function<absl::Status(Sliver&)>& change_one) {
    return change(id, change_one).status();
}

absl::Status Slivers::forget(const SliverId& id) {
    HS_RETURN_IF_ERROR(records_.erase(id));
    {
        const std::lock_guard lock(mutex_);
        const auto found = slivers_.find(id);
        if (found == slivers_.end()) return absl::OkStatus();
        if (found->second.desired) {
            found->second = newSliver(*found->second.desired);
        } else {
            slivers_.erase(found);
        }
    }
    logInfo("sliver {}: gone", id.toString());
    if (changed_) changed_();
    return absl::OkStatus();
}

}  // namespace homeslice::sliver
