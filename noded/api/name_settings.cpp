#include "noded/api/name_settings.h"

#include <google/protobuf/util/json_util.h>

#include "base/status.h"
#include "spec/wire/names.h"

namespace homeslice::api {
namespace {

const std::string kTable = "names";
const std::string kKey = "table";

// Stored as the message that it came in: what reads it back is then what checks messages.
absl::StatusOr<std::string> toJson(const NameTable& table) {
    std::string json;
    const auto status = google::protobuf::util::MessageToJsonString(wire::toMessage(table), &json);
    return status.ok() ? absl::StatusOr<std::string>(json) : internalError("names: " + status.ToString());
}

absl::StatusOr<NameTable> parseTable(const std::string& json) {
    v1::NameTable message;
    const auto status = google::protobuf::util::JsonStringToMessage(json, &message);
    if (!status.ok()) return dataLoss("stored names: " + status.ToString());
    HS_ASSIGN_OR_RETURN_CTX(NameTable table, wire::nameTableOf(message), "stored names");
    return table;
}

}  // namespace

absl::Status NameSettings::restore() {
    HS_ASSIGN_OR_RETURN(const auto records, store_.list(kTable));
    const auto found = records.find(kKey);
    if (found == records.end()) return absl::OkStatus();
    HS_ASSIGN_OR_RETURN(NameTable table, parseTable(found->second));
    const std::lock_guard lock(mutex_);
    table_ = std::move(table);
    applied_ = false;
    return settleLocked();
}

absl::Status NameSettings::set(const v1::NameTable& message) {
    HS_ASSIGN_OR_RETURN_CTX(NameTable table, wire::nameTableOf(message), "names");
    const std::lock_guard lock(mutex_);
    if (table_ == table) return settleLocked();
    table_ = std::move(table);
    applied_ = saved_ = false;
    return settleLocked();
}

absl::Status NameSettings::settle() {
    const std::lock_guard lock(mutex_);
    return settleLocked();
}

absl::Status NameSettings::settleLocked() {
    if (!applied_) {
        heard_(*table_);
        HS_RETURN_IF_ERROR_CTX(service_.set(*table_), "names");
        applied_ = true;
    }
    if (saved_) return absl::OkStatus();
    HS_ASSIGN_OR_RETURN(const std::string json, toJson(*table_));
    HS_RETURN_IF_ERROR_CTX(store_.put(kTable, kKey, json), "names");
    saved_ = true;
    return absl::OkStatus();
}

}  // namespace homeslice::api
