#include "controller/store/etcd/writer.h"

#include <algorithm>
#include <cstdlib>
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

pb::TxnRequest FencedWriter::fenced(pb::TxnRequest request) const {
    *request.add_compare() = createdAt(keys_.leader(), lead_.created);
    return request;
}

// What arrives late, after it was made again and other batches have followed, must not undo them.
pb::TxnRequest FencedWriter::ofThisBatch(pb::TxnRequest request) const {
    *request.add_compare() = changedAt(keys_.meta(), meta_changed_at_);
    return fenced(std::move(request));
}

absl::Status FencedWriter::lost(const std::string& why) {
    lead_.lost();
    return leadLost(why + ": ask the one that does now");
}

absl::Status FencedWriter::write(const pb::TxnRequest& acts) {
    HS_RETURN_IF_ERROR(checkLed());
    return send(fenced(acts));
}

absl::Status FencedWriter::writeAll(std::vector<pb::TxnRequest> parts) {
    HS_RETURN_IF_ERROR(checkLed());
    for (pb::TxnRequest& part : parts) part = ofThisBatch(std::move(part));
    return sendAll(parts);
}

absl::Status FencedWriter::send(const pb::TxnRequest& request) {
    HS_ASSIGN_OR_RETURN(const pb::TxnResponse response, client_.txn(request));
    return response.succeeded() ? absl::OkStatus() : lost("this controller does not lead any more");
}

absl::Status FencedWriter::sendAll(const std::vector<pb::TxnRequest>& requests) {
    HS_ASSIGN_OR_RETURN(const std::vector<pb::TxnResponse> responses, client_.txns(requests));
    const bool succeeded = std::all_of(responses.begin(), responses.end(), [](auto& one) { return one.succeeded(); });
    return succeeded ? absl::OkStatus() : lost("this controller does not lead any more");
}

// Without a lead the fence would be "nobody leads", and hold whenever that is so.
absl::Status FencedWriter::checkLed() const {
    return lead_.created != 0 ? absl::OkStatus() : leadLost("this controller does not lead");
}

absl::Status FencedWriter::commit(pb::TxnRequest acts, Meta next) {
    HS_RETURN_IF_ERROR(checkLed());
    next.batch = randomId();
    *acts.add_success() = putOf(keys_.meta(), toText(next));
    *acts.add_failure() = readOf(keys_.meta());
    const auto response = client_.txn(ofThisBatch(std::move(acts)));
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

absl::Status FencedWriter::commitInNotes(std::vector<pb::TxnRequest> notes, pb::TxnRequest last, const Meta& next) {
    HS_RETURN_IF_ERROR(checkLed());
    for (size_t i = 0; i + 1 < notes.size(); ++i) {
        pb::TxnRequest note;
        *note.add_success() = putOf(keys_.pending(i), notes[i].SerializeAsString());
        const absl::Status written = send(ofThisBatch(std::move(note)));
        // It may arrive yet, among the notes of the next batch.
        if (absl::IsUnavailable(written)) return lost(messageOf(written));
        HS_RETURN_IF_ERROR(written);
    }
    *last.add_success() = putOf(keys_.pending(notes.size() - 1), notes.back().SerializeAsString());
    *last.add_success() = putOf(keys_.intent(), std::to_string(notes.size()));
    HS_RETURN_IF_ERROR(commit(std::move(last), next));
    intent_is_open_ = true;
    return absl::OkStatus();
}

absl::Status FencedWriter::carryOut(std::vector<pb::TxnRequest> parts) {
    HS_RETURN_IF_ERROR(writeAll(std::move(parts)));
    return closeIntent();
}

absl::Status FencedWriter::closeIntent() {
    pb::TxnRequest done;
    *done.add_success() = deletionOf(keys_.intent());
    *done.add_success() = deletionBelow(keys_.allPending());
    HS_RETURN_IF_ERROR(send(ofThisBatch(std::move(done))));
    intent_is_open_ = false;
    return absl::OkStatus();
}

absl::Status FencedWriter::completeIntent() {
    HS_RETURN_IF_ERROR(checkLed());
    pb::TxnRequest look;
    *look.add_success() = readOf(keys_.meta());
    *look.add_success() = readOf(keys_.intent());
    HS_ASSIGN_OR_RETURN(const pb::TxnResponse seen, client_.txn(look));
    const pb::RangeResponse& meta = seen.responses(0).response_range();
    const pb::RangeResponse& intent = seen.responses(1).response_range();
    meta_changed_at_ = meta.kvs_size() == 0 ? 0 : meta.kvs(0).mod_revision();
    const uint64_t notes = intent.kvs_size() == 0 ? 0 : std::strtoull(intent.kvs(0).value().c_str(), nullptr, 10);
    for (uint64_t i = 0; i < notes; ++i) HS_RETURN_IF_ERROR(carryOutNote(i));
    return closeIntent();
}

absl::Status FencedWriter::carryOutNote(uint64_t number) {
    const std::string key = keys_.pending(number);
    HS_ASSIGN_OR_RETURN(const pb::RangeResponse note, client_.range(rangeOf(key)));
    pb::TxnRequest acts;
    if (note.kvs_size() == 0 || !acts.ParseFromString(note.kvs(0).value())) {
        return dataLoss("a part of a batch cannot be read: " + key);
    }
    std::vector<pb::TxnRequest> parts;
    for (pb::RequestOp& act : *acts.mutable_success()) {
        if (parts.empty() || parts.back().success_size() >= kMostActs) parts.emplace_back();
        *parts.back().add_success() = std::move(act);
    }
    return writeAll(std::move(parts));
}

}  // namespace homeslice::controller::etcd
