#include "controller/store/etcd/writer.h"

#include <limits>
#include <utility>

#include "base/log.h"
#include "base/names.h"
#include "base/status.h"

namespace homeslice::controller::etcd {
namespace {

namespace pb = etcdserverpb;

// With room for meta, the audit log and the fence.
constexpr int kMostActs = 100;
constexpr size_t kMostBytes = size_t{512} * 1024;
constexpr int64_t kNotesAtOnce = 4;

pb::RequestOp readOf(const std::string& key) {
    pb::RequestOp op;
    *op.mutable_request_range() = rangeOf(key);
    return op;
}

std::vector<pb::TxnRequest> divided(const Acts& acts, int most) {
    std::vector<pb::TxnRequest> parts;
    size_t bytes = 0;
    for (const auto& [key, value] : acts) {
        const size_t more = key.size() + (value ? value->size() : 0);
        if (parts.empty() || parts.back().success_size() >= most || bytes + more > kMostBytes) {
            parts.emplace_back();
            bytes = 0;
        }
        bytes += more;
        *parts.back().add_success() = value ? putOf(key, *value) : deletionOf(key);
    }
    return parts;
}

}  // namespace

std::vector<pb::TxnRequest> inParts(const Acts& acts) { return divided(acts, kMostActs); }
std::vector<pb::TxnRequest> inNotes(const Acts& acts) { return divided(acts, std::numeric_limits<int>::max()); }

pb::TxnRequest FencedWriter::fenced(const pb::TxnRequest& acts) const {
    pb::TxnRequest request = acts;
    *request.add_compare() = createdAt(keys_.leader(), lead_.created);
    return request;
}

absl::Status FencedWriter::lost(const std::string& why) {
    lead_.lost();
    return leadLost(why + ": ask the one that does now");
}

absl::Status FencedWriter::write(const pb::TxnRequest& acts) {
    HS_RETURN_IF_ERROR(checkLed());
    HS_ASSIGN_OR_RETURN(const pb::TxnResponse response, client_.txn(fenced(acts)));
    return response.succeeded() ? absl::OkStatus() : lost("this controller does not lead any more");
}

// Without a lead the fence would be "nobody leads", and hold whenever that is so.
absl::Status FencedWriter::checkLed() const {
    return lead_.created != 0 ? absl::OkStatus() : leadLost("this controller does not lead");
}

absl::Status FencedWriter::commit(pb::TxnRequest acts, Meta next) {
    HS_RETURN_IF_ERROR(checkLed());
    next.batch = randomId();
    *acts.add_success() = putOf(keys_.meta(), toText(next));
    *acts.add_compare() = changedAt(keys_.meta(), meta_changed_at_);
    *acts.add_failure() = readOf(keys_.meta());
    const auto response = client_.txn(fenced(acts));
    if (response.status().code() == absl::StatusCode::kUnavailable) return lost(messageOf(response.status()));
    HS_RETURN_IF_ERROR(response.status());
    if (!response->succeeded()) return judgeRefusal(*response, next);
    setMeta(next, response->header().revision());
    return absl::OkStatus();
}

// It may have been made by the attempt before, whose answer was lost.
absl::Status FencedWriter::judgeRefusal(const pb::TxnResponse& response, const Meta& next) {
    const bool read = response.responses_size() == 1 && response.responses(0).response_range().kvs_size() == 1;
    if (!read) return lost("this controller does not lead any more");
    const pb::KeyValue& found = response.responses(0).response_range().kvs(0);
    const auto meta = parseMeta(found.value());
    if (!meta.ok() || meta->batch != next.batch) return lost("this controller does not lead any more");
    setMeta(next, found.mod_revision());
    return absl::OkStatus();
}

absl::Status FencedWriter::commitInNotes(const std::vector<pb::TxnRequest>& notes, pb::TxnRequest last,
                                         const Meta& next) {
    pb::TxnRequest clean;
    *clean.add_success() = deletionBelow(keys_.allPending());
    HS_RETURN_IF_ERROR(write(clean));
    for (size_t i = 0; i < notes.size(); ++i) {
        pb::TxnRequest note;
        *note.add_success() = putOf(keys_.pending(i), notes[i].SerializeAsString());
        HS_RETURN_IF_ERROR(write(note));
    }
    *last.add_success() = putOf(keys_.intent(), std::to_string(notes.size()));
    HS_RETURN_IF_ERROR(commit(std::move(last), next));
    intent_is_open_ = true;
    return absl::OkStatus();
}

absl::Status FencedWriter::writeInParts(pb::TxnRequest acts) {
    pb::TxnRequest part;
    for (pb::RequestOp& act : *acts.mutable_success()) {
        *part.add_success() = std::move(act);
        if (part.success_size() < kMostActs) continue;
        HS_RETURN_IF_ERROR(write(part));
        part.clear_success();
    }
    return part.success_size() == 0 ? absl::OkStatus() : write(part);
}

absl::Status FencedWriter::completeIntent() {
    HS_ASSIGN_OR_RETURN(const pb::RangeResponse intent, client_.range(rangeOf(keys_.intent())));
    pb::RangeRequest page = rangeBelow(keys_.allPending(), kNotesAtOnce);
    for (bool more = intent.kvs_size() != 0; more;) {
        HS_ASSIGN_OR_RETURN(const pb::RangeResponse notes, client_.range(page));
        for (const pb::KeyValue& note : notes.kvs()) {
            pb::TxnRequest acts;
            if (!acts.ParseFromString(note.value())) return dataLoss("a part of a batch cannot be read: " + note.key());
            HS_RETURN_IF_ERROR(writeInParts(std::move(acts)));
            page.set_key(note.key() + '\0');
        }
        more = notes.more();
    }
    pb::TxnRequest done;
    *done.add_success() = deletionOf(keys_.intent());
    *done.add_success() = deletionBelow(keys_.allPending());
    HS_RETURN_IF_ERROR(write(done));
    intent_is_open_ = false;
    return absl::OkStatus();
}

}  // namespace homeslice::controller::etcd
