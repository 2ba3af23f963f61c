#include "noded/sliver/recovery.h"

#include "base/log.h"
#include "base/status.h"

namespace homeslice::sliver {
namespace {

bool mayLive(const Record& record) {
    return record.state == State::running || record.state == State::frozen || record.state == State::stopping;
}
bool wasCutShort(const Record& record) { return record.state == State::starting || record.state == State::preparing; }

// Another sliver's ids would be another sliver's files: better not at all.
void reserve(Record& record, Host& host) {
    const absl::Status reserved = host.reserve(record.runtime);
    if (reserved.ok()) return;
    if (record.broken) {
        logError("sliver {}: {}", record.spec.id.toString(), messageOf(reserved));
        return;
    }
    record.broken = true;
    record.state = State::failed;
    record.reason = "its record on the node cannot be used (" + messageOf(reserved) + "); it is kept for repair";
}

absl::Status readopt(const Record& record, UniqueFd pidfd, Host& host, Steps& steps) {
    isolation::SliverRuntime runtime = record.runtime;
    absl::Status recovered = host.recover(record.spec, runtime);
    // noded may have died between a freeze, or a thaw, and its record.
    recovered.Update(host.freeze(runtime, record.state == State::frozen));
    // It lives, and is not disturbed for what can be mended: its packets may still pass.
    if (!recovered.ok()) logError("sliver {}: {}", record.spec.id.toString(), messageOf(recovered));
    HS_RETURN_IF_ERROR(steps.supervise(record.spec.id, std::move(pidfd), UniqueFd()));
    if (record.state != State::stopping) steps.takeUp(record.spec);
    logInfo("sliver {}: {} since before; found again as process {}", record.spec.id.toString(), toString(record.state),
            record.process.pid);
    return absl::OkStatus();
}

absl::Status undo(const Record& record, Slivers& slivers, Host& host) {
    isolation::SliverRuntime runtime = record.runtime;
    HS_RETURN_IF_ERROR(host.cleanup(record.spec, runtime));
    if (!wasCutShort(record)) return absl::OkStatus();
    return slivers.commit(record.spec.id, [](Sliver& sliver) {
        sliver.record.state = State::pending;
        return absl::OkStatus();
    });
}

absl::Status recoverOne(const Record& record, Slivers& slivers, Host& host, Steps& steps) {
    if (record.broken) return absl::OkStatus();
    if (!mayLive(record)) return undo(record, slivers, host);
    absl::StatusOr<UniqueFd> pidfd = host.find(record.process);
    if (pidfd.ok()) return readopt(record, std::move(*pidfd), host, steps);
    // Its end is settled by a worker, as any other.
    return pidfd.status().code() == absl::StatusCode::kNotFound ? absl::OkStatus() : pidfd.status();
}

isolation::KnownSlivers knownOf(const std::vector<Record>& records) {
    isolation::KnownSlivers known;
    for (const Record& record : records) {
        known.file_names.insert(record.spec.id.fileName());
        known.group_names.insert(record.spec.id.fileName());
        const size_t slash = record.runtime.cgroup.rfind('/');
        if (slash != std::string::npos) known.group_names.insert(record.runtime.cgroup.substr(slash + 1));
        known.link_names.insert(record.runtime.link_name);
    }
    return known;
}

}  // namespace

absl::Status recoverSlivers(Slivers& slivers, Host& host, Steps& steps) {
    HS_ASSIGN_OR_RETURN_CTX(std::vector<Record> records, slivers.load(), "slivers' records");
    for (Record& record : records) {
        if (record.broken) record.runtime = host.rediscover(record.spec.id);
        reserve(record, host);
        slivers.adopt(record);
    }
    for (const Record& record : records) {
        if (const absl::Status status = recoverOne(record, slivers, host, steps); !status.ok()) {
            logError("sliver {}: recovery: {}", record.spec.id.toString(), messageOf(status));
        }
    }
    if (const absl::Status status = host.removeOrphans(knownOf(records)); !status.ok()) {
        logError("{}", messageOf(status));
    }
    return absl::OkStatus();
}

}  // namespace homeslice::sliver
