#include "controller/store/etcd/store.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "controller/store/etcd/writer.h"
#include "controller/store/schema.h"

namespace homeslice::controller::etcd {
namespace {

namespace pb = etcdserverpb;

constexpr int64_t kPage = 1000;
// etcd 3.4 goes through all keys of a range for each page, however short: a million rows took minutes by the thousand.
constexpr int64_t kRowsPage = 20'000;
constexpr Patience kRowsPatience{30'000};
// So often the oldest entries of the audit log are removed.
constexpr uint64_t kPruneEvery = 128;

std::string textOf(const AuditEntry& entry) {
    JsonRowWriter row;
    row.bind(entry.time_us).bind(entry.who).bind(entry.what).bind(entry.subject).bind(entry.outcome);
    return row.toString();
}

absl::StatusOr<AuditEntry> parseEntry(const std::string& text) {
    HS_ASSIGN_OR_RETURN(JsonRowReader row, JsonRowReader::parse(text));
    AuditEntry entry;
    entry.time_us = row.integer();
    entry.who = row.text();
    entry.what = row.text();
    entry.subject = row.text();
    entry.outcome = row.text();
    HS_RETURN_IF_ERROR(row.finish());
    return entry;
}

class EtcdStore : public DurableStore {
public:
    EtcdStore(Client& client, const Keys& keys, Lead lead)
        : client_(client), keys_(keys), writer_(client, keys, std::move(lead)) {}

    absl::StatusOr<Snapshot> load() override {
        if (writer_.mayWrite()) HS_RETURN_IF_ERROR_CTX(writer_.completeIntent(), "complete a batch");
        HS_RETURN_IF_ERROR(readNextAudit());
        HS_ASSIGN_OR_RETURN(const RowTexts rows, readMetaAndRows());
        const Meta& meta = writer_.meta();
        if (meta.schema == presentVersion() || meta.schema == 0) return snapshotOf(rows);
        return migrate(rows);
    }

    absl::Status apply(const Changes& changes) override {
        if (writer_.intentIsOpen()) HS_RETURN_IF_ERROR_CTX(writer_.completeIntent(), "complete a batch");
        ActCollector collector(keys_.data());
        HS_RETURN_IF_ERROR(writeRows(changes, collector));
        return withContext(commit(collector.take(), changes.audit, nextMeta(changes)), "store");
    }

    absl::Status record(const AuditEntry& entry) override {
        pb::TxnRequest request;
        addAudit(entry, request);
        return withContext(writer_.write(request), "store the audit log");
    }

    absl::StatusOr<std::vector<AuditEntry>> audit(uint32_t most) override {
        pb::RangeRequest page = rangeBelow(keys_.audits(), kPage);
        page.set_sort_order(pb::RangeRequest::DESCEND);
        std::vector<AuditEntry> entries;
        for (bool more = true; more && entries.size() < most;) {
            HS_ASSIGN_OR_RETURN(const pb::RangeResponse response, client_.range(page));
            for (const pb::KeyValue& row : response.kvs()) {
                HS_ASSIGN_OR_RETURN(AuditEntry entry, parseEntry(row.value()));
                if (entries.size() < most) entries.push_back(std::move(entry));
                page.set_range_end(row.key());
            }
            more = response.more();
        }
        std::reverse(entries.begin(), entries.end());
        return entries;
    }

    absl::Status replace(const Snapshot& snapshot, const std::vector<AuditEntry>& audit) override {
        HS_RETURN_IF_ERROR(begin());
        ActCollector collector(keys_.data());
        HS_RETURN_IF_ERROR(writeRows(changesTo(snapshot), collector));
        HS_RETURN_IF_ERROR(writer_.writeAll(inParts(collector.take())));
        Acts entries;
        next_audit_ = 1;
        for (const AuditEntry& entry : audit) entries[keys_.audit(next_audit_++)] = textOf(entry);
        HS_RETURN_IF_ERROR(writer_.writeAll(inParts(entries)));
        return end(snapshot);
    }

private:
    absl::Status commit(const Acts& acts, const std::optional<AuditEntry>& audit, const Meta& next) {
        std::vector<pb::TxnRequest> parts = inParts(acts);
        pb::TxnRequest last;
        if (parts.size() == 1) last = parts.front();
        if (audit) addAudit(*audit, last);
        if (parts.size() <= 1) return writer_.commit(std::move(last), next);
        HS_RETURN_IF_ERROR(writer_.commitInNotes(inNotes(acts), std::move(last), next));
        // What counts is decided: what is missing comes with the next batch, or with the next load().
        if (const absl::Status done = writer_.carryOut(std::move(parts)); !done.ok()) {
            logWarning("a large batch is stored as an intent so far: {}", messageOf(done));
        }
        return absl::OkStatus();
    }

    Meta nextMeta(const Changes& changes) const {
        Meta next = writer_.meta();
        next.schema = presentVersion();
        next.revision += 1;
        if (changes.last_slice_number) next.last_slice_number = *changes.last_slice_number;
        if (changes.home_prefix) next.home_prefix = *changes.home_prefix;
        return next;
    }

    void addAudit(const AuditEntry& entry, pb::TxnRequest& request) {
        const uint64_t number = next_audit_++;
        *request.add_success() = putOf(keys_.audit(number), textOf(entry));
        if (number <= kAuditKept || number % kPruneEvery != 0) return;
        pb::RequestOp& old = *request.add_success();
        old = deletionOf(keys_.audits());
        old.mutable_request_delete_range()->set_range_end(keys_.audit(number - kAuditKept + 1));
    }

    absl::Status readNextAudit() {
        pb::RangeRequest last = rangeBelow(keys_.audits(), 1);
        last.set_sort_order(pb::RangeRequest::DESCEND);
        HS_ASSIGN_OR_RETURN(const pb::RangeResponse response, client_.range(last));
        next_audit_ = 1;
        if (response.kvs_size() == 0) return absl::OkStatus();
        const std::string& key = response.kvs(0).key();
        next_audit_ = std::strtoull(key.c_str() + keys_.audits().size(), nullptr, 10) + 1;
        return absl::OkStatus();
    }

    // All as of one revision of etcd's, page by page.
    absl::StatusOr<RowTexts> readMetaAndRows() {
        pb::TxnRequest look;
        *look.add_success()->mutable_request_range() = rangeOf(keys_.meta());
        *look.add_success()->mutable_request_range() = rangeOf(keys_.replacing());
        *look.add_success()->mutable_request_range() = rangeOf(keys_.intent());
        HS_ASSIGN_OR_RETURN(const pb::TxnResponse seen, client_.txn(look));
        if (seen.responses(1).response_range().kvs_size() != 0) {
            return failedPrecondition("a restore or migration into this etcd was interrupted: repeat it");
        }
        if (seen.responses(2).response_range().kvs_size() != 0) {
            return unavailable("a large batch is just being written: try again");
        }
        HS_RETURN_IF_ERROR(takeMeta(seen.responses(0).response_range()));
        pb::RangeRequest page = rangeBelow(keys_.data(), kRowsPage);
        page.set_revision(seen.header().revision());
        RowTexts rows;
        HS_RETURN_IF_ERROR(
            eachOf(page, [&](const pb::KeyValue& row) { rows[tableOf(row.key())].push_back(row.value()); }));
        return rows;
    }

    template <typename Visit>
    absl::Status eachOf(pb::RangeRequest page, Visit visit) {
        for (bool more = true; more;) {
            HS_ASSIGN_OR_RETURN(const pb::RangeResponse response, client_.range(page, kRowsPatience));
            for (const pb::KeyValue& row : response.kvs()) {
                visit(row);
                page.set_key(row.key() + '\0');
            }
            more = response.more();
        }
        return absl::OkStatus();
    }

    absl::Status takeMeta(const pb::RangeResponse& found) {
        if (found.kvs_size() == 0) {
            writer_.setMeta({}, 0);
            return absl::OkStatus();
        }
        HS_ASSIGN_OR_RETURN(const Meta meta, parseMeta(found.kvs(0).value()));
        if (meta.schema > presentVersion()) {
            return failedPrecondition("the state in etcd has version " + std::to_string(meta.schema) +
                                      ", this sliced knows up to " + std::to_string(presentVersion()));
        }
        writer_.setMeta(meta, found.kvs(0).mod_revision());
        return absl::OkStatus();
    }

    std::string tableOf(const std::string& key) const {
        const size_t begin = keys_.data().size();
        return key.substr(begin, key.find('/', begin) - begin);
    }

    absl::StatusOr<Snapshot> snapshotOf(const RowTexts& rows) const {
        Snapshot snapshot = withMeta({});
        RowSource source(rows);
        HS_RETURN_IF_ERROR(readRows(source, snapshot));
        return snapshot;
    }

    Snapshot withMeta(Snapshot snapshot) const {
        snapshot.revision = writer_.meta().revision;
        snapshot.last_slice_number = writer_.meta().last_slice_number;
        snapshot.home_prefix = writer_.meta().home_prefix;
        return snapshot;
    }

    // As one batch: who dies on the way leaves the old rows, or all that it takes to make the new ones.
    absl::StatusOr<Snapshot> migrate(const RowTexts& rows) {
        const std::string context = "migrate from version " + std::to_string(writer_.meta().schema);
        HS_ASSIGN_OR_RETURN_CTX(Snapshot snapshot, migratedRows(rows, writer_.meta().schema), context);
        snapshot = withMeta(std::move(snapshot));
        if (!writer_.mayWrite()) return snapshot;
        HS_ASSIGN_OR_RETURN_CTX(const Acts acts, actsTo(snapshot), context);
        Meta next = writer_.meta();
        next.schema = presentVersion();
        HS_RETURN_IF_ERROR_CTX(commit(acts, std::nullopt, next), context);
        return snapshot;
    }

    // What makes the rows that are there those of `snapshot`.
    absl::StatusOr<Acts> actsTo(const Snapshot& snapshot) {
        ActCollector collector(keys_.data());
        HS_RETURN_IF_ERROR(writeRows(changesTo(snapshot), collector));
        Acts acts = collector.take();
        pb::RangeRequest keys = rangeBelow(keys_.data(), kRowsPage);
        keys.set_keys_only(true);
        HS_RETURN_IF_ERROR(eachOf(keys, [&](const pb::KeyValue& row) { acts.try_emplace(row.key(), std::nullopt); }));
        return acts;
    }

    // A replacement: from here to end() load() refuses what is there. Like a batch it comes about once: what of it
    // arrives late removes nothing.
    absl::Status begin() {
        HS_ASSIGN_OR_RETURN(const pb::RangeResponse present, client_.range(rangeOf(keys_.meta())));
        writer_.setMeta({}, present.kvs_size() == 0 ? 0 : present.kvs(0).mod_revision());
        pb::TxnRequest request;
        *request.add_success() = putOf(keys_.replacing(), "");
        for (const std::string& prefix : {keys_.data(), keys_.audits(), keys_.allPending()})
            *request.add_success() = deletionBelow(prefix);
        *request.add_success() = deletionOf(keys_.intent());
        return writer_.commit(std::move(request), {});
    }

    absl::Status end(const Snapshot& snapshot) {
        pb::TxnRequest request;
        *request.add_success() = deletionOf(keys_.replacing());
        return writer_.commit(std::move(request), {.schema = presentVersion(),
                                                   .revision = snapshot.revision,
                                                   .last_slice_number = snapshot.last_slice_number,
                                                   .home_prefix = snapshot.home_prefix,
                                                   .batch = ""});
    }

    Client& client_;
    const Keys keys_;
    FencedWriter writer_;
    uint64_t next_audit_ = 1;
};

}  // namespace

std::unique_ptr<DurableStore> makeStore(Client& client, const Keys& keys, Lead lead) {
    return std::make_unique<EtcdStore>(client, keys, std::move(lead));
}

}  // namespace homeslice::controller::etcd
